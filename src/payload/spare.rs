//! Values that a thread keeps for reuse, so that no idle connection holds them and no request allocates them.

use std::cell::RefCell;
use std::thread::LocalKey;

/// Values of one kind, in a `thread_local!`. Taking one and giving it back costs some twenty instructions; an
/// allocation and its end cost a hundred and more.
#[derive(Debug)]
pub(crate) struct Spare<T> {
    kept: RefCell<Vec<T>>,
    most: usize,
}

impl<T> Spare<T> {
    /// Keeps at most this many.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            kept: RefCell::new(Vec::new()),
            most,
        }
    }

    fn take(&self) -> Option<T> {
        self.kept.borrow_mut().pop()
    }

    fn give(&self, value: T) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < self.most {
            kept.push(value);
        }
    }

    /// How many are kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.kept.borrow().len()
    }
}

impl<T: 'static> Spare<T> {
    /// Takes a value that this thread keeps. `None` if it keeps none, or is ending.
    #[inline]
    pub(crate) fn take_from(spare: &'static LocalKey<Self>) -> Option<T> {
        spare.try_with(Self::take).ok().flatten()
    }

    /// Keeps a value for this thread. If it keeps enough, or is ending, the value is dropped.
    #[inline]
    pub(crate) fn give_to(spare: &'static LocalKey<Self>, value: T) {
        let _ = spare.try_with(|spare| spare.give(value));
    }
}
