//! The grammar of fields, for those of the caller and those of the peer (RFC 9110 section 5).

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
    let Some(start) = text.iter().position(|byte| !is_ows(byte)) else {
        return &[];
    };
    let end = text
        .iter()
        .rposition(|byte| !is_ows(byte))
        .map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// The members of one line of a list field (RFC 9110 section 5.6.1).
pub(crate) fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    #[cfg(test)]
    tests::LOOKED.set(tests::LOOKED.get() + line.len());
    line.split(|byte| *byte == b',')
        .map(trim_ows)
        .filter(|member| !member.is_empty())
}

/// The bytes of a class, as a table: one look for each byte of a head.
macro_rules! class {
    ($name:ident: $byte:ident => $member:expr) => {
        const $name: [bool; 256] = {
            let mut table = [false; 256];
            let mut at = 0;
            while at < 256 {
                #[allow(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
                let $byte = at as u8;
                table[at] = $member;
                at += 1;
            }
            table
        };
    };
}

class!(TCHAR: byte => byte.is_ascii_alphanumeric()
    || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~'));
class!(FIELD: byte => byte == b'\t' || (byte >= b' ' && byte != 0x7f));

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// Bytes of lists that this thread has looked at, for the tests that none is looked at again and again.
        pub(crate) static LOOKED: Cell<usize> = const { Cell::new(0) };
    }

    /// A field with as many different members as fit into a usual head.
    pub(crate) fn long_list() -> String {
        let names: Vec<_> = (0..5000).map(|name| format!("{name:x},")).collect();
        names.concat()
    }

    /// Every byte, against the lists of the RFC.
    #[test]
    fn classes() {
        for byte in u8::MIN..=u8::MAX {
            let listed = b"!#$%&'*+-.^_`|~".contains(&byte);
            let token = listed || byte.is_ascii_digit() || byte.is_ascii_alphabetic();
            assert_eq!(is_tchar(byte), token, "{byte:#x}");
            let field = matches!(byte, b'\t' | 0x20..=0x7e | 0x80..=0xff);
            assert_eq!(is_field_byte(byte), field, "{byte:#x}");
        }
    }
}
