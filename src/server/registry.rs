//! The sessions of a worker.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use actix::{Addr, WeakAddr};
use slab::Slab;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::session::{Holding, HttpSession, Seat, Seats};

/// Every session from accept until both halves of its connection are closed (P109).
#[derive(Debug, Default)]
pub(super) struct Registry {
    sessions: RefCell<Slab<Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// `None` while the session is being made.
    session: Option<WeakAddr<HttpSession>>,
    /// How much memory the session holds, if that is counted.
    holding: Option<Holding>,
    /// The worker ends when the last of these is dropped.
    _tracked: TaskTrackerToken,
}

impl Entry {
    fn session(&self) -> Option<Addr<HttpSession>> {
        self.session.as_ref()?.upgrade()
    }
}

impl Registry {
    /// A connection begins. [`name`](Self::name) gives its session later.
    pub(super) fn enter(
        self: &Rc<Self>,
        holding: Option<Holding>,
        tracked: TaskTrackerToken,
    ) -> (usize, Seat) {
        let id = self.sessions.borrow_mut().insert(Entry {
            session: None,
            holding,
            _tracked: tracked,
        });
        (id, Seat::new(self.clone(), id))
    }

    pub(super) fn name(&self, id: usize, session: WeakAddr<HttpSession>) {
        if let Some(entry) = self.sessions.borrow_mut().get_mut(id) {
            entry.session = Some(session);
        }
    }

    /// The session that holds the most memory, and how much. `None` if none holds any.
    pub(super) fn largest(&self) -> Option<(usize, Addr<HttpSession>)> {
        let sessions = self.sessions.borrow();
        let holding = sessions.iter().filter_map(|(_, entry)| {
            let held = entry.holding.as_ref()?.load(Ordering::Relaxed);
            Some((held, entry.session()?))
        });
        holding
            .filter(|(held, _)| *held > 0)
            .max_by_key(|(held, _)| *held)
    }

    pub(super) fn sessions(&self) -> Vec<Addr<HttpSession>> {
        let sessions = self.sessions.borrow();
        sessions
            .iter()
            .filter_map(|(_, entry)| entry.session())
            .collect()
    }
}

impl Seats for Registry {
    fn give_up(&self, id: usize) {
        // Dropped after the borrow ends: what the entry drops may access the list.
        let entry = self.sessions.borrow_mut().try_remove(id);
        drop(entry);
    }
}
