//! An axum `Router` on a session: what it is asked, what it answers, and when it is left alone.

mod common;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix::Addr;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::{any, get, post};
use bytes::Bytes;
use common::{Peer, Pipe, Recorder};
use futures_util::{StreamExt as _, stream};
use http_actors::message::Dispose;
use http_actors::{HttpSession, Incoming, Peer as Addresses, SessionOptions, tower_handler};
use http_body::Body as _;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::mpsc;

type Frame = http_body::Frame<Bytes>;

fn accept(router: Router) -> (Addr<HttpSession>, Peer) {
    accept_over(Pipe::new().capacity(1 << 10), router)
}

fn accept_over(pipe: Pipe, router: Router) -> (Addr<HttpSession>, Peer) {
    let options = SessionOptions::default();
    let (peer, session) = Peer::serve_with(pipe, &tower_handler(router), options);
    (session, peer)
}

fn serve(route: axum::routing::MethodRouter) -> (Addr<HttpSession>, Peer) {
    accept(Router::new().route("/", route))
}

fn ask(method: &str, fields: &str, body: &str) -> String {
    format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

fn get_it() -> String {
    ask("GET", "", "")
}

/// Says so when it is dropped.
struct Dropped(mpsc::UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

const TEXT: &str = "content-type: text/plain; charset=utf-8\r\n";

#[actix::test]
async fn a_router_answers() {
    let (_session, mut peer) = accept(
        Router::new()
            .route("/", get(async || "hi"))
            .route("/{name}", get(async |Path(name): Path<String>| name))
            .route("/empty", post(async || StatusCode::NO_CONTENT)),
    );
    let rows = [
        (
            "GET /",
            format!("200 OK\r\n{TEXT}Content-Length: 2\r\n\r\nhi"),
        ),
        (
            "GET /a%20b",
            format!("200 OK\r\n{TEXT}Content-Length: 3\r\n\r\na b"),
        ),
        (
            "HEAD /",
            format!("200 OK\r\n{TEXT}Content-Length: 2\r\n\r\n"),
        ),
        (
            "GET /no/such",
            "404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ),
        ("POST /empty", "204 No Content\r\n\r\n".to_owned()),
        (
            "PUT /",
            "405 Method Not Allowed\r\nallow: GET,HEAD\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ),
    ];
    for (request, answer) in rows {
        peer.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        peer.expect(format!("HTTP/1.1 {answer}")).await;
    }
}

#[actix::test]
async fn bodies_go_through_as_they_come() {
    let echo = post(async |request: Request| {
        let (head, body) = request.into_parts();
        let sized = head.headers.contains_key("content-length");
        assert_eq!(body.size_hint().exact().is_some(), sized);
        Body::new(body)
    });
    // Takes a whole upload from a peer that reads nothing yet.
    let pipe = Pipe::new().capacity(1 << 20);
    let (_session, mut peer) = accept_over(pipe, Router::new().route("/", echo));
    peer.send(ask("POST", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n"))
        .await;
    peer.expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .await;
    peer.send("2\r\nbc\r\n").await;
    peer.expect("2\r\nbc\r\n").await;
    peer.send("0\r\nX-Sum: 3\r\n\r\n").await;
    peer.expect("0\r\nx-sum: 3\r\n\r\n").await;
    let long = "x".repeat(300_000);
    peer.send(ask("POST", "Content-Length: 300000\r\n", &long))
        .await;
    peer.expect("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n")
        .await;
    assert!(peer.exactly(300_000).await == long.as_bytes());
}

/// An upload that the service does not read is held.
#[actix::test]
async fn an_upload_is_held_by_whoever_reads_it() {
    tokio::time::pause();
    let slow = post(async |body: Body| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        body.collect()
            .await
            .expect("whole")
            .to_bytes()
            .len()
            .to_string()
    });
    let (_session, mut peer) = serve(slow);
    let began = tokio::time::Instant::now();
    peer.send(ask(
        "POST",
        "Content-Length: 500000\r\n",
        &"x".repeat(500_000),
    ))
    .await;
    assert_eq!(began.elapsed().as_secs(), 60);
    peer.expect(format!(
        "HTTP/1.1 200 OK\r\n{TEXT}Content-Length: 6\r\n\r\n500000"
    ))
    .await;
}

/// A download without end goes no faster than it is read, and ends with its reader.
#[actix::test]
async fn a_download_is_held_by_whoever_reads_it() {
    tokio::time::pause();
    let (sender, mut told) = mpsc::unbounded_channel();
    let polled = Arc::new(AtomicUsize::new(0));
    let counted = polled.clone();
    let endless = get(async move || {
        let dropped = Dropped(sender);
        Body::from_stream(stream::repeat(()).map(move |()| {
            let _owned = &dropped;
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024]))
        }))
    });
    let (_session, mut peer) = serve(endless);
    peer.send(get_it()).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let stalled = polled.load(Ordering::Relaxed);
    assert!(
        (2..200).contains(&stalled),
        "{stalled} KiB for a peer that reads nothing"
    );
    peer.exactly(200_000).await;
    assert!(polled.load(Ordering::Relaxed) > stalled);
    assert!(told.try_recv().is_err());
    peer.reset();
    assert_eq!(told.recv().await, Some("dropped"));
}

/// Nobody works for a peer that has gone.
#[actix::test]
async fn a_service_ends_with_its_exchange() {
    tokio::time::pause();
    for disposes in [false, true] {
        let (sender, mut told) = mpsc::unbounded_channel();
        let slow = get(async move || {
            sender.send("began").expect("the test runs");
            let _dropped = Dropped(sender);
            tokio::time::sleep(Duration::from_secs(100_000)).await;
        });
        let (session, mut peer) = serve(slow);
        peer.send(get_it()).await;
        assert_eq!(told.recv().await, Some("began"));
        let began = tokio::time::Instant::now();
        if disposes {
            session.do_send(Dispose);
        } else {
            peer.reset();
        }
        assert_eq!(told.recv().await, Some("dropped"));
        assert!(began.elapsed().is_zero());
    }
}

#[actix::test]
async fn trailers_are_sent_where_they_can_be() {
    let trailed = get(async || {
        let mut fields = HeaderMap::new();
        fields.insert("x-sum", "2".parse().expect("a value"));
        let frames = [
            Ok::<_, Infallible>(Frame::data("hi".into())),
            Ok(Frame::trailers(fields)),
        ];
        Body::new(StreamBody::new(stream::iter(frames)))
    });
    let (_session, mut peer) = serve(trailed);
    peer.send(get_it()).await;
    peer.expect(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 2\r\n\r\n",
    )
    .await;
    // A length that is not told to GET is not told to HEAD.
    peer.send(ask("HEAD", "", "")).await;
    peer.expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    peer.send("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(
        peer.rest().await,
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi"
    );
}

#[actix::test]
async fn trailers_are_received() {
    let sum = post(async |mut body: Body| {
        let mut seen = String::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.expect("whole");
            seen += match frame.trailers_ref() {
                Some(trailers) => trailers["x-sum"].to_str().expect("text"),
                None => "data ",
            };
        }
        seen
    });
    let (_session, mut peer) = serve(sum);
    let body = "2\r\nhi\r\n0\r\nX-Sum: 2\r\n\r\n";
    peer.send(ask("POST", "Transfer-Encoding: chunked\r\n", body))
        .await;
    peer.expect(format!(
        "HTTP/1.1 200 OK\r\n{TEXT}Content-Length: 6\r\n\r\ndata 2"
    ))
    .await;
}

#[actix::test]
async fn a_panic_is_answered_for() {
    let (_session, mut peer) = serve(any(async |request: Request| {
        assert_eq!(request.method(), "PUT", "on purpose");
    }));
    peer.send(get_it()).await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 500 "));
}

/// What fails half-way does not end well.
#[actix::test]
async fn a_body_that_fails_is_cut() {
    let half = get(async || {
        Body::from_stream(stream::iter([
            Ok(Bytes::from_static(b"half")),
            Err("the disk is full"),
        ]))
    });
    let service = tower_handler(Router::new().route("/", half));
    let (factory, mut heard) = Recorder::of(service);
    let mut peer = Peer::serve(&factory);
    peer.send(get_it()).await;
    let rest = peer.rest().await;
    assert!(!rest.contains("0\r\n\r\n"), "{rest}");
    assert!(peer.transcript().was_reset());
    let failed = "failed ServiceFailed Answering";
    assert_eq!(heard.rest().await.last().expect("an end"), failed);
}

/// A body that has come to its length is over, though its stream has no end: the connection goes on.
#[actix::test]
async fn an_answer_ends_with_its_length() {
    let endless = get(async || {
        let piece = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"hi"))]);
        let body = Body::from_stream(piece.chain(stream::pending()));
        ([("content-length", "2")], body)
    });
    let (_session, mut peer) = serve(endless);
    for _ in 0..2 {
        peer.send(get_it()).await;
        peer.until("\r\n\r\nhi").await;
    }
}

