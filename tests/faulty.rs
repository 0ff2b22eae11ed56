//! Transports that panic, and transports that are asked for nothing.

mod common;

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream as StdStream;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use common::{GET, eventually, taken};
use http_actors::message::{Apply, Dispose, Finish, Inspect, SendChunk};
use http_actors::{
    Cancelled, Exchange, Failure, HttpHandler, HttpSession, Payload, SessionContext,
    SessionOptions, StatusCode, TransferMode,
};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf,
};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

/// Where it panics.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Nowhere,
    FirstRead,
    SecondData,
    Write,
    Flush,
    Shutdown,
    Drop,
}

struct Faulty {
    inner: DuplexStream,
    place: Place,
    /// How many reads had data.
    data: u32,
    /// How many reads were made.
    reads: Arc<AtomicUsize>,
}

impl Faulty {
    fn open(place: Place) -> (Self, DuplexStream) {
        let (inner, far) = tokio::io::duplex(1 << 16);
        let near = Self {
            inner,
            place,
            data: 0,
            reads: Arc::default(),
        };
        (near, far)
    }

    fn pass(&self, place: Place) {
        assert_ne!(self.place, place);
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pass(Place::FirstRead);
        self.reads.fetch_add(1, Ordering::Relaxed);
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.data += u32::from(!buffer.filled().is_empty());
        if self.data > 1 {
            self.pass(Place::SecondData);
        }
        read
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pass(Place::Write);
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pass(Place::Flush);
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pass(Place::Shutdown);
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.pass(Place::Drop);
        }
    }
}

/// Notes what begins and how it ends; answers what is complete.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn count(&self, what: &str) -> usize {
        let notes = self.0.borrow();
        notes.iter().filter(|note| note.starts_with(what)).count()
    }

    fn ends(&self) -> usize {
        self.count("completed") + self.count("cancelled") + self.count("failed")
    }
}

impl HttpHandler for Notes {
    fn apply(&mut self, payload: Payload, session: &mut SessionContext) {
        self.note("apply");
        if payload.is_request() && payload.mode() == TransferMode::Oneshot {
            session.respond(Payload::response(StatusCode::OK).body("hi"));
        }
    }

    fn completed(&mut self, _: &Exchange, _: &mut SessionContext) {
        self.note("completed");
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.note(format!("cancelled {:?}", cancelled.cause));
    }

    fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
        self.note(format!("failed {:?}", failure.reason));
    }
}

/// At a server: the session is over, and what had begun has ended.
#[actix::test]
async fn at_a_server() {
    for place in [
        Place::FirstRead,
        Place::SecondData,
        Place::Write,
        Place::Flush,
        Place::Shutdown,
        Place::Drop,
    ] {
        let (near, mut far) = Faulty::open(place);
        let notes = Notes::default();
        let factory = notes.clone();
        let session =
            HttpSession::accept(near, &move |_| factory.clone(), SessionOptions::default());
        let upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n";
        let sent = format!("{GET}{upload}");
        far.write_all(sent.as_bytes()).await.expect("room");
        let begun = if place == Place::FirstRead { 0 } else { 2 };
        eventually("both began", async || notes.count("apply") == begun).await;
        // The session may be over already.
        let _ = far.write_all(b"data").await;
        match place {
            Place::Shutdown => far.shutdown().await.expect("open"),
            Place::Drop => session.do_send(Dispose),
            _ => {}
        }
        eventually("it is over", async || !session.connected()).await;
        assert_eq!(notes.ends(), begun, "{place:?} {:?}", notes.0.borrow());
        if place == Place::SecondData {
            assert_eq!(notes.count("cancelled PeerReset"), 1);
        }
    }
}

/// At a client: each request has its end. One that reads, or is dropped, takes nothing but the connection with it.
#[actix::test]
async fn at_a_client() {
    for pipeline in [false, true] {
        for place in [
            Place::FirstRead,
            Place::SecondData,
            Place::Write,
            Place::Flush,
            Place::Drop,
        ] {
            let (near, mut far) = Faulty::open(place);
            let notes = Notes::default();
            let factory = notes.clone();
            let options = SessionOptions {
                pipeline,
                ..SessionOptions::for_client()
            };
            let session = HttpSession::over(near, "a", &move |_| factory.clone(), options);
            for _ in 0..3 {
                let get = Payload::get("/").expect("a target");
                session.do_send(Apply(get));
            }
            // The first request, or the end.
            let _ = far.read(&mut [0; 1 << 10]).await;
            let _ = far
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                .await;
            eventually("the first has its end", async || notes.ends() > 0).await;
            let _ = far.write_all(b"HTTP/1.1 2").await;
            drop(far);
            eventually("each has its end", async || notes.ends() == 3).await;
            let alive = !matches!(place, Place::Write | Place::Flush);
            assert_eq!(session.send(Inspect).await.is_ok(), alive, "{place:?}");
        }
    }
}

