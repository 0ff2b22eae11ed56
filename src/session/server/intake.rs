//! The receiving half of the server side: items from the builder, in the order of the wire.

use std::time::Duration;

use tokio::time::Instant;

use super::active::DRAINED;
use super::{Active, Aside, Farewell, Server};
use crate::error::{CancelCause, CloseReason, Deadline, FailureReason, WireError};
use crate::session::deadline::earlier;
use crate::session::exchange::Outcome;
use crate::session::inbound::{
    BodyTime, Fault, IdleFor, Inbound, RequestQuery, Rest, Resume, Unmute,
};
use crate::session::leave::Leaving;
use crate::session::link::{Link, Phase};
use crate::session::meter::ExchangeGauge;
use crate::session::options::HalfClose;
use crate::session::outbound::Teardown;
use crate::session::record::{Detail, Kept, Record};
use crate::session::role::Role;
use crate::session::sink::Loss;
use crate::session::step::{Event, Intake, Step};
use crate::wire::Asked;

impl Server {
    pub(in crate::session) fn next_inbound(&mut self, link: &mut Link) -> Intake {
        let Some(item) = link.inbox.front() else {
            return self.when_drained(link);
        };
        match item {
            Inbound::Chunk(_) | Inbound::Finish(_) if self.draining.is_some() => self.drain(link),
            Inbound::Fault(..) => self.next_fault(link),
            _ if self.is_muted() => Intake::Wait,
            Inbound::Deliver(..) if self.is_engaged() => self.make_way(link),
            Inbound::Deliver(..) | Inbound::Chunk(_) | Inbound::Finish(_) => self.pop_front(link),
        }
    }

    /// Drops a piece of a request whose exchange is over.
    #[cold]
    fn drain(&mut self, link: &mut Link) -> Intake {
        self.draining = match (link.take(), self.draining) {
            (Some(Inbound::Chunk(data)), Some(most)) => {
                let left = most.checked_sub(data.len() as u64);
                if left.is_none() && link.is_open() {
                    link.close_and_linger(CloseReason::Announced);
                }
                // Whatever else has come is dropped too.
                Some(left.unwrap_or(0))
            }
            _ => None,
        };
        Intake::Again
    }

    /// The next request waits. The current exchange ends as soon as its answer is complete and most of it was written.
    fn make_way(&mut self, link: &Link) -> Intake {
        if self.may_follow() && link.outbound.is_below_high_water() && self.complete() {
            return Intake::Step(Step::Ended);
        }
        Intake::Wait
    }

    /// Takes the first item of the queue. The caller has seen that there is one, and that it is not a fault.
    fn pop_front(&mut self, link: &mut Link) -> Intake {
        let Some(item) = link.take() else {
            unreachable!("an item was seen in front");
        };
        match item {
            Inbound::Deliver(payload, facts, _) if facts.unknown_expectation => {
                let asked = Asked::by(payload.method());
                let wanted = link.options.detail() >= Some(Detail::Heads);
                let begun = wanted.then(|| payload.request_line());
                let fault = Fault::Wire(WireError::UnknownExpectation);
                self.turn_away(link, asked, fault, begun.as_deref().map(str::as_bytes));
                Intake::Again
            }
            Inbound::Deliver(mut payload, facts, stamp) => {
                stamp.delivered();
                link.bytes_in += payload.body_bytes().len() as u64;
                let detail = link.options.detail();
                let last = self.is_last(link);
                let secure = link.tls.is_some();
                let span = link.trace.delivered(&payload, &link.peer, secure);
                let gauge = ExchangeGauge::begin(Role::Server, &payload, secure);
                let now = link.now();
                self.begin(Active::begin(&mut payload, facts, detail, span, gauge, now));
                if last {
                    self.announce_close();
                }
                if self.half_closed.is_some() {
                    link.events.push_back(Event::HalfClosed);
                }
                Intake::Step(Step::Apply(payload))
            }
            Inbound::Chunk(data) => {
                link.bytes_in += data.len() as u64;
                self.received(data.len());
                Intake::Step(Step::Chunk(data))
            }
            Inbound::Finish(trailers) => {
                self.received_all();
                Intake::Step(Step::Finished(trailers))
            }
            Inbound::Fault(..) => unreachable!("a fault is taken by `next_fault`"),
        }
    }

