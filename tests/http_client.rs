//! The client over loopback TCP, against servers that do as they are told.

mod common;

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use common::{Peer, answer_with, eventually, taken};
use futures_util::{Stream as _, StreamExt as _, stream};
use http_actors::error::{BodyError, FailureReason, UseError};
use http_actors::message::Apply;
use http_actors::{
    Blame, ClientError, ClientErrorKind, ErrorResponse, HttpClient, HttpHandler, HttpServer,
    HttpSession, Incoming, Limits, Payload, Proxy, SessionContext, SessionOptions, StatusCode,
    Timeouts, handler_fn,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Long enough for everything that happens at all, on a clock that stands still while something does.
const EVER: Duration = Duration::from_secs(20);

/// A server that the test controls.
struct Server {
    listener: TcpListener,
    url: String,
}

impl Server {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        Self { listener, url }
    }

    async fn accept(&self) -> Peer<TcpStream> {
        Peer::new(self.listener.accept().await.expect("accepted").0)
    }

    fn get(&self, path: &str) -> Payload {
        Payload::get(format!("{}{path}", self.url)).expect("a url")
    }

    fn post(&self, path: &str) -> Payload {
        Payload::post(format!("{}{path}", self.url)).expect("a url")
    }

    /// Answers every request on every connection by its request line, for ever.
    fn answering(self, answer: impl Fn(&str) -> String + Clone + 'static) -> Answering {
        let answering = Answering {
            url: self.url.clone(),
            accepted: Arc::default(),
            heads: Arc::default(),
        };
        let (accepted, heads) = (answering.accepted.clone(), answering.heads.clone());
        actix_rt::spawn(async move {
            loop {
                let mut peer = self.accept().await;
                accepted.fetch_add(1, Ordering::SeqCst);
                let (answer, heads) = (answer.clone(), heads.clone());
                actix_rt::spawn(async move {
                    while let Some(head) = message(&mut peer).await {
                        let line = head.lines().next().unwrap_or_default().to_owned();
                        heads.lock().expect("no panic").push(head);
                        peer.send(answer(&line)).await;
                    }
                });
            }
        });
        answering
    }
}

/// The next request, with its body if that has a length. None at the end of the connection.
async fn message(peer: &mut Peer<TcpStream>) -> Option<String> {
    if !peer.more().await {
        return None;
    }
    let mut message = peer.until("\r\n\r\n").await;
    let length = message.to_lowercase();
    let length = length.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let body = peer.exactly(length.unwrap_or(0)).await;
    message.push_str(&String::from_utf8_lossy(&body));
    Some(message)
}

/// A server that answers by itself.
struct Answering {
    url: String,
    accepted: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Answering {
    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    fn get(&self, path: &str) -> Payload {
        Payload::get(format!("{}{path}", self.url)).expect("a url")
    }

    fn lines(&self) -> Vec<String> {
        let heads = self.heads.lock().expect("no panic");
        let line = |head: &String| head.lines().next().unwrap_or_default().to_owned();
        heads.iter().map(line).collect()
    }
}

fn kind(error: &ClientError) -> String {
    format!("{:?}", error.kind())
}

fn is_closed(error: &ClientError) -> bool {
    matches!(
        error.kind(),
        ClientErrorKind::Failed(FailureReason::ConnectionClosed(_))
    )
}

/// P90, P92: a connection is used again, by every clone.
#[actix::test]
async fn connections_are_reused() {
    let server = Server::new().await.answering(|_| OK.to_owned());
    let client = HttpClient::new();
    for path in ["/1", "/2", "/3"] {
        let response = client.clone().request(server.get(path)).await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), Some(StatusCode::OK));
        assert_eq!(response.body_bytes(), "hi");
    }
    assert_eq!(server.accepted(), 1);
    assert_eq!(
        server.lines(),
        ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1", "GET /3 HTTP/1.1"]
    );
}

/// A connection that is not kept, by either end, is not used again.
#[actix::test]
async fn connections_that_close_are_not_reused() {
    let server = Server::new()
        .await
        .answering(|_| "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".into());
    let client = HttpClient::new();
    for _ in 0..2 {
        client.request(server.get("/")).await.expect("an answer");
    }
    assert_eq!(server.accepted(), 2);
    let server = Server::new().await.answering(|_| OK.to_owned());
    let client = HttpClient::builder().max_idle(0).build();
    for _ in 0..2 {
        client.request(server.get("/")).await.expect("an answer");
    }
    assert_eq!(server.accepted(), 2);
}

/// Of the idle connections to all origins, the one that has been idle for the longest time goes first.
#[actix::test]
async fn the_oldest_idle_connection_goes_first() {
    async fn ask(client: &HttpClient, server: &Server, peer: &mut Peer<TcpStream>) {
        let asked = client.request(server.get("/"));
        let (answer, ()) = tokio::join!(asked, answer_with(peer, OK));
        assert_eq!(answer.expect("an answer").body_bytes(), "hi");
    }
    async fn open(client: &HttpClient, server: &Server) -> Peer<TcpStream> {
        let asked = client.request(server.get("/"));
        let accepted = async {
            let mut peer = server.accept().await;
            answer_with(&mut peer, OK).await;
            peer
        };
        let (answer, peer) = tokio::join!(asked, accepted);
        assert_eq!(answer.expect("an answer").body_bytes(), "hi");
        peer
    }
    let servers = [
        Server::new().await,
        Server::new().await,
        Server::new().await,
    ];
    let [one, two, three] = &servers;
    let client = HttpClient::builder().max_idle_total(2).build();
    let mut first = open(&client, one).await;
    let mut second = open(&client, two).await;
    ask(&client, one, &mut first).await;
    let mut third = open(&client, three).await;
    assert_eq!(second.rest().await, "");
    ask(&client, one, &mut first).await;
    let _again = open(&client, two).await;
    assert_eq!(third.rest().await, "");
    ask(&client, one, &mut first).await;

    let none = HttpClient::builder().max_idle_total(0).build();
    assert_eq!(open(&none, one).await.rest().await, "");
}

/// P96: beyond the limit requests wait, first in, first out; one that is dropped while it waits takes no seat along.
#[actix::test]
async fn requests_wait_for_a_connection() {
    let server = Server::new().await;
    let client = HttpClient::builder().connections_per_origin(1).build();
    let first = client.request(server.get("/1"));
    let mut dropped = Box::pin(client.request(server.get("/2")));
    let third = client.request(server.get("/3"));
    let fourth = client.request(server.get("/4"));
    let mut peer = None;
    let served = async {
        let mut peer = server.accept().await;
        for path in ["/1", "/3", "/4"] {
            let head = peer.until("\r\n\r\n").await;
            assert!(head.starts_with(&format!("GET {path} ")), "{head}");
            peer.send(OK).await;
        }
        peer
    };
    let mut first = pin!(first);
    let (mut third, mut fourth) = (pin!(third), pin!(fourth));
    // Each takes its place in the queue.
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    assert!(futures_util::poll!(dropped.as_mut()).is_pending());
    assert!(futures_util::poll!(third.as_mut()).is_pending());
    assert!(futures_util::poll!(fourth.as_mut()).is_pending());
    drop(dropped);
    let (first, third, fourth, served) = tokio::join!(first, third, fourth, served);
    for response in [first, third, fourth] {
        assert_eq!(response.expect("an answer").body_bytes(), "hi");
    }
    peer.replace(served);
}

