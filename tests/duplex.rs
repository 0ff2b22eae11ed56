//! Both directions of a connection at once: neither waits for the other for ever, and the end of one is not taken for
//! the end of the other.

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use common::{GET, HI, Heard, Peer, Pipe, Recorder, answer_with, serve, tcp_pair};
use http_actors::error::UseError;
use http_actors::message::{Apply, Finish, Inspect, Leave, SendChunk};
use http_actors::{
    Exchange, HttpHandler, HttpSession, MuteGuard, Payload, SessionContext, SessionOptions,
    StatusCode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A client session over a pipe, and the server end for the test.
struct Asking {
    session: Addr<HttpSession>,
    server: Peer,
    heard: Heard,
}

fn ask(script: impl Fn(Payload, &mut SessionContext) + 'static) -> Asking {
    let (server, near) = Peer::open(Pipe::new().capacity(1 << 16));
    let (factory, heard) = Recorder::script(script);
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    Asking {
        session,
        server,
        heard,
    }
}

/// Begins an upload that the server has seen the head of.
async fn upload() -> Asking {
    let mut asking = ask(|_, _| {});
    let post = Payload::post("/").expect("a path").chunked();
    let asked = asking.session.send(Apply(post)).await.expect("alive");
    asked.expect("accepted");
    asking.heard.expect(&["need_body"]).await;
    asking.server.until("\r\n\r\n").await;
    asking
}

async fn give(session: &Addr<HttpSession>, data: &'static str) {
    let given = session.send(SendChunk(data.into())).await.expect("alive");
    given.expect("taken");
}

async fn finish(session: &Addr<HttpSession>) {
    let finished = session.send(Finish).await.expect("alive");
    finished.expect("taken");
}

/// RFC 9112 section 9.5: a client takes the response while its request waits for the socket. The server here reads no
/// further before the whole of it was taken.
#[actix::test]
async fn a_response_is_read_while_the_request_waits() {
    let mut asking = upload().await;
    let (request, response) = (1 << 20, 300_000);
    asking
        .session
        .do_send(SendChunk("x".repeat(request).into()));
    asking.heard.expect(&["throttled"]).await;
    asking
        .server
        .send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {response}\r\n\r\n"
        ))
        .await;
    asking.server.send("y".repeat(response)).await;
    asking.heard.expect(&["apply 200 stream 300000"]).await;
    while asking.heard.next().await != "finished" {}
    finish(&asking.session).await;
    asking.server.until("0\r\n\r\n").await;
    let completed = format!("completed 200 in {response} out {request}");
    asking.heard.expect(&["unthrottled", &completed]).await;
}

/// A response that says that all is well, and keeps the connection, may come before the request was sent: the exchange
/// is over when both are whole.
#[actix::test]
async fn an_early_success_leaves_the_request_its_end() {
    let mut asking = upload().await;
    asking.server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    asking.heard.expect(&["apply 204 []"]).await;
    give(&asking.session, "abc").await;
    finish(&asking.session).await;
    asking.server.expect("3\r\nabc\r\n0\r\n\r\n").await;
    asking.heard.expect(&["completed 204 in 0 out 3"]).await;
    // The connection is as good as before.
    let get = Payload::get("/next").expect("a path");
    asking.session.do_send(Apply(get));
    asking.server.until("GET /next").await;
}

/// Any other response, and one that is the last of its connection, ends the upload: nobody wants the rest.
#[actix::test]
async fn other_early_responses_end_the_request() {
    for head in [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 303 See Other\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ] {
        let mut asking = upload().await;
        asking.server.send(head).await;
        asking.heard.next().await;
        let completed = asking.heard.next().await;
        assert!(completed.starts_with("completed"), "{head}: {completed}");
        assert!(!asking.server.more().await, "{head}");
    }
}

