//! A connection that is handed over, after 101 and after a 2xx to CONNECT, at both ends (N14).

mod common;

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, AsyncContext as _, Context, Handler, Message, Recipient};
use common::{Heard, Peer, Pipe, Recorder, Served, answer_with, serve, taken, tcp_pair};
use http_actors::error::{FailureReason, RefusedReason, UseError};
use http_actors::message::{Apply, Cancel, Dispose, HandOff};
use http_actors::upgrade::{Answered, NotUpgraded, Upgrade, Upgraded};
use http_actors::{
    ClientBuilder, ClientError, Exchange, HttpClient, HttpHandler, HttpServer, HttpSession,
    Incoming, Method, Origin, Payload, Proxy, Responder, Route, SessionContext, SessionOptions,
    StatusCode, Timeouts,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// For what should have happened long before.
const PATIENCE: Duration = Duration::from_secs(10);

const OFFER: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n";

fn switch() -> Payload {
    Payload::response(StatusCode::SWITCHING_PROTOCOLS).header("Upgrade", "echo")
}

fn offer() -> Payload {
    Payload::get("/chat")
        .expect("a path")
        .header("Upgrade", "echo")
}

fn connect(to: &str) -> Payload {
    Payload::request(Method::CONNECT, to.parse().expect("an authority"))
}

/// Where a handler leaves what its test is to have.
struct Slot<T>(Arc<Mutex<Option<oneshot::Sender<T>>>>);

impl<T> Slot<T> {
    fn new() -> (Self, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Arc::new(Mutex::new(Some(sender)))), receiver)
    }

    fn put(&self, value: T) {
        let sender = self.0.lock().expect("no panic").take();
        assert!(sender.expect("one value").send(value).is_ok());
    }
}

/// A server session whose handler accepts every offer, and what it gets for that.
fn accepting() -> (Served, oneshot::Receiver<Upgrade>) {
    let (slot, upgrade) = Slot::new();
    let served = serve(move |_, session| {
        slot.put(session.hand_off(switch()).expect("offered"));
    });
    (served, upgrade)
}

async fn read(io: &mut Upgraded, length: usize) -> String {
    let mut bytes = vec![0; length];
    io.read_exact(&mut bytes).await.expect("bytes");
    String::from_utf8(bytes).expect("text")
}

/// The bytes behind the offer are the first of the new protocol; the exchange is completed, the handler hears nothing
/// more, the session is gone, and the connection lives.
#[actix::test]
async fn a_server_switches() {
    let (mut served, upgrade) = accepting();
    served.peer.send(format!("{OFFER}GET / HTTP/1.1\r\n")).await;
    let mut io = upgrade.await.expect("told").await.expect("switched");
    served.peer.expect(SWITCHED).await;
    assert_eq!(
        served.heard.rest().await,
        ["apply GET /chat []", "completed 101 in 0 out 0"]
    );
    assert!(served.session.send(Apply(switch())).await.is_err());
    assert_eq!(io.unread(), b"GET / HTTP/1.1\r\n");
    served.peer.send("more").await;
    assert_eq!(read(&mut io, 20).await, "GET / HTTP/1.1\r\nmore");
    io.write_all(b"HTTP/1.1 is over").await.expect("open");
    served.peer.expect("HTTP/1.1 is over").await;
    io.shutdown().await.expect("open");
    assert_eq!(served.peer.rest().await, "");
    drop(served.peer);
    assert_eq!(io.read(&mut [0; 1]).await.expect("an end"), 0);
}

/// The new protocol is read where the old one stopped, wherever reads cut the bytes.
#[actix::test]
async fn the_new_protocol_begins_where_the_old_one_ends() {
    let bytes = format!("{OFFER}0123456789");
    for at in 1..bytes.len() {
        let (mut served, upgrade) = accepting();
        served.peer.send(&bytes[..at]).await;
        tokio::task::yield_now().await;
        served.peer.send(&bytes[at..]).await;
        let mut io = upgrade.await.expect("told").await.expect("switched");
        assert_eq!(read(&mut io, 10).await, "0123456789", "split at {at}");
    }
}

/// An actor of the new protocol: sends everything back.
struct Echo;

impl Actor for Echo {
    type Context = Context<Self>;
}

impl Handler<Upgraded> for Echo {
    type Result = ();

    fn handle(&mut self, io: Upgraded, ctx: &mut Self::Context) {
        ctx.spawn(actix::fut::wrap_future(async move {
            let (mut read, mut write) = tokio::io::split(io);
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
        }));
    }
}

/// Gives every connection away, to an actor that may be on another thread.
struct Giving(Recipient<Upgraded>);

impl HttpHandler for Giving {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        let answer = if *request.method() == Method::CONNECT {
            Payload::response(StatusCode::OK)
        } else {
            switch()
        };
        session
            .address()
            .do_send(HandOff::to(answer, self.0.clone()));
    }
}

/// Two actors over localhost: the client's session hands over to a task, the server's to an actor on another thread. In
/// both forms, an upgrade and a tunnel.
#[actix::test]
async fn both_ends() {
    let arbiter = Arbiter::new();
    let echo = Echo::start_in_arbiter(&arbiter.handle(), |_| Echo).recipient();
    let server = HttpServer::new(move |_| Giving(echo.clone()))
        .workers(1)
        .signals(false)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let at = server.addresses()[0];
    for request in [offer(), connect("far.test:443")] {
        let origin = Origin::try_from(format!("http://{at}/").as_str()).expect("an origin");
        let (factory, heard) = Recorder::script(|_, _| {});
        let session = HttpSession::connect(origin, &factory, SessionOptions::for_client());
        let mut io = taken(&session, HandOff(request)).await;
        ended(heard, &[]).await;
        assert!(!session.connected(), "the session is over");
        io.write_all(b"to and fro").await.expect("open");
        assert_eq!(read(&mut io, 10).await, "to and fro");
        io.shutdown().await.expect("open");
        assert_eq!(io.read(&mut [0; 1]).await.expect("an end"), 0);
    }
    server.handle().do_send(Dispose);
    server.await.expect("an orderly end");
    arbiter.stop();
}

/// The handler heard the response and the end of its exchange, these other things, and nothing more.
async fn ended(mut heard: Heard, others: &[&str]) {
    let all = heard.rest().await;
    assert!(all[0].starts_with("apply "), "{all:?}");
    assert!(all[1].starts_with("completed "), "{all:?}");
    assert_eq!(all[2..], *others);
}

