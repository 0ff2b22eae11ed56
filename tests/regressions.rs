//! Defects that a review once found: each row here states what holds instead, so that none of them comes back.

mod common;

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Addr;
use common::{
    GET, HI, Heard, PATIENCE, Peer, Pipe, accept, eventually, hello, ok, reset_on_drop, serve,
    serve_with, silent, streaming, taken, tcp_pair,
};
use futures_util::{FutureExt as _, StreamExt as _};
use http_actors::codec::{Frame, HttpCodec};
use http_actors::error::{Refused, RefusedReason};
use http_actors::log::{Logger, Record};
use http_actors::message::{Apply, Cancel, Dispose, Finish, Inspect, Part, SendChunk, Write};
use http_actors::test_util::{FarEnd, Recorder};
use http_actors::{
    BodySender, Cancelled, Exchange, Failure, HalfClose, HandlerFactory, Headers, HttpHandler,
    HttpSession, Leniency, Limits, MessageId, Method, Payload, Responder, SessionContext,
    SessionInfo, SessionOptions, StatusCode, Timeouts, Unsent,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Asks as HTTP/1.0 does, and reads so much of the answer that it has begun.
async fn begin_close_delimited(far: &mut TcpStream) {
    far.write_all(b"GET / HTTP/1.0\r\n\r\n")
        .await
        .expect("written");
    let mut head = [0; 16];
    far.read_exact(&mut head).await.expect("the head");
}

/// Only a reset tells a cut answer from a whole one if the end of the connection delimits it.
async fn expect_reset(far: &mut TcpStream) {
    let mut rest = Vec::new();
    let error = far
        .read_to_end(&mut rest)
        .await
        .expect_err("no end of stream");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Begins an answer of unknown length, and does as told when that is cancelled.
struct Begins {
    when_cancelled: fn(&mut SessionContext),
}

impl HttpHandler for Begins {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        session.respond(Payload::response(StatusCode::OK).chunked());
        session.send_chunk("abc").map(drop).expect("taken");
    }

    fn cancelled(&mut self, _: &Cancelled, session: &mut SessionContext) {
        (self.when_cancelled)(session);
    }
}

/// Begins an answer, and continues and ends it by messages that nobody awaits once there is room again.
struct Continues {
    heard: Arc<Mutex<Vec<String>>>,
    continued: bool,
}

impl Continues {
    fn note(&self, text: String) {
        self.heard.lock().expect("no panic").push(text);
    }
}

impl HttpHandler for Continues {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        session.respond(Payload::response(StatusCode::OK).chunked());
    }

    fn unthrottled(&mut self, session: &mut SessionContext) {
        if !std::mem::replace(&mut self.continued, true) {
            session.address().do_send(SendChunk("more".into()));
            session.address().do_send(Finish);
        }
    }

    fn completed(&mut self, _: &Exchange, _: &mut SessionContext) {
        self.note("completed".to_owned());
    }

    fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
        self.note(format!("failed {:?}", failure.reason));
    }

    fn refused(&mut self, refused: Refused<Unsent>, _: &mut SessionContext) {
        self.note(format!("refused {:?}", refused.reason));
    }
}

/// Answers every refusal of an answer by another answer.
struct Insists {
    refusals: u32,
}

impl HttpHandler for Insists {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        session.respond(ok("hi"));
        session.respond(ok("again"));
    }

    fn refused(&mut self, _: Refused<Unsent>, session: &mut SessionContext) {
        self.refusals += 1;
        assert!(self.refusals < 1_000_000, "the refusals have no end");
        session.respond(ok("sorry"));
    }
}

/// Streams by a responder, and asks for a second writer when a body is wanted.
struct StreamsOnce;

impl HttpHandler for StreamsOnce {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        let responder = session.responder();
        session.spawn(async move {
            let mut body = responder
                .stream(Payload::response(StatusCode::OK).chunked())
                .await
                .expect("accepted");
            tokio::time::sleep(Duration::from_millis(20)).await;
            body.send("abc").await.expect("taken");
            body.finish().await.expect("open");
        });
    }

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        drop(session.body_sender());
    }
}

/// A logger that is at fault.
struct Panics;

impl Logger for Panics {
    fn log(&self, _: &Record<'_>) {
        panic!("on purpose");
    }
}

