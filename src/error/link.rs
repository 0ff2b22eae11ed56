//! What happens to exchanges and connections: causes and reasons.

use std::io;

use http::StatusCode;
use thiserror::Error;

use crate::error::{TlsError, UseError, WireError};

/// The clock that ran out. Each is a field of [`Timeouts`](crate::Timeouts), except the age of a connection, which is
/// [`SessionOptions::max_age`](crate::SessionOptions::max_age).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Deadline {
    /// The whole head of a message.
    #[error("the head of a message took longer than `Timeouts::head`")]
    Head,
    /// Too little of a body.
    #[error("too little of a body came within `Timeouts::body`")]
    Body,
    /// The beginning of a response.
    #[error("no response began within `Timeouts::response`")]
    Response,
    /// A whole exchange.
    #[error("the exchange took longer than `Timeouts::exchange`")]
    Exchange,
    /// The age of a connection without a request.
    #[error("the connection reached `SessionOptions::max_age`")]
    Age,
    /// No request on an open connection.
    #[error("no request came within `Timeouts::idle`")]
    Idle,
    /// A write without progress.
    #[error("the peer took no output within `Timeouts::write`")]
    Write,
}

/// Why an exchange was cancelled: somebody no longer wanted it, or its time was up. Nothing is wrong with the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum CancelCause {
    /// The peer closed its sending side, and the [`HalfClose`](crate::HalfClose) policy gave it no more time.
    #[error("the peer closed its sending side, and `HalfClose` gave it no more time")]
    PeerHalfClosed,
    /// The peer reset the connection, a write to it failed, or its system answered nothing for
    /// [`Timeouts::unreachable`](crate::Timeouts::unreachable). Over a Unix socket of Linux also: the peer closed it.
    #[error("the peer left: it reset the connection, does not answer, or a write to it failed")]
    PeerReset,
    /// One of our own clocks ran out.
    #[error("{0}")]
    Deadline(Deadline),
    /// The server is shutting down.
    #[error("this end shut down")]
    Shutdown,
    /// The server exceeded its memory ceiling, and this session held the most.
    #[error("the server exceeded `memory_ceiling`, and this session held the most")]
    Memory,
    /// `cancel` or `dispose` at this end.
    #[error("cancelled at this end")]
    Local,
}

/// Why an exchange failed: something was wrong with a message or with the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// The peer broke the protocol.
    #[error("protocol violation by the peer: {0}")]
    Protocol(WireError),
    /// Our own message does not match what it announced, for example because its body is too short.
    #[error("this end cannot complete the message: {0}")]
    Usage(UseError),
    /// Data that nobody awaited reached the hard cap of the outbound buffer.
    #[error("data were sent without waiting for room, beyond `Buffers::hard_cap`")]
    Overrun,
    /// The last [`Responder`](crate::Responder) was dropped without an answer.
    #[error("the last `Responder` was dropped without an answer")]
    Unanswered,
    /// The service failed, or what wrote its answer panicked, when the answer had begun and was not complete.
    #[error("the service failed after its answer had begun")]
    ServiceFailed,
    /// The handler panicked.
    #[error("the handler panicked")]
    HandlerPanicked,
    /// A piece of a body was lost on its way to the session, or to the actor that gets the body.
    #[error("a piece of the body was lost on its way to the session, or to the actor that gets it")]
    LostPiece,
    /// No connection could be opened.
    #[error("cannot connect: {}", link(*.0))]
    ConnectFailed(io::ErrorKind),
    /// The peer could not be authenticated, or does not speak TLS. Nothing was sent to it.
    #[error("cannot make a secure connection: {0}")]
    AuthFailed(TlsError),
    /// A proxy refused to open the tunnel to the server.
    #[error("the proxy answered {0} instead of making a tunnel")]
    NoTunnel(StatusCode),
    /// The connection ended before the exchange did.
    #[error("the connection ended before the exchange did: {}", link(*.0))]
    ConnectionClosed(io::ErrorKind),
}

causes!(FailureReason::Protocol <- WireError, FailureReason::Usage <- UseError);

/// Describes an I/O error kind in terms of a connection.
fn link(kind: io::ErrorKind) -> String {
    let meaning = match kind {
        io::ErrorKind::NotFound => return "no such host or socket".to_owned(),
        io::ErrorKind::UnexpectedEof => return "the peer closed it".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens there",
        io::ErrorKind::TimedOut => "nobody answers",
        kind => return kind.to_string(),
    };
    format!("{kind}, {meaning}")
}

/// Why the body of a received message is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Its exchange was cancelled.
    #[error("the body was cut: {0}")]
    Cancelled(CancelCause),
    /// Its exchange failed.
    #[error("the body was cut: {0}")]
    Failed(FailureReason),
    /// It is longer than the collecting side allows.
    #[error("the body is longer than the limit of {0} bytes")]
    TooLarge(usize),
}

/// For `tokio_util::io::StreamReader`, and whatever else reads a body by `AsyncRead`.
impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::Cancelled(CancelCause::Deadline(_)) => io::ErrorKind::TimedOut,
            BodyError::Cancelled(CancelCause::PeerReset) => io::ErrorKind::ConnectionReset,
            BodyError::Cancelled(CancelCause::PeerHalfClosed)
            | BodyError::Failed(FailureReason::Protocol(WireError::Truncated)) => {
                io::ErrorKind::UnexpectedEof
            }
            BodyError::Cancelled(_) => io::ErrorKind::ConnectionAborted,
            BodyError::Failed(FailureReason::ConnectionClosed(kind)) => kind,
            BodyError::Failed(FailureReason::Protocol(_)) => io::ErrorKind::InvalidData,
            BodyError::Failed(_) => io::ErrorKind::Other,
            BodyError::TooLarge(_) => io::ErrorKind::FileTooLarge,
        };
        Self::new(kind, error)
    }
}

/// Why a connection closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed between two messages: the normal end.
    #[error("closed by the peer between two messages")]
    PeerClosed,
    /// The peer reset the connection, or I/O on it failed.
    #[error("reset by the peer, or a write to it failed")]
    PeerReset,
    /// One of the two ends had announced the close.
    #[error("closed as one end had announced")]
    Announced,
    /// The peer broke the protocol.
    #[error("protocol violation by the peer: {0}")]
    Refused(WireError),
    /// An exchange was cancelled or failed in a way that makes the position on the connection unknown.
    #[error("closed to cut an exchange")]
    Aborted,
    /// A clock ran out.
    #[error("{0}")]
    Deadline(Deadline),
    /// HTTP ended with an upgrade or a tunnel; the connection was handed over.
    #[error("handed over to another protocol")]
    HandedOff,
    /// `dispose` at this end.
    #[error("disposed at this end")]
    Disposed,
    /// The server is shutting down.
    #[error("this end shut down")]
    Shutdown,
    /// The server exceeded its memory ceiling, and this session held the most.
    #[error("the server exceeded `memory_ceiling`, and this session held the most")]
    Memory,
}
