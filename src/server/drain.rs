//! The orderly end of a server (N9).

use std::iter::Sum;
use std::time::Duration;

use actix::Message;

use crate::session::{Exchange, Left};
use crate::transport::Peer;

/// Stops a server without cutting anything. Answered when it has ended.
///
/// The server accepts what is in the backlog, and then no more. Every session is asked to [`Leave`](crate::Leave).
/// Requests that are going on, and those that come within the window, are answered. Answers that begin after the drain
/// say `Connection: close`, and their connections close after them. An answer whose head is out is finished as it
/// began, and its connection stays for the rest of the window. What is not over at the deadline is cut. The server's
/// future ends when all sessions have ended.
///
/// Connections that were handed over ([`Upgraded`](crate::Upgraded)) are not waited for, and end with the server. Bring
/// them to an end yourself, for example when a handler hears `leaving`.
///
/// A second `Drain` may bring the times forward; both get the same report. [`Dispose`](crate::Dispose) cuts at once.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "DrainReport")]
pub struct Drain {
    /// How long connections without a request stay, because one may be on its way.
    pub window: Duration,
    /// How long exchanges may go on.
    pub deadline: Duration,
}

impl Default for Drain {
    /// 500 ms, and 30 s.
    fn default() -> Self {
        Self {
            window: Duration::from_millis(500),
            deadline: Duration::from_secs(30),
        }
    }
}

/// How a server was drained.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DrainReport {
    /// How many sessions there were.
    pub sessions: usize,
    /// The exchanges that were cut; all others were finished.
    pub cut: Vec<Cut>,
}

/// An exchange that was going on when the time was up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Cut {
    /// The addresses of its connection.
    pub peer: Peer,
    /// How far it had come.
    pub exchange: Exchange,
}

impl DrainReport {
    pub(super) fn note(&mut self, left: Left) {
        let Left { peer, cut, .. } = left;
        self.sessions += 1;
        self.cut
            .extend(cut.into_iter().map(|exchange| Cut { peer, exchange }));
    }
}

impl Sum for DrainReport {
    fn sum<I: Iterator<Item = Self>>(reports: I) -> Self {
        reports.fold(Self::default(), |mut all, other| {
            all.sessions += other.sessions;
            all.cut.extend(other.cut);
            all
        })
    }
}
