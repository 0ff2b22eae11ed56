//! Bytes that wait for the socket.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::payload::Spare;
use crate::transport;
use crate::wire::Output;

/// Data of at least this size are not copied, but queued and written by a vectored write.
const LARGE: usize = 8 << 10;

/// How many slices one vectored write takes.
const SLICES: usize = 16;

/// The largest buffer that a thread keeps.
const KEPT_CAPACITY: usize = 128 << 10;

thread_local! {
    static SPARE: Spare<Vec<u8>> = const { Spare::new(16) };
}

/// One buffer for everything small, with large pieces spliced in at their positions.
///
/// The buffer is borrowed from the thread: a connection has one only while something waits.
#[derive(Debug, Default)]
pub(super) struct OutBuf {
    small: Vec<u8>,
    /// How much of `small` the socket took.
    written: usize,
    splices: VecDeque<Splice>,
    /// Bytes in `splices`.
    spliced: usize,
    /// The same, and what the socket already took of the first piece.
    whole: usize,
    /// Bytes that the socket has ever taken.
    total: u64,
}

/// A large piece that is sent before the byte `at` of the small buffer.
#[derive(Debug)]
struct Splice {
    at: usize,
    data: Bytes,
    /// The length of the piece before the socket took some of it.
    whole: usize,
}

impl OutBuf {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.small.len() - self.written + self.spliced
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that are held: more than wait, because what the socket took is not let go of at once.
    pub(super) fn held(&self) -> usize {
        self.small.len() + self.whole
    }

    /// Bytes that the socket has ever taken.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What `total` will be when everything that waits was taken.
    pub(super) fn total_when_empty(&self) -> u64 {
        self.total + self.len() as u64
    }

    /// Drops what waits.
    pub(super) fn discard(&mut self) {
        self.splices.clear();
        (self.spliced, self.whole) = (0, 0);
        self.written = self.small.len();
        self.settle();
    }

    /// Writes until the buffer is empty or the socket takes no more.
    pub(super) fn poll_write(
        &mut self,
        io: &mut dyn transport::Write,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let Poll::Ready(taken) = self.poll_once(io, cx) else {
                self.shrink();
                return Poll::Pending;
            };
            let taken = taken?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.consume(taken);
        }
        self.settle();
        Poll::Ready(Ok(()))
    }

    fn poll_once(
        &self,
        io: &mut dyn transport::Write,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.splices.is_empty() {
            return Pin::new(io).poll_write(cx, &self.small[self.written..]);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut filled = 0;
        let mut from = self.written;
        let mut rest = self.splices.iter();
        // A splice needs up to two slices: the small bytes before it, and itself. One more may close the list.
        for splice in rest.by_ref().take((SLICES - 1) / 2) {
            if splice.at > from {
                slices[filled] = IoSlice::new(&self.small[from..splice.at]);
                filled += 1;
                from = splice.at;
            }
            slices[filled] = IoSlice::new(&splice.data);
            filled += 1;
        }
        if rest.next().is_none() && from < self.small.len() {
            slices[filled] = IoSlice::new(&self.small[from..]);
            filled += 1;
        }
        Pin::new(io).poll_write_vectored(cx, &slices[..filled])
    }

    fn consume(&mut self, mut taken: usize) {
        self.total += taken as u64;
        while let Some(splice) = self.splices.front_mut() {
            let before = splice.at - self.written;
            if taken < before {
                break;
            }
            self.written += before;
            taken -= before;
            let from_splice = taken.min(splice.data.len());
            bytes::Buf::advance(&mut splice.data, from_splice);
            self.spliced -= from_splice;
            taken -= from_splice;
            if !splice.data.is_empty() {
                return;
            }
            self.whole -= splice.whole;
            self.splices.pop_front();
        }
        self.written += taken;
    }

    /// Returns the buffer to the thread once everything was written.
    fn settle(&mut self) {
        if self.small.capacity() == 0 {
            return;
        }
        if self.is_empty() {
            self.small.clear();
            self.written = 0;
            let small = std::mem::take(&mut self.small);
            if small.capacity() <= KEPT_CAPACITY {
                Spare::give_to(&SPARE, small);
            }
        }
    }

    fn splice(&mut self, data: &Bytes) {
        self.spliced += data.len();
        self.whole += data.len();
        self.splices.push_back(Splice {
            at: self.small.len(),
            data: data.clone(),
            whole: data.len(),
        });
    }

    #[inline(never)]
    fn borrow(&mut self) {
        self.small = Spare::take_from(&SPARE).unwrap_or_default();
    }

    /// Moves what waits to the front once more than half of a large buffer was written. Amortised, each byte moves
    /// once.
    #[inline(never)]
    fn compact(&mut self) {
        if self.written > self.small.len() / 2 {
            self.drop_written();
        }
    }

    fn drop_written(&mut self) {
        self.small.drain(..self.written);
        for splice in &mut self.splices {
            splice.at -= self.written;
        }
        self.written = 0;
    }

    /// Gives memory back when the socket took most of a large buffer, and takes no more: the rest may wait for long.
    /// Amortised, as above.
    fn shrink(&mut self) {
        let capacity = self.small.capacity();
        if capacity > KEPT_CAPACITY && self.small.len() - self.written < capacity / 4 {
            self.drop_written();
            self.small.shrink_to_fit();
        }
    }
}

