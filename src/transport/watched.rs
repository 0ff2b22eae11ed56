//! The read half of a socket, watched for a hangup while it is not read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, Interest, ReadBuf, Ready};
use tokio::net::{tcp, unix};

use super::{Hangup, Read};

/// The read half, and the watch on it while it is not read.
pub(crate) struct Watched<H> {
    /// `None` while it is watched.
    half: Option<H>,
    watch: Option<Watch<H>>,
    /// A half-close was reported already, so only a reset is left to report.
    half_closed: bool,
}

/// The half, shared with the watch. Made when first needed, which is never for most connections.
struct Watch<H> {
    half: Arc<H>,
    future: Pin<Box<dyn Future<Output = io::Result<Hangup>> + Send>>,
}

/// The common interface of TCP and Unix read halves.
pub(crate) trait Half: AsyncRead + Send + Sync + Unpin + 'static {
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;

    /// Whether the peer has closed both directions, if the kernel tells that from a half-close.
    fn is_gone(&self) -> bool {
        false
    }
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

    /// Linux sets `POLLHUP` when both directions are closed. Other systems do at a half-close.
    #[cfg(target_os = "linux")]
    fn is_gone(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};

        let stream: &tokio::net::UnixStream = self.as_ref();
        let mut asked = [PollFd::new(stream, PollFlags::empty())];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut asked, Some(&at_once)).is_ok_and(|_| {
            let [told] = &asked;
            told.revents().contains(PollFlags::HUP)
        })
    }
}

impl<H: Half> Watched<H> {
    pub(super) fn new(half: H) -> Self {
        Self {
            half: Some(half),
            watch: None,
            half_closed: false,
        }
    }

    /// The half, which is no longer watched.
    #[inline]
    fn half(&mut self) -> &mut H {
        if self.half.is_none() {
            self.unwatch();
        }
        match &mut self.half {
            Some(half) => half,
            None => unreachable!("only the watch shared the half, and it is gone"),
        }
    }

    #[cold]
    fn unwatch(&mut self) {
        if let Some(Watch { half, future }) = self.watch.take() {
            drop(future);
            self.half = Arc::into_inner(half);
        }
    }

    fn watch(&mut self) -> &mut Watch<H> {
        if let Some(half) = self.half.take() {
            let half = Arc::new(half);
            let future = Box::pin(watch(half.clone(), self.half_closed));
            self.watch = Some(Watch { half, future });
        }
        match &mut self.watch {
            Some(watch) => watch,
            None => unreachable!("a half that is not alone is watched"),
        }
    }
}

impl<H: Half> AsyncRead for Watched<H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.half()).poll_read(cx, buffer)
    }
}

impl<H: Half> Read for Watched<H> {
    /// Waits for readiness without reading: priority readiness reports that the peer closed its sending side, and not
    /// data; error readiness reports a reset.
    fn poll_hangup(&mut self, cx: &mut Context<'_>) -> Poll<Hangup> {
        let hangup = ready!(self.watch().future.as_mut().poll(cx)).unwrap_or(Hangup::Reset);
        // The next watch waits for a different readiness.
        self.half();
        self.half_closed = true;
        Poll::Ready(hangup)
    }

    fn is_gone(&self) -> bool {
        self.half.as_ref().is_some_and(Half::is_gone)
    }
}

async fn watch<H: Half>(half: Arc<H>, half_closed: bool) -> io::Result<Hangup> {
    let interest = if half_closed {
        Interest::ERROR
    } else {
        Interest::PRIORITY | Interest::ERROR
    };
    let ready = half.ready(interest).await?;
    if ready.is_error() {
        return Ok(Hangup::Reset);
    }
    if ready.is_read_closed() && !half_closed {
        return Ok(Hangup::HalfClosed);
    }
    // This cannot be urgent data: tokio does not register for it.
    std::future::pending().await
}
