//! The example `monitor`: what its feed says of a session, and who may end one.

#[path = "../examples/monitor/main.rs"]
#[allow(dead_code, reason = "it has a `main` of its own")]
mod example;

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use common::Peer;
use http_actors::{HttpRequest, HttpServer, Payload, Running, StatusCode, handler_fn};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server whose answers wait for the test, a connection to it, and the monitor.
struct Watched {
    peer: Peer<TcpStream>,
    address: SocketAddr,
    monitor: SocketAddr,
    requests: tokio::sync::mpsc::UnboundedReceiver<HttpRequest>,
    _running: [Running; 2],
}

impl Watched {
    async fn new() -> Self {
        let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
        let tally = example::Tally::default();
        let server = HttpServer::new(handler_fn(async move |request: HttpRequest| {
            drop(sender.send(request));
        }));
        let server = server.logger(tally.clone());
        let server = run(server);
        let monitor = run(example::monitor(server.handle(), tally));
        let stream = TcpStream::connect(server.addresses()[0]).await;
        let stream = stream.expect("it listens");
        Self {
            address: stream.local_addr().expect("an address"),
            peer: Peer::new(stream),
            monitor: monitor.addresses()[0],
            requests,
            _running: [server, monitor],
        }
    }

    /// Has the connection send a request, which waits for its answer.
    async fn begin(&mut self) -> HttpRequest {
        self.peer
            .send("GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        self.requests.recv().await.expect("a request")
    }

    async fn connect(&self) -> Peer<TcpStream> {
        Peer::new(TcpStream::connect(self.monitor).await.expect("it listens"))
    }

    async fn feed(&self) -> Peer<TcpStream> {
        let mut feed = self.connect().await;
        let host = self.monitor;
        feed.send(format!("GET /feed HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        feed.until("\r\n\r\n").await;
        feed
    }

    /// The status of the answer.
    async fn ask(&self, method: &str, path: &str, fields: &str) -> u16 {
        let mut page = self.connect().await;
        let head = format!("{method} {path} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
        page.send(head).await;
        let answer = page.rest().await;
        answer[9..12].parse().expect("a status")
    }
}

fn run(server: HttpServer) -> Running {
    let server = server.signals(false).workers(1).bind("127.0.0.1:0");
    server.expect("a port").run()
}

/// Reads events until one has this in it, and returns that one.
async fn told(feed: &mut Peer<TcpStream>, mark: &str) -> String {
    let reading = async {
        loop {
            let event = feed.until("\n\n").await;
            if event.contains(mark) {
                return event;
            }
        }
    };
    let event = timeout(Duration::from_secs(10), reading).await;
    event.unwrap_or_else(|_| panic!("no event has {mark}"))
}

#[actix::test]
async fn the_feed_says_what_becomes_of_a_session() {
    let mut watched = Watched::new().await;
    let request = watched.begin().await;
    let address = watched.address;

    let mut feed = watched.feed().await;
    let event = told(&mut feed, "data: ").await;
    let (before, row) = event.split_once("[[").expect("a row");
    assert!(before.contains(r#""done":0,"all":true,"#), "{event}");
    let (number, row) = row.split_once(',').expect("a number");
    assert_eq!(number, "1");
    let (opened, row) = row.split_once(',').expect("a time");
    opened.parse::<u64>().expect("a time in milliseconds");
    let expected =
        format!(r#"false,"{address}","Handling",1,0,0,0,0,null,false]],"gone":[]}}"#) + "\n\n";
    assert_eq!(row, expected);

    // Another reader knows nothing yet, and is told the same.
    let again = told(&mut watched.feed().await, "data: ").await;
    assert!(
        again.contains(r#""all":true"#) && again.contains(&expected),
        "{again}"
    );

    let answer = Payload::response(StatusCode::OK).body("hello");
    request.responder.respond(answer).await.expect("sent");
    let answer = watched.peer.until("hello").await; // without its `Date`
    let sent = answer.len() + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".len();
    let event = told(&mut feed, r#""Idle""#).await;
    let row = format!(r#"false,"{address}","Idle",1,0,{sent},0,0,null,false]]"#);
    assert!(event.contains(r#""done":1,"all":false,"#), "{event}");
    assert!(event.contains(&row), "{event}");

    drop(watched.peer);
    let event = told(&mut feed, r#""gone":[1]"#).await;
    assert!(event.contains(r#""rows":[]"#), "{event}");
}

#[actix::test]
async fn a_session_that_does_not_answer_is_silent_and_stays_on_the_page() {
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let server = run(HttpServer::new(handler_fn(async move |_: Payload| {
        // What a handler must not do.
        held.lock().expect("one request").recv().ok();
        Payload::response(StatusCode::OK)
    })));
    let monitor = run(example::monitor(server.handle(), example::Tally::default()));
    let connect =
        |address| async move { Peer::new(TcpStream::connect(address).await.expect("it listens")) };
    let mut peer = connect(server.addresses()[0]).await;
    let mut feed = connect(monitor.addresses()[0]).await;
    feed.send("GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    told(&mut feed, r#""Idle""#).await;
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let event = told(&mut feed, r#",true,"127."#).await;
    assert!(event.contains(r#""gone":[]"#), "{event}");
    release.send(()).expect("the handler waits");
    told(&mut feed, r#",false,"127."#).await;
}

#[actix::test]
async fn a_session_is_ended_by_the_page_alone() {
    let mut watched = Watched::new().await;
    let request = watched.begin().await;
    let mut feed = watched.feed().await;
    told(&mut feed, "[[1,").await;

    let host = watched.monitor;
    let own = format!("Host: {host}\r\nOrigin: http://{host}\r\n");
    let rows = [
        (
            "POST",
            "/end/1",
            format!("Host: {host}\r\nOrigin: http://evil.example\r\n"),
            403,
        ),
        (
            "POST",
            "/end/1",
            format!("Host: {host}\r\nOrigin: https://{host}\r\n"),
            403,
        ),
        (
            "POST",
            "/end/1",
            format!("Host: {host}\r\nOrigin: null\r\n"),
            403,
        ),
        ("POST", "/end/1", format!("Host: {host}\r\n"), 403),
        // A name that its owner has pointed here.
        (
            "POST",
            "/end/1",
            "Host: evil.example\r\nOrigin: http://evil.example\r\n".into(),
            421,
        ),
        ("GET", "/", "Host: evil.example:80\r\n".into(), 421),
        (
            "GET",
            "/feed",
            "Host: 127.0.0.1.evil.example\r\n".into(),
            421,
        ),
        ("GET", "/end/1", own.clone(), 405),
        ("POST", "/end/2", own.clone(), 404),
        ("POST", "/end/-1", own.clone(), 404),
        ("POST", "/end/1/1", own.clone(), 404),
        ("GET", "/", own.clone(), 200),
        ("GET", "/", "Host: [::1]:8081\r\n".into(), 200),
        ("GET", "/", "Host: localhost\r\n".into(), 200),
    ];
    for (method, path, fields, expected) in rows {
        let status = watched.ask(method, path, &fields).await;
        assert_eq!(status, expected, "{method} {path} {fields}");
    }
    // None of these has ended it.
    let answer = Payload::response(StatusCode::OK).body("hello");
    request.responder.respond(answer).await.expect("sent");
    watched.peer.until("hello").await;

    assert_eq!(watched.ask("POST", "/end/1", &own).await, 202);
    assert_eq!(watched.peer.rest().await, "");
    told(&mut feed, r#""gone":[1]"#).await;
    assert_eq!(watched.ask("POST", "/end/1", &own).await, 404);
}
