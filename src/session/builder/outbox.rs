//! What a builder has sent and its session has not handled yet.

use std::collections::VecDeque;

use crate::session::inbound::FromBuilder;

/// A queue that stores a single message inline, which is all that a turn usually has. Credit bounds it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// `None` only if `rest` is empty too.
    first: Option<FromBuilder>,
    rest: VecDeque<FromBuilder>,
}

impl Outbox {
    pub(super) fn send(&mut self, message: impl Into<FromBuilder>) {
        let message = message.into();
        if self.first.is_none() {
            self.first = Some(message);
        } else {
            self.rest.push_back(message);
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<FromBuilder> {
        let message = self.first.take()?;
        self.first = self.rest.pop_front();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::session::inbound::Chunk;

    /// Order is kept, however many messages wait and were taken before more came.
    #[test]
    fn order_is_kept() {
        for taken in 0..4 {
            let mut outbox = Outbox::default();
            let number = |outbox: &mut Outbox| match outbox.pop()? {
                FromBuilder::Chunk(Chunk(data)) => Some(data.len()),
                other => panic!("{other:?}"),
            };
            let send =
                |outbox: &mut Outbox, number| outbox.send(Chunk(Bytes::from(vec![0; number])));
            (0..3).for_each(|number| send(&mut outbox, number));
            let mut order: Vec<_> = (0..taken).map_while(|_| number(&mut outbox)).collect();
            (3..6).for_each(|number| send(&mut outbox, number));
            order.extend(std::iter::from_fn(|| number(&mut outbox)));
            assert_eq!(order, [0, 1, 2, 3, 4, 5]);
        }
    }
}
