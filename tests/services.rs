//! Services that are no state machines: async functions, and actors that get bodies as they come.

mod common;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::task::Poll;
use std::time::Duration;

use actix::{Actor, ActorContext as _, Addr, Handler};
use bytes::Bytes;
use common::{GET, HI, PATIENCE, Peer as FarEnd, Pipe, Recorder, tcp_pair};
use futures_util::{StreamExt as _, stream};
use http_actors::error::{BodyError, CancelCause, Deadline, FailureReason, WireError};
use http_actors::message::Dispose;
use http_actors::{
    ErrorResponse, HandlerFactory, HttpRequest, HttpSession, Incoming, Method, Payload, Peer,
    SessionOptions, StatusCode, Timeouts, handler_fn,
};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

const ERROR: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n\
                     Content-Length: 28\r\n\r\nthe server could not answer\n";

/// A session with this service at the end of a pipe that holds little.
fn serve(factory: &impl HandlerFactory) -> (Addr<HttpSession>, FarEnd) {
    serve_with(factory, SessionOptions::default())
}

fn serve_with(
    factory: &impl HandlerFactory,
    options: SessionOptions,
) -> (Addr<HttpSession>, FarEnd) {
    let (peer, session) = FarEnd::serve_with(Pipe::new().capacity(1 << 10), factory, options);
    (session, peer)
}

fn ok() -> Payload {
    Payload::response(StatusCode::OK)
}

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

