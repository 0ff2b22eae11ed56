//! A part of a message that is shared with earlier messages.

use std::sync::Arc;

/// A value that a connection remembers and lends to one message after another.
///
/// A cleared message box keeps the value that it was lent last. If it is lent the same value again, no reference count
/// changes: an atomic count costs twenty times as much as another instruction, twice a message.
#[derive(Debug)]
pub(super) struct Lent<T> {
    value: Option<Arc<T>>,
    held: Held,
}

/// How a message holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// It is not lent again.
    Given,
    /// It may be lent again.
    Lent,
    /// It belonged to an earlier message, and is only remembered.
    Remembered,
}

impl<T> Lent<T> {
    pub(super) fn get(&self) -> Option<&Arc<T>> {
        self.value
            .as_ref()
            .filter(|_| self.held != Held::Remembered)
    }

    /// Takes a value that is not lent again. Returns the remembered one.
    pub(super) fn give(&mut self, value: Arc<T>) -> Option<Arc<T>> {
        self.held = Held::Given;
        self.value.replace(value)
    }

    /// Takes a value that may be lent again. Returns the remembered one, if it is another.
    pub(super) fn lend(&mut self, value: &Arc<T>) -> Option<Arc<T>> {
        self.held = Held::Lent;
        match &self.value {
            Some(remembered) if Arc::ptr_eq(remembered, value) => None,
            _ => self.value.replace(Arc::clone(value)),
        }
    }

    /// Takes the value out, if it belongs to the message.
    pub(super) fn take(&mut self) -> Option<Arc<T>> {
        self.value.take_if(|_| self.held != Held::Remembered)
    }

    /// The message is over. Returns the value, unless it may be lent again.
    pub(super) fn clear(&mut self) -> Option<Arc<T>> {
        match self.held {
            Held::Given => self.value.take(),
            Held::Lent | Held::Remembered => {
                self.held = Held::Remembered;
                None
            }
        }
    }
}

impl<T> Default for Lent<T> {
    fn default() -> Self {
        Self {
            value: None,
            held: Held::Remembered,
        }
    }
}

/// A copy is another message's, and remembers nothing.
impl<T> Clone for Lent<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.get().cloned(),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_again_is_not_counted() {
        let (one, other) = (Arc::new(1), Arc::new(2));
        let mut lent = Lent::default();
        for _ in 0..3 {
            assert_eq!(lent.lend(&one), None);
            assert_eq!(lent.get(), Some(&one));
            assert_eq!(Arc::strong_count(&one), 2);
            assert_eq!(lent.clear(), None);
            assert_eq!(lent.get(), None, "it is only remembered");
        }
        assert_eq!(lent.clone().lend(&other), None);
        assert_eq!(lent.lend(&other), Some(one));
        assert_eq!(lent.get(), Some(&other));
    }

    #[test]
    fn what_was_given_leaves_with_its_message() {
        let (one, other) = (Arc::new(1), Arc::new(2));
        let mut lent = Lent::default();
        assert_eq!(lent.lend(&one), None);
        assert_eq!(lent.clear(), None);
        assert_eq!(lent.take(), None, "it is not this message's");
        assert_eq!(lent.give(other.clone()), Some(one));
        assert_eq!(lent.clear(), Some(other.clone()));
        assert_eq!(lent.give(other.clone()), None);
        assert_eq!(lent.take(), Some(other));
        assert_eq!(lent.get(), None);
    }
}