/// Begins an answer in pieces, and answers each piece of the request with one.
struct Echo(Notes);

impl HttpHandler for Echo {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        let _ = session.apply(Payload::response(StatusCode::OK).chunked());
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        let _ = session.send_chunk(data);
        self.0.note("chunk");
    }

    fn cancelled(&mut self, cancelled: &Cancelled, session: &mut SessionContext) {
        self.0.cancelled(cancelled, session);
    }
}

const BEGIN: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const PIECE: &[u8] = b"1\r\nx\r\n";

/// A session that only sends does not ask its transport for input each time, and notices what comes all the same, also
/// in a turn with messages: data, and a deadline.
#[actix::test]
async fn a_session_that_only_sends_does_not_read() {
    tokio::time::pause();
    let (near, mut far) = Faulty::open(Place::Nowhere);
    let reads = near.reads.clone();
    let mut options = SessionOptions::default();
    options.timeouts.body = Some(Duration::from_secs(100));
    options.timeouts.body_rate = None;
    let notes = Notes::default();
    let factory = notes.clone();
    let session = HttpSession::accept(near, &move |_| Echo(factory.clone()), options);
    far.write_all(BEGIN.as_bytes()).await.expect("room");
    let mut answer = [0; 1 << 12];
    let _ = far.read(&mut answer).await.expect("it is open");
    for chunks in 1..4 {
        let mut read = Vec::new();
        for _ in 0..50 {
            taken(&session, SendChunk("piece".into())).await;
            let _ = far.read(&mut answer).await.expect("it is open");
            read.push(reads.load(Ordering::Relaxed));
        }
        assert_eq!(read[30..].first(), read.last(), "{read:?}");
        far.write_all(PIECE).await.expect("room");
        session.do_send(SendChunk("piece".into()));
        let _ = far.read(&mut answer).await.expect("it is open");
        assert_eq!(notes.count("chunk"), chunks);
    }
    let begin = Instant::now();
    while session.connected() {
        sleep(Duration::from_secs(1)).await;
        session.do_send(SendChunk("piece".into()));
        tokio::task::yield_now().await;
        let _ = far.read(&mut answer).await;
    }
    assert_eq!(notes.count("cancelled Deadline(Body)"), 1);
    assert_eq!(begin.elapsed().as_secs(), 100);
}

/// The rest of such a session that lingers behind its answer has a task of its own, and ends when its time is up.
#[actix::test]
async fn a_session_that_only_sent_lingers_and_ends() {
    tokio::time::pause();
    let (near, mut far) = Faulty::open(Place::Nowhere);
    let notes = Notes::default();
    let options = SessionOptions::default();
    let linger = options.timeouts.linger;
    let session = HttpSession::accept(near, &move |_| Echo(notes.clone()), options);
    let last = BEGIN.replacen("Host", "Connection: close\r\nHost", 1);
    far.write_all(last.as_bytes()).await.expect("room");
    let mut answer = [0; 1 << 12];
    for _ in 0..50 {
        let _ = far.read(&mut answer).await.expect("it is open");
        taken(&session, SendChunk("piece".into())).await;
    }
    taken(&session, Finish).await;
    far.read_to_end(&mut Vec::new()).await.expect("an end");
    far.write_all(b"1").await.expect("it lingers");
    sleep(2 * linger).await;
    far.write_all(b"\r").await.expect_err("it is over");
}

/// No wake is lost, however those by the peer and those by messages from another thread race.
#[actix::test]
async fn no_wake_is_lost() {
    let (near, mut far) = StdStream::pair().expect("two sockets");
    near.set_nonblocking(true).expect("a socket");
    far.set_read_timeout(Some(common::PATIENCE))
        .expect("a socket");
    let near = UnixStream::from_std(near).expect("a socket");
    let notes = Notes::default();
    let factory = notes.clone();
    let options = SessionOptions::default();
    let session = HttpSession::accept(near, &move |_| Echo(factory.clone()), options);
    let over = Arc::new(AtomicBool::new(false));
    let done = over.clone();
    let asker = std::thread::spawn(move || {
        while !done.load(Ordering::Relaxed) {
            // If the mailbox is full, there is enough to do.
            let _ = session.try_send(Inspect);
            std::thread::yield_now();
        }
    });
    let peer = tokio::task::spawn_blocking(move || -> io::Result<()> {
        far.write_all(BEGIN.as_bytes())?;
        let mut head = [0; 1 << 10];
        let _ = far.read(&mut head)?;
        for _ in 0..5_000 {
            far.write_all(PIECE)?;
            let mut echo = [0; PIECE.len()];
            far.read_exact(&mut echo)?;
            assert_eq!(echo, PIECE);
        }
        Ok(())
    });
    let lost = peer.await.expect("no panic");
    over.store(true, Ordering::Relaxed);
    asker.join().expect("no panic");
    assert!(lost.is_ok(), "{lost:?}");
}
