//! Between two exchanges of a client, and at the end of its connection: what the server sent without a request is no
//! answer, and what it answered before it left is one.

mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix::{Addr, System};
use bytes::Bytes;
use common::{Heard, Peer, Pipe, Recorder, answer_with, eventually_blocking, tcp_pair};
use http_actors::error::Refused;
use http_actors::message::{Apply, BodyPart, Cancel, Finish, Inspect, Part, SendChunk};
use http_actors::{
    ClientErrorKind, HttpClient, HttpHandler, HttpSession, MessageId, MuteGuard, Origin, Payload,
    Route, SessionContext, SessionOptions, StatusCode, Unsent,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::Instant;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const EVIL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

fn get(path: &str) -> Payload {
    Payload::get(path).expect("a path")
}

async fn apply(session: &Addr<HttpSession>, payload: Payload) {
    let asked = session.send(Apply(payload)).await.expect("alive");
    asked.expect("accepted");
}

/// Takes no more of the first response until the guard is dropped.
fn holding(guard: Rc<RefCell<Option<MuteGuard>>>) -> (impl http_actors::HandlerFactory, Heard) {
    let held = RefCell::new(false);
    Recorder::script(move |_, session: &mut SessionContext| {
        if !held.replace(true) {
            *guard.borrow_mut() = Some(session.hold());
        }
    })
}

/// Lets everything on its way arrive: it is there after ten trips through the kernel.
async fn settle() {
    let (mut near, mut far) = tcp_pair().await;
    for _ in 0..10 {
        near.write_all(b"x").await.expect("open");
        far.read_exact(&mut [0]).await.expect("open");
    }
}

/// Sends a response after another one that the handler holds up: it is there before the next request is sent.
async fn assert_is_no_answer<C, S>(client: C, server: S, pipeline: bool)
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let guard = Rc::default();
    let (factory, mut heard) = holding(Rc::clone(&guard));
    let options = SessionOptions {
        pipeline,
        ..SessionOptions::for_client()
    };
    let session = HttpSession::over(client, "a", &factory, options);
    apply(&session, get("/1")).await;
    if !pipeline {
        apply(&session, get("/2")).await;
    }
    let mut server = Peer::new(server);
    server.until("\r\n\r\n").await;
    let long = "x".repeat(20_000);
    server
        .send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n{long}"
        ))
        .await;
    heard.expect(&["apply 200 stream 20000"]).await;
    settle().await;
    server.send(EVIL).await;
    settle().await;
    if pipeline {
        apply(&session, get("/2")).await;
    }
    drop(guard.borrow_mut().take());
    while heard.next().await != "completed 200 in 20000 out 0" {}
    // A connection that was given cannot be opened again, so this is the end of the second.
    let end = heard.next().await;
    assert!(end.starts_with("failed "), "{end}");
    assert_eq!(server.rest().await, "", "the second request was not sent");
}

/// RFC 9112 section 6.3: over TCP, where the kernel is asked, and over a pipe, where only a read tells.
#[actix::test]
async fn what_nobody_asked_for_is_no_answer() {
    for pipeline in [false, true] {
        let (near, far) = tcp_pair().await;
        assert_is_no_answer(near, far, pipeline).await;
        let (near, far) = Pipe::new().capacity(1 << 16).open();
        assert_is_no_answer(near, far, pipeline).await;
        let (near, far) = tokio::io::duplex(1 << 16);
        assert_is_no_answer(near, far, pipeline).await;
    }
}

/// A pipe that says nothing is asked once for each request, and used again.
#[actix::test]
async fn silence_is_no_stray() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    let mut server = Peer::new(far);
    for path in ["/1", "/2", "/3"] {
        apply(&session, get(path)).await;
        server
            .expect(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        server.send(OK).await;
        heard
            .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
            .await;
    }
}

