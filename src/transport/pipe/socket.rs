//! One end of a connection in memory, and its halves.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Transcript;
use super::lane::Lane;
use super::transcript::Act;
use crate::transport::{self, Halves, Hangup, Peer, Read, Write};

/// One end of a connection in memory, as [`Pipe`](super::Pipe) opens it.
///
/// A session treats it like a TCP connection: it notices a close and a reset without reading, and an answer that cannot
/// be completed ends in a reset. If you drop it, it closes.
#[derive(Debug)]
pub struct Socket {
    read: ReadHalf,
    write: WriteHalf,
}

/// The state that the two ends share. Each end writes to the lane with its own number.
#[derive(Debug)]
pub(super) struct Shared {
    lanes: [Lane; 2],
    /// The number of halves of each end that are not dropped.
    halves: [u8; 2],
    stalled: bool,
    reset: bool,
    acts: Vec<(usize, Act)>,
}

impl Shared {
    pub(super) fn new(lanes: [Lane; 2]) -> Self {
        Self {
            lanes,
            halves: [2, 2],
            stalled: false,
            reset: false,
            acts: Vec::new(),
        }
    }

    fn close(&mut self, end: usize) {
        let lane = &mut self.lanes[end];
        if !lane.ended && !self.reset {
            lane.ended = true;
            lane.wake();
            self.acts.push((end, Act::Close));
        }
    }

    fn reset(&mut self, end: usize) {
        if !self.reset {
            self.reset = true;
            self.acts.push((end, Act::Reset));
            self.wake();
        }
    }

    fn wake(&mut self) {
        self.lanes.iter_mut().for_each(Lane::wake);
    }

    /// Records what one end sends. Consecutive bytes are one act.
    fn say(&mut self, end: usize, data: &[u8]) {
        match self.acts.last_mut() {
            Some((last, Act::Say(run))) if *last == end => run.extend_from_slice(data),
            _ => self.acts.push((end, Act::Say(data.to_vec()))),
        }
    }
}

impl Socket {
    pub(super) fn new(end: usize, shared: &Arc<Mutex<Shared>>) -> Self {
        let near = || Near {
            end,
            shared: shared.clone(),
        };
        Self {
            read: ReadHalf {
                near: near(),
                half_closed: false,
            },
            write: WriteHalf { near: near() },
        }
    }

    /// Breaks the connection. Both ends still read the bytes in transit, and then get `ConnectionReset`. Writes get it
    /// at once.
    pub fn reset(&self) {
        let near = &self.write.near;
        near.lock().reset(near.end);
    }

    /// Stops the connection: no byte and no close passes in either direction until [`resume`](Self::resume).
    pub fn stall(&self) {
        self.write.near.lock().stalled = true;
    }

    /// Ends a [`stall`](Self::stall).
    pub fn resume(&self) {
        let mut shared = self.write.near.lock();
        shared.stalled = false;
        shared.wake();
    }

    /// Everything that was sent so far, seen from this end.
    pub fn transcript(&self) -> Transcript {
        let near = &self.write.near;
        let acts = near.lock().acts.clone();
        let acts = acts.into_iter().map(|(end, act)| (end == near.end, act));
        Transcript::new(acts.collect())
    }

    /// The halves that a session uses.
    pub(in crate::transport) fn split(self) -> Halves {
        Halves {
            read: transport::ReadHalf::new(self.read),
            write: transport::WriteHalf::new(self.write),
            peer: Peer::default(),
            tls: None,
        }
    }
}

/// The link of a half to its end of the connection.
#[derive(Debug)]
struct Near {
    end: usize,
    shared: Arc<Mutex<Shared>>,
}

impl Near {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When both halves of an end are dropped, the other end can no longer write.
impl Drop for Near {
    fn drop(&mut self) {
        let mut shared = self.lock();
        shared.halves[self.end] -= 1;
        if shared.halves[self.end] == 0 {
            shared.wake();
        }
    }
}

#[derive(Debug)]
struct ReadHalf {
    near: Near,
    /// A half-close was reported already, so only a reset is left to report.
    half_closed: bool,
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut shared = self.near.lock();
        let (stalled, reset) = (shared.stalled, shared.reset);
        let lane = &mut shared.lanes[1 - self.near.end];
        if lane.is_empty() && reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if stalled && !reset {
            return lane.wait_to_read(cx);
        }
        if lane.is_empty() && lane.ended {
            return Poll::Ready(Ok(()));
        }
        lane.poll_read(cx, buffer).map(Ok)
    }
}

impl Read for ReadHalf {
    fn poll_hangup(&mut self, cx: &mut Context<'_>) -> Poll<Hangup> {
        let mut shared = self.near.lock();
        if shared.reset {
            return Poll::Ready(Hangup::Reset);
        }
        let stalled = shared.stalled;
        let lane = &mut shared.lanes[1 - self.near.end];
        if lane.ended && !stalled && !self.half_closed {
            self.half_closed = true;
            return Poll::Ready(Hangup::HalfClosed);
        }
        lane.wait_to_read(cx)
    }
}

#[derive(Debug)]
struct WriteHalf {
    near: Near,
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let end = self.near.end;
        let mut shared = self.near.lock();
        if shared.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if shared.lanes[end].ended || shared.halves[1 - end] == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if shared.stalled {
            return shared.lanes[end].wait_to_write(cx);
        }
        let written = shared.lanes[end].poll_write(cx, data);
        if let Poll::Ready(len) = written {
            shared.say(end, &data[..len]);
        }
        written.map(Ok)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.near.lock();
        if shared.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        shared.close(self.near.end);
        Poll::Ready(Ok(()))
    }
}

impl Write for WriteHalf {
    fn abort(&mut self) {
        self.near.lock().reset(self.near.end);
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        self.near.lock().close(self.near.end);
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(cx)
    }
}
