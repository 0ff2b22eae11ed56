//! The end of a connection, for spans and metrics.

use http::StatusCode;

/// Which end of the connection figures belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Server,
    Client,
}

impl Role {
    /// The status of an answer, if it counts as an error at this end, by OpenTelemetry's conventions.
    pub(super) fn error(self, status: Option<StatusCode>) -> Option<StatusCode> {
        let first = match self {
            Self::Server => 500,
            Self::Client => 400,
        };
        status.filter(|status| status.as_u16() >= first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_error_at_which_end() {
        for (status, at_a_server, at_a_client) in [
            (200, false, false),
            (399, false, false),
            (400, false, true),
            (499, false, true),
            (500, true, true),
            (600, true, true),
        ] {
            let status = StatusCode::from_u16(status).ok();
            assert_eq!(Role::Server.error(status).is_some(), at_a_server);
            assert_eq!(Role::Client.error(status).is_some(), at_a_client);
        }
        assert_eq!(Role::Client.error(None), None);
    }
}
