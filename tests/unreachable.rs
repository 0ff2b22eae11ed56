//! A peer whose system answers nothing any more (P89): nothing but the kernel's clocks can tell.

#![cfg(target_os = "linux")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use common::{PATIENCE, Recorder};
use http_actors::error::CancelCause;
use http_actors::message::{Apply, Dispose, SendChunk};
use http_actors::{
    Cancelled, HttpHandler, HttpServer, HttpSession, Origin, Outcome, Payload, SessionContext,
    SessionOptions, StatusCode, Timeouts,
};
use socket2::{SockFilter, SockRef};
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

/// As soon as the kernel can tell, and no clock of the session.
fn soon() -> Timeouts {
    Timeouts {
        unreachable: Some(Duration::from_secs(1)),
        write: Some(Duration::from_secs(1)),
        body: None,
        response: None,
        exchange: None,
        ..Timeouts::default()
    }
}

/// What comes to this socket is dropped, so that its system acknowledges nothing.
fn cut_off(socket: &TcpStream) {
    const DROP: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];
    SockRef::from(socket).attach_filter(&DROP).expect("Linux");
}

/// Answers without an end, and tells how that ended.
struct Endless {
    beats: bool,
    told: mpsc::UnboundedSender<Outcome>,
}

impl HttpHandler for Endless {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        session.respond(Payload::response(StatusCode::OK).chunked());
        let _ = session.send_chunk("begun").expect("it is open");
        if self.beats {
            let address = session.address();
            session.spawn(async move {
                let mut beat = interval(Duration::from_millis(100));
                loop {
                    beat.tick().await;
                    address.do_send(SendChunk("beat".into()));
                }
            });
        }
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.told
            .send(cancelled.exchange.outcome)
            .expect("the test");
    }
}

/// Asks a server, is cut off once the answer has begun, and waits for the server to notice.
async fn client_is_cut_off(beats: bool) {
    let (told, mut heard) = mpsc::unbounded_channel();
    let server = HttpServer::new(move |_session| Endless {
        beats,
        told: told.clone(),
    })
    .workers(1)
    .timeouts(soon())
    .bind("127.0.0.1:0")
    .expect("a port")
    .run();
    let mut client = TcpStream::connect(server.addresses()[0]).expect("it listens");
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("a socket");
    client.read_exact(&mut [0]).expect("the answer");
    cut_off(&client);
    let outcome = timeout(PATIENCE, heard.recv()).await.expect("noticed");
    let outcome = outcome.expect("the end");
    assert_eq!(outcome, Outcome::Cancelled(CancelCause::PeerReset));
    server.handle().do_send(Dispose);
    server.await.expect("a clean end");
}

#[actix::test]
async fn p89_a_silent_answer_to_a_vanished_client_is_cancelled() {
    client_is_cut_off(false).await;
}

#[actix::test]
async fn p89_an_answer_with_heartbeats_to_a_vanished_client_is_cancelled() {
    client_is_cut_off(true).await;
}

#[actix::test]
async fn p89_a_request_to_a_vanished_server_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let origin: Origin = format!("http://{at}").parse().expect("an origin");
    let (factory, mut heard) = Recorder::script(|_, _| {});
    let options = SessionOptions {
        timeouts: soon(),
        ..SessionOptions::for_client()
    };
    let session = HttpSession::connect(origin, &factory, options);
    session.do_send(Apply(Payload::get("/").expect("a path")));
    let server = actix_rt::task::spawn_blocking(move || {
        let (mut server, _) = listener.accept().expect("a client");
        server.read_exact(&mut [0]).expect("the request");
        cut_off(&server);
        server
    });
    let _server = server.await.expect("a thread");
    heard
        .expect(&["failed ConnectionClosed(TimedOut) Waiting"])
        .await;
}
