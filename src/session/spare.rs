//! Things that a thread keeps for reuse, so that no idle connection holds them and no request allocates them.

use std::cell::RefCell;

/// Things of one kind, in a `thread_local!`. Taking one and giving it back costs some twenty instructions; an
/// allocation and its end cost a hundred and more.
#[derive(Debug)]
pub(super) struct Spare<T> {
    kept: RefCell<Vec<T>>,
    most: usize,
}

impl<T> Spare<T> {
    /// Keeps at most this many.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            kept: RefCell::new(Vec::new()),
            most,
        }
    }

    pub(super) fn take(&self) -> Option<T> {
        self.kept.borrow_mut().pop()
    }

    pub(super) fn give(&self, thing: T) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < self.most {
            kept.push(thing);
        }
    }
}