/// What a server says before it was asked is no answer either, and neither is the end of a connection that carried
/// nothing. No other connection is tried in its place: the request, whose turn did not come, may be sent again.
#[actix::test]
async fn what_comes_before_the_first_request_is_no_answer() {
    /// The far end of a connection, which has said this, or closes.
    async fn greet(mut far: impl AsyncRead + AsyncWrite + Unpin + 'static, greeting: &str) {
        far.write_all(greeting.as_bytes()).await.expect("open");
        if !greeting.is_empty() {
            actix_rt::spawn(async move { drop(far.read_to_end(&mut Vec::new()).await) });
        }
    }
    let unasked = "Failed(Protocol(UnsolicitedResponse))";
    for (greeting, expected) in [
        (EVIL, unasked),
        ("220 a.test ESMTP\r\n", unasked),
        ("SSH", unasked),
        ("", "Failed(ConnectionClosed(UnexpectedEof))"),
    ] {
        for way in ["pipe", "slow pipe", "tcp"] {
            let opened = Arc::new(AtomicUsize::new(0));
            let count = opened.clone();
            // Otherwise it might never end.
            let once_more = move || match count.fetch_add(1, Ordering::SeqCst) {
                0..20 => Ok(()),
                _ => Err(std::io::Error::from(std::io::ErrorKind::Other)),
            };
            let route = if way == "tcp" {
                Route::through(move |_: &Origin| {
                    let more = once_more();
                    async move {
                        more?;
                        let (near, far) = tcp_pair().await;
                        greet(far, greeting).await;
                        near.peek(&mut [0]).await?;
                        Ok(near)
                    }
                })
            } else {
                Route::through(move |_: &Origin| {
                    let more = once_more();
                    async move {
                        more?;
                        if way == "slow pipe" {
                            tokio::task::yield_now().await;
                        }
                        let (near, far) = tokio::io::duplex(1 << 16);
                        greet(far, greeting).await;
                        Ok(near)
                    }
                })
            };
            let client = HttpClient::builder().route(route).build();
            let post = Payload::post("http://a.test/").expect("a url").body("x");
            let error = client.request(post).await.expect_err("it was not asked");
            let case = format!("{greeting:?} {way}");
            assert_eq!(format!("{:?}", error.kind()), expected, "{case}");
            assert_eq!(opened.load(Ordering::SeqCst), 1, "{case}");
            assert!(
                error.is_retry_safe() && error.into_payload().is_some(),
                "{case}"
            );
        }
    }
}

/// A server on a thread of its own, so that it goes on while the arbiter of the client is busy.
fn serve<T: Send + 'static>(
    serve: impl FnOnce(std::net::TcpListener) -> T + Send + 'static,
) -> (String, std::thread::JoinHandle<T>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (url, std::thread::spawn(move || serve(listener)))
}

/// Waits until the other end has acknowledged all that was written.
fn arrive(stream: &std::net::TcpStream) {
    let port = |address: std::io::Result<std::net::SocketAddr>| address.expect("connected").port();
    let (near, far) = (port(stream.local_addr()), port(stream.peer_addr()));
    let connection = format!(":{near:04X} 0100007F:{far:04X} ");
    eventually_blocking("an acknowledgement", || {
        let all = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
        let line = all.lines().find(|line| line.contains(&connection));
        let waiting = line.and_then(|line| line.split_whitespace().nth(4));
        waiting.is_none_or(|waiting| waiting.starts_with("00000000:"))
    });
}

/// Accepts, and reads the head of a request.
fn accept(listener: &std::net::TcpListener) -> std::net::TcpStream {
    let (mut stream, _) = listener.accept().expect("accepted");
    read_to(b"\r\n\r\n", &mut stream);
    stream
}

/// Reads up to this, and no further.
fn read_to(end: &[u8], stream: &mut impl std::io::Read) {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more");
        read.extend(byte);
    }
}

