//! How long a body is (RFC 9112 section 6.3): the one decision, for both directions.
//!
//! Refused, because two readers could disagree: Content-Length beside Transfer-Encoding, differing or malformed
//! Content-Length, `chunked` twice or before another coding, Transfer-Encoding in HTTP/1.0.

use http::{Method, StatusCode, Version};

use super::token::{number, skip_space, take_token, take_value};
use crate::error::WireError;
use crate::payload::{Block, Known, allows_body};

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body, or an empty one.
    Nothing,
    /// This many bytes, at least one.
    Length(u64),
    Chunked,
    /// All bytes until the connection closes: responses only.
    UntilClose,
}

/// The framing of a request. Without framing fields it has no body.
pub(super) fn of_request(block: &Block, version: Version) -> Result<Framing, WireError> {
    Ok(announced(block, version)?.unwrap_or(Framing::Nothing))
}

/// The framing of a response to `method`. Without framing fields its body ends with the connection.
pub(super) fn of_response(
    block: &Block,
    version: Version,
    status: StatusCode,
    method: &Method,
) -> Result<Framing, WireError> {
    // Whatever the fields say (RFC 9112 section 6.3, cases 1 and 2): they describe a body that is not sent.
    if !allows_body(status) || *method == Method::HEAD || is_tunnel(status, method) {
        return Ok(Framing::Nothing);
    }
    Ok(announced(block, version)?.unwrap_or(Framing::UntilClose))
}

/// Whether a response opens a tunnel: a 2xx to CONNECT (RFC 9110 section 9.3.6).
pub(super) fn is_tunnel(status: StatusCode, method: &Method) -> bool {
    *method == Method::CONNECT && status.is_success()
}

fn announced(block: &Block, version: Version) -> Result<Option<Framing>, WireError> {
    match (
        block.has(Known::ContentLength),
        block.has(Known::TransferEncoding),
    ) {
        (false, false) => Ok(None),
        (true, true) => Err(WireError::ContentLengthWithTransferEncoding),
        (true, false) => Ok(Some(match content_length(block)? {
            0 => Framing::Nothing,
            length => Framing::Length(length),
        })),
        (false, true) if version == Version::HTTP_10 => Err(WireError::TransferEncodingOnHttp10),
        (false, true) => transfer_encoding(block).map(|()| Some(Framing::Chunked)),
    }
}

/// `Content-Length = 1*DIGIT`, the same in every line (RFC 9110 section 8.6). A list of numbers is refused.
fn content_length(block: &Block) -> Result<u64, WireError> {
    let mut length = None;
    for value in block.known(Known::ContentLength) {
        let value = number(value).ok_or(WireError::InvalidContentLength)?;
        if length.is_some_and(|length| length != value) {
            return Err(WireError::ConflictingContentLength);
        }
        length = Some(value);
    }
    length.ok_or(WireError::InvalidContentLength)
}

/// `Transfer-Encoding = #transfer-coding`: only one, `chunked` (RFC 9112 sections 6.1 and 7).
fn transfer_encoding(block: &Block) -> Result<(), WireError> {
    let mut codings = 0_usize;
    let mut last_is_chunked = false;
    for value in block.known(Known::TransferEncoding) {
        let mut rest = value;
        loop {
            // With anything after `chunked`, even a second `chunked`, the length is unknown.
            if last_is_chunked {
                return Err(WireError::InvalidTransferEncoding);
            }
            (last_is_chunked, rest) =
                transfer_coding(rest).ok_or(WireError::InvalidTransferEncoding)?;
            codings = codings.saturating_add(1);
            match rest {
                [] => break,
                [b',', next @ ..] => rest = skip_space(next),
                _ => return Err(WireError::InvalidTransferEncoding),
            }
        }
    }
    match (codings, last_is_chunked) {
        (1, true) => Ok(()),
        _ => Err(WireError::UnsupportedTransferEncoding),
    }
}

/// `transfer-coding = token *( OWS ";" OWS token BWS "=" BWS ( token / quoted-string ) )`, cut off the front. The bool
/// is whether it is `chunked`, which has no parameters.
fn transfer_coding(text: &[u8]) -> Option<(bool, &[u8])> {
    let (name, rest) = take_token(text)?;
    let chunked = name.eq_ignore_ascii_case(b"chunked");
    let mut rest = skip_space(rest);
    while let [b';', parameter @ ..] = rest {
        if chunked {
            return None;
        }
        let (_, after) = take_token(skip_space(parameter))?;
        let after = skip_space(after).strip_prefix(b"=")?;
        let (_, after) = take_value(skip_space(after))?;
        rest = skip_space(after);
    }
    Some((chunked, rest))
}
