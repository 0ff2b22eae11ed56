//! Death watch (N10), and the memory ceiling of a server (N15).

mod common;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, Context, Handler, Recipient};
use common::{GET, PATIENCE, Peer, Pipe, Recorder, Served, serve};
use http_actors::error::{CancelCause, CloseReason, Deadline};
use http_actors::message::{Dispose, HandOff, Leave, Sessions, Terminated, Watch};
use http_actors::{
    Cancelled, Exchange, HttpHandler, HttpServer, HttpSession, Incoming, Limits, Payload, Running,
    SessionContext, SessionOptions, StatusCode, handler_fn,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Passes on what it is told.
struct Watcher(mpsc::UnboundedSender<Terminated>);

impl Actor for Watcher {
    type Context = Context<Self>;
}

impl Handler<Terminated> for Watcher {
    type Result = ();

    fn handle(&mut self, terminated: Terminated, _: &mut Self::Context) {
        self.0.send(terminated).unwrap_or_default();
    }
}

fn watcher() -> (Recipient<Terminated>, mpsc::UnboundedReceiver<Terminated>) {
    let (sender, told) = mpsc::unbounded_channel();
    (Watcher(sender).start().recipient(), told)
}

/// Ends a session.
type End = fn(Served) -> Ending;
type Ending = Pin<Box<dyn Future<Output = ()>>>;

const LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const PANIC: &str = "PUT / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Sends a request, and reads to the end of the connection.
fn asks(mut served: Served, request: &'static str) -> Ending {
    Box::pin(async move {
        served.peer.send(request).await;
        served.peer.rest().await;
    })
}

/// However a session ends, its watchers are told, once each, which one it was and why.
#[actix::test]
async fn every_end_is_told() {
    tokio::time::pause();
    #[rustfmt::skip]
    let rows: [(&str, CloseReason, End); 8] = [
        ("dispose", CloseReason::Disposed, |served| Box::pin(async move { served.session.do_send(Dispose) })),
        ("the peer leaves", CloseReason::PeerClosed, |mut served| Box::pin(async move { served.peer.close().await })),
        ("the peer breaks off", CloseReason::PeerReset, |served| Box::pin(async move { served.peer.reset() })),
        ("idle", CloseReason::Deadline(Deadline::Idle), |served| asks(served, GET)),
        ("announced", CloseReason::Announced, |served| asks(served, LAST)),
        ("leave", CloseReason::Shutdown, |mut served| Box::pin(async move {
            let (window, deadline) = (Duration::ZERO, Duration::from_secs(1));
            served.session.do_send(Leave { window, deadline });
            served.peer.rest().await;
        })),
        ("a panic of the handler", CloseReason::Aborted, |served| asks(served, PANIC)),
        ("hand-off", CloseReason::HandedOff, |mut served| Box::pin(async move {
            served.peer.send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").await;
            served.peer.until("\r\n\r\n").await;
        })),
    ];
    for (name, reason, end) in rows {
        let served = serve(|request, session| {
            assert_ne!(request.method(), "PUT", "as the row wants it");
            let ok = Payload::response(StatusCode::OK);
            if request.method() == "CONNECT" {
                session.address().do_send(HandOff(ok));
            } else {
                session.respond(ok);
            }
        });
        let session = served.session.clone();
        let (watcher, mut told) = watcher();
        for _ in 0..2 {
            let watching = session.send(Watch(watcher.clone()));
            watching.await.expect("alive");
        }
        drop(watcher);
        end(served).await;
        for _ in 0..2 {
            let terminated = told.recv().await.expect("told");
            assert_eq!(terminated.reason, reason, "{name}");
            assert!(terminated.session == session, "{name}");
            assert!(!terminated.session.connected(), "{name}");
        }
        assert!(told.recv().await.is_none(), "{name}: told twice");
    }
}

/// A client session is watched in the same way; and a session whose arbiter stops.
#[actix::test]
async fn other_sessions_are_watched_too() {
    let (watcher, mut told) = watcher();
    let (_far, near) = Pipe::new().open();
    let (factory, _heard) = Recorder::script(|_, _| {});
    let client = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    client.send(Watch(watcher.clone())).await.expect("alive");
    client.do_send(Dispose);
    let terminated = told.recv().await.expect("told");
    assert!(terminated.session == client);
    assert_eq!(terminated.reason, CloseReason::Disposed);

    let arbiter = Arbiter::new();
    let (_far, near) = Pipe::new().open();
    let (started, session) = tokio::sync::oneshot::channel();
    arbiter.spawn_fn(move || {
        let quiet = |_: Addr<HttpSession>| Quiet;
        let session = HttpSession::accept(near, &quiet, SessionOptions::default());
        assert!(started.send(session).is_ok());
    });
    let session = session.await.expect("started");
    session.send(Watch(watcher)).await.expect("alive");
    arbiter.stop();
    let terminated = told.recv().await.expect("told");
    assert_eq!(terminated.reason, CloseReason::Shutdown);
}

struct Quiet;

impl HttpHandler for Quiet {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {}
}

/// Answers with as many bytes as the path says, and tells how it ended.
struct Bytes(mpsc::UnboundedSender<(usize, Option<CancelCause>)>, usize);

impl HttpHandler for Bytes {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        self.1 = request.path()[1..].parse().expect("a number");
        session.respond(Payload::response(StatusCode::OK).body(vec![b'x'; self.1]));
    }

    fn completed(&mut self, _: &Exchange, _: &mut SessionContext) {
        self.0.send((self.1, None)).unwrap_or_default();
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.0
            .send((self.1, Some(cancelled.cause)))
            .unwrap_or_default();
    }
}

