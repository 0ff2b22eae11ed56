//! Turns an existing actor into an HTTP service. Look at `handle(HttpRequest)`: nothing else had to be added. One route
//! is answered at once, one later, one by another actor on another thread.
//!
//! `cargo run --example actor_service [LISTEN]`, then `curl -d 5 http://127.0.0.1:8080/add`,
//! `curl http://127.0.0.1:8080/later`, `curl http://127.0.0.1:8080/square`.

use std::time::Duration;

use actix::prelude::*;
use http_actors::{HttpRequest, HttpServer, Payload, Responder, StatusCode};

/// The actor that was there before.
struct Counter {
    value: i64,
    squarer: Addr<Squarer>,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<HttpRequest> for Counter {
    type Result = ();

    fn handle(
        &mut self,
        HttpRequest {
            request, responder, ..
        }: HttpRequest,
        ctx: &mut Self::Context,
    ) {
        match request.path() {
            "/add" => match std::str::from_utf8(request.body_bytes())
                .map(|text| text.trim().parse::<i64>())
            {
                Ok(Ok(number)) => {
                    self.value = self.value.saturating_add(number);
                    answer(responder, self.value);
                }
                _ => refuse(responder, StatusCode::BAD_REQUEST, "not a number\n"),
            },
            "/later" => {
                ctx.run_later(Duration::from_secs(1), |counter, _| {
                    answer(responder, counter.value);
                });
            }
            "/square" => self.squarer.do_send(Square(self.value, responder)),
            _ => refuse(responder, StatusCode::NOT_FOUND, "no such route\n"),
        }
    }
}

/// Works on a thread of its own; blocking here stops nobody else.
struct Squarer;

impl Actor for Squarer {
    type Context = SyncContext<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Square(i64, Responder);

impl Handler<Square> for Squarer {
    type Result = ();

    fn handle(&mut self, Square(value, responder): Square, _: &mut Self::Context) {
        answer(responder, value.saturating_mul(value));
    }
}

/// Whether the answer still was wanted is not this actor's concern.
fn answer(responder: Responder, value: i64) {
    responder.respond(Payload::response(StatusCode::OK).body(format!("{value}\n")));
}

fn refuse(responder: Responder, status: StatusCode, text: &'static str) {
    responder.respond(Payload::response(status).body(text));
}

#[actix::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let squarer = SyncArbiter::start(1, || Squarer);
    let counter = Counter { value: 0, squarer }.start();
    let server = HttpServer::to_actor(counter.recipient())
        .bind(address)?
        .run();
    for address in server.addresses() {
        println!("listening on http://{address}/");
    }
    server.await
}
