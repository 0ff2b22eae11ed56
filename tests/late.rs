//! Requests of a client whose time is up: what may be sent again, what comes back, and what is left behind.

mod common;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use common::{Peer, answer_with};
use futures_util::{poll, stream};
use http_actors::{
    Bytes, ClientBuilder, ClientError, ClientErrorKind, HttpClient, Method, Payload, StatusCode,
};
use tokio::net::{TcpListener, TcpStream};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// A server that the test controls.
struct Server(TcpListener);

impl Server {
    /// One whose test waits for the end of every time limit at once.
    async fn new() -> Self {
        tokio::time::pause();
        Self::on_time().await
    }

    async fn on_time() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    async fn accept(&self) -> Peer<TcpStream> {
        Peer::new(self.0.accept().await.expect("accepted").0)
    }

    fn request(&self, method: &str, path: &str) -> Payload {
        let address = self.0.local_addr().expect("an address");
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("http://{address}{path}").parse();
        Payload::request(method, url.expect("a url"))
    }
}

/// A client with one connection, whose requests have three seconds.
fn hasty() -> ClientBuilder {
    HttpClient::builder()
        .connections_per_origin(1)
        .timeout(Duration::from_secs(3))
}

/// Whether the request may be sent again, and its method if it came back.
fn fate(error: ClientError) -> (bool, Option<String>) {
    assert!(
        matches!(error.kind(), ClientErrorKind::TimedOut),
        "{error:?}"
    );
    assert!(error.is_timeout() && !error.is_connect());
    let safe = error.is_retry_safe();
    let request = error.into_payload();
    (safe, request.map(|request| request.method().to_string()))
}

/// What was sent is safe to send again if its method is idempotent, and comes back either way. The connection is cut,
/// and its place is free for the next.
#[actix::test]
async fn an_unanswered_request_comes_back() {
    let server = Server::new().await;
    let client = hasty().build();
    for (method, safe) in [
        ("GET", true),
        ("PUT", true),
        ("POST", false),
        ("PATCH", false),
    ] {
        let served = async {
            let mut peer = server.accept().await;
            peer.until("\r\n\r\n").await;
            peer.rest().await
        };
        let request = server.request(method, "/").body("x");
        let (answered, rest) = tokio::join!(client.request(request.clone()), served);
        assert!(rest.is_empty() || rest == "x", "{rest}");
        let error = answered.expect_err("no answer");
        assert_eq!(fate(error), (safe, Some(method.to_owned())));

        let served = async { server.accept().await.rest().await };
        let (answered, _) = tokio::join!(client.stream(request), served);
        let error = answered.expect_err("no answer");
        assert_eq!(fate(error), (safe, Some(method.to_owned())));
    }
}

/// Once an answer has begun, nothing is safe, however little of it came.
#[actix::test]
async fn an_answer_that_began() {
    let server = Server::new().await;
    let client = hasty().build();
    for begun in [
        "HTT",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\nhi",
    ] {
        let served = async {
            let mut peer = server.accept().await;
            answer_with(&mut peer, begun).await;
            peer.rest().await
        };
        let (answered, _) = tokio::join!(client.request(server.request("GET", "/")), served);
        let error = answered.expect_err("it is not whole");
        assert!(!fate(error).0, "{begun}");
    }
}

/// What waits for a connection was not sent: it is safe whatever its method, and comes back. Who waits behind it has
/// its turn.
#[actix::test]
async fn a_request_without_a_connection_was_not_sent() {
    let server = Server::new().await;
    let client = hasty().build();
    let served = async {
        let mut peer = server.accept().await;
        answer_with(
            &mut peer,
            "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\nhi",
        )
        .await;
        peer
    };
    let (answered, mut peer) = tokio::join!(client.stream(server.request("GET", "/")), served);
    let (_, held) = answered.expect("an answer");

    let never = stream::pending::<Result<Bytes, Infallible>>();
    let (first, second, third) = tokio::join!(
        client.request(server.request("POST", "/1")),
        client.stream(server.request("POST", "/2")),
        client.upload(server.request("POST", "/3").chunked(), never),
    );
    let post = Some("POST".to_owned());
    assert_eq!(fate(first.expect_err("it waits")), (true, post.clone()));
    assert_eq!(fate(second.expect_err("it waits")), (true, post.clone()));
    assert_eq!(fate(third.expect_err("it waits")), (true, post));

    drop(held);
    assert_eq!(peer.rest().await, "");
    let served = async {
        let mut peer = server.accept().await;
        peer.until("GET /4 ").await;
        peer.send(OK).await;
    };
    let (answered, ()) = tokio::join!(client.request(server.request("GET", "/4")), served);
    assert_eq!(answered.expect("an answer").status(), Some(StatusCode::OK));
}