/// A responder hands over from wherever it is.
#[actix::test]
async fn by_a_responder_on_another_thread() {
    let (slot, responder) = Slot::<Responder>::new();
    let mut served = serve(move |_, session| slot.put(session.responder()));
    served.peer.send(OFFER).await;
    let responder = responder.await.expect("asked");
    let (sender, io) = oneshot::channel();
    std::thread::spawn(move || sender.send(responder.hand_off(switch())));
    let mut io = io.await.expect("sent").await.expect("switched");
    served.peer.expect(SWITCHED).await;
    io.write_all(b"hello").await.expect("open");
    served.peer.expect("hello").await;
}

/// What cannot be comes back with the reason, nothing of it was sent, and the request can still be answered.
#[actix::test]
async fn refusals_of_a_server() {
    const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const BODY: &str = "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    let unusable = RefusedReason::Unusable;
    let rows = [
        ("not offered", PLAIN, switch(), unusable(UseError::NoSwitch)),
        (
            "not switching",
            OFFER,
            Payload::response(StatusCode::OK),
            unusable(UseError::NoSwitch),
        ),
        (
            "without a name",
            OFFER,
            Payload::response(StatusCode::SWITCHING_PROTOCOLS),
            unusable(UseError::NoUpgrade),
        ),
        (
            "with a body",
            OFFER,
            switch().body("x"),
            unusable(UseError::BodyNotAllowed),
        ),
        ("a request", OFFER, offer(), unusable(UseError::WrongKind)),
        ("too early", BODY, switch(), RefusedReason::Busy),
    ];
    for (name, request, payload, reason) in rows {
        let payload = Mutex::new(Some(payload));
        let (slot, refusal) = Slot::new();
        let mut served = serve(move |_, session| {
            let payload = payload.lock().expect("no panic").take().expect("one");
            let refused = session.hand_off(payload).expect_err("refused");
            slot.put(refused.reason);
            session.respond(Payload::response(StatusCode::FORBIDDEN).close());
        });
        served.peer.send(request).await;
        assert_eq!(refusal.await.expect("told"), reason, "{name}");
        let answer = served.peer.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{name}: {answer}");
    }
}

/// A refusal that nobody awaits any more goes to the handler, and so does one to a taker by message.
#[actix::test]
async fn refusals_that_nobody_awaits() {
    let mut served = serve(|_, session| {
        drop(
            session
                .responder()
                .hand_off(Payload::response(StatusCode::OK)),
        );
        let taker = Echo.start().recipient();
        session.address().do_send(HandOff::to(offer(), taker));
    });
    served.peer.send(OFFER).await;
    let refused = "refused Unusable(NoSwitch)";
    served
        .heard
        .expect(&[
            "apply GET /chat []",
            "failed Unanswered Waiting",
            refused,
            "refused Closing",
        ])
        .await;
}

/// An offer that is not taken: HTTP goes on, with what came behind the offer.
#[actix::test]
async fn a_server_declines() {
    let mut served = serve(|_, session| {
        session.respond(Payload::response(StatusCode::OK).body("no"));
    });
    served
        .peer
        .send(format!("{OFFER}GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"))
        .await;
    let no = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno";
    served.peer.expect(&format!("{no}{no}")).await;
}

/// Nobody wants the connection any more: it closes.
#[actix::test]
async fn a_taker_that_has_gone() {
    let mut served = serve(|_, session| drop(session.hand_off(switch()).expect("offered")));
    served.peer.send(OFFER).await;
    served.peer.expect(SWITCHED).await;
    assert_eq!(served.peer.rest().await, "");
    served.heard.rest().await;
}

/// A client session over a pipe that has offered to switch, and the server end for the test.
struct Offering {
    session: Addr<HttpSession>,
    server: Peer<DuplexStream>,
    heard: Heard,
    /// What becomes of the offer.
    answer: tokio::task::JoinHandle<Result<Upgraded, NotUpgraded>>,
}

async fn offering(request: Payload, expected: &str) -> Offering {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (factory, heard) = Recorder::script(|_, _| {});
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    let answer = session.send(HandOff(request));
    let mut server = Peer::new(far);
    let answer = actix::spawn(async { answer.await.expect("alive") });
    server.expect(expected).await;
    Offering {
        session,
        server,
        heard,
        answer,
    }
}

const ASKED: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n";
const TUNNEL: &str = "CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\n\r\n";

/// What servers answer, and what becomes of the offer: the bytes behind the head are the new protocol's. A proxy that
/// says HTTP/1.0, or announces lengths that mean nothing here, is understood.
#[actix::test]
async fn servers_that_switch() {
    let rows = [
        (offer(), ASKED, format!("{SWITCHED}data")),
        (offer().length(0), ASKED, format!("{SWITCHED}data")),
        (
            offer(),
            ASKED,
            format!("HTTP/1.1 103 Early Hints\r\n\r\n{SWITCHED}data"),
        ),
        (
            offer(),
            ASKED,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: Echo\r\nConnection: upgrade\r\n\r\ndata"
                .to_owned(),
        ),
        (
            connect("far.test:443"),
            TUNNEL,
            "HTTP/1.1 200 Yes\r\n\r\ndata".to_owned(),
        ),
        (
            connect("far.test:443"),
            TUNNEL,
            "HTTP/1.0 200 Yes\r\n\r\ndata".to_owned(),
        ),
        (
            connect("far.test:443"),
            TUNNEL,
            "HTTP/1.1 204 Yes\r\nContent-Length: 3\r\n\r\ndata".to_owned(),
        ),
    ];
    for (request, head, response) in rows {
        let mut asking = offering(request, head).await;
        asking.server.send(&response).await;
        let mut io = asking.answer.await.expect("no panic").expect("switched");
        assert_eq!(read(&mut io, 4).await, "data", "{response}");
        io.write_all(b"back").await.expect("open");
        asking.server.expect("back").await;
        assert_eq!(
            asking.heard.rest().await.last().expect("something")[..10],
            *"completed "
        );
    }
}