/// Promise 17: an idempotent request is sent once more if its kept connection died before the answer. No other request
/// is, and none whose connection was new.
#[actix::test]
async fn the_second_try() {
    // Name, request, whether its connection is new, how many connections there are in the end.
    for (name, method, fresh, connections) in [
        ("a kept connection", "GET", false, 2),
        ("a kept connection, PUT", "PUT", false, 2),
        ("a kept connection, POST", "POST", false, 1),
        ("a new connection", "GET", true, 1),
    ] {
        let server = Server::new().await;
        let client = HttpClient::new();
        let request = Payload::request(
            method.parse().expect("a method"),
            format!("{}/again", server.url).parse().expect("a url"),
        )
        .body("body");
        let accepted = AtomicUsize::new(0);
        let served = async {
            loop {
                let mut peer = server.accept().await;
                let nth = accepted.fetch_add(1, Ordering::SeqCst);
                if nth == 0 && !fresh {
                    answer_with(&mut peer, OK).await;
                }
                // The request has come when the connection goes.
                let head = peer.until("\r\n\r\nbody").await;
                assert!(head.starts_with(method), "{name}: {head}");
                if nth > 0 {
                    peer.send(OK).await;
                }
            }
        };
        let asked = async {
            if !fresh {
                client.request(server.get("/")).await.expect("an answer");
            }
            client.request(request).await
        };
        let answered =
            tokio::select! { answered = asked => answered, () = served => unreachable!() };
        assert_eq!(accepted.load(Ordering::SeqCst), connections, "{name}");
        match answered {
            Ok(response) => {
                assert_eq!((connections, response.body_bytes().len()), (2, 2), "{name}");
            }
            Err(error) => {
                assert!(connections == 1 && is_closed(&error), "{name}: {error:?}");
                assert_eq!(error.is_retry_safe(), method == "GET", "{name}");
                assert_eq!(error.blame(), Blame::Network, "{name}");
                let payload = error.into_payload().expect("it was not answered");
                assert_eq!(payload.body_bytes(), "body", "{name}");
            }
        }
    }
}

/// Promise 16: what a server sends beyond an answer answers nothing.
#[actix::test]
async fn surplus_bytes_answer_nobody() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let served = async {
        let mut first = server.accept().await;
        answer_with(&mut first, format!("{OK}{evil}")).await;
        let mut second = server.accept().await;
        answer_with(&mut second, OK).await;
    };
    let asked = async {
        for _ in 0..2 {
            let answered = client.request(server.get("/")).await;
            assert_eq!(answered.expect("an answer").body_bytes(), "hi");
        }
    };
    tokio::join!(asked, served);
}

/// A second death is told: there is no third try.
#[actix::test]
async fn no_third_try() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let served = async {
        let mut peer = server.accept().await;
        answer_with(&mut peer, OK).await;
        peer.until("\r\n\r\n").await;
        drop(peer);
        server.accept().await.until("\r\n\r\n").await;
    };
    let asked = async {
        client.request(server.get("/1")).await.expect("an answer");
        client.request(server.get("/2")).await
    };
    let (answered, ()) = tokio::join!(asked, served);
    assert!(is_closed(&answered.expect_err("twice is enough")));
}

/// An answer that had begun is not asked for again, however little of it came, nor is it safe to.
#[actix::test]
async fn no_second_try_of_an_answer_that_began() {
    for begun in [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTT",
    ] {
        let server = Server::new().await;
        let client = HttpClient::new();
        let served = async {
            let mut peer = server.accept().await;
            answer_with(&mut peer, OK).await;
            answer_with(&mut peer, begun).await;
            drop(peer);
            server.accept().await;
        };
        let asked = async {
            client.request(server.get("/1")).await.expect("an answer");
            client.request(server.get("/2")).await
        };
        let answered = tokio::select! {
            answered = asked => answered,
            () = served => panic!("{begun}: it was asked for again"),
        };
        let error = answered.expect_err("it was cut");
        assert!(!error.is_retry_safe(), "{begun}");
    }
}

/// What fails after a redirect is not the request that was given, which was answered: nobody is told to repeat it.
#[actix::test]
async fn nothing_comes_back_from_behind_a_redirect() {
    let server = Server::new().await;
    let client = HttpClient::builder().redirects(1).build();
    let served = async {
        let mut peer = server.accept().await;
        peer.until("\r\n\r\n").await;
        // Nobody listens there.
        let gone = Server::new().await.url;
        peer.send(format!(
            "HTTP/1.1 303 See Other\r\nLocation: {gone}/\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
        peer.more().await;
    };
    let request = server.post("/").body("once");
    let asked = client.request(request);
    let answered = tokio::select! { answered = asked => answered, () = served => panic!("cut") };
    let error = answered.expect_err("nobody is there");
    assert_eq!(kind(&error), "Failed(ConnectFailed(ConnectionRefused))");
    assert!(!error.is_retry_safe());
    assert!(error.into_payload().is_none());
}

/// An answer to HEAD that tells no length tells none when it is passed on, however it was asked for. So does one whose
/// length must not be passed on.
#[actix::test]
async fn an_answer_to_head_is_passed_on_as_it_is() {
    for (fields, length) in [
        ("", None),
        ("Content-Length: 5\r\n", Some("5")),
        ("Connection: Content-Length\r\nContent-Length: 5\r\n", None),
        (
            "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n",
            None,
        ),
    ] {
        let server = Server::new().await;
        let server = server.answering(move |_| format!("HTTP/1.1 200 OK\r\n{fields}\r\n"));
        let client = HttpClient::new();
        let head = || {
            Payload::request(
                http_actors::Method::HEAD,
                server.url.parse().expect("a url"),
            )
        };
        let whole = client.request(head()).await.expect("an answer");
        let (parts, _) = client.stream(head()).await.expect("an answer");
        for answer in [whole, parts] {
            let forward = answer.forward();
            assert_eq!(forward.headers().text("Content-Length"), length, "{fields}");
            // Without a length a body of zero bytes would be announced, unless it is chunked.
            assert_eq!(forward.body_size(), length.map(|_| 0), "{fields}");
        }
    }
}

/// The text for programmers shows no field of the request either.
#[actix::test]
async fn an_error_shows_no_secret() {
    let gone = Server::new().await.url;
    let request = Payload::get(gone)
        .expect("a url")
        .header("Authorization", "secret");
    let error = HttpClient::new().request(request).await.expect_err("gone");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    let request = error.into_payload().expect("it was not sent");
    assert_eq!(request.headers().text("authorization"), Some("secret"));
}

/// Bodies that are larger than what is collected, announced or not: an error, and the connection is closed.
#[actix::test]
async fn bodies_over_the_limit() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (name, answer, collected) in [
        (
            "announced",
            "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n".to_owned(),
            false,
        ),
        (
            "announced and here",
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{}",
                "x".repeat(11)
            ),
            false,
        ),
        (
            "chunked",
            format!("{chunked}6\r\nabcdef\r\n5\r\nabcde\r\n"),
            false,
        ),
        (
            "at the limit",
            format!("{chunked}6\r\nabcdef\r\n4\r\nabcd\r\n0\r\nX-Sum: 10\r\n\r\n"),
            true,
        ),
    ] {
        let server = Server::new().await;
        let client = HttpClient::builder().max_body(10).build();
        let served = async {
            let mut peer = server.accept().await;
            answer_with(&mut peer, answer).await;
            peer
        };
        let (answered, mut peer) = tokio::join!(client.request(server.get("/")), served);
        if collected {
            let response = answered.expect(name);
            assert_eq!(response.body_bytes(), "abcdefabcd", "{name}");
            let trailers = response.trailers().expect("they came");
            assert_eq!(trailers.text("x-sum"), Some("10"), "{name}");
        } else {
            assert_eq!(kind(&answered.expect_err(name)), "Body(TooLarge(10))");
        }
        drop(client);
        assert_eq!(peer.rest().await, "", "{name}: closed");
    }
}

