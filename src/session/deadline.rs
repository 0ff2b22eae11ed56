//! The timers of a connection.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::unconstrained;
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
        // Unconstrained: if what the peer sends has used up the budget of this task, tokio would neither register the
        // timer nor say that it has fired.
        while Pin::new(&mut unconstrained(sleep.as_mut()))
            .poll(cx)
            .is_ready()
        {
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::task::consume_budget;
    use tokio::time::{advance, timeout};

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Awaits the deadline for this long. True if it has passed. Nothing but the timer polls it meanwhile.
    async fn passed(timer: &mut DeadlineTimer, within: u64) -> bool {
        let passed = timeout(seconds(within), poll_fn(|cx| timer.poll(cx)));
        passed.await.is_ok()
    }

    /// Polls a timer in a turn that has used up its budget.
    async fn poll_without_budget(timer: &mut DeadlineTimer) -> Poll<()> {
        poll_fn(|cx| {
            while pin!(consume_budget()).poll(cx).is_ready() {}
            Poll::Ready(timer.poll(cx))
        })
        .await
    }

    /// A deadline of five seconds, moved after two.
    #[actix::test]
    async fn deadlines_move() {
        tokio::time::pause();
        for (moved, expected) in [
            (Some(5), Some(5)),
            (Some(9), Some(9)),
            (Some(3), Some(3)),
            (Some(1), Some(2)),
            (None, None),
        ] {
            let mut timer = DeadlineTimer::default();
            let begun = Instant::now();
            timer.set_after(Some(seconds(5)));
            assert!(!passed(&mut timer, 2).await);
            timer.set(moved.map(|moved| begun + seconds(moved)));
            let passed = passed(&mut timer, 60).await;
            let after = passed.then(|| begun.elapsed().as_secs());
            assert_eq!(after, expected, "{moved:?}");
        }
    }

    /// It passes once, and can be set again.
    #[actix::test]
    async fn deadlines_pass_once() {
        tokio::time::pause();
        let mut timer = DeadlineTimer::default();
        for after in [5, 1, 9] {
            let begun = Instant::now();
            timer.set_after(Some(seconds(after)));
            assert!(passed(&mut timer, 60).await);
            assert_eq!(begun.elapsed().as_secs(), after);
            assert_eq!(timer.at(), None);
            assert!(!passed(&mut timer, 60).await);
        }
        timer.set_after(Some(Duration::MAX));
        assert_eq!(timer.at(), None, "beyond all times");
    }

    /// The task that polled it last is woken.
    #[actix::test]
    async fn deadlines_change_hands() {
        tokio::time::pause();
        let mut timer = DeadlineTimer::default();
        let begun = Instant::now();
        timer.set_after(Some(seconds(5)));
        let mut another = Context::from_waker(Waker::noop());
        assert!(timer.poll(&mut another).is_pending());
        assert!(passed(&mut timer, 60).await);
        assert_eq!(begun.elapsed().as_secs(), 5);
    }

    #[actix::test]
    async fn what_is_rare_is_allocated_when_it_is_set() {
        tokio::time::pause();
        let mut rare = RareDeadline::default();
        rare.set(None);
        assert!(rare.0.is_none());
        let at = Instant::now() + seconds(5);
        rare.set(Some(at));
        assert_eq!(rare.at(), Some(at));
        poll_fn(|cx| rare.poll(cx)).await;
        assert!(Instant::now() >= at);
        assert_eq!(rare.at(), None);
    }

    /// A peer that sends as much as a turn can take has the same deadlines as others: they are registered, and noticed.
    #[tokio::test(start_paused = true)]
    async fn a_busy_task_has_deadlines() {
        const TIME: Duration = Duration::from_secs(1);
        let mut timer = DeadlineTimer::default();
        timer.set_after(Some(TIME));
        assert!(poll_without_budget(&mut timer).await.is_pending());
        let fired = timeout(2 * TIME, poll_fn(|cx| timer.poll(cx))).await;
        assert!(fired.is_ok(), "it was not registered");

        timer.set_after(Some(TIME));
        poll_fn(|cx| Poll::Ready(timer.poll(cx).is_pending())).await;
        advance(TIME).await;
        assert!(poll_without_budget(&mut timer).await.is_ready());
    }
}
