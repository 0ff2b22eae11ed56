//! The harness of the session tests: a session over an in-memory pipe, its peer, and a handler that records.
#![allow(dead_code, reason = "each test file uses its part")]

#[cfg(feature = "rustls")]
pub(crate) mod tls;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use http_actors::{
    Cancelled, Exchange, Failure, HandlerFactory, Headers, HttpHandler, HttpSession, MessageId,
    Payload, Refused, SessionContext, SessionOptions, TransferMode, Unsent,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;

/// How long a test waits for what must come, before it fails. Never a measure of anything.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the recording handler does when a request was delivered.
pub(crate) type Script = Arc<dyn Fn(Payload, &mut SessionContext) + Send + Sync>;

/// Everything that a handler hears, as text, in order.
pub(crate) struct Recorder {
    script: Script,
    heard: mpsc::UnboundedSender<String>,
}

impl Recorder {
    /// A factory of recorders, and what they hear.
    pub(crate) fn factory(
        script: impl Fn(Payload, &mut SessionContext) + Send + Sync + 'static,
    ) -> (impl HandlerFactory<Handler = Self>, Heard) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let script: Script = Arc::new(script);
        (
            Factory {
                script,
                heard: Mutex::new(Some(sender)),
            },
            Heard(receiver),
        )
    }

    fn note(&self, text: impl Into<String>) {
        // The test may be over.
        let _ = self.heard.send(text.into());
    }
}

impl HttpHandler for Recorder {
    fn apply(&mut self, payload: Payload, session: &mut SessionContext) {
        let mode = match payload.mode() {
            TransferMode::Oneshot => format!("[{}]", payload.body_bytes().escape_ascii()),
            TransferMode::Stream => format!("stream {}", payload.body_size().unwrap_or_default()),
            TransferMode::Chunked => "chunked".to_owned(),
        };
        self.note(match payload.status() {
            Some(status) => format!("apply {} {mode}", status.as_u16()),
            None => format!("apply {} {} {mode}", payload.method(), payload.uri()),
        });
        (self.script)(payload, session);
    }

    fn chunk(&mut self, data: Bytes, _: &mut SessionContext) {
        self.note(format!("chunk {}", data.escape_ascii()));
    }

    fn trailers(&mut self, trailers: Headers, _: &mut SessionContext) {
        self.note(format!("trailers {trailers:?}"));
    }

    fn finished(&mut self, _: &mut SessionContext) {
        self.note("finished");
    }

    fn informational(&mut self, payload: Payload, _: &mut SessionContext) {
        self.note(format!(
            "informational {}",
            payload.status().map_or(0, |status| status.as_u16())
        ));
    }

    fn need_body(&mut self, _: MessageId, _: &mut SessionContext) {
        self.note("need_body");
    }

    fn throttled(&mut self, _: &mut SessionContext) {
        self.note("throttled");
    }

    fn unthrottled(&mut self, _: &mut SessionContext) {
        self.note("unthrottled");
    }

    fn half_closed(&mut self, _: &mut SessionContext) {
        self.note("half_closed");
    }

    fn leaving(&mut self, _: &mut SessionContext) {
        self.note("leaving");
    }

    fn completed(&mut self, exchange: &Exchange, _: &mut SessionContext) {
        let status = exchange.status.map_or(0, |status| status.as_u16());
        self.note(format!(
            "completed {status} in {} out {}",
            exchange.bytes_in, exchange.bytes_out
        ));
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.note(format!(
            "cancelled {:?} {:?}",
            cancelled.cause, cancelled.exchange.phase
        ));
    }

    fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
        self.note(format!(
            "failed {:?} {:?}",
            failure.reason, failure.exchange.phase
        ));
    }

    fn refused(&mut self, refused: Refused<Unsent>, _: &mut SessionContext) {
        self.note(format!("refused {:?}", refused.reason));
    }
}

/// Makes one recorder: when that is gone, everything was heard.
struct Factory {
    script: Script,
    heard: Mutex<Option<mpsc::UnboundedSender<String>>>,
}

impl HandlerFactory for Factory {
    type Handler = Recorder;

    fn handler(&self, _: Addr<HttpSession>) -> Recorder {
        let heard = self
            .heard
            .lock()
            .expect("no panic")
            .take()
            .expect("one session a factory");
        Recorder {
            script: self.script.clone(),
            heard,
        }
    }
}

/// A session on one end of a pipe, and the other end in the hands of the test.
pub(crate) struct Served {
    pub(crate) session: Addr<HttpSession>,
    pub(crate) peer: Peer,
    pub(crate) heard: Heard,
}

/// What the handler hears.
pub(crate) struct Heard(mpsc::UnboundedReceiver<String>);

impl Heard {
    /// The next thing, waited for.
    pub(crate) async fn next(&mut self) -> String {
        let heard = tokio::time::timeout(PATIENCE, self.0.recv())
            .await
            .expect("the handler hears something in time");
        heard.expect("the handler is still there")
    }

