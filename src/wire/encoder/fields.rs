//! The fields of an outbound head: the application's, and those that we are responsible for.
//!
//! Connection, Content-Length and Transfer-Encoding are read from the application's fields, checked, and written once,
//! by us. All others are sent as they are, in order.

use crate::error::UseError;
use crate::payload::{Headers, Known, KnownSet, Message, Names, members};
use crate::wire::token::number;

/// How the head announces the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announce {
    Nothing,
    Length(u64),
    Chunked,
}

impl Announce {
    /// A body that is sent as it is.
    pub(super) fn of(message: &Message) -> Self {
        message.body_size().map_or(Self::Chunked, Self::Length)
    }
}

/// What the head says about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    /// Nothing: what the version implies.
    Implied,
    KeepAlive,
    Close,
}

impl Persistence {
    /// What must be announced: every close (B10), and a keep-alive to HTTP/1.0, which would not assume it.
    pub(super) fn announce(keep_alive: bool, http10: bool) -> Self {
        match (keep_alive, http10) {
            (false, _) => Self::Close,
            (true, true) => Self::KeepAlive,
            (true, false) => Self::Implied,
        }
    }

    fn token(self) -> Option<&'static [u8]> {
        match self {
            Self::Implied => None,
            Self::KeepAlive => Some(b"keep-alive"),
            Self::Close => Some(b"close"),
        }
    }
}

/// The Content-Length that the application set, if it did.
pub(super) fn given_length(headers: &Headers) -> Result<Option<u64>, UseError> {
    let mut length = None;
    for value in headers.known(Known::ContentLength) {
        let value = number(value).ok_or(UseError::FramingMismatch)?;
        if length.is_some_and(|length| length != value) {
            return Err(UseError::FramingMismatch);
        }
        length = Some(value);
    }
    Ok(length)
}

/// Whether the application set `Transfer-Encoding: chunked`. Any other coding is impossible.
pub(super) fn given_chunked(headers: &Headers) -> Result<bool, UseError> {
    let mut lines = headers.known(Known::TransferEncoding);
    match (lines.next(), lines.next()) {
        (None, _) => Ok(false),
        (Some(value), None) if value.eq_ignore_ascii_case(b"chunked") => Ok(true),
        (Some(_), _) => Err(UseError::FramingMismatch),
    }
}

/// Checks what the application set against the payload.
pub(super) fn check_given(headers: &Headers, announce: Announce) -> Result<(), UseError> {
    if !headers.has_any(KnownSet::FRAMING) {
        return Ok(());
    }
    let length = given_length(headers)?;
    let chunked = given_chunked(headers)?;
    let agrees = match announce {
        Announce::Nothing => length.is_none_or(|length| length == 0) && !chunked,
        Announce::Length(known) => length.is_none_or(|length| length == known) && !chunked,
        Announce::Chunked => length.is_none(),
    };
    if agrees {
        Ok(())
    } else {
        Err(UseError::FramingMismatch)
    }
}

/// Writes all fields and the blank line. Ours come after the application's; `date` is a whole line.
pub(super) fn write(
    headers: &Headers,
    date: Option<&[u8]>,
    persistence: Persistence,
    announce: Announce,
    out: &mut Vec<u8>,
) {
    match headers.block().wire_form() {
        Some(lines) if !headers.has_any(KnownSet::FRAMING) => out.extend_from_slice(lines),
        _ => {
            for (name, value) in headers.block().iter() {
                if !is_ours(name) {
                    line(name, value, out);
                }
            }
        }
    }
    if let Some(date) = date.filter(|_| !headers.has(Known::Date)) {
        out.extend_from_slice(date);
    }
    connection(headers, persistence, out);
    match announce {
        Announce::Nothing => {}
        Announce::Length(length) => {
            let mut digits = itoa::Buffer::new();
            line(b"Content-Length", digits.format(length).as_bytes(), out);
        }
        Announce::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    out.extend_from_slice(b"\r\n");
}

/// `name: value CRLF`
pub(super) fn line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn is_ours(name: &[u8]) -> bool {
    Known::of(name).is_some_and(|known| KnownSet::FRAMING.contains(known))
}

/// Connection options that an application does not set.
const OURS: [&[u8]; 5] = [
    b"close",
    b"keep-alive",
    b"host",
    b"content-length",
    b"transfer-encoding",
];

/// Writes one Connection line: the application's members, each once, `close` and `keep-alive` replaced by what is true,
/// and `upgrade` if Upgrade is offered (RFC 9110 section 7.8). Fields for every recipient are not named there (RFC 9110
/// section 7.6.1): an intermediary would take the framing away.
fn connection(headers: &Headers, persistence: Persistence, out: &mut Vec<u8>) {
    let ours = persistence.token();
    if !headers.has(Known::Connection) && !headers.has(Known::Upgrade) {
        if let Some(token) = ours {
            line(b"Connection", token, out);
        }
        return;
    }
    let start = out.len();
    out.extend_from_slice(b"Connection: ");
    let empty = out.len();
    // In a set, because these may be the members that a peer sent: then there may be thousands.
    let mut written = Names::default();
    for member in headers.known(Known::Connection).flat_map(members) {
        let is_ours = OURS.iter().any(|ours| member.eq_ignore_ascii_case(ours));
        if !is_ours && written.insert(member) {
            list_member(member, empty, out);
        }
    }
    if headers.has(Known::Upgrade) && !written.contains(b"upgrade") {
        list_member(b"upgrade", empty, out);
    }
    if let Some(token) = ours {
        list_member(token, empty, out);
    }
    if out.len() == empty {
        out.truncate(start);
    } else {
        out.extend_from_slice(b"\r\n");
    }
}

fn list_member(member: &[u8], empty: usize, out: &mut Vec<u8>) {
    if out.len() > empty {
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(member);
}
