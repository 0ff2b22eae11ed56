//! The relay of `examples/relay.rs`: one interface for both ends is enough to join them. Nothing is collected, in
//! either direction, and what is cut at one end is cut at the other.

mod common;
#[path = "../examples/relay.rs"]
#[allow(dead_code, reason = "it has a `main` of its own")]
mod example;

use std::net::SocketAddr;

use bytes::Bytes;
use common::{PATIENCE, Peer, answer_with, eventually, reset_on_drop};
use http_actors::message::{Inspect, Sessions};
use http_actors::{
    Headers, HttpHandler, HttpServer, MessageId, Origin, Payload, Room, Running, SessionContext,
    StatusCode, TransferMode,
};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Starts a relay in front of this origin.
fn relay(origin: Origin) -> (Running, SocketAddr) {
    let server = example::relay(origin).signals(false).workers(1);
    let running = server.bind("127.0.0.1:0").expect("a port").run();
    let address = running.addresses()[0];
    (running, address)
}

/// The server behind the relay.
struct Behind {
    left: usize,
    trailers: Option<Headers>,
}

impl Behind {
    fn pump(&mut self, session: &mut SessionContext) {
        while self.left > 0 {
            self.left -= 1;
            match session.send_chunk(vec![b'x'; 1 << 10]) {
                Ok(Room::Open) => {}
                Ok(Room::Throttled) => return,
                Err(_) => self.left = 0,
            }
        }
        let _ = session.finish();
    }
}

impl HttpHandler for Behind {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        assert!(
            !request.headers().contains("x-hop"),
            "what Connection lists stays on its side"
        );
        if let Some(count) = request.path().strip_prefix("/kib/") {
            self.left = count.parse().expect("a number");
            return session.respond(Payload::response(StatusCode::OK).chunked());
        }
        let answer = Payload::response(StatusCode::OK).header("X-Path", request.path());
        match request.mode() {
            TransferMode::Oneshot => session.respond(answer.body(request.body_bytes().clone())),
            TransferMode::Stream => {
                session.respond(answer.length(request.body_size().unwrap_or_default()));
            }
            TransferMode::Chunked => session.respond(answer.chunked()),
        }
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        let _ = session.send_chunk(data);
    }

    fn trailers(&mut self, trailers: Headers, _: &mut SessionContext) {
        self.trailers = Some(trailers);
    }

    fn finished(&mut self, session: &mut SessionContext) {
        let _ = session.finish_with(&self.trailers.take().unwrap_or_default());
        let _ = session.finish();
    }

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        if self.left > 0 {
            self.pump(session);
        }
    }

    fn unthrottled(&mut self, session: &mut SessionContext) {
        self.pump(session);
    }
}

fn behind() -> (Running, Origin) {
    let server = HttpServer::new(|_session| Behind {
        left: 0,
        trailers: None,
    });
    let running = server
        .signals(false)
        .workers(1)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let origin = format!("http://{}", running.addresses()[0]);
    (running, Origin::try_from(origin.as_str()).expect("a URL"))
}

async fn connect(address: SocketAddr) -> Peer<TcpStream> {
    Peer::new(
        TcpStream::connect(address)
            .await
            .expect("the relay listens"),
    )
}

/// Every transfer mode, both ways, one after the other on one connection.
#[actix::test]
async fn relays_every_mode() {
    let (_behind, origin) = behind();
    let (_relay, address) = relay(origin);
    let mut peer = connect(address).await;
    for _ in 0..3 {
        peer.send("POST /a HTTP/1.1\r\nHost: r\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 3\r\n\r\nabc").await;
        let answer = peer.until("\r\n\r\nabc").await;
        assert!(answer.contains("X-Path: /a\r\n"), "{answer}");
        let long = "y".repeat(50_000);
        peer.send(format!(
            "POST /b HTTP/1.1\r\nHost: r\r\nContent-Length: 50000\r\n\r\n{long}"
        ))
        .await;
        assert!(
            peer.until(&long)
                .await
                .contains("Content-Length: 50000\r\n")
        );
        peer.send("POST /c HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n").await;
        let answer = peer.until("X-Sum: 3\r\n\r\n").await;
        assert!(
            answer.ends_with("3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n"),
            "{answer}"
        );
        peer.send("GET /kib/2000 HTTP/1.1\r\nHost: r\r\n\r\n").await;
        let body = peer.until("\r\n0\r\n\r\n").await;
        assert_eq!(body.matches('x').count(), 2000 << 10);
    }
}