/// Servers that do not switch: the answer says so, the response is the handler's, and the session goes on.
#[actix::test]
async fn servers_that_decline() {
    let rows = [
        (offer(), ASKED, StatusCode::OK),
        (offer(), ASKED, StatusCode::UPGRADE_REQUIRED),
        (
            connect("far.test:443"),
            TUNNEL,
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        ),
    ];
    for (request, head, status) in rows {
        let mut asking = offering(request, head).await;
        let response = format!(
            "HTTP/1.1 {} No\r\nContent-Length: 2\r\n\r\nno",
            status.as_u16()
        );
        asking.server.send(response).await;
        let answer = asking.answer.await.expect("no panic");
        assert!(matches!(answer, Err(NotUpgraded::Declined(said)) if said == status));
        let code = status.as_u16();
        asking
            .heard
            .expect(&[
                &format!("apply {code} [no]"),
                &format!("completed {code} in 2 out 0"),
            ])
            .await;
        asking
            .session
            .do_send(Apply(Payload::get("/2").expect("a path")));
        asking
            .server
            .expect("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
    }
}

/// Servers that break off, or switch to what was not offered: the exchange fails, and there is no connection to take.
#[actix::test]
async fn servers_that_break() {
    let rows = [
        ("", "failed ConnectionClosed(UnexpectedEof) Waiting"),
        ("HTTP/1.1 101", "failed Protocol(Truncated) Waiting"),
        (
            "HTTP/1.1 1x1 No\r\n\r\n",
            "failed Protocol(InvalidStatusLine) Waiting",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n",
            "failed Protocol(UnsolicitedUpgrade) Waiting",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo, chat\r\nConnection: upgrade\r\n\r\n",
            "failed Protocol(UnsolicitedUpgrade) Waiting",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\ndata",
            "failed Protocol(UnsolicitedUpgrade) Waiting",
        ),
    ];
    for (response, end) in rows {
        let mut asking = offering(offer(), ASKED).await;
        asking.server.send(response).await;
        asking.server.close().await;
        let answer = asking.answer.await.expect("no panic");
        assert!(matches!(answer, Err(NotUpgraded::Ended)), "{response}");
        assert_eq!(asking.heard.next().await, end, "{response}");
    }
}

/// Cancelled before the server has answered: the connection is cut, and nobody gets it.
#[actix::test]
async fn an_offer_that_is_cancelled() {
    let mut asking = offering(offer(), ASKED).await;
    asking.session.do_send(Cancel::current());
    assert!(matches!(asking.answer.await, Ok(Err(NotUpgraded::Ended))));
    assert_eq!(asking.server.rest().await, "");
    assert_eq!(asking.heard.next().await, "cancelled Local Waiting");
}

/// A handler that disposes the session, or panics, when it hears that the server has switched: nobody gets the
/// connection, those who wait hear of it, and the session ends.
#[actix::test]
async fn an_offer_that_the_handler_drops() {
    let dispose: fn(&mut SessionContext) = SessionContext::dispose;
    for what in [dispose, |_| panic!("as the test wants")] {
        let (mut server, near) = Peer::open(Pipe::new());
        let (factory, mut heard) = Recorder::script(move |_, session| what(session));
        let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
        let upgrade = session.send(HandOff(offer()));
        server.expect(ASKED).await;
        server.send(SWITCHED).await;
        let upgrade = timeout(PATIENCE, upgrade).await.expect("answered");
        assert!(matches!(upgrade, Ok(Err(NotUpgraded::Ended))));
        assert_eq!(server.rest().await, "");
        heard.expect(&["apply 101 []"]).await;
        heard.rest().await;
    }
}

/// A handler that cancels the exchange when it hears that the server has switched: the connection is cut, nobody gets
/// it, and the session goes on.
#[actix::test]
async fn an_offer_that_the_handler_cancels() {
    tokio::time::pause();
    let (mut server, near) = Peer::open(Pipe::new());
    let (factory, mut heard) = Recorder::script(|_, session| session.cancel_current());
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    let upgrade = session.send(HandOff(offer()));
    server.expect(ASKED).await;
    server.send(format!("{SWITCHED}data")).await;
    let upgrade = timeout(PATIENCE, upgrade).await.expect("answered");
    assert!(matches!(upgrade, Ok(Err(NotUpgraded::Ended))));
    assert_eq!(server.rest().await, "");
    heard
        .expect(&["apply 101 []", "completed 101 in 0 out 0"])
        .await;
    assert!(session.connected(), "it has no connection, and its address");
}

/// Runs something when it hears that the exchange of the switch is over.
struct AtTheEnd {
    slot: Option<Slot<Upgrade>>,
    run: fn(&mut SessionContext),
}

impl HttpHandler for AtTheEnd {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        if let Some(slot) = &self.slot {
            slot.put(session.hand_off(switch()).expect("offered"));
        }
    }

    fn completed(&mut self, _: &Exchange, session: &mut SessionContext) {
        (self.run)(session);
    }
}

/// What both ends of a switch get whose handler does this at the end. The sessions end.
async fn switched_until(run: fn(&mut SessionContext)) -> [Result<Upgraded, NotUpgraded>; 2] {
    tokio::time::pause();
    let (mut server, near) = Peer::open(Pipe::new());
    let client = move |_| AtTheEnd { slot: None, run };
    let session = HttpSession::over(near, "a", &client, SessionOptions::for_client());
    let upgrade = session.send(HandOff(offer()));
    server.expect(ASKED).await;
    server.send(format!("{SWITCHED}data")).await;
    let asked = timeout(PATIENCE, upgrade).await.expect("answered");
    assert!(!session.connected(), "the session is over");

    let (slot, upgrade) = Slot::new();
    let slot = Mutex::new(Some(slot));
    let factory = |_: Addr<HttpSession>| AtTheEnd {
        slot: slot.lock().expect("no panic").take(),
        run,
    };
    let (mut client, session) = Peer::serve_with(Pipe::new(), &factory, SessionOptions::default());
    client.send(format!("{OFFER}data")).await;
    let upgrade = upgrade.await.expect("told");
    let answered = timeout(PATIENCE, upgrade).await.expect("answered");
    assert!(!session.connected(), "the session is over");
    [asked.expect("alive"), answered]
}

/// HTTP is over by then, at either end: if the handler panics, the connection goes to who waits for it all the same.
#[actix::test]
async fn a_handler_that_panics_at_the_end() {
    for switched in switched_until(|_| panic!("as the test wants")).await {
        assert_eq!(read(&mut switched.expect("switched"), 4).await, "data");
    }
}

