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
#[derive(Debug)]
pub(super) struct Leaving {
    /// When a server session without a request ends. `None`: never, because the time would overflow `Instant`.
    pub(super) window: Option<Instant>,
    /// When everything ends. `None`: never, for the same reason.
    pub(super) cut: Option<Instant>,
    left: Left,
    waiting: Vec<oneshot::Sender<Left>>,
}

impl Leaving {
    pub(super) fn new(leave: Leave, now: Instant) -> Self {
        Self {
            window: now.checked_add(leave.window),
            cut: now.checked_add(leave.deadline),
            left: Left::default(),
            waiting: Vec::new(),
        }
    }

    /// A repeated request: the earlier times count.
    pub(super) fn hasten(&mut self, leave: Leave, now: Instant) {
        let earlier = |at: Option<Instant>, after| {
            let other = now.checked_add(after);
            at.min(other).or(at).or(other)
        };
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
