//! The receiving half of the client side: responses, in the order of the wire.

use std::io;
use std::time::Duration;

use http::StatusCode;

use super::connection::State;
use super::ends::ABORTED;
use super::{Client, Flight, Receiving};
use crate::error::{CancelCause, FailureReason, WireError};
use crate::payload::{Payload, TransferMode};
use crate::session::exchange::{Exchange, Outcome};
use crate::session::handoff::NotUpgraded;
use crate::session::inbound::{Fault, IdleFor, Inbound, Rest};
use crate::session::link::Link;
use crate::session::outbound::Teardown;
use crate::session::role::Role;
use crate::session::sink::Loss;
use crate::session::step::{Intake, Step};
use crate::wire::Facts;

impl Client {
    pub(in crate::session) fn next_inbound(&mut self, link: &mut Link) -> Intake {
        let delivered = self.is_delivered();
        if delivered && self.end_whole(link) {
            return Intake::Again;
        }
        match link.inbox.front() {
            None => self.when_drained(link),
            Some(Inbound::Fault(..)) => self.next_fault(link),
            // The item belongs to the next exchange, and the current one waits for the socket.
            Some(_) if delivered || self.is_muted() => Intake::Wait,
            Some(Inbound::Deliver(..) | Inbound::Chunk(_) | Inbound::Finish(_)) => {
                self.pop_front(link)
            }
        }
    }

    /// Takes the first item of the queue. The caller has seen that there is one, and that it is not a fault.
    fn pop_front(&mut self, link: &mut Link) -> Intake {
        let Some(item) = link.take() else {
            unreachable!("an item was seen in front");
        };
        let Some(flight) = self.front() else {
            // The item belonged to an exchange that has ended.
            return Intake::Again;
        };
        match item {
            Inbound::Deliver(response, facts, _) => {
                if facts.upgrade && !flight.offered(&response) {
                    self.end_failed(link, WireError::UnsolicitedUpgrade.into());
                    return Intake::Again;
                }
                Intake::Step(self.deliver(link, response, facts))
            }
            Inbound::Chunk(data) => {
                flight.bytes_in += data.len() as u64;
                link.bytes_in += data.len() as u64;
                Intake::Step(Step::Chunk(data))
            }
            Inbound::Finish(trailers) => {
                flight.response = Receiving::Done;
                Intake::Step(Step::Finished(trailers))
            }
            Inbound::Fault(..) => unreachable!("a fault is taken by `next_fault`"),
        }
    }

    fn deliver(&mut self, link: &mut Link, response: Payload, facts: Facts) -> Step {
        let status = response.status().unwrap_or_default();
        if facts.is_interim(status) {
            if status == StatusCode::CONTINUE {
                self.grant_body(link);
            }
            return Step::Informational(response);
        }
        let body = response.body_bytes().len() as u64;
        link.bytes_in += body;
        let mut refused = false;
        if let Some(flight) = self.front() {
            refused = flight.awaits_continue() && !status.is_success();
            flight.payload = None;
            flight.status = Some(status);
            flight.head_in = facts.head_bytes as u64;
            flight.bytes_in = body;
            flight.persist &= facts.keep_alive;
            flight.answered = Some(link.now());
            flight.response = Receiving::Open;
            if !facts.upgrade
                && let Some(taker) = flight.taker.take()
            {
                // If nobody waits any more, the result is dropped.
                let _ = taker.send(Err(NotUpgraded::Declined(status)));
            }
            if response.mode() == TransferMode::Oneshot {
                flight.response = Receiving::Done;
            }
        }
        if refused {
            // The server did not send the 100 that would be assumed after a while.
            self.connection.stop_waiting();
        }
        Step::Apply(response)
    }

    /// The builder has stopped reading: the next response will not come, or not completely.
    fn next_fault(&mut self, link: &mut Link) -> Intake {
        let Some(Inbound::Fault(fault, _)) = link.take() else {
            unreachable!("a fault was seen in front");
        };
        // The fault does not concern complete responses.
        let coming = |flight: &&mut Flight| !flight.is_over() && flight.response != Receiving::Done;
        let outcome = match fault {
            Fault::Wire(error) => Outcome::Failed(FailureReason::Protocol(error)),
            Fault::Deadline(deadline) => Outcome::Cancelled(CancelCause::Deadline(deadline)),
        };
        if let Some(flight) = self.sent().find(coming) {
            flight.end(outcome);
        } else {
            self.end_unserved(outcome);
        }
        self.cut(link);
        Intake::Again
    }