/// Says so when it is dropped.
struct Dropped(mpsc::UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[actix::test]
async fn a_function_gets_the_body_inside() {
    let echo = handler_fn(async |request: Payload| {
        let sum = request.trailers().and_then(|fields| fields.text("x-sum"));
        ok().header("X-Sum", sum.unwrap_or("-"))
            .body(request.into_body())
    });
    let (_session, mut peer) = serve(&echo);
    let long = "x".repeat(30_000);
    let rows = [
        (post("Content-Length: 3\r\n", "abc"), "-", "abc"),
        (post("Content-Length: 30000\r\n", &long), "-", &*long),
        (
            post(
                "Transfer-Encoding: chunked\r\n",
                "3\r\nabc\r\n1\r\nd\r\n0\r\nX-Sum: 4\r\n\r\n",
            ),
            "4",
            "abcd",
        ),
    ];
    for (request, sum, body) in rows {
        peer.send(request).await;
        let len = body.len();
        peer.expect(format!(
            "HTTP/1.1 200 OK\r\nX-Sum: {sum}\r\nContent-Length: {len}\r\n\r\n{body}"
        ))
        .await;
    }
    peer.send(post("Content-Length: 1048577\r\n", "")).await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 413 "));
}

/// A function may learn the addresses of the connection, however it takes the body.
#[actix::test]
async fn a_function_gets_the_addresses() {
    let inside = handler_fn(async |(request, peer): (Payload, Peer)| {
        let text = format!("{} {:?}", peer, peer.remote);
        ok().header("X-Peer", text).body(request.into_body())
    });
    let streamed = handler_fn(async |(_, body, peer): (Payload, Incoming, Peer)| {
        let text = format!("{} {:?}", peer, peer.remote);
        (ok().header("X-Peer", text).length(3), body)
    });
    let (near, far) = tcp_pair().await;
    HttpSession::accept(near, &inside, SessionOptions::default());
    reads_its_address(far).await;
    let (near, far) = tcp_pair().await;
    HttpSession::accept(near, &streamed, SessionOptions::default());
    reads_its_address(far).await;
    // A pipe has none.
    let (_session, mut peer) = serve(&inside);
    peer.send(post("Content-Length: 3\r\n", "abc")).await;
    peer.until("X-Peer: - None\r\n").await;
}

async fn reads_its_address(io: tokio::net::TcpStream) {
    let own = io.local_addr().expect("an address");
    let mut client = FarEnd::new(io);
    client.send(post("Content-Length: 3\r\n", "abc")).await;
    let answer =
        format!("HTTP/1.1 200 OK\r\nX-Peer: 127.0.0.1 Some({own})\r\nContent-Length: 3\r\n\r\nabc");
    client.expect(answer).await;
}

/// A head that announces a body which nobody could write is no answer.
#[actix::test]
async fn a_function_returns_no_head_alone() {
    let answer = handler_fn(async |request: Payload| match request.path() {
        "/chunked" => ok().chunked(),
        "/none" => ok().length(0),
        "/same" => Payload::response(StatusCode::NOT_MODIFIED).length(5),
        _ => ok().length(5),
    });
    let (_session, mut peer) = serve(&answer);
    for path in ["/chunked", "/length"] {
        peer.send(GET.replacen('/', path, 1)).await;
        peer.expect(ERROR).await;
    }
    // Where none follows, the head is all there is.
    let head = GET.replacen("GET", "HEAD", 1);
    for (request, expected) in [
        (head.clone(), "200 OK\r\nContent-Length: 5\r\n\r\n"),
        (
            head.replacen('/', "/chunked", 1),
            "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            GET.replacen('/', "/none", 1),
            "200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        (GET.replacen('/', "/same", 1), "304 Not Modified\r\n\r\n"),
    ] {
        peer.send(request).await;
        peer.expect(format!("HTTP/1.1 {expected}")).await;
    }
}

/// A peer that reads the echo slowly is read slowly: what is under way is bounded.
#[actix::test]
async fn a_function_gets_the_body_as_it_comes() {
    tokio::time::pause();
    let echo = handler_fn(async |(_, body): (Payload, Incoming)| (ok(), body));
    let (_session, mut peer) = serve(&echo);
    peer.send(post("Content-Length: 3\r\n", "abc")).await;
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    peer.expect(format!("{head}3\r\nabc\r\n0\r\n\r\n")).await;
    peer.send(post("Content-Length: 1000000\r\n", "")).await;
    let all = "x".repeat(1_000_000);
    let short = Duration::from_secs(10);
    let sent = tokio::time::timeout(short, peer.send(&all)).await;
    assert!(
        sent.is_err(),
        "a million bytes were taken from a peer that reads nothing"
    );
    let taken = peer.transcript().sent().len();
    assert!(taken < 400_000, "{taken}");
}

#[actix::test]
async fn a_body_that_nobody_reads_holds_the_peer() {
    tokio::time::pause();
    let deaf = handler_fn(async |(_, mut body): (Payload, Incoming)| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let all = body.bytes(1 << 20).await;
        ok().body(format!("{:?}", all.map(|all| all.len())))
    });
    let (_session, mut peer) = serve(&deaf);
    peer.send(post("Content-Length: 500000\r\n", "")).await;
    let began = tokio::time::Instant::now();
    peer.send("x".repeat(500_000)).await;
    assert_eq!(
        began.elapsed().as_secs(),
        60,
        "all was taken before it was asked for"
    );
    peer.expect("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nOk(500000)")
        .await;
}

/// A body that is dropped unread follows the rules for early answers: a short rest is read and dropped, a long one is
/// not.
#[actix::test]
async fn a_body_that_nobody_wants_is_dropped() {
    let deaf = handler_fn(async |(_, body): (Payload, Incoming)| {
        drop(body);
        ok().body("hi")
    });
    let (_session, mut peer) = serve(&deaf);
    peer.send(post("Content-Length: 20000\r\n", "")).await;
    peer.expect(HI).await;
    peer.send("x".repeat(20_000)).await;
    peer.send(GET).await;
    peer.expect(HI).await;
    peer.send(post("Content-Length: 70000\r\n", "")).await;
    peer.expect("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
        .await;
}

/// The rest of a body that is dropped half-way is read while the answer is made.
#[actix::test]
async fn a_dropped_body_does_not_hold_the_peer() {
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(Some(receiver)));
    let picky = handler_fn(async move |(_, mut body): (Payload, Incoming)| {
        let first = body.next().await;
        drop(body);
        let gate = receiver.lock().await.take();
        gate.expect("one request").await.expect("it opens");
        ok().body(format!("{}", first.is_some()))
    });
    let (_session, mut peer) = serve(&picky);
    peer.send(post("Content-Length: 500000\r\n", "")).await;
    peer.send("x".repeat(500_000)).await;
    sender.send(()).expect("it waits");
    peer.expect("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue")
        .await;
}

#[actix::test]
async fn a_body_is_read_on_another_thread() {
    let far = handler_fn(async |(_, mut body): (Payload, Incoming)| {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let collected = runtime.expect("a runtime").block_on(body.bytes(1 << 20));
            let _ = sender.send(collected);
        });
        let all = receiver.await??;
        Ok::<_, Box<dyn std::error::Error>>(ok().body(format!("{}", all.len())))
    });
    let (_session, mut peer) = serve(&far);
    peer.send(post("Content-Length: 500000\r\n", "")).await;
    peer.send("x".repeat(500_000)).await;
    peer.expect("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n500000")
        .await;
}

