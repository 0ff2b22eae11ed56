//! Trailer sections (RFC 9110 section 6.5, RFC 9112 section 7.1.2): parsed like header fields, except for names that
//! are forbidden because they would have changed the meaning of the head.

use std::sync::Arc;

use super::Limits;
use super::field;
use super::item::Trailers;
use super::line::{Bounds, Scan};
use crate::error::WireError;
use crate::payload::{Block, Headers};

/// Framing, routing, authentication, conditions and control (RFC 9110 section 6.5.1). `content-*` and `if-*` are added.
const FORBIDDEN: [&[u8]; 30] = [
    b"age",
    b"authorization",
    b"cache-control",
    b"connection",
    b"cookie",
    b"date",
    b"expect",
    b"expires",
    b"forwarded",
    b"host",
    b"keep-alive",
    b"location",
    b"max-forwards",
    b"pragma",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"range",
    b"retry-after",
    b"set-cookie",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"vary",
    b"via",
    b"www-authenticate",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
];

/// Whether a field with this name must not be a trailer.
pub(super) fn is_forbidden(name: &[u8]) -> bool {
    let starts_with = |prefix: &[u8]| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts_with(b"content-")
        || starts_with(b"if-")
        || FORBIDDEN
            .iter()
            .any(|forbidden| name.eq_ignore_ascii_case(forbidden))
}

/// Reads the section, the blank line included: its length, and the fields if there are any. `None` while incomplete.
pub(super) fn read(
    scan: &mut Scan,
    input: &[u8],
    limits: &Limits,
) -> Result<Option<(usize, Option<Trailers>)>, WireError> {
    let Some(fields) = scan.fields(input, &Bounds::trailers(limits))? else {
        return Ok(None);
    };
    if fields.count() == 0 {
        return Ok(Some((scan.len(), None)));
    }
    let mut block = Block::default();
    field::index(&fields, &mut block)?;
    if block.iter().any(|(name, _)| is_forbidden(name)) {
        return Err(WireError::ForbiddenTrailer);
    }
    let mut headers = Headers::new();
    headers.set_received(Arc::new(block));
    Ok(Some((scan.len(), Some(Box::new(headers)))))
}