#[actix::test]
async fn a_wrong_length_is_not_told() {
    let wrong = get(async || ([("content-length", "3")], Body::from("hi")));
    let (_session, mut peer) = serve(wrong);
    peer.send(get_it()).await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 500 "));
}

/// A body in a transfer coding is not sent as if it had none. `chunked` is the session's own affair.
#[actix::test]
async fn only_chunked_is_a_transfer_coding() {
    let coded = get(async |request: Request| {
        let coding = request.headers()["coding"].clone();
        ([("transfer-encoding", coding)], Body::from("hi"))
    });
    let (_session, mut peer) = serve(coded);
    for coding in ["gzip, chunked", "gzip", "identity", "chunked, chunked"] {
        for method in ["GET", "HEAD"] {
            peer.send(ask(method, &format!("Coding: {coding}\r\n"), ""))
                .await;
            peer.until("HTTP/1.1 500 Internal Server Error\r\n").await;
            peer.until("\r\n\r\n").await;
        }
    }
    peer.send(ask("GET", "Coding: Chunked\r\n", "")).await;
    peer.until("Content-Length: 2\r\n\r\nhi").await;
}

#[actix::test]
async fn the_peer_is_known() {
    let (near, far) = common::tcp_pair().await;
    let who =
        get(async |peer: axum::Extension<Addresses>| peer.remote.expect("an address").to_string());
    let expected = far.local_addr().expect("an address").to_string();
    let factory = tower_handler(Router::new().route("/", who));
    HttpSession::accept(near, &factory, SessionOptions::default());
    let mut peer = Peer::new(far);
    peer.send(get_it()).await;
    peer.until(&expected).await;
}