/// A 100 is sent when the body is first waited for, and not if it is not.
#[actix::test]
async fn leave_to_send_is_given_by_whoever_reads() {
    let collect = handler_fn(async |(request, mut body): (Payload, Incoming)| {
        if request.headers().contains("x-no") {
            return Ok(ok().body("hi"));
        }
        Ok::<_, BodyError>(ok().body(body.bytes(100).await?))
    });
    let expect = "Content-Length: 2\r\nExpect: 100-continue\r\n";
    let (_session, mut peer) = serve(&collect);
    peer.send(post(expect, "")).await;
    peer.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
    peer.send("hi").await;
    peer.expect(HI).await;
    peer.send(post(&format!("X-No: 1\r\n{expect}"), "")).await;
    assert!(peer.until("hi").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

/// A body read as bytes by other crates: what cut it is the kind of the error.
#[actix::test]
async fn a_cut_body_is_an_io_error() {
    tokio::time::pause();
    let (tell, mut told) = mpsc::unbounded_channel();
    let store = handler_fn(async move |(_, body): (Payload, Incoming)| {
        let tell = tell.clone();
        let stored = actix::spawn(async move {
            let mut body = StreamReader::new(body);
            for _ in 0..2 {
                let read = body.read(&mut [0; 8]).await.map_err(|error| error.kind());
                tell.send(read).expect("the test runs");
            }
        });
        drop(stored.await);
        ok()
    });
    for (end, kind) in [
        ("close", ErrorKind::UnexpectedEof),
        ("reset", ErrorKind::ConnectionReset),
        ("silence", ErrorKind::TimedOut),
        ("nonsense", ErrorKind::InvalidData),
    ] {
        let (_session, mut peer) = serve(&store);
        peer.send(post("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n"))
            .await;
        assert_eq!(told.recv().await, Some(Ok(1)), "{end}");
        match end {
            "close" => peer.close().await,
            "reset" => peer.reset(),
            "nonsense" => peer.send("x\r\n").await,
            _ => {}
        }
        assert_eq!(told.recv().await, Some(Err(kind)), "{end}");
    }
}

/// Whoever waits for leave to send is not late: no clock runs before the leave is given.
#[actix::test]
async fn nobody_is_late_without_leave() {
    tokio::time::pause();
    let slow = handler_fn(async |(_, mut body): (Payload, Incoming)| {
        tokio::time::sleep(Duration::from_secs(100)).await;
        Ok::<_, BodyError>(ok().body(body.bytes(100).await?))
    });
    let (_session, mut peer) = serve(&slow);
    let expect = "Content-Length: 2\r\nExpect: 100-continue\r\n";
    peer.send(post(expect, "")).await;
    peer.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
    peer.send("hi").await;
    peer.expect(HI).await;
    peer.send(post(expect, "")).await;
    peer.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 408 "));
    // A body that is empty, and comes without leave, leaves the clock of an idle connection running.
    let (_session, mut peer) = serve(&slow);
    let expect = "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n";
    peer.send(post(expect, "0\r\n\r\n")).await;
    peer.until("\r\n\r\n").await;
    assert_eq!(peer.rest().await, "");
}

/// Before the head of a streamed success the leave is given, even where the body is held up: behind it none may come.
#[actix::test]
async fn leave_comes_before_a_streamed_success() {
    let echo = handler_fn(async |mut request: HttpRequest| {
        let mut body = request.take_body();
        let hold = request.responder.hold();
        let answer = request.responder.stream(ok().chunked()).await;
        let mut answer = answer.expect("taken");
        drop(hold);
        while let Some(Ok(piece)) = body.next().await {
            answer.send(piece).await.expect("taken");
        }
        answer.finish().await.expect("taken");
    });
    let (_session, mut peer) = serve(&echo);
    peer.send(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""))
        .await;
    peer.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    peer.send("hi").await;
    peer.until("\r\n\r\n2\r\nhi\r\n0\r\n\r\n").await;
}

#[actix::test]
async fn errors_and_panics_are_answered_for() {
    let picky = handler_fn(async |(request, mut body): (Payload, Incoming)| {
        assert_ne!(request.path(), "/panic", "on purpose");
        if request.path() == "/interim" {
            return Ok(Payload::response(StatusCode::PROCESSING));
        }
        let body = body.bytes(5).await?;
        let text = std::str::from_utf8(&body)?;
        Ok::<_, Box<dyn std::error::Error>>(ok().body(text.to_owned()))
    });
    let (_session, mut peer) = serve(&picky);
    peer.send(post("Content-Length: 1\r\n", "\u{7f}")).await;
    peer.expect("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\u{7f}")
        .await;
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\xff")
        .await;
    peer.expect(ERROR).await;
    peer.send("GET /interim HTTP/1.1\r\nHost: a\r\n\r\n").await;
    peer.expect(ERROR).await;
    peer.send(post("Content-Length: 6\r\n", "abcdef")).await;
    peer.expect(
        "HTTP/1.1 413 Payload Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 15\r\n\r\nbody too large\n",
    )
    .await;
    peer.send("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let rest = peer.rest().await;
    assert!(rest.starts_with("HTTP/1.1 500 "), "{rest}");
    assert!(rest.contains("Connection: close"), "{rest}");
}

/// An error that wraps others, as those of an application do.
#[derive(Debug)]
struct Wrapped(Box<dyn Error + Send + Sync>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the application failed")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// An error may choose the answer, itself or as the source of another, and the connection goes on.
#[actix::test]
async fn errors_with_an_answer_of_their_own() {
    let picky = handler_fn(async |(request, mut body): (Payload, Incoming)| {
        let missing = || ErrorResponse::new(StatusCode::NOT_FOUND, "no such page\n");
        let login = Payload::response(StatusCode::UNAUTHORIZED)
            .header("WWW-Authenticate", "Basic")
            .body("who?");
        let endless = Payload::response(StatusCode::OK).chunked();
        match request.path() {
            "/" => Ok(ok().body("hi")),
            "/missing" => Err(missing().into()),
            "/wrapped" => Err(Wrapped(missing().into()).into()),
            "/login" => Err(Wrapped(Wrapped(ErrorResponse::from(login).into()).into()).into()),
            "/endless" => Err(ErrorResponse::from(endless).into()),
            "/long" => {
                let all = body.bytes(2).await;
                Err(Wrapped(all.expect_err("too long").into()).into())
            }
            _ => Err(Box::<dyn Error>::from("other")),
        }
    });
    let (_session, mut peer) = serve(&picky);
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n\
                   Content-Length: 13\r\n\r\nno such page\n";
    let login = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\
                 Content-Length: 4\r\n\r\nwho?";
    let long = "HTTP/1.1 413 Payload Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Length: 15\r\n\r\nbody too large\n";
    for (path, answer) in [
        ("/missing", missing),
        ("/wrapped", missing),
        ("/login", login),
        ("/endless", ERROR),
        ("/long", long),
        ("/other", ERROR),
        ("/", HI),
    ] {
        peer.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        ))
        .await;
        peer.expect(answer).await;
    }
}

/// What reading a body and asking an actor fail with becomes an answer by `?` alone.
#[actix::test]
async fn errors_that_become_answers_by_themselves() {
    #[derive(actix::Message)]
    #[rtype(result = "()")]
    struct Ask;

    struct Gone;

    impl Actor for Gone {
        type Context = actix::Context<Self>;

        fn started(&mut self, ctx: &mut Self::Context) {
            ctx.stop();
        }
    }

    impl Handler<Ask> for Gone {
        type Result = ();

        fn handle(&mut self, _: Ask, _: &mut Self::Context) {}
    }

    let gone = Gone.start();
    let asks = handler_fn(async move |(request, mut body): (Payload, Incoming)| {
        if request.path() == "/actor" {
            gone.send(Ask).await?;
        }
        Ok::<_, ErrorResponse>(ok().body(body.bytes(2).await?))
    });
    let (_session, mut peer) = serve(&asks);
    let gone = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Length: 20\r\n\r\nService Unavailable\n";
    let long = "HTTP/1.1 413 Payload Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Length: 15\r\n\r\nbody too large\n";
    for (request, answer) in [
        (GET.replacen('/', "/actor", 1), gone),
        (post("Content-Length: 3\r\n", "abc"), long),
        (post("Content-Length: 2\r\n", "hi"), HI),
    ] {
        peer.send(request).await;
        peer.expect(answer).await;
    }
}

/// Each reason why a body is not whole has its status.
#[test]
fn the_status_of_a_broken_body() {
    use BodyError::{Cancelled, Failed, TooLarge};
    let closed = FailureReason::ConnectionClosed(std::io::ErrorKind::UnexpectedEof);
    for (error, status) in [
        (TooLarge(1), 413),
        (Failed(FailureReason::Protocol(WireError::Truncated)), 400),
        (
            Failed(FailureReason::Protocol(WireError::BodyTooLarge)),
            413,
        ),
        (Failed(closed), 400),
        (Cancelled(CancelCause::PeerReset), 400),
        (Cancelled(CancelCause::PeerHalfClosed), 400),
        (Cancelled(CancelCause::Deadline(Deadline::Body)), 408),
        (Cancelled(CancelCause::Shutdown), 503),
        (Cancelled(CancelCause::Memory), 503),
        (Cancelled(CancelCause::Local), 500),
        (Failed(FailureReason::LostPiece), 500),
    ] {
        let answer = ErrorResponse::from(error).into_payload();
        assert_eq!(answer.status().map(|it| it.as_u16()), Some(status));
    }
}

/// A function that answers by the responder itself, and fails before, behind or in the middle of that.
#[actix::test]
async fn errors_of_functions_that_answer_themselves() {
    let picky = handler_fn(async |request: HttpRequest| {
        let missing = ErrorResponse::from(StatusCode::NOT_FOUND);
        let path = request.request.path().to_owned();
        let responder = request.responder;
        match path.as_str() {
            "/" => drop(responder.respond(ok().body("hi"))),
            "/missing" => return Err(missing),
            "/behind" => {
                drop(responder.respond(ok().body("hi")));
                return Err(missing);
            }
            "/within" => {
                let body = responder.stream(ok().chunked()).await;
                let _ = body.expect("taken").send("ab").await;
                return Err(missing);
            }
            _ => drop(responder),
        }
        Ok(())
    });
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n\
                   Content-Length: 10\r\n\r\nNot Found\n";
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    for (last, begin, end) in [
        ("/within", "HTTP/1.1 200 OK\r\n", "2\r\nab\r\n"),
        (
            "/dropped",
            "HTTP/1.1 500 ",
            "\r\n\r\nthe server could not answer\n",
        ),
    ] {
        let (_session, mut peer) = serve(&picky);
        for (path, answer) in [
            ("/missing", missing),
            ("/behind", HI),
            ("/missing", missing),
            ("/", HI),
        ] {
            peer.send(get(path)).await;
            peer.expect(answer).await;
        }
        peer.send(get(last)).await;
        let rest = peer.rest().await;
        assert!(rest.starts_with(begin) && rest.ends_with(end), "{rest}");
    }
}

/// A task of its own outlives the exchange of the function that spawned it. A function whose client leaves before its
/// turn does not begin.
#[actix::test]
async fn a_task_of_a_function_outlives_it() {
    let (sender, mut said) = mpsc::unbounded_channel();
    let spawns = handler_fn(async move |_: Payload| {
        sender.send("begun").expect("the test listens");
        let sender = sender.clone();
        actix::spawn(async move { sender.send("spawned").expect("the test listens") });
        std::future::pending::<Payload>().await
    });
    for late in [true, false] {
        let (factory, mut heard) = Recorder::of(spawns.clone());
        let mut peer = FarEnd::serve(&factory);
        peer.send(GET).await;
        if late {
            assert_eq!(said.recv().await, Some("begun"));
        }
        peer.reset();
        let told = ["apply GET / []", "cancelled PeerReset Waiting"];
        assert_eq!(heard.rest().await, told);
        if late {
            assert_eq!(said.recv().await, Some("spawned"));
        }
        assert!(said.try_recv().is_err());
    }
}

/// Whether an answer that is not complete was given up, or its service has failed. What the client sees is the same.
#[actix::test]
async fn who_has_failed() {
    async fn last(factory: impl HandlerFactory, path: &str) -> String {
        let (factory, mut heard) = Recorder::of(factory);
        let mut peer = FarEnd::serve(&factory);
        peer.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        loop {
            let line = heard.next().await;
            let cut = line.starts_with("failed") || line.starts_with("cancelled");
            if cut {
                peer.rest().await;
                assert!(peer.transcript().was_reset(), "{path}");
            }
            if cut || line.starts_with("completed") {
                return line;
            }
        }
    }
    let itself = handler_fn(async |all: HttpRequest| {
        let path = all.request.path().to_owned();
        let body = all.responder.stream(ok().chunked()).await;
        let mut body = body.expect("taken");
        let _ = body.send("ab").await;
        match path.as_str() {
            "/fails" => Err(ErrorResponse::from(StatusCode::BAD_GATEWAY)),
            "/panics" => panic!("on purpose"),
            "/passes-on-and-fails" => {
                actix::spawn(async move { body.finish().await });
                Err(ErrorResponse::from(StatusCode::BAD_GATEWAY))
            }
            "/ends-and-fails" => {
                let _ = body.finish().await;
                Err(ErrorResponse::from(StatusCode::BAD_GATEWAY))
            }
            _ => Ok(()),
        }
    });
    for (path, end) in [
        ("/fails", "failed ServiceFailed Answering"),
        ("/panics", "failed ServiceFailed Answering"),
        ("/gives-up", "cancelled Local Answering"),
        ("/passes-on-and-fails", "completed 200 in 0 out 2"),
        ("/ends-and-fails", "completed 200 in 0 out 2"),
    ] {
        assert_eq!(last(itself.clone(), path).await, end, "{path}");
    }
    let streamed = handler_fn(async |request: Payload| {
        let (head, second) = match request.path() {
            "/fails" => (ok().chunked(), Err("the disk is full")),
            "/long" => (ok().length(3), Ok("cd")),
            "/short" => (ok().length(5), Ok("cd")),
            _ => (ok().length(4), Ok("cd")),
        };
        let pieces = [Ok("ab"), second];
        (
            head,
            stream::iter(pieces.map(|piece| piece.map(Bytes::from))),
        )
    });
    for (path, end) in [
        ("/fails", "failed ServiceFailed Answering"),
        ("/long", "failed ServiceFailed Answering"),
        ("/short", "failed Usage(BodyTooShort) Answering"),
        ("/whole", "completed 200 in 0 out 4"),
    ] {
        assert_eq!(last(streamed.clone(), path).await, end, "{path}");
    }
}

/// A body that fails half-way is cut, and not ended well.
#[actix::test]
async fn an_answer_that_fails_is_cut() {
    let half = handler_fn(async |_: Payload| {
        let body = stream::iter([Ok(Bytes::from_static(b"half")), Err("the disk is full")]);
        (ok().chunked(), body)
    });
    let (_session, mut peer) = serve(&half);
    peer.send(GET).await;
    let rest = peer.rest().await;
    assert!(!rest.contains("0\r\n\r\n"), "{rest}");
    assert!(peer.transcript().was_reset());
}

/// A body that has come to its length is over, though its stream has no end: the connection goes on.
#[actix::test]
async fn an_answer_ends_with_its_length() {
    let endless = handler_fn(async |_: Payload| {
        let piece = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"hi"))]);
        (ok().length(2), piece.chain(stream::pending()))
    });
    let (_session, mut peer) = serve(&endless);
    for _ in 0..2 {
        peer.send(GET).await;
        peer.expect(HI).await;
    }
}

