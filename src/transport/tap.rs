//! A tap on a connection: it sees the received and the sent bytes (N12).

use std::fmt;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::scrub::Scrub;
use super::{Halves, Hangup, Peer, Read, ReadHalf, Write, WriteHalf};

/// Sees the bytes of connections, as they are read and as the transport takes them, byte for byte and in order. With
/// TLS, it sees the plain text.
///
/// It shows everything, including passwords, cookies and bodies. [`Redacted`] hides the values of the fields that carry
/// credentials, and nothing else. Without a tap a connection has no extra cost; with one, each read and each write is a
/// call.
///
/// A connection that is handed over stays tapped. A CONNECT that a client sends by itself, because there is a proxy in
/// between, is not shown; the traffic in the tunnel is.
///
/// Every closure of this signature is a tap. To notify an actor, send it a message from the closure:
///
/// ```
/// use http_actors::tap::{Direction, Passed, Tapped};
/// use http_actors::SessionOptions;
///
/// let mut options = SessionOptions::default();
/// options.tap = Some(std::sync::Arc::new(|tapped: &Tapped<'_>| {
///     if let (Direction::In, Passed::Bytes(bytes)) = (tapped.direction, tapped.passed) {
///         println!("{} {}: {}", tapped.connection, tapped.peer, bytes.escape_ascii());
///     }
/// }));
/// ```
pub trait Tap: Send + Sync + 'static {
    /// Called with bytes that passed, or their end, on the connection's arbiter: it must not block.
    fn tap(&self, tapped: &Tapped<'_>);

    /// Whether the values of Authorization, Proxy-Authorization, Cookie and Set-Cookie are hidden from this tap: false.
    /// See [`Redacted`].
    fn is_redacted(&self) -> bool {
        false
    }
}

impl<F: Fn(&Tapped<'_>) + Send + Sync + 'static> Tap for F {
    fn tap(&self, tapped: &Tapped<'_>) {
        self(tapped);
    }
}

/// A tap that does not see the values of Authorization, Proxy-Authorization, Cookie and Set-Cookie.
///
/// Each byte of them except white space becomes a `*`, so lengths and places stay. It works line by line, wherever
/// reads and writes split them, and so it also hides values in a body that look like one of these fields. It does not
/// hide secrets in targets, in other fields or in bodies.
#[derive(Debug, Clone, Copy)]
pub struct Redacted<T>(pub T);

impl<T: Tap> Tap for Redacted<T> {
    fn tap(&self, tapped: &Tapped<'_>) {
        self.0.tap(tapped);
    }

    fn is_redacted(&self) -> bool {
        true
    }
}

/// The argument of [`Tap::tap`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Tapped<'a> {
    /// The number of the connection, unique in this process.
    pub connection: u64,
    /// The addresses of the connection.
    pub peer: &'a Peer,
    /// The time, by the clock of tokio.
    pub at: Instant,
    /// Received or sent.
    pub direction: Direction,
    /// The bytes, or their end.
    pub passed: Passed<'a>,
}

/// Direction: received or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Received from the peer.
    In,
    /// Sent to the peer.
    Out,
}

/// Bytes, or their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed<'a> {
    /// Bytes that were read, or taken by the transport.
    Bytes(&'a [u8]),
    /// No more follow in this direction. Not reported if the session never read up to the end.
    Close,
    /// The connection broke, or was cut.
    Reset,
}

/// Taps a connection.
pub(crate) fn tap(halves: Halves, tap: Arc<dyn Tap>) -> Halves {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let redacted = tap.is_redacted();
    let wire = Arc::new(Wire {
        tap,
        connection: NEXT.fetch_add(1, Ordering::Relaxed),
        peer: halves.peer,
        over: <[AtomicBool; 2]>::default(),
    });
    let half = |direction| Tapping {
        wire: wire.clone(),
        direction,
        scrub: redacted.then(Scrub::default),
    };
    Halves {
        read: ReadHalf::new(TapRead(halves.read, half(Direction::In))),
        write: WriteHalf::new(TapWrite(halves.write, half(Direction::Out))),
        ..halves
    }
}