/// What the server sends when it may goes before the second request, and is not its answer. The arbiter has no time in
/// between.
async fn assert_is_overtaken(
    client: HttpClient,
    url: &str,
    go: mpsc::Sender<()>,
    is_sent: mpsc::Receiver<()>,
) {
    let post = || Payload::post(url).expect("a url");
    let first = client.request(post()).await.expect("an answer");
    assert_eq!(first.body_bytes(), "hi");
    settle().await;
    go.send(()).expect("the server runs");
    is_sent.recv().expect("the server runs");
    let second = client.request(post()).await.expect("an answer");
    assert_eq!(second.body_bytes(), "hi");
}

/// A server over TLS, on a thread of its own.
#[cfg(feature = "rustls")]
mod over_tls {
    use common::tls::Authority;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;

    type Stream = StreamOwned<ServerConnection, std::net::TcpStream>;

    fn accept(listener: &std::net::TcpListener, config: &Arc<ServerConfig>) -> Stream {
        let (stream, _) = listener.accept().expect("accepted");
        let connection = ServerConnection::new(config.clone()).expect("a configuration");
        let mut stream = StreamOwned::new(connection, stream);
        read_to(b"\r\n\r\n", &mut stream);
        stream
    }

    /// The kernel cannot tell what is a record of HTTP, so the builder looks, when the runtime knows what there is.
    #[actix::test]
    async fn what_came_while_the_arbiter_was_busy() {
        for stray in [EVIL, ""] {
            let authority = Authority::new();
            let config = authority.server("localhost");
            let (go, may_go) = mpsc::channel();
            let (sent, is_sent) = mpsc::channel();
            let (url, served) = serve(move |listener| {
                let mut first = accept(&listener, &config);
                first.write_all(OK.as_bytes()).expect("written");
                may_go.recv().expect("the test runs");
                first.write_all(stray.as_bytes()).expect("written");
                if stray.is_empty() {
                    first.conn.send_close_notify();
                    first.conn.write_tls(&mut first.sock).expect("written");
                }
                arrive(&first.sock);
                sent.send(()).expect("the test runs");
                let mut second = accept(&listener, &config);
                second.write_all(OK.as_bytes()).expect("written");
            });
            let url = url.replace("http://127.0.0.1", "https://localhost");
            let client = HttpClient::builder().tls(authority.client()).build();
            assert_is_overtaken(client, &url, go, is_sent).await;
            served.join().expect("it ran");
        }
    }
}

/// What stands in the socket is seen even where the arbiter had no time to be told of it: a response that is too much,
/// which would be taken for the next one, and the end, behind which a POST would be lost.
#[actix::test]
async fn what_came_while_the_arbiter_was_busy() {
    for stray in [EVIL, "HTTP/1.1 408 Request Timeout\r\n\r\n", ""] {
        let (go, may_go) = mpsc::channel();
        let (sent, is_sent) = mpsc::channel();
        let (url, served) = serve(move |listener| {
            let mut first = accept(&listener);
            first.write_all(OK.as_bytes()).expect("written");
            may_go.recv().expect("the test runs");
            if stray.is_empty() {
                first.shutdown(std::net::Shutdown::Write).expect("open");
            } else {
                first.write_all(stray.as_bytes()).expect("written");
            }
            arrive(&first);
            sent.send(()).expect("the test runs");
            let mut second = accept(&listener);
            second.write_all(OK.as_bytes()).expect("written");
        });
        assert_is_overtaken(HttpClient::new(), &url, go, is_sent).await;
        served.join().expect("it ran");
    }
}

/// A session that asked a server which answers a request after a piece of its body, and leaves. It is gone when this
/// returns, and the session has not had the time to notice.
async fn answered_half_way(post: Payload, answer: &'static str) -> (Addr<HttpSession>, Heard) {
    let (left, has_left) = mpsc::channel();
    let (url, served) = serve(move |listener| {
        let mut stream = accept(&listener);
        stream.peek(&mut [0]).expect("a piece");
        stream.write_all(answer.as_bytes()).expect("written");
        drop(stream);
        left.send(()).expect("the test runs");
    });
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let origin = Origin::try_from(url.as_str()).expect("a url");
    let session = HttpSession::connect(origin, &factory, SessionOptions::for_client());
    apply(&session, post).await;
    heard.expect(&["need_body"]).await;
    let piece = session.send(SendChunk("piece".into())).await;
    piece.expect("alive").expect("taken");
    has_left.recv().expect("the server runs");
    served.join().expect("it ran");
    (session, heard)
}

