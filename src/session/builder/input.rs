//! The bytes of one read, while they are decoded.

use std::cell::RefCell;

use bytes::{Buf as _, Bytes, BytesMut};

thread_local! {
    /// The buffers that a thread reads into: for usual reads, and for large ones, allocated for the first of them. Only
    /// incomplete input is moved to its connection. Large data are passed on as slices of the buffer, which can be
    /// reused when they are dropped: usually before the next read, and still in the cache.
    static READ: RefCell<[BytesMut; 2]> = RefCell::default();
}

/// How much one read can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Usual,
    /// Four times as much, and so a quarter of the messages.
    Large,
}

impl Size {
    pub(super) const fn room(self) -> usize {
        match self {
            Self::Usual => 64 << 10,
            Self::Large => 256 << 10,
        }
    }

    /// With less room than this for a read, new memory is allocated instead.
    const fn least_room(self) -> usize {
        self.room() / 2
    }

    /// Data of at least this size are passed on as a slice of the read buffer, smaller ones as a copy. So a piece that
    /// is kept holds at most four times its size in memory.
    const fn shared(self) -> usize {
        self.room() / 4
    }

    /// Lends the thread's buffer for a read of this size, empty and with room.
    pub(super) fn lend<T>(self, to: impl FnOnce(&mut BytesMut) -> T) -> T {
        READ.with_borrow_mut(|[usual, large]| {
            let buffer = match self {
                Self::Usual => usual,
                Self::Large => large,
            };
            buffer.clear();
            if !buffer.try_reclaim(self.room()) && buffer.capacity() < self.least_room() {
                *buffer = BytesMut::with_capacity(self.room());
            }
            to(buffer)
        })
    }

    /// Takes what is left in the thread's buffer. A small rest is copied to other memory.
    pub(super) fn rest(self, buffer: &mut BytesMut) -> BytesMut {
        if buffer.len() < self.shared() {
            BytesMut::from(&**buffer)
        } else {
            buffer.split()
        }
    }
}

/// Below this, memory that is held in vain does not matter.
const LITTLE: usize = 1 << 10;

/// What is left of a rest that had this length. It moves to memory of its own when it falls below a power of four, so a
/// few bytes of a request do not hold the memory of all that came before them. All copies of a rest together are a third
/// longer than it was, at most.
pub(super) fn shrunk(rest: BytesMut, before: usize) -> BytesMut {
    let power = |len: usize| len.checked_ilog2().unwrap_or(0) / 2;
    if before >= LITTLE && power(rest.len()) < power(before) {
        BytesMut::from(&*rest)
    } else {
        rest
    }
}

