//! One request and its answer: what is told of it when it is over.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use tokio::time::Instant;

use crate::error::{CancelCause, FailureReason};
use crate::payload::MessageId;

/// How an exchange went, as far as it went.
///
/// Every exchange that was begun, ends in exactly one call of the handler that carries this: `completed`, `cancelled` or
/// `failed` (N3). It is also what the logs are made of (N13).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// The exchange, named by its request.
    pub id: MessageId,
    /// The answer, once one was accepted.
    pub answer: Option<MessageId>,
    /// The status of the answer; on a server, of what the session itself answered where nobody else did.
    pub status: Option<StatusCode>,
    /// How far it went.
    pub phase: ExchangePhase,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes of the received head: of the request on a server, of the response on a client.
    pub head_in: u64,
    /// Bytes of the received body, framing not counted.
    pub bytes_in: u64,
    /// Bytes of the sent head.
    pub head_out: u64,
    /// Bytes of the sent body, framing not counted.
    pub bytes_out: u64,
    /// On a client, whether the same request can be sent again without doing anything twice: it was not sent, or its method
    /// is idempotent and no response had begun. A server cannot know what its handler has done: there it is `false`.
    pub retry_safe: bool,
    /// Whether its connection had carried another exchange before. A connection that ends then may have been closed before
    /// the request came; a new one that ends was closed because of it.
    pub reused: bool,
    /// When the request was delivered to the handler; on a client, when it was accepted.
    pub began: Instant,
    /// When the answer began; `None` if it did not.
    pub answered: Option<Instant>,
    /// When the exchange ended. Without a logger a server reads the clock once a turn: then what a handler does within one
    /// call takes no time.
    pub ended: Instant,
}

impl Exchange {
    /// From its begin to its end.
    pub fn duration(&self) -> Duration {
        self.ended.saturating_duration_since(self.began)
    }

    /// The wall-clock time at which the request was delivered, worked out from the monotonic one.
    pub fn began_at(&self) -> SystemTime {
        SystemTime::now()
            .checked_sub(self.began.elapsed())
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// How far an exchange went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExchangePhase {
    /// Client: the request waits to be sent.
    Queued,
    /// Client: the request is being sent.
    Sending,
    /// The request was delivered, or its body was still coming.
    Receiving,
    /// The request was complete, the answer had not begun.
    Waiting,
    /// The answer had begun.
    Answering,
    /// The answer was complete.
    Answered,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// As it should: the answer is complete and on its way. What the socket has not yet taken of it is at most the
    /// high-water mark of the outbound buffer, and only if another request waits.
    Completed,
    /// Somebody did not want it any more.
    Cancelled(CancelCause),
    /// Something was wrong.
    Failed(FailureReason),
}

impl Outcome {
    /// A word for it, which stays the same: `completed`, `cancelled`, `failed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled(_) => "cancelled",
            Self::Failed(_) => "failed",
        }
    }

    /// The word for what went otherwise than well: that of the cause or the reason.
    pub fn cause(self) -> Option<&'static str> {
        match self {
            Self::Completed => None,
            Self::Cancelled(cause) => Some(cause.name()),
            Self::Failed(reason) => Some(reason.name()),
        }
    }
}

/// The end of an exchange that somebody did not want any more.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Cancelled {
    /// Who did not, and how it was noticed.
    pub cause: CancelCause,
    /// How far it had come.
    pub exchange: Exchange,
}

/// The end of an exchange that went wrong.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failure {
    /// What went wrong.
    pub reason: FailureReason,
    /// How far it had come.
    pub exchange: Exchange,
}
