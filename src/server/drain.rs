//! The orderly end of a server (N9).

use std::iter::Sum;
use std::time::Duration;

use actix::Message;

use crate::session::{Exchange, Leave, Left};
use crate::transport::Peer;

/// Stops a server gracefully. Answered when it has ended.
///
/// The server accepts the connections in the backlog, and then no more. Every session is asked to [`Leave`]. Requests
/// in progress, and those that arrive within the window, are answered. Answers that begin after the drain say
/// `Connection: close`, and their connections close after them. An answer whose head was already sent is finished
/// unchanged, and its connection stays open for the rest of the window. Exchanges that are not over at the deadline are
/// cut. The server's future ends when all sessions have ended.
///
/// The drain does not wait for connections that were handed over ([`Upgraded`](crate::upgrade::Upgraded)); they end
/// with the server. Finish them yourself, for example when `leaving` is called on a handler.
///
/// A second `Drain` can shorten the times; both get the same report. [`Dispose`](crate::message::Dispose) cuts at once.
///
/// ```
/// use std::time::Duration;
///
/// use actix::{Addr, MailboxError};
/// use http_actors::ServerActor;
/// use http_actors::message::Drain;
///
/// async fn stop(server: Addr<ServerActor>) -> Result<(), MailboxError> {
///     let drain = Drain { deadline: Duration::from_secs(5), ..Drain::default() };
///     let report = server.send(drain).await?;
///     println!("{} sessions, {} exchanges cut", report.sessions, report.cut.len());
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "DrainReport")]
pub struct Drain {
    /// How long connections without a request stay open, because a request may be on its way.
    pub window: Duration,
    /// How long exchanges may go on.
    pub deadline: Duration,
}

impl Default for Drain {
    /// 500 ms, and 30 s, as for one session.
    fn default() -> Self {
        let Leave { window, deadline } = Leave::default();
        Self { window, deadline }
    }
}

/// How a server was drained.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DrainReport {
    /// How many sessions there were.
    pub sessions: usize,
    /// The exchanges that were cut; all others were finished.
    pub cut: Vec<Cut>,
}

/// An exchange that was still in progress at the deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
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
