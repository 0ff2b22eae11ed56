//! The chat of `examples/websocket.rs`, with clients whose connections are handed over too: the same interface at both
//! ends of a WebSocket.

#[path = "../examples/websocket.rs"]
#[allow(dead_code, reason = "it has a `main` of its own")]
mod example;

use std::time::Duration;

use actix::Addr;
use futures_util::{SinkExt as _, StreamExt as _};
use http_actors::message::{Apply, HandOff};
use http_actors::upgrade::{Answered, NotUpgraded, Upgraded};
use http_actors::{
    HandlerFactory, HttpClient, HttpHandler, HttpServer, HttpSession, Origin, Payload, Running,
    SessionContext, SessionOptions, StatusCode,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<Upgraded>;

fn serve() -> Running {
    let server = HttpServer::new(example::doors()).signals(false).workers(1);
    server.bind("127.0.0.1:0").expect("a port").run()
}

/// Hears what is answered in HTTP.
struct Ear(mpsc::UnboundedSender<Payload>);

impl HttpHandler for Ear {
    fn apply(&mut self, response: Payload, _: &mut SessionContext) {
        // The test may be over.
        let _ = self.0.send(response);
    }
}

fn client(server: &Running) -> (Addr<HttpSession>, mpsc::UnboundedReceiver<Payload>) {
    let origin = format!("http://{}", server.addresses()[0]);
    let origin = Origin::try_from(origin.as_str()).expect("a URL");
    let (sender, heard) = mpsc::unbounded_channel();
    let ear = move |_| Ear(sender.clone());
    let session = HttpSession::connect(origin, &ear, SessionOptions::for_client());
    (session, heard)
}

fn offer(key: &str) -> Payload {
    Payload::get("/chat")
        .expect("a path")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", key)
}

async fn open(server: &Running) -> Socket {
    let url = format!("http://{}/chat", server.addresses()[0]);
    let key = generate_key();
    let offer = offer(&key).with_uri(url.parse().expect("a URL"));
    match HttpClient::new().upgrade(offer).await {
        Ok(Answered::Switched(head, io)) => {
            let accepted = head.headers().text("Sec-WebSocket-Accept");
            assert_eq!(accepted, Some(&*derive_accept_key(key.as_bytes())));
            WebSocketStream::from_raw_socket(io, Role::Client, None).await
        }
        other => panic!("{other:?}"),
    }
}

async fn line<T: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<T>) -> String {
    loop {
        match socket.next().await.expect("open").expect("a frame") {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What one says both get; who leaves by the close handshake is answered in kind, and the others hear of it.
#[actix::test]
async fn two_clients() {
    let server = serve();
    let mut one = open(&server).await;
    assert_eq!(line(&mut one).await, "* guest 1 is here");
    let mut two = open(&server).await;
    for socket in [&mut one, &mut two] {
        assert_eq!(line(socket).await, "* guest 2 is here");
    }
    let long = "ä".repeat(8000);
    for text in ["hello", &long] {
        two.send(Message::text(text)).await.expect("open");
        for socket in [&mut one, &mut two] {
            assert_eq!(line(socket).await, format!("guest 2: {text}"));
        }
    }
    one.send(Message::Ping("still there?".into()))
        .await
        .expect("open");
    assert_eq!(
        one.next().await.expect("open").expect("a frame"),
        Message::Pong("still there?".into())
    );
    let bye = CloseFrame {
        code: CloseCode::Away,
        reason: "bye".into(),
    };
    two.close(Some(bye.clone())).await.expect("open");
    assert_eq!(
        two.next().await.expect("an answer").expect("a frame"),
        Message::Close(Some(bye))
    );
    assert!(two.next().await.is_none());
    assert_eq!(line(&mut one).await, "* guest 2 left");
}

/// A reader that takes nothing is dropped, and costs the others nothing.
#[actix::test]
async fn a_slow_reader_is_dropped() {
    let server = serve();
    let mut slow = open(&server).await;
    assert_eq!(line(&mut slow).await, "* guest 1 is here");
    let mut quick = open(&server).await;
    assert_eq!(line(&mut quick).await, "* guest 2 is here");
    let text = "x".repeat(15_000);
    let mut heard = String::new();
    // It hears what it said before it says more, so it is never behind itself.
    while heard != "* guest 1 left" {
        quick.send(Message::text(&text)).await.expect("open");
        heard = line(&mut quick).await;
    }
    // It still gets what was on its way, and then the end of the connection, which is no close handshake.
    while let Some(Ok(frame)) = slow.next().await {
        assert!(matches!(frame, Message::Text(_)), "{frame:?}");
    }
}

/// A guest on a pipe, whose end of the handshake is that of another library.
async fn guest(doors: &impl HandlerFactory) -> WebSocketStream<DuplexStream> {
    let (near, far) = tokio::io::duplex(1 << 16);
    HttpSession::accept(near, doors, SessionOptions::default());
    let (socket, answer) = client_async("ws://a/chat", far).await.expect("a WebSocket");
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    socket
}

/// A reader that only listens is kept for as long as it answers pings, in a busy room too. One that does not is
/// dropped.
#[actix::test]
async fn signs_of_life() {
    tokio::time::pause();
    let doors = example::doors();
    let mut one = guest(&doors).await;
    assert_eq!(line(&mut one).await, "* guest 1 is here");
    let mut two = guest(&doors).await;
    assert_eq!(line(&mut one).await, "* guest 2 is here");
    let _dead = guest(&doors).await;
    assert_eq!(line(&mut one).await, "* guest 3 is here");
    let mut heard = Vec::new();
    let listening = actix::spawn(async move {
        while heard.last().is_none_or(|line| line != "guest 2: 59") {
            heard.push(line(&mut one).await);
        }
        heard
    });
    for count in 0..60 {
        two.send(Message::text(count.to_string()))
            .await
            .expect("open");
        while line(&mut two).await != format!("guest 2: {count}") {}
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let heard = listening.await.expect("no panic");
    assert!(heard.contains(&"* guest 3 left".to_owned()), "{heard:?}");
    assert_eq!(heard.len(), 61);
}

/// The key of RFC 6455 section 1.3; what does not offer a WebSocket is told what would be needed; the page is there.
#[actix::test]
async fn the_handshake() {
    let server = serve();
    let (session, mut heard) = client(&server);
    let plain = Payload::get("/chat").expect("a path");
    session.do_send(Apply(plain));
    let answer = heard.recv().await.expect("alive");
    assert_eq!(answer.status(), Some(StatusCode::UPGRADE_REQUIRED));
    assert_eq!(answer.headers().text("upgrade"), Some("websocket"));
    let old = Payload::get("/chat")
        .expect("a path")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", generate_key());
    let declined = session.send(HandOff(old)).await.expect("alive");
    assert!(matches!(
        declined,
        Err(NotUpgraded::Declined(StatusCode::UPGRADE_REQUIRED))
    ));
    assert!(heard.recv().await.is_some());
    session.do_send(Apply(Payload::get("/").expect("a path")));
    let page = heard.recv().await.expect("alive");
    assert_eq!(
        page.body_bytes(),
        include_str!("../examples/websocket.html")
    );
    let switched = session
        .send(HandOff(offer("dGhlIHNhbXBsZSBub25jZQ==")))
        .await;
    drop(switched.expect("alive").expect("switched"));
    let answer = heard.recv().await.expect("alive");
    assert_eq!(
        answer.headers().text("Sec-WebSocket-Accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
}