/// A session that is disposed just before the connection goes to who waits for it: nobody gets it.
#[actix::test]
async fn a_session_that_is_disposed_at_the_end() {
    for switched in switched_until(SessionContext::dispose).await {
        assert!(matches!(switched, Err(NotUpgraded::Ended)));
    }
}

/// Nothing is sent after an offer before it is answered, pipelining or not. What waited when the server switched fails,
/// and was never sent.
#[actix::test]
async fn requests_behind_an_offer() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let options = SessionOptions {
        pipeline: true,
        ..SessionOptions::for_client()
    };
    let session = HttpSession::over(near, "a", &factory, options);
    let mut server = Peer::new(far);
    let taker = Echo.start().recipient();
    session.do_send(HandOff::to(offer(), taker));
    session.do_send(Apply(Payload::get("/2").expect("a path")));
    server.expect(ASKED).await;
    server.send(format!("{SWITCHED}echo this")).await;
    server.expect("echo this").await;
    let closed = FailureReason::ConnectionClosed(ErrorKind::ConnectionAborted);
    assert_eq!(
        heard.rest().await,
        [
            "apply 101 []".to_owned(),
            "completed 101 in 0 out 0".to_owned(),
            format!("failed {closed:?} Queued"),
        ]
    );
}

/// What a client's session does not take.
#[actix::test]
async fn refusals_of_a_client() {
    let (near, _far) = tokio::io::duplex(1 << 16);
    let (factory, _heard) = Recorder::script(|_, _| {});
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    let unusable = RefusedReason::Unusable;
    let rows = [
        (
            Payload::get("/").expect("a path"),
            unusable(UseError::NoUpgrade),
        ),
        (offer().body("x"), unusable(UseError::BodyNotAllowed)),
        (offer().chunked(), unusable(UseError::BodyNotAllowed)),
        (switch(), unusable(UseError::WrongKind)),
    ];
    for (payload, reason) in rows {
        let answer = session.send(HandOff(payload)).await.expect("alive");
        assert!(
            matches!(&answer, Err(NotUpgraded::Refused(refused)) if refused.reason == reason),
            "{answer:?}"
        );
    }
}

/// Disposed while the head that switches waits for a peer that takes nothing: the taker hears of it.
#[actix::test]
async fn disposed_before_the_head_is_out() {
    let (slot, upgrade) = Slot::new();
    let mut served = common::serve_with(SessionOptions::default(), 8, move |_, session| {
        slot.put(session.hand_off(switch()).expect("offered"));
    });
    for piece in OFFER.as_bytes().chunks(8) {
        served.peer.send(piece).await;
    }
    let upgrade = upgrade.await.expect("told");
    served.session.do_send(Dispose);
    assert!(matches!(upgrade.await, Err(NotUpgraded::Ended)));
    assert_eq!(
        served.heard.rest().await,
        ["apply GET /chat []", "cancelled Local Answered"]
    );
}

/// A connection that was handed over counts towards the limit of its server for as long as it lives.
#[actix::test]
async fn an_upgraded_connection_counts_towards_the_limit() {
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Drop;
    /// Keeps what it gets.
    struct Keeper(Option<Upgraded>, Option<oneshot::Sender<()>>);
    impl Actor for Keeper {
        type Context = Context<Self>;
    }
    impl Handler<Upgraded> for Keeper {
        type Result = ();
        fn handle(&mut self, io: Upgraded, _: &mut Self::Context) {
            self.0 = Some(io);
            if let Some(told) = self.1.take() {
                told.send(()).expect("awaited");
            }
        }
    }
    impl Handler<Drop> for Keeper {
        type Result = ();
        fn handle(&mut self, _: Drop, _: &mut Self::Context) {
            self.0 = None;
        }
    }
    let (told, kept) = oneshot::channel();
    let keeper = Keeper(None, Some(told)).start();
    let taker = keeper.clone().recipient();
    let server = HttpServer::new(move |_| Giving(taker.clone()))
        .workers(1)
        .max_connections(1)
        .signals(false)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let at = server.addresses()[0];
    let mut first = Peer::new(tokio::net::TcpStream::connect(at).await.expect("open"));
    first.send(OFFER).await;
    kept.await.expect("handed over");
    let mut second = Peer::new(tokio::net::TcpStream::connect(at).await.expect("open"));
    second.send(OFFER).await;
    let sessions = server.handle().send(http_actors::message::Sessions).await;
    assert_eq!(sessions.expect("alive").len(), 0, "the second waits");
    keeper.do_send(Drop);
    first.expect(SWITCHED).await;
    assert_eq!(first.rest().await, "");
    second.expect(SWITCHED).await;
    server.handle().do_send(Dispose);
    server.await.expect("an orderly end");
}

/// A connection that is reset looks cut at its peer, and one that is dropped looks complete.
#[actix::test]
async fn a_connection_is_reset() {
    let rows: [(fn(Upgraded), _); 2] = [
        (drop, Ok(0)),
        (Upgraded::reset, Err(ErrorKind::ConnectionReset)),
    ];
    for (end, seen) in rows {
        let (near, far) = tcp_pair().await;
        let (slot, upgrade) = Slot::new();
        let _session = common::accept(near, SessionOptions::default(), move |_, session| {
            slot.put(session.hand_off(switch()).expect("offered"));
        });
        let mut peer = Peer::new(far);
        peer.send(OFFER).await;
        let mut io = upgrade.await.expect("told").await.expect("switched");
        peer.expect(SWITCHED).await;
        io.write_all(b"part").await.expect("open");
        peer.expect("part").await;
        end(io);
        let read = peer.io.read(&mut [0; 1]).await;
        assert_eq!(read.map_err(|error| error.kind()), seen);
    }
}

/// Passes an offer on to the server behind, and copies what follows. If one end breaks off, so does the other.
struct Gateway(HttpClient);

impl HttpHandler for Gateway {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        let (client, responder) = (self.0.clone(), session.responder());
        actix::spawn(async move {
            let offer = offer().with_uri("http://behind.test/".parse().expect("a url"));
            let Ok(Answered::Switched(_, mut there)) = client.upgrade(offer).await else {
                panic!("it switches");
            };
            let mut here = responder.hand_off(switch()).await.expect("switched");
            if tokio::io::copy_bidirectional(&mut here, &mut there)
                .await
                .is_err()
            {
                here.reset();
                there.reset();
            }
        });
    }
}

