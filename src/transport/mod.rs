//! What a session runs over: anything that is `AsyncRead + AsyncWrite`, split into two halves. Floor 2.

mod connect;
mod half;
mod origin;
mod peer;
#[cfg(feature = "test-util")]
mod pipe;
mod race;
mod route;
mod scheme;
mod scrub;
mod tap;
mod tcp;
#[cfg(not(feature = "rustls-no-provider"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "rustls-no-provider")]
mod tls;
mod tls_info;
mod watched;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

pub(crate) use connect::{ConnectError, connect, secure};
pub(crate) use half::{ReadHalf, WriteHalf};
pub use origin::Origin;
pub use peer::Peer;
#[cfg(feature = "test-util")]
pub use pipe::{Pipe, Random, Socket, Tape, Transcript};
pub use route::Route;
pub use scheme::Scheme;
pub(crate) use tap::tap;
pub use tap::{Direction, Passed, Redacted, Tap, Tapped};
pub(crate) use tcp::{Patience, split_known as split_tcp};
pub(crate) use tls::Acceptor;
pub use tls_info::TlsInfo;
use watched::Watched;

/// The receiving half of a connection.
pub(crate) trait Read: AsyncRead + Send + Unpin {
    /// Watches the connection without reading from it. Each hangup is reported once. A transport that cannot detect
    /// hangups never reports one.
    fn poll_hangup(&mut self, _: &mut Context<'_>) -> Poll<Hangup> {
        Poll::Pending
    }

    /// Whether the peer that sends no more does not read either, as far as the transport knows.
    fn is_gone(&self) -> bool {
        false
    }
}

/// How a peer disconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// It closed its sending side; what it sent before may still be unread.
    HalfClosed,
    Reset,
}

/// The sending half of a connection.
pub(crate) trait Write: AsyncWrite + Send + Unpin {
    /// Turns the following close into a reset, if the transport supports it, so that the peer cannot take a partial
    /// message for a complete one.
    fn abort(&mut self) {}

    /// Signals a clean end of the sending side, if the transport can do so without waiting.
    fn close(&mut self) {}

    /// The total number of bytes that have left the transport, if it has its own buffer and knows.
    fn taken(&self) -> Option<u64> {
        None
    }

    /// Whether a read would find anything now: data, or the end. `None` if only a read can tell.
    fn has_input(&self) -> Option<bool> {
        None
    }
}

/// The two halves of a connection, and what is known about the peer.
pub(crate) struct Halves {
    pub(crate) read: ReadHalf,
    pub(crate) write: WriteHalf,
    pub(crate) peer: Peer,
    pub(crate) tls: Option<Arc<TlsInfo>>,
}

impl fmt::Debug for Halves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Halves")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Splits a connection. Sockets are recognised by their type and split without a lock; the halves of anything else
/// share a lock.
pub(crate) fn split<T>(io: T) -> Halves
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut io = Some(io);
    let any: &mut dyn Any = &mut io;
    if let Some(stream) = any
        .downcast_mut::<Option<TcpStream>>()
        .and_then(Option::take)
    {
        return tcp::split(stream);
    }
    if let Some(stream) = any
        .downcast_mut::<Option<UnixStream>>()
        .and_then(Option::take)
    {
        let (read, write) = stream.into_split();
        return Halves {
            read: ReadHalf::new(Watched::new(read)),
            write: WriteHalf::new(write),
            peer: Peer::default(),
            tls: None,
        };
    }
    #[cfg(feature = "test-util")]
    if let Some(socket) = (&mut io as &mut dyn Any)
        .downcast_mut::<Option<Socket>>()
        .and_then(Option::take)
    {
        return socket.split();
    }
    let Some(io) = io else {
        unreachable!("taken only where this function returns")
    };
    let (read, write) = tokio::io::split(io);
    Halves {
        read: ReadHalf::new(read),
        write: WriteHalf::new(write),
        peer: Peer::default(),
        tls: None,
    }
}

/// Replaces a half that was handed over.
impl Read for tokio::io::Empty {}
impl Write for tokio::net::unix::OwnedWriteHalf {
    fn has_input(&self) -> Option<bool> {
        Some(tcp::has_input(self.as_ref()))
    }
}
impl<T: AsyncRead + Send> Read for tokio::io::ReadHalf<T> {}
impl<T: AsyncWrite + Send> Write for tokio::io::WriteHalf<T> {}
