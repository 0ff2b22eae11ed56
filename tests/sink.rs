//! A body that is given to another actor (N7), at both ends; and a session as the actor that gets it.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message, Recipient, ResponseActFuture};
use common::{
    Heard, Peer, Pipe, Recorder, Served, answer_with, eventually, serve, serve_with, taken,
};
use http_actors::error::RefusedReason;
use http_actors::message::{Apply, BodyPart, Cancel, Inspect, NoMore, Part};
use http_actors::test_util::Socket;
use http_actors::{
    Headers, HttpSession, MessageId, Payload, SessionContext, SessionOptions, StatusCode,
};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{mpsc, oneshot};

/// An actor that shows each part to its test, which answers it.
struct Ear(mpsc::UnboundedSender<Told>);

struct Told {
    part: String,
    answer: oneshot::Sender<Result<(), NoMore>>,
}

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<BodyPart> for Ear {
    type Result = ResponseActFuture<Self, Result<(), NoMore>>;

    fn handle(
        &mut self,
        BodyPart { message, part }: BodyPart,
        _: &mut Self::Context,
    ) -> Self::Result {
        assert_eq!(message, tag());
        let part = match part {
            Part::Data(data) => format!("data {}", data.escape_ascii()),
            Part::End(trailers) => format!("end {trailers:?}"),
            Part::Cut => "cut".to_owned(),
        };
        let (answer, answered) = oneshot::channel();
        // The test may be over.
        let _ = self.0.send(Told { part, answer });
        // One that is dropped is a yes.
        let answer = async { answered.await.unwrap_or(Ok(())) };
        Box::pin(actix::fut::wrap_future(answer))
    }
}

/// Ends the actor.
#[derive(Message)]
#[rtype(result = "()")]
struct Die;

impl Handler<Die> for Ear {
    type Result = ();

    fn handle(&mut self, _: Die, ctx: &mut Self::Context) {
        actix::ActorContext::terminate(ctx);
    }
}

/// The id that the bodies of these tests go by.
fn tag() -> MessageId {
    static TAG: std::sync::OnceLock<MessageId> = std::sync::OnceLock::new();
    *TAG.get_or_init(|| Payload::response(StatusCode::OK).id())
}

/// An ear, and what it hears.
struct Parts {
    ear: Addr<Ear>,
    told: mpsc::UnboundedReceiver<Told>,
}

impl Parts {
    fn new() -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        let ear = Ear(sender).start();
        Self { ear, told }
    }

    fn recipient(&self) -> Recipient<BodyPart> {
        self.ear.clone().recipient()
    }

    async fn next(&mut self) -> Told {
        tokio::time::timeout(Duration::from_secs(300), self.told.recv())
            .await
            .expect("in time")
            .expect("the ear lives")
    }

    /// Answers everything until these came; pieces that follow each other are one.
    async fn expect(&mut self, expected: &[&str]) {
        let mut all = vec![String::new()];
        while all != expected {
            let part = self.next().await.part;
            match (part.strip_prefix("data "), all.last_mut()) {
                (Some(data), Some(last)) if last.starts_with("data ") => last.push_str(data),
                (_, Some(last)) if last.is_empty() => *last = part,
                _ => all.push(part),
            }
            assert!(all.len() <= expected.len(), "{all:?}");
        }
    }
}

/// A server session that gives each body to this ear, and answers by `answer` then.
fn receiving(
    parts: &Parts,
    answer: impl Fn(&mut SessionContext) + Send + Sync + 'static,
) -> Served {
    let recipient = parts.recipient();
    serve(move |_, session| {
        session
            .deliver_body_to(tag(), recipient.clone())
            .expect("one is coming");
        answer(session);
    })
}

/// A client session on a pipe that gives each response body to this ear.
fn asking(parts: &Parts) -> (Addr<HttpSession>, Peer, Heard) {
    let recipient = parts.recipient();
    let (factory, heard) = Recorder::script(move |_, session| {
        session
            .deliver_body_to(tag(), recipient.clone())
            .expect("one is coming");
    });
    let (peer, near) = Peer::open(Pipe::new().capacity(1 << 20));
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    (session, peer, heard)
}

fn get() -> Payload {
    Payload::get("/").expect("a path")
}

