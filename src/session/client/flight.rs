//! One exchange of a client, from its place in the queue to its end.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use http::{Method, StatusCode};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::error::RefusedReason;
use crate::payload::{Known, MessageId, Payload, TransferMode, is_idempotent, members};
use crate::session::awaited::{Awaited, Partial};
use crate::session::exchange::{Exchange, ExchangePhase, Outcome};
use crate::session::handoff::Taker;
use crate::session::inbound::Unmute;
use crate::session::link::Link;
use crate::session::meter::ExchangeGauge;
use crate::session::pieces::Pieces;
use crate::session::sink::Part;
use crate::session::trace::Traced;
use crate::session::waiter::Waiter;

/// One exchange.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts; the states are in `request` and `response`"
)]
pub(super) struct Flight {
    pub(super) id: MessageId,
    pub(super) method: Method,
    pub(super) safe: bool,
    /// The number of the request on its connection, from 1; 0 before it was sent.
    pub(super) nth: u64,
    /// Whether the body of the request follows in pieces.
    pub(super) streams: bool,
    pub(super) request: Sending,
    pub(super) response: Receiving,
    /// Whether the connection may be used after this exchange.
    pub(super) persist: bool,
    /// The request, as long as it is not answered and can be sent again unchanged.
    pub(super) payload: Option<Payload>,
    /// A part of the body that came before the body could be sent, and its waiting sender.
    pub(super) parked: Option<Box<(Part, Box<dyn Waiter>)>>,
    /// The pieces of the body writer.
    pub(super) pieces: Pieces,
    /// Gets the connection if the server switches protocols.
    pub(super) taker: Option<Taker>,
    pub(super) mutes: u32,
    pub(super) tasks: Vec<AbortHandle>,
    pub(super) status: Option<StatusCode>,
    /// `None` until the exchange is over.
    outcome: Option<Outcome>,
    /// Counts the flights that have an outcome.
    pub(super) ended: Rc<Cell<usize>>,
    pub(super) span: Traced,
    pub(super) gauge: ExchangeGauge,
    pub(super) head_in: u64,
    pub(super) bytes_in: u64,
    pub(super) head_out: u64,
    pub(super) bytes_out: u64,
    pub(super) began: Instant,
    /// The position in the output of the session at which the request ends, once it is complete.
    pub(super) ends_at: Option<u64>,
    /// When the socket had taken all of the request.
    pub(super) asked: Option<Instant>,
    pub(super) answered: Option<Instant>,
}

/// The progress of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    Queued,
    /// The head was sent; the body waits for the server's 100 (RFC 9110 section 10.1.1), for a limited time.
    Expecting,
    /// Body data may follow.
    Open,
    Done,
}

/// The progress of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiving {
    Waiting,
    Open,
    Done,
}

impl Flight {
    pub(super) fn new(
        mut payload: Payload,
        span: Traced,
        gauge: ExchangeGauge,
        now: Instant,
        ended: Rc<Cell<usize>>,
    ) -> Self {
        Self {
            id: payload.own_id(),
            method: payload.method().clone(),
            safe: payload.is_safe(),
            nth: 0,
            streams: payload.mode() != TransferMode::Oneshot,
            request: Sending::Queued,
            payload: Some(payload),
            response: Receiving::Waiting,
            persist: true,
            parked: None,
            pieces: Pieces::default(),
            taker: None,
            mutes: 0,
            tasks: Vec::new(),
            status: None,
            outcome: None,
            ended,
            span,
            gauge,
            head_in: 0,
            bytes_in: 0,
            head_out: 0,
            bytes_out: 0,
            began: now,
            ends_at: None,
            asked: None,
            answered: None,
        }
    }

    /// Runs a future as long as the exchange.
    pub(super) fn run(&mut self, future: impl Future<Output = ()> + 'static) {
        self.tasks.retain(|task| !task.is_finished());
        self.tasks.push(self.span.spawn(future));
    }

    /// Whether the exchange has ended. Its end may still have to be reported.
    pub(super) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    pub(super) fn is_sending(&self) -> bool {
        matches!(self.request, Sending::Open)
    }

    /// Whether a body is to follow and was not asked for yet.
    pub(super) fn awaits_its_turn(&self) -> bool {
        !self.is_over()
            && self.streams
            && matches!(self.request, Sending::Queued | Sending::Expecting)
    }