const PIECES: usize = 1024;

static PIECE: [u8; 1 << 16] = [b'x'; 1 << 16];

async fn read(body: &mut Incoming) -> Result<usize, BodyError> {
    let mut bytes = 0;
    while let Some(piece) = body.next().await {
        bytes += piece?.len();
    }
    Ok(bytes)
}

/// A body that nobody reads holds the server; read, it comes whole, with its trailers.
#[actix::test]
async fn a_slow_reader_holds_the_server() {
    tokio::time::pause();
    let server = Server::new().await;
    let client = HttpClient::new();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let request = server.get("/");
    actix_rt::spawn(async move {
        let mut peer = server.accept().await;
        answer_with(
            &mut peer,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .await;
        let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        for _ in 0..PIECES {
            peer.send(&piece).await;
            count.fetch_add(1, Ordering::SeqCst);
        }
        peer.send("0\r\nX-End: yes\r\n\r\n").await;
    });
    let (head, mut body) = client.stream(request).await.expect("a head");
    assert_eq!(head.status(), Some(StatusCode::OK));
    // What is left to wait for is the reader.
    tokio::time::sleep(EVER).await;
    let before = sent.load(Ordering::SeqCst);
    assert!(before < PIECES / 2, "{before} pieces were sent to nobody");
    assert!(body.trailers().is_none());
    assert_eq!(read(&mut body).await, Ok(PIECES << 16));
    let trailers = body.trailers().expect("they came");
    assert_eq!(trailers.text("x-end"), Some("yes"));
}

/// B24: a cut is an error item and never an end; an end is an end, whatever way the body comes.
#[actix::test]
async fn a_cut_is_an_error_and_no_end() {
    let head = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    for (name, answer, expected) in [
        ("whole", OK.to_owned(), Ok(2)),
        ("none", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), Ok(0)),
        ("chunked", format!("{chunked}3\r\nabc\r\n0\r\n\r\n"), Ok(3)),
        ("until the end", format!("{head}\r\nabcd"), Ok(4)),
        (
            "cut length",
            format!("{head}Content-Length: 20000\r\n\r\nabc"),
            Err("Failed(Protocol(Truncated))"),
        ),
        (
            "cut chunk",
            format!("{chunked}3\r\nab"),
            Err("Failed(Protocol(Truncated))"),
        ),
        (
            "cut before the last chunk",
            format!("{chunked}3\r\nabc\r\n"),
            Err("Failed(Protocol(Truncated))"),
        ),
        (
            "bad chunk",
            format!("{chunked}3\r\nabc\r\nz\r\n"),
            Err("Failed(Protocol(InvalidChunkSize))"),
        ),
    ] {
        let server = Server::new().await;
        let client = HttpClient::new();
        let served = async {
            let mut peer = server.accept().await;
            answer_with(&mut peer, answer).await;
        };
        let (answered, ()) = tokio::join!(client.stream(server.get("/")), served);
        let (_, mut body) = answered.expect(name);
        let read = read(&mut body).await.map_err(|error| format!("{error:?}"));
        assert_eq!(read, expected.map_err(str::to_owned), "{name}");
        assert!(body.next().await.is_none(), "{name}: nothing follows");
    }
}

/// Dropping a request, or a body before its end, closes its connection and gives the seat back.
#[actix::test]
async fn a_dropped_request_closes_its_connection() {
    let server = Server::new().await;
    let client = HttpClient::builder().connections_per_origin(1).build();
    let mut peer = tokio::select! {
        _ = client.request(server.get("/1")) => unreachable!("nobody answers"),
        peer = async {
            let mut peer = server.accept().await;
            peer.until("\r\n\r\n").await;
            peer
        } => peer,
    };
    assert_eq!(peer.rest().await, "");
    let served = async {
        let mut peer = server.accept().await;
        answer_with(
            &mut peer,
            "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\nabc",
        )
        .await;
        peer
    };
    let (streamed, mut peer) = tokio::join!(client.stream(server.get("/2")), served);
    drop(streamed.expect("a head"));
    assert_eq!(peer.rest().await, "");
    let served = async {
        let mut peer = server.accept().await;
        answer_with(&mut peer, OK).await;
    };
    let (answered, ()) = tokio::join!(client.request(server.get("/3")), served);
    answered.expect("the seat is free");
}

type Piece = Result<Bytes, std::io::Error>;

/// A body from a stream is sent chunked or with its length, and its end is the answer.
#[actix::test]
async fn an_upload_is_chunked_or_has_its_length() {
    let pieces = || stream::iter(["abc", "", "de"].map(|piece| Piece::Ok(Bytes::from(piece))));
    let server = Server::new().await;
    let client = HttpClient::new();
    let served = async {
        let mut peer = server.accept().await;
        for (length, body) in [
            (
                "Transfer-Encoding: chunked",
                "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            ),
            ("Content-Length: 5", "abcde"),
        ] {
            let head = peer.until("\r\n\r\n").await;
            assert!(head.contains(length), "{head}");
            peer.expect(body).await;
            peer.send(OK).await;
        }
        peer
    };
    let asked = async {
        for request in [server.post("/"), server.post("/").length(5)] {
            let (head, mut body) = client.upload(request, pieces()).await.expect("a head");
            assert_eq!(head.body_size(), Some(2));
            assert_eq!(body.bytes(10).await.expect("a body"), "hi");
        }
    };
    let (_peer, ()) = tokio::join!(served, asked);
    for (length, expected) in [
        (6, "Failed(Usage(BodyTooShort))"),
        (4, "Unusable(BodyTooLong)"),
    ] {
        let answered = client
            .upload(server.post("/").length(length), pieces())
            .await;
        assert_eq!(kind(&answered.expect_err("it does not fit")), expected);
    }
}

/// A body that has come to its length is over, though its stream has no end.
#[actix::test]
async fn an_upload_ends_with_its_length() {
    let pieces = stream::iter([Piece::Ok(Bytes::from("abc"))]).chain(stream::pending());
    let server = Server::new().await;
    let client = HttpClient::new();
    let served = async {
        let mut peer = server.accept().await;
        peer.until("\r\n\r\nabc").await;
        peer.send(OK).await;
        peer
    };
    let asked = client.upload(server.post("/").length(3), pieces);
    let (_peer, answered) = tokio::join!(served, timeout(EVER, asked));
    let (head, _) = answered.expect("nobody waits").expect("an answer");
    assert_eq!(head.body_size(), Some(2));
}

/// A server that does not read holds the stream.
#[actix::test]
async fn an_upload_waits_for_room() {
    tokio::time::pause();
    let server = Server::new().await;
    let client = HttpClient::builder()
        .timeouts(Timeouts {
            write: None,
            ..Timeouts::for_client()
        })
        .build();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let endless = stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Piece::Ok(Bytes::from_static(&PIECE))
    });
    let upload = client.upload(server.post("/"), endless);
    let (uploaded, _peer) = tokio::join!(timeout(EVER, upload), server.accept());
    assert!(uploaded.is_err(), "nobody answers");
    let asked = asked.load(Ordering::SeqCst);
    assert!((1..512).contains(&asked), "{asked} pieces were asked for");
}