fn ok() -> Payload {
    Payload::response(StatusCode::OK)
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const SO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nso";

/// N7: request bodies of every kind, one after the other; the handler hears the head and the end of the exchange.
#[actix::test]
async fn request_bodies() {
    let mut parts = Parts::new();
    let mut served = receiving(&parts, |_| {});
    let long = "y".repeat(20_000);
    for (request, size, expected) in [
        (
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n{long}"),
            20_000,
            vec![format!("data {long}"), "end None".to_owned()],
        ),
        (
            format!("{CHUNKED}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
            5,
            vec!["data abcde".to_owned(), "end None".to_owned()],
        ),
        (
            format!("{CHUNKED}0\r\nX-Sum: 5\r\n\r\n"),
            0,
            vec!["end Some({\"X-Sum\": \"5\"})".to_owned()],
        ),
    ] {
        served.peer.send(request).await;
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        parts.expect(&expected).await;
        taken(&served.session, Apply(ok().body("so"))).await;
        served.peer.expect(SO).await;
        assert!(served.heard.next().await.starts_with("apply POST"));
        served
            .heard
            .expect(&[&format!("completed 200 in {size} out 2")])
            .await;
    }
}

/// The same at the client, where the end of the connection may be the end of the body.
#[actix::test]
async fn response_bodies() {
    let mut parts = Parts::new();
    let (session, mut peer, mut heard) = asking(&parts);
    let long = "y".repeat(20_000);
    for (response, expected) in [
        (
            format!("Content-Length: 20000\r\n\r\n{long}"),
            vec![format!("data {long}"), "end None".to_owned()],
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n".to_owned(),
            vec!["data a".to_owned(), "end Some({\"X\": \"y\"})".to_owned()],
        ),
        (
            "\r\nto the end".to_owned(),
            vec!["data to the end".to_owned(), "end None".to_owned()],
        ),
    ] {
        taken(&session, Apply(get())).await;
        answer_with(&mut peer, format!("HTTP/1.1 200 OK\r\n{response}")).await;
        if response.starts_with('\r') {
            peer.close().await;
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        parts.expect(&expected).await;
        assert!(heard.next().await.starts_with("apply 200"));
        assert!(heard.next().await.starts_with("completed 200"));
    }
}

/// B39: one part at a time; a sink that does not answer holds the peer, and goes on where it stopped.
#[actix::test]
async fn the_answer_is_the_credit() {
    tokio::time::pause();
    let mut parts = Parts::new();
    let recipient = parts.recipient();
    let mut served = serve_with(SessionOptions::default(), 1 << 10, move |_, session| {
        session
            .deliver_body_to(tag(), recipient.clone())
            .expect("one is coming");
    });
    served
        .peer
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
        .await;
    let told = push(&mut served.peer.io, &mut parts).await;
    let first = told.part.len();
    // The pipe, what the session holds undelivered, and the one piece.
    assert!(first <= 64 << 10, "{first}");
    let info = served.session.send(Inspect).await.expect("alive");
    assert!(info.body_bytes_in <= 64 << 10, "{info:?}");
    assert!(parts.told.try_recv().is_err(), "one at a time");
    told.answer.send(Ok(())).expect("waited for");
    drop(parts.next().await);
}

/// Small pieces that wait together are one message, up to 16 KiB; a large one is not copied.
#[actix::test]
async fn small_pieces_go_together() {
    let mut parts = Parts::new();
    let mut served = receiving(&parts, |_| {});
    let small = "1\r\nx\r\n".repeat(1_000);
    let medium = format!("2328\r\n{}\r\n", "m".repeat(9_000)).repeat(5);
    let large = format!("4e20\r\n{}\r\n", "y".repeat(20_000));
    served
        .peer
        .send(format!("{CHUNKED}{small}{large}{small}{medium}0\r\n\r\n"))
        .await;
    let (mut messages, mut bytes) = (0, String::new());
    while let Some(data) = parts.next().await.part.strip_prefix("data ") {
        messages += 1;
        assert!(data.len() <= 20_000, "what is joined has a limit");
        bytes.push_str(data);
    }
    let x = "x".repeat(1_000);
    let (y, m) = ("y".repeat(20_000), "m".repeat(45_000));
    assert!(bytes == format!("{x}{y}{x}{m}"));
    assert!(messages < 200, "{messages}");
}

/// Writes until nothing is taken any more: at most a second of nothing else to do. Returns the part that was sent.
async fn push(io: &mut Socket, parts: &mut Parts) -> Told {
    let mut pushed = 0;
    while let Ok(written) =
        tokio::time::timeout(Duration::from_secs(1), io.write(&[b'x'; 512])).await
    {
        pushed += written.expect("open");
        assert!(pushed < 256 << 10, "{pushed} bytes taken and none wanted");
    }
    parts.next().await
}

/// An actor that is gone loses the piece that it was to take: a 500, or a reset behind an answer that has begun.
#[actix::test]
async fn a_sink_that_dies() {
    let mut parts = Parts::new();
    let mut served = receiving(&parts, |_| {});
    served.peer.send(format!("{CHUNKED}1\r\na\r\n")).await;
    let _unanswered = parts.next().await;
    parts.ear.do_send(Die);
    assert!(
        served
            .peer
            .rest()
            .await
            .starts_with("HTTP/1.1 500 Internal Server Error\r\n")
    );
    assert_eq!(
        served.heard.rest().await,
        ["apply POST / chunked", "failed LostPiece Receiving"]
    );

    let parts = Parts::new();
    parts.ear.send(Die).await.expect("alive");
    let mut served = receiving(&parts, |session| session.respond(ok().chunked()));
    served.peer.send(format!("{CHUNKED}1\r\na\r\n")).await;
    assert!(!served.peer.rest().await.contains("\r\n0\r\n"));
    assert_eq!(
        served.heard.rest().await,
        [
            "apply POST / chunked",
            "need_body",
            "failed LostPiece Answering"
        ]
    );

    let parts = Parts::new();
    parts.ear.send(Die).await.expect("alive");
    let (session, mut peer, mut heard) = asking(&parts);
    taken(&session, Apply(get())).await;
    answer_with(
        &mut peer,
        "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\na",
    )
    .await;
    assert_eq!(peer.rest().await, "");
    heard
        .expect(&["apply 200 stream 20000", "failed LostPiece Answering"])
        .await;
}

/// An actor that wants no more: a server's answer is not affected, and the rest of the request is dropped unheard. A
/// client cancels.
#[actix::test]
async fn an_actor_that_wants_no_more_hears_no_more() {
    let mut parts = Parts::new();
    let mut served = receiving(&parts, |_| {});
    served.peer.send(format!("{CHUNKED}1\r\na\r\n")).await;
    parts
        .next()
        .await
        .answer
        .send(Err(NoMore))
        .expect("waited for");
    served.peer.send("1\r\nb\r\n0\r\n\r\n").await;
    eventually("both bytes", async || {
        served
            .session
            .send(Inspect)
            .await
            .expect("alive")
            .body_bytes_in
            >= 2
    })
    .await;
    taken(&served.session, Apply(ok().body("so"))).await;
    served.peer.expect(SO).await;
    served
        .heard
        .expect(&["apply POST / chunked", "completed 200 in 2 out 2"])
        .await;
    assert!(parts.told.try_recv().is_err());

    let (session, mut peer, mut heard) = asking(&parts);
    taken(&session, Apply(get())).await;
    answer_with(
        &mut peer,
        "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\na",
    )
    .await;
    parts
        .next()
        .await
        .answer
        .send(Err(NoMore))
        .expect("waited for");
    assert_eq!(peer.rest().await, "");
    heard
        .expect(&["apply 200 stream 20000", "cancelled Local Answering"])
        .await;
    assert!(parts.told.try_recv().is_err());
}

/// N3: a body that will never be whole is cut at once, whether or not the part before that was answered.
#[actix::test]
async fn bodies_that_are_cut() {
    // The peer goes.
    let mut parts = Parts::new();
    let mut served = receiving(&parts, |_| {});
    served.peer.send(format!("{CHUNKED}1\r\na\r\n")).await;
    parts.expect(&["data a"]).await;
    drop(served.peer);
    parts.expect(&["cut"]).await;
    // A silent peer.
    let mut options = SessionOptions::default();
    options.timeouts.body = Some(Duration::from_millis(1));
    let recipient = parts.recipient();
    let mut served = serve_with(options, 1 << 20, move |_, session| {
        session
            .deliver_body_to(tag(), recipient.clone())
            .expect("one is coming");
    });
    served.peer.send(CHUNKED).await;
    parts.expect(&["cut"]).await;
    // An answer that is complete before the request is; the part before is not answered.
    let mut served = receiving(&parts, |_| {});
    served.peer.send(format!("{CHUNKED}1\r\na\r\n")).await;
    let told = parts.next().await;
    taken(&served.session, Apply(ok().body("so"))).await;
    parts.expect(&["cut"]).await;
    drop(told);
    // A response that is cut short, and a session that is disposed.
    let (session, mut peer, _heard) = asking(&parts);
    taken(&session, Apply(get())).await;
    answer_with(
        &mut peer,
        "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\na",
    )
    .await;
    parts.expect(&["data a"]).await;
    peer.close().await;
    parts.expect(&["cut"]).await;
    let (session, mut peer, _heard) = asking(&parts);
    taken(&session, Apply(get())).await;
    answer_with(
        &mut peer,
        "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\na",
    )
    .await;
    let told = parts.next().await;
    session.do_send(http_actors::message::Dispose);
    parts.expect(&["cut"]).await;
    drop(told);
}

/// Where none is coming, or somebody has it, the recipient comes back.
#[actix::test]
async fn a_refused_recipient_comes_back() {
    let parts = Parts::new();
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let (recipient, noted) = (parts.recipient(), reasons.clone());
    let give = move |_: Payload, session: &mut SessionContext| {
        for _ in 0..2 {
            let given = session.deliver_body_to(tag(), recipient.clone());
            noted
                .lock()
                .expect("no panic")
                .push(given.err().map(|refused| refused.reason));
        }
        session.dispose();
        let given = session.deliver_body_to(tag(), recipient.clone());
        noted
            .lock()
            .expect("no panic")
            .push(given.err().map(|refused| refused.reason));
    };
    let (none, closing) = (Some(RefusedReason::NoBody), Some(RefusedReason::Closing));
    for (head, expected) in [
        (CHUNKED, [None, Some(RefusedReason::Busy), closing]),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", [none, none, closing]),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na",
            [none, none, closing],
        ),
    ] {
        let mut served = serve(give.clone());
        served.peer.send(head).await;
        served.heard.rest().await;
        assert_eq!(
            std::mem::take(&mut *reasons.lock().expect("no panic")),
            expected,
            "{head}"
        );
    }
    let (factory, mut heard) = Recorder::script(give);
    let (far, near) = Pipe::new().capacity(1 << 10).open();
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    let mut peer = Peer::new(far);
    session.do_send(Apply(Payload::head("/").expect("a path")));
    answer_with(
        &mut peer,
        "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n",
    )
    .await;
    heard.rest().await;
    assert_eq!(*reasons.lock().expect("no panic"), [none, none, closing]);
}

/// A peer that waits for leave to send gets it when the sink answers an empty piece.
#[actix::test]
async fn the_first_answer_is_the_leave() {
    let mut parts = Parts::new();
    let mut served = receiving(&parts, |_| {});
    served
        .peer
        .send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 20000\r\n\r\n")
        .await;
    let told = parts.next().await;
    assert_eq!(told.part, "data ");
    told.answer.send(Ok(())).expect("waited for");
    served.peer.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
    served.peer.send("x".repeat(20_000)).await;
    parts
        .expect(&[&format!("data {}", "x".repeat(20_000)), "end None"])
        .await;

    let mut served = receiving(&parts, |_| {});
    served
        .peer
        .send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 20000\r\n\r\n")
        .await;
    parts
        .next()
        .await
        .answer
        .send(Err(NoMore))
        .expect("waited for");
    taken(&served.session, Apply(ok().body("so"))).await;
    assert!(
        served.peer.rest().await.starts_with("HTTP/1.1 200 OK\r\n"),
        "no leave was given"
    );
}

fn part(message: MessageId, part: Part) -> BodyPart {
    BodyPart { message, part }
}

fn data(message: MessageId, data: &'static str) -> BodyPart {
    part(message, Part::Data(data.into()))
}

/// A server session that was asked, and has begun this answer.
async fn answering(answer: Payload) -> (Served, MessageId) {
    let mut served = serve(|_, _| {});
    served.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.heard.next().await;
    let begun = served.session.send(Apply(answer)).await.expect("alive");
    served.peer.until("\r\n\r\n").await;
    served.heard.expect(&["need_body"]).await;
    (served, begun.expect("asked"))
}

/// A session takes parts as the body of its answer, from any sender, and of no other message.
#[actix::test]
async fn a_server_session_as_the_sink() {
    let (mut served, message) = answering(ok().chunked()).await;
    let session = &served.session;
    for stray in [Part::Data("no".into()), Part::Cut, Part::End(None)] {
        assert_eq!(
            session.send(part(tag(), stray)).await.expect("alive"),
            Err(NoMore)
        );
    }
    assert_eq!(
        session.send(data(message, "abc")).await.expect("alive"),
        Ok(())
    );
    let mut trailers = Headers::new();
    trailers.append("X", "y").expect("a field");
    session.do_send(part(message, Part::End(Some(trailers))));
    served.peer.expect("3\r\nabc\r\n0\r\nX: y\r\n\r\n").await;
    served.heard.expect(&["completed 200 in 0 out 3"]).await;
    assert_eq!(
        session.send(data(message, "late")).await.expect("alive"),
        Err(NoMore)
    );

    // What is too long, too short or cut is never a whole answer, and the sender need not wait to make that so.
    for (spoilt, end) in [
        (vec![Part::Data("abc".into())], "cancelled Local Answering"),
        (
            vec![Part::Data("a".into()), Part::Cut],
            "cancelled Local Answering",
        ),
        (
            vec![Part::Data("a".into()), Part::End(None)],
            "failed Usage(BodyTooShort) Answering",
        ),
    ] {
        let (mut served, message) = answering(ok().length(2)).await;
        for spoilt in spoilt {
            served.session.do_send(part(message, spoilt));
        }
        assert_eq!(served.heard.rest().await, [end]);
        assert!(served.peer.rest().await.len() < 2);
    }
}

/// Backpressure: a part is answered when the peer has taken enough of what waits.
#[actix::test]
async fn a_session_answers_when_there_is_room() {
    let (mut served, message) = answering(ok().chunked()).await;
    let piece = Part::Data(vec![b'x'; 2 << 20].into());
    let waiting = actix::spawn(served.session.send(part(message, piece)));
    // The pipe takes half of it.
    eventually("a session that waits for room", async || {
        let info = served.session.send(Inspect).await.expect("alive");
        info.throttled_for.is_some()
    })
    .await;
    assert!(!waiting.is_finished());
    served.peer.until("200000\r\n").await;
    let taken = served.peer.exactly(2 << 20).await;
    assert!(taken.iter().all(|byte| *byte == b'x'));
    assert_eq!(waiting.await.expect("no panic").expect("alive"), Ok(()));
}

/// A request that waits for its turn, or for leave, keeps the first part of its body, and no more.
#[actix::test]
async fn a_client_session_as_the_sink() {
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let (far, near) = Pipe::new().capacity(1 << 20).open();
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    let mut peer = Peer::new(far);
    let post = || Payload::post("/").expect("a path").chunked();
    let apply = async |request| taken(&session, Apply(request)).await;
    apply(get()).await;
    let queued = apply(post()).await;
    let spoilt = apply(post()).await;
    let empty = apply(post().header("Expect", "100-continue")).await;
    let waiting = actix::spawn(session.send(data(queued, "abc")));
    let greedy = session.send(data(spoilt, "abc"));
    session.do_send(part(empty, Part::End(None)));
    assert_eq!(
        session.send(data(spoilt, "def")).await.expect("alive"),
        Err(NoMore)
    );
    assert_eq!(greedy.await.expect("alive"), Err(NoMore));
    heard.expect(&["cancelled Local Queued"]).await;
    peer.expect("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!waiting.is_finished());
    peer.send(SO).await;
    assert_eq!(waiting.await.expect("no panic").expect("alive"), Ok(()));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    peer.expect(&format!("{head}3\r\nabc\r\n")).await;
    session.do_send(part(queued, Part::End(None)));
    peer.expect("0\r\n\r\n").await;
    peer.send(SO).await;
    peer.until("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    peer.expect("0\r\n\r\n").await;
    peer.send(SO).await;
    // One that is cut before it is sent does not touch the connection; one that fails unsent says so.
    let busy = apply(get()).await;
    let cut = apply(post()).await;
    session.do_send(part(cut, Part::Cut));
    let lost = apply(post()).await;
    let unsent = session.send(data(lost, "abc"));
    session.do_send(Cancel(busy));
    assert_eq!(unsent.await.expect("alive"), Err(NoMore));
}