/// An upgrade that was offered with a body and not taken holds nothing back: the connection idles, and ends as one.
#[actix::test]
async fn a_connection_idles_after_an_upgrade_that_was_not_taken() {
    tokio::time::pause();
    let mut served = serve(hello);
    let offer = "Connection: upgrade\r\nUpgrade: x\r\n";
    served
        .peer
        .send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\n{offer}Content-Length: 20000\r\n\r\n"
        ))
        .await;
    served.peer.expect(HI).await;
    served.peer.send("x".repeat(20_000)).await;
    assert_eq!(served.peer.rest().await, "");
    served.heard.rest().await;
    assert!(!served.session.connected());
}

/// The reset that a cancelled close-delimited answer ends in is not lost when the session is disposed of.
#[actix::test]
async fn dispose_after_cancel_keeps_the_reset() {
    let (near, mut far) = tcp_pair().await;
    let (session, mut heard) = accept(near, SessionOptions::default(), streaming);
    begin_close_delimited(&mut far).await;
    heard.expect(&["apply GET / []", "need_body"]).await;
    taken(&session, SendChunk("abc".into())).await;
    session.do_send(Cancel::current());
    session.do_send(Dispose);
    expect_reset(&mut far).await;
}

/// The same for a handler that disposes of the session when it hears of the cancellation.
#[actix::test]
async fn dispose_inside_cancelled_keeps_the_reset() {
    let (near, mut far) = tcp_pair().await;
    let session = HttpSession::accept(
        near,
        &|_| Begins {
            when_cancelled: SessionContext::dispose,
        },
        SessionOptions::default(),
    );
    begin_close_delimited(&mut far).await;
    session.do_send(Cancel::current());
    expect_reset(&mut far).await;
}

/// An arbiter that stops cuts its close-delimited answers too, and the handler may still use its context then.
#[actix::test]
async fn a_stopped_arbiter_cuts_its_answers() {
    let (near, mut far) = tcp_pair().await;
    let near = near.into_std().expect("registered");
    let arbiter = actix::Arbiter::new();
    arbiter.spawn_fn(move || {
        let near = TcpStream::from_std(near).expect("does not block");
        HttpSession::accept(
            near,
            &|_| Begins {
                when_cancelled: |session| {
                    drop(session.address());
                    drop(session.responder());
                },
            },
            SessionOptions::default(),
        );
    });
    begin_close_delimited(&mut far).await;
    arbiter.stop();
    expect_reset(&mut far).await;
    arbiter.join().expect("no panic");
}

/// A writer whose end is refused is gone, so its message is cancelled: nobody is left to end it.
#[actix::test]
async fn a_refused_end_of_a_body_ends_the_exchange() {
    tokio::time::pause();
    let mut served = serve(|_, session: &mut SessionContext| {
        let responder = session.responder();
        session.spawn(async move {
            let mut body = responder
                .stream(Payload::response(StatusCode::OK).chunked())
                .await
                .expect("accepted");
            body.send("abc").await.expect("taken");
            let mut trailers = Headers::new();
            trailers.append("Cache-Control", "no-store").expect("valid");
            body.finish_with(trailers).await.expect_err("forbidden");
        });
    });
    served.peer.send(GET).await;
    let end = served.heard.rest().await.pop().expect("an end");
    assert!(
        end.starts_with("cancelled") || end.starts_with("failed"),
        "{end}"
    );
}

/// A call of `stream` that is given up before it is answered leaves no open body without a writer.
#[actix::test]
async fn a_stream_call_that_is_given_up_ends_the_exchange() {
    tokio::time::pause();
    let kept: &'static Mutex<Option<Responder>> = Box::leak(Box::default());
    let mut served = serve(move |_, session: &mut SessionContext| {
        kept.lock().expect("no panic").replace(session.responder());
    });
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let responder = kept.lock().expect("no panic").take().expect("kept");
    let answered = responder
        .stream(Payload::response(StatusCode::OK).chunked())
        .now_or_never();
    assert!(answered.is_none(), "given up before it was answered");
    let end = served.heard.rest().await.pop().expect("an end");
    assert!(
        end.starts_with("cancelled") || end.starts_with("failed"),
        "{end}"
    );
}

