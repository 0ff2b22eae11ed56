//! The bytes of one read, while they are decoded.

use std::cell::RefCell;

use bytes::{Buf as _, Bytes, BytesMut};

/// What one read can take.
const ROOM: usize = 64 << 10;

/// Data from this size on are passed on in the memory that they were read to, smaller ones in a copy. So a piece that
/// is kept holds no more than four times its size.
const SHARED: usize = 16 << 10;

/// With less room than this for a read, new memory is taken instead.
const LEAST_ROOM: usize = 32 << 10;

thread_local! {
    /// The memory that a thread reads to. Only what is incomplete is moved to its connection. Large data leave with
    /// their part of the memory, which comes back when they are dropped: usually before the next read, and still in the
    /// cache.
    static READ: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// Lends the thread's memory, empty and with room for a read.
pub(super) fn lend<T>(to: impl FnOnce(&mut BytesMut) -> T) -> T {
    READ.with_borrow_mut(|buffer| {
        buffer.clear();
        if !buffer.try_reclaim(ROOM) && buffer.capacity() < LEAST_ROOM {
            *buffer = BytesMut::with_capacity(ROOM);
        }
        to(buffer)
    })
}

/// Takes what is left in the thread's memory, in other memory if it is little.
pub(super) fn rest(buffer: &mut BytesMut) -> BytesMut {
    if buffer.len() < SHARED {
        BytesMut::from(&**buffer)
    } else {
        buffer.split()
    }
}

/// Bytes, of which some are done with.
pub(super) struct Input<'a> {
    buffer: &'a mut BytesMut,
    done: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(buffer: &'a mut BytesMut) -> Self {
        Self { buffer, done: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.done..).unwrap_or_default()
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.done = self.done.saturating_add(count);
    }

    /// Skips bytes, and returns the data in this range.
    pub(super) fn take(&mut self, count: usize, range: std::ops::Range<usize>) -> Bytes {
        if range.len() < SHARED {
            let data = self.bytes().get(range).map(Bytes::copy_from_slice);
            self.skip(count);
            return data.unwrap_or_default();
        }
        self.buffer.advance(self.done);
        self.done = 0;
        let mut data = self.buffer.split_to(count);
        data.advance(range.start);
        data.truncate(range.len());
        data.freeze()
    }

    /// Leaves in the buffer what is not done with.
    pub(super) fn finish(self) {
        if self.done == self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.advance(self.done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads this many bytes and takes them. Also tells where they were.
    fn read(byte: u8, count: usize) -> (Bytes, usize) {
        lend(|buffer| {
            assert!(buffer.is_empty() && buffer.capacity() >= LEAST_ROOM);
            let stood = buffer.as_ptr().addr();
            buffer.resize(count, byte);
            let mut input = Input::new(buffer);
            let data = input.take(count, 0..count);
            input.finish();
            assert!(buffer.is_empty());
            (data, stood)
        })
    }

    #[test]
    fn what_is_kept_stays_as_it_is() {
        let kept: Vec<_> = (0..20)
            .map(|byte| read(byte, SHARED * (1 + usize::from(byte % 2))))
            .collect();
        for (byte, (data, _)) in (0..).zip(&kept) {
            assert!(data.iter().all(|have| *have == byte), "{byte}");
        }
    }

    #[test]
    fn what_was_dropped_is_read_to_again() {
        let (first, stood) = read(1, ROOM);
        assert_eq!(first.as_ptr().addr(), stood, "not copied");
        drop(first);
        assert_eq!(read(2, ROOM).1, stood);
    }

    #[test]
    fn little_is_copied() {
        let (data, stood) = read(1, SHARED - 1);
        assert_ne!(data.as_ptr().addr(), stood);
        lend(|buffer| {
            buffer.resize(SHARED - 1, 1);
            let small = rest(buffer).capacity();
            buffer.resize(SHARED, 1);
            let large = rest(buffer).capacity();
            assert!(small < SHARED && large >= SHARED, "{small} {large}");
        });
    }

    /// Bytes are skipped and taken in any mixture, and the rest stays.
    #[test]
    fn what_is_not_done_with_stays() {
        let mut buffer = BytesMut::from(&b"skip|line|data|rest"[..]);
        let mut input = Input::new(&mut buffer);
        input.skip(5);
        assert_eq!(input.take(10, 5..9), "data");
        assert_eq!(input.bytes(), b"rest");
        input.finish();
        assert_eq!(buffer, "rest");
        buffer.resize(3 * SHARED, b'x');
        let mut input = Input::new(&mut buffer);
        input.skip(4);
        assert_eq!(input.take(SHARED + 1, 1..SHARED + 1).len(), SHARED);
        assert_eq!(input.bytes().len(), 2 * SHARED - 5);
        input.finish();
        assert_eq!(buffer.len(), 2 * SHARED - 5);
    }
}
