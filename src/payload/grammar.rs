//! The two byte classes of fields, for those of the caller and those of the peer (RFC 9110 section 5).

/// `token = 1*tchar` (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_tchar(*byte))
}

/// `tchar` (RFC 9110 section 5.6.2).
pub(crate) fn is_tchar(byte: u8) -> bool {
    TCHAR[byte as usize]
}

/// A byte that may be in a field value: VCHAR, obs-text, SP, HTAB (RFC 9110 section 5.5).
fn is_field_byte(byte: u8) -> bool {
    FIELD[byte as usize]
}

/// A field value without leading or trailing white space, or empty.
pub(crate) fn is_field_value(text: &[u8]) -> bool {
    text.iter().all(|byte| is_field_byte(*byte))
}

/// `OWS = *( SP / HTAB )` cut from both ends (RFC 9110 section 5.6.3).
pub(crate) fn trim_ows(text: &[u8]) -> &[u8] {
    let is_ows = |byte: &u8| matches!(byte, b' ' | b'\t');
    if let ([first, ..], [.., last]) = (text, text)
        && !is_ows(first)
        && !is_ows(last)
    {
        return text;
    }
    let Some(start) = text.iter().position(|byte| !is_ows(byte)) else {
        return &[];
    };
    let end = text
        .iter()
        .rposition(|byte| !is_ows(byte))
        .map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

const TCHAR: [bool; 256] = table(b"!#$%&'*+-.^_`|~", true, 0, 0);
const FIELD: [bool; 256] = table(b"\t", false, 0x20, 0xff);

const fn table(extra: &[u8], alphanumeric: bool, from: u8, to: u8) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let value = byte as u8;
        table[byte] = (alphanumeric && value.is_ascii_alphanumeric())
            || (to > 0 && value >= from && value <= to && value != 0x7f);
        byte += 1;
    }
    let mut index = 0;
    while index < extra.len() {
        table[extra[index] as usize] = true;
        index += 1;
    }
    table
}