/// A piece that met the hard cap is a hole, and what is sent when there is room again does not complete the body.
#[actix::test]
async fn a_body_with_a_hole_is_not_completed_by_what_follows() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (near, far) = tokio::io::duplex(8 << 20);
    let kept = heard.clone();
    let session = HttpSession::accept(
        near,
        &move |_| Continues {
            heard: kept.clone(),
            continued: false,
        },
        SessionOptions::default(),
    );
    let mut peer = Peer::new(far);
    peer.send(GET).await;
    peer.until("\r\n\r\n").await;
    session.do_send(SendChunk(vec![b'x'; 1 << 20].into()));
    session.do_send(SendChunk("lost".into()));
    let rest = peer.rest().await;
    let heard = heard.lock().expect("no panic").clone();
    assert!(!rest.ends_with("0\r\n\r\n"), "{heard:?}");
    assert!(!heard.contains(&"completed".to_owned()), "{heard:?}");
    assert!(heard.contains(&"failed Overrun".to_owned()), "{heard:?}");
}

/// A peer that half-closes inside the head of its next request has half-closed: it is told, and the policy applies.
#[actix::test]
async fn a_half_close_inside_the_next_head_is_one() {
    tokio::time::pause();
    let mut served = serve(silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    served.peer.send("GE").await;
    served.peer.close().await;
    assert_eq!(
        served.heard.rest().await,
        ["half_closed", "cancelled PeerHalfClosed Waiting"]
    );
}

/// An answer that was accepted whole is sent whole, whatever the half-close policy is.
#[actix::test]
async fn an_accepted_answer_survives_a_half_close() {
    let options = SessionOptions {
        half_close: HalfClose::Abort,
        ..SessionOptions::default()
    };
    let mut served = serve_with(options, 1 << 16, hello);
    served.peer.send(GET).await;
    served.peer.close().await;
    assert_eq!(served.peer.rest().await, HI);
}

/// The same for an early answer to a request whose body is then cut short.
#[actix::test]
async fn an_early_answer_survives_a_truncated_body() {
    let mut served = serve(hello);
    served
        .peer
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\nabc")
        .await;
    served.peer.close().await;
    assert_eq!(served.peer.rest().await, HI);
}

/// Output that waits inside a transport that buffers is timed like output that the session holds itself.
#[actix::test]
async fn a_buffering_transport_has_a_write_deadline() {
    tokio::time::pause();
    let (near, far) = tokio::io::duplex(1000);
    let (session, mut heard) = accept(
        tokio::io::BufStream::with_capacity(1 << 16, 1 << 16, near),
        SessionOptions::default(),
        |_, session: &mut SessionContext| session.respond(ok("").body(vec![0; 20_000])),
    );
    let mut peer = Peer::new(far);
    peer.send(GET).await;
    let heard = heard.rest().await;
    assert_eq!(
        heard.last().expect("an end"),
        "cancelled Deadline(Write) Answered"
    );
    assert!(!session.connected());
}

async fn assert_hears_a_reset(peer: Peer<TcpStream>, mut heard: Heard) {
    reset_on_drop(&peer.io);
    drop(peer);
    assert_eq!(heard.rest().await, ["cancelled PeerReset Waiting"]);
}

/// Serves these requests until the session does not read on, and resets the connection.
async fn assert_notices_a_reset(
    requests: String,
    script: impl Fn(Payload, &mut SessionContext) + Send + Sync + 'static,
    reads_no_more: impl Fn(&SessionInfo) -> bool,
) {
    let (near, far) = tcp_pair().await;
    let (session, mut heard) = accept(near, SessionOptions::default(), script);
    let mut peer = Peer::new(far);
    peer.send(requests).await;
    heard.expect(&["apply GET / []"]).await;
    eventually("a session that does not read on", async || {
        reads_no_more(&session.send(Inspect).await.expect("alive"))
    })
    .await;
    // Whatever else the session was about to do is done.
    for _ in 0..100 {
        session.send(Inspect).await.expect("alive");
    }
    assert_hears_a_reset(peer, heard).await;
}

/// A reset is noticed although the credit of the peer is used up and nothing is read.
#[actix::test]
async fn a_reset_is_noticed_without_credit() {
    assert_notices_a_reset(GET.repeat(40), silent, |info| info.inbound_queued == 31).await;
}

/// A reset is noticed behind urgent data, which HTTP has none of.
#[actix::test]
async fn a_reset_is_noticed_behind_urgent_data() {
    let (near, far) = tcp_pair().await;
    let mute = |_, session: &mut SessionContext| session.mute();
    let (session, mut heard) = accept(near, SessionOptions::default(), mute);
    let mut peer = Peer::new(far);
    peer.send(GET).await;
    heard.expect(&["apply GET / []"]).await;
    for _ in 0..3 {
        let sent = socket2::SockRef::from(&peer.io).send_out_of_band(b"!");
        assert_eq!(sent.expect("a socket"), 1);
        // It is seen by then.
        for _ in 0..100 {
            session.send(Inspect).await.expect("alive");
        }
    }
    assert_hears_a_reset(peer, heard).await;
}

/// A reset is noticed while an offered upgrade holds what follows it.
#[actix::test]
async fn a_reset_is_noticed_while_held() {
    let offer = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n";
    assert_notices_a_reset(offer.to_owned(), silent, |_| true).await;
}

/// A reset is noticed while the handler wants nothing.
#[actix::test]
async fn a_reset_is_noticed_while_muted() {
    let mute = |_, session: &mut SessionContext| session.mute();
    assert_notices_a_reset(GET.to_owned(), mute, |info| info.muted).await;
}

/// An end that is bound to another message does not end a raw answer.
#[actix::test]
async fn a_late_finish_does_not_end_a_raw_answer() {
    let mut served = serve(silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let session = served.session.clone();
    let write = async |bytes: &'static str| {
        taken(&session, Write(bytes.into())).await;
    };
    write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").await;
    let refused = session
        .send(Finish::of(ok("other").id()))
        .await
        .expect("alive")
        .expect_err("another message");
    assert_eq!(refused.reason, RefusedReason::Busy);
    write("cd").await;
    taken(&session, Finish).await;
    served
        .peer
        .expect("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd")
        .await;
}

/// A logger that panics loses its entry and nothing else.
#[actix::test]
async fn a_panicking_logger_costs_its_entry() {
    let options = SessionOptions {
        logger: Some(Arc::new(Panics)),
        ..SessionOptions::default()
    };
    let mut served = serve_with(options, 1 << 16, hello);
    for _ in 0..2 {
        served.peer.send(GET).await;
        served
            .heard
            .expect(&["apply GET / []", "completed 200 in 0 out 2"])
            .await;
    }
}

/// The longest duration there is means "for ever" wherever a time can be set.
#[actix::test]
async fn the_longest_duration_is_for_ever() {
    let options = SessionOptions {
        timeouts: Timeouts {
            head: Some(Duration::MAX),
            body: Some(Duration::MAX),
            idle: Some(Duration::MAX),
            write: Some(Duration::MAX),
            linger: Duration::MAX,
            ..Timeouts::default()
        },
        half_close: HalfClose::FinishWithin(Duration::MAX),
        ..SessionOptions::default()
    };
    let mut served = serve_with(options, 1 << 16, hello);
    for _ in 0..2 {
        served.peer.send(GET).await;
        served.peer.expect(HI).await;
    }
    served.peer.send(GET).await;
    served.peer.close().await;
    assert_eq!(served.peer.rest().await, HI);
}

/// A client that reads no answer before it has sent the whole upload still gets the early answer: what it sends after
/// that is read. Not for ever.
#[actix::test]
async fn an_early_answer_survives_the_upload() {
    const SIZE: usize = 16 << 20;
    let (near, mut far) = tcp_pair().await;
    let _session = accept(near, SessionOptions::default(), hello);
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n");
    far.write_all(head.as_bytes()).await.expect("written");
    far.write_all(&vec![b'x'; SIZE]).await.expect("all written");
    let mut answer = String::new();
    far.read_to_string(&mut answer).await.expect("no reset");
    assert!(answer.ends_with("hi"), "{answer}");

    let mut options = SessionOptions::default();
    options.timeouts.linger = Duration::MAX;
    let mut served = serve_with(options, 1 << 20, hello);
    served
        .peer
        .send(head.replace(&SIZE.to_string(), "99999999999"))
        .await;
    let (piece, mut sent) = (vec![b'x'; 1 << 16], 0);
    let upload = async {
        while served.peer.io.write_all(&piece).await.is_ok() {
            sent += piece.len();
        }
    };
    let refused = tokio::time::timeout(PATIENCE, upload).await;
    refused.expect("an end of the upload");
    assert!((64 << 20..66 << 20).contains(&sent), "{sent}");
}

/// A handler that answers inside `refused` is refused again, and does not keep the session from its work.
#[actix::test]
async fn answers_to_refusals_do_not_stop_the_session() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let _session = HttpSession::accept(
        near,
        &|_| Insists { refusals: 0 },
        SessionOptions::default(),
    );
    let mut peer = Peer::new(far);
    peer.send(GET).await;
    peer.expect(HI).await;
}