    /// The builder has stopped reading. Requests that were complete before the fault are answered first.
    fn next_fault(&mut self, link: &mut Link) -> Intake {
        let receiving = self.active().map(|active| active.receiving);
        match receiving {
            Some(false) => return self.make_way(link),
            None if self.is_engaged() => return Intake::Again,
            Some(true) | None => {}
        }
        let Some(Inbound::Fault(fault, begun)) = link.take() else {
            unreachable!("a fault was seen in front");
        };
        if receiving.is_some() {
            self.fail_receiving(link, fault);
        } else if self.draining.is_some() {
            close_while_draining(link, fault);
        } else if let Fault::Deadline(idle @ Deadline::Idle) = fault {
            link.close(CloseReason::Deadline(idle));
        } else {
            // In a head, or in the body of a Oneshot request, which is delivered only when it is complete.
            self.turn_away(link, Asked::Other, fault, begun.as_deref());
        }
        Intake::Again
    }

    /// The request of the current exchange will not be complete.
    fn fail_receiving(&mut self, link: &mut Link, fault: Fault) {
        if self.close_after_answer() {
            // The answer is complete, so the exchange does not fail.
            return;
        }
        match fault {
            Fault::Wire(error) => self.end_failed(link, error.into()),
            Fault::Deadline(deadline) => {
                self.end_cancelled(link, CancelCause::Deadline(deadline));
            }
        }
    }

    /// The queue is empty. If nothing more will come, the connection ends.
    fn when_drained(&self, link: &mut Link) -> Intake {
        if self.half_closed >= Some(Rest::Read) && !self.is_engaged() {
            link.close(CloseReason::PeerClosed);
        }
        Intake::Wait
    }

    /// Takes the exchange that ended, ends what belonged to it, and does what follows for the connection.
    pub(in crate::session) fn take_ended(&mut self, link: &mut Link) -> Option<Box<Active>> {
        let mut ended = self.ended.take()?;
        ended.stop_tasks();
        if ended.receiving {
            ended.persist &= ended.may_drain();
            self.draining = ended.persist.then_some(DRAINED);
            // What is only dropped gets no more time than that of any other request.
            if ended
                .aside
                .as_ref()
                .is_some_and(|aside| aside.own_body_time)
            {
                link.tell(BodyTime(self.begun, None));
            }
        }
        self.idle_since = link.now();
        if self.idle_asked {
            self.idle_asked = false;
            link.tell_idle();
        }
        let id = ended.exchange.id;
        if ended.is_muted() {
            link.tell(Unmute(id));
        }
        ended.conclude(self.begun > 1, link.exact_now());
        ended
            .span
            .end(Role::Server, &ended.exchange, &mut link.trace);
        if let Some(gauge) = ended.gauge.take() {
            gauge.end(&ended.exchange);
        }
        let aside = ended.aside.take();
        link.options.log(|logger| {
            logger.log(&Record {
                exchange: &ended.exchange,
                peer: &link.peer,
                kept: ended.kept.as_deref().unwrap_or(&Kept::default()),
                notes: aside.as_ref().map_or(&[], |aside| &aside.notes),
            });
        });
        ended.kept = None;
        let taker = aside.and_then(|aside| aside.end(ended.exchange.outcome));
        if ended.exchange.outcome == Outcome::Completed {
            if let Some(taker) = taker {
                link.hand_off(taker);
            } else if !ended.persist {
                let sent = link.outbound.buffer.total_when_empty();
                if link.inbox.is_empty() && ended.needs_no_linger(sent) {
                    link.close(CloseReason::Announced);
                } else {
                    link.close_and_linger(CloseReason::Announced);
                }
            } else if ended.upgrade {
                link.tell(Resume);
            }
        }
        Some(ended)
    }

