//! An actor as the server: requests as messages.

use actix::{Addr, Message, Recipient};
use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::error::WireError;
use crate::payload::{Headers, Payload};
use crate::session::{HandlerFactory, HttpHandler, HttpSession, Responder, SessionContext};
use crate::transport::Peer;
use crate::wire::refusal;

/// How large a body is collected.
const COLLECTED: usize = 1 << 20;

/// A request for an actor, with the right to answer it.
///
/// The body is inside the payload, whatever way it came. Whoever gets this answers now, later, or passes the responder on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct HttpRequest {
    /// The request.
    pub request: Payload,
    /// The right to answer it.
    pub responder: Responder,
    /// Who asks.
    pub peer: Peer,
}

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
    type Handler = Forward;

    fn handler(&self, _session: Addr<HttpSession>) -> Forward {
        Forward {
            service: self.clone(),
            collecting: None,
            body: BytesMut::new(),
            trailers: None,
        }
    }
}

/// The handler of one connection: collects a request, then passes it on.
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
#[derive(Debug)]
pub struct Forward {
    service: Service,
    collecting: Option<Payload>,
    body: BytesMut,
    trailers: Option<Headers>,
}

impl Forward {
    fn pass(&self, request: Payload, session: &mut SessionContext) {
        let message = HttpRequest {
            request,
            responder: session.responder(),
            peer: session.peer(),
        };
        self.service.recipient.do_send(message);
    }

    fn forget(&mut self) {
        self.collecting = None;
        self.body = BytesMut::new();
        self.trailers = None;
    }
}

impl HttpHandler for Forward {
    fn apply(&mut self, payload: Payload, session: &mut SessionContext) {
        let limit = self.service.limit as u64;
        if payload.body_size().is_some_and(|size| size > limit) {
            refuse(session);
        } else if payload.mode() == crate::TransferMode::Oneshot {
            self.pass(payload, session);
        } else {
            self.collecting = Some(payload);
        }
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        if self.collecting.is_none() {
            return;
        }
        if self.body.len() + data.len() > self.service.limit {
            self.forget();
            refuse(session);
        } else {
            self.body.extend_from_slice(&data);
        }
    }

    fn trailers(&mut self, trailers: Headers, _session: &mut SessionContext) {
        self.trailers = Some(trailers);
    }

    fn finished(&mut self, session: &mut SessionContext) {
        if let Some(mut request) = self.collecting.take() {
            let message = request.message_mut();
            message.mode = crate::TransferMode::Oneshot;
            message.body = std::mem::take(&mut self.body).freeze();
            message.trailers = self.trailers.take().map(Box::new);
            self.pass(request, session);
        }
    }

    fn cancelled(&mut self, _: &crate::Cancelled, _: &mut SessionContext) {
        self.forget();
    }

    fn failed(&mut self, _: &crate::Failure, _: &mut SessionContext) {
        self.forget();
    }
}

fn refuse(session: &mut SessionContext) {
    session.respond(refusal(
        StatusCode::PAYLOAD_TOO_LARGE,
        &WireError::BodyTooLarge.to_string(),
    ));
}