/// A codec that an offered upgrade holds does not take what comes without a bound.
#[actix::test]
async fn a_held_codec_is_bounded() {
    tokio::time::pause();
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let codec = HttpCodec::server(Limits::default(), Leniency::default());
    let mut server = tokio_util::codec::Framed::new(near, codec);
    let flood = pin!(async {
        far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
            .await
            .expect("the head is read");
        let piece = vec![b'x'; 1 << 16];
        for _ in 0..1000 {
            if far.write_all(&piece).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    });
    let reads = async {
        assert!(matches!(server.next().await, Some(Ok(Frame::Head(_)))));
        // The time passes when neither side can go on.
        let _ = tokio::time::timeout(Duration::from_secs(5), server.next()).await;
    };
    tokio::select! {
        () = reads => {}
        () = flood => unreachable!("the flood stays"),
    }
    let held = server.read_buffer().len();
    assert!(held < 1 << 20, "{held}");
}

/// Each exchange of a half-closed connection hears that it is one.
#[actix::test]
async fn every_exchange_of_a_half_closed_peer_hears_of_it() {
    let mut served = serve(silent);
    served.peer.send(GET.repeat(2)).await;
    served.peer.close().await;
    served
        .heard
        .expect(&["apply GET / []", "half_closed"])
        .await;
    taken(&served.session, Apply(ok("hi"))).await;
    served.peer.expect(HI).await;
    served
        .heard
        .expect(&["completed 200 in 0 out 2", "apply GET / []", "half_closed"])
        .await;
}

/// Interim responses that the peer does not read count towards the hard cap like everything else.
#[actix::test]
async fn interim_responses_are_bounded() {
    let mut served = serve_with(SessionOptions::default(), 1000, silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let early_hints = StatusCode::from_u16(103).expect("a status");
    let mut refused = 0;
    for _ in 0..5000 {
        let hints = Payload::response(early_hints).header("Link", "x".repeat(1000));
        let taken = served.session.send(Apply(hints)).await.expect("alive");
        refused += usize::from(taken.is_err());
    }
    let queued = served
        .session
        .send(Inspect)
        .await
        .expect("alive")
        .outbound_queued;
    assert!(queued < 2 << 20 && refused > 0, "{queued}, {refused}");
}

/// A body that a `stream` writes has no second writer, whose drop would cancel it.
#[actix::test]
async fn a_streamed_body_has_one_writer() {
    tokio::time::pause();
    let (near, far) = tokio::io::duplex(1 << 16);
    let _session = HttpSession::accept(near, &|_| StreamsOnce, SessionOptions::default());
    let mut peer = Peer::new(far);
    peer.send(GET).await;
    peer.until("3\r\nabc\r\n0\r\n\r\n").await;
}

/// A FIN is noticed while nothing is read, even behind bytes that wait, and what waits is still delivered.
#[actix::test]
async fn a_half_close_is_noticed_while_muted() {
    let (near, far) = tcp_pair().await;
    let (session, mut heard) = accept(near, SessionOptions::default(), |_, session| session.mute());
    let mut peer = Peer::new(far);
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
        .await;
    heard.expect(&["apply POST / stream 20000"]).await;
    peer.send("x".repeat(20_000)).await;
    peer.send(GET).await;
    peer.close().await;
    heard.expect(&["half_closed"]).await;
    taken(
        &session,
        Apply(Payload::response(StatusCode::OK).body("hi")),
    )
    .await;
    // The request behind is answered too: the end of the stream was seen, but not all before it was read.
    heard
        .expect(&["completed 200 in 0 out 2", "apply GET / []", "half_closed"])
        .await;
}

/// What a logger was told of an exchange.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Exchange>>>);

impl Logger for Told {
    fn log(&self, record: &Record<'_>) {
        self.0
            .lock()
            .expect("no panic")
            .push(record.exchange.clone());
    }
}

/// An answer that the session gives in the place of somebody else is told like any other.
#[actix::test]
async fn answers_of_the_session_are_told() {
    let told = Told::default();
    let options = SessionOptions {
        logger: Some(Arc::new(told.clone())),
        ..SessionOptions::default()
    };
    let mut served = serve_with(options, 1 << 16, |_, session: &mut SessionContext| {
        drop(session.responder());
    });
    served.peer.send(GET).await;
    let answer = served.peer.rest().await;
    let exchange = told.0.lock().expect("no panic").remove(0);
    assert_eq!(exchange.status, Some(StatusCode::INTERNAL_SERVER_ERROR));
    assert!(exchange.answered.is_some());
    let body = answer.split("\r\n\r\n").nth(1).expect("a body").len() as u64;
    assert_eq!(exchange.bytes_out, body);
    // The peer of the tests leaves the date out.
    let date = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n".len();
    assert_eq!(exchange.head_out + body, (answer.len() + date) as u64);
}

/// What cannot be read costs no credit, so what came before it in the same read is answered, however much that was.
#[actix::test]
async fn requests_before_what_cannot_be_read() {
    for count in [1, 15, 16, 31] {
        let mut served = serve(hello);
        let requests = GET.repeat(count);
        served.peer.send(format!("{requests}no HTTP\r\n\r\n")).await;
        let answers = served.peer.rest().await;
        assert_eq!(answers.matches("HTTP/1.1 200 ").count(), count);
        assert_eq!(answers.matches("HTTP/1.1 400 ").count(), 1);
    }
}

/// Answers the first request at once and keeps a responder of it. Begins the answer to the second.
struct Twice {
    first: bool,
    old: Rc<RefCell<Option<Responder>>>,
    writer: Rc<RefCell<Option<bool>>>,
}

impl HttpHandler for Twice {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        if std::mem::replace(&mut self.first, false) {
            self.old.replace(Some(session.responder()));
            session.respond(ok("hi"));
        } else {
            streaming(Payload::response(StatusCode::OK), session);
        }
    }

    fn finished(&mut self, session: &mut SessionContext) {
        self.writer.replace(Some(session.body_sender().is_some()));
    }
}

/// A `stream` that is refused takes nothing from the answer that is open.
#[actix::test]
async fn a_refused_stream_claims_no_writer() {
    let (old, writer) = (Rc::default(), Rc::default());
    let (kept, told) = (Rc::clone(&old), Rc::clone(&writer));
    let factory = move |_| Twice {
        first: true,
        old: Rc::clone(&kept),
        writer: Rc::clone(&told),
    };
    let (mut peer, session) = Peer::serve_with(Pipe::new(), &factory, SessionOptions::default());
    peer.send(GET).await;
    peer.until("hi").await;
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    peer.until("chunked\r\n\r\n").await;
    let responder: Responder = old.take().expect("the first was asked");
    let refused = responder.stream(Payload::response(StatusCode::OK).chunked());
    let reason = refused.await.map(drop).expect_err("over").reason;
    assert_eq!(reason, RefusedReason::NotYourTurn);
    peer.send("0\r\n\r\n").await;
    eventually("the end of the request", async || {
        session.send(Inspect).await.expect("alive");
        writer.borrow().is_some()
    })
    .await;
    assert_eq!(writer.take(), Some(true));
}

/// A peer that asked for the close, and sends on all the same, gets its whole answer, and those before it, wherever
/// their bytes are. A socket that is closed and gets bytes resets, and what the peer has not received by then is lost.
#[actix::test]
async fn what_comes_behind_a_close_costs_no_answer() {
    const LENGTH: usize = 200_000;
    let close = |path| format!("GET /{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let body_before = format!("GET /body HTTP/1.1\r\nHost: a\r\n\r\n{}", close(""));
    for (requests, answers) in [(close("body"), 1), (close("head"), 1), (body_before, 2)] {
        let (near, mut far) = tcp_pair().await;
        // The system takes all answers, and most of them waits at this end.
        let (near_socket, far_socket) =
            (socket2::SockRef::from(&near), socket2::SockRef::from(&far));
        near_socket.set_send_buffer_size(LENGTH).expect("a socket");
        far_socket.set_recv_buffer_size(16 << 10).expect("a socket");
        let (_session, mut heard) = accept(near, SessionOptions::default(), |request, session| {
            let answer = Payload::response(StatusCode::OK);
            session.respond(match request.path() {
                "/body" => answer.body("x".repeat(LENGTH)),
                "/head" => answer.header("X", "x".repeat(LENGTH)),
                _ => answer,
            });
        });
        far.write_all(requests.as_bytes()).await.expect("written");
        let mut ended = 0;
        while ended < answers {
            ended += usize::from(heard.next().await.starts_with("completed 200"));
        }
        far.write_all(GET.as_bytes()).await.expect("written");
        let mut received = String::new();
        far.read_to_string(&mut received).await.expect("no reset");
        assert!(received.contains(&"x".repeat(LENGTH)), "{requests}");
        assert_eq!(received.matches("HTTP/1.1").count(), answers, "{requests}");
    }
}

/// Behind its last answer a server reads on, unless the peer asked for the close, sent no body, and got a short answer.
#[actix::test]
async fn behind_which_answers_a_server_reads_on() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    for (request, length, reads_on) in [(get, 2, false), (get, 20_000, true), (post, 2, true)] {
        // More than the connection holds, so that it is written only if it is read.
        let more = vec![b'\n'; 1 << 20];
        let mut served = serve_with(SessionOptions::default(), 32 << 10, move |_, session| {
            session.respond(Payload::response(StatusCode::OK).body("x".repeat(length)));
        });
        served.peer.send(request).await;
        served.peer.until(&"x".repeat(length)).await;
        let written = tokio::time::timeout(PATIENCE, served.peer.io.write_all(&more)).await;
        let written = written.expect("it is read, or fails");
        assert_eq!(written.is_ok(), reads_on, "{request} {length}");
    }
}

/// The rest of an answered request is late, and comes after the connection was given up: the answer comes whole.
#[actix::test]
async fn a_rest_that_is_late_costs_no_answer() {
    const LENGTH: usize = 200_000;
    let (near, mut far) = tcp_pair().await;
    let (near_socket, far_socket) = (socket2::SockRef::from(&near), socket2::SockRef::from(&far));
    near_socket.set_send_buffer_size(LENGTH).expect("a socket");
    far_socket.set_recv_buffer_size(16 << 10).expect("a socket");
    let mut options = SessionOptions::default();
    options.timeouts.body = Some(Duration::from_millis(10));
    let (session, _heard) = accept(near, options, |_, session| {
        session.respond(Payload::response(StatusCode::OK).body(vec![b'x'; LENGTH]));
    });
    far.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
        .await
        .expect("written");
    eventually("the end of the session", async || !session.connected()).await;
    far.write_all(b"late").await.expect("written");
    let mut answer = String::new();
    far.read_to_string(&mut answer).await.expect("no reset");
    assert!(answer.ends_with(&"x".repeat(LENGTH)));
}

/// A piece that is refused while nobody waits for it is missing, and what follows does not complete the body. If the
/// writer hears of it, it is the writer's affair, and the body goes on.
#[actix::test]
async fn a_piece_that_was_refused_unheard_is_missing() {
    tokio::time::pause();
    // A long body passes the hard cap, a short one its length.
    for (long, heard) in [(true, false), (true, true), (false, false), (false, true)] {
        let length = (!long).then_some(3);
        let head = |mut message: Payload| {
            message.set_length(length);
            message
        };
        let (factory, mut calls) = Recorder::of(Writes {
            answer: head(Payload::response(StatusCode::OK)),
            long,
            heard,
        });
        let mut client = FarEnd::serve(&factory);
        client.send(GET).await;
        let response = client.response_head(Method::GET).await;
        assert_eq!(response.status(), Some(StatusCode::OK));
        assert_eq!(ends_well(&mut client).await, heard, "{long} {heard}");
        drop(client);
        let ended = calls.rest().await.pop().expect("an end");
        let expected = ["failed LostPiece Answering", "completed 200"];
        assert!(ended.starts_with(expected[usize::from(heard)]), "{ended}");

        let (mut server, io) = FarEnd::open(Pipe::new());
        let answer = ok("unused");
        let writes = Writes {
            answer,
            long,
            heard,
        };
        let session = HttpSession::over(io, "a", &writes, SessionOptions::for_client());
        let request = head(Payload::put("/").expect("a url"));
        taken(&session, Apply(request)).await;
        server.request_head().await;
        assert_eq!(ends_well(&mut server).await, heard, "{long} {heard}");
    }
}

async fn ends_well(end: &mut FarEnd) -> bool {
    loop {
        match end.part().await {
            Part::Data(_) => {}
            end => return end != Part::Cut,
        }
    }
}

/// Answers or asks by a body of which one piece is refused.
#[derive(Clone)]
struct Writes {
    answer: Payload,
    long: bool,
    heard: bool,
}

impl HandlerFactory for Writes {
    type Handler = Self;

    fn handler(&self, _: actix::Addr<HttpSession>) -> Self {
        self.clone()
    }
}

impl HttpHandler for Writes {
    fn apply(&mut self, message: Payload, session: &mut SessionContext) {
        if message.is_request() {
            session.respond(self.answer.clone());
        }
    }

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        let body = session.body_sender().expect("the only writer");
        actix::spawn(write(body, self.long, self.heard));
    }
}

