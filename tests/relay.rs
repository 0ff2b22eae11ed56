//! A reverse proxy made of a server session and a client session: one interface for both ends is enough to join them.
//!
//! Each handler receives messages on one side and hands them to the other; a `Feed` holds the side that sends for each
//! piece until the side that receives has room. Nothing is collected, in either direction.

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actix::Addr;
use bytes::Bytes;
use common::Peer;
use http_actors::{
    Apply, BodySender, Cancel, Cancelled, Failure, Headers, HttpHandler, HttpServer, HttpSession,
    Inspect, MessageId, Method, MuteGuard, Origin, Payload, Responder, Room, Running,
    SessionContext, SessionOptions, Sessions, StatusCode, TransferMode,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A body on its way from one session to the other. Each piece holds its sender until it was taken: one is on its way.
type Part = Result<(Bytes, MuteGuard), Option<Headers>>;

#[derive(Default)]
struct Feed(Option<UnboundedSender<Part>>);

impl Feed {
    fn open(&mut self) -> UnboundedReceiver<Part> {
        let (sender, receiver) = unbounded_channel();
        self.0 = Some(sender);
        receiver
    }

    /// False if nobody takes it any more.
    fn push(&self, part: Part) -> bool {
        self.0
            .as_ref()
            .is_some_and(|sender| sender.send(part).is_ok())
    }
}

/// Ends well only if its feed does: else the writer is dropped, and the receiver sees that the body is not whole.
async fn pump(mut body: BodySender, mut parts: UnboundedReceiver<Part>) {
    while let Some(part) = parts.recv().await {
        match part {
            Ok((data, _guard)) => {
                if body.send(data).await.is_err() {
                    return;
                }
            }
            Err(None) => return drop(body.finish().await),
            Err(Some(trailers)) => return drop(body.finish_with(trailers).await),
        }
    }
}

/// The request that is relayed, between the two handlers.
#[derive(Default)]
struct Lane {
    responder: Option<Responder>,
    upload: Option<UnboundedReceiver<Part>>,
}

struct Front {
    back: Addr<HttpSession>,
    lane: Arc<Mutex<Lane>>,
    asked: Option<MessageId>,
    feed: Feed,
    trailers: Option<Headers>,
}

impl HttpHandler for Front {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        let mut lane = self.lane.lock().expect("no panic");
        lane.responder = Some(session.responder());
        lane.upload = (request.mode() != TransferMode::Oneshot).then(|| self.feed.open());
        let uri = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str())
            .parse()
            .unwrap_or_default();
        let forward = relayed(
            Payload::request(request.method().clone(), uri),
            &request,
            &["host", "expect"],
        );
        self.asked = Some(forward.id());
        self.back.do_send(Apply(forward));
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        self.feed.push(Ok((data, session.hold())));
    }

    fn trailers(&mut self, trailers: Headers, _: &mut SessionContext) {
        self.trailers = Some(trailers);
    }

    fn finished(&mut self, _: &mut SessionContext) {
        self.feed.push(Err(self.trailers.take()));
    }

    fn cancelled(&mut self, _: &Cancelled, _: &mut SessionContext) {
        self.feed = Feed::default();
        if let Some(asked) = self.asked.take() {
            self.back.do_send(Cancel(asked));
        }
    }
}

struct Back {
    lane: Arc<Mutex<Lane>>,
    feed: Feed,
    trailers: Option<Headers>,
}

impl HttpHandler for Back {
    fn apply(&mut self, response: Payload, _: &mut SessionContext) {
        let Some(responder) = self.lane.lock().expect("no panic").responder.take() else {
            return;
        };
        let answer = relayed(
            Payload::response(response.status().unwrap_or_default()),
            &response,
            &[],
        );
        if response.mode() == TransferMode::Oneshot {
            return drop(responder.respond(answer));
        }
        let parts = self.feed.open();
        actix_rt::spawn(async move {
            if let Ok(body) = responder.stream(answer).await {
                pump(body, parts).await;
            }
        });
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        if !self.feed.push(Ok((data, session.hold())))
            && let Some(exchange) = session.exchange()
        {
            session.cancel(exchange);
        }
    }

    fn trailers(&mut self, trailers: Headers, _: &mut SessionContext) {
        self.trailers = Some(trailers);
    }

    fn finished(&mut self, _: &mut SessionContext) {
        self.feed.push(Err(self.trailers.take()));
    }

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        let mut lane = self.lane.lock().expect("no panic");
        lane.responder.iter().for_each(Responder::continue_);
        if let (Some(parts), Some(body)) = (lane.upload.take(), session.body()) {
            actix_rt::spawn(pump(body, parts));
        }
    }

    fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
        self.feed = Feed::default();
        if let Some(responder) = self.lane.lock().expect("no panic").responder.take() {
            let text = format!("the server behind did not answer: {}\n", failure.reason);
            responder.respond(Payload::response(StatusCode::BAD_GATEWAY).body(text));
        }
    }
}

/// The fields that go through, and the body with its mode.
fn relayed(to: Payload, from: &Payload, without: &[&str]) -> Payload {
    const HOP: [&str; 8] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
    ];
    let listed: Vec<_> = from.headers().list("connection").collect();
    // The length of a body that is not sent, as to HEAD, is told all the same.
    let told = !to.is_request()
        && (*from.method() == Method::HEAD || from.status() == Some(StatusCode::NOT_MODIFIED));
    let passes = |name: &str| {
        let hop = HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop))
            && !(told && name.eq_ignore_ascii_case("content-length"));
        !hop && !without.iter().any(|other| name.eq_ignore_ascii_case(other))
            && !listed
                .iter()
                .any(|other| name.as_bytes().eq_ignore_ascii_case(other))
    };
    let to = from
        .headers()
        .iter()
        .filter(|(name, _)| passes(name))
        .fold(to, |to, (name, value)| to.header(name, value));
    match from.mode() {
        TransferMode::Oneshot => to.body(from.body_bytes().clone()),
        TransferMode::Stream => to.length(from.body_size().unwrap_or_default()),
        TransferMode::Chunked => to.chunked(),
    }
}

/// Starts a relay in front of this origin.
fn relay(origin: Origin) -> (Running, SocketAddr) {
    let server = HttpServer::new(move |_session| {
        let lane = Arc::<Mutex<Lane>>::default();
        let behind = lane.clone();
        let back = move |_| Back {
            lane: behind.clone(),
            feed: Feed::default(),
            trailers: None,
        };
        let back = HttpSession::connect(origin.clone(), &back, SessionOptions::for_client());
        Front {
            back,
            lane,
            asked: None,
            feed: Feed::default(),
            trailers: None,
        }
    });
    let running = server
        .signals(false)
        .workers(1)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let address = running.addresses()[0];
    (running, address)
}

/// What stands behind the relay.
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

/// D4: a reader that stops holds the server behind, through both sessions.
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
    loop {
        let now = source.send(Inspect).await.expect("alive");
        if now.throttled_for.is_some() && now.bytes_out == before {
            assert!(now.bytes_out < 64 << 20, "{now:?}");
            break;
        }
        before = now.bytes_out;
        for session in front.handle().send(Sessions).await.expect("alive") {
            assert!(session.send(Inspect).await.expect("alive").outbound_queued <= 256 << 10);
        }
    }
}

/// D1: a client that leaves in mid-answer is noticed by the server behind.
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
    while !behind
        .handle()
        .send(Sessions)
        .await
        .expect("alive")
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
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
        let answer = peer.until("ConnectionRefused\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"),
            "{answer}"
        );
    }
}
