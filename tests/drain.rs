//! The orderly end of a server (N9, B32).

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use actix::Addr;
use common::{GET, HI, Peer};
use http_actors::error::CancelCause;
use http_actors::message::{Dispose, Drain, DrainReport};
use http_actors::{
    Cancelled, ExchangePhase, HttpHandler, HttpServer, Outcome, Payload, Responder, Running,
    ServerActor, SessionContext, SessionOptions, StatusCode,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Enough time for what should have happened long before.
const PATIENCE: Duration = Duration::from_secs(10);

const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";

/// Answers at once, or leaves the answer to the test.
struct Handle(mpsc::UnboundedSender<Heard>);

enum Heard {
    Asked(Responder),
    Leaving,
    Cancelled(CancelCause),
}

impl HttpHandler for Handle {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        if request.path() == "/wait" {
            let asked = Heard::Asked(session.responder());
            self.0.send(asked).unwrap_or_default();
        } else {
            session.respond(hi());
        }
    }

    fn leaving(&mut self, _: &mut SessionContext) {
        self.0.send(Heard::Leaving).unwrap_or_default();
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        let heard = Heard::Cancelled(cancelled.cause);
        self.0.send(heard).unwrap_or_default();
    }
}

fn hi() -> Payload {
    Payload::response(StatusCode::OK).body("hi")
}

struct Served {
    running: Running,
    at: SocketAddr,
    heard: mpsc::UnboundedReceiver<Heard>,
}

fn serve(workers: usize) -> Served {
    let (sender, heard) = mpsc::unbounded_channel();
    let running = HttpServer::new(move |_| Handle(sender.clone()))
        .signals(false)
        .workers(workers)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let at = running.addresses()[0];
    Served { running, at, heard }
}

impl Served {
    async fn connect(&self) -> Peer<TcpStream> {
        Peer::new(TcpStream::connect(self.at).await.expect("it listens"))
    }

    async fn asked(&mut self) -> Responder {
        match self.heard.recv().await.expect("alive") {
            Heard::Asked(responder) => responder,
            Heard::Leaving | Heard::Cancelled(_) => panic!("asked first"),
        }
    }

    async fn leaving(&mut self, sessions: usize) {
        for _ in 0..sessions {
            assert!(matches!(self.heard.recv().await, Some(Heard::Leaving)));
        }
    }
}