    /// The actor that gets the request body takes no more of it: the rest is dropped. If the actor has stopped before
    /// the answer is complete, the exchange fails.
    pub(in crate::session) fn body_lost(&mut self, link: &mut Link, loss: Loss) {
        if loss == Loss::Gone && !self.close_after_answer() {
            self.end_failed(link, FailureReason::LostPiece);
        }
    }

    /// The peer sends no more (P130).
    pub(in crate::session) fn half_closed(&mut self, link: &mut Link, rest: Rest) {
        if rest == Rest::Gone && self.is_engaged() && self.half_close(link) != HalfClose::Finish {
            return self.broken(link);
        }
        let known = self.half_closed.is_some();
        self.half_closed = self.half_closed.max(Some(rest));
        if !known && self.current().is_some() && link.is_open() {
            link.events.push_back(Event::HalfClosed);
        }
    }

    /// Sets what a half-close does to the current exchange. It also applies if the peer has already half-closed,
    /// because which comes first is a race.
    pub(in crate::session) fn set_half_close(&mut self, link: &mut Link, policy: HalfClose) {
        if let Some(active) = self.active_mut() {
            active.aside().half_close = Some(policy);
            self.farewell = None;
            self.heed_half_close(link);
        }
    }

    /// Sets how long the body of the current request may be silent.
    pub(in crate::session) fn set_body_timeout(&mut self, link: &mut Link, time: Option<Duration>) {
        let nth = self.begun;
        if let Some(active) = self.active_mut().filter(|active| active.receiving) {
            active.aside().own_body_time = true;
            link.tell(BodyTime(nth, Some(time.unwrap_or(Duration::MAX))));
        }
    }

    /// What is rarely asked of the current exchange.
    pub(in crate::session) fn aside(&mut self) -> Option<&mut Aside> {
        self.active_mut().map(Active::aside)
    }

    /// Cancels an exchange whose peer has half-closed, if the policy says so. A complete answer is not affected.
    #[cold] // and `drain`, out of the code of the usual turn: 50 instructions of a request
    pub(in crate::session) fn heed_half_close(&mut self, link: &mut Link) {
        if self.half_closed.is_some()
            && self.current().is_some()
            && link.is_open()
            && self.half_close(link) == HalfClose::Abort
            && !self.close_after_answer()
        {
            self.end_cancelled(link, CancelCause::PeerHalfClosed);
        }
    }

    fn half_close(&self, link: &Link) -> HalfClose {
        let own = self
            .active()
            .and_then(|active| active.aside.as_ref()?.half_close);
        own.unwrap_or(link.options.half_close)
    }

    /// The connection broke: nothing can be answered any more.
    pub(in crate::session) fn broken(&mut self, link: &mut Link) {
        if link.phase != Phase::Closed {
            self.shut(link, CancelCause::PeerReset, CloseReason::PeerReset);
        }
    }

    /// The builder has read nothing for the idle time.
    pub(in crate::session) fn idle_query(&mut self, link: &mut Link) {
        let Some(idle) = link.options.timeouts.idle else {
            return;
        };
        if self.is_engaged() {
            self.idle_asked = true;
            return;
        }
        let left = idle.saturating_sub(self.idle_since.elapsed());
        if !link.inbox.is_empty() {
            link.tell(IdleFor::at_least(idle));
        } else if left.is_zero() {
            link.close(CloseReason::Deadline(Deadline::Idle));
        } else {
            link.tell(IdleFor::at_least(left));
        }
    }

