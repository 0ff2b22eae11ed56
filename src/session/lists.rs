//! The lists for inbound items, which a thread keeps for reuse.

use super::inbound::Inbound;
use crate::payload::Spare;

/// The largest list that is kept.
const KEPT_CAPACITY: usize = 1024;

thread_local! {
    static LISTS: Spare<Vec<Inbound>> = const { Spare::new(16) };
}

/// Returns a list to the thread, if it has any memory.
pub(super) fn give(mut list: Vec<Inbound>) {
    list.clear();
    if (1..=KEPT_CAPACITY).contains(&list.capacity()) {
        Spare::give_to(&LISTS, list);
    }
}

pub(super) fn take() -> Vec<Inbound> {
    Spare::take_from(&LISTS).unwrap_or_default()
}