/// At the limit of connections, one that is upgraded keeps its place for as long as it likes. Who waits for a place is
/// served in a drain all the same.
#[actix::test]
async fn nobody_waits_for_upgraded_connections() {
    struct Up;
    impl HttpHandler for Up {
        fn apply(&mut self, request: Payload, session: &mut SessionContext) {
            if request.path() != "/up" {
                return session.respond(hi());
            }
            let switch = Payload::response(StatusCode::SWITCHING_PROTOCOLS);
            let upgrade = session.hand_off(switch.header("Upgrade", "echo"));
            let upgrade = upgrade.expect("offered");
            actix::spawn(async move {
                let _kept = upgrade.await.expect("switched");
                std::future::pending::<()>().await;
            });
        }
    }
    let server = HttpServer::new(|_| Up).signals(false).workers(1);
    let server = server.max_connections(1).bind("127.0.0.1:0");
    let running = server.expect("a port").run();
    let connect = async || {
        let stream = TcpStream::connect(running.addresses()[0]).await;
        Peer::new(stream.expect("it listens"))
    };
    let mut up = connect().await;
    up.send("GET /up HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
        .await;
    up.until("\r\n\r\n").await;
    let mut waits = connect().await;
    waits.send(GET).await;
    let report = drain(&running.handle(), PATIENCE);
    assert_eq!(waits.rest().await, LAST);
    assert!(report.await.expect("it ran").cut.is_empty());
    running.await.expect("an end");
}

/// Drains with a window as long as the test wants.
fn drain(server: &Addr<ServerActor>, window: Duration) -> JoinHandle<DrainReport> {
    let report = server.send(Drain {
        window,
        ..Drain::default()
    });
    actix::spawn(async { report.await.expect("alive") })
}

/// Requests in progress are finished, idle connections answer once more within the window and close after it, nothing
/// new is accepted, nothing is cut, and the server's future ends well.
#[actix::test]
async fn nothing_is_lost() {
    let mut served = serve(2);
    let (mut idle, mut late, mut busy) = (
        served.connect().await,
        served.connect().await,
        served.connect().await,
    );
    for peer in [&mut idle, &mut late] {
        peer.send(GET).await;
        peer.expect(HI).await;
    }
    busy.send(WAIT).await;
    let responder = served.asked().await;
    let report = drain(&served.running.handle(), Duration::from_secs(1));
    served.leaving(3).await;
    late.send(GET).await;
    late.expect(LAST).await;
    assert_eq!(late.rest().await, "");
    assert_eq!(idle.rest().await, "", "closed behind the window");
    drop((late, idle));
    responder.respond(hi()).await.expect("in time");
    busy.expect(LAST).await;
    assert_eq!(busy.rest().await, "");
    drop(busy);
    let report = report.await.expect("no panic");
    assert_eq!(report.sessions, 3);
    assert!(report.cut.is_empty());
    assert!(TcpStream::connect(served.at).await.is_err());
    served.running.await.expect("a good end");
}

/// At the deadline what goes on is cut, and the report says whose it was and how far it had come.
#[actix::test]
async fn the_deadline_cuts() {
    let mut served = serve(1);
    let mut busy = served.connect().await;
    let local = busy.io.local_addr().expect("an address");
    busy.send(WAIT).await;
    let responder = served.asked().await;
    let report = served.running.handle().send(Drain {
        window: Duration::ZERO,
        deadline: Duration::from_millis(50),
    });
    let report = report.await.expect("alive");
    assert_eq!(report.sessions, 1);
    let [cut] = &report.cut[..] else {
        panic!("one exchange: {report:?}")
    };
    assert_eq!(cut.peer.remote, Some(local));
    assert_eq!(cut.exchange.id, responder.exchange());
    assert_eq!(cut.exchange.phase, ExchangePhase::Waiting);
    assert_eq!(
        cut.exchange.outcome,
        Outcome::Cancelled(CancelCause::Shutdown)
    );
    assert_eq!(busy.rest().await, "");
    served.leaving(1).await;
    let heard = served.heard.recv().await;
    assert!(matches!(
        heard,
        Some(Heard::Cancelled(CancelCause::Shutdown))
    ));
    drop(responder);
    served.running.await.expect("a good end");
}

/// What the kernel has accepted when the drain begins is served: the worker is held while the clients connect.
#[actix::test]
async fn the_backlog_is_served() {
    struct Hold(Arc<Barrier>);
    impl HttpHandler for Hold {
        fn apply(&mut self, request: Payload, session: &mut SessionContext) {
            if request.path() == "/wait" {
                self.0.wait();
                self.0.wait();
            }
            session.respond(hi());
        }
    }
    let barrier = Arc::new(Barrier::new(2));
    let held = barrier.clone();
    let running = HttpServer::new(move |_| Hold(held.clone()))
        .signals(false)
        .workers(1)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let at = running.addresses()[0];
    let mut first = Peer::new(TcpStream::connect(at).await.expect("it listens"));
    first.send(WAIT).await;
    barrier.wait();
    let mut waiting = Vec::new();
    for _ in 0..200 {
        let mut peer = Peer::new(TcpStream::connect(at).await.expect("it listens"));
        peer.send(GET).await;
        waiting.push(peer);
    }
    let report = drain(&running.handle(), Duration::from_secs(1));
    // Behind the drain in the mailbox of the server: when it is answered the worker has been asked.
    running
        .handle()
        .send(http_actors::message::LocalAddrs)
        .await
        .expect("alive");
    barrier.wait();
    first.expect(HI).await;
    for peer in &mut waiting {
        let head = peer.until("\r\n\r\n").await;
        assert!(head.contains("Connection: close"), "{head}");
        peer.expect("hi").await;
        assert_eq!(peer.rest().await, "");
    }
    drop((first, waiting));
    assert_eq!(report.await.expect("no panic").sessions, 201);
    running.await.expect("a good end");
}

/// Asked again, the server hurries, and both hear the same; stopped meanwhile, it cuts at once and says so.
#[actix::test]
async fn asked_again_it_hurries() {
    let mut served = serve(2);
    let mut busy = served.connect().await;
    busy.send(WAIT).await;
    let _responder = served.asked().await;
    let handle = served.running.handle();
    let first = drain(&handle, Duration::ZERO);
    let second = handle.send(Drain {
        window: Duration::ZERO,
        deadline: Duration::ZERO,
    });
    assert_eq!(second.await.expect("alive").cut.len(), 1);
    assert_eq!(first.await.expect("no panic").cut.len(), 1);
    served.running.await.expect("a good end");

    let mut served = serve(2);
    let mut busy = served.connect().await;
    busy.send(WAIT).await;
    let _responder = served.asked().await;
    let handle = served.running.handle();
    let report = drain(&handle, Duration::ZERO);
    served.leaving(1).await;
    handle.do_send(Dispose);
    assert_eq!(busy.rest().await, "");
    assert_eq!(report.await.expect("no panic").cut.len(), 1);
    served.running.await.expect("a good end");
}

/// Asked once more when the report is out and connections linger still, the server says the same, and ends.
#[actix::test]
async fn asked_after_the_report() {
    let served = serve(1);
    let mut peer = served.connect().await;
    peer.send(GET.replace("\r\n\r\n", "\r\nExpect: nothing\r\n\r\n"))
        .await;
    // The answer is the last thing that the server sends; it reads on for a while.
    peer.until("\r\n\r\n").await;
    let drain = Drain {
        window: Duration::ZERO,
        deadline: Duration::from_millis(50),
    };
    let handle = served.running.handle();
    let first = handle.send(drain).await.expect("alive");
    let second = tokio::time::timeout(PATIENCE, handle.send(drain)).await;
    let second = second.expect("answered").expect("alive");
    assert_eq!(second.sessions, first.sessions);
    let ended = tokio::time::timeout(PATIENCE, served.running).await;
    ended.expect("an end").expect("a good end");
}

/// The earlier deadline holds, also for what is no exchange any more: a connection that lingers.
#[actix::test]
async fn a_deadline_that_is_brought_forward() {
    let mut options = SessionOptions::default();
    options.timeouts.linger = PATIENCE * 3;
    let running = HttpServer::new(|_| Handle(mpsc::unbounded_channel().0))
        .signals(false)
        .workers(1)
        .options(options)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let at = running.addresses()[0];
    let mut peer = Peer::new(TcpStream::connect(at).await.expect("it listens"));
    peer.send(GET.replace("\r\n\r\n", "\r\nExpect: nothing\r\n\r\n"))
        .await;
    peer.until("\r\n\r\n").await;
    let handle = running.handle();
    let first = drain(&handle, Duration::ZERO);
    let second = handle.send(Drain {
        window: Duration::ZERO,
        deadline: Duration::from_millis(50),
    });
    let second = tokio::time::timeout(PATIENCE, second).await;
    second.expect("in time").expect("alive");
    first.await.expect("no panic");
    drop(peer);
    running.await.expect("a good end");
}

/// What a client gets that connects for each request, and how often, until it is refused.
async fn connect_for_each(at: SocketAddr, answered: mpsc::UnboundedSender<()>) {
    while let Ok(stream) = TcpStream::connect(at).await {
        let mut peer = Peer::new(stream);
        peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await;
        assert!(peer.rest().await.ends_with("hi"), "an answer was lost");
        // Nobody counts any more when the server is drained.
        let _ = answered.send(());
    }
}

/// A backlog that never empties keeps no server from its end, and nobody in it loses an answer.
#[actix::test]
async fn those_who_connect_without_end() {
    const CLIENTS: usize = 400;
    let served = serve(1);
    let at = served.at;
    let (answered, mut answers) = mpsc::unbounded_channel();
    let clients = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let clients =
                (0..CLIENTS).map(|_| tokio::spawn(connect_for_each(at, answered.clone())));
            for client in clients.collect::<Vec<_>>() {
                client.await.expect("each answer is whole");
            }
        });
    });
    for _ in 0..2 * CLIENTS {
        answers.recv().await.expect("they ask");
    }
    let drain = Drain {
        window: Duration::ZERO,
        deadline: PATIENCE,
    };
    let report = served.running.handle().send(drain).await.expect("alive");
    assert!(report.cut.is_empty(), "{report:?}");
    served.running.await.expect("it was stopped");
    clients.join().expect("they were refused in the end");
}

/// A peer that got a refusal and stays is no reason to wait.
#[actix::test]
async fn what_lingers_is_cut() {
    let mut options = SessionOptions::default();
    options.timeouts.linger = Duration::from_secs(3600);
    let running = HttpServer::new(|_| Handle(mpsc::unbounded_channel().0))
        .options(options)
        .signals(false)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let stream = TcpStream::connect(running.addresses()[0]).await;
    let mut peer = Peer::new(stream.expect("it listens"));
    peer.send("no HTTP\r\n\r\n").await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 400 "));
    running.handle().do_send(Dispose);
    let ended = tokio::time::timeout(PATIENCE, running).await;
    ended.expect("nobody waits").expect("it was stopped");
}
