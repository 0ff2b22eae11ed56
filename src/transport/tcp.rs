//! TCP.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::watched::Watched;
use super::{Halves, Peer, ReadHalf, Write, WriteHalf};

pub(super) fn split(stream: TcpStream) -> Halves {
    let peer = Peer {
        remote: stream.peer_addr().ok(),
        local: stream.local_addr().ok(),
    };
    split_known(stream, peer)
}

/// Splits a stream whose addresses are known.
pub(crate) fn split_known(stream: TcpStream, peer: Peer) -> Halves {
    let (read, write) = stream.into_split();
    Halves {
        read: ReadHalf::Tcp(Watched::new(read)),
        write: WriteHalf::Tcp(TcpWrite(Some(write))),
        peer,
        tls: None,
    }
}

/// The write half. `None` once it was aborted.
pub(crate) struct TcpWrite(Option<OwnedWriteHalf>);

impl TcpWrite {
    fn half(&mut self) -> io::Result<Pin<&mut OwnedWriteHalf>> {
        self.0
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for TcpWrite {
    /// A linger time of zero turns the close into a reset. With a plain close the kernel would still send its buffer,
    /// and a close-delimited message would look complete. The half is forgotten, because its drop would send a FIN,
    /// which must not be sent; the socket closes with the other half.
    fn abort(&mut self) {
        if let Some(half) = self.0.take() {
            // This fails only if the socket is already closed, and then no reset is needed.
            let _ = SockRef::from(half.as_ref()).set_linger(Some(Duration::ZERO));
            half.forget();
        }
    }

    fn has_input(&self) -> Option<bool> {
        self.0.as_ref().map(|half| has_input(half.as_ref()))
    }
}

/// Sets TCP keep-alive: a silent peer is probed after this time, which is rounded to what the kernel accepts.
pub(crate) fn set_keepalive(socket: &SockRef<'_>, after: Duration) -> io::Result<()> {
    const LONGEST: u64 = 32_767;
    let started = u64::from(after.subsec_nanos() > 0);
    let seconds = after.as_secs().saturating_add(started).clamp(1, LONGEST);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(seconds)))
}

/// Asks the kernel, because the reactor may not have polled it yet.
pub(super) fn has_input(socket: &impl AsFd) -> bool {
    let found = SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
    !found.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

impl AsyncWrite for TcpWrite {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.half()?.poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.half()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half()?.poll_shutdown(cx)
    }
}
