//! One request and its answer: the record of it that the handler and the logs get at its end.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use tokio::time::Instant;

use crate::error::{CancelCause, FailureReason};
use crate::payload::MessageId;

/// How an exchange went, complete or not.
///
/// Every exchange that was begun ends in exactly one handler call that carries this: `completed`, `cancelled` or
/// `failed`, unless the handler panicked. Loggers get it too.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// The id of the exchange, which is that of its request.
    pub id: MessageId,
    /// The id of the answer, once one was accepted.
    pub answer: Option<MessageId>,
    /// The status of the answer. At a server this includes an answer that the session gave itself.
    pub status: Option<StatusCode>,
    /// How far it went.
    pub phase: ExchangePhase,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes of the received head: at a server of the request, at a client of the response.
    pub head_in: u64,
    /// Bytes of the received body, framing not counted.
    pub bytes_in: u64,
    /// Bytes of the sent head.
    pub head_out: u64,
    /// Bytes of the sent body, framing not counted. Of a message that was cut short, what the socket had taken: up to a
    /// few bytes less for each piece that waited, if it was chunked.
    pub bytes_out: u64,
    /// At a client, whether the same request can be sent again without taking effect twice: it was not sent, or its
    /// method is idempotent and no response had begun. At a server it is `false`: the session cannot know what the
    /// handler did.
    pub retry_safe: bool,
    /// Whether the connection had carried another exchange before. If such a connection ends, it may have been closed
    /// before the request came. If a new one ends, it was closed because of the request.
    pub reused: bool,
    /// When the request was delivered to the handler; at a client, when it was accepted.
    pub began: Instant,
    /// When the answer began; `None` if it did not.
    pub answered: Option<Instant>,
    /// When the exchange ended. Without a logger a server reads the clock once a turn, so the time that a handler
    /// spends within one call is not included.
    pub ended: Instant,
}

impl Exchange {
    /// So many bytes of it, and of what stands before it, were not sent.
    pub(super) fn take_back(&mut self, unsent: usize) {
        self.bytes_out = self.bytes_out.saturating_sub(unsent as u64);
    }

    /// The time from beginning to end.
    pub fn duration(&self) -> Duration {
        self.ended.saturating_duration_since(self.began)
    }

    /// The wall-clock time at which the request was delivered, derived from the monotonic one.
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
    /// Client: the head was sent, and the body is still being written.
    Sending,
    /// Server: the request was delivered, and its body was still coming.
    Receiving,
    /// The request was complete, and the answer had not begun. At a client the request may still wait for the socket.
    Waiting,
    /// The answer had begun.
    Answering,
    /// The answer was complete.
    Answered,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Successfully. At a server the answer is complete and on its way: if another request waits, up to the high-water
    /// mark of the outbound buffer may still be unsent; otherwise the socket has taken everything. At a client the
    /// response was delivered whole, and the socket has taken the whole request.
    Completed,
    /// Somebody no longer wanted it, or its time was up.
    Cancelled(CancelCause),
    /// Something went wrong.
    Failed(FailureReason),
}

impl Outcome {
    /// A stable identifier: `completed`, `cancelled`, `failed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled(_) => "cancelled",
            Self::Failed(_) => "failed",
        }
    }

    /// The stable identifier of the cause or the reason, unless it was completed.
    pub fn cause(self) -> Option<&'static str> {
        match self {
            Self::Completed => None,
            Self::Cancelled(cause) => Some(cause.name()),
            Self::Failed(reason) => Some(reason.name()),
        }
    }
}

/// The end of an exchange that somebody no longer wanted, or whose time was up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancelled {
    /// Why it was cancelled.
    pub cause: CancelCause,
    /// How far it had come.
    pub exchange: Exchange,
}

/// The end of an exchange that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What went wrong.
    pub reason: FailureReason,
    /// How far it had come.
    pub exchange: Exchange,
}