/// What was cut at one end of a gateway is cut at the other, whichever that is.
#[actix::test]
async fn a_gateway_passes_a_reset_on() {
    for by_client in [true, false] {
        let behind = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let to = behind.local_addr().expect("an address");
        let client = HttpClient::builder().route(Route::address(to)).build();
        let (near, far) = tcp_pair().await;
        let _session = HttpSession::accept(
            near,
            &move |_| Gateway(client.clone()),
            SessionOptions::default(),
        );
        let mut client = Peer::new(far);
        client.send(OFFER).await;
        let mut server = Peer::new(behind.accept().await.expect("a connection").0);
        answer_with(&mut server, SWITCHED).await;
        client.expect(SWITCHED).await;
        client.send("to").await;
        server.expect("to").await;
        server.send("fro").await;
        client.expect("fro").await;
        let (cut, mut told) = if by_client {
            (client, server)
        } else {
            (server, client)
        };
        common::reset_on_drop(&cut.io);
        drop(cut);
        let read = told.io.read(&mut [0; 1]).await;
        let error = read.expect_err("cut, and not complete");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

/// A reset between the answer and the hand-over is the taker's to find.
#[actix::test]
async fn a_reset_before_the_hand_over_is_for_the_taker() {
    let (near, far) = tcp_pair().await;
    let (slot, upgrade) = Slot::new();
    let (_session, mut heard) =
        common::accept(near, SessionOptions::default(), move |_, session| {
            slot.put(session.hand_off(switch()).expect("offered"));
        });
    let mut peer = Peer::new(far);
    peer.send(OFFER).await;
    peer.close().await;
    let mut io = upgrade.await.expect("told").await.expect("switched");
    assert!(io.peer().remote.is_some());
    peer.expect(SWITCHED).await;
    assert_eq!(io.read(&mut [0; 1]).await.expect("an end"), 0);
    io.write_all(b"still here").await.expect("half open");
    peer.expect("still here").await;
    assert_eq!(
        heard.rest().await.last().expect("an end"),
        "completed 101 in 0 out 0"
    );
}

/// A server that the test controls, for an `HttpClient`.
struct Far {
    listener: TcpListener,
    url: String,
}

impl Far {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        Self { listener, url }
    }

    async fn accept(&self) -> Peer<TcpStream> {
        let accepted = timeout(common::PATIENCE, self.listener.accept()).await;
        Peer::new(accepted.expect("in time").expect("accepted").0)
    }

    /// Accepts a connection, and answers the first request on it.
    async fn answer(&self, answer: &str) -> Peer<TcpStream> {
        let mut peer = self.accept().await;
        answer_with(&mut peer, answer).await;
        peer
    }

    fn get(&self) -> Payload {
        Payload::get(format!("{}/chat", self.url)).expect("a url")
    }

    fn offer(&self) -> Payload {
        self.get().header("Upgrade", "echo")
    }
}

fn switched(answered: Result<Answered, ClientError>) -> (Payload, Upgraded) {
    match answered {
        Ok(Answered::Switched(head, io)) => (head, io),
        other => panic!("{other:?}"),
    }
}

fn declined(answered: Result<Answered, ClientError>) -> (Payload, Incoming) {
    match answered {
        Ok(Answered::Declined(head, body)) => (head, body),
        other => panic!("{other:?}"),
    }
}

fn why(answered: Result<Answered, ClientError>) -> (String, ClientError) {
    let error = answered.expect_err("no answer");
    (format!("{:?}", error.kind()), error)
}

const HI: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// The head of the switch, and the connection with what came behind it, which outlives its client.
#[actix::test]
async fn an_http_client_switches() {
    let far = Far::new().await;
    let hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let head = SWITCHED.replace("\r\n\r\n", "\r\nX-Key: a\r\n\r\n");
    for answer in [format!("{head}data"), format!("{hints}{head}data")] {
        let client = HttpClient::new();
        let served = async {
            let mut peer = far.accept().await;
            let asked = peer.until("\r\n\r\n").await;
            peer.send(&answer).await;
            (peer, asked)
        };
        let (answered, (mut peer, asked)) = tokio::join!(client.upgrade(far.offer()), served);
        let (head, mut io) = switched(answered);
        drop(client);
        assert_eq!(head.status(), Some(StatusCode::SWITCHING_PROTOCOLS));
        assert_eq!(head.headers().text("X-Key"), Some("a"));
        assert!(asked.ends_with("Upgrade: echo\r\nConnection: upgrade\r\n\r\n"));
        assert_eq!(read(&mut io, 4).await, "data");
        io.write_all(b"back").await.expect("open");
        peer.expect("back").await;
        drop(io);
        assert_eq!(peer.rest().await, "");
    }
}

/// The URL of a WebSocket is that of its server by HTTP, for an offer alone. What is to be secure is not sent plain.
#[actix::test]
async fn urls_of_web_sockets() {
    let far = Far::new().await;
    let client = HttpClient::new();
    let at = far.url.trim_start_matches("http://");
    for (scheme, path, asked) in [
        ("ws", "/chat?a=b", "GET /chat?a=b HTTP/1.1\r\n"),
        ("WS", "", "GET / HTTP/1.1\r\n"),
    ] {
        let offer = Payload::get(format!("{scheme}://{at}{path}")).expect("a url");
        let offer = client.upgrade(offer.header("Upgrade", "echo"));
        let served = async {
            let mut peer = far.accept().await;
            peer.expect(&format!("{asked}Host: {at}\r\n")).await;
            peer.send(SWITCHED).await;
            peer
        };
        let (answered, _peer) = tokio::join!(offer, served);
        switched(answered);
    }
    let url = |scheme| format!("{scheme}://{at}/");
    let get = |scheme| Payload::get(url(scheme)).expect("a url");
    let refused = "Unusable(UnsupportedScheme)";
    for scheme in ["ws", "wss"] {
        let error = client.request(get(scheme)).await.expect_err("not HTTP");
        assert_eq!(format!("{:?}", error.kind()), refused);
        let session = client.session(&url(scheme), |_| Giving(Echo.start().recipient()));
        assert_eq!(
            format!("{:?}", session.expect_err("not HTTP").kind()),
            refused
        );
    }
    let offer = get("wsx").header("Upgrade", "echo");
    assert_eq!(why(client.upgrade(offer).await).0, refused);
    // What comes back is what was given.
    for (url, fields, expected) in [
        (
            "ws://127.0.0.1:1/a?b",
            &["Upgrade"][..],
            "Failed(ConnectFailed(ConnectionRefused))",
        ),
        (
            "wss://127.0.0.1:1/",
            &["Upgrade"],
            "Failed(ConnectFailed(ConnectionRefused))",
        ),
        ("WS://127.0.0.1:1/", &[], "Unusable(NoUpgrade)"),
        ("ws://a@127.0.0.1:1/", &["Upgrade"], "Unusable(UserInfo)"),
    ] {
        let given = Payload::get(url).expect("a url");
        let add = |offer: Payload, name: &&str| offer.header(name, "echo");
        let offer = fields.iter().fold(given.clone(), add);
        let (kind, error) = why(client.upgrade(offer).await);
        assert_eq!(kind, expected, "{url}");
        let back = error.into_payload().expect("it was not answered");
        assert_eq!(back.uri(), given.uri());
    }
    let user = format!("ws://user@{at}/");
    let offer = Payload::get(user).expect("a url").header("Upgrade", "echo");
    assert_eq!(why(client.upgrade(offer).await).0, "Unusable(UserInfo)");
    let offer = client.upgrade(get("wss").header("Upgrade", "echo"));
    let served = async {
        let mut peer = far.accept().await;
        peer.close().await;
        assert!(!peer.rest().await.contains("GET"));
    };
    let (answered, ()) = tokio::join!(offer, served);
    assert!(answered.expect_err("not secure").is_connect());
}

/// Whatever declines comes whole, and its connection closes. A redirect is not followed.
#[actix::test]
async fn an_http_client_is_declined() {
    let far = Far::new().await;
    let client = HttpClient::builder()
        .redirects(5)
        .connections_per_origin(1)
        .build();
    let long = "x".repeat(20_000);
    let rows = [
        (Method::GET, 200, "Content-Length: 2\r\n\r\nno", "no"),
        (
            Method::GET,
            426,
            "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            "no",
        ),
        (
            Method::GET,
            302,
            "Location: /other\r\nContent-Length: 0\r\n\r\n",
            "",
        ),
        (Method::GET, 204, "\r\n", ""),
        (Method::HEAD, 200, "Content-Length: 90\r\n\r\n", ""),
        (
            Method::GET,
            403,
            &format!("Content-Length: 20000\r\n\r\n{long}"),
            &long,
        ),
        (Method::POST, 400, "Content-Length: 1\r\n\r\n!", "!"),
    ];
    for (method, status, rest, expected) in rows {
        let url = format!("{}/chat", far.url).parse().expect("a url");
        let offer = Payload::request(method, url).header("Upgrade", "echo");
        let answer = format!("HTTP/1.1 {status} No\r\n{rest}");
        let (answered, mut peer) = tokio::join!(client.upgrade(offer), far.answer(&answer));
        let (head, mut body) = declined(answered);
        assert_eq!(head.status().expect("a response").as_u16(), status);
        assert_eq!(body.bytes(1 << 20).await.expect("whole"), expected);
        assert_eq!(peer.rest().await, "", "{status}");
    }
}

/// A body that is not read holds the server, and the place of its connection; one that is dropped gives both up.
#[actix::test]
async fn a_declined_offer_is_read_slowly() {
    const LENGTH: usize = 32 << 20;
    let far = Far::new().await;
    let client = HttpClient::builder().connections_per_origin(1).build();
    for read in [LENGTH, 1] {
        let answer = format!("HTTP/1.1 403 No\r\nContent-Length: {LENGTH}\r\n\r\n");
        let (answered, peer) = tokio::join!(client.upgrade(far.offer()), far.answer(&answer));
        let (_, mut body) = declined(answered);
        let mut io = peer.io;
        let sending = actix::spawn(async move {
            let sent = io.write_all(&vec![b'x'; LENGTH]).await;
            // Until the client closes: nothing more is sent on this connection.
            let _ = io.read(&mut [0; 1]).await;
            sent.is_ok()
        });
        let mut next = Box::pin(client.request(far.get()));
        assert!(futures_util::poll!(&mut next).is_pending());
        let mut whole = 0;
        while whole < read {
            whole += body.next().await.expect("more").expect("sent").len();
        }
        assert!(futures_util::poll!(&mut next).is_pending() || read == LENGTH);
        assert!(!sending.is_finished());
        drop(body);
        let (answered, _peer) = tokio::join!(next, far.answer(HI));
        assert_eq!(answered.expect("a place").body_bytes(), "hi");
        assert_eq!(sending.await.expect("no panic"), read == LENGTH);
    }
}

/// A switch to what was not offered is an error, and so is every other end. Nothing is sent again, and the error says
/// what may be.
#[actix::test]
async fn an_http_client_gets_no_answer() {
    let unsolicited = "Failed(Protocol(UnsolicitedUpgrade))";
    let rows = [
        ("", "Failed(ConnectionClosed(UnexpectedEof))", true),
        ("HTTP/1.1 101", "Failed(Protocol(Truncated))", false),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n",
            unsolicited,
            false,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\ndata",
            unsolicited,
            false,
        ),
    ];
    for (answer, expected, again) in rows {
        let far = Far::new().await;
        let client = HttpClient::new();
        let served = async {
            let mut peer = far.answer(answer).await;
            peer.close().await;
            peer
        };
        let (answered, mut peer) = tokio::join!(client.upgrade(far.offer()), served);
        // A connection that was given away by mistake has no end.
        let (kind, error) = why(answered);
        assert_eq!(kind, expected);
        assert_eq!(peer.rest().await, "");
        assert_eq!(error.is_retry_safe(), again, "{answer}");
        assert!(
            error.into_payload().is_some(),
            "{answer}: it was not answered"
        );
    }
}

