//! The lists that inbound items travel and wait in, kept by the thread.

use super::inbound::Inbound;
use super::spare::Spare;

/// The largest list that is kept.
const KEPT_CAPACITY: usize = 1024;

thread_local! {
    static LISTS: Spare<Vec<Inbound>> = const { Spare::new(16) };
}

/// Gives a list back to the thread, if it has any memory.
pub(super) fn give(mut list: Vec<Inbound>) {
    list.clear();
    if (1..=KEPT_CAPACITY).contains(&list.capacity()) {
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
