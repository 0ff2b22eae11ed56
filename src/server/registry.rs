//! The sessions of a worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use actix::{Addr, WeakAddr};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::session::HttpSession;

/// Every session from accept to close (P109).
#[derive(Debug, Default)]
pub(super) struct Registry {
    sessions: RefCell<HashMap<u64, WeakAddr<HttpSession>>>,
}

impl Registry {
    pub(super) fn insert(&self, id: u64, session: &Addr<HttpSession>) {
        self.sessions.borrow_mut().insert(id, session.downgrade());
    }

    pub(super) fn sessions(&self) -> Vec<Addr<HttpSession>> {
        self.sessions
            .borrow()
            .values()
            .filter_map(WeakAddr::upgrade)
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
