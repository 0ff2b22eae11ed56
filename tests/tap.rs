//! The tap on a connection: it sees what the other end sent and got, byte for byte (N12).

mod common;

use std::sync::{Arc, Mutex};

use actix::Addr;
use common::{Peer, Pipe, eventually};
use http_actors::message::{Apply, Dispose};
use http_actors::tap::{Direction, Passed, Redacted, Tap, Tapped};
use http_actors::test_util::Tape;
use http_actors::{
    HttpHandler, HttpServer, HttpSession, Payload, SessionContext, SessionOptions, StatusCode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Answers with what was sent, and in large pieces if it was asked to.
#[derive(Default)]
struct Echo;

impl HttpHandler for Echo {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        if request.path() != "/large" {
            let body = request.body_bytes().clone();
            return session.respond(Payload::response(StatusCode::OK).body(body));
        }
        let _ = session.apply(Payload::response(StatusCode::OK).chunked());
        for piece in 0..9 {
            let _ = session.send_chunk(vec![b'a' + piece; 10_000 * usize::from(piece) + 1]);
        }
        let _ = session.finish();
    }
}

fn tapped(tap: impl Tap) -> SessionOptions {
    SessionOptions {
        tap: Some(Arc::new(tap)),
        ..SessionOptions::default()
    }
}

/// Small and large pieces in both directions, over TCP: the tap saw what the socket of the client saw, heads included.
#[actix::test]
async fn the_same_bytes_as_the_socket() {
    let tape = Tape::default();
    let running = HttpServer::new(|_: Addr<HttpSession>| Echo)
        .tap(tape.clone())
        .signals(false)
        .workers(1)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let mut socket = TcpStream::connect(running.addresses()[0])
        .await
        .expect("it listens");
    let said = [
        &b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"[..],
        &[b'x'; 9000],
        b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /large HTTP/1.1\r\nHOST: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ]
    .concat();
    let (mut read, mut write) = socket.split();
    let mut heard = Vec::new();
    let (wrote, _) = tokio::join!(write.write_all(&said), read.read_to_end(&mut heard));
    wrote.expect("taken");
    drop(socket);
    running.handle().send(Dispose).await.expect("alive");
    running.await.expect("ended well");
    let transcripts = tape.transcripts();
    assert_eq!(transcripts.len(), 1);
    assert!(heard.len() > 2 * 360_000, "all of it");
    assert!(transcripts[0].received() == said, "what came in");
    assert!(transcripts[0].sent() == heard, "what went out");
}

/// Both ends of a connection, and a client that is tapped.
#[actix::test]
async fn both_ends_can_be_tapped() {
    let tape = Tape::default();
    let (mut peer, near) = Peer::open(Pipe::new().seed(7));
    let options = SessionOptions {
        tap: Some(Arc::new(tape.clone())),
        ..SessionOptions::for_client()
    };
    let session = HttpSession::over(near, "a", &|_| Echo, options);
    let request = Payload::get("/").expect("a path");
    session.do_send(Apply(request));
    peer.expect("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        .await;
    peer.close().await;
    peer.rest().await;
    assert_eq!(
        tape.transcripts()[0].to_string(),
        r"> GET / HTTP/1.1\r\n
> Host: a\r\n
> \r\n
< HTTP/1.1 200 OK\r\n
< Content-Length: 2\r\n
< \r\n
< hi
< (close)
> (close)
"
    );
}

/// Each connection has its number, times do not run back, and a cut is told in the direction in which it happened.
#[actix::test]
async fn connections_times_and_cuts() {
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let note = seen.clone();
    let tap = move |tapped: &Tapped<'_>| {
        let what = match tapped.passed {
            Passed::Bytes(_) => "bytes",
            Passed::Close => "close",
            Passed::Reset => "reset",
        };
        let entry = (tapped.connection, tapped.at, tapped.direction, what);
        note.lock().expect("not poisoned").push(entry);
    };
    let options = Arc::new(tapped(tap));
    for cut_by_peer in [true, false] {
        let pipe = Pipe::new().capacity(100);
        let (mut peer, session) = Peer::serve_with(pipe, &|_| Echo, options.clone());
        peer.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
        peer.until("\r\n\r\n").await;
        if cut_by_peer {
            peer.reset();
        } else {
            session.do_send(Dispose);
        }
        eventually("the end of the session", async || !session.connected()).await;
    }
    let seen = seen.lock().expect("not poisoned");
    assert!(seen.iter().is_sorted_by_key(|(_, at, ..)| at));
    let mut connections: Vec<u64> = seen.iter().map(|(connection, ..)| *connection).collect();
    connections.dedup();
    let [first, second] = connections[..] else {
        panic!("two connections, one after the other: {connections:?}");
    };
    let has = |connection, direction| {
        seen.iter().any(|(number, _, way, what)| {
            (*number, *way, *what) == (connection, direction, "reset")
        })
    };
    assert!(has(first, Direction::In), "the peer cut it");
    assert!(has(second, Direction::Out), "the session cut it");
    assert!(!has(second, Direction::In));
}

/// Credentials are hidden in both directions, and nothing else changes.
#[actix::test]
async fn credentials_are_hidden() {
    let tape = Tape::default();
    let options = tapped(Redacted(tape.clone()));
    let (mut peer, near) = Peer::open(Pipe::new().seed(3));
    let answer = |_: Payload, session: &mut SessionContext| {
        session.respond(
            Payload::response(StatusCode::OK)
                .header("Set-Cookie", "id=1; Secure")
                .body("hi"),
        );
    };
    common::accept(near, options, answer);
    peer.send("GET / HTTP/1.0\r\nAuthorization: Basic eHg=\r\nX: y\r\ncookie: a=b\r\n\r\n")
        .await;
    let rest = peer.rest().await;
    assert!(rest.contains("\r\nSet-Cookie: id=1; Secure\r\n"), "{rest}");
    assert_eq!(
        tape.transcripts()[0].to_string(),
        r"< GET / HTTP/1.0\r\n
< Authorization: ***** ****\r\n
< X: y\r\n
< cookie: ***\r\n
< \r\n
> HTTP/1.1 200 OK\r\n
> Set-Cookie: ***** ******\r\n
> Connection: close\r\n
> Content-Length: 2\r\n
> \r\n
> hi
> (close)
"
    );
}

/// A tap that panics costs nobody anything.
#[actix::test]
async fn a_panicking_tap() {
    let options = tapped(|_: &Tapped<'_>| panic!("a broken tap"));
    let (mut peer, _session) = Peer::serve_with(Pipe::new(), &|_| Echo, options);
    for _ in 0..2 {
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            .await;
        peer.expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .await;
    }
}
