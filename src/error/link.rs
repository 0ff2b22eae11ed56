//! What happens to exchanges and connections: causes and reasons.

use std::io;

use http::StatusCode;
use thiserror::Error;

use crate::error::{TlsError, UseError, WireError};

/// Which clock ran out. Each is a field of [`Timeouts`](crate::Timeouts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Deadline {
    /// The whole head of a message.
    #[error("head")]
    Head,
    /// Silence inside a body.
    #[error("body silence")]
    Body,
    /// The begin of a response.
    #[error("response head")]
    Response,
    /// A whole exchange.
    #[error("exchange")]
    Exchange,
    /// The age of a connection that has no request.
    #[error("age")]
    Age,
    /// No request on an open connection.
    #[error("idle")]
    Idle,
    /// A write without progress.
    #[error("write progress")]
    Write,
    /// Closing with the peer still talking.
    #[error("lingering close")]
    Linger,
}

/// Why an exchange was cancelled: somebody did not want it any more. Nothing is wrong with the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum CancelCause {
    /// The peer closed its sending side and took nothing for the time that the policy allows.
    #[error("the peer half-closed the connection")]
    PeerHalfClosed,
    /// The peer reset the connection, or a write to it failed.
    #[error("the peer reset the connection")]
    PeerReset,
    /// One of our own clocks ran out.
    #[error("deadline passed: {0}")]
    Deadline(Deadline),
    /// The server is shutting down.
    #[error("the server shut down")]
    Shutdown,
    /// The server passed its memory ceiling, and this session held most.
    #[error("memory ceiling passed")]
    Memory,
    /// `cancel` or `dispose` on this end.
    #[error("cancelled on this end")]
    Local,
}

/// Why an exchange failed: something was wrong with a message or with the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// The peer broke the protocol.
    #[error("protocol violation by the peer: {0}")]
    Protocol(#[from] WireError),
    /// This end broke its own announcement, for example by a short body.
    #[error("message could not be completed by this end: {0}")]
    Usage(#[from] UseError),
    /// The outbound buffer met its hard cap by data that nobody waited for.
    #[error("the outbound buffer overran its cap")]
    Overrun,
    /// A [`Responder`](crate::Responder) was dropped without an answer.
    #[error("the request was never answered")]
    Unanswered,
    /// The handler panicked.
    #[error("the handler panicked")]
    HandlerPanicked,
    /// A body piece was lost on its way to the session.
    #[error("a piece of the body was lost")]
    LostPiece,
    /// No connection could be opened.
    #[error("cannot connect: {0:?}")]
    ConnectFailed(io::ErrorKind),
    /// The peer could not be authenticated, or not be spoken to in TLS. Nothing was sent to it.
    #[error("cannot make a secure connection: {0}")]
    AuthFailed(TlsError),
    /// A proxy did not make the tunnel to the server.
    #[error("the proxy answered {0} instead of making a tunnel")]
    NoTunnel(StatusCode),
    /// The connection ended before the exchange did.
    #[error("connection closed: {0:?}")]
    ConnectionClosed(io::ErrorKind),
}

/// Why a body that was being received did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Its exchange was cancelled.
    #[error("body cut: {0}")]
    Cancelled(#[source] CancelCause),
    /// Its exchange failed.
    #[error("body cut: {0}")]
    Failed(#[source] FailureReason),
    /// It is longer than it may be to be collected.
    #[error("body of more than {0} bytes")]
    TooLarge(usize),
}

/// Why a connection closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed between two messages: the ordinary end.
    #[error("closed by the peer")]
    PeerClosed,
    /// The peer reset the connection, or I/O on it failed.
    #[error("reset by the peer")]
    PeerReset,
    /// One of the two ends had announced the close.
    #[error("close announced")]
    Announced,
    /// The peer broke the protocol.
    #[error("protocol violation by the peer: {0}")]
    Refused(WireError),
    /// An exchange was cancelled or failed in a way that leaves the connection without a known position.
    #[error("exchange aborted")]
    Aborted,
    /// A clock ran out.
    #[error("deadline passed: {0}")]
    Deadline(Deadline),
    /// HTTP ended with an upgrade or a tunnel; the connection lives on in other hands.
    #[error("handed off")]
    HandedOff,
    /// `dispose` on this end.
    #[error("disposed")]
    Disposed,
    /// The server is shutting down.
    #[error("the server shut down")]
    Shutdown,
    /// The server passed its memory ceiling, and this session held most.
    #[error("memory ceiling passed")]
    Memory,
}