/// A request that expects leave gets it when the server behind asks for the body.
#[actix::test]
async fn relays_leave_to_send() {
    let (_behind, origin) = behind();
    let (_relay, address) = relay(origin);
    let mut peer = connect(address).await;
    peer.send("POST / HTTP/1.1\r\nHost: r\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .await;
    peer.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
    peer.send("abc").await;
    assert!(
        peer.until("\r\n\r\nabc")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
}

/// A reader that stops holds the server behind, through both sessions.
#[actix::test]
async fn a_slow_reader_holds_the_server_behind() {
    let (behind, origin) = behind();
    let (front, address) = relay(origin);
    let mut peer = connect(address).await;
    peer.send("GET /kib/1000000 HTTP/1.1\r\nHost: r\r\n\r\n")
        .await;
    peer.until("\r\n\r\n").await;
    let source = behind
        .handle()
        .send(Sessions)
        .await
        .expect("alive")
        .remove(0);
    let mut before = 0;
    // Until nothing moves any more: what is on its way is what the buffers of the kernel and the two sessions hold.
    eventually("a server that is held", async || {
        let now = source.send(Inspect).await.expect("alive");
        assert!(now.wire_bytes_out < 64 << 20, "{now:?}");
        let held = now.throttled_for.is_some() && now.wire_bytes_out == before;
        before = now.wire_bytes_out;
        for session in front.handle().send(Sessions).await.expect("alive") {
            assert!(session.send(Inspect).await.expect("alive").outbound_queued <= 256 << 10);
        }
        held
    })
    .await;
}

/// A client that leaves in mid-answer is noticed by the server behind.
#[actix::test]
async fn a_client_that_leaves_is_noticed_behind() {
    let (behind, origin) = behind();
    let (_relay, address) = relay(origin);
    let mut peer = connect(address).await;
    peer.send("GET /kib/1000000 HTTP/1.1\r\nHost: r\r\n\r\n")
        .await;
    peer.until("\r\n\r\n").await;
    assert_eq!(
        behind.handle().send(Sessions).await.expect("alive").len(),
        1
    );
    drop(peer);
    eventually("the end of the session behind", async || {
        let sessions = behind.handle().send(Sessions).await.expect("alive");
        sessions.is_empty()
    })
    .await;
}

/// A server behind that is not there is a 502 and not a hang, and the next request tries again.
#[actix::test]
async fn a_server_behind_that_is_not_there() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", unused.local_addr().expect("an address"));
    drop(unused);
    let (_relay, address) = relay(Origin::try_from(origin.as_str()).expect("a URL"));
    let mut peer = connect(address).await;
    for _ in 0..2 {
        peer.send("GET / HTTP/1.1\r\nHost: r\r\n\r\n").await;
        let answer = peer
            .until("connection refused, nobody listens there\n")
            .await;
        assert!(
            answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"),
            "{answer}"
        );
    }
}

/// A relay in front of a server that this test plays: its client, its listener and itself.
async fn between() -> (Peer<TcpStream>, TcpListener, Running) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let (relay, address) = relay(Origin::try_from(origin.as_str()).expect("a URL"));
    (connect(address).await, listener, relay)
}

async fn accept(listener: &TcpListener) -> Peer<TcpStream> {
    Peer::new(listener.accept().await.expect("the relay connects").0)
}