/// An error of the stream cuts the request, and comes back.
#[actix::test]
async fn a_broken_upload_is_cut() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let broken = stream::iter([
        Ok(Bytes::from("abc")),
        Err(std::io::Error::from(ErrorKind::InvalidData)),
    ]);
    let served = async {
        let mut peer = server.accept().await;
        peer.rest().await
    };
    let (uploaded, seen) = tokio::join!(client.upload(server.post("/"), broken), served);
    let error = uploaded.expect_err("the stream is broken");
    assert!(matches!(error.kind(), ClientErrorKind::Upload(_)));
    assert_eq!(error.blame(), Blame::Caller);
    assert!(!seen.contains("0\r\n\r\n"), "{seen}");
}

/// A final response that comes early ends the upload and is returned whole; then the connection is closed.
#[actix::test]
async fn an_early_response_ends_the_upload() {
    for body in ["hi", &"x".repeat(20_000)] {
        let server = Server::new().await;
        let client = HttpClient::new();
        let endless = stream::repeat_with(|| Piece::Ok(Bytes::from_static(b"abc")));
        let served = async {
            let mut peer = server.accept().await;
            peer.until("abc").await;
            let length = body.len();
            peer.send(format!(
                "HTTP/1.1 413 Content Too Large\r\nContent-Length: {length}\r\n\r\n"
            ))
            .await;
            peer.send(body).await;
            peer.rest().await;
        };
        let asked = async {
            let (head, mut body) = client.upload(server.post("/"), endless).await?;
            assert_eq!(head.status(), Some(StatusCode::PAYLOAD_TOO_LARGE));
            body.bytes(1 << 20).await.map_err(|error| panic!("{error}"))
        };
        let (collected, ()) = tokio::join!(asked, served);
        let collected: Result<Bytes, ClientError> = collected;
        assert_eq!(collected.expect("a body"), body);
    }
}

/// An early success is returned when the upload is whole: the server may depend on it.
#[actix::test]
async fn an_early_success_does_not_end_the_upload() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let pieces = stream::iter((0..4).map(|_| Piece::Ok(vec![b'x'; 1 << 20].into())));
    let served = async {
        let mut peer = server.accept().await;
        answer_with(&mut peer, "HTTP/1.1 204 No Content\r\n\r\n").await;
        let whole = peer.until("\r\n0\r\n\r\n").await;
        assert!(whole.len() > 4 << 20);
    };
    let (uploaded, ()) = tokio::join!(client.upload(server.post("/"), pieces), served);
    let (head, _) = uploaded.expect("an answer");
    assert_eq!(head.status(), Some(StatusCode::NO_CONTENT));
}

/// An echo needs the rest of the request while its response comes.
#[actix::test]
async fn an_echo_is_read_while_it_is_sent() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let served = async {
        let mut peer = server.accept().await;
        peer.until("3\r\nabc\r\n").await;
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        for _ in 0..3 {
            peer.until("3\r\nabc\r\n").await;
            peer.send("3\r\nabc\r\n").await;
        }
        peer.until("0\r\n\r\n").await;
        peer.send("0\r\n\r\n").await;
        peer
    };
    let (sender, mut pieces) = tokio::sync::mpsc::channel(1);
    let asked = async {
        let body = stream::poll_fn(move |cx| pieces.poll_recv(cx));
        let piece = || Piece::Ok(Bytes::from_static(b"abc"));
        sender.send(piece()).await.expect("it is wanted");
        let (_, mut body) = client.upload(server.post("/"), body).await.expect("a head");
        for _ in 0..3 {
            sender.send(piece()).await.expect("it is wanted");
            let echo = body.next().await.expect("more");
            assert_eq!(echo.expect("no cut"), "abc");
        }
        drop(sender);
        assert!(body.next().await.is_none());
    };
    let (_peer, ()) = tokio::join!(served, asked);
}

/// What follows a redirect: status and Location, the request, and what the server at the end is asked.
#[actix::test]
async fn redirects() {
    // Status, Location, request; expected at the end: request line, whether the body came, whether secrets came.
    let rows = [
        (301, "/b", "GET", "GET /b", false, true),
        (301, "/b", "POST", "GET /b", false, true),
        (302, "/b", "POST", "GET /b", false, true),
        (302, "/b", "PUT", "PUT /b", true, true),
        (303, "/b", "PUT", "GET /b", false, true),
        (303, "/b", "HEAD", "HEAD /b", false, true),
        (307, "/b", "POST", "POST /b", true, true),
        (308, "/b", "POST", "POST /b", true, true),
        (302, "b?q#f", "GET", "GET /x/b?q", false, true),
        (302, "../b", "GET", "GET /b", false, true),
        (302, "?q", "GET", "GET /x/a?q", false, true),
        (302, "OTHER/b", "GET", "GET /b", false, false),
        (307, "OTHER/b", "POST", "POST /b", true, false),
        (302, "//OTHER/b", "GET", "GET /b", false, false),
        // Not followed.
        (302, "gopher://a/", "GET", "302", false, false),
        (302, "http://user@a.test/", "GET", "302", false, false),
        (302, "http://[", "GET", "302", false, false),
        (302, "", "GET", "302", false, false),
        (300, "/b", "GET", "300", false, false),
        (304, "/b", "GET", "304", false, false),
    ];
    for (status, location, method, expected, with_body, with_secrets) in rows {
        let name = format!("{status} {location} {method}");
        let end = Server::new().await.answering(|_| OK.to_owned());
        let location = location
            .replace("//OTHER", end.url.trim_start_matches("http:"))
            .replace("OTHER", &end.url);
        let field = if location.is_empty() {
            String::new()
        } else {
            format!("Location: {location}\r\n")
        };
        let server = Server::new().await.answering(move |line| {
            let head = line.starts_with("HEAD");
            match (line.contains("/x/a HTTP"), head || status == 304) {
                (true, true) => format!("HTTP/1.1 {status} Go\r\n{field}Content-Length: 3\r\n\r\n"),
                (true, false) => {
                    format!("HTTP/1.1 {status} Go\r\n{field}Content-Length: 3\r\n\r\ngo!")
                }
                (false, true) => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".to_owned(),
                (false, false) => OK.to_owned(),
            }
        });
        let client = HttpClient::builder().redirects(3).build();
        let uri = format!("{}/x/a", server.url).parse().expect("a url");
        let mut request = Payload::request(method.parse().expect("a method"), uri)
            .basic_auth_as("user", "secret")
            .header("Cookie", "a=b")
            .header("Content-Type", "text/plain")
            .header("X-Kept", "yes");
        if matches!(method, "POST" | "PUT") {
            request = request.body("the body");
        }
        let answered = client.request(request).await;
        let answered = answered.unwrap_or_else(|error| panic!("{name}: {error}"));
        let last =
            [&server, &end].map(|server| server.heads.lock().expect("no panic").last().cloned());
        let last = last[1].clone().or(last[0].clone()).expect("it was asked");
        let code = answered.status().expect("a response").as_u16();
        if expected.len() == 3 {
            assert_eq!(code.to_string(), expected, "{name}");
            continue;
        }
        assert_eq!(code, 200, "{name}");
        assert!(
            last.starts_with(&format!("{expected} HTTP/1.1")),
            "{name}: {last}"
        );
        assert!(last.contains("X-Kept: yes"), "{name}: {last}");
        assert_eq!(last.contains("the body"), with_body, "{name}: {last}");
        assert_eq!(
            last.contains("Content-Type"),
            with_body || method == "GET" || method == "HEAD",
            "{name}: {last}"
        );
        assert_eq!(
            last.contains("Authorization"),
            with_secrets,
            "{name}: {last}"
        );
        assert_eq!(last.contains("Cookie"), with_secrets, "{name}: {last}");
    }
}