/// A service that is no router: it adds nothing to what it answers.
#[derive(Clone)]
struct Plain(Answer);

type Answer = fn() -> Result<Response<Body>, &'static str>;

impl tower_service::Service<axum::http::Request<Incoming>> for Plain {
    type Response = Response<Body>;
    type Error = &'static str;
    type Future = Ready<Result<Response<Body>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: axum::http::Request<Incoming>) -> Self::Future {
        ready((self.0)())
    }
}

#[actix::test]
async fn an_error_is_answered_for() {
    let mut peer = Peer::serve(&tower_handler(Plain(|| Err("on purpose"))));
    for _ in 0..2 {
        peer.send(get_it()).await;
        peer.until("\r\n\r\nthe server could not answer\n").await;
    }
}

/// How long a body is, is told as far as it is known; and a service answers once.
#[actix::test]
async fn lengths_are_those_of_the_body() {
    let rows: [(&str, Answer, &str); 5] = [
        (
            "GET",
            || Ok(Response::new("hi".into())),
            "200 OK\r\nContent-Length: 2\r\n\r\nhi",
        ),
        (
            "HEAD",
            || Ok(Response::new("hi".into())),
            "200 OK\r\nContent-Length: 2\r\n\r\n",
        ),
        (
            "GET",
            || Ok(Response::new(Body::empty())),
            "200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "HEAD",
            || Ok(Response::new(Body::empty())),
            "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "GET",
            || Ok(StatusCode::PROCESSING.into_response()),
            "500 Internal Server Error\r\n",
        ),
    ];
    for (method, answer, expected) in rows {
        let mut peer = Peer::serve(&tower_handler(Plain(answer)));
        peer.send(ask(method, "", "")).await;
        peer.expect(format!("HTTP/1.1 {expected}")).await;
    }
}

