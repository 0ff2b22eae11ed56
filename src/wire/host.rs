//! Hosts and ports (RFC 9110 section 7.2, RFC 9112 section 3.2, RFC 3986 section 3.2).
//!
//! ```text
//! Host = uri-host [ ":" port ]
//! ```
//! An HTTP/1.1 request needs exactly one Host. Two are refused in any version, and so is one that disagrees with the
//! authority in the request target.

use std::net::Ipv6Addr;

use http::Version;

use super::token::number;
use crate::error::WireError;
use crate::payload::{Block, Known};

/// A host and, if one was given, its port. The host keeps its brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostPort<'a> {
    pub(super) host: &'a [u8],
    pub(super) port: Option<u16>,
}

impl<'a> HostPort<'a> {
    /// Reads `uri-host [ ":" port ]`. An empty port counts as none.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let split = match text.first() {
            Some(b'[') => memchr::memchr(b']', text)?.saturating_add(1),
            _ => memchr::memchr(b':', text).unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at_checked(split)?;
        let port = match rest {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(u16::try_from(number(digits)?).ok()?),
            _ => return None,
        };
        // Only the whole field may be empty: ":80" has no host.
        let is_host = match host {
            [] => rest.is_empty(),
            [b'[', literal @ .., b']'] => is_ip_literal(literal),
            name => is_reg_name(name),
        };
        is_host.then_some(Self { host, port })
    }

    /// Whether both name the same host and port. `default` says whether a port may be omitted.
    pub(super) fn agrees(&self, other: &Self, default: impl Fn(u16) -> bool) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && match (self.port, other.port) {
                (None, None) => true,
                (Some(port), Some(other)) => port == other,
                (Some(port), None) | (None, Some(port)) => default(port),
            }
    }
}

/// Checks the Host of a request. `target` is the authority of the request target, if it has one, and the ports that it
/// may omit.
pub(super) fn check(
    block: &Block,
    version: Version,
    missing_allowed: bool,
    target: Option<(HostPort<'_>, DefaultPort)>,
) -> Result<(), WireError> {
    let mut hosts = block.known(Known::Host);
    let Some(value) = hosts.next() else {
        return if missing_allowed || version == Version::HTTP_10 {
            Ok(())
        } else {
            Err(WireError::MissingHost)
        };
    };
    if hosts.next().is_some() {
        return Err(WireError::RepeatedHost);
    }
    let host = HostPort::parse(value).ok_or(WireError::InvalidHost)?;
    match target {
        Some((authority, default)) if !host.agrees(&authority, |port| default.may_omit(port)) => {
            Err(WireError::MismatchedHost)
        }
        _ => Ok(()),
    }
}

/// Which port may be omitted from an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultPort {
    /// A scheme without a known default.
    None,
    /// `http` or `https`.
    Is(u16),
    /// CONNECT has no scheme: either well-known port may be omitted from Host.
    WellKnown,
}

impl DefaultPort {
    fn may_omit(self, port: u16) -> bool {
        match self {
            Self::None => false,
            Self::Is(default) => port == default,
            Self::WellKnown => port == 80 || port == 443,
        }
    }
}

/// The part between the brackets: `IPv6address / IPvFuture`.
fn is_ip_literal(text: &[u8]) -> bool {
    match text {
        [b'v' | b'V', rest @ ..] => {
            let Some(dot) = memchr::memchr(b'.', rest) else {
                return false;
            };
            let (version, rest) = rest.split_at_checked(dot).unwrap_or_default();
            let address = rest.get(1..).unwrap_or_default();
            !version.is_empty()
                && version.iter().all(u8::is_ascii_hexdigit)
                && !address.is_empty()
                && address
                    .iter()
                    .all(|byte| *byte == b':' || is_name_byte(*byte))
        }
        _ => std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
    }
}

/// `reg-name = *( unreserved / pct-encoded / sub-delims )`. An IPv4 address is one too.
fn is_reg_name(text: &[u8]) -> bool {
    text.iter().all(|byte| is_name_byte(*byte)) || is_encoded_name(text)
}

fn is_encoded_name(text: &[u8]) -> bool {
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..] if is_name_byte(*byte) => rest,
            _ => return false,
        };
    }
}

/// `unreserved / sub-delims`.
fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}
