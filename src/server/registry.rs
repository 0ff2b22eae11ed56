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
        #[cfg(test)]
        tests::UPGRADED.set(tests::UPGRADED.get() + 1);
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
        let holding = || {
            let entries = sessions.iter().filter_map(|(_, entry)| {
                let held = entry.holding.as_ref()?.load(Ordering::Relaxed);
                Some((held, entry))
            });
            entries.filter(|(held, _)| *held > 0)
        };
        // Only one address is upgraded, unless this session has just ended: it costs more than all the rest.
        let (held, entry) = holding().max_by_key(|(held, _)| *held)?;
        if let Some(session) = entry.session() {
            return Some((held, session));
        }
        holding()
            .filter_map(|(held, entry)| Some((held, entry.session()?)))
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use actix::{AsyncContext as _, Context};
    use tokio_util::task::TaskTracker;

    use super::*;

    thread_local! {
        /// How many addresses this thread has upgraded.
        pub(super) static UPGRADED: Cell<usize> = const { Cell::new(0) };
    }

    /// The search for the largest session asks for the address of one, however many there are, and for others only if
    /// that one has ended.
    #[actix::test]
    async fn the_largest_is_found_at_little_cost() {
        const ALL: usize = 1000;
        let registry = Rc::new(Registry::default());
        let tracker = TaskTracker::new();
        // The first one holds nothing.
        let mut sessions: Vec<_> = (0..=ALL)
            .map(|held| {
                let holding = Holding::new(held.into());
                let (id, seat) = registry.enter(Some(holding), tracker.token());
                let context = Context::<HttpSession>::new();
                registry.name(id, context.address().downgrade());
                (context, seat)
            })
            .collect();
        let largest = || {
            let before = UPGRADED.get();
            let largest = registry.largest();
            (largest, UPGRADED.get() - before)
        };
        assert_eq!(largest(), (Some((ALL, sessions[ALL].0.address())), 1));
        let (ended, _seat) = sessions.pop().expect("the largest");
        drop(ended);
        let (found, upgraded) = largest();
        assert_eq!(found, Some((ALL - 1, sessions[ALL - 1].0.address())));
        assert!(upgraded > 1);
        sessions.truncate(1);
        assert_eq!(largest().0, None);
    }
}
