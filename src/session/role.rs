//! The end of a connection, for spans and metrics.

use http::StatusCode;

use super::exchange::Exchange;

/// Which end of the connection figures belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Server,
    Client,
}

impl Role {
    /// The status of an exchange, if it counts as an error at this end, by OpenTelemetry's conventions.
    pub(super) fn error_status(self, exchange: &Exchange) -> Option<StatusCode> {
        let first = match self {
            Self::Server => 500,
            Self::Client => 400,
        };
        exchange.status.filter(|status| status.as_u16() >= first)
    }
}
