//! A request for whoever is the service.

use std::sync::Arc;

use actix::Message;

use crate::payload::Payload;
use crate::session::{Incoming, Responder};
use crate::transport::{Peer, TlsInfo};

/// A request for an actor or a function, with the right to answer it.
///
/// Whoever gets this answers now, later, or passes the responder on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
#[non_exhaustive]
pub struct HttpRequest {
    /// The request. Its body is inside, unless `body` has it.
    pub request: Payload,
    /// The body, if it is still coming; never where bodies are collected.
    pub body: Option<Incoming>,
    /// The right to answer.
    pub responder: Responder,
    /// Who asks.
    pub peer: Peer,
    /// What was agreed in the TLS handshake, the certificate of the client if it showed one; `None` without TLS.
    pub tls: Option<Arc<TlsInfo>>,
}

impl HttpRequest {
    /// The body as a stream, whatever way it comes. Once: after that it is empty.
    pub fn take_body(&mut self) -> Incoming {
        self.body
            .take()
            .unwrap_or_else(|| Incoming::inside(&mut self.request))
    }
}
