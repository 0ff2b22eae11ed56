//! The far end of a connection, controlled by a test: its bytes. The messages are in `messages.rs`.

use std::io;
use std::sync::Arc;

use actix::Addr;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::messages::Open;
use super::{Line, PATIENCE, in_time};
use crate::session::{HandlerFactory, HttpSession, SessionOptions};
use crate::transport::{Pipe, Socket, Transcript};

/// The peer of a session, controlled byte by byte: a client for a server session, a server for a client session.
///
/// It may be the end of a [`Pipe`], or of anything else that can be read and written.
///
/// # Panics
/// Every method that waits panics if what it waits for does not come within five minutes, which a paused clock skips,
/// or if the connection ends first. The message begins with the line of the test.
#[derive(Debug)]
pub struct FarEnd<T = Socket> {
    /// The connection itself.
    pub io: T,
    /// Bytes that were read and not returned yet.
    pub(super) read: Vec<u8>,
    /// The message that is being read, by the methods in `messages.rs`.
    pub(super) open: Open,
}

impl FarEnd {
    /// Opens a pipe. The socket is the end for the session. For a server session [`serve`](Self::serve) does both.
    pub fn open(pipe: Pipe) -> (Self, Socket) {
        let (far, near) = pipe.open();
        (Self::new(far), near)
    }

    /// Opens a pipe and serves it with this factory, on the current arbiter: this is the client.
    ///
    /// The session has the default options. It ends with the connection, and a test seldom needs its address.
    ///
    /// # Panics
    /// Outside of an actix arbiter.
    pub fn serve(factory: &impl HandlerFactory) -> Self {
        Self::serve_with(Pipe::new(), factory, SessionOptions::default()).0
    }

    /// The same for a pipe and options of your own. Returns the address of the session too.
    ///
    /// # Panics
    /// Outside of an actix arbiter.
    pub fn serve_with(
        pipe: Pipe,
        factory: &impl HandlerFactory,
        options: impl Into<Arc<SessionOptions>>,
    ) -> (Self, Addr<HttpSession>) {
        let (far, near) = Self::open(pipe);
        (far, HttpSession::accept(near, factory, options))
    }

    /// Breaks the connection: see [`Socket::reset`].
    pub fn reset(&self) {
        self.io.reset();
    }

    /// Stops the connection; see [`Socket::stall`].
    pub fn stall(&self) {
        self.io.stall();
    }

    /// Ends a stall.
    pub fn resume(&self) {
        self.io.resume();
    }

