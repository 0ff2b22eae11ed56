//! What was received and not delivered yet.

use std::collections::VecDeque;

use super::inbound::Inbound;

/// A queue with a place of its own for a single item, which is all that most connections ever need. An idle one holds
/// no list, and a request that comes alone needs none.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// None only if `rest` is empty too.
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

    /// Takes a list of items over, usually as it is. Returns one for reuse.
    pub(super) fn push_all(&mut self, mut items: Vec<Inbound>) -> Vec<Inbound> {
        let rest = self.rest.get_or_insert_default();
        if self.first.is_some() {
            rest.extend(items.drain(..));
            return items;
        }
        let items = std::mem::replace(&mut **rest, items.into());
        self.first = rest.pop_front();
        items.into()
    }

    pub(super) fn pop(&mut self) -> Option<Inbound> {
        let item = self.first.take()?;
        if let Some(rest) = &mut self.rest {
            self.first = rest.pop_front();
        }
        Some(item)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
