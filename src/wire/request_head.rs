//! Request heads (RFC 9112 section 3), from scanned lines.
//!
//! ```text
//! request-line = method SP request-target SP HTTP-version
//! ```
//! Exactly one SP between the parts. An HTTP/0.9 line, without a version, is malformed.

use http::{Method, Uri, Version};

use super::facts::{self, Facts};
use super::framing::{self, Framing};
use super::line::ScannedLine;
use super::{Rules, host, target, token};
use crate::error::WireError;
use crate::payload::{Block, is_token};

/// A request head without its fields.
#[derive(Debug, Clone)]
pub(super) struct RequestHead {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) framing: Framing,
    pub(super) facts: Facts,
}

/// Reads the line and holds the fields to what it says.
pub(super) fn parse(
    line: ScannedLine<'_>,
    block: &Block,
    head_bytes: usize,
    rules: &Rules,
) -> Result<RequestHead, WireError> {
    let [method, target, version] = split(line.bytes())?;
    let version = token::version(version)?;
    let method = parse_method(method)?;
    let target = target::parse(&method, target)?;
    host::check(
        block,
        version,
        rules.leniency.missing_host,
        target.authority,
    )?;
    let framing = framing::of_request(block, version)?;
    let (expect_continue, unknown_expectation) = facts::expectations(block, version);
    let facts = Facts {
        keep_alive: facts::keep_alive(block, version),
        // Without a body there is nothing to go on with (RFC 9110 section 10.1.1).
        expect_continue: expect_continue
            && !matches!(framing, Framing::Nothing | Framing::Length(0)),
        unknown_expectation,
        upgrade: method == Method::CONNECT || facts::upgrade(block, version),
        head_bytes,
    };
    Ok(RequestHead {
        method,
        uri: target.uri,
        version,
        framing,
        facts,
    })
}

/// Method, target and version.
fn split(line: &[u8]) -> Result<[&[u8]; 3], WireError> {
    let mut parts = line.split(|byte| *byte == b' ');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(method), Some(target), Some(version), None)
            if !method.is_empty() && !target.is_empty() && !version.is_empty() =>
        {
            Ok([method, target, version])
        }
        _ => Err(WireError::InvalidRequestLine),
    }
}

fn parse_method(text: &[u8]) -> Result<Method, WireError> {
    if !is_token(text) {
        return Err(WireError::InvalidMethod);
    }
    Method::from_bytes(text).map_err(|_| WireError::InvalidMethod)
}
