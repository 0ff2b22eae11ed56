//! Causes and reasons as stable identifiers, to be searched for in logs, spans and metrics.

use crate::error::{CancelCause, CloseReason, Deadline, FailureReason};

impl Deadline {
    /// A stable identifier: `head`, `body`, `response`, `exchange`, `age`, `idle`, `write`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Body => "body",
            Self::Response => "response",
            Self::Exchange => "exchange",
            Self::Age => "age",
            Self::Idle => "idle",
            Self::Write => "write",
        }
    }

    /// The name of what it ended.
    fn as_cause(self) -> &'static str {
        match self {
            Self::Head => "timeout_head",
            Self::Body => "timeout_body",
            Self::Response => "timeout_response",
            Self::Exchange => "timeout_exchange",
            Self::Age => "timeout_age",
            Self::Idle => "timeout_idle",
            Self::Write => "timeout_write",
        }
    }
}

impl CancelCause {
    /// A stable identifier: the name of the variant in `snake_case`; for a deadline `timeout_` and its
    /// [name](Deadline::name).
    pub fn name(self) -> &'static str {
        match self {
            Self::PeerHalfClosed => "peer_half_closed",
            Self::PeerReset => "peer_reset",
            Self::Deadline(deadline) => deadline.as_cause(),
            Self::Shutdown => "shutdown",
            Self::Memory => "memory",
            Self::Local => "local",
        }
    }
}

impl FailureReason {
    /// A stable identifier: the name of the variant in `snake_case`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Protocol(_) => "protocol",
            Self::Usage(_) => "usage",
            Self::Overrun => "overrun",
            Self::Unanswered => "unanswered",
            Self::HandlerPanicked => "handler_panicked",
            Self::LostPiece => "lost_piece",
            Self::ConnectFailed(_) => "connect_failed",
            Self::AuthFailed(_) => "auth_failed",
            Self::NoTunnel(_) => "no_tunnel",
            Self::ConnectionClosed(_) => "connection_closed",
        }
    }
}

impl CloseReason {
    /// A stable identifier: the name of the variant in `snake_case`; for a deadline `timeout_` and its
    /// [name](Deadline::name).
    pub fn name(self) -> &'static str {
        match self {
            Self::PeerClosed => "peer_closed",
            Self::PeerReset => "peer_reset",
            Self::Announced => "announced",
            Self::Refused(_) => "refused",
            Self::Aborted => "aborted",
            Self::Deadline(deadline) => deadline.as_cause(),
            Self::HandedOff => "handed_off",
            Self::Disposed => "disposed",
            Self::Shutdown => "shutdown",
            Self::Memory => "memory",
        }
    }
}
