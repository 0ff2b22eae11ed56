//! Request heads (RFC 9112 section 3), from scanned lines.
//!
//! ```text
//! request-line = method SP request-target SP HTTP-version
//! ```
//! Exactly one SP between the parts. An HTTP/0.9 line, without a version, is malformed.

use http::{Method, Version};
use memchr::memchr;

use super::facts::{self, Facts};
use super::framing::{self, Framing};
use super::line::ScannedLine;
use super::target::Parsed;
use super::{Rules, host, target, token};
use crate::error::WireError;
use crate::payload::{Block, Known, StartLine, is_offer, is_token};

/// A request head without its fields.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) line: StartLine,
    pub(super) framing: Framing,
    pub(super) facts: Facts,
}

/// Reads the line and checks the fields against it. `known`: these fields already passed after another line.
pub(super) fn parse(
    line: ScannedLine<'_>,
    block: &Block,
    known: bool,
    head_bytes: usize,
    rules: &Rules,
) -> Result<RequestHead, WireError> {
    let (method, target, version) = parse_line(line)?;
    // Whether there is one Host, within the grammar, depends on the fields alone.
    if !(known && block.has(Known::Host) && target.authority.is_none()) {
        let missing_allowed = rules.leniency.missing_host;
        host::check(block, version, missing_allowed, target.authority)?;
    }
    let framing = framing::of_request(block, version)?;
    let (expect_continue, unknown_expectation) = facts::expectations(block, version);
    let facts = Facts {
        keep_alive: facts::keep_alive(block, version),
        // Without a body the expectation is ignored (RFC 9110 section 10.1.1).
        expect_continue: expect_continue && framing != Framing::Nothing,
        unknown_expectation,
        upgrade: method == Method::CONNECT || is_offer(block, version),
        head_bytes,
    };
    Ok(RequestHead {
        line: StartLine {
            method,
            uri: target.uri,
            version,
        },
        framing,
        facts,
    })
}

/// Checks a line whose fields have not come.
pub(super) fn check_line(line: ScannedLine<'_>) -> Result<(), WireError> {
    parse_line(line).map(drop)
}

fn parse_line(line: ScannedLine<'_>) -> Result<(Method, Parsed<'_>, Version), WireError> {
    let [method, target, version] = split(line.bytes()).ok_or(WireError::InvalidRequestLine)?;
    let version = token::version(version)?;
    let method = parse_method(method)?;
    let target = target::parse(&method, target)?;
    Ok((method, target, version))
}

/// Method, target and version.
fn split(line: &[u8]) -> Option<[&[u8]; 3]> {
    let (method, rest) = cut(line)?;
    let (target, version) = cut(rest)?;
    let parts = [method, target, version];
    let whole = memchr(b' ', version).is_none() && parts.iter().all(|part| !part.is_empty());
    whole.then_some(parts)
}

fn cut(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr(b' ', text)?)?;
    Some((before, rest.get(1..)?))
}

fn parse_method(text: &[u8]) -> Result<Method, WireError> {
    if !is_token(text) {
        return Err(WireError::InvalidMethod);
    }
    Method::from_bytes(text).map_err(|_| WireError::InvalidMethod)
}
