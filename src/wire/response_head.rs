//! Status lines (RFC 9112 section 4), from a scanned line.
//!
//! ```text
//! status-line = HTTP-version SP 3DIGIT [ SP reason-phrase ]
//! ```
//! The reason may be empty, and its space may be missing (B22).

use bytes::Bytes;
use http::{StatusCode, Version};

use super::line::ScannedLine;
use super::token;
use crate::error::WireError;
use crate::payload::{Message, is_field_value};

/// A status line.
#[derive(Debug, Clone)]
pub(super) struct StatusLine {
    pub(super) version: Version,
    pub(super) status: StatusCode,
    /// A reason other than the usual one.
    pub(super) reason: Option<Bytes>,
}

impl StatusLine {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            version: message.start.line().version,
            status: message.status.unwrap_or_default(),
            reason: message.reason.clone(),
        }
    }

    pub(super) fn put(self, message: &mut Message) {
        message.start.set_version(self.version);
        message.status = Some(self.status);
        message.reason = self.reason;
    }
}

pub(super) fn parse(line: ScannedLine<'_>) -> Result<StatusLine, WireError> {
    let line = line.bytes();
    let end = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (version, rest) = line.split_at_checked(end).unwrap_or_default();
    let version = token::version(version)?;
    let (code, reason) = match rest {
        [b' ', a, b, c] => ([*a, *b, *c], &[][..]),
        [b' ', a, b, c, b' ', reason @ ..] => ([*a, *b, *c], reason),
        _ => return Err(WireError::InvalidStatusLine),
    };
    if !is_field_value(reason) {
        return Err(WireError::InvalidStatusLine);
    }
    let status = StatusCode::from_bytes(&code).map_err(|_| WireError::InvalidStatusLine)?;
    let usual = status.canonical_reason().unwrap_or_default().as_bytes();
    Ok(StatusLine {
        version,
        status,
        reason: (reason != usual).then(|| Bytes::copy_from_slice(reason)),
    })
}