/// What cannot be an offer comes back, and nothing is sent.
#[actix::test]
async fn what_an_http_client_cannot_offer() {
    let client = HttpClient::new();
    let get = || Payload::get("http://127.0.0.1:1/").expect("a url");
    let rows = [
        (get(), "NoUpgrade"),
        (get().header("Upgrade", "echo").body("x"), "BodyNotAllowed"),
        (get().header("Upgrade", "echo").chunked(), "BodyNotAllowed"),
        (offer(), "NotAbsolute"),
        (switch(), "WrongKind"),
        (get().header("Upgrade", "a\nb"), "InvalidValue"),
        (connect("far.test:443"), "NoProxy"),
        (connect("/path"), "InvalidUrl"),
    ];
    for (payload, expected) in rows {
        let (kind, error) = why(client.upgrade(payload).await);
        assert_eq!(kind, format!("Unusable({expected})"));
        assert!(error.is_retry_safe() && error.into_payload().is_some());
    }
    let proxy = Proxy::all("127.0.0.1:1").expect("a url");
    let behind = HttpClient::builder().proxy(proxy).build();
    for (target, expected) in [
        ("far.test", "Unusable(InvalidUrl)"),
        ("far.test:", "Unusable(InvalidUrl)"),
        ("far.test:1", "Failed(ConnectFailed(ConnectionRefused))"),
    ] {
        let (kind, error) = why(behind.upgrade(connect(target)).await);
        assert_eq!(kind, expected, "{target}");
        assert!(error.is_retry_safe() && error.into_payload().is_some());
    }
    let (kind, error) = why(client.upgrade(get().header("Upgrade", "echo")).await);
    assert_eq!(kind, "Failed(ConnectFailed(ConnectionRefused))");
    assert!(error.is_connect() && error.is_retry_safe());
    let arbiter = Arbiter::new();
    let client = HttpClient::on(arbiter.handle());
    arbiter.stop();
    arbiter.join().expect("no panic");
    let (kind, error) = why(client.upgrade(get().header("Upgrade", "echo")).await);
    assert_eq!(kind, "Refused(Closing)");
    assert!(error.is_retry_safe() && error.into_payload().is_some());
}