impl Output for OutBuf {
    #[inline]
    fn small(&mut self) -> &mut Vec<u8> {
        if self.small.capacity() == 0 {
            self.borrow();
        } else if self.written > KEPT_CAPACITY / 2 {
            self.compact();
        }
        &mut self.small
    }

    fn body(&mut self, data: &Bytes) {
        if data.len() < LARGE {
            self.small().extend_from_slice(data);
        } else {
            self.splice(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    /// Whatever is put in comes out in order, however the socket takes it: a part of a slice, some slices, or all.
    #[actix::test]
    async fn order_is_kept_under_partial_writes() {
        for taken in [1000, 3 * LARGE, 1 << 20] {
            let (near, mut far) = tokio::io::duplex(taken);
            let mut halves = transport::split(near);
            let mut buffer = OutBuf::default();
            let mut expected = Vec::new();
            for round in 0..60_usize {
                let size = if round % 3 == 0 {
                    LARGE + round
                } else {
                    700 * (round % 5)
                };
                let data = vec![u8::try_from(round).expect("small"); size];
                expected.extend_from_slice(&data);
                if round % 2 == 0 {
                    buffer.body(&data.into());
                } else {
                    buffer.small().extend_from_slice(&data);
                }
            }
            assert_eq!(buffer.len(), expected.len());
            let total = expected.len();
            let write = std::future::poll_fn(|cx| buffer.poll_write(&mut *halves.write, cx));
            let mut received = vec![0; total];
            let (written, read) = tokio::join!(write, far.read_exact(&mut received));
            written.expect("all written");
            read.expect("all read");
            assert_eq!(received, expected);
            assert!(buffer.is_empty());
            assert_eq!(buffer.held(), 0);
            assert_eq!(buffer.total(), total as u64);
        }
    }

    /// A socket that always takes some and never all: what it took is let go of in time.
    #[actix::test]
    async fn what_was_written_is_let_go_of() {
        const WAITING: usize = 100_000;
        const PIECE: usize = 1000;
        let (near, mut far) = tokio::io::duplex(PIECE);
        let mut halves = transport::split(near);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut buffer = OutBuf::default();
        let numbers = |from, len| (0..=250_u8).cycle().skip(from % 251).take(len);
        buffer.small().extend(numbers(0, WAITING));
        for round in 0..1000 {
            // Otherwise the runtime stops the pipe after some rounds.
            tokio::task::yield_now().await;
            assert!(buffer.poll_write(&mut *halves.write, &mut cx).is_pending());
            let mut taken = [0; PIECE];
            far.read_exact(&mut taken).await.expect("all read");
            assert!(taken.into_iter().eq(numbers(round * PIECE, PIECE)));
            buffer
                .small()
                .extend(numbers(WAITING + round * PIECE, PIECE));
            assert_eq!(buffer.len(), WAITING);
            assert!(buffer.held() <= 2 * WAITING + PIECE, "{}", buffer.held());
        }
    }

    #[test]
    fn what_is_discarded_was_not_sent() {
        let (near, _far) = tokio::io::duplex(5);
        let mut halves = transport::split(near);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut buffer = OutBuf::default();
        buffer.small().extend_from_slice(b"0123456789");
        buffer.body(&vec![1; LARGE].into());
        let all = 10 + LARGE as u64;
        assert!(buffer.poll_write(&mut *halves.write, &mut cx).is_pending());
        assert_eq!((buffer.total(), buffer.total_when_empty()), (5, all));
        buffer.discard();
        assert!(buffer.is_empty());
        assert_eq!((buffer.len(), buffer.held()), (0, 0));
        assert_eq!((buffer.total(), buffer.total_when_empty()), (5, 5));
        buffer.small().push(b'x');
        assert_eq!((buffer.len(), buffer.total_when_empty()), (1, 6));
    }

    /// When most of a large buffer was written, and not before, little memory is held for the rest. A large piece is
    /// held, and counted, until its last byte was written.
    #[test]
    fn a_rest_holds_little() {
        const SIZE: usize = 4 * KEPT_CAPACITY;
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut buffer = OutBuf::default();
        buffer.small().resize(2 * SIZE, 1);
        let (near, far) = tokio::io::duplex(SIZE);
        let mut halves = transport::split(near);
        assert!(buffer.poll_write(&mut *halves.write, &mut cx).is_pending());
        assert_eq!((buffer.len(), buffer.held()), (SIZE, 2 * SIZE));
        drop(far);
        buffer.discard();
        let (near, far) = tokio::io::duplex(SIZE - 10);
        let mut halves = transport::split(near);
        buffer.small().resize(SIZE, 1);
        buffer.body(&vec![2; LARGE].into());
        buffer.small().push(3);
        assert_eq!(buffer.held(), SIZE + LARGE + 1);
        assert!(buffer.poll_write(&mut *halves.write, &mut cx).is_pending());
        assert_eq!(
            (buffer.len(), buffer.held()),
            (10 + LARGE + 1, 10 + LARGE + 1)
        );
        assert!(buffer.small.capacity() < KEPT_CAPACITY);
        let (near, _far) = tokio::io::duplex(10 + LARGE - 5);
        drop(far);
        let mut halves = transport::split(near);
        assert!(buffer.poll_write(&mut *halves.write, &mut cx).is_pending());
        assert_eq!((buffer.len(), buffer.held()), (6, LARGE + 11));
        buffer.discard();
        assert_eq!((buffer.len(), buffer.held()), (0, 0));
    }
}