/// Part of an upload was sent: it is safe if its method is idempotent. Its body was not inside, so it does not come
/// back.
#[actix::test]
async fn a_late_upload_does_not_come_back() {
    let server = Server::new().await;
    let client = hasty().build();
    for (method, safe) in [("PUT", true), ("POST", false)] {
        let request = || server.request(method, "/").chunked();
        let never = stream::pending::<Result<Bytes, Infallible>>;
        let served = async { server.accept().await.rest().await };
        let (answered, _) = tokio::join!(client.upload(request(), never()), served);
        assert_eq!(fate(answered.expect_err("no answer")), (safe, None));

        let served = async { server.accept().await.rest().await };
        let (answered, _) = tokio::join!(client.upload_from(request(), never), served);
        assert_eq!(fate(answered.expect_err("no answer")), (safe, None));
    }
}

/// Behind a redirect nothing comes back, and only what was idempotent at first is safe. The body of the redirect is
/// part of the time.
#[actix::test]
async fn behind_a_redirect() {
    let server = Server::new().await;
    for (method, safe) in [("GET", true), ("POST", false)] {
        for body in ["Content-Length: 0", "Transfer-Encoding: chunked"] {
            let client = hasty().redirects(1).build();
            let first = async {
                let mut peer = server.accept().await;
                peer.until("\r\n\r\n").await;
                let head = "HTTP/1.1 303 See Other\r\nLocation: /2\r\n";
                peer.send(format!("{head}{body}\r\n\r\n")).await;
                peer.rest().await
            };
            // Its body has no end, so that the next request goes over another connection.
            let second = async {
                if body != "Content-Length: 0" {
                    let mut peer = server.accept().await;
                    peer.until("GET /2 ").await;
                    peer.rest().await;
                }
            };
            let began = tokio::time::Instant::now();
            let request = server.request(method, "/");
            let (answered, ..) = tokio::join!(client.request(request), first, second);
            let error = answered.expect_err("no answer");
            assert_eq!(fate(error), (safe, None), "{method} {body}");
            assert_eq!(began.elapsed().as_secs(), 3);
        }
    }
}

/// A request that is dropped when its time is up and the session has not said so gives its connection back too.
#[actix::test]
async fn dropped_when_it_is_late() {
    let server = Server::new().await;
    let client = hasty().build();
    let served = async { server.accept().await.rest().await };
    let limited = tokio::time::timeout(
        Duration::from_secs(3),
        client.request(server.request("GET", "/1")),
    );
    let (answered, _) = tokio::join!(limited, served);
    drop(answered);
    let served = async {
        let mut peer = server.accept().await;
        peer.until("GET /2 ").await;
        peer.send(OK).await;
    };
    let (answered, ()) = tokio::join!(client.request(server.request("GET", "/2")), served);
    assert_eq!(answered.expect("an answer").status(), Some(StatusCode::OK));
}

/// When the arbiter of the client stops, nothing waits for the time to be up: neither for an answer nor for a connection.
#[actix::test]
async fn the_arbiter_stops_before() {
    const LONG: Duration = Duration::from_secs(300);
    let server = Server::on_time().await;
    let arbiter = actix_rt::Arbiter::new();
    let client = hasty().timeout(LONG).wait_timeout(LONG);
    let client = client.build_on(arbiter.handle());
    let mut first = pin!(client.request(server.request("POST", "/1")));
    let mut second = pin!(client.request(server.request("POST", "/2")));
    let asked = async {
        let mut peer = server.accept().await;
        peer.until("\r\n\r\n").await;
        peer
    };
    let _peer = tokio::select! {
        answered = &mut first => panic!("{answered:?}"),
        peer = asked => peer,
    };
    assert!(poll!(second.as_mut()).is_pending());
    arbiter.stop();
    let (first, second) = tokio::join!(first, second);
    let is_late = |error: &ClientError| matches!(error.kind(), ClientErrorKind::TimedOut);
    let error = first.expect_err("it is gone");
    assert!(!error.is_retry_safe() && !is_late(&error), "{error:?}");
    let error = second.expect_err("it is gone");
    assert!(error.is_retry_safe() && !is_late(&error), "{error:?}");
    assert!(error.into_payload().is_some());
    arbiter.join().expect("no panic");
}