/// A server that answers, and leaves with the request unread, resets the connection. What is sent after that, in any
/// way, is refused, and does not lose the answer.
#[actix::test]
async fn an_answer_outlives_a_write_that_fails() {
    type Go = fn(Addr<HttpSession>, MessageId) -> Pin<Box<dyn Future<Output = ()>>>;
    let ways: [Go; 4] = [
        |session, _| {
            Box::pin(async move {
                for _ in 0..3 {
                    session.do_send(SendChunk("piece".into()));
                    session.send(Inspect).await.expect("alive");
                }
            })
        },
        |session, _| {
            Box::pin(async move {
                for _ in 0..3 {
                    let _ = session.send(SendChunk("piece".into())).await;
                }
                let _ = session.send(Finish).await.expect("alive");
            })
        },
        |session, message| {
            Box::pin(async move {
                for _ in 0..3 {
                    let part = Part::Data("piece".into());
                    let _ = session.send(BodyPart { message, part }).await;
                }
            })
        },
        |session, message| {
            Box::pin(async move {
                for part in [
                    Part::Data("piece".into()),
                    Part::Data("piece".into()),
                    Part::Cut,
                ] {
                    let _ = session.send(BodyPart { message, part }).await;
                }
            })
        },
    ];
    for (at, go) in ways.into_iter().enumerate() {
        for post in [Payload::chunked, |post: Payload| post.length(50)] {
            let post = post(Payload::post("/").expect("a path"));
            let id = post.id();
            let answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
            let (session, mut heard) = answered_half_way(post, answer).await;
            // In a task of the arbiter, which does not look at its sockets in between.
            let gone = actix_rt::spawn(go(session.clone(), id));
            let mut all = Vec::new();
            while !all.iter().any(|line: &String| line.starts_with("apply ")) {
                all.push(heard.next().await);
                assert!(
                    !all.iter().any(|line| line.contains("Sending")),
                    "{at}: {all:?}"
                );
            }
            assert_eq!(all.pop().expect("an answer"), "apply 413 [no]");
            gone.await.expect("no panic");
        }
    }
}

/// A body that ends with its connection has no end if that is reset, also where a write is told of the reset, and the
/// read that follows finds nothing but the end.
#[actix::test]
async fn a_reset_that_a_write_finds_is_no_end_of_a_body() {
    for status in ["200 OK", "413 Content Too Large"] {
        let answer = format!("HTTP/1.1 {status}\r\n\r\na part");
        let post = Payload::post("/").expect("a path").chunked();
        let (session, mut heard) = answered_half_way(post, answer.leak()).await;
        // In a task of the arbiter, which does not look at its sockets in between.
        let writes = actix_rt::spawn(async move {
            let piece = || session.send(SendChunk("piece".into()));
            while piece().await.is_ok_and(|taken| taken.is_ok()) {}
        });
        let mut all = Vec::new();
        let end = loop {
            let line = heard.next().await;
            if line.starts_with("failed ") || line.starts_with("completed ") {
                break line;
            }
            all.push(line);
        };
        writes.await.expect("no panic");
        let reset = "failed ConnectionClosed(ConnectionReset)";
        assert!(end.starts_with(reset), "{end}");
        let begun = [&format!("apply {} chunked", &status[..3]), "chunk a part"];
        assert_eq!(all, begun);
    }
}

