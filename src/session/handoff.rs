//! A connection that is handed over: after `101 Switching Protocols`, and after a 2xx to CONNECT (N14).

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::Message;
use bytes::{Buf as _, Bytes};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::parcel::Receipt;
use crate::error::{Refused, causes};
use crate::payload::Payload;
use crate::transport::{self, Halves, Peer, TlsInfo};

/// A connection that no longer speaks HTTP, with all bytes that the peer sent after the last head.
///
/// It is `AsyncRead + AsyncWrite`, `Send`, and a message: [`HandOff::to`](crate::message::HandOff::to) sends it to an
/// actor. When it is dropped, the connection closes; [`reset`](Self::reset) cuts it. At a server it counts towards `max_connections` for as long as it
/// lives. It belongs to the arbiter that accepted it. When a server ends, it stops its arbiters, and reads and writes
/// then fail. A [`Drain`](crate::message::Drain) does not wait for it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Upgraded {
    unread: Bytes,
    read: transport::ReadHalf,
    write: transport::WriteHalf,
    peer: Peer,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Upgraded {
    pub(super) fn new(released: Released, write: transport::WriteHalf, peer: Peer) -> Self {
        Self {
            unread: released.unread,
            read: released.read,
            write,
            peer,
            _permit: released.permit,
        }
    }

    /// The halves of the connection. `None` if bytes of the new protocol were read already.
    pub(super) fn into_halves(self, tls: Option<Arc<TlsInfo>>) -> Option<Halves> {
        self.unread.is_empty().then_some(Halves {
            read: self.read,
            write: self.write,
            peer: self.peer,
            tls,
        })
    }

    /// The addresses of the connection.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Bytes of the new protocol that have already arrived. Reads return them first.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Ends the connection by a reset, so that the peer does not take what it got for all there is.
    ///
    /// Dropped, a connection ends like one whose bytes were all sent, unless what it carries says where it ends. What
    /// the peer has not read yet may be lost. A Unix socket has no reset, and closes.
    pub fn reset(mut self) {
        self.write.abort();
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("peer", &self.peer)
            .field("unread", &self.unread.len())
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut *self.read).poll_read(cx, buffer);
        }
        let taken = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread.split_to(taken));
        if !self.unread.has_remaining() {
            // Frees the buffer that the bytes are a slice of: it may be large.
            self.unread = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.write).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.write).poll_write_vectored(cx, data)
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

/// The read half of the connection, released by the builder.
#[derive(Debug)]
pub(crate) struct Released {
    pub(crate) read: transport::ReadHalf,
    /// What was read and not decoded.
    pub(crate) unread: Bytes,
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// Why the connection was not handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotUpgraded {
    /// The session refused the payload. Nothing was sent.
    #[error("{0}")]
    Refused(Refused<Payload>),
    /// The server did not switch. Its response went to the handler, and the session goes on.
    #[error("the server answered {0} instead of switching protocols")]
    Declined(StatusCode),
    /// The exchange, or the connection, ended before the switch. The handler was called with the reason.
    #[error("the exchange ended before the connection could be handed over")]
    Ended,
}

causes!(NotUpgraded::Refused <- Refused<Payload>);

/// Where the connection goes.
pub(crate) type Taker = oneshot::Sender<Result<Upgraded, NotUpgraded>>;

/// Resolves to the connection once HTTP is over on it. If you drop it earlier, the connection closes when it would have
/// been handed over.
#[derive(Debug)]
#[must_use = "nobody else gets the connection"]
pub struct Upgrade {
    receipt: Receipt<Upgraded, NotUpgraded>,
}

impl Upgrade {
    pub(super) fn new() -> (Taker, Self) {
        let (taker, receipt) = oneshot::channel();
        (taker, Self { receipt })
    }

    /// The connection that a parcel was sent for.
    pub(super) fn by(receipt: Receipt<Upgraded, NotUpgraded>) -> Self {
        Self { receipt }
    }
}

impl Future for Upgrade {
    type Output = Result<Upgraded, NotUpgraded>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receipt)
            .poll(cx)
            .map(|received| received.unwrap_or(Err(NotUpgraded::Ended)))
    }
}