/// A redirect that repeats the body of an upload is followed, up to the limit, if the body can be made again. Otherwise
/// the redirect is the answer.
#[actix::test]
async fn uploads_are_repeated() {
    let pieces = || stream::iter([Piece::Ok(Bytes::from("abc"))]);
    // Whether the body can be made again, the limit; the outcome, and how often the body came.
    for (repeats, limit, expected, bodies) in [
        (true, 2, "200", 3),
        (true, 1, "TooManyRedirects", 2),
        (false, 2, "308", 1),
    ] {
        let server = Server::new().await.answering(|line| {
            let next = match line.split(' ').nth(1) {
                Some("/a") => "b",
                Some("/b") => "c",
                _ => return OK.to_owned(),
            };
            format!("HTTP/1.1 308 Go\r\nLocation: {next}\r\nContent-Length: 0\r\n\r\n")
        });
        let client = HttpClient::builder().redirects(limit).build();
        let request = Payload::put(format!("{}/a", server.url)).expect("a url");
        let request = request.length(3);
        let answered = if repeats {
            client.upload_from(request, pieces).await
        } else {
            client.upload(request, pieces()).await
        };
        let outcome = match answered {
            Ok((head, _)) => head.status().expect("a response").as_str().to_owned(),
            Err(error) => kind(&error),
        };
        assert_eq!(outcome, expected);
        let heads = server.heads.lock().expect("no panic").clone();
        assert_eq!(heads.len(), bodies, "{expected}");
        assert!(heads.iter().all(|head| head.ends_with("abc")), "{heads:?}");
    }
}

/// A circle ends at the limit; without a limit nothing is followed.
#[actix::test]
async fn redirects_without_end() {
    let go = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new().await.answering(move |_| go.to_owned());
    let client = HttpClient::builder().redirects(4).build();
    let error = client.request(server.get("/")).await.expect_err("a circle");
    assert_eq!(kind(&error), "TooManyRedirects");
    assert_eq!((server.lines().len(), server.accepted()), (5, 1));
    let answered = HttpClient::new().request(server.get("/")).await;
    assert_eq!(
        answered.expect("an answer").status(),
        Some(StatusCode::FOUND)
    );
}

/// A redirect is followed although its body does not end.
#[actix::test]
async fn the_body_of_a_redirect_is_not_waited_for() {
    let server = Server::new().await.answering(|line| match line {
        "GET / HTTP/1.1" => {
            "HTTP/1.1 302 Found\r\nLocation: /next\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nso far\r\n".to_owned()
        }
        _ => OK.to_owned(),
    });
    let client = HttpClient::builder().redirects(1).build();
    let answer = client.request(server.get("/")).await.expect("an answer");
    assert_eq!(answer.status(), Some(StatusCode::OK));
    assert_eq!((server.lines().len(), server.accepted()), (2, 2));
}

/// RFC 9112 section 3.2.2: a proxy gets whole URLs, with its own credentials and the Host of the server.
#[actix::test]
async fn a_proxy_gets_whole_urls() {
    let proxy = Server::new().await.answering(|_| OK.to_owned());
    let direct = Server::new().await.answering(|_| OK.to_owned());
    let through = Proxy::http(&proxy.url.replace("//", "//user:p%3Aw@"))
        .expect("a url")
        .except("127.0.0.1");
    let client = HttpClient::builder().proxy(through).build();
    for url in ["http://a.test/1?q", "http://a.test:81/2", "http://a.test/3"] {
        let request = Payload::get(url).expect("a url");
        client.request(request).await.expect("an answer");
    }
    client.request(direct.get("/4")).await.expect("an answer");
    let session = client
        .session("http://a.test", |_: Addr<HttpSession>| Nothing)
        .expect("a url");
    taken(&session, Apply(Payload::get("/5").expect("a path"))).await;
    client
        .request(Payload::get("http://b.test").expect("a url"))
        .await
        .expect("an answer");
    let heads = proxy.heads.lock().expect("no panic").clone();
    let told = "\r\nProxy-Authorization: Basic dXNlcjpwOnc=\r\n\r\n";
    for expected in [
        "GET http://a.test/1?q HTTP/1.1\r\nHost: a.test",
        "GET http://a.test:81/2 HTTP/1.1\r\nHost: a.test:81",
        "GET http://a.test/3 HTTP/1.1\r\nHost: a.test",
        "GET http://b.test/ HTTP/1.1\r\nHost: b.test",
    ] {
        assert!(heads.contains(&format!("{expected}{told}")), "{heads:?}");
    }
    let direct = direct.heads.lock().expect("no panic").concat();
    assert!(direct.starts_with("GET /4 HTTP/1.1") && !direct.contains("Proxy"));
}

struct Nothing;

impl HttpHandler for Nothing {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {}
}

/// A request that comes back from a proxy comes back as it was.
#[actix::test]
async fn what_comes_back_names_no_proxy() {
    let proxy = Server::new().await;
    let through = Proxy::http(&proxy.url.replace("//", "//u:p@")).expect("a url");
    let client = HttpClient::builder().proxy(through).build();
    let request = Payload::get("http://a.test/")
        .expect("a url")
        .header("X", "y");
    let (answered, _) = tokio::join!(client.request(request), async {
        proxy.accept().await.until("Proxy-Authorization").await
    });
    let back = answered.expect_err("it closed").into_payload();
    let back = back.expect("it was not answered");
    assert_eq!(format!("{:?}", back.headers()), "{\"X\": \"y\"}");
}