async fn write(mut body: BodySender, long: bool, heard: bool) {
    if long {
        // Accepted, whatever its size: a wait that is dropped says nothing else.
        assert!(body.send(vec![b'x'; 4 << 20]).now_or_never().is_none());
    }
    let refused = body.send("too much");
    if heard {
        refused.await.expect_err("there is no room for it");
    } else {
        assert!(refused.now_or_never().is_none());
    }
    while let Err(refused) = body.send("end").await {
        if refused.reason != RefusedReason::Overrun {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Refused if the body was cut.
    let _ = body.finish().await;
}

/// Tells how its exchange ended.
struct Tells {
    answer: fn(&mut SessionContext),
    to: mpsc::UnboundedSender<Exchange>,
}

impl HttpHandler for Tells {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        (self.answer)(session);
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.to.send(cancelled.exchange.clone()).expect("waits");
    }

    fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
        self.to.send(failure.exchange.clone()).expect("waits");
    }
}

/// What still waited for the socket when an exchange was cut was not sent, at both ends: a log shows how far an answer
/// came.
#[actix::test]
async fn what_was_not_sent_is_not_counted() {
    const ROOM: usize = 10_000;
    static MUCH: [u8; 100_000] = [b'x'; 100_000];
    let answers: [fn(&mut SessionContext); 3] = [
        |session| session.respond(Payload::response(StatusCode::OK).body(&MUCH[..])),
        |session| {
            let head = Payload::response(StatusCode::OK).length(MUCH.len() as u64);
            session.apply(head).expect("accepted");
            let _ = session.send_chunk(&MUCH[..]).expect("taken");
        },
        |session| {
            let _ = session.write(&MUCH[..]).expect("taken");
        },
    ];
    let cuts: [fn(&Peer, &Addr<HttpSession>); 3] = [
        |peer, _| peer.reset(),
        |_, session| session.do_send(Cancel::all()),
        |_, session| session.do_send(Dispose),
    ];
    for cut in cuts {
        for answer in answers.into_iter().map(Some).chain([None]) {
            let (mut peer, near) = Peer::open(Pipe::new().capacity(ROOM));
            let (to, mut told) = mpsc::unbounded_channel();
            let tells = |_| Tells {
                answer: answer.unwrap_or(|_| {}),
                to: to.clone(),
            };
            let session = if answer.is_some() {
                peer.send(GET).await;
                HttpSession::accept(near, &tells, SessionOptions::default())
            } else {
                let session = HttpSession::over(near, "a", &tells, SessionOptions::for_client());
                let post = Payload::post("/").expect("a path").body(&MUCH[..]);
                taken(&session, Apply(post)).await;
                session
            };
            eventually("a full pipe", async || {
                let info = session.send(Inspect).await.expect("alive");
                info.wire_bytes_out == ROOM as u64
            })
            .await;
            cut(&peer, &session);
            let cut = told.recv().await.expect("an end");
            assert_eq!(cut.head_out + cut.bytes_out, ROOM as u64, "{cut:?}");
        }
    }
}