/// The same for an upload from memory, which leaves the arbiter no time at all.
#[actix::test]
async fn an_upload_from_memory_is_refused() {
    for _ in 0..20 {
        let (url, served) = serve(move |listener| {
            let mut stream = accept(&listener);
            let answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
            stream.write_all(answer.as_bytes()).expect("written");
        });
        let pieces = vec![Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 4000])); 2000];
        let body = futures_util::stream::iter(pieces);
        let post = Payload::post(url).expect("a url");
        let client = HttpClient::new();
        let upload = actix_rt::spawn(async move { client.upload(post, body).await });
        let (head, _) = upload.await.expect("no panic").expect("an answer");
        assert_eq!(head.status(), Some(StatusCode::PAYLOAD_TOO_LARGE));
        served.join().expect("it ran");
    }
}

/// A response that came whole is the answer, whatever the server says behind it before it is told that it has the whole
/// request.
#[actix::test]
async fn a_whole_answer_outlives_what_stands_behind_it() {
    for behind in ["", "\r\n", EVIL, "HTTP/1.1 408 Late\r\n\r\n", "FIN"] {
        let (mut server, near) = Peer::open(Pipe::new().capacity(1 << 16));
        let (factory, mut heard) = Recorder::script(|_, _| {});
        let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
        apply(&session, Payload::post("/").expect("a path").length(3)).await;
        heard.expect(&["need_body"]).await;
        session.do_send(SendChunk("abc".into()));
        server.until("abc").await;
        server.send(OK).await;
        if behind == "FIN" {
            server.close().await;
        } else {
            server.send(behind).await;
        }
        heard.expect(&["apply 200 [hi]"]).await;
        settle().await;
        session.do_send(Finish);
        heard.expect(&["completed 200 in 2 out 3"]).await;
    }
}

/// A reset takes nothing from a reader that is slow: what the kernel has of the response is read first.
#[actix::test]
async fn an_answer_outlives_a_reset() {
    const LENGTH: usize = 40_000;
    // More than the session takes before somebody reads.
    const READ: usize = 10_000;
    let (go, may_go) = mpsc::channel();
    let (url, served) = serve(move |listener| {
        let (mut stream, _) = listener.accept().expect("accepted");
        stream.read_exact(&mut [0; 10]).expect("a part of a head");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("written");
        stream.write_all(&[b'x'; READ]).expect("written");
        may_go.recv().expect("the test runs");
        // What is left unread makes the close a reset.
        let rest = vec![b'x'; LENGTH - READ];
        stream.write_all(&rest).expect("written");
    });
    let mut options = SessionOptions::for_client();
    options.buffers.high_water = 2 << 10;
    options.buffers.low_water = 1 << 10;
    let client = HttpClient::builder().options(options).build();
    let get = client.stream(Payload::get(&url).expect("a url"));
    let (_, mut body) = get.await.expect("an answer");
    settle().await;
    go.send(()).expect("the server runs");
    served.join().expect("it ran");
    settle().await;
    let mut read = 0;
    while let Some(piece) = body.next().await {
        read += piece.expect("a piece").len();
    }
    assert_eq!(read, LENGTH);
}

/// RFC 9110 section 10.1.1: who is refused before it has leave sends no body, however long the refusal takes.
#[actix::test]
async fn no_body_behind_a_refusal() {
    tokio::time::pause();
    let (mut server, near) = Peer::open(Pipe::new().capacity(1 << 16));
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    let post = Payload::post("/").expect("a path");
    apply(&session, post.header("Expect", "100-continue").length(3)).await;
    server.until("\r\n\r\n").await;
    let begun = "HTTP/1.1 413 Content Too Large\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n";
    server.send(begun).await;
    heard.expect(&["apply 413 chunked", "chunk no!"]).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    server.send("0\r\n\r\n").await;
    heard.expect(&["finished"]).await;
    assert!(heard.next().await.starts_with("completed 413 "));
}