/// One return type for answers that are there and answers that come.
#[actix::test]
async fn what_is_inside_comes_before_the_stream() {
    let both = handler_fn(async |request: Payload| {
        let answer = match request.path() {
            "/" => ok().body("1: "),
            "/none" => Payload::response(StatusCode::NO_CONTENT),
            _ => Payload::response(StatusCode::NOT_FOUND).body("no such thing"),
        };
        let pieces = Vec::from_iter(
            (request.path() == "/").then(|| Ok::<_, Infallible>(Bytes::from_static(b"2"))),
        );
        (answer, stream::iter(pieces))
    });
    let (_session, mut peer) = serve(&both);
    peer.send(GET).await;
    peer.send("GET /none HTTP/1.1\r\nHost: a\r\n\r\n").await;
    peer.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    let rest = peer.rest().await;
    let answers: Vec<&str> = rest.split("HTTP/1.1 ").collect();
    assert_eq!(answers.len(), 4, "{rest}");
    assert!(answers[1].starts_with("200 "), "{rest}");
    assert!(
        answers[1].ends_with("chunked\r\n\r\n3\r\n1: \r\n1\r\n2\r\n0\r\n\r\n"),
        "{rest}"
    );
    assert!(
        answers[2].starts_with("204 ") && !answers[2].contains("chunked"),
        "{rest}"
    );
    assert!(answers[3].starts_with("404 "), "{rest}");
    assert!(
        answers[3].ends_with("\r\n\r\nd\r\nno such thing\r\n0\r\n\r\n"),
        "{rest}"
    );
}

