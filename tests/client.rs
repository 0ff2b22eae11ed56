//! The client end: requests queued, sent and answered; and two actors over localhost, the session at both ends.

mod common;

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use common::{Heard, Peer, Pipe, Recorder, answer_with, taken, tcp_pair};
use http_actors::error::{CancelCause, FailureReason, RefusedReason, UseError};
use http_actors::message::{Apply, Cancel, Dispose, Finish, FinishWith, Inspect, SendChunk};
use http_actors::{
    Failure, Headers, HttpHandler, HttpServer, HttpSession, Limits, MessageId, Origin, Payload,
    Route, SessionContext, SessionOptions, SessionPhase, StatusCode,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

/// What a stream answers.
type Done<T> = Poll<std::io::Result<T>>;

/// A client session over a pipe, and the server end for the test.
struct Asking {
    session: Addr<HttpSession>,
    server: Peer,
    heard: Heard,
}

fn ask_with(options: SessionOptions) -> Asking {
    let (server, near) = Peer::open(Pipe::new().capacity(1 << 16));
    let (factory, heard) = Recorder::script(|_, _| {});
    let session = HttpSession::over(near, "a", &factory, options);
    Asking {
        session,
        server,
        heard,
    }
}

fn ask() -> Asking {
    ask_with(SessionOptions::for_client())
}

fn get(path: &str) -> Payload {
    Payload::get(path).expect("a path")
}

fn post(path: &str) -> Payload {
    Payload::post(path).expect("a path")
}

/// A port on which the test is the server.
struct Port(TcpListener);

impl Port {
    async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    fn origin(&self) -> Origin {
        let address = self.0.local_addr().expect("an address");
        Origin::try_from(format!("http://{address}").as_str()).expect("a URL")
    }

    async fn accept(&self) -> Peer<TcpStream> {
        Peer::new(self.0.accept().await.expect("a connection").0)
    }
}

async fn apply(session: &Addr<HttpSession>, payload: Payload) -> MessageId {
    taken(session, Apply(payload)).await
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// The exchange that is told of is the one that goes on, until its end was told, whether its body is inside or comes.
#[actix::test]
async fn the_exchange_that_goes_on() {
    let (server, near) = Peer::open(Pipe::new().capacity(1 << 16));
    let (factory, mut heard) = Recorder::script(|response: Payload, session| {
        assert_eq!(session.exchange(), response.request_id());
    });
    let mut server = server;
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    for path in ["/1", "/2"] {
        session.do_send(Apply(get(path)));
    }
    for body in ["hi".to_owned(), "x".repeat(20_000)] {
        server.until("\r\n\r\n").await;
        let length = body.len();
        server
            .send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .await;
        while !heard.next().await.starts_with("completed") {}
    }
}

/// Mutes at the first interim response.
struct Mutes;

impl HttpHandler for Mutes {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {}

    fn informational(&mut self, _: Payload, session: &mut SessionContext) {
        session.mute();
    }
}

/// Nor does it run while the handler is muted: nothing is read then, so nothing is late.
#[actix::test]
async fn a_muted_handler_waits_for_no_response() {
    tokio::time::pause();
    let mut options = SessionOptions::for_client();
    options.timeouts.response = Some(Duration::from_secs(1));
    options.timeouts.exchange = Some(Duration::from_secs(100));
    let (mut server, near) = Peer::open(Pipe::new().capacity(1 << 16));
    let (factory, mut heard) = Recorder::of(|_| Mutes);
    let session = HttpSession::over(near, "a", &factory, options);
    apply(&session, get("/")).await;
    answer_with(&mut server, "HTTP/1.1 103 Early Hints\r\n\r\n").await;
    let late = "cancelled Deadline(Exchange) Waiting";
    heard.expect(&["informational 103", late]).await;
}

/// The clock of a response ends with its head, even where the body is held back until it is whole.
#[actix::test]
async fn the_clock_of_a_response_ends_with_its_head() {
    tokio::time::pause();
    let mut options = SessionOptions::for_client();
    options.timeouts.response = Some(Duration::from_secs(1));
    let mut asking = ask_with(options);
    apply(&asking.session, get("/")).await;
    asking.server.until("\r\n\r\n").await;
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh";
    asking.server.send(begun).await;
    let late = "cancelled Deadline(Body) Waiting";
    asking.heard.expect(&[late]).await;
}

/// P72, P79: a request is sent, its response comes in, and it says which request it answers.
#[actix::test]
async fn a_request_and_its_response() {
    let mut asking = ask();
    apply(&asking.session, get("/1?x")).await;
    asking
        .server
        .expect("GET /1?x HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert_eq!(
        asking.session.send(Inspect).await.expect("alive").phase,
        SessionPhase::Waiting
    );
    asking.server.send(OK).await;
    asking
        .heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
    apply(&asking.session, post("/2").header("X", "y").body("abc")).await;
    asking
        .server
        .expect("POST /2 HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    asking.server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    asking
        .heard
        .expect(&["apply 204 []", "completed 204 in 0 out 3"])
        .await;
    assert_eq!(
        asking.session.send(Inspect).await.expect("alive").phase,
        SessionPhase::Idle
    );
}

/// P76, B11, B12: without pipelining a request waits for the response to the one before it, a POST too, and then goes.
#[actix::test]
async fn one_request_at_a_time() {
    let mut asking = ask();
    for request in [post("/1").body("x"), get("/2"), get("/3")] {
        apply(&asking.session, request).await;
    }
    asking
        .server
        .expect("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        .await;
    asking.server.send(OK).await;
    asking
        .server
        .expect("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    asking.server.send(OK).await;
    asking
        .server
        .expect("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
}

/// P77, B11: with pipelining safe requests share the wire; an unsafe one waits for silence, and is waited for.
#[actix::test]
async fn pipelining_is_for_safe_requests() {
    let mut asking = ask_with(SessionOptions {
        pipeline: true,
        ..SessionOptions::for_client()
    });
    for request in [
        get("/1"),
        get("/2"),
        post("/3").body("x"),
        get("/4"),
        get("/5"),
    ] {
        apply(&asking.session, request).await;
    }
    let line = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    asking
        .server
        .expect(&format!("{}{}", line("/1"), line("/2")))
        .await;
    asking.server.send(OK.repeat(2)).await;
    asking
        .heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
    asking
        .server
        .expect("POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        .await;
    asking.server.send(OK).await;
    asking
        .server
        .expect(&format!("{}{}", line("/4"), line("/5")))
        .await;
}

/// B23: interim responses inform, and HEAD is framed by its request.
#[actix::test]
async fn interim_responses_and_head() {
    let mut asking = ask();
    apply(&asking.session, Payload::head("/").expect("a path")).await;
    answer_with(
        &mut asking.server,
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    )
    .await;
    asking
        .heard
        .expect(&[
            "informational 103",
            "apply 200 []",
            "completed 200 in 0 out 0",
        ])
        .await;
}

/// P80, B24: streamed and chunked responses, and one that ends with the connection.
#[actix::test]
async fn bodies_that_come_in_pieces() {
    let mut asking = ask();
    apply(&asking.session, get("/")).await;
    answer_with(
        &mut asking.server,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n",
    )
    .await;
    let trailers = "trailers {\"X-Sum\": \"3\"}";
    asking
        .heard
        .expect(&[
            "apply 200 chunked",
            "chunk abc",
            trailers,
            "finished",
            "completed 200 in 3 out 0",
        ])
        .await;
    apply(&asking.session, get("/")).await;
    answer_with(&mut asking.server, "HTTP/1.1 200 OK\r\n\r\nuntil the end").await;
    asking
        .heard
        .expect(&["apply 200 chunked", "chunk until the end"])
        .await;
    asking.server.close().await;
    asking
        .heard
        .expect(&["finished", "completed 200 in 13 out 0"])
        .await;
}

/// P75, P28: a body is asked for when its request is on the wire, and is bound to it.
#[actix::test]
async fn request_bodies_in_pieces() {
    let mut asking = ask();
    let early = asking
        .session
        .send(SendChunk("x".into()))
        .await
        .expect("alive")
        .expect_err("nothing is open");
    assert_eq!(early.reason, RefusedReason::NotOpen);
    apply(&asking.session, get("/first")).await;
    let id = apply(&asking.session, post("/up").chunked()).await;
    let early = asking
        .session
        .send(SendChunk::to(id, "x"))
        .await
        .expect("alive")
        .expect_err("it waits");
    assert_eq!(early.reason, RefusedReason::NotYourTurn);
    answer_with(&mut asking.server, OK).await;
    asking
        .heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0", "need_body"])
        .await;
    taken(&asking.session, SendChunk("abc".into())).await;
    taken(&asking.session, SendChunk::to(id, "de")).await;
    let mut trailers = Headers::new();
    trailers.append("X-Sum", "5").expect("valid");
    taken(&asking.session, FinishWith(trailers)).await;
    asking
        .server
        .expect("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    asking
        .server
        .expect("3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")
        .await;
    asking.server.send(OK).await;
    asking
        .heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 5"])
        .await;
}

/// RFC 9110 section 10.1.1: the body waits for the 100, and is not sent if a final response comes instead.
#[actix::test]
async fn a_request_that_expects_leave() {
    let up = || post("/up").header("Expect", "100-continue").length(3);
    let mut asking = ask();
    apply(&asking.session, up()).await;
    asking.server.until("\r\n\r\n").await;
    asking
        .session
        .send(SendChunk("x".into()))
        .await
        .expect("alive")
        .expect_err("no leave yet");
    asking.server.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    asking
        .heard
        .expect(&["informational 100", "need_body"])
        .await;
    taken(&asking.session, SendChunk("abc".into())).await;
    taken(&asking.session, Finish).await;
    asking.server.expect("abc").await;
    asking.server.send(OK).await;
    asking
        .heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 3"])
        .await;
    apply(&asking.session, up()).await;
    answer_with(
        &mut asking.server,
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    asking
        .heard
        .expect(&["apply 413 []", "completed 413 in 0 out 0"])
        .await;
    // What was announced was not sent, so the connection cannot go on.
    assert_eq!(asking.server.rest().await, "");
}

/// A server that gives no leave does not hold the body for ever.
#[actix::test]
async fn leave_is_taken_when_it_does_not_come() {
    tokio::time::pause();
    let mut asking = ask();
    apply(
        &asking.session,
        post("/up").header("Expect", "100-continue").length(3),
    )
    .await;
    asking.heard.expect(&["need_body"]).await;
}

/// What a server can do wrong: bytes, and how the exchange ends.
#[actix::test]
async fn misbehaving_servers() {
    let head = "HTTP/1.1 200 OK\r\n";
    #[rustfmt::skip]
    let rows = [
        ("no http", "SSH-2.0-x\r\n\r\n".to_owned(), "failed Protocol(InvalidVersion) Waiting"),
        ("a greeting, and no more", "220 a.test ESMTP\r\n".to_owned(), "failed Protocol(InvalidVersion) Waiting"),
        ("noise", "\x16\x03\x01\x02\x00\x01\x00\x01".repeat(2000), "failed Protocol(StartLineTooLong) Waiting"),
        ("a version that is none", "HTTP/1.x 200 OK\r\n\r\n".to_owned(), "failed Protocol(InvalidVersion) Waiting"),
        ("no status", "HTTP/1.1 OK\r\n\r\n".to_owned(), "failed Protocol(InvalidStatusLine) Waiting"),
        (
            "a length and chunks",
            format!("{head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "failed Protocol(ContentLengthWithTransferEncoding) Waiting",
        ),
        (
            "another transfer coding",
            format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n"),
            "failed Protocol(UnsupportedTransferEncoding) Waiting",
        ),
        ("a head without end", format!("{head}X: {}", "x".repeat(70_000)), "failed Protocol(HeadTooLarge) Waiting"),
        (
            "chunk data that go on",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n"),
            "failed Protocol(MissingChunkEnd) Answering",
        ),
        ("another version", "HTTP/2.0 200 OK\r\n\r\n".to_owned(), "failed Protocol(UnsupportedVersion) Waiting"),
        ("bare line feeds", "HTTP/1.1 200 OK\n\n".to_owned(), "failed Protocol(BareLf) Waiting"),
        (
            "two lengths",
            format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            "failed Protocol(ConflictingContentLength) Waiting",
        ),
        ("endless fields", format!("{head}{}", "X: y\r\n".repeat(1000)), "failed Protocol(TooManyFields) Waiting"),
        ("endless line", format!("HTTP/1.1 200 {}", "x".repeat(10_000)), "failed Protocol(StartLineTooLong) Waiting"),
        (
            "endless interim",
            "HTTP/1.1 102 Processing\r\n\r\n".repeat(20),
            "failed Protocol(TooManyInformational) Waiting",
        ),
        (
            "an upgrade nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(),
            "failed Protocol(UnsolicitedUpgrade) Waiting",
        ),
        (
            "bad chunk",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
            "failed Protocol(InvalidChunkSize) Answering",
        ),
    ];
    for (name, bytes, end) in rows {
        let mut asking = ask();
        apply(&asking.session, get("/")).await;
        asking.server.until("\r\n\r\n").await;
        // The client may have heard enough before the end.
        drop(asking.server.io.write_all(bytes.as_bytes()).await);
        loop {
            let heard = asking.heard.next().await;
            let response = ["informational", "apply", "chunk"];
            if !response.iter().any(|part| heard.starts_with(part)) {
                break assert_eq!(heard, end, "{name}");
            }
        }
        asking.server.rest().await;
    }
}

/// B24: a response cut short is an error; a close before it says whether the request can be repeated.
#[actix::test]
async fn a_response_cut_short_fails() {
    #[rustfmt::skip]
    let rows = [
        ("inside a head", "HTTP/1.1 200", "failed Protocol(Truncated) Waiting"),
        (
            "inside a body",
            "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\nabc",
            "failed Protocol(Truncated) Answering",
        ),
        (
            "inside a chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            "failed Protocol(Truncated) Answering",
        ),
        (
            "before the last chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "failed Protocol(Truncated) Answering",
        ),
        ("before the response", "", "failed ConnectionClosed(UnexpectedEof) Waiting"),
    ];
    for (name, bytes, end) in rows {
        let mut asking = ask();
        apply(&asking.session, get("/")).await;
        answer_with(&mut asking.server, bytes).await;
        asking.server.close().await;
        let mut heard = asking.heard.next().await;
        while heard.starts_with("apply") || heard.starts_with("chunk") {
            heard = asking.heard.next().await;
        }
        assert_eq!(heard, end, "{name}");
    }
}

/// Promise 16: bytes that answer nothing end the connection and are never an answer.
#[actix::test]
async fn surplus_bytes_are_no_answer() {
    let mut asking = ask();
    apply(&asking.session, get("/1")).await;
    answer_with(
        &mut asking.server,
        format!("{OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
    )
    .await;
    asking
        .heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
    assert_eq!(asking.server.rest().await, "");
    apply(&asking.session, get("/2")).await;
    asking
        .heard
        .expect(&["failed ConnectFailed(NotConnected) Queued"])
        .await;
}

/// B14, B15, N3, P81 to P83: cancelling, by phase; every exchange has its own end.
#[actix::test]
async fn each_cancelled_exchange_has_its_own_end() {
    let mut asking = ask();
    apply(&asking.session, get("/1")).await;
    let second = apply(&asking.session, get("/2")).await;
    asking.server.until("\r\n\r\n").await;
    asking.session.send(Cancel(second)).await.expect("alive");
    asking.heard.expect(&["cancelled Local Queued"]).await;
    asking.session.send(Cancel(second)).await.expect("alive");
    asking.server.send(OK).await;
    asking
        .heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
    let third = apply(&asking.session, get("/3")).await;
    asking.server.until("\r\n\r\n").await;
    asking.session.send(Cancel(third)).await.expect("alive");
    asking.heard.expect(&["cancelled Local Waiting"]).await;
    assert_eq!(asking.server.rest().await, "", "the server notices");
}

/// P81: cancelling what was not sent, or nothing, leaves the connection alone.
#[actix::test]
async fn cancelling_what_was_not_sent_leaves_the_connection_alone() {
    let mut asking = ask();
    asking.session.send(Cancel::all()).await.expect("alive");
    asking.session.send(Cancel::current()).await.expect("alive");
    apply(&asking.session, get("/1")).await;
    answer_with(&mut asking.server, OK).await;
    asking
        .heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
    assert_eq!(
        asking.session.send(Inspect).await.expect("alive").phase,
        SessionPhase::Idle
    );
}

/// A handler cancels as a message does, one exchange or all.
#[actix::test]
async fn a_handler_cancels_as_a_message_does() {
    for (all, waiting) in [
        (false, ["failed ConnectFailed(NotConnected) Queued"; 2]),
        (true, ["cancelled Local Queued"; 2]),
    ] {
        let (mut server, near) = Peer::open(Pipe::new());
        let (factory, mut heard) = Recorder::script(move |_, session: &mut SessionContext| {
            if all {
                session.cancel_all();
            } else {
                session.cancel_current();
            }
        });
        let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
        for path in ["/1", "/2", "/3"] {
            apply(&session, get(path)).await;
        }
        answer_with(&mut server, "HTTP/1.1 200 OK\r\n\r\n").await;
        heard
            .expect(&["apply 200 chunked", "cancelled Local Answering"])
            .await;
        // The others would go over another connection, but there is none here.
        heard.expect(&waiting).await;
        assert_eq!(server.rest().await, "", "the server notices");
    }
}

/// P85: dispose cancels everything and ends the session.
#[actix::test]
async fn dispose_cancels_everything() {
    let mut asking = ask();
    for path in ["/1", "/2", "/3"] {
        apply(&asking.session, get(path)).await;
    }
    asking.session.send(Dispose).await.expect("alive");
    let ends = asking.heard.rest().await;
    assert_eq!(ends.len(), 3, "{ends:?}");
    assert!(
        ends.iter().all(|end| end.starts_with("cancelled Local")),
        "{ends:?}"
    );
    assert!(!asking.session.connected());
}

/// What cannot be sent comes back: the wrong kind, another origin's URL, one too many.
#[actix::test]
async fn what_cannot_be_sent_comes_back() {
    let (factory, _heard) = Recorder::script(|_, _| {});
    let origin = Origin::try_from("http://127.0.0.1:9/").expect("a URL");
    let options = SessionOptions {
        queue: 2,
        ..SessionOptions::for_client()
    };
    let session = HttpSession::connect(origin, &factory, options);
    for (payload, mistake) in [
        (Payload::response(StatusCode::OK), UseError::WrongKind),
        (get("http://127.0.0.1:10/"), UseError::OtherOrigin),
        (get("https://127.0.0.1:9/"), UseError::OtherOrigin),
        (get("/").header("X", "a\nb"), UseError::InvalidValue),
    ] {
        let refused = session
            .send(Apply(payload))
            .await
            .expect("alive")
            .expect_err("unusable");
        assert_eq!(refused.reason, RefusedReason::Unusable(mistake));
    }
    let asked: Vec<_> = (0..3).map(|_| session.send(Apply(get("/")))).collect();
    let mut refused = Vec::new();
    for asked in asked {
        refused.extend(
            asked
                .await
                .expect("alive")
                .err()
                .map(|refused| refused.reason),
        );
    }
    assert_eq!(refused, [RefusedReason::Busy]);
}

/// B18: without the feature `rustls` a client of `https` fails, and says nothing in plain text.
#[cfg(not(feature = "rustls"))]
#[actix::test]
async fn https_without_tls() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let origin = Origin::try_from(format!("https://{address}").as_str()).expect("a URL");
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let session = HttpSession::connect(origin, &factory, SessionOptions::for_client());
    apply(&session, get("/")).await;
    let unsupported = FailureReason::AuthFailed(http_actors::error::TlsError::Unsupported);
    heard
        .expect(&[&format!("failed {unsupported:?} Queued")])
        .await;
    let mut received = Vec::new();
    let (mut stream, _) = listener.accept().expect("accepted");
    std::io::Read::read_to_end(&mut stream, &mut received).expect("an end");
    assert_eq!(received, b"");
}

/// P84: no connection, no answer, and the session can be used again.
#[actix::test]
async fn a_server_that_is_not_there() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = unused.local_addr().expect("an address");
    drop(unused);
    let origin = Origin::try_from(format!("http://{address}").as_str()).expect("a URL");
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let session = HttpSession::connect(origin, &factory, SessionOptions::for_client());
    for _ in 0..2 {
        apply(&session, get("/")).await;
        heard
            .expect(&["failed ConnectFailed(ConnectionRefused) Queued"])
            .await;
    }
}

/// When nobody waits for a connection any more, and nobody has the address, it is not opened to the end.
#[actix::test]
async fn a_connection_that_nobody_waits_for() {
    tokio::time::pause();
    let (opening, mut opened) = mpsc::unbounded_channel();
    let route = Route::through(move |_origin| {
        let (guard, given_up) = oneshot::channel::<()>();
        opening.send(given_up).expect("the test listens");
        async move {
            let _guard = guard;
            std::future::pending::<std::io::Result<DuplexStream>>().await
        }
    });
    let mut options = SessionOptions::for_client();
    options.route = route;
    options.timeouts.connect = None;
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let origin = Origin::try_from("http://a/").expect("a URL");
    let session = HttpSession::connect(origin, &factory, options);
    apply(&session, get("/")).await;
    let given_up = opened.recv().await.expect("a connection");
    session.do_send(Cancel::all());
    heard.expect(&["cancelled Local Queued"]).await;
    drop(session);
    let given_up = tokio::time::timeout(common::PATIENCE, given_up).await;
    given_up.expect("in time").expect_err("dropped");
    heard.rest().await;
}

/// A session that nobody needs ends, but not before what was sent to it when somebody still had its address.
#[actix::test]
async fn what_was_sent_before_the_address_was_dropped() {
    struct Again(u32);
    impl HttpHandler for Again {
        fn apply(&mut self, _: Payload, _: &mut SessionContext) {}

        fn failed(&mut self, _: &Failure, session: &mut SessionContext) {
            if self.0 > 0 {
                self.0 -= 1;
                // More than one turn of the mailbox.
                for _ in 0..100 {
                    session.address().do_send(Cancel::all());
                }
                session.address().do_send(Apply(get("/")));
            }
        }
    }

    let route =
        Route::through(|_origin| async { Err::<DuplexStream, _>(ErrorKind::NotFound.into()) });
    let options = SessionOptions {
        route,
        ..SessionOptions::for_client()
    };
    let (factory, mut heard) = Recorder::of(|_: Addr<HttpSession>| Again(2));
    let origin = Origin::try_from("http://a/").expect("a URL");
    HttpSession::connect(origin, &factory, options).do_send(Apply(get("/")));
    let failed = "failed ConnectFailed(NotFound) Queued";
    assert_eq!(heard.rest().await, [failed; 3]);
}

/// A stream of the application's own that panics when it is read breaks its connection. The next request gets another.
#[actix::test]
async fn a_stream_that_panics() {
    struct Panics;
    impl AsyncRead for Panics {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Done<()> {
            panic!("as the test wants");
        }
    }
    impl AsyncWrite for Panics {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Done<usize> {
            Poll::Ready(Ok(data.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Done<()> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Done<()> {
            Poll::Ready(Ok(()))
        }
    }

    tokio::time::pause();
    let mut options = SessionOptions::for_client();
    options.route = Route::through(|_origin| async { Ok(Panics) });
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let origin = Origin::try_from("http://a/").expect("a URL");
    let session = HttpSession::connect(origin, &factory, options);
    for _ in 0..2 {
        apply(&session, get("/")).await;
        heard
            .expect(&["failed ConnectionClosed(Other) Queued"])
            .await;
    }
}

/// P73, P88: an idle connection is closed after its time, and the next request opens another.
#[actix::test]
async fn an_idle_connection_is_closed_and_reopened() {
    let port = Port::open().await;
    let mut options = SessionOptions::for_client();
    options.timeouts.idle = Some(Duration::from_millis(50));
    let (factory, mut heard) = Recorder::script(|_, session| drop(session.hold()));
    let session = HttpSession::connect(port.origin(), &factory, options);
    for _ in 0..2 {
        apply(&session, get("/")).await;
        let mut server = port.accept().await;
        answer_with(&mut server, OK).await;
        heard
            .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
            .await;
        assert_eq!(server.rest().await, "");
    }
    // Nobody has the address any more, and no connection is kept: the session ends, also if it made handles.
    let gone = session.downgrade();
    drop(session);
    heard.rest().await;
    assert!(gone.upgrade().is_none_or(|session| !session.connected()));
}

/// A connection that goes while requests wait: those that were sent fail, those that were not go over the next one.
#[actix::test]
async fn what_was_not_sent_goes_over_the_next_connection() {
    let port = Port::open().await;
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let session = HttpSession::connect(port.origin(), &factory, SessionOptions::for_client());
    apply(&session, get("/1")).await;
    apply(&session, get("/2")).await;
    let mut first = port.accept().await;
    assert!(first.until("\r\n\r\n").await.starts_with("GET /1 "));
    drop(first);
    let end = heard.next().await;
    assert!(end.starts_with("failed ConnectionClosed"), "{end}");
    let mut second = port.accept().await;
    assert!(second.until("\r\n\r\n").await.starts_with("GET /2 "));
    second.send(OK).await;
    heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
}

/// B23: what was awaited on a connection that is gone frames nothing on the next: a GET after a HEAD has its body.
#[actix::test]
async fn a_connection_begins_without_what_the_one_before_awaited() {
    let port = Port::open().await;
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let session = HttpSession::connect(port.origin(), &factory, SessionOptions::for_client());
    apply(&session, Payload::head("/1").expect("a path")).await;
    apply(&session, get("/2")).await;
    let mut first = port.accept().await;
    assert!(first.until("\r\n\r\n").await.starts_with("HEAD /1 "));
    drop(first);
    let end = heard.next().await;
    assert!(end.starts_with("failed ConnectionClosed"), "{end}");
    let mut second = port.accept().await;
    assert!(second.until("\r\n\r\n").await.starts_with("GET /2 "));
    second.send(OK).await;
    heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
}

/// P71: nothing is connected before there is something to send.
#[actix::test]
async fn a_connection_is_opened_by_the_first_request() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let (factory, _heard) = Recorder::script(|_, _| {});
    let origin = Origin::try_from(origin.as_str()).expect("a URL");
    let session = HttpSession::connect(origin, &factory, SessionOptions::for_client());
    session.send(Inspect).await.expect("alive");
    assert_eq!(
        listener.accept().expect_err("nobody came").kind(),
        ErrorKind::WouldBlock
    );
    let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
    apply(&session, get("/")).await;
    listener.accept().await.expect("a connection");
}

/// What only the framing of a request shows to be wrong fails it when its turn comes, and the next one is sent.
#[actix::test]
async fn requests_that_cannot_be_framed() {
    let mut asking = ask();
    apply(
        &asking.session,
        post("/").header("Content-Length", "3").body("x"),
    )
    .await;
    asking
        .heard
        .expect(&["failed Usage(FramingMismatch) Queued"])
        .await;
    apply(&asking.session, get("/")).await;
    asking
        .server
        .expect("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
}

/// B27: a request body is held to its announced length; cut short, the server sees that it is not whole.
#[actix::test]
async fn request_bodies_are_held_to_their_length() {
    let mut asking = ask();
    let raw = asking
        .session
        .send(http_actors::message::Write("x".into()))
        .await
        .expect("alive")
        .expect_err("a client");
    assert_eq!(raw.reason, RefusedReason::NotOpen);
    apply(&asking.session, post("/").length(3)).await;
    asking.heard.expect(&["need_body"]).await;
    let long = asking
        .session
        .send(SendChunk("abcd".into()))
        .await
        .expect("alive")
        .expect_err("too long");
    assert_eq!(
        (long.reason, long.message),
        (RefusedReason::TooLong, Bytes::from("abcd"))
    );
    taken(&asking.session, SendChunk("ab".into())).await;
    let short = asking
        .session
        .send(Finish)
        .await
        .expect("alive")
        .expect_err("too short");
    assert_eq!(short.reason, UseError::BodyTooShort.into());
    asking
        .heard
        .expect(&["failed Usage(BodyTooShort) Sending"])
        .await;
    assert!(asking.server.rest().await.len() < 200);
}

/// Silence in a response is timed, and so is output that the server does not take.
#[actix::test]
async fn silence_in_a_response_is_timed() {
    tokio::time::pause();
    let mut asking = ask();
    apply(&asking.session, get("/")).await;
    answer_with(
        &mut asking.server,
        "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\nabc",
    )
    .await;
    asking
        .heard
        .expect(&[
            "apply 200 stream 20000",
            "chunk abc",
            "cancelled Deadline(Body) Answering",
        ])
        .await;
    let mut asking = ask();
    apply(&asking.session, post("/").body(vec![b'x'; 200_000])).await;
    asking.heard.expect(&["throttled"]).await;
    let end = asking.heard.next().await;
    // What waited is dropped with the connection, and so there is room again.
    let end = if end == "unthrottled" {
        asking.heard.next().await
    } else {
        end
    };
    assert_eq!(end, "cancelled Deadline(Write) Waiting");
}

/// The clock of a response head does not run while the request waits for a server that reads slowly.
#[actix::test]
async fn the_response_clock_waits_for_the_request() {
    tokio::time::pause();
    let (mut server, near) = Peer::open(Pipe::new().capacity(1 << 10));
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let mut options = SessionOptions::for_client();
    options.timeouts.response = Some(Duration::from_secs(20));
    let session = HttpSession::over(near, "a", &factory, options);
    apply(&session, post("/").body("x".repeat(8 << 10))).await;
    server.until("\r\n\r\n").await;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        server.exactly(1 << 10).await;
    }
    server.exactly(2 << 10).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    heard
        .expect(&["apply 200 []", "completed 200 in 0 out 8192"])
        .await;
}

/// The clock of a response head runs from the end of the request, and interim responses do not renew it; that of an
/// exchange runs from `Apply`, in the queue too. Both are off by default.
#[actix::test]
async fn interim_responses_renew_no_clock() {
    tokio::time::pause();
    let mut options = SessionOptions::for_client();
    options.timeouts.response = Some(Duration::from_secs(20));
    options.timeouts.body = None;
    let mut asking = ask_with(options.clone());
    apply(&asking.session, post("/").length(2)).await;
    asking.server.until("\r\n\r\n").await;
    asking.heard.expect(&["need_body"]).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    asking.session.do_send(SendChunk(Bytes::from_static(b"hi")));
    asking.session.do_send(Finish);
    asking.server.expect("hi").await;
    let since = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(15)).await;
    asking.server.send("HTTP/1.1 102 Processing\r\n\r\n").await;
    asking
        .heard
        .expect(&["informational 102", "cancelled Deadline(Response) Waiting"])
        .await;
    assert_eq!(since.elapsed().as_secs(), 20);
    assert_eq!(asking.server.rest().await, "");

    options.timeouts.response = None;
    options.timeouts.exchange = Some(Duration::from_secs(20));
    let mut asking = ask_with(options);
    let since = tokio::time::Instant::now();
    apply(&asking.session, get("/1")).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    apply(&asking.session, get("/2")).await;
    asking.server.until("\r\n\r\n").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    asking.server.send(OK).await;
    asking
        .heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
    answer_with(
        &mut asking.server,
        "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n",
    )
    .await;
    asking
        .heard
        .expect(&[
            "apply 200 stream 20000",
            "cancelled Deadline(Exchange) Answering",
        ])
        .await;
    assert_eq!(since.elapsed().as_secs(), 25);
}

/// P86, B13: the queue stands still while the output does, and moves on with it.
#[actix::test]
async fn a_throttled_session_goes_on() {
    let mut asking = ask();
    apply(&asking.session, post("/1").body(vec![b'x'; 200_000])).await;
    apply(&asking.session, get("/2")).await;
    asking.heard.expect(&["throttled"]).await;
    asking.server.send(OK).await;
    asking.heard.expect(&["apply 200 [hi]"]).await;
    let sent = asking
        .server
        .until("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert_eq!(sent.matches('x').count(), 200_000);
    // Over when both are whole.
    asking
        .heard
        .expect(&["unthrottled", "completed 200 in 2 out 200000"])
        .await;
}

/// N11: what can be sent again without doing anything twice is said so.
#[actix::test]
async fn what_is_safe_to_repeat() {
    struct Told(tokio::sync::mpsc::UnboundedSender<bool>);
    impl HttpHandler for Told {
        fn apply(&mut self, _: Payload, _: &mut SessionContext) {}
        fn failed(&mut self, failure: &http_actors::Failure, _: &mut SessionContext) {
            let _ = self.0.send(failure.exchange.retry_safe);
        }
    }
    let partial = "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\nabc";
    for (request, response, safe) in [
        (get("/"), "", true),
        (post("/"), "", false),
        (Payload::put("/").expect("a path"), "", true),
        (get("/"), partial, false),
        (get("/"), "HTTP/1.1 200 OK\r\nno field\r\n\r\n", false),
    ] {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
        let session = HttpSession::over(
            near,
            "a",
            &move |_| Told(sender.clone()),
            SessionOptions::for_client(),
        );
        apply(&session, request).await;
        let mut server = Peer::new(far);
        answer_with(&mut server, response).await;
        server.close().await;
        assert_eq!(told.recv().await, Some(safe), "after {response:?}");
    }
}

/// A handler that panics costs its session, and the server sees it go.
#[actix::test]
async fn a_panicking_handler_at_the_client() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (factory, mut heard) = Recorder::script(|_, _| panic!("on purpose"));
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    apply(&session, get("/")).await;
    let mut server = Peer::new(far);
    answer_with(&mut server, OK).await;
    assert_eq!(heard.rest().await, ["apply 200 [hi]"]);
    assert_eq!(server.rest().await, "");
    session.send(Inspect).await.expect_err("it has ended");
}

mod both_ends {
    //! The same session at both ends, over localhost: what one actor sends, the other's handler hears.

    use super::*;

    /// Sends everything back, in the mode in which it came.
    struct Echo;

    impl HttpHandler for Echo {
        fn apply(&mut self, request: Payload, session: &mut SessionContext) {
            let mut answer = Payload::response(StatusCode::OK);
            if request.mode() == http_actors::TransferMode::Oneshot {
                return session.respond(answer.body(request.body_bytes().clone()));
            }
            answer.set_length(request.body_size());
            session.respond(answer);
        }

        fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
            session.send_chunk(data).map(drop).expect("room enough");
        }

        fn trailers(&mut self, trailers: Headers, session: &mut SessionContext) {
            session.finish_with(&trailers).expect("open");
        }

        fn finished(&mut self, session: &mut SessionContext) {
            // Finished by its trailers already, if it had any.
            let _ = session.finish();
        }
    }

    fn echo() -> (http_actors::Running, Origin) {
        let (running, origin, _) = echo_over("TCP");
        (running, origin)
    }

    /// An echo on such a transport, and the way to it.
    fn echo_over(transport: &str) -> (http_actors::Running, Origin, Route) {
        let server = HttpServer::new(|_session| Echo).signals(false).workers(1);
        if transport == "Unix" {
            let path = common::socket_path();
            let running = server.bind_uds(&path).expect("a path").run();
            let origin = Origin::try_from("http://nowhere.test/").expect("a URL");
            return (running, origin, Route::unix(path));
        }
        #[cfg(feature = "rustls")]
        if transport == "TLS" {
            let authority = common::tls::Authority::new();
            let running = server
                .bind_rustls("127.0.0.1:0", authority.server("127.0.0.1"))
                .expect("a port")
                .run();
            let origin = format!("https://{}", running.addresses()[0]);
            return (
                running,
                Origin::try_from(origin.as_str()).expect("a URL"),
                Route::default().tls(authority.client()),
            );
        }
        let running = server.bind("127.0.0.1:0").expect("a port").run();
        let address = running.addresses()[0];
        if transport == "TCP, without a lookup" {
            let origin = "http://nowhere.test/".parse().expect("a URL");
            return (running, origin, Route::address(address));
        }
        let origin = format!("http://{address}").parse().expect("a URL");
        (running, origin, Route::default())
    }

    #[actix::test]
    async fn every_mode_both_ways() {
        every_mode_over("TCP").await;
        every_mode_over("TCP, without a lookup").await;
    }

    #[actix::test]
    async fn every_mode_both_ways_over_unix_sockets() {
        every_mode_over("Unix").await;
    }

    /// P94, P113.
    #[cfg(feature = "rustls")]
    #[actix::test]
    async fn every_mode_both_ways_over_tls() {
        every_mode_over("TLS").await;
    }

    /// Every transfer mode in both directions, over one connection.
    async fn every_mode_over(transport: &str) {
        let (_running, origin, route) = echo_over(transport);
        let (factory, mut heard) = Recorder::script(|_, _| {});
        let options = SessionOptions {
            route,
            ..SessionOptions::for_client()
        };
        let session = HttpSession::connect(origin, &factory, options);
        for _ in 0..3 {
            apply(&session, post("/").body("oneshot")).await;
            heard
                .expect(&["apply 200 [oneshot]", "completed 200 in 7 out 7"])
                .await;
            apply(&session, post("/").length(20_000)).await;
            heard.expect(&["need_body"]).await;
            taken(&session, SendChunk(vec![b's'; 20_000].into())).await;
            taken(&session, Finish).await;
            heard.expect(&["apply 200 stream 20000"]).await;
            let mut received = 0;
            while received < 20_000 {
                received += heard
                    .next()
                    .await
                    .strip_prefix("chunk ")
                    .expect("a chunk")
                    .len();
            }
            heard
                .expect(&["finished", "completed 200 in 20000 out 20000"])
                .await;
            apply(&session, post("/").chunked()).await;
            heard.expect(&["need_body"]).await;
            taken(&session, SendChunk("chunked".into())).await;
            let mut trailers = Headers::new();
            trailers.append("X-Sum", "7").expect("valid");
            taken(&session, FinishWith(trailers)).await;
            heard
                .expect(&[
                    "apply 200 chunked",
                    "chunk chunked",
                    "trailers {\"X-Sum\": \"7\"}",
                    "finished",
                ])
                .await;
            heard.expect(&["completed 200 in 7 out 7"]).await;
        }
        assert_eq!(session.send(Inspect).await.expect("alive").exchanges, 9);
    }

    /// N5: what the client end cancels, the server end hears, and the other way round.
    #[actix::test]
    async fn cancellation_crosses_the_wire() {
        for client_cancels in [true, false] {
            let (near, far) = tcp_pair().await;
            let (server, mut served) =
                common::accept(near, SessionOptions::default(), |_, session| {
                    session.respond(Payload::response(StatusCode::OK).chunked());
                });
            let (factory, mut asked) = Recorder::script(|_, _| {});
            let client = HttpSession::over(far, "a", &factory, SessionOptions::for_client());
            apply(&client, get("/")).await;
            served.expect(&["apply GET / []", "need_body"]).await;
            taken(&server, SendChunk("abc".into())).await;
            asked.expect(&["apply 200 chunked", "chunk abc"]).await;
            if client_cancels {
                client.send(Cancel::current()).await.expect("alive");
                asked.expect(&["cancelled Local Answering"]).await;
                let end = served.rest().await.pop().expect("an end");
                assert_eq!(
                    end,
                    format!("cancelled {:?} Answering", CancelCause::PeerReset)
                );
            } else {
                server.send(Cancel::current()).await.expect("alive");
                served.expect(&["cancelled Local Answering"]).await;
                let reset = FailureReason::ConnectionClosed(ErrorKind::ConnectionReset);
                assert_eq!(asked.next().await, format!("failed {reset:?} Answering"));
            }
        }
    }

    /// Backpressure crosses the wire: a client that is muted stops the server's producer.
    #[actix::test]
    async fn backpressure_crosses_the_wire() {
        let (near, far) = tokio::io::duplex(4096);
        let (server, mut served) = common::accept(near, SessionOptions::default(), |_, session| {
            session.respond(Payload::response(StatusCode::OK).chunked());
        });
        let (factory, mut asked) = Recorder::script(|_, session| session.mute());
        let client = HttpSession::over(far, "a", &factory, SessionOptions::for_client());
        apply(&client, get("/")).await;
        served.expect(&["apply GET / []", "need_body"]).await;
        for _ in 0..1000 {
            server.do_send(SendChunk(vec![b'x'; 1024].into()));
        }
        served.expect(&["throttled"]).await;
        let info = client.send(Inspect).await.expect("alive");
        assert!(info.muted && info.inbound_queued < 100, "{info:?}");
        asked.expect(&["apply 200 chunked"]).await;
        assert!(asked.so_far().is_empty());
    }

    /// A body with a hole fails its request and no other: the next one goes over a new connection.
    #[actix::test]
    async fn a_hole_fails_one_request() {
        let (_running, origin) = echo();
        let (factory, mut heard) = Recorder::script(|_, _| {});
        let session = HttpSession::connect(origin, &factory, SessionOptions::for_client());
        apply(&session, post("/").chunked()).await;
        heard.expect(&["need_body"]).await;
        session.do_send(SendChunk(vec![b'x'; 1 << 20].into()));
        session.do_send(SendChunk("lost".into()));
        let mut told = heard.next().await;
        while !told.starts_with("failed ") {
            told = heard.next().await;
        }
        assert!(told.starts_with("failed Overrun "), "{told}");
        apply(&session, post("/").body("ok")).await;
        heard
            .expect(&["apply 200 [ok]", "completed 200 in 2 out 2"])
            .await;
    }

    /// A response over the client's limits is a failure, and the next request goes over a new connection.
    #[actix::test]
    async fn limits_hold_at_the_client_too() {
        let (_running, origin) = echo();
        let limits = Limits {
            body: Some(10_000),
            ..Limits::default()
        };
        let options = SessionOptions {
            limits,
            ..SessionOptions::for_client()
        };
        let (factory, mut heard) = Recorder::script(|_, _| {});
        let session = HttpSession::connect(origin, &factory, options);
        apply(&session, post("/").body(vec![b'x'; 10_001])).await;
        heard
            .expect(&["failed Protocol(BodyTooLarge) Waiting"])
            .await;
        apply(&session, post("/").body("ok")).await;
        heard
            .expect(&["apply 200 [ok]", "completed 200 in 2 out 2"])
            .await;
    }

    /// A request made by the handler itself, in the middle of a response.
    #[actix::test]
    async fn a_handler_can_ask_on() {
        let (_running, origin) = echo();
        let asked = Arc::new(Mutex::new(0));
        let (factory, mut heard) = Recorder::script(move |_, session| {
            let mut asked = asked.lock().expect("no panic");
            *asked += 1;
            if *asked < 3 {
                session.respond(post("/").body("again"));
            }
        });
        let session = HttpSession::connect(origin, &factory, SessionOptions::for_client());
        apply(&session, post("/").body("first")).await;
        for text in ["first", "again", "again"] {
            heard
                .expect(&[&format!("apply 200 [{text}]"), "completed 200 in 5 out 5"])
                .await;
        }
    }
}
