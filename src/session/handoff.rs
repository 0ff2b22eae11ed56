//! The connection in other hands: after `101 Switching Protocols`, and after a 2xx to CONNECT (N14).

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

use crate::error::{Refused, RefusedReason};
use crate::payload::Payload;
use crate::transport::{self, Halves, Peer, TlsInfo};

/// A connection that speaks HTTP no longer, with everything that the other end sent behind the last head.
///
/// It is `AsyncRead + AsyncWrite`, `Send`, and a message: an actor gets it by [`HandOff::to`](crate::HandOff::to).
/// Dropped, it closes. On a server it counts towards `max_connections` for as long as it lives; but it is of the arbiter
/// that accepted it, and a server that ends stops its arbiters: reads and writes fail from then on. A
/// [`Drain`](crate::Drain) does not wait for it.
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

    /// The halves of the connection, if none of the new protocol was read yet.
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

    /// Bytes of the new protocol that had come already. They are the first that are read.
    pub fn unread(&self) -> &[u8] {
        &self.unread
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
            // What it was a part of may be large.
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

/// What the builder lets go: its half of the connection.
#[derive(Debug)]
pub(crate) struct Released {
    pub(crate) read: transport::ReadHalf,
    /// What was read and not decoded.
    pub(crate) unread: Bytes,
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// Why nobody got the connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotUpgraded {
    /// The session did not take the payload. Nothing was sent.
    #[error(transparent)]
    Refused(#[from] Refused<Payload>),
    /// The server did not switch. Its response went to the handler, and the session goes on.
    #[error("the server answered {0} instead of switching protocols")]
    Declined(StatusCode),
    /// The exchange, or the connection, ended before that. The handler was told why.
    #[error("the exchange ended before the connection could be handed over")]
    Ended,
}

/// Where the connection goes.
pub(crate) type Taker = oneshot::Sender<Result<Upgraded, NotUpgraded>>;

/// Resolves to the connection once HTTP is over on it. Dropped before, the connection closes at that point.
#[derive(Debug)]
#[must_use = "nobody else gets the connection"]
pub struct Upgrade {
    receiver: oneshot::Receiver<Result<Upgraded, NotUpgraded>>,
}

impl Upgrade {
    pub(super) fn new() -> (Taker, Self) {
        let (taker, receiver) = oneshot::channel();
        (taker, Self { receiver })
    }
}

impl Future for Upgrade {
    type Output = Result<Upgraded, NotUpgraded>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(cx)
            .map(|received| received.unwrap_or(Err(NotUpgraded::Ended)))
    }
}

/// A payload on its way to a session that is to hand its connection over. Dropped on the way, for example with the
/// mailbox of a session that ended, it says so and goes back.
#[derive(Debug)]
pub(crate) struct Offer {
    content: Option<(Payload, Taker)>,
}

impl Offer {
    pub(crate) fn new(payload: Payload, taker: Taker) -> Self {
        Self {
            content: Some((payload, taker)),
        }
    }

    pub(crate) fn open(mut self) -> (Payload, Taker) {
        match self.content.take() {
            Some(content) => content,
            None => unreachable!("only `open` and `drop` empty an offer, and both consume it"),
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        if let Some((payload, taker)) = self.content.take() {
            let refused = Refused::new(RefusedReason::Closing, payload);
            // Nobody waits any more: then the payload is not missed either.
            let _ = taker.send(Err(refused.into()));
        }
    }
}