/// A server that switches before it has read the offer may take the rest of it for the new protocol.
#[actix::test]
async fn a_switch_that_comes_too_early() {
    let (sender, mut opened) = tokio::sync::mpsc::unbounded_channel();
    let route = Route::through(move |_origin| {
        let (near, far) = tokio::io::duplex(16);
        sender.send(far).expect("the test listens");
        async { Ok(near) }
    });
    let client = HttpClient::builder().route(route).build();
    let offer = Payload::get("http://a/chat").expect("a url");
    let served = async {
        let mut peer = Peer::new(opened.recv().await.expect("opened"));
        peer.send(SWITCHED).await;
        peer
    };
    let offer = client.upgrade(offer.header("Upgrade", "echo"));
    let (answered, _peer) = tokio::join!(offer, served);
    let (kind, error) = why(answered);
    assert_eq!(kind, "Failed(ConnectionClosed(ConnectionAborted))");
    assert!(!error.is_retry_safe());
}

/// An offer has a connection of its own: the idle ones of the pool may be stale, and stay where they are.
#[actix::test]
async fn an_offer_leaves_the_pool_alone() {
    let far = Far::new().await;
    let client = HttpClient::new();
    let (answered, mut pooled) = tokio::join!(client.request(far.get()), far.answer(HI));
    answered.expect("an answer");
    let (answered, _peer) = tokio::join!(client.upgrade(far.offer()), far.answer(SWITCHED));
    let (_, _io) = switched(answered);
    let no = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
    let (answered, _peer) = tokio::join!(client.upgrade(far.offer()), far.answer(no));
    drop(declined(answered));
    let again = answer_with(&mut pooled, HI);
    let (answered, ()) = tokio::join!(client.request(far.get()), again);
    answered.expect("an answer over the same connection");
    pooled.close().await;
    let (answered, _peer) = tokio::join!(client.upgrade(far.offer()), far.answer(SWITCHED));
    switched(answered);
}

/// An offer takes a place among the connections of its origin while it is undecided, and none afterwards.
#[actix::test]
async fn an_offer_takes_a_place_until_it_is_decided() {
    let far = Far::new().await;
    let client = HttpClient::builder().connections_per_origin(1).build();
    let mut offering = Box::pin(client.upgrade(far.offer()));
    assert!(futures_util::poll!(&mut offering).is_pending());
    let mut peer = far.accept().await;
    peer.until("\r\n\r\n").await;
    let mut next = Box::pin(client.request(far.get()));
    assert!(futures_util::poll!(&mut next).is_pending());
    peer.send(SWITCHED).await;
    let (_, mut io) = switched(offering.await);
    let (answered, _other) = tokio::join!(next, far.answer(HI));
    answered.expect("a place");
    io.write_all(b"still here").await.expect("open");
    peer.expect("still here").await;
}

/// An offer that is dropped, wherever it is, closes its connection and gives its place back.
#[actix::test]
async fn an_offer_that_is_dropped() {
    let far = Far::new().await;
    let client = HttpClient::builder().connections_per_origin(1).build();
    let head = "HTTP/1.1 403 No\r\nContent-Length: 20000\r\n\r\nabc";
    for said in ["", "HTTP/1.1 103 Early Hints\r\n\r\n", SWITCHED, head] {
        let mut offering = Box::pin(client.upgrade(far.offer()));
        // One that waits for its turn, too.
        let mut waiting = Box::pin(client.upgrade(far.offer()));
        assert!(futures_util::poll!(&mut offering).is_pending());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(waiting);
        let mut peer = far.answer(said).await;
        if said == SWITCHED || said == head {
            // The answer is there, or is not: both are dropped.
            common::eventually("the answer", async || {
                futures_util::poll!(&mut offering).is_ready()
            })
            .await;
        }
        drop(offering);
        assert_eq!(peer.rest().await, "", "{said}");
        let (answered, mut peer) = tokio::join!(client.request(far.get()), far.answer(HI));
        answered.expect("a place");
        peer.close().await;
        assert_eq!(peer.rest().await, "");
    }
    // Before anything of it was sent, and before there is a connection.
    let mut offering = Box::pin(client.upgrade(far.offer()));
    assert!(futures_util::poll!(&mut offering).is_pending());
    drop(offering);
    let served = async {
        // The connection of the offer may have been accepted by the system.
        let mut peer = far.accept().await;
        while !peer.more().await {
            peer = far.accept().await;
        }
        answer_with(&mut peer, HI).await;
        peer
    };
    let (answered, _peer) = tokio::join!(client.request(far.get()), served);
    answered.expect("a place");
}