/// Input bytes, of which some are consumed.
pub(super) struct Input<'a> {
    buffer: &'a mut BytesMut,
    done: usize,
    /// Data of at least this size are not copied.
    shared: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(buffer: &'a mut BytesMut, size: Size) -> Self {
        Self {
            buffer,
            done: 0,
            shared: size.shared(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.done..).unwrap_or_default()
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.done = self.done.saturating_add(count);
    }

    /// Skips bytes, and returns the data in this range.
    pub(super) fn take(&mut self, count: usize, range: std::ops::Range<usize>) -> Bytes {
        if range.len() < self.shared {
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

    /// Leaves in the buffer what is not consumed.
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
    use http::StatusCode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::payload::Payload;
    use crate::session::{HttpHandler, HttpSession, SessionContext, SessionOptions};

    const SIZES: [Size; 2] = [Size::Usual, Size::Large];

    /// Reads this many bytes and takes them. Also tells where they were.
    fn read(size: Size, byte: u8, count: usize) -> (Bytes, usize) {
        size.lend(|buffer| {
            assert!(buffer.is_empty() && buffer.capacity() >= size.least_room());
            let stood = buffer.as_ptr().addr();
            buffer.resize(count, byte);
            let mut input = Input::new(buffer, size);
            let data = input.take(count, 0..count);
            input.finish();
            assert!(buffer.is_empty());
            (data, stood)
        })
    }

    #[test]
    fn what_is_kept_stays_as_it_is() {
        let kept: Vec<_> = (0..20)
            .map(|byte| {
                let size = SIZES[usize::from(byte % 2)];
                read(size, byte, size.shared() * (1 + usize::from(byte % 3)))
            })
            .collect();
        for (byte, (data, _)) in (0..).zip(&kept) {
            assert!(data.iter().all(|have| *have == byte), "{byte}");
        }
    }

    #[test]
    fn what_was_dropped_is_read_to_again() {
        for size in SIZES {
            let (first, stood) = read(size, 1, size.room());
            assert_eq!(first.as_ptr().addr(), stood, "not copied");
            drop(first);
            assert_eq!(read(size, 2, size.room()).1, stood);
        }
    }

    #[test]
    fn little_is_copied() {
        for size in SIZES {
            let shared = size.shared();
            let (data, stood) = read(size, 1, shared - 1);
            assert_ne!(data.as_ptr().addr(), stood);
            size.lend(|buffer| {
                buffer.resize(shared - 1, 1);
                let small = size.rest(buffer).capacity();
                buffer.resize(shared, 1);
                let large = size.rest(buffer).capacity();
                assert!(small < shared && large >= shared, "{small} {large}");
            });
        }
    }

    /// However slowly a rest is used up, it soon lets go of the memory that it came in, and what is left is copied a
    /// few times at most.
    #[test]
    fn a_rest_lets_go_of_its_memory() {
        for step in [1, 100, 20_000, 65_000] {
            let (mut rest, stood) = Size::Usual.lend(|buffer| {
                buffer.resize(Size::Usual.room(), 1);
                let stood = buffer.as_ptr().addr();
                (Size::Usual.rest(buffer), stood)
            });
            let (mut copied, mut held) = (0, rest.len());
            while rest.len() > step {
                let before = rest.len();
                rest.advance(step);
                let at = rest.as_ptr().addr();
                rest = shrunk(rest, before);
                if rest.as_ptr().addr() != at {
                    assert!(before >= LITTLE);
                    copied += rest.len();
                    held = rest.len();
                }
                assert!(held <= (4 * rest.len()).max(4 * LITTLE), "{}", rest.len());
            }
            assert!(3 * copied <= 4 * Size::Usual.room(), "{copied}");
            assert_eq!(read(Size::Usual, 2, 10).1, stood, "nobody holds it");
        }
    }

    /// So it does while its requests are answered, by one grant of credit after the other.
    #[actix::test]
    async fn a_part_of_a_request_holds_little() {
        struct Answers;
        impl HttpHandler for Answers {
            fn apply(&mut self, _: Payload, session: &mut SessionContext) {
                session.respond(Payload::response(StatusCode::NO_CONTENT));
            }
        }

        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let count = Size::Usual.room() / get.len();
        let part = &get[..Size::Usual.room() % get.len()];
        assert!(!part.is_empty());
        let stood = read(Size::Usual, 1, 10).1;
        let (mut near, far) = tokio::io::duplex(1 << 20);
        let sent = get.repeat(count) + part;
        near.write_all(sent.as_bytes()).await.expect("room");
        let _session = HttpSession::accept(far, &|_| Answers, SessionOptions::default());
        let mut answers = Vec::new();
        while memchr::memmem::find_iter(&answers, "HTTP/1.1 204").count() < count {
            near.read_buf(&mut answers).await.expect("answers");
        }
        assert_eq!(read(Size::Usual, 2, 10).1, stood, "nobody holds it");
    }

    /// Bytes are skipped and taken in any mixture, and the rest stays.
    #[test]
    fn what_is_not_done_with_stays() {
        let shared = Size::Usual.shared();
        let mut buffer = BytesMut::from(&b"skip|line|data|rest"[..]);
        let mut input = Input::new(&mut buffer, Size::Usual);
        input.skip(5);
        assert_eq!(input.take(10, 5..9), "data");
        assert_eq!(input.bytes(), b"rest");
        input.finish();
        assert_eq!(buffer, "rest");
        buffer.resize(3 * shared, b'x');
        let mut input = Input::new(&mut buffer, Size::Usual);
        input.skip(4);
        assert_eq!(input.take(shared + 1, 1..shared + 1).len(), shared);
        assert_eq!(input.bytes().len(), 2 * shared - 5);
        input.finish();
        assert_eq!(buffer.len(), 2 * shared - 5);
    }
}