/// What is refused before anything is sent: why, whose fault, and the request back.
#[actix::test]
async fn refused_requests() {
    let client = HttpClient::new();
    let get = |url: &str| Payload::get(url).expect("a url");
    let rows = [
        (get("/path"), "Unusable(NotAbsolute)"),
        (get("http://user:pw@a.test/"), "Unusable(UserInfo)"),
        (get("gopher://a.test/"), "Unusable(UnsupportedScheme)"),
        (get("ws://a.test/"), "Unusable(UnsupportedScheme)"),
        (get("http://a.test:99999/"), "Unusable(InvalidUrl)"),
        (get("http://a.test/").chunked(), "Unusable(NoWriter)"),
        (Payload::response(StatusCode::OK), "Unusable(WrongKind)"),
        (
            get("http://a.test/").header("a b", "c"),
            "Unusable(InvalidName)",
        ),
    ];
    for (request, expected) in rows {
        let error = client.request(request).await.expect_err("refused");
        assert_eq!(kind(&error), expected);
        assert!(error.is_retry_safe(), "{error}");
        assert_eq!(error.blame(), Blame::Caller);
        assert!(error.into_payload().is_some());
    }
    let gone = Server::new().await;
    let request = gone.get("/");
    drop(gone);
    let error = client.request(request).await.expect_err("nobody listens");
    assert_eq!(kind(&error), "Failed(ConnectFailed(ConnectionRefused))");
    assert!(error.is_retry_safe() && error.into_payload().is_some());
    let unknown = Payload::get("http://a..b/").expect("a URL");
    let error = client.request(unknown).await.expect_err("no such host");
    assert_eq!(kind(&error), "Failed(ConnectFailed(NotFound))");
    assert_eq!(error.to_string(), "cannot connect: no such host or socket");
    let refused = client.session("nowhere", |_: Addr<HttpSession>| Nothing);
    assert_eq!(kind(&refused.expect_err("no url")), "Unusable(NotAbsolute)");
}

/// The time of a whole request: over, it is cancelled and the connection is closed.
#[actix::test]
async fn the_time_of_a_request() {
    tokio::time::pause();
    let server = Server::new().await;
    let client = HttpClient::builder()
        .timeout(Duration::from_secs(3))
        .build();
    let served = async {
        let mut peer = server.accept().await;
        answer_with(
            &mut peer,
            "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\nabc",
        )
        .await;
        peer.rest().await
    };
    let began = tokio::time::Instant::now();
    let (answered, rest) = tokio::join!(client.request(server.get("/")), served);
    let error = answered.expect_err("it takes too long");
    assert_eq!((kind(&error).as_str(), rest.as_str()), ("TimedOut", ""));
    assert!(
        began.elapsed() >= Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

/// A client allows larger heads than a server, and feeds that pause; its limits can be set without the rest.
#[actix::test]
async fn the_limits_of_a_client() {
    tokio::time::pause();
    let server = Server::new().await.answering(|_| {
        let fields = "X: y\r\n".repeat(110);
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nhi")
    });
    let strict = Limits {
        fields: 100,
        ..Limits::for_client()
    };
    let client = HttpClient::builder().limits(Limits::for_client()).build();
    client.request(server.get("/")).await.expect("an answer");
    // In any order.
    let options = SessionOptions::for_client();
    let client = HttpClient::builder().limits(strict).options(options);
    let error = client.build().request(server.get("/")).await;
    assert_eq!(
        kind(&error.expect_err("too many fields")),
        "Failed(Protocol(TooManyFields))"
    );
    let defaults = SessionOptions::for_client();
    assert_eq!(defaults.limits, Limits::for_client());
    assert_eq!(defaults.timeouts, Timeouts::for_client());
    let feeds = Timeouts::for_client();
    assert_eq!((feeds.head, feeds.body_rate), (None, None));
}

/// The last clone that goes closes the idle connections, and origins that nobody uses are forgotten.
#[actix::test]
async fn the_end_of_a_client() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let served = async {
        let mut peer = server.accept().await;
        answer_with(&mut peer, OK).await;
        peer
    };
    let (answered, mut peer) = tokio::join!(client.request(server.get("/")), served);
    answered.expect("an answer");
    let clone = client.clone();
    drop(client);
    assert!(format!("{clone:?}").contains("origins: 1"));
    drop(clone);
    assert_eq!(peer.rest().await, "");
}

#[actix::test]
async fn origins_are_forgotten() {
    let server = Server::new().await.answering(|_| {
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned()
    });
    let client = HttpClient::new();
    client.request(server.get("/")).await.expect("an answer");
    // The session ends when nobody has its address; that takes turns of this thread, and no time.
    eventually("a pool without origins", async || {
        format!("{client:?}").contains("origins: 0")
    })
    .await;
}

/// The origin that was asked last is remembered: another is still another, and user information still refused.
#[actix::test]
async fn origins_take_turns() {
    let [first, second] = [Server::new().await, Server::new().await];
    let named = |name: &'static str| move |_: &str| OK.replace("hi", name);
    let (first, second) = (first.answering(named("1.")), second.answering(named("2.")));
    let client = HttpClient::new();
    for (server, name) in [(&first, "1."), (&first, "1."), (&second, "2.")].repeat(2) {
        let answer = client.request(server.get("/")).await.expect("an answer");
        assert_eq!(answer.body_bytes(), name);
        let shouted = server.url.replace("http", "HTTP");
        let answer = client.request(Payload::get(shouted).expect("a url"));
        assert_eq!(answer.await.expect("an answer").body_bytes(), name);
        let user = server.url.replace("://", "://user@");
        let refused = client.request(Payload::get(user).expect("a url")).await;
        assert!(matches!(
            refused.expect_err("refused").kind(),
            ClientErrorKind::Unusable(UseError::UserInfo)
        ));
    }
    assert_eq!((first.accepted(), second.accepted()), (1, 1));
}

/// The pool does not keep a session whose connection the server has closed.
#[actix::test]
async fn closed_connections_are_forgotten() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let served = async {
        let mut peer = server.accept().await;
        answer_with(&mut peer, OK).await;
        peer
    };
    let (answered, peer) = tokio::join!(client.request(server.get("/")), served);
    answered.expect("an answer");
    assert!(format!("{client:?}").contains("origins: 1"));
    drop(peer);
    eventually("a pool without origins", async || {
        format!("{client:?}").contains("origins: 0")
    })
    .await;
}

/// A body that came whole and was not read yet has the address of its session, but keeps neither the connection nor the
/// origin.
#[actix::test]
async fn an_unread_body_keeps_no_connection() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let served = async |answer| {
        let mut peer = server.accept().await;
        answer_with(&mut peer, answer).await;
        peer.close().await;
        assert_eq!(peer.rest().await, "");
    };
    let (opened, ()) = tokio::join!(client.stream(server.get("/")), served(whole));
    let (_head, mut body) = opened.expect("an answer");
    for _ in 0..2 {
        let (answered, ()) = tokio::join!(client.request(server.get("/")), served(OK));
        assert_eq!(answered.expect("an answer").body_bytes(), "hi");
    }
    assert_eq!(body.bytes(10).await.expect("whole"), "hi");
    eventually("a pool without origins", async || {
        format!("{client:?}").contains("origins: 0")
    })
    .await;
}