/// Dropped in any turn between the offer and the switch: nobody has the connection, and the place is free.
#[actix::test]
async fn an_offer_that_is_dropped_in_any_turn() {
    for turns in 0..16 {
        let far = Far::new().await;
        let client = HttpClient::builder().connections_per_origin(1).build();
        let mut offering = Box::pin(client.upgrade(far.offer()));
        assert!(futures_util::poll!(&mut offering).is_pending());
        let mut peer = far.answer(SWITCHED).await;
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let switched = futures_util::poll!(&mut offering);
        drop((switched, offering));
        assert_eq!(peer.rest().await, "", "{turns}");
        let (answered, _peer) = tokio::join!(client.request(far.get()), far.answer(HI));
        answered.expect("a place");
    }
}

/// The time of a request covers an offer until it is answered, and nothing afterwards.
#[actix::test]
async fn the_time_of_an_offer() {
    let time = Some(Duration::from_secs(30));
    let response = Timeouts {
        response: time,
        ..Timeouts::for_client()
    };
    let exchange = Timeouts {
        exchange: time,
        ..Timeouts::for_client()
    };
    let builder = HttpClient::builder;
    let rows: [(ClientBuilder, &str); 3] = [
        (builder().timeout(time), "TimedOut"),
        (
            builder().timeouts(response),
            "Cancelled(Deadline(Response))",
        ),
        (
            builder().timeouts(exchange),
            "Cancelled(Deadline(Exchange))",
        ),
    ];
    for (client, expected) in rows {
        let far = Far::new().await;
        let client = client.build();
        let served = async {
            let mut peer = far.answer("").await;
            tokio::time::pause();
            let rest = peer.rest().await;
            tokio::time::resume();
            rest
        };
        let (answered, rest) = tokio::join!(client.upgrade(far.offer()), served);
        let (kind, error) = why(answered);
        assert_eq!((kind.as_str(), rest.as_str()), (expected, ""));
        assert!(error.is_timeout() && error.is_retry_safe());
        assert!(error.into_payload().is_some());
        let (answered, mut peer) = tokio::join!(client.upgrade(far.offer()), far.answer(SWITCHED));
        let (_, mut io) = switched(answered);
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        tokio::time::resume();
        io.write_all(b"still here").await.expect("open");
        peer.expect("still here").await;
    }
}

/// Through a proxy an offer gets a tunnel, for plain `http` too. The proxy alone gets its credentials.
#[actix::test]
async fn an_offer_through_a_proxy() {
    let far = Far::new().await;
    let at = far.url.trim_start_matches("http://").to_owned();
    let proxy = Proxy::http(&format!("u:p@{at}")).expect("a url");
    let client = HttpClient::builder().proxy(proxy).build();
    let there = || Payload::get("http://far.test/chat").expect("a url");
    let served = async {
        let mut peer = far.accept().await;
        peer.expect(
            "CONNECT far.test:80 HTTP/1.1\r\nHost: far.test:80\r\nProxy-Authorization: Basic dTpw\r\n\r\n",
        )
        .await;
        peer.send("HTTP/1.1 200 OK\r\n\r\n").await;
        peer.expect(ASKED.replace("Host: a", "Host: far.test"))
            .await;
        peer.send(format!("{SWITCHED}data")).await;
        peer
    };
    let (answered, _peer) = tokio::join!(client.upgrade(there().header("Upgrade", "echo")), served);
    let (_, mut io) = switched(answered);
    assert_eq!(read(&mut io, 4).await, "data");
    let no = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let offer = client.upgrade(there().header("Upgrade", "echo"));
    let (answered, mut peer) = tokio::join!(offer, far.answer(no));
    let (kind, error) = why(answered);
    assert_eq!(kind, "Failed(NoTunnel(403))");
    assert!(error.is_connect() && error.is_retry_safe());
    assert_eq!(peer.rest().await, "");
    // An ordinary request is still sent to the proxy, whole, and not over what was a tunnel.
    let served = async {
        let mut peer = far.accept().await;
        let head = peer.until("\r\n\r\n").await;
        assert!(head.starts_with("GET http://far.test/chat "), "{head}");
        peer.send(HI).await;
        peer
    };
    let (answered, _peer) = tokio::join!(client.request(there()), served);
    answered.expect("an answer");
}

/// A CONNECT goes to the proxy, and becomes the tunnel. What fails comes back without the credentials.
#[actix::test]
async fn a_tunnel_of_an_http_client() {
    let far = Far::new().await;
    let at = far.url.trim_start_matches("http://").to_owned();
    let proxy = Proxy::all(&format!("u:p@{at}")).expect("a url");
    let client = HttpClient::builder()
        .proxy(proxy.except("near.test"))
        .build();
    let asked = TUNNEL.replace("\r\n\r\n", "\r\nProxy-Authorization: Basic dTpw\r\n\r\n");
    let served = async |answer: &str| {
        let mut peer = far.accept().await;
        peer.expect(&asked).await;
        peer.send(answer).await;
        peer
    };
    let tunnel = || client.upgrade(connect("far.test:443"));
    let answer = served("HTTP/1.1 200 Yes\r\n\r\ndata");
    let (answered, mut peer) = tokio::join!(tunnel(), answer);
    let (head, mut io) = switched(answered);
    assert_eq!(head.status(), Some(StatusCode::OK));
    assert_eq!(read(&mut io, 4).await, "data");
    io.write_all(b"back").await.expect("open");
    peer.expect("back").await;
    let answer = served("HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno");
    let (answered, mut peer) = tokio::join!(tunnel(), answer);
    let (head, mut body) = declined(answered);
    let status = Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    assert_eq!(head.status(), status);
    assert_eq!(body.bytes(10).await.expect("whole"), "no");
    assert_eq!(peer.rest().await, "", "it is no connection to the server");
    let (answered, peer) = tokio::join!(tunnel(), async {
        let mut peer = served("").await;
        peer.close().await;
        peer
    });
    drop(peer);
    let (kind, error) = why(answered);
    assert_eq!(kind, "Failed(ConnectionClosed(UnexpectedEof))");
    assert!(!error.is_retry_safe(), "a tunnel may have been made");
    let back = error.into_payload().expect("it was not answered");
    assert!(back.headers().get("Proxy-Authorization").is_none());
    let (kind, _) = why(client.upgrade(connect("near.test:443")).await);
    assert_eq!(kind, "Unusable(NoProxy)");
}
