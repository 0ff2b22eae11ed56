//! Unix sockets: the server's file and its life, the client's route.

mod common;

use std::cell::RefCell;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Barrier, mpsc};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use actix::{Actor, ActorContext as _, Context, Handler};
use common::{GET, HI, PATIENCE, Peer, Recorder, eventually, ok, socket_path};
use http_actors::error::CloseReason;
use http_actors::message::{Apply, Dispose, Drain, LocalAddrs, Terminated, Watch};
use http_actors::test_util::Tape;
use http_actors::{
    HalfClose, HttpHandler, HttpRequest, HttpServer, HttpSession, Origin, Payload, Route,
    SessionContext, SessionOptions, StatusCode, handler_fn,
};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

struct Hi;

impl HttpHandler for Hi {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        assert_eq!(session.peer().remote, None);
        let host = request.headers().get("Host").unwrap_or_default().to_vec();
        session.respond(Payload::response(StatusCode::OK).body(host));
    }
}

fn server() -> HttpServer {
    HttpServer::new(|_session| Hi).signals(false).workers(2)
}

/// The workers share the socket, and the host of the origin goes into Host alone. The file goes with the server.
#[actix::test]
async fn a_server_and_a_client() {
    let path = socket_path();
    let running = server().bind_uds(&path).expect("a path").run();
    assert!(running.addresses().is_empty());
    let listed = running.handle().send(LocalAddrs).await.expect("alive");
    assert_eq!(listed, []);
    for _ in 0..8 {
        let (factory, mut heard) = Recorder::script(|_, _| {});
        let options = SessionOptions {
            route: Route::unix(&path),
            ..SessionOptions::for_client()
        };
        let origin = Origin::try_from("http://nowhere.test:81/").expect("a URL");
        let session = HttpSession::connect(origin, &factory, options);
        session.do_send(Apply(Payload::get("/").expect("a path")));
        heard
            .expect(&["apply 200 [nowhere.test:81]", "completed 200 in 15 out 0"])
            .await;
    }
    assert!(path.exists());
    running.handle().do_send(Dispose);
    running.await.expect("an end");
    assert!(!path.exists());
}

/// The file goes at the begin of a drain: another server takes the path over while the exchanges of the first are
/// finished, and keeps it.
#[actix::test]
async fn a_path_is_taken_over_in_a_drain() {
    let path = socket_path();
    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let wait = handler_fn(async move |request: HttpRequest| {
        sender.send(request.responder).expect("the test runs");
    });
    let old = HttpServer::new(wait).signals(false).workers(1);
    let old = old.bind_uds(&path).expect("a path");
    let old = old.bind("127.0.0.1:0").expect("a port").run();
    let client = TcpStream::connect(old.addresses()[0]).await;
    let mut client = Peer::new(client.expect("it listens"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let responder = asked.recv().await.expect("asked");
    let report = actix_rt::spawn(old.handle().send(Drain::default()));
    eventually("a path that is free", async || !path.exists()).await;
    let new = server().bind_uds(&path).expect("it is free").run();
    let answer = Payload::response(StatusCode::OK).body("old");
    responder.respond(answer).await.expect("taken");
    assert!(client.rest().await.ends_with("old"));
    report.await.expect("it ran").expect("a report");
    old.await.expect("an end");
    let mut peer = Peer::new(UnixStream::connect(&path).await.expect("it listens"));
    peer.send("GET / HTTP/1.1\r\nHost: new\r\n\r\n").await;
    peer.until("new").await;
    new.handle().do_send(Dispose);
    new.await.expect("an end");
}

/// A path is taken as soon as it is bound, and not only once the server runs.
#[actix::test]
async fn a_path_is_bound_once() {
    let path = socket_path();
    let one = server().bind_uds(&path).expect("a path");
    let two = server().bind_uds(&path).expect_err("it is taken");
    assert_eq!(two.kind(), ErrorKind::AddrInUse);
    let one = one.run();
    UnixStream::connect(&path).await.expect("it listens");
    one.handle().do_send(Dispose);
    one.await.expect("an end");
}

/// What stands at the path, and what becomes of it.
#[actix::test]
async fn files_in_the_way() {
    let taken = |path: &_| server().bind_uds(path).expect_err("in the way").kind();

    let path = socket_path();
    let living = UnixListener::bind(&path).expect("a socket");
    assert_eq!(taken(&path), ErrorKind::AddrInUse);
    assert!(path.exists());
    drop(living);
    let bound = server().bind_uds(&path).expect("nobody listens any more");
    // A server that never ran leaves nothing behind either.
    drop(bound);
    assert!(!path.exists());

    std::fs::write(&path, "precious").expect("a file");
    assert_eq!(taken(&path), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path).expect("still there"), b"precious");
    std::fs::remove_file(&path).expect("still there");

    assert_eq!(taken(&"".into()), ErrorKind::InvalidInput);
    let nowhere = path.join("below/nothing");
    assert_eq!(taken(&nowhere), ErrorKind::NotFound);
    let error = server().bind_uds(&nowhere).expect_err("no folder");
    let named = format!("cannot listen on {}: ", nowhere.display());
    assert!(error.to_string().starts_with(&named), "{error}");
}

/// A name of Linux without a file.
#[cfg(target_os = "linux")]
#[actix::test]
async fn a_name_without_a_file() {
    let name = format!("\0http-actors-{}", std::process::id());
    let one = server().bind_uds(&name).expect("a name");
    let two = server().bind_uds(&name).expect_err("it is taken");
    assert_eq!(two.kind(), ErrorKind::AddrInUse);
    drop(one);
    server().bind_uds(&name).map(drop).expect("it is free");
}

/// Of servers that find the same stale file, one gets the path.
#[test]
fn a_stale_file_is_replaced_once() {
    const SERVERS: usize = 4;
    for _ in 0..500 {
        let path = socket_path();
        drop(UnixListener::bind(&path).expect("a socket"));
        let (begin, end) = (Barrier::new(SERVERS), Barrier::new(SERVERS));
        let bind = || {
            begin.wait();
            let bound = server().bind_uds(&path);
            end.wait();
            bound.map(drop).map_err(|error| error.kind())
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let servers: Vec<_> = (0..SERVERS).map(|_| scope.spawn(bind)).collect();
            let ended = servers.into_iter().map(ScopedJoinHandle::join);
            ended.map(|result| result.expect("no panic")).collect()
        });
        let (bound, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(bound.len(), 1);
        assert_eq!(refused, [Err(ErrorKind::AddrInUse); SERVERS - 1]);
        assert!(!path.exists());
    }
}

/// Neither who keeps the lock of a folder nor what is no folder makes a server wait for ever.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_is_busy_or_none() {
    use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};

    let bind = |path: PathBuf| {
        let (sender, bound) = mpsc::channel();
        std::thread::spawn(move || {
            let bound = server().bind_uds(path).map(drop);
            sender.send(bound.map_err(|error| error.kind()))
        });
        bound.recv_timeout(PATIENCE).expect("it does not wait")
    };
    let folder = socket_path();
    std::fs::create_dir(&folder).expect("a new folder");
    let lock = File::open(&folder).expect("a folder");
    flock(&lock, FlockOperation::LockExclusive).expect("a lock");
    assert_eq!(bind(folder.join("a")), Ok(()));
    std::fs::remove_dir(&folder).expect("it is empty");
    let pipe = socket_path();
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    assert_eq!(bind(pipe.join("a")), Err(ErrorKind::NotADirectory));
    std::fs::remove_file(&pipe).expect("it is there");
}