/// Idle connections are closed after their time, whichever way that was set. The clock is paused.
#[actix::test]
async fn idle_connections_are_closed() {
    tokio::time::pause();
    let idle = Duration::from_secs(5);
    let timeouts = Timeouts {
        idle: Some(idle),
        ..Timeouts::for_client()
    };
    let mut options = SessionOptions::for_client();
    options.timeouts.idle = Some(idle);
    let builder = HttpClient::builder;
    for builder in [
        builder().idle_timeout(idle),
        builder().options(options),
        builder().timeouts(timeouts),
        // What is set alone takes precedence, in any order.
        builder()
            .timeouts(timeouts)
            .options(SessionOptions::for_client()),
        builder()
            .idle_timeout(idle)
            .timeouts(Timeouts::for_client()),
        builder()
            .timeouts(Timeouts::for_client())
            .idle_timeout(idle),
    ] {
        let server = Server::new().await;
        let client = builder.build();
        let served = async {
            let mut peer = server.accept().await;
            answer_with(&mut peer, OK).await;
            peer
        };
        let (answered, mut peer) = tokio::join!(client.request(server.get("/")), served);
        answered.expect("an answer");
        let began = tokio::time::Instant::now();
        assert_eq!(peer.rest().await, "");
        // Without it 60 s.
        let passed = began.elapsed();
        assert!((idle..idle * 2).contains(&passed), "{passed:?}");
    }
}

/// Waits for a future on a thread that has no runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

/// The client works on any thread, its clock included; when its arbiter is gone it says so.
#[actix::test]
async fn a_client_works_on_any_thread() {
    let server = Server::new().await.answering(|_| OK.to_owned());
    let client = HttpClient::builder().timeout(EVER).build();
    let urls: Vec<Payload> = (0..50).map(|n| server.get(&format!("/{n}"))).collect();
    let asked = tokio::task::spawn_blocking(move || {
        for request in urls {
            let response = block_on(client.request(request)).expect("an answer");
            assert_eq!(response.body_bytes(), "hi");
        }
    });
    asked.await.expect("no panic");
    assert_eq!(server.accepted(), 1);
    let arbiter = actix_rt::Arbiter::new();
    let client = HttpClient::on(arbiter.handle());
    client.request(server.get("/")).await.expect("an answer");
    arbiter.stop();
    arbiter.join().expect("no panic");
    let error = client
        .request(server.get("/"))
        .await
        .expect_err("it is gone");
    assert_eq!(kind(&error), "Refused(Closing)");
    assert!(error.is_retry_safe() && error.into_payload().is_some());
}

/// Busy threads share the connections that are allowed, and each gets the answers to its own requests.
#[actix::test]
async fn many_threads() {
    let server = Server::new().await.answering(|line| {
        let path = line.split(' ').nth(1).expect("a path");
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}",
            path.len()
        )
    });
    let client = HttpClient::builder().connections_per_origin(3).build();
    let threads = (0..8).map(|thread| {
        let (client, url) = (client.clone(), server.url.clone());
        tokio::task::spawn_blocking(move || {
            for n in 0..50 {
                let path = format!("/{thread}/{n}");
                let request = Payload::get(format!("{url}{path}")).expect("a url");
                let response = block_on(client.request(request)).expect("an answer");
                assert_eq!(response.body_bytes(), path.as_bytes());
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.await.expect("no panic");
    }
    assert_eq!(server.lines().len(), 400);
    assert!(server.accepted() <= 3, "{} connections", server.accepted());
}

#[test]
fn clients_and_their_futures_go_anywhere() {
    fn anywhere<T: Send + Sync>(_: &T) {}
    fn movable<T: Send>(_: T) {}
    fn check(client: &HttpClient, request: Payload, body: Incoming) {
        anywhere(client);
        movable(client.request(request.clone()));
        movable(client.stream(request.clone()));
        movable(client.upgrade(request.clone()));
        movable(client.upload(request.clone(), body));
        movable(client.upload_from(request, stream::empty::<Piece>));
    }
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    let _ = check;
    error::<ClientError>();
}

/// One of these for each request under way.
#[actix::test]
async fn the_future_of_a_request_is_small() {
    let client = HttpClient::new();
    let request = Payload::get("http://a.test/").expect("a url");
    let size = size_of_val(&client.request(request));
    assert!(size <= 1024, "{size} bytes");
}

/// A server that belongs to somebody else.
#[actix::test]
async fn pythons_server() {
    use std::process::{Command, Stdio};
    let Ok(mut python) = Command::new("python3")
        .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
    else {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        return eprintln!("left out: python3 is missing");
    };
    let mut line = String::new();
    let mut out = std::io::BufReader::new(python.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut out, &mut line).expect("it says where it listens");
    let url = line.split(['(', ')']).nth(1).expect("a url").to_owned();
    let client = HttpClient::builder().redirects(1).build();
    let get = |path: &str| Payload::get(format!("{url}{path}")).expect("a url");
    let readme = client.request(get("README.md")).await;
    let missing = client.request(get("nowhere")).await;
    let folder = client.request(get("src")).await;
    python.kill().expect("it runs");
    python.wait().expect("it ran");
    let readme = readme.expect("an answer");
    assert_eq!(readme.body_bytes(), include_str!("../README.md"));
    let missing = missing.expect("an answer").status();
    assert_eq!(missing, Some(StatusCode::NOT_FOUND));
    let folder = folder.expect("an answer");
    assert_eq!(folder.status(), Some(StatusCode::OK));
    assert!(folder.body_bytes().windows(6).any(|part| part == b"lib.rs"));
}

/// A body that was read to its announced length is whole: who drops it then cancels nothing.
#[actix::test]
async fn a_body_read_to_its_length_keeps_its_connection() {
    // It fills the read that brings it, so that its end is told a little later than its last piece.
    const READ: usize = 64 << 10;
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 65494\r\n\r\n";
    let body = "x".repeat(READ - head.len());
    assert!(head.contains(&body.len().to_string()));
    let server = Server::new().await;
    let server = server.answering(move |_| format!("{head}{body}"));
    let elsewhere = actix::Arbiter::new();
    let builder = HttpClient::builder().connections_per_origin(1);
    let client = builder.build_on(elsewhere.handle());
    for _ in 0..50 {
        let (_, mut body) = client.stream(server.get("/")).await.expect("an answer");
        while body.remaining() != Some(0) {
            body.next().await.expect("more").expect("whole");
        }
    }
    assert_eq!(server.accepted(), 1);
    elsewhere.stop();
}

/// A response may come before its upload is whole, and be read before that too: the upload goes on, and is whole.
#[actix::test]
async fn an_upload_goes_on_behind_the_response_that_was_read() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let (more, pieces) = tokio::sync::mpsc::unbounded_channel::<&str>();
    let pieces = futures_util::stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        Some((Ok::<_, std::io::Error>(Bytes::from(piece)), pieces))
    });
    more.send("ab").expect("awaited");
    let upload = client.upload(server.post("/").length(6), pieces);
    let (answer, mut peer) = tokio::join!(upload, async {
        let mut peer = server.accept().await;
        peer.until("\r\n\r\nab").await;
        let body = "y".repeat(20_000);
        peer.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n{body}"
        ))
        .await;
        peer
    });
    let (_, mut body) = answer.expect("an answer");
    while body.remaining() != Some(0) {
        body.next().await.expect("more").expect("whole");
    }
    drop(body);
    for piece in ["cd", "ef"] {
        more.send(piece).expect("awaited");
        peer.expect(piece).await;
    }
}