/// The state that both halves share.
struct Wire {
    tap: Arc<dyn Tap>,
    connection: u64,
    peer: Peer,
    /// In and out: whether the end was reported.
    over: [AtomicBool; 2],
}

/// One direction.
struct Tapping {
    wire: Arc<Wire>,
    direction: Direction,
    scrub: Option<Scrub>,
}

impl Tapping {
    fn bytes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let scrubbed = self.scrub.as_mut().map(|scrub| scrub.scrub(bytes));
        let passed = Passed::Bytes(scrubbed.as_deref().unwrap_or(bytes));
        self.wire.tell(self.direction, passed);
    }

    fn end(&self, end: Passed<'_>) {
        self.wire.end(self.direction, end);
    }
}

impl Wire {
    /// Reports the end of a direction, once.
    fn end(&self, direction: Direction, end: Passed<'_>) {
        let [inward, outward] = &self.over;
        let over = match direction {
            Direction::In => inward,
            Direction::Out => outward,
        };
        if !over.swap(true, Ordering::Relaxed) {
            self.tell(direction, end);
        }
    }

    /// A write failed: the peer has cut the connection, and the read half may never be polled again.
    fn broke(&self) {
        self.end(Direction::In, Passed::Reset);
    }

    fn tell(&self, direction: Direction, passed: Passed<'_>) {
        let tapped = Tapped {
            connection: self.connection,
            peer: &self.peer,
            at: Instant::now(),
            direction,
            passed,
        };
        // If a tap panics, only this call is lost.
        if catch_unwind(AssertUnwindSafe(|| self.tap.tap(&tapped))).is_err() {
            tracing::error!("the tap panicked");
        }
    }
}

struct TapRead(ReadHalf, Tapping);

impl AsyncRead for TapRead {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self(read, tapping) = &mut *self;
        let before = buffer.filled().len();
        let may_read = buffer.remaining() > 0;
        let polled = ready!(Pin::new(&mut **read).poll_read(cx, buffer));
        match (&polled, buffer.filled().get(before..)) {
            (Ok(()), Some([]) | None) if may_read => tapping.end(Passed::Close),
            (Ok(()), None) => {}
            (Ok(()), Some(bytes)) => tapping.bytes(bytes),
            (Err(_), _) => tapping.end(Passed::Reset),
        }
        Poll::Ready(polled)
    }
}

impl Read for TapRead {
    fn poll_hangup(&mut self, cx: &mut Context<'_>) -> Poll<Hangup> {
        let hangup = ready!(self.0.poll_hangup(cx));
        if hangup == Hangup::Reset {
            self.1.end(Passed::Reset);
        }
        Poll::Ready(hangup)
    }

    fn is_gone(&self) -> bool {
        self.0.is_gone()
    }
}

struct TapWrite(WriteHalf, Tapping);

impl AsyncWrite for TapWrite {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut *self.0).poll_write(cx, data))
            .inspect_err(|_| self.1.wire.broke())?;
        self.1.bytes(data.get(..taken).unwrap_or(data));
        Poll::Ready(Ok(taken))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut *self.0).poll_write_vectored(cx, slices))
            .inspect_err(|_| self.1.wire.broke())?;
        let mut left = taken;
        for slice in slices {
            let part = slice.get(..left).unwrap_or(slice);
            self.1.bytes(part);
            left -= part.len();
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = ready!(Pin::new(&mut *self.0).poll_shutdown(cx));
        self.1.end(Passed::Close);
        Poll::Ready(shut)
    }
}

impl Write for TapWrite {
    fn abort(&mut self) {
        self.1.end(Passed::Reset);
        self.0.abort();
    }

    fn close(&mut self) {
        self.1.end(Passed::Close);
        self.0.close();
    }

    fn taken(&self) -> Option<u64> {
        self.0.taken()
    }

    fn has_input(&self) -> Option<bool> {
        self.0.has_input()
    }
}

impl fmt::Debug for dyn Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}
