//! The receiving half of a socket, watched while it is not read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, Interest, ReadBuf, Ready};
use tokio::net::{tcp, unix};

use super::{Hangup, Read};

/// The receiving half, and what watches it while it is not read.
pub(super) struct Watched<H> {
    /// Shared with the watch only.
    half: Arc<H>,
    watch: Option<Pin<Box<dyn Future<Output = io::Result<Hangup>> + Send>>>,
    /// The end of the stream was seen, so only a reset is news.
    half_closed: bool,
}

/// What the halves of TCP and Unix sockets have in common.
pub(super) trait Half: AsyncRead + Send + Sync + Unpin + 'static {
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;
}

impl Half for tcp::OwnedReadHalf {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.ready(interest).await
    }
}

impl Half for unix::OwnedReadHalf {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.ready(interest).await
    }
}

impl<H: Half> Watched<H> {
    pub(super) fn new(half: H) -> Self {
        Self {
            half: Arc::new(half),
            watch: None,
            half_closed: false,
        }
    }
}

impl<H: Half> AsyncRead for Watched<H> {
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

impl<H: Half> Read for Watched<H> {
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

async fn watch<H: Half>(half: Arc<H>, half_closed: bool) -> io::Result<Hangup> {
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
