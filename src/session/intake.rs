//! The receiving half of the server end: what the builder hands over, in the order of the wire.

use bytes::Bytes;
use http::StatusCode;

use super::context::{Event, Phase, SessionContext};
use super::exchange::{Exchange, Outcome};
use super::inbound::{Credit, Fault, IdleFor, Inbound, Resume, Unmute};
use super::options::HalfClose;
use super::record::{Kept, Record};
use super::server::Active;
use crate::error::{CancelCause, CloseReason, Deadline, WireError};
use crate::payload::{Headers, Payload};

/// The next thing to tell the handler.
#[derive(Debug)]
pub(super) enum Step {
    Event(Event),
    Apply(Payload),
    Chunk(Bytes),
    Finished(Option<Headers>),
    Ended(Box<Exchange>),
}

impl SessionContext {
    /// An item of the builder comes in.
    pub(super) fn receive(&mut self, item: Inbound) {
        self.ledger.receive(item.cost());
        if self.is_open() {
            self.inbox.push_back(item);
        }
    }

    /// What the handler is to be told next. `None` when it knows everything that it may know now.
    pub(super) fn next_step(&mut self) -> Option<Step> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Step::Event(event));
            }
            if let Some(ended) = self.server.take_ended() {
                return Some(Step::Ended(Box::new(self.after(&ended))));
            }
            if !self.is_open() {
                return None;
            }
            match self.next_inbound() {
                Intake::Step(step) => return Some(step),
                Intake::Again => {}
                Intake::Wait => return None,
            }
        }
    }

    fn next_inbound(&mut self) -> Intake {
        let Some(item) = self.inbox.front() else {
            return self.when_drained();
        };
        match item {
            Inbound::Chunk(_) | Inbound::Finish(_) if self.server.draining => {
                self.server.draining = matches!(item, Inbound::Chunk(_));
                self.drop_front();
                Intake::Again
            }
            Inbound::Fault(_) => self.next_fault(),
            _ if self.server.is_muted() => Intake::Wait,
            Inbound::Deliver(..) if self.server.is_engaged() => self.make_way(),
            Inbound::Deliver(..) | Inbound::Chunk(_) | Inbound::Finish(_) => self.pop_front(),
        }
    }

    /// The next request waits. The one before it is over as soon as its answer is complete and most of it is gone.
    fn make_way(&mut self) -> Intake {
        if self.server.may_follow() && self.outbound.is_below_high_water() {
            self.server.complete();
            return Intake::Again;
        }
        Intake::Wait
    }

    fn pop_front(&mut self) -> Intake {
        let Some(item) = self.inbox.pop_front() else {
            return Intake::Wait;
        };
        self.spend(item.cost());
        match item {
            Inbound::Deliver(_, facts) if facts.unknown_expectation => {
                self.refuse_wire(WireError::UnknownExpectation);
                Intake::Again
            }
            Inbound::Deliver(payload, facts) => {
                self.bytes_in += payload.body_bytes().len() as u64;
                let detail = self.options.logger.as_ref().map(|logger| logger.detail());
                self.server.begin(&payload, facts, detail);
                Intake::Step(Step::Apply(payload))
            }
            Inbound::Chunk(data) => {
                self.bytes_in += data.len() as u64;
                self.server.received(data.len());
                Intake::Step(Step::Chunk(data))
            }
            Inbound::Finish(trailers) => {
                self.server.received_all();
                Intake::Step(Step::Finished(trailers))
            }
            Inbound::Fault(_) => Intake::Again,
        }
    }

    fn drop_front(&mut self) {
        let cost = self
            .inbox
            .pop_front()
            .map_or_else(Credit::default, |item| item.cost());
        self.spend(cost);
    }

    /// The builder stopped here. What was whole before it is answered first.
    fn next_fault(&mut self) -> Intake {
        let receiving = self.server.active().map(|active| active.receiving);
        match receiving {
            Some(false) => return self.make_way(),
            None if self.server.is_engaged() => return Intake::Again,
            Some(true) | None => {}
        }
        let Some(Inbound::Fault(fault)) = self.inbox.pop_front() else {
            return Intake::Again;
        };
        let inside = receiving.is_some();
        match fault {
            Fault::Wire(error) if inside => self.end_failed(error.into()),
            Fault::Wire(WireError::Truncated) if self.server.draining => {
                self.close(CloseReason::PeerClosed, false);
            }
            Fault::Wire(error) => self.refuse_wire(error),
            Fault::Deadline(deadline) if inside => {
                self.end_cancelled(CancelCause::Deadline(deadline));
            }
            Fault::Deadline(Deadline::Head) => {
                self.refuse(
                    StatusCode::REQUEST_TIMEOUT,
                    "the request head came too slowly",
                    CloseReason::Deadline(Deadline::Head),
                );
            }
            Fault::Deadline(deadline) => self.close(CloseReason::Deadline(deadline), false),
        }
        Intake::Again
    }

    /// Nothing waits. If nothing will come either, the connection ends.
    fn when_drained(&mut self) -> Intake {
        if self.server.peer_done && !self.server.is_engaged() {
            self.close(CloseReason::PeerClosed, false);
        }
        Intake::Wait
    }

    /// An exchange ended: what it leaves to the connection, and what is told of it.
    fn after(&mut self, ended: &Active) -> Exchange {
        if ended.was_muted() {
            self.builder.do_send(Unmute(ended.id));
        }
        let exchange = ended.exchange(self.server.idle_since);
        if let Some(logger) = &self.options.logger {
            let nothing = Kept::default();
            let kept = ended.kept.as_deref().unwrap_or(&nothing);
            logger.log(&Record {
                exchange: &exchange,
                peer: &self.peer,
                kept,
            });
        }
        if exchange.outcome == Outcome::Completed {
            if !ended.persist {
                // The peer that asked for the close and was heard to its end sends no more.
                let linger =
                    ended.answering.keep_alive || ended.receiving || !self.inbox.is_empty();
                self.close(CloseReason::Announced, linger);
            } else if ended.upgrade {
                self.builder.do_send(Resume);
            }
        }
        exchange
    }

    /// The peer sends no more (P130, D13).
    pub(super) fn half_closed(&mut self) {
        self.server.peer_done = true;
        if self.server.current().is_none() || !self.is_open() {
            return;
        }
        self.events.push_back(Event::HalfClosed);
        if self.options.half_close == HalfClose::Abort {
            self.end_cancelled(CancelCause::PeerHalfClosed);
        }
    }

    /// The connection broke: nothing that waits can be answered.
    pub(super) fn broken(&mut self) {
        if !matches!(self.phase, Phase::Closed { .. }) {
            self.shut(CancelCause::PeerReset, CloseReason::PeerReset);
        }
    }

    /// The builder has read nothing for the idle time.
    pub(super) fn idle_query(&mut self) {
        let Some(idle) = self.options.timeouts.idle else {
            return;
        };
        let busy = self.server.is_engaged() || !self.inbox.is_empty();
        let left = if busy {
            idle
        } else {
            idle.saturating_sub(self.server.idle_since.elapsed())
        };
        if left.is_zero() {
            self.close(CloseReason::Deadline(Deadline::Idle), false);
        } else {
            self.builder.do_send(IdleFor(left));
        }
    }
}

enum Intake {
    Step(Step),
    Again,
    Wait,
}
