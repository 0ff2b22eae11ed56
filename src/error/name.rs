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
            Self::ServiceFailed => "service_failed",
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

#[cfg(test)]
mod tests {
    use std::io;

    use http::StatusCode;

    use super::*;
    use crate::error::{TlsError, UseError, WireError};

    const DEADLINES: [(Deadline, &str); 7] = [
        (Deadline::Head, "head"),
        (Deadline::Body, "body"),
        (Deadline::Response, "response"),
        (Deadline::Exchange, "exchange"),
        (Deadline::Age, "age"),
        (Deadline::Idle, "idle"),
        (Deadline::Write, "write"),
    ];

    /// Names are what dashboards search for: none changes.
    #[test]
    fn names_stay() {
        for (deadline, name) in DEADLINES {
            let cause = format!("timeout_{name}");
            assert_eq!(deadline.name(), name);
            assert_eq!(CancelCause::Deadline(deadline).name(), cause);
            assert_eq!(CloseReason::Deadline(deadline).name(), cause);
        }
        for (cause, name) in [
            (CancelCause::PeerHalfClosed, "peer_half_closed"),
            (CancelCause::PeerReset, "peer_reset"),
            (CancelCause::Shutdown, "shutdown"),
            (CancelCause::Memory, "memory"),
            (CancelCause::Local, "local"),
        ] {
            assert_eq!(cause.name(), name);
        }
        for (reason, name) in [
            (CloseReason::PeerClosed, "peer_closed"),
            (CloseReason::PeerReset, "peer_reset"),
            (CloseReason::Announced, "announced"),
            (CloseReason::Refused(WireError::Truncated), "refused"),
            (CloseReason::Aborted, "aborted"),
            (CloseReason::HandedOff, "handed_off"),
            (CloseReason::Disposed, "disposed"),
            (CloseReason::Shutdown, "shutdown"),
            (CloseReason::Memory, "memory"),
        ] {
            assert_eq!(reason.name(), name);
        }
        let kind = io::ErrorKind::TimedOut;
        for (reason, name) in [
            (FailureReason::Protocol(WireError::Truncated), "protocol"),
            (FailureReason::Usage(UseError::NoWriter), "usage"),
            (FailureReason::Overrun, "overrun"),
            (FailureReason::Unanswered, "unanswered"),
            (FailureReason::ServiceFailed, "service_failed"),
            (FailureReason::HandlerPanicked, "handler_panicked"),
            (FailureReason::LostPiece, "lost_piece"),
            (FailureReason::ConnectFailed(kind), "connect_failed"),
            (
                FailureReason::AuthFailed(TlsError::Unsupported),
                "auth_failed",
            ),
            (FailureReason::NoTunnel(StatusCode::FORBIDDEN), "no_tunnel"),
            (FailureReason::ConnectionClosed(kind), "connection_closed"),
        ] {
            assert_eq!(reason.name(), name);
        }
    }
}
