//! The sessions of a worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use actix::{Addr, WeakAddr};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::session::{Holding, HttpSession};

/// Every session from accept to close (P109).
#[derive(Debug, Default)]
pub(super) struct Registry {
    sessions: RefCell<HashMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    session: WeakAddr<HttpSession>,
    /// What it holds, where that matters.
    holding: Option<Holding>,
}

impl Registry {
    pub(super) fn insert(&self, id: u64, session: WeakAddr<HttpSession>, holding: Option<Holding>) {
        let entry = Entry { session, holding };
        self.sessions.borrow_mut().insert(id, entry);
    }

    /// The session that holds most, if any holds something, and how much.
    pub(super) fn largest(&self) -> Option<(usize, Addr<HttpSession>)> {
        let sessions = self.sessions.borrow();
        let holding = sessions.values().filter_map(|entry| {
            let held = entry.holding.as_ref()?.load(Ordering::Relaxed);
            Some((held, entry.session.upgrade()?))
        });
        holding
            .filter(|(held, _)| *held > 0)
            .max_by_key(|(held, _)| *held)
    }

    pub(super) fn sessions(&self) -> Vec<Addr<HttpSession>> {
        self.sessions
            .borrow()
            .values()
            .filter_map(|entry| entry.session.upgrade())
            .collect()
    }
}

/// Lives as long as a connection: until both of its halves are closed.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) id: u64,
    pub(super) registry: Rc<Registry>,
    /// The worker ends when the last of these is gone.
    pub(super) _tracked: TaskTrackerToken,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.registry.sessions.borrow_mut().remove(&self.id);
    }
}
