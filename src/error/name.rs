//! Causes and reasons as stable identifiers, to be searched for in logs, spans and metrics.

use crate::error::{CancelCause, Deadline, FailureReason};

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
}

impl CancelCause {
    /// A stable identifier: the name of the variant in `snake_case`; for a deadline `timeout_` and its
    /// [name](Deadline::name).
    pub fn name(self) -> &'static str {
        match self {
            Self::PeerHalfClosed => "peer_half_closed",
            Self::PeerReset => "peer_reset",
            Self::Deadline(Deadline::Head) => "timeout_head",
            Self::Deadline(Deadline::Body) => "timeout_body",
            Self::Deadline(Deadline::Response) => "timeout_response",
            Self::Deadline(Deadline::Exchange) => "timeout_exchange",
            Self::Deadline(Deadline::Age) => "timeout_age",
            Self::Deadline(Deadline::Idle) => "timeout_idle",
            Self::Deadline(Deadline::Write) => "timeout_write",
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