    /// Ends the exchange whose response was delivered completely, after the handler was called, if its request is
    /// complete too. True if it ended.
    fn end_whole(&mut self, link: &Link) -> bool {
        let taken = link.outbound.buffer.total();
        let Some(flight) = self.front() else {
            return false;
        };
        flight.note_taken(taken, || link.now());
        let whole = flight.is_whole();
        if whole {
            flight.end(Outcome::Completed);
        }
        whole
    }

    /// The queue is empty. If nothing more will come, the connection is over.
    fn when_drained(&mut self, link: &mut Link) -> Intake {
        if let Some(kind) = link.over.take() {
            let reason = FailureReason::ConnectionClosed(kind);
            self.end_unserved(Outcome::Failed(reason));
            self.hang_up(link, reason, Teardown::Close);
            return Intake::Again;
        }
        Intake::Wait
    }

    /// Takes an exchange that ended, does what follows for the connection, and returns the record of it.
    pub(in crate::session) fn take_ended(&mut self, link: &mut Link) -> Option<Exchange> {
        let at = self.flights.iter().position(Flight::is_over)?;
        self.ended.update(|ended| ended - 1);
        self.idle_since = link.now();
        let flight = self.flights.get_mut(at)?;
        flight.release(link);
        let exchange = flight.exchange(self.idle_since, &self.connection.awaited);
        flight.span.end(Role::Client, &exchange, &mut link.trace);
        flight.gauge.end(&exchange);
        let (flushed, persist) = (flight.is_flushed(), flight.persist);
        let taker = flight.taker.take();
        self.unanswered = flight.payload.take();
        // Dropped in place: it is large.
        self.flights.drain(at..=at);
        if at < self.sent {
            self.sent -= 1;
        }
        if exchange.outcome == Outcome::Completed {
            // If the server did not want the rest of a request, the connection must be cut: part of the request was
            // sent.
            let cut = !flushed;
            match taker {
                Some(taker) if !cut => {
                    self.end_all(Outcome::Failed(ABORTED));
                    link.hand_off(taker);
                }
                _ if cut || !persist => self.hang_up(link, ABORTED, Teardown::reset_if(cut)),
                // An idle timeout of zero: the connection is not kept.
                _ if self.flights.is_empty()
                    && link.options.timeouts.idle == Some(Duration::ZERO) =>
                {
                    self.hang_up(link, ABORTED, Teardown::Close);
                }
                _ => {}
            }
        }
        if let (Some(proxy), Some(request)) = (&self.proxy, &mut self.unanswered) {
            proxy.forget(request);
        }
        if self.idle_asked && self.flights.is_empty() {
            self.idle_asked = false;
            link.tell_idle();
        }
        Some(exchange)
    }

    /// The actor that gets the response body takes no more of it.
    pub(in crate::session) fn body_lost(&mut self, link: &mut Link, loss: Loss) {
        if let Some(flight) = self.front() {
            flight.end(match loss {
                Loss::Unwanted => Outcome::Cancelled(CancelCause::Local),
                Loss::Gone => Outcome::Failed(FailureReason::LostPiece),
            });
        }
        self.cut(link);
    }

    /// The server sends no more. What it sent may still contain the complete response; meanwhile nothing is sent to it.
    pub(in crate::session) fn half_closed(&mut self, link: &mut Link, rest: Rest) {
        match rest {
            Rest::Unread if self.connection.takes_requests() => {
                self.connection.state = State::HalfClosed;
            }
            Rest::Unread => {}
            Rest::Read | Rest::Gone => {
                let failed = self.connection.write_error();
                link.over = Some(failed.unwrap_or(io::ErrorKind::UnexpectedEof));
            }
        }
    }

    /// The builder has checked for bytes that belong to no response, and handed over everything that is complete.
    pub(in crate::session) fn looked(&mut self) {
        self.connection.looked();
    }

    /// Whether the connection can be used for another request.
    pub(in crate::session) fn is_reusable(&self, link: &Link) -> bool {
        self.connection.takes_requests() && !link.has_output()
    }

    /// The builder has read nothing for the idle time.
    pub(in crate::session) fn idle_query(&mut self, link: &mut Link) {
        let Some(idle) = link.options.timeouts.idle else {
            return;
        };
        if !self.flights.is_empty() {
            self.idle_asked = true;
            return;
        }
        let left = idle.saturating_sub(self.idle_since.elapsed());
        if left.is_zero() {
            self.hang_up(
                link,
                FailureReason::ConnectionClosed(io::ErrorKind::TimedOut),
                Teardown::Close,
            );
        } else {
            link.tell(IdleFor::at_least(left));
        }
    }
}
