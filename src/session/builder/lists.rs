//! The lists in which inbound items travel, kept by the thread.

use std::cell::RefCell;

use crate::session::inbound::Inbound;

/// How many lists a thread keeps, and up to which capacity.
const KEPT: usize = 16;
const KEPT_CAPACITY: usize = 1024;

thread_local! {
    static LISTS: RefCell<Vec<Vec<Inbound>>> = const { RefCell::new(Vec::new()) };
}

/// Gives the list of a batch back to the thread.
pub(in crate::session) fn recycle(mut list: Vec<Inbound>) {
    list.clear();
    // The thread may be ending: then the list is simply dropped.
    let _ = LISTS.try_with(|lists| {
        let mut lists = lists.borrow_mut();
        if lists.len() < KEPT && list.capacity() <= KEPT_CAPACITY {
            lists.push(list);
        }
    });
}

pub(super) fn take() -> Vec<Inbound> {
    LISTS
        .try_with(|lists| lists.borrow_mut().pop())
        .ok()
        .flatten()
        .unwrap_or_default()
}
