//! One direction of a connection in memory.

use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, BytesMut};
use tokio::io::ReadBuf;

use super::Random;

/// The bytes in transit in one direction, and the tasks that wait for them.
#[derive(Debug)]
pub(super) struct Lane {
    waiting: BytesMut,
    capacity: usize,
    cuts: Cuts,
    /// Bytes read so far.
    read: u64,
    /// The last read stopped short of what was available: the next one is pending for one turn.
    cut: bool,
    /// Nothing more will be written.
    pub(super) ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Where reads stop.
#[derive(Debug, Clone)]
pub(super) enum Cuts {
    None,
    Random(Random),
    At(u64),
}

impl Lane {
    pub(super) fn new(capacity: usize, cuts: Cuts) -> Self {
        Self {
            waiting: BytesMut::new(),
            capacity,
            cuts,
            read: 0,
            cut: false,
            ended: false,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Reads a part of what is available. Pending if nothing is, or if the last read was just cut.
    pub(super) fn poll_read(&mut self, cx: &Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<()> {
        let most = self.waiting.len().min(buffer.remaining());
        if most == 0 {
            return self.wait_to_read(cx);
        }
        if std::mem::take(&mut self.cut) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let len = self.cuts.len(self.read, most);
        self.cut = len < most;
        self.read += len as u64;
        buffer.put_slice(&self.waiting[..len]);
        self.waiting.advance(len);
        wake(&mut self.writer);
        Poll::Ready(())
    }

    /// Takes as much of the data as there is room for. Pending if there is none.
    pub(super) fn poll_write(&mut self, cx: &Context<'_>, data: &[u8]) -> Poll<usize> {
        let len = data.len().min(self.capacity - self.waiting.len());
        if len == 0 && !data.is_empty() {
            return self.wait_to_write(cx);
        }
        self.waiting.extend_from_slice(&data[..len]);
        wake(&mut self.reader);
        Poll::Ready(len)
    }

    pub(super) fn wait_to_read<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn wait_to_write<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn wake(&mut self) {
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl Cuts {
    /// How many of `most` available bytes are read, at the position `read`. At least one.
    fn len(&mut self, read: u64, most: usize) -> usize {
        match self {
            Self::None => most,
            Self::Random(random) => {
                // Short pieces are frequent, because splits find most bugs there.
                let longest = [1, 3, 20, most][random.below(4)].min(most);
                1 + random.below(longest)
            }
            Self::At(place) => match place.checked_sub(read) {
                None | Some(0) => most,
                Some(left) => usize::try_from(left).map_or(most, |left| left.min(most)),
            },
        }
    }
}
