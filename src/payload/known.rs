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
    /// Finds a known name by its length and first letter: most fields of a head are ruled out without a comparison.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let (candidate, text): (Self, &[u8]) = match (name.len(), name.first()? | 0x20) {
            (4, b'h') => (Self::Host, b"host"),
            (4, b'd') => (Self::Date, b"date"),
            (6, b'e') => (Self::Expect, b"expect"),
            (7, b'u') => (Self::Upgrade, b"upgrade"),
            (10, b'c') => (Self::Connection, b"connection"),
            (14, b'c') => (Self::ContentLength, b"content-length"),
            (17, b't') => (Self::TransferEncoding, b"transfer-encoding"),
            _ => return None,
        };
        name.eq_ignore_ascii_case(text).then_some(candidate)
    }
}

/// A set of [`Known`] fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KnownSet(u8);

impl KnownSet {
    /// The fields about the length of the body and the persistence of the connection: the encoder writes them itself.
    pub(crate) const FRAMING: Self = Self::of(&[
        Known::Connection,
        Known::ContentLength,
        Known::TransferEncoding,
    ]);

    pub(crate) const fn of(all: &[Known]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < all.len() {
            set |= 1 << (all[at] as u8);
            at += 1;
        }
        Self(set)
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn insert(&mut self, known: Known) {
        self.0 |= 1 << (known as u8);
    }

    pub(crate) fn contains(self, known: Known) -> bool {
        self.0 & (1 << (known as u8)) != 0
    }
}
