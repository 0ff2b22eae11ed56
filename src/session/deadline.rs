//! The timers of a connection.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that costs nothing to move.
///
/// There is one timer, made when first needed and re-armed only when it fires early. Setting a later time writes one
/// field, so a deadline that moves with every request, or every byte, never touches the timer wheel.
#[derive(Debug, Default)]
pub(super) struct DeadlineTimer {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The waker registered with the timer. While it stays the same, the timer need not be polled.
    waker: Option<Waker>,
}

impl DeadlineTimer {
    pub(super) fn set(&mut self, at: Option<Instant>) {
        self.at = at;
    }

    /// Sets the deadline relative to now. It is unset if the time would overflow `Instant`.
    pub(super) fn set_after(&mut self, after: Option<Duration>) {
        self.at = after.and_then(|after| Instant::now().checked_add(after));
    }

    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Whether there is a timer. Making one costs something, moving it nothing.
    pub(super) fn has_timer(&self) -> bool {
        self.sleep.is_some()
    }

    /// Ready once, when the deadline has passed. The deadline is then unset.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
            self.waker = None;
        }
        let known = self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        if known && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= at {
                *self = Self::default();
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// A deadline that most connections never have: its memory is allocated when it is first set.
#[derive(Debug, Default)]
pub(super) struct RareDeadline(Option<Box<DeadlineTimer>>);

impl RareDeadline {
    pub(super) fn set(&mut self, at: Option<Instant>) {
        match &mut self.0 {
            Some(timer) => timer.set(at),
            none if at.is_some() => none.insert(Box::default()).set(at),
            _ => {}
        }
    }

    pub(super) fn at(&self) -> Option<Instant> {
        self.0.as_ref()?.at()
    }

    /// Ready once, when the deadline has passed. The deadline is then unset.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(timer) => timer.poll(cx),
            None => Poll::Pending,
        }
    }
}

/// The earlier of two times, with its value; the first if they are equal.
#[inline]
pub(super) fn earlier<T>(
    one: Option<(Instant, T)>,
    other: Option<(Instant, T)>,
) -> Option<(Instant, T)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 < one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}
