//! What a thread keeps for reuse, so that neither a connection holds it while idle nor a request allocates it.

use std::cell::RefCell;

/// How many of a kind a thread keeps.
const KEPT: usize = 64;

/// Things of one kind, in a `thread_local!`. Taking one and giving it back costs some twenty instructions where an
/// allocation and its end cost a hundred and more.
#[derive(Debug)]
pub(super) struct Spare<T>(RefCell<Vec<T>>);

impl<T> Spare<T> {
    pub(super) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    pub(super) fn take(&self) -> Option<T> {
        self.0.borrow_mut().pop()
    }

    pub(super) fn give(&self, thing: T) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT {
            kept.push(thing);
        }
    }
}
