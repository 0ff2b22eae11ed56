//! The orderly end of a session (N9).

use std::time::Duration;

use actix::Message;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::exchange::Exchange;
use crate::transport::Peer;

/// Asks a session to end without cutting anything. Answered when it has ended.
///
/// The handler is called with [`leaving`](crate::HttpHandler::leaving). A server session announces the close in every
/// answer that begins from now on, and closes after it. An answer whose head was already sent is finished unchanged. A
/// session without a request stays open for the rest of the `window`, because a request may be on its way, and then
/// closes unless part of a request has come. A client session accepts no more requests, and ends when those it has are
/// over.
///
/// Exchanges that are not over at the `deadline` are cancelled with [`Shutdown`](crate::error::CancelCause::Shutdown),
/// and the connection is reset if an answer had begun. If a session is asked twice, the earlier times count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "Left")]
pub struct Leave {
    /// How long a server session without a request stays open.
    pub window: Duration,
    /// How long exchanges may go on.
    pub deadline: Duration,
}

impl Default for Leave {
    /// 500 ms, and 30 s.
    fn default() -> Self {
        Self {
            window: Duration::from_millis(500),
            deadline: Duration::from_secs(30),
        }
    }
}

/// How a session left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Left {
    /// The addresses of the connection.
    pub peer: Peer,
    /// The exchanges that were cancelled at the deadline.
    pub cut: Vec<Exchange>,
}

/// A session that is leaving.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// When a server session without a request ends. `None`: never, because the time would overflow `Instant`.
    pub(super) window: Option<Instant>,
    /// When everything ends. `None`: never, for the same reason.
    pub(super) cut: Option<Instant>,
    left: Left,
    waiting: Vec<oneshot::Sender<Left>>,
}

impl Leaving {
    /// The session is asked to leave. If it was asked before, the earlier times count.
    pub(super) fn hasten(&mut self, leave: Leave, now: Instant) {
        let earlier =
            |at: Option<Instant>, after| at.into_iter().chain(now.checked_add(after)).min();
        self.window = earlier(self.window, leave.window);
        self.cut = earlier(self.cut, leave.deadline);
    }

    /// Whether the deadline has passed.
    pub(super) fn is_over(&self) -> bool {
        self.cut.is_some_and(|cut| cut <= Instant::now())
    }

    /// Registers a waiter that is notified when the session has left.
    pub(super) fn wait(&mut self) -> oneshot::Receiver<Left> {
        // A handler that calls `leave` drops its receiver.
        self.waiting.retain(|waiting| !waiting.is_closed());
        let (sender, receiver) = oneshot::channel();
        self.waiting.push(sender);
        receiver
    }

    pub(super) fn note_cut(&mut self, exchange: &Exchange) {
        self.left.cut.push(exchange.clone());
    }

    /// The session has left.
    pub(super) fn tell(mut self, peer: Peer) {
        self.left.peer = peer;
        for waiting in self.waiting {
            // If nobody waits any more, there is nobody to notify.
            let _ = waiting.send(self.left.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The earlier times count, whichever request they come with. A time beyond all times is none.
    #[test]
    fn the_earlier_times_count() {
        const EVER: u64 = u64::MAX;
        let now = Instant::now();
        let after = Duration::from_secs;
        // The second request comes a second later.
        for (first, second, counts) in [
            (5, 3, Some(4)),
            (5, 4, Some(5)),
            (5, 9, Some(5)),
            (0, 0, Some(0)),
            (5, EVER, Some(5)),
            (EVER, 5, Some(6)),
            (EVER, EVER, None),
        ] {
            let counts = counts.map(|counts| now + after(counts));
            let mut leaving = Leaving::default();
            for (asked, time) in [(0, first), (1, second)] {
                let (window, deadline) = (after(time), after(time));
                leaving.hasten(Leave { window, deadline }, now + after(asked));
            }
            assert_eq!(leaving.window, counts, "{first} {second}");
            assert_eq!(leaving.cut, counts, "{first} {second}");
        }
    }

    /// A handler that asks again and again, and does not wait, leaves nothing behind. All who wait are told.
    #[actix::test]
    async fn who_waits_is_told() {
        let mut leaving = Leaving::default();
        let first = leaving.wait();
        for _ in 0..100 {
            drop(leaving.wait());
        }
        let last = leaving.wait();
        assert_eq!(leaving.waiting.len(), 2);
        leaving.tell(Peer::default());
        assert_eq!(first.await, last.await);
    }

    /// It is over at the deadline, and never without one.
    #[actix::test]
    async fn the_deadline_is_the_end() {
        tokio::time::pause();
        let mut leaving = Leaving::default();
        assert!(!leaving.is_over());
        leaving.hasten(Leave::default(), Instant::now());
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert!(!leaving.is_over());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(leaving.is_over());
    }
}
