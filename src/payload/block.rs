//! The bytes of a header section and an index over them.
//!
//! One block serves both directions. An inbound block holds the message's own copy of its header section, line ends and
//! blank line included, and indexes it without an allocation a field. An outbound one holds `name: value CRLF` lines, ready to be copied
//! to the wire. A block checks nothing: [`Headers`](super::Headers) and the wire floor do so before they push.

use super::known::{Known, KnownSet};

/// One field line: where its name and value stand in the block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: u32,
    name_len: u32,
    value: u32,
    value_len: u32,
    known: Option<Known>,
}

/// Field lines over one piece of memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Block {
    raw: Vec<u8>,
    fields: Vec<Field>,
    known: KnownSet,
    /// Whether `raw` is nothing but field lines in the form in which we send them.
    foreign: bool,
}

impl Block {
    /// Forgets the content and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.fields.clear();
        self.known = KnownSet::default();
        self.foreign = false;
    }

    /// Starts over with the bytes of an inbound section.
    pub(crate) fn fill(&mut self, section: &[u8]) {
        self.clear();
        self.foreign = true;
        self.raw.extend_from_slice(section);
    }

    /// Indexes a field of the bytes given to [`fill`](Self::fill). False if the place is not inside them.
    pub(crate) fn index(
        &mut self,
        name: usize,
        name_len: usize,
        value: usize,
        value_len: usize,
    ) -> bool {
        let Some(text) = self.raw.get(name..).and_then(|rest| rest.get(..name_len)) else {
            return false;
        };
        let known = Known::of(text);
        let (Ok(name), Ok(name_len), Ok(value), Ok(value_len)) = (
            u32::try_from(name),
            u32::try_from(name_len),
            u32::try_from(value),
            u32::try_from(value_len),
        ) else {
            return false;
        };
        self.note(Field {
            name,
            name_len,
            value,
            value_len,
            known,
        });
        true
    }

    /// Appends a line in the form in which it is sent. False if the block would pass 4 GiB.
    pub(crate) fn append(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.own();
        let start = self.raw.len();
        let value_start = start + name.len() + 2;
        let (Ok(name_at), Ok(value_at), Ok(_)) = (
            u32::try_from(start),
            u32::try_from(value_start),
            u32::try_from(value_start + value.len() + 2),
        ) else {
            return false;
        };
        self.raw.reserve(name.len() + value.len() + 4);
        self.raw.extend_from_slice(name);
        self.raw.extend_from_slice(b": ");
        self.raw.extend_from_slice(value);
        self.raw.extend_from_slice(b"\r\n");
        self.note(Field {
            name: name_at,
            name_len: value_at - name_at - 2,
            value: value_at,
            value_len: u32::try_from(value.len()).unwrap_or(u32::MAX),
            known: Known::of(name),
        });
        true
    }

    /// Keeps only the fields for which `keep` says so. Returns how many went.
    pub(crate) fn retain(&mut self, keep: impl Fn(&[u8], &[u8]) -> bool) -> usize {
        if self.iter().all(|(name, value)| keep(name, value)) {
            return 0;
        }
        let before = self.fields.len();
        let old = std::mem::take(self);
        for (name, value) in old.iter().filter(|(name, value)| keep(name, value)) {
            self.append(name, value);
        }
        before - self.fields.len()
    }

    /// Turns an inbound block into one that lines can be appended to.
    fn own(&mut self) {
        if self.foreign {
            let old = std::mem::take(self);
            for (name, value) in old.iter() {
                self.append(name, value);
            }
        }
    }

    fn note(&mut self, field: Field) {
        if let Some(known) = field.known {
            self.known.insert(known);
        }
        self.fields.push(field);
    }

    /// The field lines as they are sent, if the block already has that form.
    pub(crate) fn wire_form(&self) -> Option<&[u8]> {
        (!self.foreign).then_some(&self.raw)
    }

    /// All bytes of the block: of an inbound one the section as it was received, the blank line included.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(crate) fn capacity(&self) -> usize {
        self.raw.capacity()
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn has(&self, known: Known) -> bool {
        self.known.contains(known)
    }

    /// Name and value of every line, in order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| self.at(field))
    }

    /// The values of the lines with a known name, in order.
    pub(crate) fn known(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        let fields = if self.has(known) {
            self.fields.as_slice()
        } else {
            &[]
        };
        fields
            .iter()
            .filter(move |field| field.known == Some(known))
            .map(|field| self.at(field).1)
    }

    fn at(&self, field: &Field) -> (&[u8], &[u8]) {
        let slice = |start: u32, len: u32| {
            let (start, len) = (start as usize, len as usize);
            self.raw
                .get(start..)
                .and_then(|rest| rest.get(..len))
                .unwrap_or_default()
        };
        (
            slice(field.name, field.name_len),
            slice(field.value, field.value_len),
        )
    }
}
