//! The current exchange of a server.

use bytes::Bytes;
use http::StatusCode;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Aside;
use crate::payload::{Headers, MessageId, Payload, Spare, TransferMode};
use crate::session::exchange::{Exchange, ExchangePhase, Outcome};
use crate::session::meter::ExchangeGauge;
use crate::session::pieces::Pieces;
use crate::session::record::{Detail, Kept};
use crate::session::trace::Traced;
use crate::wire::{Answering, Asked, Facts};

/// Bytes of a request body that are read and dropped after an early answer, so that the connection can be kept.
pub(super) const DRAINED: u64 = 64 << 10;

/// The current exchange. The thread keeps its box for the next one: an idle connection has none, and an exchange that
/// ends is moved as a pointer.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts; the state of the answer is in `answer`"
)]
pub(in crate::session) struct Active {
    /// The record that is reported at the end. Some of it is filled in only then.
    pub(super) exchange: Exchange,
    pub(super) answering: Answering,
    pub(super) upgrade: bool,
    pub(super) answer: AnswerState,
    /// Whether the end of the request is still to be delivered.
    pub(super) receiving: bool,
    /// The announced length of the request body.
    pub(super) declared: Option<u64>,
    /// Whether the peer waits for a 100 before it sends the body.
    pub(super) continue_owed: bool,
    /// Whether another request can follow on this connection.
    pub(super) persist: bool,
    /// Whether the answer has to announce the close.
    pub(super) announces_close: bool,
    /// How many responders have the right to answer.
    pub(super) lent: u32,
    /// The pieces of the body writer.
    pub(super) pieces: Pieces,
    pub(super) mutes: u32,
    pub(super) tasks: Vec<AbortHandle>,
    pub(super) kept: Option<Box<Kept>>,
    pub(super) aside: Option<Box<Aside>>,
    pub(super) span: Traced,
    /// `None` once it has ended.
    pub(super) gauge: Option<ExchangeGauge>,
}

thread_local! {
    static BOXES: Spare<Box<Active>> = const { Spare::new(64) };
}

/// The progress of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerState {
    Pending,
    /// Body data may follow.
    Open(MessageId),
    /// Raw bytes may follow.
    Raw,
    /// Complete, in the outbound buffer or written.
    Complete {
        id: Option<MessageId>,
        body: bool,
    },
}

impl Active {
    /// Begins the exchange of a request that is delivered.
    pub(super) fn begin(
        request: &mut Payload,
        facts: Facts,
        detail: Option<Detail>,
        span: Traced,
        gauge: ExchangeGauge,
        now: Instant,
    ) -> Box<Self> {
        let oneshot = request.mode() == TransferMode::Oneshot;
        let active = Self {
            exchange: Exchange {
                id: request.own_id(),
                answer: None,
                status: None,
                phase: ExchangePhase::Receiving,
                outcome: Outcome::Completed,
                head_in: facts.head_bytes as u64,
                bytes_in: request.body_bytes().len() as u64,
                head_out: 0,
                bytes_out: 0,
                retry_safe: false,
                reused: false,
                began: now,
                answered: None,
                ended: now,
            },
            answering: Answering::to(request, facts.keep_alive),
            upgrade: facts.upgrade,
            answer: AnswerState::Pending,
            receiving: !oneshot,
            declared: request.body_size(),
            continue_owed: facts.expect_continue && !oneshot,
            persist: facts.keep_alive,
            announces_close: false,
            lent: 0,
            pieces: Pieces::default(),
            mutes: 0,
            tasks: Vec::new(),
            kept: detail.and_then(|detail| keep(request, detail)),
            aside: None,
            span,
            gauge: Some(gauge),
        };
        match Spare::take_from(&BOXES) {
            Some(mut spare) => {
                *spare = active;
                spare
            }
            None => Box::new(active),
        }
    }

    /// Aborts the tasks that run as long as the exchange. Most exchanges have none.
    pub(super) fn stop_tasks(&mut self) {
        if !self.tasks.is_empty() {
            self.tasks.drain(..).for_each(|task| task.abort());
        }
    }

    /// What is rarely asked of it.
    #[cold]
    pub(super) fn aside(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    /// The end of the exchange was reported: its box goes back to the thread.
    pub(in crate::session) fn recycle(self: Box<Self>) {
        Spare::give_to(&BOXES, self);
    }

    pub(in crate::session) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Records the answer that has begun: its status, and the bytes of its head and of the body behind that.
    pub(super) fn answered(
        &mut self,
        status: StatusCode,
        (head, body): (usize, usize),
        now: Instant,
    ) {
        self.exchange.status = Some(status);
        self.exchange.head_out = head as u64;
        self.exchange.bytes_out = body as u64;
        self.exchange.answered = Some(now);
    }

    /// Raw bytes begin.
    pub(super) fn answer_raw(&mut self, now: Instant) {
        self.answer = AnswerState::Raw;
        self.exchange.answered = Some(now);
    }

    /// Whether an answer with this status ends HTTP on the connection.
    pub(super) fn switches(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS
            || (self.answering.asked == Asked::Connect && status.is_success())
    }

    /// Whether nothing that the peer may still send can cost it an answer, so that the connection needs not linger. It
    /// asked for the close, so it must not send another request (RFC 9112, 9.6). It sent no body, behind which old
    /// clients send a line end. And all that this end ever sent on the connection is on its way, as far as one can tell
    /// from its length: networks take 14 KiB before the first acknowledgement (RFC 6928).
    ///
    /// Lingering costs an eighth of the processor time of a connection with one request.
    pub(super) fn needs_no_linger(&self, sent: u64) -> bool {
        const IN_FLIGHT: u64 = 8 << 10;
        !self.answering.keep_alive
            && !self.receiving
            && self.exchange.bytes_in == 0
            && sent <= IN_FLIGHT
    }

    /// Whether the rest of the request may turn out to be short enough to be read and dropped.
    pub(super) fn may_drain(&self) -> bool {
        self.is_drainable() || self.declared.is_none() && !self.continue_owed
    }

    /// Whether the rest of the request has a known length, and is short enough to be read and dropped.
    pub(super) fn is_drainable(&self) -> bool {
        !self.continue_owed
            && self
                .declared
                .is_some_and(|declared| declared.saturating_sub(self.exchange.bytes_in) <= DRAINED)
    }

    /// Whether the answer is complete.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.answer, AnswerState::Complete { .. })
    }

    pub(super) fn is_muted(&self) -> bool {
        self.mutes > 0
    }

    /// Completes the record of the exchange.
    pub(super) fn conclude(&mut self, reused: bool, now: Instant) {
        self.exchange.answer = self.answer.id();
        self.exchange.phase = match self.answer {
            AnswerState::Pending if self.receiving => ExchangePhase::Receiving,
            AnswerState::Pending => ExchangePhase::Waiting,
            AnswerState::Open(_) | AnswerState::Raw => ExchangePhase::Answering,
            AnswerState::Complete { .. } => ExchangePhase::Answered,
        };
        self.exchange.reused = reused;
        self.exchange.ended = now;
    }
}

impl AnswerState {
    pub(super) fn id(self) -> Option<MessageId> {
        match self {
            Self::Pending | Self::Raw => None,
            Self::Open(id) => Some(id),
            Self::Complete { id, .. } => id,
        }
    }
}

/// What the logger needs of a request.
fn keep(request: &Payload, detail: Detail) -> Option<Box<Kept>> {
    if detail == Detail::Exchange {
        return None;
    }
    Some(Box::new(Kept {
        request_line: request.request_line().into(),
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