/// What would be sent without framing is not sent: the client would take it for the next answer (CWE-113).
#[actix::test]
async fn two_bodies_are_a_mistake() {
    let both = handler_fn(async |request: Payload| {
        let body = "HTTP/1.1 200 OK\r\n\r\n";
        match request.path() {
            "/" => ok().length(0).body(body),
            _ => Payload::response(StatusCode::NO_CONTENT)
                .length(0)
                .body(body),
        }
    });
    for path in ["/", "/none"] {
        let (_session, mut peer) = serve(&both);
        peer.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        let rest = peer.rest().await;
        assert!(rest.starts_with("HTTP/1.1 500 "), "{rest}");
        assert!(!rest.contains("200 OK"), "{rest}");
    }
}

#[actix::test]
async fn an_answer_is_held_to_its_length() {
    let short = handler_fn(async |request: Payload| {
        let body = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"hi"))]);
        let length = if request.path() == "/" { 2 } else { 3 };
        (ok().length(length), body)
    });
    let (_session, mut peer) = serve(&short);
    peer.send(GET).await;
    peer.expect(HI).await;
    peer.send("GET /more HTTP/1.1\r\nHost: a\r\n\r\n").await;
    peer.rest().await;
    assert!(peer.transcript().was_reset());
}

/// A stream that is announced as empty is looked at: if it is not, or fails, so has the function. It is not waited for.
#[actix::test]
async fn an_empty_answer_is_empty() {
    let answer = handler_fn(async |request: Payload| {
        let first = match request.path() {
            "/data" => Poll::Ready(Some(Ok("hi".into()))),
            "/error" => Poll::Ready(Some(Err("on purpose"))),
            "/nothing" => Poll::Ready(Some(Ok(Bytes::new()))),
            "/end" => Poll::Ready(None),
            _ => Poll::Pending,
        };
        let status = match *request.method() {
            Method::PUT => StatusCode::NO_CONTENT,
            _ => StatusCode::OK,
        };
        let body = stream::poll_fn(move |_| first.clone());
        (Payload::response(status).length(0), body)
    });
    let (_session, mut peer) = serve(&answer);
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (request, expected) in [
        ("GET /data", ERROR),
        ("GET /error", ERROR),
        ("GET /nothing", empty),
        ("GET /end", empty),
        ("GET /pending", empty),
        ("HEAD /pending", empty),
    ] {
        peer.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        peer.expect(expected).await;
    }
    peer.send("PUT /end HTTP/1.1\r\nHost: a\r\n\r\n").await;
    peer.expect("HTTP/1.1 204 No Content\r\n\r\n").await;
}

