//! Whole sessions over a connection that cuts: at every place, and at random places from fifty seeds, the handler hears
//! the same and the peer is sent the same.

use std::rc::Rc;

use actix::Addr;
use bytes::{Bytes, BytesMut};
use http_actors::message::Apply;
use http_actors::test_util::{FarEnd, Heard, Pipe, Recorder};
use http_actors::{
    Headers, HttpHandler, HttpSession, Limits, MessageId, Method, Payload, Room, SessionContext,
    SessionOptions, StatusCode, TransferMode,
};

/// The pipe that does not cut, and those that do, for conversations of so many bytes in one direction.
fn pipes(bytes: usize) -> impl Iterator<Item = (String, Pipe)> {
    let places = (1..=bytes as u64).map(|at| (format!("cut at {at}"), Pipe::new().split_at(at)));
    let seeds = (0..50).map(|seed| (format!("seed {seed}"), Pipe::new().seed(seed)));
    std::iter::once(("whole".to_owned(), Pipe::new()))
        .chain(places)
        .chain(seeds)
}

/// Small bodies come in pieces already.
fn options(options: SessionOptions) -> SessionOptions {
    SessionOptions {
        limits: Limits {
            oneshot: 4,
            ..options.limits
        },
        ..options
    }
}

/// Everything that was heard, one line each, with the pieces of bodies joined: their boundaries mean nothing. It
/// depends on the peer whether it closed before an exchange was over.
async fn all(heard: &mut Heard) -> String {
    let mut text = String::new();
    let mut in_body = false;
    for line in heard.rest().await {
        if line == "half_closed" {
            continue;
        }
        let piece = line.strip_prefix("chunk ");
        match piece {
            Some(piece) if in_body => text += piece,
            _ => {
                text.push('\n');
                text += &line;
            }
        }
        in_body = piece.is_some();
    }
    text.trim_start().to_owned()
}

/// Answers with the body that came.
#[derive(Default)]
struct Echo(BytesMut);

impl HttpHandler for Echo {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        self.0 = request.body_bytes().as_ref().into();
        if request.mode() == TransferMode::Oneshot {
            self.finished(session);
        }
    }

    fn chunk(&mut self, data: Bytes, _: &mut SessionContext) {
        self.0.extend_from_slice(&data);
    }

    fn finished(&mut self, session: &mut SessionContext) {
        session.respond(Payload::response(StatusCode::OK).body(self.0.split().freeze()));
    }
}

const SERVED: &[(&str, &str, &str)] = &[
    (
        "requests behind each other, in one write",
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\nHEAD /c HTTP/1.1\r\nHost: a\r\n\r\n",
        "apply GET /a []\ncompleted 200 in 0 out 0\napply POST /b [abc]\ncompleted 200 in 3 out 3\napply HEAD /c []\ncompleted 200 in 0 out 0",
    ),
    (
        "a body in pieces",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello world\n",
        "apply PUT / stream 12\nchunk hello world\\n\nfinished\ncompleted 200 in 12 out 12",
    ),
    (
        "chunks, an extension, trailers, and a request behind them",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0c\r\n\r\n\r\n012345\r\n\r\n0\r\nSum: 7\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "apply POST / chunked\nchunk abc\\r\\n\\r\\n012345\\r\\n\ntrailers {\"Sum\": \"7\"}\nfinished\ncompleted 200 in 15 out 15\napply GET / []\ncompleted 200 in 0 out 0",
    ),
    (
        "a refusal behind an answer, and what stands behind it",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost : a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "apply GET / []\ncompleted 200 in 0 out 0",
    ),
    (
        "HTTP/1.0, and what stands behind it",
        "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "apply GET / []\ncompleted 200 in 0 out 0",
    ),
    (
        "a body that is cut short",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        "apply POST / stream 9\nchunk abc\nfailed Protocol(Truncated) Receiving",
    ),
    (
        "chunks that are wrong",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        "apply POST / chunked\nchunk abc\nfailed Protocol(MissingChunkEnd) Receiving",
    ),
];

#[actix::test]
async fn a_server_hears_and_says_the_same() {
    tokio::time::pause();
    for (name, sent, expected) in SERVED {
        let mut whole = None;
        for (way, pipe) in pipes(sent.len()) {
            let (factory, mut heard) = Recorder::of(|_: Addr<HttpSession>| Echo::default());
            let options = options(SessionOptions::default());
            let (mut client, _session) = FarEnd::serve_with(pipe, &factory, options);
            client.send(sent).await;
            client.close().await;
            let said = client.rest().await;
            assert_eq!(all(&mut heard).await, *expected, "{name}, {way}");
            assert!(!client.transcript().was_reset(), "{name}, {way}");
            assert_eq!(&said, whole.get_or_insert(said.clone()), "{name}, {way}");
        }
    }
}

