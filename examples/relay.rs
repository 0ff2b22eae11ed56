//! A reverse proxy: a server session and a client session, joined by their messages. Look at the two calls of
//! `deliver_body_to`: a body goes from session to session by itself, no faster than its reader takes it, and a body
//! that is cut at one end is cut at the other.
//!
//! `cargo run --example relay -- URL [LISTEN]`, for example with the URL `http://127.0.0.1:9090`.

use actix::Addr;
use http_actors::error::Refused;
use http_actors::message::{Apply, Dispose};
use http_actors::{
    Cancelled, Exchange, Failure, HttpHandler, HttpServer, HttpSession, Origin, Payload,
    SessionContext, SessionOptions, StatusCode, Unsent,
};

/// Handles the client.
struct Front {
    back: Addr<HttpSession>,
}

impl HttpHandler for Front {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        let request = request.forward().header("Via", "1.1 relay");
        let body = request.id();
        self.back.do_send(Apply(request));
        // Refused if no body is coming: then the payload has it inside.
        let _ = session.deliver_body_to(body, self.back.clone().recipient());
    }

    /// An answer that the client cannot be given, or one too many.
    fn refused(&mut self, refused: Refused<Unsent>, session: &mut SessionContext) {
        if let Unsent::Payload(answer) = &refused.message
            && answer
                .status()
                .is_some_and(|status| !status.is_informational())
        {
            session.respond(bad_gateway(refused.reason));
        }
    }
}

/// The client has gone: nobody wants the exchange with the server behind any more.
impl Drop for Front {
    fn drop(&mut self) {
        self.back.do_send(Dispose);
    }
}

/// Handles the server behind.
struct Back {
    front: Addr<HttpSession>,
}

impl HttpHandler for Back {
    fn apply(&mut self, response: Payload, session: &mut SessionContext) {
        let answer = response.forward();
        let body = answer.id();
        self.front.do_send(Apply(answer));
        let _ = session.deliver_body_to(body, self.front.clone().recipient());
    }

    fn informational(&mut self, response: Payload, _: &mut SessionContext) {
        self.front.do_send(Apply(response.forward()));
    }

    fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
        self.give_up(&failure.exchange, failure.reason);
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.give_up(&cancelled.exchange, cancelled.cause);
    }

    fn refused(&mut self, refused: Refused<Unsent>, _: &mut SessionContext) {
        self.front.do_send(Apply(bad_gateway(refused.reason)));
    }
}

impl Back {
    /// If the response was passed on, its body is cut by itself. Another answer would be one to the next request.
    fn give_up(&self, exchange: &Exchange, why: impl std::fmt::Display) {
        if exchange.status.is_none() {
            self.front.do_send(Apply(bad_gateway(why)));
        }
    }
}

fn bad_gateway(why: impl std::fmt::Display) -> Payload {
    Payload::response(StatusCode::BAD_GATEWAY).body(format!("{why}\n"))
}

/// A server that passes everything on to this origin, by a client session for each of its own.
pub(crate) fn relay(to: Origin) -> HttpServer {
    HttpServer::new(move |front| {
        let back = |_| Back {
            front: front.clone(),
        };
        let back = HttpSession::connect(to.clone(), &back, SessionOptions::for_client());
        Front { back }
    })
}

#[actix::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut flags = std::env::args().skip(1);
    let to = flags.next().ok_or("usage: relay URL [LISTEN]")?;
    let listen = flags.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = relay(to.as_str().try_into()?).bind(listen)?.run();
    println!("listening on http://{}/", server.addresses()[0]);
    Ok(server.await?)
}
