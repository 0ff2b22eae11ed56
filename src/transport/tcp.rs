//! TCP.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::{Halves, Hangup, Peer, Read, Write};

pub(super) fn split(stream: TcpStream) -> Halves {
    let peer = Peer {
        remote: stream.peer_addr().ok(),
        local: stream.local_addr().ok(),
    };
    let (read, write) = stream.into_split();
    Halves {
        read: Box::new(TcpRead::new(read)),
        write: Box::new(TcpWrite(Some(write))),
        peer,
    }
}

/// The receiving half, and what watches it while it is not read.
struct TcpRead {
    /// Shared with the watch only.
    half: Arc<OwnedReadHalf>,
    watch: Option<Pin<Box<dyn Future<Output = io::Result<Hangup>> + Send>>>,
    /// The end of the stream was seen, so only a reset is news.
    half_closed: bool,
}

impl TcpRead {
    fn new(half: OwnedReadHalf) -> Self {
        Self {
            half: Arc::new(half),
            watch: None,
            half_closed: false,
        }
    }
}

impl AsyncRead for TcpRead {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.watch = None;
        match Arc::get_mut(&mut self.half) {
            Some(half) => Pin::new(half).poll_read(cx, buffer),
            None => unreachable!("only the watch shares the half, and it is gone"),
        }
    }
}

impl Read for TcpRead {
    /// Readiness without reading: priority readiness is woken by the closing of the peer's sending side and not by data,
    /// error readiness by a reset.
    fn poll_hangup(&mut self, cx: &mut Context<'_>) -> Poll<Hangup> {
        let (half, half_closed) = (&self.half, self.half_closed);
        let watch = self
            .watch
            .get_or_insert_with(|| Box::pin(watch(half.clone(), half_closed)));
        let hangup = ready!(watch.as_mut().poll(cx)).unwrap_or(Hangup::Reset);
        self.watch = None;
        self.half_closed = true;
        Poll::Ready(hangup)
    }
}

async fn watch(half: Arc<OwnedReadHalf>, half_closed: bool) -> io::Result<Hangup> {
    let interest = if half_closed {
        Interest::ERROR
    } else {
        Interest::PRIORITY | Interest::ERROR
    };
    loop {
        let ready = half.ready(interest).await?;
        if ready.is_error() {
            return Ok(Hangup::Reset);
        }
        if ready.is_read_closed() && !half_closed {
            return Ok(Hangup::HalfClosed);
        }
        // Urgent data, which HTTP has none of.
        std::future::pending::<()>().await;
    }
}

/// The sending half; gone once it was aborted.
struct TcpWrite(Option<OwnedWriteHalf>);

impl TcpWrite {
    fn half(&mut self) -> io::Result<Pin<&mut OwnedWriteHalf>> {
        self.0
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for TcpWrite {
    /// A zero linger time turns the close into a reset. A plain close would leave what the peer does not read in the
    /// kernel's send buffer, and would end a close-delimited message well. The half is forgotten, because its drop would
    /// send the FIN that must not be sent; the socket closes with the other half.
    fn abort(&mut self) {
        if let Some(half) = self.0.take() {
            // A socket that is gone already needs no reset.
            let _ = SockRef::from(half.as_ref()).set_linger(Some(Duration::ZERO));
            half.forget();
        }
    }
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
