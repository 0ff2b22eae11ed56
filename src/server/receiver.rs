//! The first step of every service: it collects a request, or passes it on while the body is still arriving.

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::request::HttpRequest;
use crate::error::{BodyError, CancelCause, WireError};
use crate::payload::{Headers, Payload, TransferMode};
use crate::session::{
    Cancelled, Exchange, Failure, Feed, HttpHandler, Incoming, Keeping, SessionContext,
};
use crate::wire::refusal;

/// The largest body that is collected, in bytes.
pub(super) const COLLECTED: usize = 1 << 20;

/// Answers the requests of one connection, one at a time.
#[allow(unnameable_types, reason = "a bound of handlers that nobody names")]
pub trait Serve: 'static {
    /// Called with a complete request, or as soon as its head is received.
    fn serve(&mut self, request: HttpRequest, session: &mut SessionContext);
}

/// How the bodies of requests are passed on.
#[allow(unnameable_types, reason = "as above")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bodies {
    /// Inside the payload; 413 beyond this many bytes.
    Collected(usize),
    /// As they come.
    Streamed,
}

/// The handler of one connection of a service.
#[allow(
    unnameable_types,
    reason = "what factories make, and nobody needs to name"
)]
#[derive(Debug)]
pub struct Receiver<S> {
    service: S,
    bodies: Bodies,
    coming: Coming,
}

/// The body that is being received.
#[derive(Debug)]
enum Coming {
    /// There is none, or nobody reads it.
    Nothing,
    Collected {
        request: Payload,
        body: BytesMut,
        trailers: Option<Headers>,
        keeping: Keeping,
    },
    Streamed(Feed),
}

impl<S: Serve> Receiver<S> {
    pub(super) fn new(service: S, bodies: Bodies) -> Self {
        Self {
            service,
            bodies,
            coming: Coming::Nothing,
        }
    }

    fn pass(&mut self, request: Payload, body: Option<Incoming>, session: &mut SessionContext) {
        let request = HttpRequest {
            request,
            body,
            responder: session.responder(),
            peer: session.peer(),
            tls: session.shared_tls(),
        };
        self.service.serve(request, session);
    }

    fn cut(&mut self, end: BodyError) {
        if let Coming::Streamed(feed) = std::mem::replace(&mut self.coming, Coming::Nothing) {
            feed.end(Err(end));
        }
    }
}

impl<S: Serve> HttpHandler for Receiver<S> {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        let whole = request.mode() == TransferMode::Oneshot;
        match self.bodies {
            Bodies::Collected(limit) if exceeds(&request, limit) => refuse(session),
            _ if whole => self.pass(request, None, session),
            Bodies::Streamed => {
                let (feed, body) = Feed::request(&request, session);
                self.coming = Coming::Streamed(feed);
                self.pass(request, Some(body), session);
            }
            Bodies::Collected(_) => {
                self.coming = Coming::Collected {
                    request,
                    body: BytesMut::new(),
                    trailers: None,
                    keeping: session.keeping(),
                };
            }
        }
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        match (&mut self.coming, self.bodies) {
            (Coming::Collected { body, .. }, Bodies::Collected(limit))
                if data.len() > limit.saturating_sub(body.len()) =>
            {
                self.coming = Coming::Nothing;
                refuse(session);
            }
            (Coming::Collected { body, keeping, .. }, _) => {
                body.extend_from_slice(&data);
                keeping.hold(body.capacity());
            }
            (Coming::Streamed(feed), _) => feed.chunk(data, session),
            (Coming::Nothing, _) => {}
        }
    }

    fn trailers(&mut self, fields: Headers, _session: &mut SessionContext) {
        match &mut self.coming {
            Coming::Collected { trailers, .. } => *trailers = Some(fields),
            Coming::Streamed(feed) => feed.trailers(fields),
            Coming::Nothing => {}
        }
    }

    fn finished(&mut self, session: &mut SessionContext) {
        match std::mem::replace(&mut self.coming, Coming::Nothing) {
            Coming::Collected {
                mut request,
                body,
                trailers,
                ..
            } => {
                let message = request.message_mut();
                message.mode = TransferMode::Oneshot;
                message.body = body.freeze();
                message.trailers = trailers.map(Box::new);
                self.pass(request, None, session);
            }
            Coming::Streamed(feed) => feed.end(Ok(())),
            Coming::Nothing => {}
        }
    }

    /// The rest of a body is not delivered once the answer is complete.
    fn completed(&mut self, _: &Exchange, _: &mut SessionContext) {
        self.cut(BodyError::Cancelled(CancelCause::Local));
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.cut(BodyError::Cancelled(cancelled.cause));
    }

    fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
        self.cut(BodyError::Failed(failure.reason));
    }
}

fn exceeds(request: &Payload, limit: usize) -> bool {
    request.body_size().is_some_and(|size| size > limit as u64)
}

fn refuse(session: &mut SessionContext) {
    session.respond(refusal(
        StatusCode::PAYLOAD_TOO_LARGE,
        &WireError::BodyTooLarge.to_string(),
    ));
}
