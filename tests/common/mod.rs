//! The harness of the session tests: a session over a pipe, its peer, and a handler that records; and what random walks
//! have in common.
#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

pub(crate) mod events;
mod scripts;
#[cfg(feature = "rustls")]
pub(crate) mod tls;
mod written;

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};
pub(crate) use http_actors::test_util::{FarEnd as Peer, Heard, Pipe, Random, Recorder};
use http_actors::{Bytes, HttpSession, Payload, SessionContext, SessionOptions};
pub(crate) use scripts::{GET, HI, hello, ok, silent, streaming};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
pub(crate) use written::Written;

/// A session on one end of a pipe, and the other end for the test.
pub(crate) struct Served {
    pub(crate) session: Addr<HttpSession>,
    pub(crate) peer: Peer,
    pub(crate) heard: Heard,
}

/// Serves a pipe with the recording handler.
pub(crate) fn serve(script: impl Fn(Payload, &mut SessionContext) + 'static) -> Served {
    serve_with(SessionOptions::default(), 1 << 20, script)
}

/// Serves a pipe of this capacity, so options.
pub(crate) fn serve_with(
    options: SessionOptions,
    capacity: usize,
    script: impl Fn(Payload, &mut SessionContext) + 'static,
) -> Served {
    let (factory, heard) = Recorder::script(script);
    let pipe = Pipe::new().capacity(capacity);
    let (peer, session) = Peer::serve_with(pipe, &factory, options);
    Served {
        session,
        peer,
        heard,
    }
}

/// Serves any connection with the recording handler.
pub(crate) fn accept<T>(
    io: T,
    options: SessionOptions,
    script: impl Fn(Payload, &mut SessionContext) + 'static,
) -> (Addr<HttpSession>, Heard)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (factory, heard) = Recorder::script(script);
    (HttpSession::accept(io, &factory, options), heard)
}

/// Sends a message that the session takes, and returns its answer.
#[track_caller]
pub(crate) fn taken<M, R, E>(session: &Addr<HttpSession>, message: M) -> impl Future<Output = R>
where
    M: Message<Result = Result<R, E>> + Send + 'static,
    R: Send,
    E: fmt::Debug + Send,
    HttpSession: Handler<M>,
    <HttpSession as Actor>::Context: ToEnvelope<HttpSession, M>,
{
    let answer = session.send(message);
    let caller = Location::caller();
    async move {
        match answer.await {
            Ok(Ok(taken)) => taken,
            Ok(Err(refused)) => panic!("{caller}: {refused:?}"),
            Err(error) => panic!("{caller}: {error}"),
        }
    }
}

/// Reads to the end of a head, and answers it with this.
pub(crate) async fn answer_with<T>(peer: &mut Peer<T>, answer: impl AsRef<[u8]>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    peer.until("\r\n\r\n").await;
    peer.send(answer).await;
}

/// The end of this connection will be a reset.
pub(crate) fn reset_on_drop(stream: &tokio::net::TcpStream) {
    socket2::SockRef::from(stream)
        .set_linger(Some(Duration::ZERO))
        .expect("a socket");
}

/// A connection over loopback TCP: the accepted end and the connecting end.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (near, far) = tokio::join!(listener.accept(), TcpStream::connect(address));
    (near.expect("accepted").0, far.expect("connected"))
}

/// How long a test waits for what must come, before it fails. It never measures anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until this holds, and says whether it ever did. What else this thread has to do goes on meanwhile, and a paused
/// clock stands still.
pub(crate) async fn comes_true(holds: impl AsyncFnMut() -> bool) -> bool {
    comes_true_within(PATIENCE, holds).await
}

/// The same with another patience, to test it.
pub(crate) async fn comes_true_within(
    patience: Duration,
    mut holds: impl AsyncFnMut() -> bool,
) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < patience {
        match tokio::time::timeout(patience, holds()).await {
            Ok(true) => return true,
            Ok(false) => tokio::task::yield_now().await,
            Err(_) => break,
        }
    }
    false
}

/// Waits until this holds. What never does fails the test, by its name, and does not hang it.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    assert!(comes_true(holds).await, "waited {PATIENCE:?} for {what}");
}

/// The same on a thread that does nothing else.
pub(crate) fn eventually_blocking(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::yield_now();
    }
}

/// A path for a Unix socket, of this call alone.
pub(crate) fn socket_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("http-actors-{}-{next}", std::process::id()))
}

/// What random walks draw.
pub(crate) trait Draw {
    /// One of these.
    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T;

    /// Less than so many milliseconds.
    fn millis_below(&mut self, bound: usize) -> Duration;
}

impl Draw for Random {
    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn millis_below(&mut self, bound: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.below(bound)).expect("a usize fits"))
    }
}

/// The bodies of random walks are cut out of this, in which no two places look alike.
pub(crate) static PATTERN: LazyLock<Bytes> = LazyLock::new(|| {
    let mut random = Random::of(1);
    (0..200_000)
        .map(|_| random.below(256).to_le_bytes()[0])
        .collect()
});

/// What a handler that panics on purpose says.
pub(crate) const ON_PURPOSE: &str = "on purpose";

/// Prints no panic that says [`ON_PURPOSE`].
pub(crate) fn hide_panics_on_purpose() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref() != Some(&ON_PURPOSE) {
            hook(info);
        }
    }));
}
