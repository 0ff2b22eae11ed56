//! A chunked stream that another actor pushes. Look at `Room`: it never touches a socket, it holds body writers and
//! awaits each line, so a reader that stalls costs one line of memory and, in the end, its own connection.
//!
//! `cargo run --example chat_feed [LISTEN]`, then `curl -N http://127.0.0.1:8080/` in one terminal and
//! `curl -d 'hi there' http://127.0.0.1:8080/` in another.

use std::pin::pin;
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use http_actors::{BodySender, HttpRequest, HttpServer, Method, Payload, StatusCode};
use tokio::time::timeout;

/// Everybody that listens, and the next number.
#[derive(Default)]
struct Room {
    listeners: Vec<tokio::sync::mpsc::Sender<Bytes>>,
    said: u64,
}

impl Actor for Room {
    type Context = Context<Self>;
}

impl Handler<HttpRequest> for Room {
    type Result = ();

    fn handle(
        &mut self,
        HttpRequest {
            request,
            responder,
            peer,
            ..
        }: HttpRequest,
        _: &mut Self::Context,
    ) {
        if request.method() == Method::POST {
            self.said += 1;
            let said = String::from_utf8_lossy(request.body_bytes()).into_owned();
            let line = Bytes::from(format!("{} {peer}: {said}\n", self.said));
            // A listener that is too far behind, or gone, leaves the room.
            self.listeners
                .retain(|listener| listener.try_send(line.clone()).is_ok());
            responder.respond(Payload::response(StatusCode::NO_CONTENT));
        } else {
            let (sender, lines) = tokio::sync::mpsc::channel(16);
            // Those that left in the meantime go.
            self.listeners.retain(|listener| !listener.is_closed());
            self.listeners.push(sender);
            let head = Payload::response(StatusCode::OK)
                .header("Content-Type", "text/plain")
                .chunked();
            let feeding = async move {
                if let Ok(body) = responder.stream(head).await {
                    feed(body, lines).await;
                }
            };
            // A task of its own: an actor polls all futures of its context (`ctx.spawn`) when one is woken.
            actix::spawn(feeding);
        }
    }
}

/// Sends line after line for as long as the listener takes them, and a blank one when nobody speaks.
async fn feed(mut body: BodySender, mut lines: tokio::sync::mpsc::Receiver<Bytes>) {
    // The server is to end, or the listener has gone: at once, and not with the next line.
    let mut leaving = pin!(body.leaving());
    loop {
        let line = tokio::select! {
            line = timeout(Duration::from_secs(20), lines.recv()) => line,
            () = &mut leaving => break,
        };
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(_quiet) => Bytes::from_static(b"\n"),
        };
        if body.send(line).await.is_err() {
            return;
        }
    }
    // The stream ends well, if anybody listens.
    let _ = body.finish().await;
}

#[actix::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let room = Room::default().start();
    let server = HttpServer::to_actor(room.recipient()).bind(address)?.run();
    for address in server.addresses() {
        println!("listening on http://{address}/");
    }
    server.await
}
