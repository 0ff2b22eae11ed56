//! The record of an exchange that a logger gets.

use bytes::Bytes;

use super::exchange::Exchange;
use crate::payload::{Headers, Payload};
use crate::transport::Peer;

/// Logs exchanges, each once, when it is over (P115).
pub trait Logger: Send + Sync + 'static {
    /// How much of the messages the log needs. The session keeps no more than that.
    fn detail(&self) -> Detail {
        Detail::Heads
    }

    /// Called when an exchange is over, in the session actor: it must not block for long.
    fn log(&self, record: &Record<'_>);
}

/// How much of the messages is kept for the log until the exchange is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Detail {
    /// The [`Exchange`] alone.
    Exchange,
    /// The head of the request too. It is shared with the request, not copied.
    Heads,
    /// Both messages, with their Oneshot bodies.
    Contents,
}

/// One exchange, for the log.
#[derive(Debug)]
#[non_exhaustive]
pub struct Record<'a> {
    /// How it went.
    pub exchange: &'a Exchange,
    /// The addresses of the connection that the request came on.
    pub peer: &'a Peer,
    /// The messages, as far as [`Logger::detail`] asked for them.
    pub kept: &'a Kept,
}

/// The messages of an exchange, as far as they were kept.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Kept {
    /// The request line, without its line end.
    pub request_line: Bytes,
    /// The request fields.
    pub request_headers: Headers,
    /// The Oneshot body of the request.
    pub request_body: Bytes,
    /// The response, as it was given to [`Apply`](crate::message::Apply).
    pub response: Option<Payload>,
}
