//! The two halves of a TLS connection, over the two halves of another.
//!
//! TLS is one state for both directions, so the halves share it behind a lock. Both live on one thread, where nobody
//! ever waits for it. Because the connection below is in halves too, its watch for hangups and its reset work through
//! TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::transport::{Halves, Hangup, Peer, Read, ReadHalf, TlsInfo, Write, WriteHalf};

pub(super) fn split(stream: TlsStream<Joined>, peer: Peer, tls: Arc<TlsInfo>) -> Halves {
    let shared = Arc::new(Mutex::new(stream));
    Halves {
        read: ReadHalf::new(TlsRead(shared.clone())),
        write: WriteHalf::new(TlsWrite(shared)),
        peer,
        tls: Some(tls),
    }
}

/// The connection below, joined as rustls wants it.
pub(super) struct Joined {
    read: ReadHalf,
    write: WriteHalf,
    /// Bytes that it ever took, the handshake included.
    taken: u64,
}

impl Joined {
    pub(super) fn new(halves: Halves) -> Self {
        Self {
            read: halves.read,
            write: halves.write,
            taken: 0,
        }
    }
}

impl AsyncRead for Joined {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.read).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Joined {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut *self.write).poll_write(cx, data))?;
        self.taken += taken as u64;
        Poll::Ready(Ok(taken))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut *self.write).poll_write_vectored(cx, slices))?;
        self.taken += taken as u64;
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        self.write.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.write).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.write).poll_shutdown(cx)
    }
}

type Shared = Arc<Mutex<TlsStream<Joined>>>;

fn lock(shared: &Shared) -> MutexGuard<'_, TlsStream<Joined>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct TlsRead(Shared);

impl AsyncRead for TlsRead {
    /// An end without the peer's `close_notify` is an error, so that nothing that was cut short looks whole.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_read(cx, buffer)
    }
}

impl Read for TlsRead {
    fn poll_hangup(&mut self, cx: &mut Context<'_>) -> Poll<Hangup> {
        lock(&self.0).get_mut().0.read.poll_hangup(cx)
    }

    fn is_gone(&self) -> bool {
        lock(&self.0).get_ref().0.read.is_gone()
    }
}

struct TlsWrite(Shared);

impl Write for TlsWrite {
    fn abort(&mut self) {
        lock(&self.0).get_mut().0.write.abort();
    }

    fn close(&mut self) {
        // What the socket does not take at once is not sent: the connection is dropped next.
        let _ = Pin::new(self).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }

    fn taken(&self) -> Option<u64> {
        Some(lock(&self.0).get_ref().0.taken)
    }
}

impl AsyncWrite for TlsWrite {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_flush(cx)
    }

    /// Sends `close_notify`, then closes the sending side below.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_shutdown(cx)
    }
}