/// The file of another server, which took the path over, is left alone.
#[actix::test]
async fn a_file_that_was_replaced() {
    let path = socket_path();
    let bound = server().bind_uds(&path).expect("a path");
    std::fs::remove_file(&path).expect("there");
    let other = UnixListener::bind(&path).expect("a socket");
    drop(bound);
    assert!(path.exists());
    drop(other);
    std::fs::remove_file(&path).expect("there");
}

/// A client waits for a server whose backlog is full, up to the time that it has for connecting.
#[cfg(target_os = "linux")]
#[actix::test]
async fn a_full_backlog() {
    let path = socket_path();
    let address = SockAddr::unix(&path).expect("an address");
    let new = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        socket
    };
    let full = new();
    full.bind(&address).expect("a path");
    full.listen(0).expect("a socket");
    let mut waiting = Vec::new();
    loop {
        let socket = new();
        match socket.connect(&address) {
            Ok(()) => waiting.push(socket),
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    tokio::time::pause();
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let options = SessionOptions {
        route: Route::unix(&path),
        ..SessionOptions::for_client()
    };
    let origin = Origin::try_from("http://a/").expect("a URL");
    let get = || Apply(Payload::get("/").expect("a path"));
    let session = HttpSession::connect(origin, &factory, options);
    session.do_send(get());
    heard
        .expect(&["failed ConnectFailed(TimedOut) Queued"])
        .await;
    session.do_send(get());
    // The clock stands while anybody is busy.
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokio::time::resume();
    for _ in &waiting {
        full.accept().expect("it waits");
    }
    let near = std::os::unix::net::UnixListener::from(full);
    let near = tokio::net::UnixListener::from_std(near).expect("a socket");
    let (near, _) = near.accept().await.expect("a connection");
    let mut server = Peer::new(near);
    server.until("GET / HTTP/1.1\r\n").await;
    server.send("HTTP/1.1 204 None\r\n\r\n").await;
    heard.expect(&["apply 204 []"]).await;
}

/// Unlike TCP, a Unix socket of Linux tells a peer that has closed it from one that only sends no more.
#[cfg(target_os = "linux")]
#[actix::test]
async fn who_has_closed_the_socket_waits_for_no_answer() {
    let gone = "cancelled PeerReset Waiting";
    let responder = Rc::new(RefCell::new(None));
    let keep = |muted: bool| {
        let kept = responder.clone();
        move |_: Payload, session: &mut SessionContext| {
            let responder = session.responder();
            kept.replace(Some((muted.then(|| responder.hold()), responder)));
        }
    };
    let open_with = |options, muted| {
        let (near, far) = UnixStream::pair().expect("a pair");
        let (_session, heard) = common::accept(near, options, keep(muted));
        (Peer::new(far), heard)
    };
    let open = |muted| open_with(SessionOptions::default(), muted);

    let (mut peer, mut heard) = open(false);
    peer.send(GET).await;
    heard.expect(&["apply GET / []"]).await;
    drop(peer);
    assert_eq!(heard.rest().await, [gone]);

    // Through a tap, too.
    let options = SessionOptions {
        tap: Some(Arc::new(Tape::default())),
        ..SessionOptions::default()
    };
    let (mut peer, mut heard) = open_with(options, false);
    peer.send(GET).await;
    heard.expect(&["apply GET / []"]).await;
    drop(peer);
    assert_eq!(heard.rest().await, [gone]);

    // Unless the work is to be finished whoever waits for it.
    let options = SessionOptions {
        half_close: HalfClose::Finish,
        ..SessionOptions::default()
    };
    let (mut peer, mut heard) = open_with(options, false);
    peer.send(GET).await;
    heard.expect(&["apply GET / []"]).await;
    drop(peer);
    heard.expect(&["half_closed"]).await;
    let (_, kept) = responder.take().expect("a request");
    kept.respond(ok("hi"));
    assert_eq!(heard.rest().await, ["cancelled PeerReset Answered"]);

    // The request and the close may be read at once.
    let (mut peer, mut heard) = open(false);
    peer.send(GET).await;
    drop(peer);
    assert_eq!(heard.rest().await, ["apply GET / []", gone]);

    // What was sent before the close is delivered.
    let (mut peer, mut heard) = open(true);
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    peer.send(request).await;
    heard.expect(&["apply POST / stream 100000"]).await;
    peer.send(vec![b'x'; 100_000]).await;
    drop(peer);
    heard.expect(&["half_closed"]).await;
    let (mute, kept) = responder.take().expect("a request");
    drop(mute);
    let told = heard.rest().await;
    let chunks = told.iter().filter_map(|told| told.strip_prefix("chunk "));
    assert_eq!(chunks.map(str::len).sum::<usize>(), 100_000);
    assert_eq!(told[told.len() - 2..], ["finished", gone]);
    drop(kept);

    let (mut peer, mut heard) = open(false);
    peer.send(GET).await;
    peer.close().await;
    heard.expect(&["apply GET / []", "half_closed"]).await;
    let (_, kept) = responder.take().expect("a request");
    kept.respond(ok("hi"));
    assert_eq!(peer.rest().await, HI);
    assert_eq!(heard.rest().await, ["completed 200 in 0 out 2"]);
}

/// Between two requests, a peer that has closed a Unix socket ends the connection as one that sends no more does.
#[actix::test]
async fn who_closes_an_idle_socket_has_cancelled_nothing() {
    struct Watcher(oneshot::Sender<CloseReason>);
    impl Actor for Watcher {
        type Context = Context<Self>;
    }
    impl Handler<Terminated> for Watcher {
        type Result = ();

        fn handle(&mut self, terminated: Terminated, ctx: &mut Self::Context) {
            let (closed, _) = oneshot::channel();
            let told = std::mem::replace(&mut self.0, closed);
            told.send(terminated.reason).expect("the test waits");
            ctx.stop();
        }
    }

    let (near, far) = UnixStream::pair().expect("a pair");
    let answer = |_: Payload, session: &mut SessionContext| session.respond(ok("hi"));
    let (session, mut heard) = common::accept(near, SessionOptions::default(), answer);
    let (told, reason) = oneshot::channel();
    session.do_send(Watch(Watcher(told).start().recipient()));
    let mut peer = Peer::new(far);
    peer.send(GET).await;
    peer.expect(HI).await;
    drop(peer);
    let reason = tokio::time::timeout(PATIENCE, reason).await;
    assert_eq!(reason.expect("it ends"), Ok(CloseReason::PeerClosed));
    let calls = ["apply GET / []", "completed 200 in 0 out 2"];
    assert_eq!(heard.rest().await, calls);
}

/// X10: a peer that goes is noticed while nothing is read.
#[actix::test]
async fn hangups_are_noticed_while_nothing_is_read() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let (_session, mut heard) =
        common::accept(near, SessionOptions::default(), |_, session| session.mute());
    let mut peer = Peer::new(far);
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
        .await;
    heard.expect(&["apply POST / stream 20000"]).await;
    peer.close().await;
    heard.expect(&["half_closed"]).await;
}
