//! Which request a response answers (RFC 9112 section 9.2): first in, first out. An informational response is not the
//! answer (B23).

use std::collections::VecDeque;

use http::{Method, StatusCode};

use crate::error::WireError;
use crate::payload::MessageId;

/// What a client must remember of a request to frame its response.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) id: MessageId,
    pub(crate) method: Method,
    /// Whether there is a taker for the connection if the server switches: by a 101, or, for CONNECT, by a 2xx.
    pub(crate) upgrade: bool,
}

/// The requests that have no final response yet.
#[derive(Debug, Default)]
pub(super) struct Cycle {
    expected: VecDeque<Expected>,
    /// 1xx responses to the first of them.
    informational: usize,
}

impl Cycle {
    pub(super) fn expect(&mut self, expected: Expected) {
        self.expected.push_back(expected);
    }

    /// Whether a response may come at all.
    pub(super) fn is_waiting(&self) -> bool {
        !self.expected.is_empty()
    }

    /// The request that this response belongs to.
    pub(super) fn answer(
        &mut self,
        status: StatusCode,
        limit: usize,
    ) -> Result<Expected, WireError> {
        let first = self
            .expected
            .front()
            .ok_or(WireError::UnsolicitedResponse)?;
        let offered = first.upgrade && first.method != Method::CONNECT;
        if status == StatusCode::SWITCHING_PROTOCOLS && !offered {
            return Err(WireError::UnsolicitedUpgrade);
        }
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            if self.informational >= limit {
                return Err(WireError::TooManyInformational);
            }
            self.informational = self.informational.saturating_add(1);
            return Ok(first.clone());
        }
        self.informational = 0;
        self.expected
            .pop_front()
            .ok_or(WireError::UnsolicitedResponse)
    }
}
