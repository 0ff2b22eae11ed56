//! Between two exchanges of a client, and at the end of its connection: what the server sent without a request is no
//! answer, and what it answered before it left is one.

mod common;

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use actix::Addr;
use common::{Heard, Peer, Pipe, Recorder, tcp_pair};
use http_actors::{
    Apply, ClientErrorKind, HttpClient, HttpHandler, HttpSession, MuteGuard, Origin, Payload,
    Refused, SendChunk, SessionContext, SessionOptions, StatusCode, Unsent,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

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
async fn assert_is_no_answer<C, S>(client: C, server: S)
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let guard = Rc::default();
    let (factory, mut heard) = holding(Rc::clone(&guard));
    let session = HttpSession::over(client, "a", &factory, SessionOptions::for_client());
    apply(&session, get("/1")).await;
    apply(&session, get("/2")).await;
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
    let (near, far) = tcp_pair().await;
    assert_is_no_answer(near, far).await;
    let (near, far) = Pipe::new().capacity(1 << 16).open();
    assert_is_no_answer(near, far).await;
    let (near, far) = tokio::io::duplex(1 << 16);
    assert_is_no_answer(near, far).await;
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

/// A server on a thread of its own, so that it goes on while the arbiter of the client is busy.
fn serve<T: Send + 'static>(
    serve: impl FnOnce(std::net::TcpListener) -> T + Send + 'static,
) -> (String, std::thread::JoinHandle<T>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (url, std::thread::spawn(move || serve(listener)))
}

/// Accepts, and reads the head of a request.
fn accept(listener: &std::net::TcpListener) -> std::net::TcpStream {
    let (mut stream, _) = listener.accept().expect("accepted");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
    stream
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
            sent.send(()).expect("the test runs");
            let mut second = accept(&listener);
            second.write_all(OK.as_bytes()).expect("written");
        });
        let client = HttpClient::new();
        let post = || Payload::post(&url).expect("a url");
        let first = client.request(post()).await.expect("an answer");
        assert_eq!(first.body_bytes(), "hi");
        settle().await;
        go.send(()).expect("the server runs");
        is_sent.recv().expect("the server runs");
        let second = client.request(post()).await.expect("an answer");
        assert_eq!(second.body_bytes(), "hi", "behind {stray:?}");
        served.join().expect("it ran");
    }
}

/// A server that answers, and leaves with the request unread, resets the connection. A write that fails because of that
/// does not lose the answer.
#[actix::test]
async fn an_answer_outlives_a_write_that_fails() {
    let (left, has_left) = mpsc::channel();
    let (url, served) = serve(move |listener| {
        let mut stream = accept(&listener);
        stream.peek(&mut [0]).expect("a piece");
        let answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
        stream.write_all(answer.as_bytes()).expect("written");
        drop(stream);
        left.send(()).expect("the test runs");
    });
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let origin = Origin::try_from(url.as_str()).expect("a url");
    let session = HttpSession::connect(origin, &factory, SessionOptions::for_client());
    apply(&session, Payload::post("/").expect("a path").chunked()).await;
    heard.expect(&["need_body"]).await;
    let piece = || SendChunk("a piece".into());
    session.send(piece()).await.expect("alive").expect("taken");
    has_left.recv().expect("the server runs");
    session.do_send(piece());
    session.do_send(piece());
    heard.expect(&["apply 413 [no]"]).await;
    assert!(heard.next().await.starts_with("completed 413 "));
    served.join().expect("it ran");
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

/// An idle time of nothing keeps no connection, and ends nothing that goes on.
#[actix::test]
async fn an_idle_time_of_nothing() {
    let (asked, mut is_asked) = tokio::sync::mpsc::unbounded_channel();
    let (go, may_go) = mpsc::channel();
    let (url, served) = serve(move |listener| {
        for _ in 0..2 {
            let mut stream = accept(&listener);
            asked.send(()).expect("the test runs");
            may_go.recv().expect("the test runs");
            stream.write_all(OK.as_bytes()).expect("written");
            assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
        }
    });
    let client = HttpClient::builder().idle_timeout(Duration::ZERO).build();
    for _ in 0..2 {
        // The idle time passes while the response is awaited.
        let answer = client.request(Payload::get(&url).expect("a url"));
        let serve = async {
            is_asked.recv().await.expect("the server runs");
            tokio::time::sleep(Duration::from_millis(30)).await;
            go.send(()).expect("the server runs");
        };
        let (answer, ()) = tokio::join!(answer, serve);
        assert_eq!(answer.expect("an answer").status(), Some(StatusCode::OK));
    }
    actix_rt::task::spawn_blocking(|| served.join().expect("it ran"))
        .await
        .expect("it ran");
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