/// N15: clients that do not read make the server hold their answers. When the total is too much, the largest session is
/// cut, then the next, until it fits. The others are not touched.
#[actix::test]
async fn the_largest_goes_first() {
    const MIB: usize = 1 << 20;
    let (sender, mut ends) = mpsc::unbounded_channel();
    let server = HttpServer::new(move |_| Bytes(sender.clone(), 0))
        .signals(false)
        .workers(2)
        // Kernels take some megabytes of each answer; what they do not take is held.
        .memory_ceiling(50 * MIB)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let at = server.addresses()[0];
    let ask = async |bytes: usize| {
        let mut peer = Peer::new(TcpStream::connect(at).await.expect("it listens"));
        peer.send(format!("GET /{bytes} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        peer
    };
    let mut fits = ask(30 * MIB).await;
    fits.until("\r\n\r\n").await;
    let _large = ask(60 * MIB).await;
    assert_eq!(
        ends.recv().await,
        Some((60 * MIB, Some(CancelCause::Memory)))
    );
    let _second = ask(40 * MIB).await;
    assert_eq!(
        ends.recv().await,
        Some((40 * MIB, Some(CancelCause::Memory)))
    );
    // What fits is served, and so is who asks for little.
    let mut small = ask(2).await;
    small.until("xx").await;
    assert_eq!(ends.recv().await, Some((2, None)));
    drop(fits.exactly(30 * MIB).await);
    assert_eq!(ends.recv().await, Some((30 * MIB, None)));
    let sessions = server.handle().send(Sessions).await.expect("alive");
    assert_eq!(sessions.len(), 2);
    server.handle().do_send(Dispose);
    server.await.expect("a good end");
}

/// Says which thread it is on, blocks it until it is told to go on, or answers with a lot and tells how that ended.
struct Blocking {
    blocked: mpsc::UnboundedSender<()>,
    go_on: Arc<Mutex<std::sync::mpsc::Receiver<()>>>,
    cut: mpsc::UnboundedSender<CancelCause>,
}

impl HttpHandler for Blocking {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        let body = match request.path() {
            "/thread" => format!("{:?}", std::thread::current().id()),
            "/block" => {
                self.blocked.send(()).expect("awaited");
                let go_on = self.go_on.lock().expect("no panic");
                go_on.recv().unwrap_or_default();
                String::new()
            }
            _ => "x".repeat(60 << 20),
        };
        session.respond(Payload::response(StatusCode::OK).body(body + "."));
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.cut.send(cancelled.cause).unwrap_or_default();
    }
}

/// A worker whose thread is blocked does not keep the sessions of the others from being cut.
#[actix::test]
async fn a_blocked_worker_is_not_waited_for() {
    let (blocked, mut is_blocked) = mpsc::unbounded_channel();
    let (free, go_on) = std::sync::mpsc::channel();
    let go_on = Arc::new(Mutex::new(go_on));
    let (cut, mut is_cut) = mpsc::unbounded_channel();
    let server = HttpServer::new(move |_| Blocking {
        blocked: blocked.clone(),
        go_on: go_on.clone(),
        cut: cut.clone(),
    });
    let server = server
        .signals(false)
        .workers(2)
        .memory_ceiling(50 << 20)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let ask = async |peer: &mut Peer<TcpStream>, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        peer.send(request).await;
    };
    let connect = async || {
        let stream = TcpStream::connect(server.addresses()[0]).await;
        let mut peer = Peer::new(stream.expect("it listens"));
        ask(&mut peer, "/thread").await;
        peer.until("\r\n\r\n").await;
        let thread = peer.until(".").await;
        (peer, thread)
    };
    let (mut busy, of_busy) = connect().await;
    let mut other = loop {
        let (other, thread) = connect().await;
        if thread != of_busy {
            break other;
        }
    };
    ask(&mut busy, "/block").await;
    is_blocked.recv().await.expect("blocked");
    ask(&mut other, "/large").await;
    let cause = timeout(PATIENCE, is_cut.recv()).await;
    assert_eq!(cause, Ok(Some(CancelCause::Memory)));
    free.send(()).expect("it waits");
    busy.until(".").await;
    server.handle().do_send(Dispose);
    server.await.expect("a good end");
}

