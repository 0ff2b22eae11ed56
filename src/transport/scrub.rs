//! Masks the values of fields that carry credentials.

use crate::payload::is_secret;

/// The position in one direction of a connection, by lines. It knows lines and field names, and nothing else of HTTP.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    at: At,
    /// The beginning of the line, while it may still be a field name.
    name: Vec<u8>,
    /// The previous line was secret: a line that begins with white space continues it.
    folds: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Name,
    Open,
    Secret,
}

impl Scrub {
    /// The same bytes, with secrets replaced.
    pub(super) fn scrub(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().map(|byte| self.byte(*byte)).collect()
    }

    fn byte(&mut self, byte: u8) -> u8 {
        match (self.at, byte) {
            (_, b'\n') => {
                self.folds = self.at == At::Secret;
                self.at = At::Name;
                self.name.clear();
            }
            (At::Name, b' ' | b'\t') if self.folds && self.name.is_empty() => self.at = At::Secret,
            (At::Name, b':') => self.at = self.after_name(),
            (At::Name, _) if self.name.len() > 32 => self.at = At::Open,
            (At::Name, _) => self.name.push(byte),
            (At::Secret, b' ' | b'\t' | b'\r') | (At::Open, _) => {}
            (At::Secret, _) => return b'*',
        }
        byte
    }

    fn after_name(&self) -> At {
        if is_secret(self.name.trim_ascii()) {
            At::Secret
        } else {
            At::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same is hidden wherever the bytes are cut, also in lines that are refused later.
    #[test]
    fn secrets_are_hidden_in_every_split() {
        let said = b"GET /a:b HTTP/1.1\r\nCOOKIE: a=1; b=2\r\nX-Cookie: c\r\nauthorization:Basic\r\n eHg=\r\nCookie : d\r\n e\r\n\r\n f\r\nSet-Cookie\r\n";
        let seen = b"GET /a:b HTTP/1.1\r\nCOOKIE: **** ***\r\nX-Cookie: c\r\nauthorization:*****\r\n ****\r\nCookie : *\r\n *\r\n\r\n f\r\nSet-Cookie\r\n";
        for cut in 0..=said.len() {
            let mut scrub = Scrub::default();
            let (first, second) = said.split_at(cut);
            let found = [scrub.scrub(first), scrub.scrub(second)].concat();
            assert_eq!(
                found.escape_ascii().to_string(),
                seen.escape_ascii().to_string(),
                "cut at {cut}"
            );
        }
    }
}
