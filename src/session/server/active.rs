//! The exchange that is going on at a server.

use bytes::Bytes;
use http::StatusCode;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::DRAINED;
use crate::payload::{Headers, MessageId, Payload};
use crate::session::exchange::{Exchange, ExchangePhase, Outcome};
use crate::session::handoff::Taker;
use crate::session::meter::Running;
use crate::session::record::{Detail, Kept};
use crate::session::trace::Traced;
use crate::wire::Answering;

/// The exchange that is going on.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts; the state of the answer is in `answer`"
)]
pub(in crate::session) struct Active {
    pub(in crate::session) id: MessageId,
    pub(in crate::session) answering: Answering,
    pub(in crate::session) upgrade: bool,
    pub(in crate::session) answer: Answer,
    /// The end of the request is still to be delivered.
    pub(in crate::session) receiving: bool,
    /// The announced length of the request body.
    pub(super) declared: Option<u64>,
    /// The peer waits for a 100 before it sends the body.
    pub(in crate::session) continue_owed: bool,
    /// Whether another request can follow on this connection.
    pub(in crate::session) persist: bool,
    /// The answer is to announce the close.
    pub(super) last: bool,
    /// How many hold the right to answer.
    pub(in crate::session) lent: u32,
    /// Pieces taken from the body writer, once there is one.
    pub(in crate::session) pieces: Option<u64>,
    /// Who gets the connection after the answer.
    pub(super) taker: Option<Taker>,
    pub(super) mutes: u32,
    pub(super) tasks: Vec<AbortHandle>,
    pub(in crate::session) kept: Option<Box<Kept>>,
    pub(super) status: Option<StatusCode>,
    pub(super) outcome: Option<Outcome>,
    pub(in crate::session) span: Traced,
    pub(super) running: Running,
    pub(super) head_in: u64,
    pub(super) bytes_in: u64,
    pub(super) head_out: u64,
    pub(in crate::session) bytes_out: u64,
    pub(super) began: Instant,
    pub(super) answered: Option<Instant>,
}

/// How far the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Answer {
    Pending,
    /// Body data may follow.
    Open(MessageId),
    /// Raw bytes may follow.
    Raw,
    /// Complete, in the outbound buffer or gone.
    Sent {
        id: Option<MessageId>,
        body: bool,
    },
}

impl Active {
    /// An answer begins.
    pub(in crate::session) fn answer_with(
        &mut self,
        id: MessageId,
        status: StatusCode,
        head: usize,
        now: Instant,
    ) {
        self.answer = Answer::Open(id);
        self.status = Some(status);
        self.head_out = head as u64;
        self.answered = Some(now);
    }

    /// Raw bytes begin.
    pub(in crate::session) fn answer_raw(&mut self, now: Instant) {
        self.answer = Answer::Raw;
        self.answered = Some(now);
    }

    /// Whether an answer with this status ends HTTP on the connection.
    pub(in crate::session) fn switches(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS || self.answering.connect && status.is_success()
    }

    /// Whether the rest of the request is known to come and short enough to be read for nothing.
    pub(in crate::session) fn is_drainable(&self) -> bool {
        !self.continue_owed
            && self
                .declared
                .is_some_and(|declared| declared.saturating_sub(self.bytes_in) <= DRAINED)
    }

    pub(in crate::session) fn was_muted(&self) -> bool {
        self.mutes > 0
    }

    /// What is told of the exchange.
    pub(in crate::session) fn exchange(&self, reused: bool, now: Instant) -> Exchange {
        Exchange {
            id: self.id,
            answer: self.answer.id(),
            status: self.status,
            phase: match self.answer {
                Answer::Pending if self.receiving => ExchangePhase::Receiving,
                Answer::Pending => ExchangePhase::Waiting,
                Answer::Open(_) | Answer::Raw => ExchangePhase::Answering,
                Answer::Sent { .. } => ExchangePhase::Answered,
            },
            outcome: self.outcome.unwrap_or(Outcome::Completed),
            head_in: self.head_in,
            bytes_in: self.bytes_in,
            head_out: self.head_out,
            bytes_out: self.bytes_out,
            retry_safe: self.answer == Answer::Pending,
            reused,
            began: self.began,
            answered: self.answered,
            ended: now,
        }
    }
}

impl Answer {
    pub(super) fn id(self) -> Option<MessageId> {
        match self {
            Self::Pending | Self::Raw => None,
            Self::Open(id) => Some(id),
            Self::Sent { id, .. } => id,
        }
    }
}

/// What the log wants kept of a request.
pub(super) fn keep(request: &Payload, detail: Detail) -> Option<Box<Kept>> {
    if detail == Detail::Exchange {
        return None;
    }
    let line = format!(
        "{} {} {:?}",
        request.method(),
        request.uri(),
        request.version()
    );
    Some(Box::new(Kept {
        request_line: line.into(),
        request_headers: request
            .headers()
            .shared()
            .map_or_else(Headers::new, Headers::received),
        request_body: if detail == Detail::Contents {
            request.body_bytes().clone()
        } else {
            Bytes::new()
        },
        response: None,
    }))
}