    /// Everything that was sent so far. `>` marks what this end sent.
    pub fn transcript(&self) -> Transcript {
        self.io.transcript()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> FarEnd<T> {
    /// Takes this end of a connection.
    pub fn new(io: T) -> Self {
        Self {
            io,
            read: Vec::new(),
            open: Open::Closed,
        }
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let here = Line::here();
        async move {
            let writing = self.io.write_all(bytes.as_ref());
            if let Err(err) = here.patient("the session to read", writing).await {
                here.fail(format_args!("the session takes no bytes: {err}"));
            }
        }
    }

    /// Closes the sending side, and can still read. To close both sides, drop this.
    #[track_caller]
    pub fn close(&mut self) -> impl Future<Output = ()> {
        let here = Line::here();
        async move {
            if let Err(err) = self.io.shutdown().await {
                here.fail(format_args!("the connection cannot be closed: {err}"));
            }
        }
    }

    /// Waits for exactly these bytes. `Date` lines are ignored.
    #[track_caller]
    pub fn expect(&mut self, expected: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let here = Line::here();
        async move {
            let expected = expected.as_ref();
            match in_time(self.read_expected(expected)).await {
                Some(Ok(())) => {}
                Some(Err(mistake)) => here.fail(mistake),
                None => {
                    let (read, _) = without_dates(&self.read);
                    let difference = difference(expected, &read);
                    here.fail(format_args!("waited {PATIENCE:?}. {difference}"));
                }
            }
        }
    }

    /// Waits. If it takes too long, this shows what came instead.
    pub(super) async fn wait<R>(
        &mut self,
        here: Line,
        what: &str,
        wait: impl AsyncFnOnce(&mut Self) -> Result<R, String>,
    ) -> R {
        match in_time(wait(self)).await {
            Some(Ok(outcome)) => outcome,
            Some(Err(mistake)) => here.fail(mistake),
            None => {
                let read = self.read.escape_ascii();
                here.fail(format_args!(
                    "waited {PATIENCE:?} for {what}, and got \"{read}\""
                ))
            }
        }
    }

    async fn read_expected(&mut self, expected: &[u8]) -> Result<(), String> {
        loop {
            let (read, certain) = without_dates(&self.read);
            if read.starts_with(expected) {
                self.read = read[expected.len()..].to_vec();
                return Ok(());
            }
            let len = certain.min(expected.len());
            if read[..len] != expected[..len] {
                return Err(difference(expected, &read));
            }
            if !self.read_once().await {
                let difference = difference(expected, &read);
                return Err(format!("the connection ended. {difference}"));
            }
        }
    }

    /// Waits for this text. Returns everything up to and with it, without `Date` lines.
    #[track_caller]
    pub fn until(&mut self, mark: &str) -> impl Future<Output = String> {
        let here = Line::here();
        async move {
            let what = format!("\"{}\"", mark.escape_default());
            self.wait(here, &what, async |this| this.read_until(mark).await)
                .await
        }
    }

    async fn read_until(&mut self, mark: &str) -> Result<String, String> {
        let mut seen: usize = 0;
        loop {
            let from = seen.saturating_sub(mark.len());
            if let Some(at) = find(&self.read[from..], mark.as_bytes()) {
                let rest = self.read.split_off(from + at + mark.len());
                let read = std::mem::replace(&mut self.read, rest);
                return Ok(text(&read));
            }
            seen = self.read.len();
            if !self.read_once().await {
                return Err(format!(
                    "the connection ended before\n{}\nafter\n{}",
                    mark.escape_default(),
                    self.read.escape_ascii()
                ));
            }
        }
    }

    /// Waits for this many bytes, and returns them as they are.
    #[track_caller]
    pub fn exactly(&mut self, count: usize) -> impl Future<Output = Vec<u8>> {
        let here = Line::here();
        let enough = async move |this: &mut Self| {
            while this.read.len() < count {
                if !this.read_once().await {
                    return Err(format!(
                        "the connection ended before {count} bytes, after\n{}",
                        this.read.escape_ascii()
                    ));
                }
            }
            Ok(())
        };
        async move {
            self.wait(here, &format!("{count} bytes"), enough).await;
            let rest = self.read.split_off(count);
            std::mem::replace(&mut self.read, rest)
        }
    }

    /// Waits for the end of the connection. Returns everything that came before it, without `Date` lines.
    #[track_caller]
    pub fn rest(&mut self) -> impl Future<Output = String> {
        let here = Line::here();
        let end = async |this: &mut Self| {
            while this.read_once().await {}
            Ok(())
        };
        async move {
            self.wait(here, "the end of the connection", end).await;
            text(&std::mem::take(&mut self.read))
        }
    }

    /// Reads once. False at the end of the connection, and if it was reset.
    #[track_caller]
    pub fn more(&mut self) -> impl Future<Output = bool> {
        Line::here().patient("bytes of the session", self.read_once())
    }

    async fn read_once(&mut self) -> bool {
        self.try_read().await.is_ok_and(|read| read > 0)
    }

    /// Reads once. Zero at the end of the connection, and an error if it was reset.
    pub(super) async fn try_read(&mut self) -> io::Result<usize> {
        let mut buffer = vec![0; 16 << 10];
        let read = self.io.read(&mut buffer).await?;
        self.read.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&without_dates(bytes).0).into_owned()
}

/// Removes every `Date` line, and returns how much of the result is final: behind that may be the beginning of another
/// `Date` line.
fn without_dates(bytes: &[u8]) -> (Vec<u8>, usize) {
    const DATE: &[u8] = b"Date: ";
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(DATE) && line.ends_with(b"\r\n") {
            continue;
        }
        if !line.ends_with(b"\n") && (line.starts_with(DATE) || DATE.starts_with(line)) {
            let certain = out.len();
            out.extend_from_slice(line);
            return (out, certain);
        }
        out.extend_from_slice(line);
    }
    let certain = out.len();
    (out, certain)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

/// The difference, line by line, from the first line that differs.
fn difference(expected: &[u8], read: &[u8]) -> String {
    let lines = |bytes: &[u8]| {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        lines.map(|line| line.escape_ascii().to_string()).collect()
    };
    let (expected, read): (Vec<String>, Vec<String>) = (lines(expected), lines(read));
    let same = expected.iter().zip(&read).take_while(|(a, b)| a == b);
    let same = same.count();
    let marked = |mark, lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| format!("{mark} {line}")).collect()
    };
    let text = [
        marked(' ', &expected[..same]),
        marked('-', &expected[same..]),
        marked('+', &read[same..]),
    ];
    format!("expected (-) and got (+):\n{}", text.concat().join("\n"))
}
