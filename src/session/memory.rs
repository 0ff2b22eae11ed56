//! A ceiling for the memory that all sessions of a server hold together (N15).

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How much all sessions together may hold, and how much they hold now.
#[derive(Debug)]
pub(crate) struct Ceiling {
    limit: usize,
    held: AtomicUsize,
    passed: Notify,
}

/// How much one session holds, for the search for the largest.
pub(crate) type Holding = Arc<AtomicUsize>;

/// One session's part in a ceiling. Dropping it ends the count, whatever its builder still holds.
#[derive(Debug)]
pub(crate) struct Stake {
    account: Account,
    own: Cell<usize>,
    /// What the builder holds.
    incomplete: Cell<usize>,
}

/// The memory that a service of this crate holds for a session. Counted only if there is a ceiling.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    account: Option<Account>,
    bytes: usize,
}

/// The counters for what is held for a session: its own and the server's.
#[derive(Debug, Clone)]
struct Account {
    ceiling: Arc<Ceiling>,
    holding: Holding,
}

impl Ceiling {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
            passed: Notify::new(),
        }
    }

    pub(crate) fn is_passed(&self) -> bool {
        self.held.load(Ordering::Relaxed) > self.limit
    }

    /// Resolves when the ceiling was exceeded. The total may be below it again by then.
    pub(crate) async fn passed(&self) {
        self.passed.notified().await;
    }
}

impl Account {
    /// A part of the total changes from `before` to `now`.
    fn change(&self, before: usize, now: usize) {
        if now > before {
            self.holding.fetch_add(now - before, Ordering::Relaxed);
            self.ceiling.held.fetch_add(now - before, Ordering::Relaxed);
            if self.ceiling.is_passed() {
                self.ceiling.passed.notify_one();
            }
        } else if now < before {
            self.holding.fetch_sub(before - now, Ordering::Relaxed);
            self.ceiling.held.fetch_sub(before - now, Ordering::Relaxed);
        }
    }
}

impl Stake {
    pub(crate) fn new(ceiling: Arc<Ceiling>) -> Self {
        Self {
            account: Account {
                ceiling,
                holding: Holding::default(),
            },
            own: Cell::new(0),
            incomplete: Cell::new(0),
        }
    }

    pub(crate) fn holding(&self) -> Holding {
        self.account.holding.clone()
    }

    /// The session now holds this much.
    pub(crate) fn hold(&self, bytes: usize) {
        self.account.change(self.own.replace(bytes), bytes);
    }

    /// Its builder now holds this much of a message that is not complete.
    pub(crate) fn hold_incomplete(&self, bytes: usize) {
        self.account.change(self.incomplete.replace(bytes), bytes);
    }

    /// Where a service counts what it holds for the session.
    pub(crate) fn keeping(&self) -> Keeping {
        Keeping {
            account: Some(self.account.clone()),
            bytes: 0,
        }
    }
}

impl Keeping {
    /// Sets how much the service holds for the session.
    pub(crate) fn hold(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if let Some(account) = &self.account {
            account.change(before, bytes);
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.hold(0);
    }
}

impl Drop for Stake {
    fn drop(&mut self) {
        self.hold(0);
        self.hold_incomplete(0);
    }
}

#[cfg(test)]
mod tests {
    use actix::AsyncContext as _;
    use bytes::Bytes;
    use tokio::time::Instant;

    use super::*;
    use crate::error::CloseReason;
    use crate::session::HttpSession;
    use crate::session::inbound::Inbound;
    use crate::session::link::Link;
    use crate::session::outbound::Teardown;

    /// Memory that a service releases no longer counts, whether its session runs or not.
    #[test]
    fn parts_of_a_stake_change_by_themselves() {
        let ceiling = Arc::new(Ceiling::new(100));
        let stake = Stake::new(ceiling.clone());
        let (mut one, mut other) = (stake.keeping(), stake.keeping());
        stake.hold(3);
        stake.hold_incomplete(7);
        one.hold(60);
        other.hold(40);
        assert_eq!(
            (ceiling.is_passed(), stake.holding().load(Ordering::Relaxed)),
            (true, 110)
        );
        one.hold(20);
        assert_eq!(
            (ceiling.is_passed(), stake.holding().load(Ordering::Relaxed)),
            (false, 70)
        );
        drop((stake, one));
        assert_eq!(ceiling.held.load(Ordering::Relaxed), 40);
        drop(other);
        assert_eq!(ceiling.held.load(Ordering::Relaxed), 0);
    }

    /// Data that a session dropped with its connection do not count, and no other session may be cut for them.
    #[actix::test]
    async fn what_is_dropped_counts_no_longer() {
        let chunk = || Inbound::Chunk(Bytes::from_static(&[0; 1000]));
        let address = actix::Context::<HttpSession>::new().address();
        let ceiling = Arc::new(Ceiling::new(10));
        let mut link = Link::new(address.downgrade(), Arc::default(), None, Instant::now());
        link.stake = Some(Stake::new(ceiling.clone()).into());
        link.receive(chunk());
        link.end_turn();
        assert!(ceiling.is_passed());
        link.abort(CloseReason::Disposed, Teardown::Close);
        link.receive(chunk());
        link.end_turn();
        assert_eq!(ceiling.held.load(Ordering::Relaxed), 0);
    }
}