/// With length 0 there is nothing to send: the request is one like any other, and is sent again if it may be.
#[actix::test]
async fn an_upload_of_nothing() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let nothing = || stream::pending::<Result<Bytes, std::io::Error>>();
    let upload = client.upload(server.get("/").length(0), nothing());
    let (answer, mut peer) = tokio::join!(upload, async {
        let mut peer = server.accept().await;
        let head = peer.until("\r\n\r\n").await;
        assert!(!head.contains("Content-Length"), "{head}");
        peer.send(OK).await;
        peer
    });
    let (_, mut body) = answer.expect("an answer");
    assert_eq!(body.bytes(2).await.expect("whole"), "hi");
    let upload = client.upload_from(server.get("/again").length(0), nothing);
    let (answer, ()) = tokio::join!(upload, async {
        // The server closes the connection just when it is used again.
        peer.until("\r\n\r\n").await;
        peer.close().await;
        let mut peer = server.accept().await;
        answer_with(&mut peer, OK).await;
    });
    drop(answer.expect("an answer"));
    let stream = client.stream(server.post("/").length(0));
    let (answer, ()) = tokio::join!(stream, async {
        let mut peer = server.accept().await;
        let head = peer.until("\r\n\r\n").await;
        assert!(head.contains("Content-Length: 0\r\n"), "{head}");
        peer.send(OK).await;
    });
    drop(answer.expect("an answer"));
}

/// A stream that is known to be empty is no body, so the request is not chunked, and is sent again if it may be.
#[actix::test]
async fn an_upload_of_a_stream_that_is_known_to_be_empty() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let nothing = || stream::empty::<Result<Bytes, std::io::Error>>();
    let upload = client.upload(server.get("/"), nothing());
    let (answer, mut peer) = tokio::join!(upload, async {
        let mut peer = server.accept().await;
        let head = peer.until("\r\n\r\n").await;
        assert!(!head.contains("Transfer-Encoding"), "{head}");
        assert!(!head.contains("Content-Length"), "{head}");
        peer.send(OK).await;
        peer
    });
    let (_, mut empty) = answer.expect("an answer");
    assert_eq!(empty.bytes(2).await.expect("whole"), "hi");
    // The body that was read is empty now, and is sent as such.
    let upload = client.upload(server.get("/again"), empty);
    let (answer, mut peer) = tokio::join!(upload, async {
        // The server closes the connection just when it is used again.
        peer.until("\r\n\r\n").await;
        peer.close().await;
        let mut peer = server.accept().await;
        let head = peer.until("\r\n\r\n").await;
        assert!(!head.contains("Transfer-Encoding"), "{head}");
        peer.send(OK).await;
        peer
    });
    drop(answer.expect("an answer").1.bytes(2).await.expect("whole"));
    let upload = client.upload(server.post("/").body("inside"), nothing());
    let (answer, ()) = tokio::join!(upload, async {
        let head = peer.until("inside").await;
        assert!(head.contains("Content-Length: 6\r\n"), "{head}");
        peer.send(OK).await;
    });
    drop(answer.expect("an answer"));
    // What the request announces is kept.
    let upload = client.upload(server.post("/").chunked(), nothing());
    let (answer, ()) = tokio::join!(upload, async {
        let head = peer.until("\r\n\r\n0\r\n\r\n").await;
        assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
        peer.send(OK).await;
    });
    drop(answer.expect("an answer"));
}

/// A body is known to be read if nothing waits, nothing comes, and no error is left to be read.
#[actix::test]
async fn a_body_that_is_known_to_be_read() {
    let server = Server::new().await;
    let client = HttpClient::new();
    let (unknown, nothing) = ((0, None), (0, Some(0)));
    let answered = client.stream(server.get("/"));
    let (whole, mut peer) = tokio::join!(answered, async {
        let mut peer = server.accept().await;
        peer.until("\r\n\r\n").await;
        peer.send(OK).await;
        peer
    });
    let (_, mut body) = whole.expect("an answer");
    assert_eq!(body.size_hint(), unknown, "it has come and was not read");
    let piece = body.next().await.expect("a piece");
    assert_eq!(piece.expect("whole"), "hi");
    assert_eq!(body.size_hint(), nothing);

    let head = "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n";
    let (coming, ()) = tokio::join!(client.stream(server.get("/")), async {
        peer.until("\r\n\r\n").await;
        peer.send(head).await;
    });
    let (_, mut body) = coming.expect("an answer");
    assert_eq!(body.size_hint(), unknown, "it may still come");
    peer.close().await;
    assert_eq!(peer.rest().await, "");
    assert_eq!(body.size_hint(), unknown, "the end is an error");
    body.next().await.expect("an end").expect_err("it was cut");
    assert_eq!(body.size_hint(), nothing);
}

/// The gateway of the guide: requests with and without bodies, the fields of each connection, and errors.
#[actix::test]
async fn a_gateway_of_a_function() {
    let behind = Server::new().await;
    let target = behind.url.clone();
    let behind = behind.answering(|line| {
        let body = format!("{} bytes behind", line.len());
        let close = "Keep-Alive: timeout=5\r\nConnection: keep-alive\r\n";
        format!(
            "HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    let client = HttpClient::new();
    let gateway = handler_fn(move |(request, body): (Payload, Incoming)| {
        let (client, target) = (client.clone(), target.clone());
        async move {
            let request = request.forward();
            let target = if request.path() == "/nowhere" {
                "http://127.0.0.1:1/".to_owned()
            } else {
                format!("{target}{}", request.uri())
            };
            let request = request.with_uri(target.parse().expect("a URL"));
            match client.upload(request, body).await {
                Ok((response, body)) => Ok((response.forward(), body)),
                Err(error) => Err(ErrorResponse::new(
                    StatusCode::BAD_GATEWAY,
                    error.to_string(),
                )),
            }
        }
    });
    let front = HttpServer::new(gateway).signals(false).workers(1);
    let front = front.bind("127.0.0.1:0").expect("a port").run();
    let front = format!("http://{}", front.addresses()[0]);
    let client = HttpClient::new();
    let large = "x".repeat(100_000);
    for body in ["", "abc", &large] {
        let request = Payload::put(format!("{front}/a?b")).expect("a url");
        let request = request.header("Connection", "X-Hop").header("X-Hop", "1");
        let answer = client.request(request.body(body.to_owned())).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.body_bytes(), "17 bytes behind");
        assert_eq!(answer.headers().text("Keep-Alive"), None);
        let head = behind.heads.lock().expect("no panic").pop().expect("one");
        assert!(head.starts_with("PUT /a?b HTTP/1.1\r\n"), "{head}");
        assert!(head.ends_with(&format!("\r\n\r\n{body}")), "{}", body.len());
        assert!(!head.contains("X-Hop"), "{head}");
    }
    let nowhere = client.request(Payload::get(format!("{front}/nowhere")).expect("a url"));
    let nowhere = nowhere.await.expect("an answer");
    assert_eq!(nowhere.status(), Some(StatusCode::BAD_GATEWAY));
    let why = std::str::from_utf8(nowhere.body_bytes()).expect("text");
    assert!(why.starts_with("cannot connect"), "{why}");
}
