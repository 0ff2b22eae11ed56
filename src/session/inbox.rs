//! What was received and not delivered yet.

use std::collections::VecDeque;

use super::inbound::Inbound;
use super::lists;

/// A queue that stores a single item inline, which is all that most connections ever need. An empty one holds no list:
/// the list goes back to the thread with its last item.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// `None` only if `rest` is empty too.
    first: Option<Inbound>,
    #[allow(
        clippy::box_collection,
        reason = "a pointer in each idle connection, not a whole queue"
    )]
    rest: Option<Box<VecDeque<Inbound>>>,
}

impl Inbox {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    pub(super) fn front(&self) -> Option<&Inbound> {
        self.first.as_ref()
    }

    pub(super) fn push(&mut self, item: Inbound) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.rest.get_or_insert_default().push_back(item);
        }
    }

    /// Takes a list over, usually without copying it.
    pub(super) fn push_all(&mut self, mut items: Vec<Inbound>) {
        let rest = self.rest.get_or_insert_default();
        if self.first.is_none() {
            **rest = items.into();
            self.first = rest.pop_front();
        } else {
            rest.extend(items.drain(..));
            lists::give(items);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Inbound> {
        let item = self.first.take()?;
        if let Some(rest) = &mut self.rest {
            self.first = rest.pop_front();
            if self.first.is_none() {
                lists::give(std::mem::take(&mut **rest).into());
            }
        }
        Some(item)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn item(number: usize) -> Inbound {
        Inbound::Chunk(Bytes::from(vec![0; number]))
    }

    fn number(item: Option<Inbound>) -> Option<usize> {
        match item? {
            Inbound::Chunk(data) => Some(data.len()),
            other => panic!("{other:?}"),
        }
    }

    /// Order is kept, whether items come alone or in lists, and however many were taken before more came.
    #[test]
    fn order_is_kept() {
        for taken in 0..5 {
            let mut inbox = Inbox::default();
            inbox.push_all(vec![item(0), item(1), item(2)]);
            let mut order: Vec<_> = (0..taken).map_while(|_| number(inbox.pop())).collect();
            inbox.push(item(3));
            inbox.push_all(vec![item(4), item(5)]);
            inbox.push(item(6));
            assert_eq!(inbox.len(), 7 - order.len());
            order.extend(std::iter::from_fn(|| number(inbox.pop())));
            assert_eq!(order, [0, 1, 2, 3, 4, 5, 6]);
            assert!(inbox.is_empty());
        }
    }

    /// An idle connection does not keep a large list.
    #[test]
    fn a_list_goes_back_with_its_last_item() {
        let mut large = Vec::with_capacity(1000);
        large.extend([item(1), item(2)]);
        let mut inbox = Inbox::default();
        inbox.push_all(large);
        while inbox.pop().is_some() {}
        let kept = inbox.rest.as_ref().map_or(0, |rest| rest.capacity());
        assert_eq!(kept, 0);
        assert!(lists::take().capacity() >= 1000);
    }
}