    /// The next deadline of the current exchange, or of the wait for one, and its cause.
    pub(in crate::session) fn due(&mut self, link: &Link) -> Option<(Instant, CancelCause)> {
        let Some(began) = self.active().map(|active| active.exchange.began) else {
            return self.retires(link);
        };
        let exchange = link
            .options
            .timeouts
            .exchange
            .and_then(|time| began.checked_add(time))
            .map(|at| (at, CancelCause::Deadline(Deadline::Exchange)));
        let farewell = self
            .farewell(link)
            .map(|at| (at, CancelCause::PeerHalfClosed));
        earlier(exchange, farewell)
    }

    /// When a connection without a request has to close for another reason than the idle timeout.
    fn retires(&self, link: &Link) -> Option<(Instant, CancelCause)> {
        if self.is_engaged() || self.retiring.is_some() || !link.inbox.is_empty() {
            return None;
        }
        let left = link.leaving.as_ref().and_then(|leaving| leaving.window);
        let aged = link
            .options
            .max_age
            .filter(|_| self.draining.is_none())
            .and_then(|age| link.opened.checked_add(age));
        earlier(
            left.map(|at| (at, CancelCause::Shutdown)),
            aged.map(|at| (at, CancelCause::Deadline(Deadline::Age))),
        )
    }

    /// A deadline of the current exchange, or of the connection, has passed.
    pub(in crate::session) fn expire(&mut self, link: &mut Link, cause: CancelCause) {
        if !link.is_open() {
            // Accepted output is still being written, to a peer that reads too slowly.
            link.abort(CloseReason::Shutdown, Teardown::Reset);
        } else if cause == CancelCause::PeerHalfClosed {
            // The peer does not read an earlier answer either.
            self.shut(link, cause, CloseReason::Aborted);
        } else if self.current().is_some() {
            self.end_cancelled(link, cause);
        } else {
            let reason = match cause {
                CancelCause::Deadline(deadline) => CloseReason::Deadline(deadline),
                _ => CloseReason::Shutdown,
            };
            let over = |leaving: &Leaving| leaving.is_over();
            if self.draining.is_some() {
                // The request whose rest is still to come was answered.
                link.close_and_linger(reason);
            } else if link.leaving.as_deref().is_some_and(over) {
                link.close(reason);
            } else {
                self.retiring = Some(reason);
                link.tell(RequestQuery);
            }
        }
    }

    /// No part of another request has come: a retiring connection closes.
    pub(in crate::session) fn no_request(&self, link: &mut Link) {
        if let Some(reason) = self.retiring
            && link.inbox.is_empty()
        {
            link.close(reason);
        }
    }

    /// Whether a request that begins now is the last of its connection.
    fn is_last(&self, link: &Link) -> bool {
        let options = &link.options;
        link.leaving.is_some()
            || options
                .max_requests
                .is_some_and(|most| self.begun() + 1 >= most.get())
            || options
                .max_age
                .is_some_and(|age| link.now().saturating_duration_since(link.opened) >= age)
    }

    /// Until when a half-closed peer must read something, by the policy. Progress renews the deadline.
    fn farewell(&mut self, link: &Link) -> Option<Instant> {
        self.half_closed?;
        let HalfClose::FinishWithin(patience) = self.half_close(link) else {
            return None;
        };
        let seen = link.outbound.taken();
        if self.farewell.is_none_or(|farewell| farewell.seen != seen) {
            let until = link.now().checked_add(patience);
            self.farewell = until.map(|until| Farewell { until, seen });
        }
        self.farewell.map(|farewell| farewell.until)
    }
}

/// The rest of a request that was answered will not be complete, but may still come.
fn close_while_draining(link: &mut Link, fault: Fault) {
    match fault {
        Fault::Wire(WireError::Truncated) => link.close(CloseReason::PeerClosed),
        Fault::Wire(error) => link.close_and_linger(CloseReason::Refused(error)),
        Fault::Deadline(deadline) => link.close_and_linger(CloseReason::Deadline(deadline)),
    }
}
