//! What a session tells about itself.

use std::sync::Arc;
use std::time::Duration;

use actix::MessageResponse;

use crate::transport::{Peer, TlsInfo};

/// The state of a session at one moment: the answer to [`Inspect`](crate::message::Inspect).
#[derive(Debug, Clone, PartialEq, Eq, MessageResponse)]
#[non_exhaustive]
pub struct SessionInfo {
    /// What the session is doing.
    pub phase: SessionPhase,
    /// The addresses of the connection.
    pub peer: Peer,
    /// What was agreed in the TLS handshake; `None` without TLS.
    pub tls: Option<Arc<TlsInfo>>,
    /// Time since the connection was opened.
    pub age: Duration,
    /// Exchanges begun in this session.
    pub exchanges: u64,
    /// Body bytes received in this session.
    pub body_bytes_in: u64,
    /// Bytes that the socket took in this session, heads and framing included.
    pub wire_bytes_out: u64,
    /// Inbound items that wait for their turn.
    pub inbound_queued: usize,
    /// Bytes that the reading side may still hand over.
    pub inbound_credit: usize,
    /// Whether delivery to the handler is paused.
    pub muted: bool,
    /// Bytes that wait for the socket.
    pub outbound_queued: usize,
    /// For how long the outbound buffer has been above its low-water mark.
    pub throttled_for: Option<Duration>,
}

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionPhase {
    /// No exchange is going on.
    Idle,
    /// A request was delivered, and its answer has not begun.
    Handling,
    /// The answer is being sent.
    Answering,
    /// Client: requests wait to be sent or answered.
    Waiting,
    /// Client: a response is coming.
    Receiving,
    /// The connection is closing.
    Closing,
}
