//! What a logger gets: the record of an exchange, or of a request that was refused before it became one.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;

use super::exchange::{Exchange, Outcome};
use crate::payload::{Headers, Payload};
use crate::transport::Peer;

/// Logs what a server was asked: each request once, as an exchange when it is over (P115), or as one that was refused.
///
/// ```
/// use http_actors::log::{Logger, Record};
///
/// /// Writes what took long.
/// struct Slow;
///
/// impl Logger for Slow {
///     fn log(&self, record: &Record<'_>) {
///         let time = record.exchange.duration();
///         if time.as_secs() > 0 {
///             println!("{time:?} {} {}", record.peer, record.kept.request_line.escape_ascii());
///         }
///     }
/// }
/// ```
pub trait Logger: Send + Sync + 'static {
    /// How much of the messages the log needs. The session keeps no more than that.
    fn detail(&self) -> Detail {
        Detail::Heads
    }

    /// Called when an exchange is over, in the session actor: it must not block for long.
    fn log(&self, record: &Record<'_>);

    /// Called when the session has answered a request that never became an exchange, because it could not be given to
    /// the handler: it was malformed, too large, too slow, or cut off. The connection closes then, so this is its last
    /// call. Like [`log`](Self::log), it must not block for long. By default it does nothing.
    fn refused(&self, refused: &RefusedRequest<'_>) {
        let _ = refused;
    }
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
    /// What the service noted about the exchange, in the order of the first note of each name.
    pub notes: &'a [Note],
}

/// What a service noted about an exchange, for the log: see [`Responder::note`](crate::Responder::note).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// What it is: `user`, `route`.
    pub name: Cow<'static, str>,
    /// Its value.
    pub value: Cow<'static, str>,
}

/// A request that the session refused before it became an exchange, for the log.
#[derive(Debug)]
#[non_exhaustive]
pub struct RefusedRequest<'a> {
    /// The status of the answer that the session gave.
    pub status: StatusCode,
    /// Why: [`Failed`](Outcome::Failed) with the violation, or [`Cancelled`](Outcome::Cancelled) with the deadline.
    pub outcome: Outcome,
    /// The addresses of the connection that the request came on.
    pub peer: &'a Peer,
    /// The first line of the request as it came, without its end. It may be cut short or malformed, and is no longer
    /// than [`Limits::start_line`](crate::Limits::start_line). Empty if none of it came, or if [`Logger::detail`] asked
    /// for no heads.
    pub request_line: &'a [u8],
    /// Bytes of the head of the answer.
    pub head_out: u64,
    /// Bytes of the body of the answer.
    pub bytes_out: u64,
    /// Whether the connection had carried an exchange before.
    pub reused: bool,
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
