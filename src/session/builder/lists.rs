//! The lists that carry inbound items, kept by the thread.

use crate::session::inbound::Inbound;
use crate::session::spare::Spare;

/// The largest list that is kept.
const KEPT_CAPACITY: usize = 1024;

thread_local! {
    static LISTS: Spare<Vec<Inbound>> = const { Spare::new(16) };
}

/// Gives the list of a batch back to the thread.
pub(in crate::session) fn recycle(mut list: Vec<Inbound>) {
    list.clear();
    if list.capacity() <= KEPT_CAPACITY {
        // The thread may be ending: then the list is simply dropped.
        let _ = LISTS.try_with(|lists| lists.give(list));
    }
}

pub(super) fn take() -> Vec<Inbound> {
    LISTS
        .try_with(Spare::take)
        .ok()
        .flatten()
        .unwrap_or_default()
}
