//! Field lines (RFC 9112 section 5): the one gate for header fields and trailer fields.
//!
//! ```text
//! field-line = field-name ":" OWS field-value OWS
//! field-name = token
//! ```
//! httparse parses the lines, because it is fast. [`field_line`] is the rule written out, and finds out what is wrong
//! with a line that httparse rejects. A test checks that the two agree for every byte at every position.

use httparse::{EMPTY_HEADER, Header, Status};

use super::line::{ScannedFields, ScannedLine, first_line};
use crate::error::WireError;
use crate::payload::{Block, KnownSet, Line, is_field_value, is_token, trim_ows};

/// Copies the section to `block` and indexes its lines.
pub(super) fn index(fields: &ScannedFields<'_>, block: &mut Block) -> Result<(), WireError> {
    // Most heads fit in this array on the stack; a larger one would cost more to initialise than it saves.
    match fields.count() {
        0..=16 => index_with(fields, &mut [EMPTY_HEADER; 16], block),
        count => index_with(fields, &mut vec![EMPTY_HEADER; count], block),
    }
}

fn index_with<'a>(
    fields: &'a ScannedFields<'_>,
    space: &mut [Header<'a>],
    block: &mut Block,
) -> Result<(), WireError> {
    let section = fields.bytes();
    let found = match httparse::parse_headers(section, space) {
        // Scanner and httparse must find the same blank line.
        Ok(Status::Complete((len, found))) if len == section.len() => found,
        _ => return Err(diagnose(fields)),
    };
    block.fill(section);
    let base = section.as_ptr().addr();
    for header in found {
        let name = header.name.as_ptr().addr().saturating_sub(base);
        // The slice of an empty value may point anywhere.
        let value = match header.value {
            [] => name,
            value => value.as_ptr().addr().saturating_sub(base),
        };
        if !block.index(name, header.name.len(), value, header.value.len()) {
            return Err(WireError::HeadTooLarge);
        }
    }
    Ok(())
}

/// Copies the section at the front of `input` to `block` and indexes its lines with the help of the previous section.
/// `None` if that is not possible, for any reason: then the content of the block is unusable, and the section must be
/// parsed.
pub(super) fn index_by(
    before: &Block,
    input: &[u8],
    block: &mut Block,
) -> Option<(usize, KnownSet)> {
    block.revise(before, input, |rest| {
        let (line, len) = first_line(rest)?;
        let (name, value) = field_line(line).ok()?;
        let start = match value {
            [] => 0,
            value => value.as_ptr().addr().saturating_sub(name.as_ptr().addr()),
        };
        Some(Line {
            len,
            name: name.len(),
            value: start..start.saturating_add(value.len()),
        })
    })
}

/// What is wrong with the first bad line.
fn diagnose(fields: &ScannedFields<'_>) -> WireError {
    fields
        .lines()
        .find_map(|line| line.and_then(field_line).err())
        .unwrap_or(WireError::InvalidFieldName)
}

/// The rule: name and value of a line.
pub(super) fn field_line(line: ScannedLine<'_>) -> Result<(&[u8], &[u8]), WireError> {
    let line = line.bytes();
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(WireError::MissingColon);
    };
    let (name, value) = line.split_at_checked(colon).unwrap_or_default();
    if matches!(name.last(), Some(b' ' | b'\t')) {
        return Err(WireError::WhitespaceBeforeColon);
    }
    if !is_token(name) {
        return Err(WireError::InvalidFieldName);
    }
    let value = trim_ows(value.get(1..).unwrap_or_default());
    if !is_field_value(value) {
        return Err(WireError::InvalidFieldValue);
    }
    Ok((name, value))
}
