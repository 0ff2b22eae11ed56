//! The identity of a message.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The id of one message, request or response. It is never used twice while the process runs.
///
/// It takes the place of Pony's object identity in [`Cancel`](crate::message::Cancel) (P47).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(u64);

/// Each thread takes ids in blocks, so that threads do not contend for one cache line.
const BLOCK: u64 = 1 << 12;

static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static NEXT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

impl MessageId {
    /// Makes a new id. Ids of one thread ascend; across threads they are only distinct.
    pub(crate) fn next() -> Self {
        NEXT.with(|cell| {
            let (mut next, mut end) = cell.get();
            if next == end {
                next = NEXT_BLOCK
                    .fetch_add(1, Ordering::Relaxed)
                    .wrapping_mul(BLOCK);
                end = next.wrapping_add(BLOCK);
            }
            cell.set((next.wrapping_add(1), end));
            Self(next)
        })
    }
}

/// An id that is made when it is first asked for: most messages are never named.
#[derive(Debug, Default)]
pub(crate) struct LazyId(AtomicU64);

impl LazyId {
    pub(crate) fn get(&self) -> MessageId {
        match self.0.load(Ordering::Relaxed) {
            // No message has the id 0: the first block is number 1.
            0 => self.make(),
            id => MessageId(id),
        }
    }

    /// Like `get`, without atomics: `&mut self` excludes concurrent access.
    pub(crate) fn own(&mut self) -> MessageId {
        let id = self.0.get_mut();
        if *id == 0 {
            let MessageId(new) = MessageId::next();
            *id = new;
        }
        MessageId(*id)
    }

    fn make(&self) -> MessageId {
        let MessageId(new) = MessageId::next();
        match self
            .0
            .compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => MessageId(new),
            Err(other) => MessageId(other),
        }
    }
}

/// A copy is another message.
impl Clone for LazyId {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