/// Reads to the end, and says whether that was a reset.
async fn is_reset(mut peer: Peer<TcpStream>) -> bool {
    let mut read = Vec::new();
    let rest = peer.io.read_to_end(&mut read);
    let end = tokio::time::timeout(PATIENCE, rest).await;
    let error = end.expect("an end of the connection").err();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

/// A server behind that answers early, and takes no more, while the rest of the request and others behind it stand in
/// front: each is given its own answer.
#[actix::test]
async fn an_early_answer_is_the_only_one() {
    for _ in 0..10 {
        if answer_early().await {
            return;
        }
    }
    panic!("no body that the last part of waits");
}

/// False if the kernel took all of the body in the end, after it had stood: on a loaded machine it may be late.
async fn answer_early() -> bool {
    const PIECE: usize = 16 << 10;
    let (mut peer, listener, relay) = between().await;
    SockRef::from(&listener)
        .set_recv_buffer_size(8 << 10)
        .expect("a socket");
    peer.send("POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let mut behind = accept(&listener).await;
    behind.until("\r\n\r\n").await;
    let front = relay.handle().send(Sessions).await.expect("alive");
    let info = async || front[0].send(Inspect).await.expect("alive");
    let (mut near, mut far) = common::tcp_pair().await;
    let mut stands = async || {
        for _ in 0..100 {
            if info().await.inbound_queued == 0 {
                return false;
            }
            // A trip through the kernel: the relay has the time to go on.
            near.write_all(b"x").await.expect("open");
            far.read_exact(&mut [0]).await.expect("open");
        }
        true
    };
    // How much goes into the buffers on the way differs. So the body grows until a piece of it waits: that and what is
    // behind it are less than a session takes (64 KiB).
    let piece = format!("{PIECE:x}\r\n{}\r\n", "x".repeat(PIECE));
    let mut sent = 0;
    while !stands().await {
        if info().await.body_bytes_in == sent {
            peer.send(&piece).await;
            sent += PIECE as u64;
        }
    }
    let next = |path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.send(format!("0\r\n\r\n{}{}", next("/2"), next("/3")))
        .await;
    // Those behind are among what waits.
    eventually("a relay that stands", &mut stands).await;
    if info().await.body_bytes_in == sent {
        return false;
    }
    // Chunked, because a whole answer would end the connection: nobody knows how much of the body is still to come.
    let first = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n";
    behind.send(first).await;
    peer.expect(first).await;
    // The rest of the first is not wanted, so its connection goes.
    let mut behind = accept(&listener).await;
    for path in ["/2", "/3"] {
        let head = behind.until("\r\n\r\n").await;
        assert!(head.starts_with(&format!("GET {path} ")), "{head}");
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{path}");
        behind.send(&answer).await;
        peer.expect(answer).await;
    }
    true
}

/// What is passed on of both heads, to the byte; interim responses; HEAD; both connections are kept.
#[actix::test]
async fn heads_are_passed_on() {
    let (mut peer, listener, _relay) = between().await;
    peer.send("HEAD /a?b HTTP/1.1\r\nHost: r\r\nX-End: 1\r\nx-hop: 2\r\nTE: trailers\r\nConnection: TE, X-Hop\r\n\r\n").await;
    let mut behind = accept(&listener).await;
    let request = behind.until("\r\n\r\n").await;
    let host = listener.local_addr().expect("an address");
    assert_eq!(
        request,
        format!("HEAD /a?b HTTP/1.1\r\nHost: {host}\r\nX-End: 1\r\nVia: 1.1 relay\r\n\r\n")
    );
    behind.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nDate: now\r\nKeep-Alive: x\r\nContent-Length: 7\r\n\r\n").await;
    peer.expect("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        .await;
    peer.expect("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
        .await;
    peer.send("GET / HTTP/1.1\r\nHost: r\r\n\r\n").await;
    answer_with(
        &mut behind,
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    )
    .await;
    peer.expect("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n")
        .await;
    peer.send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").await;
    assert!(
        peer.until("\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 502 Bad Gateway\r\n")
    );
}

/// The server behind is asked whether it wants the body. If it answers instead, that is passed on, and no body is asked
/// for.
#[actix::test]
async fn leave_may_be_refused() {
    let (mut peer, listener, _relay) = between().await;
    peer.send("PUT / HTTP/1.1\r\nHost: r\r\nExpect: 100-continue\r\nContent-Length: 50000\r\n\r\n")
        .await;
    let mut behind = accept(&listener).await;
    assert!(
        behind
            .until("\r\n\r\n")
            .await
            .contains("Expect: 100-continue\r\n")
    );
    behind
        .send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")
        .await;
    let answer = peer.rest().await;
    assert!(
        answer.starts_with("HTTP/1.1 417 Expectation Failed\r\n") && answer.ends_with("no"),
        "{answer}"
    );
}

/// An answer that comes before the request is complete goes through whole; the upload behind is cut.
#[actix::test]
async fn an_early_answer_goes_through() {
    let (mut peer, listener, _relay) = between().await;
    peer.send("PUT / HTTP/1.1\r\nHost: r\r\nContent-Length: 5000000\r\n\r\nabc")
        .await;
    let mut behind = accept(&listener).await;
    behind.until("\r\n\r\nabc").await;
    behind.send("HTTP/1.1 507 Insufficient Storage\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n").await;
    let answer = peer.until("\r\n0\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 507 Insufficient Storage\r\n"),
        "{answer}"
    );
    assert!(is_reset(behind).await);
}

/// A server behind that leaves before it has answered is a 502, also in mid-upload; after that, a reset.
#[actix::test]
async fn a_server_behind_that_leaves() {
    let (mut peer, listener, _relay) = between().await;
    peer.send("PUT / HTTP/1.1\r\nHost: r\r\nContent-Length: 5000000\r\n\r\nabc")
        .await;
    let mut behind = accept(&listener).await;
    behind.until("abc").await;
    drop(behind);
    assert!(
        peer.until("\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 502 Bad Gateway\r\n")
    );

    for head in ["Content-Length: 50000", "Transfer-Encoding: chunked"] {
        let (mut peer, listener, _relay) = between().await;
        peer.send("GET / HTTP/1.1\r\nHost: r\r\n\r\n").await;
        let mut behind = accept(&listener).await;
        answer_with(
            &mut behind,
            format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n2\r\nab\r\n"),
        )
        .await;
        peer.until("ab").await;
        drop(behind);
        assert!(is_reset(peer).await);
    }
}

/// A client that leaves in mid-upload, or while the answer is awaited, is one whose request is cut behind.
#[actix::test]
async fn a_client_that_leaves_cuts_its_request() {
    for request in [
        "PUT / HTTP/1.1\r\nHost: r\r\nContent-Length: 50000\r\n\r\nabc",
        "PUT / HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "PUT / HTTP/1.1\r\nHost: r\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        let (mut peer, listener, _relay) = between().await;
        peer.send(request).await;
        let mut behind = accept(&listener).await;
        behind.until("abc").await;
        reset_on_drop(&peer.io);
        drop(peer);
        assert!(is_reset(behind).await, "{request}");
    }
}

/// An upload that the server behind does not read is not read here either.
#[actix::test]
async fn a_slow_server_behind_holds_the_client() {
    let (mut peer, listener, relay) = between().await;
    peer.send("PUT / HTTP/1.1\r\nHost: r\r\nContent-Length: 1000000000\r\n\r\n")
        .await;
    let mut behind = accept(&listener).await;
    behind.until("\r\n\r\n").await;
    let flood = vec![b'x'; 64 << 10];
    let pushing = actix::spawn(async move { while peer.io.write_all(&flood).await.is_ok() {} });
    let front = relay
        .handle()
        .send(Sessions)
        .await
        .expect("alive")
        .remove(0);
    let mut before = 0;
    let mut still = 0;
    // Until nothing moves any more: what is on its way is what the buffers of the kernel and the two sessions hold.
    eventually("a client that is held", async || {
        let now = front.send(Inspect).await.expect("alive");
        assert!(now.body_bytes_in < 64 << 20, "{now:?}");
        let held = now.inbound_queued > 0 && now.body_bytes_in == before;
        still = if held { still + 1 } else { 0 };
        before = now.body_bytes_in;
        still == 100
    })
    .await;
    pushing.abort();
}
