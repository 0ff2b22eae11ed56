//! Small pieces of grammar that several rules share (RFC 9110 section 5.6, RFC 9112 section 2.3).

use http::Version;

use crate::error::WireError;
use crate::payload::is_tchar;

/// `HTTP-version = "HTTP/" DIGIT "." DIGIT`. Only 1.0 and 1.1 are supported.
pub(super) fn version(text: &[u8]) -> Result<Version, WireError> {
    match text {
        b"HTTP/1.1" => Ok(Version::HTTP_11),
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(WireError::UnsupportedVersion)
        }
        _ => Err(WireError::InvalidVersion),
    }
}

/// `1*DIGIT` that fits 64 bits: no sign, no space, no other base.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Cuts a token off the front.
pub(super) fn take_token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = text
        .iter()
        .position(|byte| !is_tchar(*byte))
        .unwrap_or(text.len());
    if len == 0 {
        return None;
    }
    text.split_at_checked(len)
}

/// Cuts a quoted-string off the front (RFC 9110 section 5.6.4), its quotes included.
pub(super) fn take_quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    for (at, byte) in text.strip_prefix(b"\"")?.iter().enumerate() {
        match byte {
            b'\t' | b' '..=b'~' | 0x80.. if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return text.split_at_checked(at.saturating_add(2)),
            b'\t' | b' '..=b'~' | 0x80.. => {}
            _ => return None,
        }
    }
    None
}

/// Cuts a token or a quoted-string off the front: the value of a parameter.
pub(super) fn take_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.first() == Some(&b'"') {
        take_quoted(text)
    } else {
        take_token(text)
    }
}

/// Cuts `BWS` or `OWS` off the front.
pub(super) fn skip_space(text: &[u8]) -> &[u8] {
    let len = text
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t'))
        .unwrap_or(text.len());
    text.get(len..).unwrap_or_default()
}