    /// Whether the body waits for a 100 that may still come. After a head with a success status it may: the response
    /// may be made of the request body, and the server sends its 100 late or not at all.
    pub(super) fn awaits_continue(&self) -> bool {
        let wanted = match self.response {
            Receiving::Waiting => true,
            Receiving::Open => self.status.is_some_and(|status| status.is_success()),
            Receiving::Done => false,
        };
        self.request == Sending::Expecting && wanted
    }

    /// Whether the request asks the server for a 100 before its body is sent.
    pub(super) fn expects_continue(payload: &Payload) -> bool {
        payload.headers().known_has(Known::Expect, b"100-continue")
    }

    /// Whether a response that switches protocols switches to what was offered (RFC 9110 section 7.8). A tunnel has no
    /// protocol.
    pub(super) fn offered(&self, switch: &Payload) -> bool {
        let Some(request) = self.payload.as_ref() else {
            return false;
        };
        if self.method == Method::CONNECT {
            return true;
        }
        let offer = request.headers();
        let mut chosen = switch.headers().known(Known::Upgrade).flat_map(members);
        let is_offered = |protocol: &[u8]| offer.known_has(Known::Upgrade, protocol);
        chosen.next().is_some_and(is_offered) && chosen.all(is_offered)
    }

    /// Ends the exchange with this outcome, or as completed if it is whole.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if !self.is_over() {
            let outcome = if self.is_whole() {
                Outcome::Completed
            } else {
                outcome
            };
            self.outcome = Some(outcome);
            self.ended.update(|ended| ended + 1);
        }
    }

    /// Whether the response is complete, and the request was sent or its rest is not wanted. A response with a success
    /// status may come before the server has read everything: then the rest is still sent.
    pub(super) fn is_whole(&self) -> bool {
        let wanted = matches!(self.request, Sending::Open | Sending::Done)
            && self.persist
            && self.status.is_some_and(|status| status.is_success());
        self.response == Receiving::Done && (self.is_flushed() || !wanted)
    }

    /// Whether the socket has taken all of the request.
    pub(super) fn is_flushed(&self) -> bool {
        self.asked.is_some()
    }

    /// The socket has taken this much of the output of the session.
    pub(super) fn note_taken(&mut self, taken: u64, now: impl FnOnce() -> Instant) {
        if self.asked.is_none() && self.ends_at.is_some_and(|end| end <= taken) {
            self.asked = Some(now());
        }
    }

    /// Whether the server cannot have acted on the request, or acting twice does no harm (N11, P82).
    fn is_retry_safe(&self, awaited: &Awaited) -> bool {
        match self.request {
            Sending::Queued => true,
            Sending::Expecting | Sending::Open | Sending::Done => {
                self.response == Receiving::Waiting
                    && !awaited.has(self.nth, Partial::Bytes)
                    && is_idempotent(&self.method)
            }
        }
    }

    /// Ends what belongs to the exchange: its tasks, its parked sender and its mutes.
    pub(super) fn release(&mut self, link: &mut Link) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
        }
        if let Some(parked) = self.parked.take() {
            parked.1.release(Err(RefusedReason::NotYourTurn));
        }
        if self.mutes > 0 {
            link.tell(Unmute(self.id));
        }
    }

    pub(super) fn exchange(&self, now: Instant, awaited: &Awaited) -> Exchange {
        Exchange {
            id: self.id,
            answer: None,
            status: self.status,
            phase: match (&self.request, self.response) {
                (Sending::Queued, _) => ExchangePhase::Queued,
                (Sending::Expecting | Sending::Open, Receiving::Waiting) => ExchangePhase::Sending,
                (Sending::Done, Receiving::Waiting) => ExchangePhase::Waiting,
                (_, Receiving::Open) => ExchangePhase::Answering,
                (_, Receiving::Done) => ExchangePhase::Answered,
            },
            outcome: self.outcome.unwrap_or(Outcome::Completed),
            head_in: self.head_in,
            bytes_in: self.bytes_in,
            head_out: self.head_out,
            bytes_out: self.bytes_out,
            retry_safe: self.is_retry_safe(awaited),
            reused: self.nth > 1,
            began: self.began,
            answered: self.answered,
            ended: now,
        }
    }
}