/// The same where the body was inside: it was given, and the socket has not taken it. Its connection is not used again.
#[actix::test]
async fn a_refused_request_that_still_waits_is_cut() {
    let mut asking = ask(|_, _| {});
    let post = Payload::post("/")
        .expect("a path")
        .body(vec![b'x'; 1 << 20]);
    asking.session.do_send(Apply(post));
    asking.server.until("\r\n\r\n").await;
    let refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    asking.server.send(refusal).await;
    let completed = format!("completed 413 in 0 out {}", 1 << 20);
    asking
        .heard
        .expect(&["throttled", "apply 413 []", &completed, "unthrottled"])
        .await;
    while asking.server.more().await {}
    assert!(asking.server.exactly(0).await.is_empty());
}

/// A server that takes nothing more costs the current exchange and its connection. What waits goes over the next
/// connection, which does not exist here.
#[actix::test]
async fn output_that_stands_still_is_not_the_next_ones_fault() {
    tokio::time::pause();
    let mut asking = ask(|_, _| {});
    let post = Payload::post("/")
        .expect("a path")
        .body(vec![b'x'; 1 << 20]);
    asking.session.do_send(Apply(post));
    asking
        .session
        .do_send(Apply(Payload::get("/2").expect("a path")));
    answer_with(&mut asking.server, HI).await;
    asking.heard.expect(&["throttled", "apply 200 [hi]"]).await;
    let ends = [
        asking.heard.next().await,
        asking.heard.next().await,
        asking.heard.next().await,
    ];
    assert!(
        ends.contains(&"cancelled Deadline(Write) Answered".to_owned()),
        "{ends:?}"
    );
    assert!(
        ends.contains(&"failed ConnectFailed(NotConnected) Queued".to_owned()),
        "{ends:?}"
    );
}

/// A server that leaves behind an early success has said all that it had to say.
#[actix::test]
async fn a_server_may_leave_behind_an_early_success() {
    let mut asking = upload().await;
    asking.server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    asking.heard.expect(&["apply 204 []"]).await;
    asking.server.close().await;
    asking.heard.expect(&["completed 204 in 0 out 0"]).await;
}

/// Holds what is to be held, and tells what it hears.
struct Holds {
    between: Option<MuteGuard>,
    heard: mpsc::UnboundedSender<String>,
}

impl Holds {
    fn note(&self, what: impl Into<String>) {
        self.heard.send(what.into()).expect("the test listens");
    }
}

impl HttpHandler for Holds {
    fn apply(&mut self, response: Payload, session: &mut SessionContext) {
        self.note(format!("apply {}", response.mode() as u8));
        if self.between.is_some() {
            session.mute();
            self.between = None;
        }
    }

    fn chunk(&mut self, _: Bytes, _: &mut SessionContext) {
        self.note("chunk");
    }

    fn completed(&mut self, _: &Exchange, session: &mut SessionContext) {
        self.between = Some(session.hold());
        self.note("completed");
    }
}

/// A guard that was made between two exchanges holds nothing, and takes nobody's mute back.
#[actix::test]
async fn a_guard_of_nothing_takes_nothing_back() {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let (mut server, near) = Peer::open(Pipe::new().capacity(1 << 16));
    let factory = move |_| Holds {
        between: None,
        heard: sender.clone(),
    };
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    for path in ["/1", "/2"] {
        session.do_send(Apply(Payload::get(path).expect("a path")));
    }
    server.until("GET /1").await;
    server.send(HI).await;
    server.until("GET /2").await;
    let long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n{}",
        "x".repeat(20_000)
    );
    server.send(long).await;
    for expected in ["apply 0", "completed", "apply 1"] {
        assert_eq!(heard.recv().await.as_deref(), Some(expected));
    }
    // Behind the guard's own word.
    for _ in 0..2 {
        assert!(session.send(Inspect).await.expect("alive").muted);
    }
    assert!(heard.try_recv().is_err(), "it is muted");
}