/// A body that says that it is empty.
struct Empty(Poll<Option<Result<Frame, &'static str>>>);

impl http_body::Body for Empty {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame, &'static str>>> {
        std::mem::replace(&mut self.0, Poll::Ready(None))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(0)
    }
}

/// A body that says that it is empty is looked at: if it is not, or fails, so has the service. It is not waited for.
#[actix::test]
async fn an_empty_body_is_empty() {
    fn answer(frame: Poll<Option<Result<Frame, &'static str>>>) -> Response<Body> {
        Response::new(Body::new(Empty(frame)))
    }
    fn announced() -> Response<Body> {
        let body = Body::from_stream(stream::iter([Ok::<_, Infallible>("hi")]));
        ([("content-length", "0")], body).into_response()
    }
    let empty = "200 OK\r\nContent-Length: 0\r\n\r\n";
    let failed = "500 Internal Server Error\r\n";
    let rows: [(&str, Answer, &str); 7] = [
        ("GET", || Ok(answer(Poll::Ready(None))), empty),
        ("GET", || Ok(answer(Poll::Pending)), empty),
        (
            "GET",
            || Ok(answer(Poll::Ready(Some(Ok(Frame::data(Bytes::new())))))),
            empty,
        ),
        (
            "GET",
            || Ok(answer(Poll::Ready(Some(Ok(Frame::data("hi".into())))))),
            failed,
        ),
        (
            "GET",
            || Ok(answer(Poll::Ready(Some(Err("on purpose"))))),
            failed,
        ),
        (
            "HEAD",
            || Ok(answer(Poll::Ready(Some(Err("on purpose"))))),
            "200 OK\r\n",
        ),
        ("GET", || Ok(announced()), failed),
    ];
    for (row, (method, answer, expected)) in rows.into_iter().enumerate() {
        let mut peer = Peer::serve(&tower_handler(Plain(answer)));
        // The connection goes on.
        for _ in 0..2 {
            peer.send(ask(method, "", "")).await;
            let head = peer.until("\r\n\r\n").await;
            let head = head.trim_start_matches("the server could not answer\n");
            let expected = format!("HTTP/1.1 {expected}");
            assert!(head.starts_with(&expected), "row {row}: {head}");
        }
    }
}

/// What was agreed with the peer is known too.
#[cfg(feature = "rustls")]
#[actix::test]
async fn tls_is_known() {
    let authority = common::tls::Authority::new();
    let tells = get(
        async |tls: Option<axum::Extension<Arc<http_actors::TlsInfo>>>| {
            let tls = tls.expect("a handshake");
            format!("{} {}", tls.version, tls.sni.as_deref().unwrap_or("-"))
        },
    );
    let factory = tower_handler(Router::new().route("/", tells));
    let server = http_actors::HttpServer::new(factory)
        .signals(false)
        .workers(1)
        .bind_rustls("127.0.0.1:0", authority.server("localhost"));
    let running = server.expect("a port").run();
    let stream = tokio::net::TcpStream::connect(running.addresses()[0]).await;
    let stream = common::tls::connected(stream.expect("it listens"), authority.client()).await;
    let mut peer = Peer::new(stream);
    for _ in 0..2 {
        peer.send(get_it()).await;
        peer.until("\r\n\r\nTLSv1.3 localhost").await;
    }
}

/// A client that waits for leave to send gets it from the service that reads, and none from one that does not.
#[actix::test]
async fn leave_to_send_is_given_by_the_service() {
    let (_session, mut peer) = accept(
        Router::new()
            .route("/", post(async |body: String| body))
            .route("/no", post(async || StatusCode::FORBIDDEN)),
    );
    let expect = "Content-Length: 2\r\nExpect: 100-continue\r\n";
    peer.send(ask("POST", expect, "")).await;
    peer.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
    peer.send("hi").await;
    peer.until("\r\n\r\nhi").await;
    peer.send(ask("POST", expect, "").replace(" / ", " /no "))
        .await;
    peer.expect("HTTP/1.1 403 Forbidden\r\n").await;
}