    /// The next things, waited for.
    pub(crate) async fn expect(&mut self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.next().await, *expected);
        }
    }

    /// Everything from here to the end of the session, waited for.
    pub(crate) async fn rest(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(heard) = tokio::time::timeout(PATIENCE, self.0.recv())
            .await
            .expect("the session ends in time")
        {
            all.push(heard);
        }
        all
    }

    /// What was heard already.
    pub(crate) fn so_far(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Ok(heard) = self.0.try_recv() {
            all.push(heard);
        }
        all
    }
}

/// The far end of a connection, byte by byte.
pub(crate) struct Peer<T = DuplexStream> {
    pub(crate) io: T,
    read: Vec<u8>,
}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Peer<T> {
    pub(crate) fn new(io: T) -> Self {
        Self {
            io,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io
            .write_all(bytes.as_ref())
            .await
            .expect("the session reads");
    }

    /// Closes the sending side.
    pub(crate) async fn close(&mut self) {
        self.io.shutdown().await.expect("the pipe is open");
    }

    /// Waits until exactly these bytes came. `Date` fields do not count.
    pub(crate) async fn expect(&mut self, expected: &str) {
        while {
            let read = without_dates(&self.read);
            let expected = expected.as_bytes();
            assert!(
                expected.starts_with(&read[..read.len().min(expected.len())]),
                "expected\n{expected}\ngot\n{read}",
                expected = expected.escape_ascii(),
                read = read.escape_ascii()
            );
            read.len() < expected.len()
        } {
            assert!(
                self.more().await,
                "the connection ended after {}",
                self.read.escape_ascii()
            );
        }
        let read = without_dates(&self.read);
        self.read = read[expected.len()..].to_vec();
    }

    /// Waits until these bytes came, and returns all that came before and with them.
    pub(crate) async fn until(&mut self, mark: &str) -> String {
        let mut seen: usize = 0;
        loop {
            let from = seen.saturating_sub(mark.len());
            if let Some(at) = find(&self.read[from..], mark.as_bytes()) {
                let rest = self.read.split_off(from + at + mark.len());
                let read = std::mem::replace(&mut self.read, rest);
                return String::from_utf8_lossy(&without_dates(&read)).into_owned();
            }
            seen = self.read.len();
            assert!(
                self.more().await,
                "the connection ended after {}",
                self.read.escape_ascii()
            );
        }
    }

    /// The next message: its head, and its body if that has a length. `None` at the end of the stream.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let mut whole = 0;
        while whole == 0 || self.read.len() < whole {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.read[..at]).to_lowercase();
                let length = head.split("content-length: ").nth(1);
                let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
                whole = at + 4 + length.unwrap_or(0);
            }
            if self.read.len() >= whole.max(1) && whole > 0 {
                break;
            }
            if !self.more().await {
                return None;
            }
        }
        let rest = self.read.split_off(whole);
        let read = std::mem::replace(&mut self.read, rest);
        Some(String::from_utf8_lossy(&read).into_owned())
    }

    /// Everything up to the end of the stream.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        let read = without_dates(&std::mem::take(&mut self.read));
        String::from_utf8_lossy(&read).into_owned()
    }

    /// One read. False at the end of the stream or after a reset.
    pub(crate) async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 16 << 10];
        let read = tokio::time::timeout(PATIENCE, self.io.read(&mut buffer))
            .await
            .expect("bytes in time");
        let read = read.unwrap_or(0);
        self.read.extend_from_slice(&buffer[..read]);
        read > 0
    }
}

/// Cuts every `Date` line out of the heads.
fn without_dates(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut out = Vec::with_capacity(bytes.len());
    while let Some(at) = find(rest, b"Date: ") {
        out.extend_from_slice(&rest[..at]);
        let Some(end) = find(&rest[at..], b"\r\n") else {
            // Incomplete: what may be a date is not shown yet.
            return out;
        };
        rest = &rest[at + end + 2..];
    }
    out.extend_from_slice(rest);
    out
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// Serves a pipe with the recording handler.
pub(crate) fn serve(
    script: impl Fn(Payload, &mut SessionContext) + Send + Sync + 'static,
) -> Served {
    serve_with(SessionOptions::default(), 1 << 20, script)
}

/// Serves a pipe of this capacity, so options.
pub(crate) fn serve_with(
    options: SessionOptions,
    capacity: usize,
    script: impl Fn(Payload, &mut SessionContext) + Send + Sync + 'static,
) -> Served {
    let (near, far) = tokio::io::duplex(capacity);
    let (session, heard) = accept(near, options, script);
    Served {
        session,
        peer: Peer::new(far),
        heard,
    }
}

/// Serves any connection with the recording handler.
pub(crate) fn accept<T>(
    io: T,
    options: SessionOptions,
    script: impl Fn(Payload, &mut SessionContext) + Send + Sync + 'static,
) -> (Addr<HttpSession>, Heard)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (factory, heard) = Recorder::factory(script);
    (HttpSession::accept(io, &factory, options), heard)
}

/// A connection over loopback TCP: the accepted end and the connecting end.
pub(crate) async fn tcp_pair() -> (tokio::net::TcpStream, tokio::net::TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let (near, far) = tokio::join!(listener.accept(), tokio::net::TcpStream::connect(address));
    (near.expect("accepted").0, far.expect("connected"))
}

/// A path for a Unix socket, of this call alone.
pub(crate) fn socket_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("http-actors-{}-{next}", std::process::id()))
}