/// A function may take all, and answer as actors do.
#[actix::test]
async fn a_function_may_have_the_responder() {
    let whole = handler_fn(async |mut request: HttpRequest| {
        assert_eq!(request.peer.remote, None);
        let body = request.take_body().bytes(100).await?;
        let _ = request.responder.respond(ok().body(body)).await;
        Ok::<_, BodyError>(())
    });
    let (_session, mut peer) = serve(&whole);
    for fields in ["Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n"] {
        let chunked = fields.starts_with("Transfer");
        let body = if chunked {
            "2\r\nhi\r\n0\r\n\r\n"
        } else {
            "hi"
        };
        peer.send(post(fields, body)).await;
        peer.expect(HI).await;
    }
    peer.send(post("Content-Length: 101\r\n", &"x".repeat(101)))
        .await;
    // Its error is answered for it.
    let long = "HTTP/1.1 413 Payload Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Length: 15\r\n\r\nbody too large\n";
    peer.expect(long).await;
}

/// Nobody works for a peer that has gone: the future is dropped when the exchange ends.
#[actix::test]
async fn a_function_ends_with_its_exchange() {
    tokio::time::pause();
    let (sender, mut told) = mpsc::unbounded_channel();
    let slow = handler_fn(async move |_: Payload| {
        let _dropped = Dropped(sender.clone());
        sender.send("began").expect("the test runs");
        tokio::time::sleep(Duration::from_secs(100_000)).await;
        ok()
    });
    let options = SessionOptions {
        timeouts: Timeouts {
            exchange: Some(Duration::from_secs(9)),
            ..Timeouts::default()
        },
        ..SessionOptions::default()
    };
    for way in ["reset", "dispose", "deadline"] {
        let (session, mut peer) = serve_with(&slow, options.clone());
        peer.send(GET).await;
        assert_eq!(told.recv().await, Some("began"));
        let began = tokio::time::Instant::now();
        match way {
            "reset" => peer.reset(),
            "dispose" => session.do_send(Dispose),
            _ => {}
        }
        assert_eq!(told.recv().await, Some("dropped"), "{way}");
        let waited = if way == "deadline" { 9 } else { 0 };
        assert_eq!(began.elapsed().as_secs(), waited, "{way}");
        if way == "deadline" {
            assert!(peer.rest().await.starts_with("HTTP/1.1 503 "));
        }
    }
}

