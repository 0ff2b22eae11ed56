//! A request for an actor or a function.

use std::sync::Arc;

use actix::Message;

use crate::payload::Payload;
use crate::session::{Incoming, Responder};
use crate::transport::{Peer, TlsInfo};

/// A request for an actor or a function, with the right to answer it.
///
/// You can answer now or later, or pass the responder on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
#[non_exhaustive]
pub struct HttpRequest {
    /// The request. Its body is inside, unless `body` has it.
    pub request: Payload,
    /// The body, if it is still arriving. `None` if it is inside the request, because it was short or bodies are
    /// collected. [`take_body`](Self::take_body) returns either.
    pub body: Option<Incoming>,
    /// The right to answer.
    pub responder: Responder,
    /// The addresses of the connection.
    pub peer: Peer,
    /// What was agreed in the TLS handshake, with the certificate of the client if it sent one; `None` without TLS.
    pub tls: Option<Arc<TlsInfo>>,
}

impl HttpRequest {
    /// Takes the body as a stream, whether it was collected or is still arriving. A second call returns an empty
    /// stream.
    ///
    /// Take the body before you call [`forward`](Payload::forward): a request that was copied with its body inside
    /// cannot be sent with a second one, and is refused as `Unusable(TwoBodies)`. Afterwards the request announces the
    /// body that was taken, so that [`upload`](crate::HttpClient::upload) sends both as they came.
    pub fn take_body(&mut self) -> Incoming {
        self.body
            .take()
            .unwrap_or_else(|| Incoming::inside(&mut self.request))
    }
}
