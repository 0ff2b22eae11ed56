//! The field names that the session itself acts on.

/// A field that framing, routing or connection management must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Known {
    Connection,
    ContentLength,
    Date,
    Expect,
    Host,
    TransferEncoding,
    Upgrade,
}

impl Known {
    /// Tells a known name by its length first: most fields of a head are dismissed by one comparison.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let (candidate, text): (Self, &[u8]) = match name.len() {
            4 if matches!(name.first(), Some(b'h' | b'H')) => (Self::Host, b"host"),
            4 => (Self::Date, b"date"),
            6 => (Self::Expect, b"expect"),
            7 => (Self::Upgrade, b"upgrade"),
            10 => (Self::Connection, b"connection"),
            14 => (Self::ContentLength, b"content-length"),
            17 => (Self::TransferEncoding, b"transfer-encoding"),
            _ => return None,
        };
        name.eq_ignore_ascii_case(text).then_some(candidate)
    }
}

/// A set of [`Known`] fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KnownSet(u8);

impl KnownSet {
    pub(crate) fn insert(&mut self, known: Known) {
        self.0 |= 1 << (known as u8);
    }

    pub(crate) fn contains(self, known: Known) -> bool {
        self.0 & (1 << (known as u8)) != 0
    }
}