/// A body that does not come to its end says why, and never ends by `None` alone.
#[actix::test]
async fn a_cut_body_says_why() {
    let (sender, mut told) = mpsc::unbounded_channel();
    let read = handler_fn(async move |request: HttpRequest| {
        let sender = sender.clone();
        // Not in the future of the exchange, which ends with it.
        actix::spawn(async move {
            let HttpRequest {
                request,
                body,
                responder,
                ..
            } = request;
            let mut body = body.expect("it is coming");
            let first = body.next().await;
            sender.send(first).expect("the test runs");
            if request.path() == "/early" {
                let _ = responder.respond(ok().body("hi")).await;
            }
            let end = body.next().await;
            assert!(body.next().await.is_none());
            sender.send(end).expect("the test runs");
        });
    });
    let half =
        |path| format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\nhalf");
    let rows = [
        ("reset", BodyError::Cancelled(CancelCause::PeerReset)),
        (
            "close",
            BodyError::Failed(FailureReason::Protocol(WireError::Truncated)),
        ),
        ("dispose", BodyError::Cancelled(CancelCause::Local)),
        ("early", BodyError::Cancelled(CancelCause::Local)),
    ];
    for (way, error) in rows {
        let (session, mut peer) = serve(&read);
        peer.send(half(if way == "early" { "/early" } else { "/" }))
            .await;
        assert_eq!(told.recv().await, Some(Some(Ok("half".into()))), "{way}");
        match way {
            "reset" => peer.reset(),
            "close" => peer.close().await,
            "dispose" => session.do_send(Dispose),
            _ => assert!(peer.until("hi").await.starts_with("HTTP/1.1 200 OK\r\n")),
        }
        assert_eq!(told.recv().await, Some(Some(Err(error))), "{way}");
    }
}

/// An actor that gets heads at once, and answers when it is told how to.
mod actor {
    use actix::prelude::*;
    use http_actors::Service;

