//! Request targets (RFC 9112 section 3.2).
//!
//! ```text
//! request-target = origin-form / absolute-form / authority-form / asterisk-form
//! ```
//! Only visible ASCII. A fragment and user information are refused, `*` belongs to OPTIONS and an authority to CONNECT,
//! which takes nothing else and needs a port.

use http::{Method, Uri};

use super::host::{DefaultPort, HostPort};
use crate::error::WireError;

/// A parsed target and, if it has an authority, what Host must agree with.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    pub(super) uri: Uri,
    pub(super) authority: Option<(HostPort<'a>, DefaultPort)>,
}

pub(super) fn parse<'a>(method: &Method, target: &'a [u8]) -> Result<Parsed<'a>, WireError> {
    // Both looks at once: a target is short, and two scans would cost more than they are worth.
    if !target
        .iter()
        .all(|byte| byte.is_ascii_graphic() && *byte != b'#')
    {
        return Err(if target.iter().all(u8::is_ascii_graphic) {
            WireError::FragmentInTarget
        } else {
            WireError::InvalidTarget
        });
    }
    match target {
        _ if *method == Method::CONNECT => authority_form(target),
        [b'/', ..] => Ok(Parsed {
            uri: uri(target)?,
            authority: None,
        }),
        b"*" if *method == Method::OPTIONS => Ok(Parsed {
            uri: uri(target)?,
            authority: None,
        }),
        _ => absolute_form(target),
    }
}

/// `authority-form = uri-host ":" port`
fn authority_form(target: &[u8]) -> Result<Parsed<'_>, WireError> {
    let authority = authority(target)?;
    if authority.port.is_none() {
        return Err(WireError::MissingConnectPort);
    }
    Ok(Parsed {
        uri: uri(target)?,
        authority: Some((authority, DefaultPort::WellKnown)),
    })
}

/// `absolute-form = absolute-URI`, with an authority: a URI without one cannot name this server.
fn absolute_form(target: &[u8]) -> Result<Parsed<'_>, WireError> {
    let split = memchr::memmem::find(target, b"://").ok_or(WireError::InvalidTarget)?;
    let (scheme, rest) = target.split_at_checked(split).unwrap_or_default();
    if !is_scheme(scheme) {
        return Err(WireError::InvalidTarget);
    }
    let rest = rest.get(3..).unwrap_or_default();
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    let authority = authority(rest.get(..end).unwrap_or_default())?;
    let default = if scheme.eq_ignore_ascii_case(b"http") {
        DefaultPort::Is(80)
    } else if scheme.eq_ignore_ascii_case(b"https") {
        DefaultPort::Is(443)
    } else {
        DefaultPort::None
    };
    Ok(Parsed {
        uri: uri(target)?,
        authority: Some((authority, default)),
    })
}

fn authority(text: &[u8]) -> Result<HostPort<'_>, WireError> {
    if memchr::memchr(b'@', text).is_some() {
        return Err(WireError::UserinfoInTarget);
    }
    match HostPort::parse(text) {
        Some(authority) if !authority.host.is_empty() => Ok(authority),
        _ => Err(WireError::InvalidTarget),
    }
}

/// `scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )`
fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

fn uri(target: &[u8]) -> Result<Uri, WireError> {
    Uri::try_from(target).map_err(|_| WireError::InvalidTarget)
}
