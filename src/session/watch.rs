//! Death watch (N10).

use actix::{Addr, Message, Recipient, WeakAddr};

use super::HttpSession;
use crate::error::CloseReason;

/// Asks a session to notify an actor when it has ended.
///
/// If you watch twice, you are notified twice. If the session has ended already, `send` fails with
/// `MailboxError::Closed`. To stop watching, let the recipient's actor end, or ignore the message.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Watch(pub Recipient<Terminated>);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

/// Reports that a watched session has ended. The ends of all its exchanges were reported before.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
#[non_exhaustive]
pub struct Terminated {
    /// The session. Its address is closed.
    pub session: Addr<HttpSession>,
    /// Why it ended.
    pub reason: CloseReason,
}

/// The actors that watch a session.
#[derive(Default)]
pub(super) struct Watchers(Vec<Recipient<Terminated>>);

impl Watchers {
    pub(super) fn add(&mut self, watcher: Recipient<Terminated>) {
        self.0.push(watcher);
    }

    pub(super) fn tell(&mut self, session: &WeakAddr<HttpSession>, reason: CloseReason) {
        if self.0.is_empty() {
            return;
        }
        let Some(session) = session.upgrade() else {
            return;
        };
        for watcher in self.0.drain(..) {
            watcher.do_send(Terminated {
                session: session.clone(),
                reason,
            });
        }
    }
}

impl std::fmt::Debug for Watchers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watchers").field(&self.0.len()).finish()
    }
}