/// What services hold counts too: bodies that are collected, and bodies that come and are not read.
#[actix::test]
async fn bodies_of_services_count() {
    const MIB: usize = 1 << 20;
    let collect = handler_fn(async |request: Payload| request);
    let (sender, mut cut) = mpsc::unbounded_channel();
    let unread = handler_fn(move |(_, body): (Payload, Incoming)| {
        let cut = Dropped(sender.clone());
        async move {
            let _held = (cut, body);
            std::future::pending::<Payload>().await
        }
    });
    let ceiling = |server: HttpServer, bytes| {
        let server = server.signals(false).workers(1).memory_ceiling(bytes);
        server.bind("127.0.0.1:0").expect("a port").run()
    };
    let send = async |server: &Running, bytes: usize| {
        let at = server.addresses()[0];
        let mut peer = Peer::new(TcpStream::connect(at).await.expect("it listens"));
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MIB}\r\n\r\n");
        peer.send(head).await;
        peer.send("x".repeat(bytes)).await;
        peer
    };
    // Three of them are more than the ceiling.
    let server = ceiling(HttpServer::new(collect), MIB);
    let mut peers = Vec::new();
    for _ in 0..3 {
        peers.push(send(&server, MIB / 2).await);
    }
    let ends = peers
        .into_iter()
        .map(|mut peer| Box::pin(async move { peer.more().await }));
    let (more, _, _) = futures_util::future::select_all(ends).await;
    assert!(!more, "it is cut");
    let server = ceiling(HttpServer::new(unread), 16 << 10);
    let _peer = send(&server, 32 << 10).await;
    assert_eq!(cut.recv().await, Some(()));
}

/// What the reading side has of a request that is not complete counts too: a head, and a body that is delivered inside.
#[actix::test]
async fn requests_that_are_not_complete_count() {
    const KIB: usize = 1 << 10;
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nX: ",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n",
    ] {
        let limits = Limits {
            oneshot: 50_000,
            ..Limits::default()
        };
        let server = HttpServer::new(handler_fn(async |request: Payload| request))
            .signals(false)
            .workers(1)
            .limits(limits)
            .memory_ceiling(50 * KIB)
            .bind("127.0.0.1:0")
            .expect("a port")
            .run();
        // Three of them are more than the ceiling.
        let mut peers = Vec::new();
        for _ in 0..3 {
            let stream = TcpStream::connect(server.addresses()[0]).await;
            let mut peer = Peer::new(stream.expect("it listens"));
            peer.send(request).await;
            peer.send("x".repeat(20 * KIB)).await;
            peers.push(peer);
        }
        let ends = peers.iter_mut().map(|peer| Box::pin(peer.more()));
        let (more, _, others) = futures_util::future::select_all(ends).await;
        assert!(!more, "it is cut: {request}");
        drop(others);
        let sessions = server.handle().send(Sessions).await.expect("alive");
        assert_eq!(sessions.len(), 2, "what fits stays: {request}");
    }
}

/// Says so when it is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send(()).unwrap_or_default();
    }
}