/// Requests, and the bytes that answer each.
type Exchanges = &'static [(Method, &'static str)];

/// Exchanges, and what the handler hears of them.
const ASKED: &[(&str, Exchanges, &str)] = &[
    (
        "answers with a body, without one and to HEAD",
        &[
            (
                Method::GET,
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            ),
            (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
            (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n"),
        ],
        "apply 200 [abc]\ncompleted 200 in 3 out 0\napply 200 []\ncompleted 200 in 0 out 0\napply 204 []\ncompleted 204 in 0 out 0",
    ),
    (
        "an interim answer, chunks and trailers",
        &[(
            Method::GET,
            "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 7\r\n\r\n",
        )],
        "informational 103\napply 200 chunked\nchunk hello\ntrailers {\"Sum\": \"7\"}\nfinished\ncompleted 200 in 5 out 0",
    ),
    (
        "an answer that ends with the connection",
        &[(Method::GET, "HTTP/1.1 200 OK\r\n\r\nall of it")],
        "apply 200 chunked\nchunk all of it\nfinished\ncompleted 200 in 9 out 0",
    ),
    (
        "an answer that is cut short",
        &[(
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        )],
        "apply 200 stream 9\nchunk abc\nfailed Protocol(Truncated) Answering",
    ),
    (
        "an answer that is wrong",
        &[(
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        )],
        "failed Protocol(ConflictingContentLength) Waiting",
    ),
];

#[actix::test]
async fn a_client_hears_the_same() {
    tokio::time::pause();
    for (name, exchanges, expected) in ASKED {
        let bytes = exchanges.iter().map(|(_, answer)| answer.len()).sum();
        for (way, pipe) in pipes(bytes) {
            let (mut server, io) = FarEnd::open(pipe);
            let (factory, mut heard) = Recorder::script(|_, _| {});
            let session =
                HttpSession::over(io, "a", &factory, options(SessionOptions::for_client()));
            for (method, answer) in *exchanges {
                let request = Payload::request(method.clone(), "/".parse().expect("a target"));
                let accepted = session.send(Apply(request)).await.expect("it lives");
                accepted.expect("accepted");
                assert_eq!(server.request().await.method(), method);
                server.send(answer).await;
            }
            server.close().await;
            drop(session);
            assert_eq!(all(&mut heard).await, *expected, "{name}, {way}");
        }
    }
}

/// Sends the body of its request when it may.
struct Upload;

impl HttpHandler for Upload {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {}

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        let mut trailers = Headers::new();
        trailers.append("Sum", "7").expect("a field");
        for piece in ["hello ", "world"] {
            let room = session.send_chunk(piece).expect("taken");
            assert_eq!(room, Room::Open);
        }
        session.finish_with(&trailers).expect("taken");
    }
}

#[actix::test]
async fn two_sessions_hear_the_same_of_each_other() {
    tokio::time::pause();
    let chunked = || Payload::post("/up").expect("a target").chunked();
    let requests: [Rc<dyn Fn() -> Payload>; 3] = [
        Rc::new(chunked),
        Rc::new(move || chunked().header("Expect", "100-continue")),
        Rc::new(|| {
            Payload::post("/last")
                .expect("a target")
                .body("abc")
                .close()
        }),
    ];
    for (way, pipe) in pipes(400) {
        let (near, far) = pipe.open();
        let (factory, mut served) = Recorder::of(|_: Addr<HttpSession>| Echo::default());
        HttpSession::accept(far, &factory, options(SessionOptions::default()));
        let (factory, mut asked) = Recorder::of(|_: Addr<HttpSession>| Upload);
        let session = HttpSession::over(near, "a", &factory, options(SessionOptions::for_client()));
        for request in &requests {
            let accepted = session.send(Apply(request())).await.expect("it lives");
            accepted.expect("accepted");
        }
        drop(session);
        let upload = "apply POST /up chunked\nchunk hello world\ntrailers {\"Sum\": \"7\"}\nfinished\ncompleted 200 in 11 out 11";
        assert_eq!(
            all(&mut served).await,
            format!("{upload}\n{upload}\napply POST /last [abc]\ncompleted 200 in 3 out 3"),
            "{way}"
        );
        let response = "need_body\napply 200 stream 11\nchunk hello world\nfinished\ncompleted 200 in 11 out 11";
        assert_eq!(
            all(&mut asked).await,
            format!(
                "{response}\ninformational 100\n{response}\napply 200 [abc]\ncompleted 200 in 3 out 3"
            ),
            "{way}"
        );
    }
}
