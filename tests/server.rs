//! The server: listeners, workers, limits, loggers, and an actor behind it; over loopback TCP.

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use common::{GET, HI, Peer, Written, eventually, reset_on_drop};
use http_actors::log::{CommonLog, ContentsLog, Detail, JsonLog, Logger, Record};
use http_actors::message::{Dispose, Inspect, LocalAddrs, Sessions, SetHandler, SetLogger};
use http_actors::{
    HttpHandler, HttpRequest, HttpServer, HttpSession, Limits, Payload, Responder, Running,
    ServerNotify, SessionContext, SessionOptions, StatusCode, handler_fn,
};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

struct Say(&'static str);

/// The threads of a server end with it, whether anybody waits for that or not.
#[actix::test]
async fn the_threads_of_a_server_that_nobody_waits_for() {
    let (sender, mut gone) = tokio::sync::mpsc::unbounded_channel::<()>();
    let answer = handler_fn(move |_: Payload| {
        let sender = sender.clone();
        // Lives as long as the thread's arbiter.
        actix_rt::spawn(async move {
            std::future::pending::<()>().await;
            drop(sender);
        });
        async { Payload::response(StatusCode::OK).body("hi") }
    });
    let (running, address) = run(HttpServer::new(answer).signals(false).workers(1));
    let mut peer = connect(address).await;
    peer.send(GET).await;
    peer.expect(HI).await;
    let handle = running.handle();
    drop(running);
    handle.do_send(Dispose);
    assert_eq!(gone.recv().await, None);
}

/// What is set alone holds, whether all options are set before or after it.
#[actix::test]
async fn options_may_be_set_in_any_order() {
    let limits = || Limits {
        start_line: 20,
        ..Limits::default()
    };
    for server in [
        hi().limits(limits()).options(SessionOptions::default()),
        hi().options(SessionOptions::default()).limits(limits()),
    ] {
        let (_running, address) = run(server);
        let mut peer = connect(address).await;
        peer.send("GET /long-enough HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        peer.until("HTTP/1.1 414 ").await;
    }
}

/// A server of one worker has its port alone. That of several shares it among them.
#[actix::test]
async fn a_port_of_one_worker_is_its_own() {
    let (_running, address) = run(hi());
    let other = HttpServer::new(|_| Say("other")).share_port(true);
    let error = other.bind(address).map(drop).expect_err("it is taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

impl HttpHandler for Say {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        if request.path() != "/wait" {
            session.respond(Payload::response(StatusCode::OK).body(self.0));
        }
    }
}

fn hi() -> HttpServer {
    HttpServer::new(|_session| Say("hi"))
        .signals(false)
        .workers(1)
}

fn run(server: HttpServer) -> (Running, SocketAddr) {
    let running = server.bind("127.0.0.1:0").expect("a port").run();
    let address = running.addresses()[0];
    (running, address)
}

async fn connect(address: SocketAddr) -> Peer<TcpStream> {
    Peer::new(
        TcpStream::connect(address)
            .await
            .expect("the server listens"),
    )
}

/// P107, P112: port 0 picks one, `LocalAddrs` tells it, and every worker serves.
#[actix::test]
async fn serves_on_every_worker() {
    let (running, address) = run(hi().workers(3));
    assert_ne!(address.port(), 0);
    assert_eq!(
        running.handle().send(LocalAddrs).await.expect("alive"),
        [address]
    );
    let mut peers = Vec::new();
    for _ in 0..30 {
        peers.push(connect(address).await);
    }
    for peer in &mut peers {
        peer.send(GET).await;
        peer.expect(HI).await;
    }
    // P109: each is known from accept to close.
    assert_eq!(
        running.handle().send(Sessions).await.expect("alive").len(),
        30
    );
}

/// P111: dispose cuts every connection, ends the future and tells the notify.
#[actix::test]
async fn dispose_ends_everything() {
    struct Told(Arc<Mutex<Vec<String>>>);
    impl ServerNotify for Told {
        fn listening(&mut self, addresses: &[SocketAddr]) {
            self.0
                .lock()
                .expect("no panic")
                .push(format!("listening on {}", addresses.len()));
        }
        fn closed(&mut self) {
            self.0.lock().expect("no panic").push("closed".to_owned());
        }
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let (running, address) = run(hi().workers(2).notify(Told(told.clone())));
    let mut idle = connect(address).await;
    idle.send(GET).await;
    idle.expect(HI).await;
    let mut waiting = connect(address).await;
    waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    running.handle().send(Dispose).await.expect("alive");
    running.await.expect("ended well");
    assert_eq!(idle.rest().await, "");
    assert_eq!(waiting.rest().await, "");
    TcpStream::connect(address)
        .await
        .expect_err("nobody listens");
    assert_eq!(
        *told.lock().expect("no panic"),
        ["listening on 1", "closed"]
    );
}

/// A port on which somebody listens is refused, also if that is another server of the same kind.
#[actix::test]
async fn a_port_in_use_is_refused() {
    let (_running, address) = run(hi().workers(2));
    let error = hi().bind(address).expect_err("in use");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    let text = error.to_string();
    let named = format!("cannot listen on {address}: ");
    assert!(text.starts_with(&named), "{text}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let error = hi()
        .bind(listener.local_addr().expect("an address"))
        .expect_err("in use");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

/// Of two servers that bind a port before either listens, the first to run gets it.
#[actix::test]
async fn a_port_that_two_have_bound_is_not_shared() {
    // Keeps the port without listening on it.
    let reserved = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    reserved.set_reuse_address(true).expect("an option");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    reserved.bind(&any.into()).expect("a port");
    let address = reserved.local_addr().expect("an address");
    let address = address.as_socket().expect("an address");
    // A name may resolve to an address twice.
    let resolved = [address, address];
    for workers in [1, 2] {
        let [first, second] = ["hi", "ho"].map(|word| {
            let server = HttpServer::new(move |_| Say(word)).signals(false);
            let bound = server.workers(workers).bind(&resolved[..]);
            bound.expect("it is free")
        });
        let first = first.run();
        assert_eq!(first.addresses(), [address]);
        let ended = tokio::time::timeout(Duration::from_secs(10), second.run());
        let error = ended.await.expect("no patience").expect_err("in use");
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        for _ in 0..8 {
            let mut peer = connect(address).await;
            peer.send(GET).await;
            peer.expect(HI).await;
        }
        first.handle().do_send(Dispose);
        first.await.expect("ended well");
    }
}

/// A server without an address ends with an error, and says so to its notify.
#[actix::test]
async fn a_server_without_an_address_fails() {
    struct Told(Arc<Mutex<bool>>);
    impl ServerNotify for Told {
        fn not_listening(&mut self, _: &std::io::Error) {
            *self.0.lock().expect("no panic") = true;
        }
    }
    let told = Arc::new(Mutex::new(false));
    let error = hi()
        .notify(Told(told.clone()))
        .run()
        .await
        .expect_err("not bound");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    let no_port = hi().bind("8080").expect_err("not an address");
    assert_eq!(no_port.kind(), std::io::ErrorKind::InvalidInput);
    assert!(no_port.to_string().contains("HOST:PORT"), "{no_port}");
    assert!(*told.lock().expect("no panic"));
}

/// Each address has its own listener, that of a name as well.
#[actix::test]
async fn a_name_with_several_addresses() {
    let several = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]];
    let several = several.map(|ip| SocketAddr::from((ip, 0)));
    assert_listens_on_all(&several[..]).await;
    let localhost = "localhost:0".to_socket_addrs().expect("a name");
    if localhost.count() > 1 {
        assert_listens_on_all("localhost:0").await;
    } else {
        eprintln!("left out: localhost has one address");
    }
}

async fn assert_listens_on_all(name: impl ToSocketAddrs) {
    let addresses: Vec<SocketAddr> = name.to_socket_addrs().expect("a name").collect();
    let running = hi().bind(name).expect("ports").run();
    let ips = |addresses: &[SocketAddr]| addresses.iter().map(SocketAddr::ip).collect::<Vec<_>>();
    assert_eq!(ips(running.addresses()), ips(&addresses));
    for address in running.addresses() {
        let mut peer = connect(*address).await;
        peer.send(GET).await;
        peer.expect(HI).await;
    }
}

/// All addresses of IPv6 are those of IPv6 alone: the same port of IPv4 is free for another server.
#[actix::test]
async fn ipv6_leaves_ipv4_alone() {
    if let Err(error) = std::net::TcpListener::bind("[::]:0") {
        eprintln!("left out: no IPv6 here: {error}");
        return;
    }
    // The port of IPv4 may belong to anybody; that of all attempts does not.
    for _ in 0..20 {
        let six = hi().bind("[::]:0").expect("a port").run();
        let port = six.addresses()[0].port();
        let other = HttpServer::new(|_| Say("ho")).signals(false).workers(1);
        let Ok(other) = other.bind((Ipv4Addr::UNSPECIFIED, port)) else {
            continue;
        };
        let _four = other.run();
        let localhosts: [(IpAddr, _); 2] = [
            (Ipv6Addr::LOCALHOST.into(), HI.to_owned()),
            (Ipv4Addr::LOCALHOST.into(), HI.replace("hi", "ho")),
        ];
        for (localhost, answer) in localhosts {
            let mut peer = connect((localhost, port).into()).await;
            peer.send(GET).await;
            peer.expect(&answer).await;
        }
        return;
    }
    panic!("IPv6 takes the ports of IPv4");
}

/// A socket that listens already, shared by the workers.
#[actix::test]
async fn serves_a_given_listener() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let running = hi().workers(2).listen(listener).expect("a socket").run();
    assert_eq!(running.addresses(), [address]);
    let mut peer = connect(address).await;
    peer.send(GET).await;
    peer.expect(HI).await;
}

/// At the limit connections wait, and are served when one ends.
#[actix::test]
async fn connections_over_the_limit_wait() {
    let (running, address) = run(hi().max_connections(2).workers(2));
    let mut first = connect(address).await;
    let mut second = connect(address).await;
    for peer in [&mut first, &mut second] {
        peer.send(GET).await;
        peer.expect(HI).await;
    }
    let mut third = connect(address).await;
    third.send(GET).await;
    // A round trip on another connection: the third had every chance to be served wrongly.
    first.send(GET).await;
    first.expect(HI).await;
    assert_eq!(
        running.handle().send(Sessions).await.expect("alive").len(),
        2
    );
    drop(second);
    third.expect(HI).await;
}

/// How many connections wait in the backlog of a port of 127.0.0.1 until they are accepted.
fn backlog(port: u16) -> u32 {
    let all = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let listening = format!(" 0100007F:{port:04X} 00000000:0000 0A ");
    let line = all.lines().find(|line| line.contains(&listening));
    let queues = line.and_then(|line| line.split_whitespace().nth(4));
    let (_, waiting) = queues
        .and_then(|queues| queues.split_once(':'))
        .expect("it listens");
    u32::from_str_radix(waiting, 16).expect("a number")
}

/// At the limit each listener of a worker accepts one more, which waits. The rest stays in the backlogs, and all are
/// served in the end.
#[actix::test]
async fn each_listener_accepts_one_that_waits() {
    let addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); 3];
    let server = hi().max_connections(1).bind(&addresses[..]);
    let running = server.expect("three ports").run();
    let ports: Vec<u16> = running.addresses().iter().map(SocketAddr::port).collect();
    assert_eq!(ports.len(), 3);
    let mut served = connect(running.addresses()[0]).await;
    served.send(GET).await;
    served.expect(HI).await;
    let mut waiting = Vec::new();
    for address in running.addresses().repeat(3) {
        let mut peer = connect(address).await;
        peer.send(GET).await;
        waiting.push(peer);
    }
    let backlogs = || ports.iter().map(|port| backlog(*port)).collect::<Vec<_>>();
    eventually("one of each backlog to be accepted", async || {
        backlogs().iter().sum::<u32>() <= 6
    })
    .await;
    // Round trips on the one that is served: the others had every chance to be accepted wrongly.
    for _ in 0..20 {
        served.send(GET).await;
        served.expect(HI).await;
        assert_eq!(backlogs(), [2, 2, 2]);
    }
    let sessions = running.handle().send(Sessions).await.expect("alive");
    assert_eq!(sessions.len(), 1);
    drop(served);
    let ends = waiting
        .into_iter()
        .map(async |mut peer| peer.expect(HI).await);
    futures_util::future::join_all(ends).await;
}

/// P110: another handler and another logger hold for connections accepted from then on.
#[actix::test]
async fn handlers_and_loggers_can_be_replaced() {
    let (running, address) = run(hi().workers(2));
    let mut old = connect(address).await;
    old.send(GET).await;
    old.expect(HI).await;
    let log = Written::default();
    running
        .handle()
        .send(SetHandler::new(|_: Addr<_>| Say("ho")))
        .await
        .expect("alive");
    running
        .handle()
        .send(SetLogger::new(CommonLog::new(log.clone())))
        .await
        .expect("alive");
    let mut new = connect(address).await;
    new.send(GET).await;
    new.expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nho")
        .await;
    old.send(GET).await;
    old.expect(HI).await;
    new.close().await;
    assert_eq!(new.rest().await, "");
    assert_eq!(
        log.text().lines().count(),
        1,
        "the old connection is not logged"
    );
}

/// P115, P116, B31: the combined log, with the user, the referer under its real name, and what the client sent escaped.
#[actix::test]
async fn the_common_log() {
    let log = Written::default();
    let (_running, address) = run(hi().logger(CommonLog::new(log.clone())));
    let mut peer = connect(address).await;
    let fields =
        "Authorization: Basic am9lIHg6YTpi\r\nReferer: http://b/\r\nUser-Agent: \"quoted\"\r\n";
    peer.send(format!("GET /a?b HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
        .await;
    peer.expect(HI).await;
    peer.send("HEAD / HTTP/1.0\r\n\r\n").await;
    peer.rest().await;
    let text = log.text();
    let lines: Vec<&str> = text.lines().collect();
    let (start, rest) = lines[0].split_once(" [").expect("a date");
    let (date, rest) = rest.split_once("] ").expect("a date");
    assert_eq!(start, "127.0.0.1 - joe_x");
    assert_eq!(date.len(), "06/Nov/1994:08:49:37 +0000".len());
    assert_eq!(
        rest,
        "\"GET /a?b HTTP/1.1\" 200 2 \"http://b/\" \"\\\"quoted\\\"\""
    );
    assert!(
        lines[1].ends_with("\"HEAD / HTTP/1.0\" 200 0 \"-\" \"-\""),
        "{}",
        lines[1]
    );
}

/// Fields that want to forge an entry, in either form of the log: what is not theirs is the same as without them.
#[actix::test]
async fn hostile_fields_stay_in_their_quotes() {
    let fields =
        b"User-Agent: a\" 200 0 \\\"\tx, \"status\":500}\r\nReferer: caf\xe9 \xc2\x9b2J\r\n\r\n";
    let request = [&b"GET /%22%0a HTTP/1.1\r\nHost: a\r\n"[..], fields].concat();

    let log = Written::default();
    let (_running, address) = run(hi().logger(CommonLog::new(log.clone())));
    let mut peer = connect(address).await;
    peer.send(request.clone()).await;
    peer.expect(HI).await;
    peer.close().await;
    peer.rest().await;
    let text = log.text();
    let (_, rest) = text.split_once("] ").expect("a date");
    assert_eq!(
        rest,
        concat!(
            r#""GET /%22%0a HTTP/1.1" 200 2 "caf\xe9 \xc2\x9b2J" "a\" 200 0 \\\"\tx, \"status\":500}""#,
            "\n"
        )
    );

    let log = Written::default();
    let (_running, address) = run(hi().logger(JsonLog::new(log.clone())));
    let mut peer = connect(address).await;
    peer.send(request.clone()).await;
    peer.expect(HI).await;
    peer.close().await;
    peer.rest().await;
    let text = log.text();
    let (start, rest) = text.split_once(r#""client":"#).expect("a client");
    assert_eq!(start.len(), r#"{"time":"1994-11-06T08:49:37.120Z","#.len());
    let (facts, times) = rest.split_once(r#","answer_us":"#).expect("a time");
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let sent = HI.len() - "hi".len() + date.len();
    assert_eq!(
        facts,
        format!(
            r#""127.0.0.1","user":null,"method":"GET","target":"/%22%0a","version":"HTTP/1.1","status":200,"outcome":"completed","cause":null,"head_in":{},"body_in":0,"head_out":{},"body_out":2"#,
            request.len(),
            sent
        )
    );
    let (_, rest) = times.split_once(r#""reused":"#).expect("a fact");
    assert_eq!(
        rest,
        concat!(
            "false,\"referer\":\"caf\u{fffd} \\u009b2J\",",
            r#""user_agent":"a\" 200 0 \\\"\u0009x, \"status\":500}","notes":null}"#,
            "\n"
        )
    );
}

/// What a handler does in one call takes its time, although the session looks at the clock once a turn.
#[actix::test]
async fn a_busy_handler_takes_its_time() {
    const BUSY: Duration = Duration::from_millis(20);
    let log = Written::default();
    let busy = HttpServer::new(|_session| Busy(BUSY));
    let (_running, address) = run(busy
        .signals(false)
        .workers(1)
        .logger(JsonLog::new(log.clone())));
    let mut peer = connect(address).await;
    peer.send("GET / HTTP/1.0\r\n\r\n").await;
    peer.rest().await;
    let text = log.text();
    let micros = |name: &str| -> u64 {
        let (_, rest) = text.split_once(name).expect("a field");
        rest.split(',')
            .next()
            .and_then(|text| text.parse().ok())
            .expect("a number")
    };
    let busy = u64::try_from(BUSY.as_micros()).expect("short");
    assert!(micros("\"answer_us\":") >= busy, "{text}");
    assert!(micros("\"duration_us\":") >= 2 * busy, "{text}");
}

/// Works for a while, before it answers and after.
struct Busy(Duration);

impl HttpHandler for Busy {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        std::thread::sleep(self.0);
        session.respond(Payload::response(StatusCode::OK));
        std::thread::sleep(self.0);
    }
}

/// An exchange that was never answered is logged too.
#[actix::test]
async fn cut_exchanges_are_logged() {
    let log = Written::default();
    let (running, address) = run(hi().logger(CommonLog::new(log.clone())));
    let mut peer = connect(address).await;
    peer.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // The session must know the request before it is cut.
    let sessions = async || running.handle().send(Sessions).await.expect("alive");
    eventually("a session", async || !sessions().await.is_empty()).await;
    let session = sessions().await.remove(0);
    eventually("an exchange", async || {
        session.send(Inspect).await.expect("alive").exchanges > 0
    })
    .await;
    running.handle().send(Dispose).await.expect("alive");
    running.await.expect("ended well");
    assert!(
        log.text()
            .ends_with("\"GET /wait HTTP/1.1\" - 0 \"-\" \"-\"\n"),
        "{}",
        log.text()
    );
}

/// P117: both messages.
#[actix::test]
async fn the_contents_log() {
    let log = Written::default();
    let (_running, address) = run(hi().logger(ContentsLog::new(log.clone())));
    let mut peer = connect(address).await;
    peer.send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    peer.expect(HI).await;
    peer.close().await;
    peer.rest().await;
    assert_eq!(
        log.text(),
        "REQUEST\nPOST /p HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc\nRESPONSE\n200 OK\n\nhi\n\n"
    );
}

mod actor {
    //! An actor as the server.

    use super::*;

    /// Echoes; keeps what it is told to keep; answers one by another thread.
    #[derive(Default)]
    struct Echo {
        kept: Vec<Responder>,
    }

    impl Actor for Echo {
        type Context = Context<Self>;
    }

    impl Handler<HttpRequest> for Echo {
        type Result = ();

        fn handle(
            &mut self,
            HttpRequest {
                request,
                responder,
                peer,
                ..
            }: HttpRequest,
            _: &mut Self::Context,
        ) {
            assert!(peer.remote.is_some());
            let sum = request
                .trailers()
                .and_then(|trailers| trailers.text("x-sum"))
                .unwrap_or("-")
                .to_owned();
            let answer = Payload::response(StatusCode::OK)
                .header("X-Sum", sum)
                .body(request.body_bytes().clone());
            match request.path() {
                "/keep" => self.kept.push(responder),
                "/thread" => drop(std::thread::spawn(move || drop(responder.respond(answer)))),
                _ => drop(responder.respond(answer)),
            }
        }
    }

    fn serve() -> (Addr<Echo>, Running, SocketAddr) {
        let echo = Echo::default().start();
        let (running, address) = run(HttpServer::to_actor(echo.clone().recipient())
            .signals(false)
            .workers(2));
        (echo, running, address)
    }

    fn echoed(body: &str, sum: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nX-Sum: {sum}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Bodies are collected, whatever way they come, trailers too.
    #[actix::test]
    async fn bodies_are_collected() {
        let (_echo, _running, address) = serve();
        let mut peer = connect(address).await;
        for path in ["/", "/thread"] {
            peer.send(format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            ))
            .await;
            peer.expect(&echoed("abc", "-")).await;
            let long = "x".repeat(30_000);
            peer.send(format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n{long}"
            ))
            .await;
            peer.expect(&echoed(&long, "-")).await;
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            peer.send(format!(
                "{head}3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
            ))
            .await;
            peer.expect(&echoed("abcde", "5")).await;
        }
    }

    /// 413 above the limit, announced or found out.
    #[actix::test]
    async fn large_bodies_are_refused() {
        let (_echo, _running, address) = serve();
        let mut peer = connect(address).await;
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n")
            .await;
        assert!(peer.until("\r\n\r\n").await.starts_with("HTTP/1.1 413 "));
        let mut peer = connect(address).await;
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        peer.send(chunk.repeat(17)).await;
        assert!(peer.until("\r\n\r\n").await.starts_with("HTTP/1.1 413 "));
    }

    /// If the actor is gone, the server answers.
    #[actix::test]
    async fn an_actor_that_is_gone_is_answered_for() {
        struct Mortal;
        impl Actor for Mortal {
            type Context = Context<Self>;
        }
        impl Handler<HttpRequest> for Mortal {
            type Result = ();
            fn handle(&mut self, _: HttpRequest, ctx: &mut Self::Context) {
                ctx.stop();
            }
        }
        let server = HttpServer::to_actor(Mortal.start().recipient())
            .signals(false)
            .workers(1);
        let (_running, address) = run(server);
        let mut peer = connect(address).await;
        peer.send(GET).await;
        // The one that it took with it.
        assert!(peer.rest().await.starts_with("HTTP/1.1 500 "));
        let mut peer = connect(address).await;
        for _ in 0..2 {
            peer.send(GET).await;
            peer.expect(
                "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Length: 29\r\n\r\nthe service is not available\n",
            )
            .await;
        }
    }

    /// A supervisor starts an actor anew that has stopped. One that panicked takes its supervisor with it.
    #[actix::test]
    async fn a_supervised_actor_is_started_anew_unless_it_panicked() {
        struct Frail;
        impl Actor for Frail {
            type Context = Context<Self>;
        }
        impl Supervised for Frail {}
        impl Handler<HttpRequest> for Frail {
            type Result = ();
            fn handle(&mut self, request: HttpRequest, ctx: &mut Self::Context) {
                match request.request.path() {
                    "/stop" => ctx.stop(),
                    "/panic" => panic!("on purpose"),
                    _ => {}
                }
                let answer = Payload::response(StatusCode::OK).body("hi");
                drop(request.responder.respond(answer));
            }
        }
        let frail = Supervisor::start(|_| Frail);
        let server = HttpServer::to_actor(frail.recipient());
        let (_running, address) = run(server.signals(false).workers(1));
        for (path, status) in [
            ("/stop", 200),
            ("/", 200),
            ("/panic", 500),
            ("/", 503),
            ("/", 503),
        ] {
            let mut peer = connect(address).await;
            peer.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
                .await;
            let head = peer.until("\r\n\r\n").await;
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status} ")),
                "{path}: {head}"
            );
        }
    }
}

/// Connections that come and go leave nothing behind: the server ends only when the last of each is gone.
#[actix::test]
async fn connections_leave_nothing_behind() {
    let (running, address) = run(hi().max_connections(8));
    for round in 0..200 {
        let mut peer = connect(address).await;
        match round % 4 {
            0 => drop(peer),
            1 => peer.send("GET / HT").await,
            2 => {
                peer.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
                reset_on_drop(&peer.io);
            }
            _ => {
                peer.send(GET).await;
                peer.expect(HI).await;
            }
        }
    }
    running.handle().send(Dispose).await.expect("alive");
    running
        .await
        .expect("every permit, task and session came back");
}

/// A logger that panics loses its entry, whatever it is asked.
#[actix::test]
async fn a_panicking_logger_costs_its_entry() {
    struct Bad;
    impl Logger for Bad {
        fn log(&self, _: &Record<'_>) {
            panic!("on purpose");
        }

        fn detail(&self) -> Detail {
            panic!("on purpose");
        }
    }
    let (_running, address) = run(hi().logger(Bad));
    let mut peer = connect(address).await;
    for _ in 0..2 {
        peer.send(GET).await;
        peer.expect(HI).await;
    }
}

/// What is replaced may panic when it is dropped. The worker still hears what it is told.
#[actix::test]
async fn what_is_replaced_may_panic() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    impl Logger for Bad {
        fn log(&self, _: &Record<'_>) {}
    }
    let bad = Arc::new(Bad);
    let server = HttpServer::new(move |_session| {
        let _kept = &bad;
        Say("old")
    });
    let (running, address) = run(server.logger(Bad).signals(false).workers(1));
    let server = running.handle();
    let handler = SetHandler::new(|_session: Addr<HttpSession>| Say("hi"));
    server.send(handler).await.expect("alive");
    server.send(SetLogger::none()).await.expect("alive");
    let mut peer = connect(address).await;
    peer.send(GET).await;
    peer.expect(HI).await;
    let sessions = server.send(Sessions).await.expect("alive");
    assert_eq!(sessions.len(), 1);
}

/// A factory that panics costs the one connection.
#[actix::test]
async fn a_panicking_factory_costs_one_connection() {
    let made = Arc::new(AtomicUsize::new(0));
    let server = HttpServer::new(move |_session| {
        assert!(made.fetch_add(1, Ordering::SeqCst) > 0, "on purpose");
        Say("hi")
    });
    let (running, address) = run(server.signals(false).workers(1).max_connections(1));
    let mut first = connect(address).await;
    assert_eq!(first.rest().await, "");
    let mut second = connect(address).await;
    second.send(GET).await;
    second.expect(HI).await;
    running.handle().send(Dispose).await.expect("alive");
    running.await.expect("ended well");
}

/// What the application gives to the server actor may panic there. The server goes on, and ends with its threads.
#[actix::test]
async fn panics_in_the_server_actor_do_not_end_it() {
    struct Loud(Arc<AtomicUsize>);
    impl ServerNotify for Loud {
        fn listening(&mut self, _: &[SocketAddr]) {
            panic!("on purpose");
        }

        fn closed(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
            panic!("on purpose");
        }
    }
    struct Single;
    impl Clone for Single {
        fn clone(&self) -> Self {
            panic!("on purpose");
        }
    }
    let (sender, mut gone) = tokio::sync::mpsc::unbounded_channel::<()>();
    let server = HttpServer::new(move |_session| {
        let sender = sender.clone();
        // Lives as long as the thread's arbiter.
        actix_rt::spawn(async move {
            std::future::pending::<()>().await;
            drop(sender);
        });
        Say("hi")
    });
    let closed = Arc::new(AtomicUsize::new(0));
    let server = server.notify(Loud(closed.clone()));
    let (running, address) = run(server.signals(false).workers(2));
    let server = running.handle();
    let single = Single;
    let handler = SetHandler::new(move |_session: Addr<HttpSession>| {
        let _ = &single;
        Say("ho")
    });
    server.send(handler).await.expect("alive");
    for _ in 0..8 {
        let mut peer = connect(address).await;
        peer.send(GET).await;
        peer.expect(HI).await;
    }
    server.send(Dispose).await.expect("alive");
    running.await.expect("ended well");
    assert_eq!(closed.load(Ordering::SeqCst), 1);
    let gone = tokio::time::timeout(Duration::from_secs(10), gone.recv());
    assert_eq!(gone.await.expect("the threads end"), None);
}

/// A server runs on when its future is dropped, and can still be talked to.
#[actix::test]
async fn a_server_outlives_its_future() {
    struct Closed(tokio::sync::mpsc::UnboundedSender<()>);
    impl ServerNotify for Closed {
        fn closed(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (told, mut closed) = tokio::sync::mpsc::unbounded_channel();
    let (running, address) = run(hi().notify(Closed(told)));
    let handle = running.handle().downgrade();
    drop(running);
    let mut peer = connect(address).await;
    peer.send(GET).await;
    peer.expect(HI).await;
    assert!(closed.try_recv().is_err(), "it is not closed");
    handle
        .upgrade()
        .expect("alive")
        .send(Dispose)
        .await
        .expect("alive");
    closed.recv().await.expect("closed");
}

/// A server whose arbiters were stopped, as `System::stop` does, is over.
#[actix::test]
async fn a_server_without_arbiters_has_ended() {
    let running = HttpServer::new(|_| {
        struct Stop;
        impl HttpHandler for Stop {
            fn apply(&mut self, _: Payload, _: &mut SessionContext) {
                actix_rt::Arbiter::current().stop();
            }
        }
        Stop
    })
    .signals(false)
    .workers(1)
    .bind("127.0.0.1:0")
    .expect("a port")
    .run();
    let stream = TcpStream::connect(running.addresses()[0]).await;
    let mut peer = Peer::new(stream.expect("it listens"));
    peer.send(GET).await;
    running.await.expect("nothing was wrong");
}
