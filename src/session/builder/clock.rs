//! The deadlines of the receiving side. Only the session can send messages to the builder, so nothing can starve them
//! (N6).

use std::time::Duration;

use actix::ActorContext as _;
use tokio::time::Instant;

use super::hosted::Confined;
use super::{PayloadBuilder, State};
use crate::error::Deadline;
use crate::session::inbound::{Fault, IdleQuery};

/// What the deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// The first head, from accept on.
    FirstHead,
    /// A later head, from its first byte on.
    Head,
    Idle,
    Body,
    Linger,
}

impl PayloadBuilder {
    /// The timer for the current state. `None` while the builder does not read, because a delay is then not the peer's
    /// fault.
    fn fitting_clock(&self) -> Option<(Clock, Option<Duration>)> {
        match self.state {
            State::Lingering(_) => Some((Clock::Linger, Some(self.options.timeouts.linger))),
            State::Refused | State::Eof => None,
            State::Reading if !self.may_decode() => None,
            // No timeout while the peer waits for our 100.
            State::Reading
                if self.awaits_continue && self.decoder.in_body() && self.tail.is_empty() =>
            {
                None
            }
            State::Reading if self.decoder.in_body() => {
                let own = self.own_body_time();
                Some((Clock::Body, own.or(self.options.timeouts.body)))
            }
            State::Reading if self.awaited.is_none() && self.heads == 0 => {
                Some((Clock::FirstHead, self.options.timeouts.head))
            }
            State::Reading if !self.tail.is_empty() => {
                Some((Clock::Head, self.options.timeouts.head))
            }
            State::Reading => Some((Clock::Idle, self.options.timeouts.idle)),
        }
    }

    /// The time of the current body, if it has one of its own.
    fn own_body_time(&self) -> Option<Duration> {
        let (nth, time) = **self.own_time.as_ref()?;
        (nth == self.heads).then_some(time)
    }

    /// Sets the timer for this state, unless it is running. Only the timer of a body is extended by what is read: a
    /// head has one deadline, and the session knows how long a connection was idle.
    pub(super) fn set_clock(&mut self) {
        let Some((clock, after)) = self.fitting_clock() else {
            self.clock = None;
            self.deadline.set(None);
            return;
        };
        let progress = std::mem::take(&mut self.progress);
        if self.clock != Some(clock) {
            self.clock = Some(clock);
            self.deadline.set_after(after);
        } else if clock == Clock::Body && progress > 0 {
            self.renew(after, progress);
        }
    }

    /// Body bytes extend the deadline by the time that they take at the minimum rate, but never beyond the full timeout
    /// from now. So a peer may be silent for the full timeout, or slower than the rate until it is behind by the full
    /// timeout.
    fn renew(&mut self, after: Option<Duration>, bytes: usize) {
        let full = after.and_then(|after| Instant::now().checked_add(after));
        let rate = self.options.timeouts.body_rate;
        let rate = rate.filter(|_| self.own_body_time().is_none());
        let earned = rate.and_then(|rate| {
            let earned = Duration::from_secs(bytes as u64) / rate.get();
            self.deadline.at()?.checked_add(earned)
        });
        self.deadline.set(full.min(earned.or(full)));
    }

    pub(super) fn expire(&mut self, ctx: &mut Confined) {
        match self.clock {
            // No byte came: no error is sent (a 408 would be taken for the answer to the next request).
            Some(Clock::FirstHead) if self.tail.is_empty() => {
                self.fail(Fault::Deadline(Deadline::Idle));
            }
            Some(Clock::FirstHead | Clock::Head) => self.fail(Fault::Deadline(Deadline::Head)),
            Some(Clock::Body) => self.fail(Fault::Deadline(Deadline::Body)),
            Some(Clock::Idle) => self.session.send(IdleQuery),
            Some(Clock::Linger) => ctx.stop(),
            None => {}
        }
    }
}