    use super::*;

    struct Pass(mpsc::UnboundedSender<HttpRequest>);

    impl Actor for Pass {
        type Context = Context<Self>;
    }

    impl Handler<HttpRequest> for Pass {
        type Result = ();

        fn handle(&mut self, request: HttpRequest, _: &mut Self::Context) {
            self.0.send(request).expect("the test runs");
        }
    }

    fn pass() -> (Service, mpsc::UnboundedReceiver<HttpRequest>) {
        let (sender, requests) = mpsc::unbounded_channel();
        let service = Service::new(Pass(sender).start().recipient());
        // Of bodies that are collected, and none is: the two may be said in any order.
        (service.streaming().body_limit(1), requests)
    }

    /// An actor answers by all that a function may return. A stream is dropped when its client is gone.
    #[actix::test]
    async fn it_replies_like_a_function() {
        tokio::time::pause();
        let (service, mut requests) = pass();
        let (_session, mut peer) = serve(&service);
        peer.send(GET.repeat(3)).await;
        let request = requests.recv().await.expect("a request");
        request
            .responder
            .reply(Err::<Payload, _>(ErrorResponse::from(StatusCode::GONE)))
            .await;
        assert_eq!(
            peer.response(Method::GET).await.status(),
            Some(StatusCode::GONE)
        );
        let request = requests.recv().await.expect("a request");
        let pieces = stream::iter(["a", "b"]).map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
        request.responder.reply((ok(), pieces)).await;
        peer.expect(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
        )
        .await;

        let request = requests.recv().await.expect("a request");
        let (sender, mut said) = mpsc::unbounded_channel();
        let dropped = Dropped(sender);
        let endless = stream::pending::<Result<Bytes, Infallible>>().map(move |piece| {
            let _ = &dropped;
            piece
        });
        let reply = actix::spawn(request.responder.reply((ok(), endless)));
        peer.expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        peer.reset();
        let over = tokio::time::timeout(PATIENCE, said.recv()).await;
        assert_eq!(over.expect("it is dropped"), Some("dropped"));
        reply.await.expect("no panic");
    }

    #[actix::test]
    async fn the_head_comes_at_once() {
        let (service, mut requests) = pass();
        let (_session, mut peer) = serve(&service);
        peer.send(post("Transfer-Encoding: chunked\r\n", "")).await;
        let mut request = requests.recv().await.expect("a request");
        let mut body = request.take_body();
        assert_eq!(body.remaining(), None);
        peer.send("1\r\na\r\n").await;
        assert_eq!(body.next().await, Some(Ok("a".into())));
        let early = request.responder.stream(ok().chunked()).await;
        let _open = early.expect("accepted");
        peer.expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        peer.send("1\r\nb\r\n0\r\nX-Sum: 2\r\n\r\n").await;
        assert_eq!(body.next().await, Some(Ok("b".into())));
        assert_eq!(body.next().await, None);
        let sum = body.trailers().and_then(|fields| fields.text("x-sum"));
        assert_eq!(sum, Some("2"));
    }

    #[actix::test]
    async fn a_body_waits_in_any_hands() {
        tokio::time::pause();
        let (service, mut requests) = pass();
        let (_session, mut peer) = serve(&service);
        peer.send(post("Content-Length: 500000\r\n", "")).await;
        let mut request = requests.recv().await.expect("a request");
        let minute = Duration::from_secs(60);
        let sent = tokio::time::timeout(minute, peer.send("x".repeat(500_000))).await;
        assert!(sent.is_err(), "all was taken, for nobody");
        let mut body = request.take_body();
        assert_eq!(body.remaining(), Some(500_000));
        let taken = peer.transcript().sent().len();
        assert!(taken < 250_000, "{taken}");
        let mut got = 0;
        while got < taken - 2_000 {
            got += body.next().await.expect("more").expect("no cut").len();
        }
        drop(body);
        // A body that is not wanted any more holds nobody; the unknown rest costs the connection.
        drop(request.responder.respond(ok().body("hi")));
        let text = peer.rest().await;
        assert!(
            text.starts_with("HTTP/1.1 200 OK\r\nConnection: close\r\n"),
            "{text}"
        );
    }

    /// What was announced to come with an Expect field comes when the actor waits for it.
    #[actix::test]
    async fn leave_to_send_is_given_by_the_actor() {
        let (service, mut requests) = pass();
        let (_session, mut peer) = serve(&service);
        peer.send(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""))
            .await;
        let mut request = requests.recv().await.expect("a request");
        let mut body = request.take_body();
        let (collected, ()) = tokio::join!(body.bytes(10), async {
            peer.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
            peer.send("hi").await;
        });
        assert_eq!(collected, Ok("hi".into()));
    }
}