/// A complete answer is sent, whatever happens to the request after it.
#[actix::test]
async fn a_complete_answer_outlives_the_next_exchange() {
    let mut served = serve(|request, session: &mut SessionContext| {
        if request.path() == "/2" {
            session.cancel(request.id());
        } else {
            session.respond(Payload::response(StatusCode::OK).body("hi"));
        }
    });
    served
        .peer
        .send(format!("{GET}{}", GET.replacen('/', "/2", 1)))
        .await;
    served.peer.expect(HI).await;
    served
        .heard
        .expect(&[
            "apply GET / []",
            "completed 200 in 0 out 2",
            "apply GET /2 []",
            "cancelled Local Waiting",
        ])
        .await;
    assert_eq!(served.peer.rest().await, "");
}

/// What is not let out ends in a reset: the peer must not take it for whole.
#[actix::test]
async fn an_answer_that_is_not_let_out_ends_in_a_reset() {
    let (near, mut far) = tcp_pair().await;
    let (_session, mut heard) = common::accept(
        near,
        SessionOptions::default(),
        |request, session: &mut SessionContext| {
            if request.path() == "/2" {
                session.dispose();
            } else {
                session.respond(Payload::response(StatusCode::OK).body("hi"));
            }
        },
    );
    let two = format!("{GET}{}", GET.replacen('/', "/2", 1));
    far.write_all(two.as_bytes()).await.expect("written");
    while heard.next().await != "cancelled Local Waiting" {}
    let read = far.read(&mut [0; 64]).await;
    assert_eq!(read.expect_err("no end").kind(), ErrorKind::ConnectionReset);
}

/// A final answer that cannot be one is told to the handler, and its request is answered for. A client can cause that:
/// a `CONNECT` is not answered by a 200.
#[actix::test]
async fn a_request_is_not_left_without_an_answer() {
    let mut served = serve(|_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).body("hi"));
    });
    served
        .peer
        .send("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")
        .await;
    let usage = UseError::SwitchNeedsHandOff;
    served
        .heard
        .expect(&[
            "apply CONNECT a:80 []",
            &format!("refused Unusable({usage:?})"),
            &format!("failed Usage({usage:?}) Waiting"),
        ])
        .await;
    let answer = served.peer.rest().await;
    assert!(answer.starts_with("HTTP/1.1 501 "), "{answer}");
}

/// Of an interim response it is not: the answer is still to come.
#[actix::test]
async fn a_refused_interim_response_ends_nothing() {
    let mut served = serve(|_, session: &mut SessionContext| {
        let hints = Payload::response(StatusCode::from_u16(103).expect("a status"));
        session.respond(hints.header("a b", ""));
    });
    served.peer.send(GET).await;
    let refused = format!("refused Unusable({:?})", UseError::InvalidName);
    served.heard.expect(&["apply GET / []", &refused]).await;
    let answer = Payload::response(StatusCode::OK).body("hi");
    let answered = served.session.send(Apply(answer)).await.expect("alive");
    answered.expect("accepted");
    served.peer.expect(HI).await;
}

/// Unless somebody else has the right to answer.
#[actix::test]
async fn a_responder_still_answers() {
    let mut served = serve(|_, session: &mut SessionContext| {
        let responder = session.responder();
        session.respond(Payload::get("/").expect("a request"));
        session.spawn(async move {
            let answer = Payload::response(StatusCode::OK).body("hi");
            responder.respond(answer).await.expect("accepted");
        });
    });
    served.peer.send(GET).await;
    served.peer.expect(HI).await;
    served
        .heard
        .expect(&[
            "apply GET / []",
            "refused Unusable(WrongKind)",
            "completed 200 in 0 out 2",
        ])
        .await;
}

/// A session that is asked to leave does not wait for the rest of a request that was answered.
#[actix::test]
async fn the_rest_of_an_answered_request_keeps_no_session() {
    tokio::time::pause();
    let mut served = serve(|_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).body("hi"));
    });
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\nabc";
    served.peer.send(head).await;
    served.peer.expect(HI).await;
    let since = Instant::now();
    let leave = Leave {
        window: Duration::from_secs(1),
        deadline: Duration::from_secs(60),
    };
    let left = served.session.send(leave).await.expect("alive");
    assert!(left.cut.is_empty());
    assert_eq!(since.elapsed().as_secs(), 1);
}
