//! An actor as the server: requests as messages.

use actix::{Addr, Recipient};

use super::receiver::{Bodies, COLLECTED, Receiver, Serve};
use super::request::HttpRequest;
use crate::session::{HandlerFactory, HttpSession, SessionContext};

/// Makes the handlers that pass the requests of a server to an actor; see
/// [`HttpServer::to_actor`](crate::HttpServer::to_actor).
///
/// A connection has one request at a time at the actor, so what waits in its mailbox is bounded by the number of
/// connections. If the actor is gone, requests are answered by a 500.
#[derive(Debug, Clone)]
pub struct Service {
    recipient: Recipient<HttpRequest>,
    limit: usize,
}

impl Service {
    /// Passes requests to this actor.
    pub fn new(recipient: Recipient<HttpRequest>) -> Self {
        Self {
            recipient,
            limit: COLLECTED,
        }
    }

    /// Bodies up to this many bytes are collected: 1 MiB. Larger ones are answered by 413.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

impl HandlerFactory for Service {
    type Handler = Receiver<Forward>;

    fn handler(&self, _session: Addr<HttpSession>) -> Self::Handler {
        Receiver::new(
            Forward(self.recipient.clone()),
            Bodies::Collected(self.limit),
        )
    }
}

/// Passes requests on to the actor.
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
#[derive(Debug, Clone)]
pub struct Forward(Recipient<HttpRequest>);

impl Serve for Forward {
    fn serve(&mut self, request: HttpRequest, _session: &mut SessionContext) {
        self.0.do_send(request);
    }
}
