//! An actor as the server: requests as messages.

use actix::prelude::SendError;
use actix::{Addr, Recipient};
use http::StatusCode;

use super::receiver::{Bodies, COLLECTED, Receiver, Serve};
use super::request::HttpRequest;
use crate::session::{HandlerFactory, HttpSession, SessionContext};
use crate::wire::plain;

/// Makes handlers that pass the requests of a server to an actor; see
/// [`HttpServer::to_actor`](crate::HttpServer::to_actor).
///
/// Each connection has at most one request in the actor's mailbox, so the number of connections bounds the queue. A
/// request is queued whatever the capacity of the mailbox. If the actor has stopped, or panicked, requests are answered
/// with a 503. `actix::Supervisor` restarts an actor that stopped, but not one that panicked.
///
/// ```no_run
/// use actix::prelude::*;
/// use http_actors::{HttpRequest, HttpServer, Payload, Service, StatusCode};
///
/// struct Count;
///
/// impl Actor for Count {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<HttpRequest> for Count {
///     type Result = ResponseFuture<()>;
///
///     fn handle(&mut self, mut request: HttpRequest, _: &mut Self::Context) -> Self::Result {
///         Box::pin(async move {
///             let mut body = request.take_body();
///             let mut bytes = 0;
///             while let Some(Ok(piece)) = body.next().await {
///                 bytes += piece.len();
///             }
///             let answer = Payload::response(StatusCode::OK).body(format!("{bytes} bytes\n"));
///             let _ = request.responder.respond(answer).await;
///         })
///     }
/// }
///
/// #[actix::main]
/// async fn main() -> std::io::Result<()> {
///     let service = Service::new(Count.start().recipient()).streaming();
///     HttpServer::with_factory(service).bind("127.0.0.1:8080")?.run().await
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Service {
    recipient: Recipient<HttpRequest>,
    limit: usize,
    streaming: bool,
}

impl Service {
    /// Passes requests to this actor, with their bodies inside.
    pub fn new(recipient: Recipient<HttpRequest>) -> Self {
        Self {
            recipient,
            limit: COLLECTED,
            streaming: false,
        }
    }

    /// Sets the largest body that is collected: 1 MiB by default. Larger bodies are answered with a 413. Bodies that
    /// are [streamed](Self::streaming) are bounded by [`Limits::body`](crate::Limits::body) alone.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Passes requests on as soon as their heads are received. The body is in [`HttpRequest::body`]. While it is not
    /// read, the peer is slowed down. A request with a short body ([`Limits::oneshot`](crate::Limits::oneshot)) is
    /// passed on when it is complete, with the body inside.
    #[must_use]
    pub fn streaming(mut self) -> Self {
        self.streaming = true;
        self
    }
}

impl HandlerFactory for Service {
    type Handler = Receiver<Forward>;

    fn handler(&self, _session: Addr<HttpSession>) -> Self::Handler {
        let bodies = if self.streaming {
            Bodies::Streamed
        } else {
            Bodies::Collected(self.limit)
        };
        Receiver::new(Forward(self.recipient.clone()), bodies)
    }
}

/// Passes requests on to the actor.
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
#[derive(Debug)]
pub struct Forward(Recipient<HttpRequest>);

impl Serve for Forward {
    fn serve(&mut self, request: HttpRequest, _session: &mut SessionContext) {
        if let Err(SendError::Full(request) | SendError::Closed(request)) = self.0.try_send(request)
        {
            tracing::warn!("the actor of a service is gone or takes no more: a request gets a 503");
            let text = "the service is not available\n";
            let answer = plain(StatusCode::SERVICE_UNAVAILABLE, text);
            drop(request.responder.respond(answer));
        }
    }
}