/// The same behind a refusal that was not delivered: its own body is not whole, or the handler is muted. A success whose
/// body is not whole may be made of the body of the request, as below.
#[actix::test]
async fn no_body_behind_a_refusal_that_waits() {
    tokio::time::pause();
    let early = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno";
    let success = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
    let late = "cancelled Deadline(Exchange) Sending";
    for (sent, expected) in [
        (refusal.to_owned(), &[late][..]),
        (format!("{early}{refusal}!"), &["informational 103", late]),
        (success.to_owned(), &["need_body", late]),
    ] {
        let mut options = SessionOptions::for_client();
        options.timeouts.exchange = Some(Duration::from_secs(5));
        let (mut server, near) = Peer::open(Pipe::new().capacity(1 << 16));
        let (factory, mut heard) = Recorder::of(|_| Mutes);
        let session = HttpSession::over(near, "a", &factory, options);
        let post = Payload::post("/").expect("a path");
        apply(&session, post.header("Expect", "100-continue").length(3)).await;
        server.until("\r\n\r\n").await;
        server.send(sent).await;
        heard.expect(expected).await;
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

/// A success may be made of the body, so its server waits for that, with a 100 or without.
#[actix::test]
async fn a_body_behind_a_success() {
    tokio::time::pause();
    let (mut server, near) = Peer::open(Pipe::new().capacity(1 << 16));
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    let post = Payload::post("/").expect("a path");
    apply(&session, post.header("Expect", "100-continue").length(3)).await;
    answer_with(
        &mut server,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    .await;
    heard.expect(&["apply 200 chunked", "need_body"]).await;
    session.do_send(SendChunk("abc".into()));
    session.do_send(Finish);
    server.expect("abc").await;
    server.send("0\r\n\r\n").await;
    heard
        .expect(&["finished", "completed 200 in 0 out 3"])
        .await;
}

/// A connection that takes no more, and says nothing of its end: what was answered is the end of it, and no more of the
/// request is taken.
#[actix::test]
async fn an_upload_whose_server_takes_no_more() {
    let path = common::socket_path();
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a path");
    let (pieces, mut body) = tokio::sync::mpsc::unbounded_channel();
    pieces.send(Bytes::from_static(b"a piece")).expect("open");
    let (done, is_done) = mpsc::channel::<()>();
    let open = pieces.clone();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accepted");
        read_to(b"a piece\r\n", &mut stream);
        stream.write_all(OK.as_bytes()).expect("written");
        stream.shutdown(std::net::Shutdown::Read).expect("open");
        for _ in 0..3 {
            open.send(Bytes::from_static(b"more")).unwrap_or_default();
        }
        // Open until the client is done.
        let _ = is_done.recv();
    });
    let options = SessionOptions {
        route: Route::unix(&path),
        ..SessionOptions::for_client()
    };
    let client = HttpClient::builder().options(options).build();
    let body = futures_util::stream::poll_fn(move |cx| {
        let piece = body.poll_recv(cx);
        piece.map(|piece| piece.map(Ok::<_, Infallible>))
    });
    let post = Payload::post("http://a.test/").expect("a url");
    let answered = client.upload(post, body).await;
    let (head, _) = answered.expect("an answer");
    assert_eq!(head.status(), Some(StatusCode::OK));
    drop((done, pieces));
    served.join().expect("it ran");
    std::fs::remove_file(&path).expect("still there");
}

/// A connection of which a read finds more than it was woken for, as with a socket; and whose writes fail when told to.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Ends>>);

#[derive(Default)]
struct Ends {
    input: VecDeque<u8>,
    reader: Option<Waker>,
    /// Done at the next read.
    on_read: Option<Box<dyn FnOnce() + Send>>,
    broken: bool,
}

impl Wire {
    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().expect("no panic")
    }

    fn put(&self, data: &str) {
        self.ends().input.extend(data.bytes());
    }

    fn wake(&self) {
        if let Some(reader) = self.ends().reader.take() {
            reader.wake();
        }
    }

    fn written(&self, length: usize) -> Poll<std::io::Result<usize>> {
        Poll::Ready(if self.ends().broken {
            Err(std::io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(length)
        })
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut ends = self.ends();
        if let Some(done) = ends.on_read.take() {
            done();
        }
        if ends.input.is_empty() {
            ends.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let length = ends.input.len().min(buffer.remaining());
        let data: Vec<u8> = ends.input.drain(..length).collect();
        buffer.put_slice(&data);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.written(data.len())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.written(0).map_ok(drop)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.written(0).map_ok(drop)
    }
}

/// What was found for a request that was cancelled meanwhile says nothing of later.
#[actix::test]
async fn a_look_is_of_its_moment() {
    let wire = Wire::default();
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let session = HttpSession::over(wire.clone(), "a", &factory, SessionOptions::for_client());
    apply(&session, get("/1")).await;
    settle().await;
    wire.put(OK);
    wire.wake();
    heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
    let two = get("/2");
    let (id, cancelling) = (two.id(), session.clone());
    wire.ends().on_read = Some(Box::new(move || cancelling.do_send(Cancel(id))));
    session.do_send(Apply(two));
    heard.expect(&["cancelled Local Queued"]).await;
    settle().await;
    wire.put(EVIL);
    session.do_send(Apply(get("/3")));
    settle().await;
    wire.wake();
    assert_eq!(
        heard.next().await,
        "failed ConnectFailed(NotConnected) Queued"
    );
}

/// The clock of writes ends with the writes: an answer that is read after they failed has its time.
#[actix::test]
async fn no_write_is_late_that_failed() {
    tokio::time::pause();
    let wire = Wire::default();
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let session = HttpSession::over(wire.clone(), "a", &factory, SessionOptions::for_client());
    apply(&session, Payload::post("/").expect("a path").chunked()).await;
    heard.expect(&["need_body"]).await;
    wire.ends().broken = true;
    wire.put("HTTP/1.1 413 Content Too Large\r\nContent-Length: 20000\r\n\r\n");
    session.do_send(SendChunk("a piece".into()));
    wire.wake();
    heard.expect(&["apply 413 stream 20000"]).await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        wire.put(&"x".repeat(1000));
        wire.wake();
    }
    while heard.next().await != "finished" {}
    assert!(heard.next().await.starts_with("completed 413 in 20000 "));
}

/// An idle time that is over is not that of a connection which has a request to send.
#[actix::test]
async fn a_queued_request_is_not_idle() {
    tokio::time::pause();
    let (near, far) = tokio::io::duplex(1 << 16);
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let mut options = SessionOptions::for_client();
    options.timeouts.idle = Some(Duration::ZERO);
    let session = HttpSession::over(near, "a", &factory, options);
    session.do_send(Apply(get("/1")));
    session.do_send(Apply(get("/2")));
    let mut server = Peer::new(far);
    server.until("\r\n\r\n").await;
    // With the next look at the clock comes the response.
    tokio::time::advance(Duration::from_millis(11)).await;
    server.send(OK).await;
    server.expect("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.send(OK).await;
    for _ in 0..2 {
        heard
            .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
            .await;
    }
    assert_eq!(server.rest().await, "");
}

/// A request that cannot be sent leaves the connection that was found for it to the next.
#[actix::test]
async fn a_refused_request_costs_no_connection() {
    let (url, served) = serve(|listener| {
        let mut stream = accept(&listener);
        stream.write_all(OK.as_bytes()).expect("written");
        let mut head = [0; 1000];
        assert!(stream.read(&mut head).expect("a request") > 0);
        stream.write_all(OK.as_bytes()).expect("written");
        stream.read(&mut head).expect("the end")
    });
    let client = HttpClient::builder().idle_timeout(None).build();
    let get = || Payload::get(&url).expect("a url");
    client.request(get()).await.expect("an answer");
    let refused = [
        get().header("X", "a\r\nb"),
        get().header("Content-Length", "1"),
    ];
    for request in refused {
        let error = client.request(request).await.expect_err("no request");
        let kind = error.kind();
        assert!(
            matches!(
                kind,
                ClientErrorKind::Unusable(_) | ClientErrorKind::Failed(_)
            ),
            "{kind:?}"
        );
    }
    client.request(get()).await.expect("an answer");
    drop(client);
    // Idle connections go with the client.
    let end = actix_rt::task::spawn_blocking(|| served.join().expect("it ran"));
    assert_eq!(end.await.expect("it ran"), 0);
}

/// An idle time of nothing keeps no connection, and ends nothing that goes on, however long the response takes.
#[actix::test]
async fn an_idle_time_of_nothing() {
    tokio::time::pause();
    let (near, far) = tokio::io::duplex(1 << 16);
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let mut options = SessionOptions::for_client();
    options.timeouts.idle = Some(Duration::ZERO);
    let session = HttpSession::over(near, "a", &factory, options);
    apply(&session, get("/")).await;
    let mut server = Peer::new(far);
    server.until("\r\n\r\n").await;
    // On the paused clock: every look at the idle time falls into it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    server.send(OK).await;
    heard
        .expect(&["apply 200 [hi]", "completed 200 in 2 out 0"])
        .await;
    assert_eq!(server.rest().await, "");
}

/// However short the idle time is, nobody asks again and again whether it is over while an exchange takes its time.
#[test]
fn an_exchange_is_not_asked_about() {
    let parked = Arc::new(AtomicUsize::new(0));
    let count = parked.clone();
    let system = System::with_tokio_rt(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            // With a paused clock, each timer that fires is one wait.
            .on_thread_park(move || {
                count.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .expect("a runtime")
    });
    system.block_on(async {
        for idle in [0, 1, 100].map(Duration::from_millis) {
            let mut options = SessionOptions::for_client();
            options.timeouts.idle = Some(idle);
            let (near, far) = tokio::io::duplex(1 << 16);
            let (factory, _heard) = Recorder::script(|_, _| {});
            let asking = HttpSession::over(near, "a", &factory, options);
            apply(&asking, get("/")).await;
            let mut server = Peer::new(far);
            server.until("\r\n\r\n").await;

            let mut options = SessionOptions::default();
            options.timeouts.idle = Some(idle);
            let (factory, mut heard) = Recorder::script(|_, _| {});
            let (mut client, answering) = Peer::serve_with(Pipe::new(), &factory, options);
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            heard.expect(&["apply GET / []"]).await;

            let before = parked.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(50)).await;
            let waits = parked.load(Ordering::Relaxed) - before;
            assert!(waits < 50, "{waits} waits in 50 s with {idle:?}");

            // Behind the exchange the idle time counts.
            let since = Instant::now();
            server.send(OK).await;
            assert_eq!(server.rest().await, "");
            apply(&answering, Payload::response(StatusCode::OK)).await;
            assert!(client.rest().await.starts_with("HTTP/1.1 200 "));
            let passed = since.elapsed();
            let least = 2 * idle;
            assert!(
                passed >= least && passed <= least + Duration::from_millis(50),
                "{passed:?}"
            );
        }
    });
}

/// Spawns a future when it is told of a refusal, and panics the next time.
struct Panics(Vec<tokio::sync::mpsc::UnboundedSender<()>>);

impl HttpHandler for Panics {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {}

    fn refused(&mut self, _: Refused<Unsent>, session: &mut SessionContext) {
        let held = self.0.pop().expect("on purpose");
        session.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
    }
}

/// What runs for an exchange ends with a session whose handler panicked, also where the request still waits to be sent.
#[actix::test]
async fn a_panic_ends_what_was_spawned() {
    let (sender, mut dropped) = tokio::sync::mpsc::unbounded_channel();
    let (url, _served) = serve(|listener| listener);
    let origin = Origin::try_from(url.as_str()).expect("a url");
    let factory = move |_| Panics(vec![sender.clone()]);
    let session = HttpSession::connect(origin, &factory, SessionOptions::for_client());
    drop(factory);
    session.do_send(Apply(get("/")));
    // Of no body: refused, before there is a connection.
    session.do_send(SendChunk("x".into()));
    session.do_send(SendChunk("x".into()));
    assert_eq!(dropped.recv().await, None);
}
