//! The bytes of a header section and an index over them.
//!
//! One block serves both directions. An inbound block holds the message's own copy of its header section, line ends and
//! blank line included, and indexes it without an allocation for each field. An outbound one holds `name: value CRLF`
//! lines, ready to be copied to the wire. A block checks nothing: [`Headers`](super::Headers) and the wire floor check
//! before they append.

use std::ops::Range;

use super::grammar::members;
use super::known::{Known, KnownSet};

/// One field line: where its name and value are in the block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: u32,
    name_len: u32,
    value: u32,
    value_len: u32,
    known: Option<Known>,
}

/// Where the parts of a line are.
#[derive(Debug)]
pub(crate) struct Line {
    /// The length of the line with its end.
    pub(crate) len: usize,
    /// The length of the name, with which the line begins.
    pub(crate) name: usize,
    pub(crate) value: Range<usize>,
}

/// Field lines over one piece of memory.
///
/// A cleared block remembers its outbound lines. Answers repeat themselves: if the same line is appended at the same
/// place, it is reused. That saves checking, copying and indexing it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Block {
    /// The lines of this section, `bytes` long, then those that are remembered.
    raw: Vec<u8>,
    /// Their index: `count` of this section, then the remembered ones.
    fields: Vec<Field>,
    bytes: usize,
    count: usize,
    known: KnownSet,
    /// Whether `raw` is an inbound section, which is not in the form of outbound lines.
    foreign: bool,
}

impl Block {
    /// Removes all lines. The memory is kept, and outbound lines are remembered.
    pub(crate) fn clear(&mut self) {
        self.bytes = 0;
        self.count = 0;
        self.known = KnownSet::default();
        if self.foreign {
            self.foreign = false;
            self.forget();
        }
    }

    /// Replaces the content by an inbound section.
    pub(crate) fn fill(&mut self, section: &[u8]) {
        self.clear();
        self.forget();
        self.foreign = true;
        self.raw.extend_from_slice(section);
        self.bytes = section.len();
    }

    /// Replaces the content by the section at the front of `input`, and reuses the index of another block: a line with
    /// the same bytes at the same place is not parsed again. Returns the length of the section, and the known names of
    /// the lines that were parsed. `None` if the section is incomplete, has another number of lines, or has one that
    /// `parse` rejects.
    pub(crate) fn revise(
        &mut self,
        other: &Self,
        input: &[u8],
        parse: impl Fn(&[u8]) -> Option<Line>,
    ) -> Option<(usize, KnownSet)> {
        self.fill(&[]);
        let mut anew = KnownSet::default();
        let mut at = 0;
        let others = other.raw().strip_suffix(b"\r\n")?;
        let mut fields = other.lines().iter().peekable();
        while let Some(field) = fields.next() {
            let end = fields
                .peek()
                .map_or(others.len(), |next| next.name as usize);
            let before = others.get(field.name as usize..end)?;
            let rest = input.get(at..)?;
            let place = u32::try_from(at).ok()?;
            if rest.starts_with(before) {
                self.note(Field {
                    name: place,
                    value: place.checked_add(field.value - field.name)?,
                    ..*field
                });
                at += before.len();
            } else {
                let line = parse(rest)?;
                let known = Known::of(rest.get(..line.name)?);
                self.note(Field {
                    name: place,
                    name_len: u32::try_from(line.name).ok()?,
                    value: place.checked_add(u32::try_from(line.value.start).ok()?)?,
                    value_len: u32::try_from(line.value.len()).ok()?,
                    known,
                });
                if let Some(known) = known {
                    anew.insert(known);
                }
                at += line.len;
            }
        }
        let end = input.get(at..)?.starts_with(b"\r\n").then_some(at + 2)?;
        self.raw.extend_from_slice(input.get(..end)?);
        self.bytes = end;
        Some((end, anew))
    }

    /// Drops the remembered lines.
    fn forget(&mut self) {
        self.raw.truncate(self.bytes);
        self.fields.truncate(self.count);
    }

    /// Appends this line if it equals the next remembered one, which is valid because it was checked before.
    pub(crate) fn repeat(&mut self, name: &[u8], value: &[u8]) -> bool {
        let Some(field) = self.fields.get(self.count) else {
            return false;
        };
        // The line, its colon and its end.
        let end = self.bytes + name.len() + value.len() + 4;
        let same = field.name_len as usize == name.len()
            && field.value_len as usize == value.len()
            && self.raw.get(self.bytes..end).is_some_and(|line| {
                line.starts_with(name)
                    && line
                        .strip_suffix(b"\r\n")
                        .is_some_and(|line| line.ends_with(value))
            });
        if !same {
            return false;
        }
        if let Some(known) = field.known {
            self.known.insert(known);
        }
        self.bytes = end;
        self.count += 1;
        true
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
        if self.foreign {
            self.own();
        }
        self.forget();
        let start = self.bytes;
        let Ok(end) = u32::try_from(start + name.len() + value.len() + 4) else {
            return false;
        };
        // All of it is below `end`, which fits.
        #[allow(clippy::cast_possible_truncation, reason = "checked above")]
        let [name_at, name_len, value_len] = [start as u32, name.len() as u32, value.len() as u32];
        self.raw.reserve(name.len() + value.len() + 4);
        self.raw.extend_from_slice(name);
        self.raw.extend_from_slice(b": ");
        self.raw.extend_from_slice(value);
        self.raw.extend_from_slice(b"\r\n");
        self.bytes = end as usize;
        self.note(Field {
            name: name_at,
            name_len,
            value: end - 2 - value_len,
            value_len,
            known: Known::of(name),
        });
        true
    }

    /// Keeps only the fields for which `keep` returns true. Returns how many were removed.
    pub(crate) fn retain(&mut self, keep: impl Fn(&[u8], &[u8]) -> bool) -> usize {
        if self.iter().all(|(name, value)| keep(name, value)) {
            return 0;
        }
        let before = self.count;
        let old = std::mem::take(self);
        for (name, value) in old.iter().filter(|(name, value)| keep(name, value)) {
            self.append(name, value);
        }
        before - self.count
    }

    /// Converts an inbound block to the outbound form, so that lines can be appended.
    fn own(&mut self) {
        let old = std::mem::take(self);
        self.copy(&old);
    }

    /// Replaces the content by the lines of another block.
    pub(crate) fn copy(&mut self, other: &Self) {
        self.clear();
        for (name, value) in other.iter() {
            self.append(name, value);
        }
    }

    fn note(&mut self, field: Field) {
        if let Some(known) = field.known {
            self.known.insert(known);
        }
        self.fields.push(field);
        self.count += 1;
    }

    /// The field lines as they are sent, if the block already has that form.
    pub(crate) fn wire_form(&self) -> Option<&[u8]> {
        (!self.foreign).then(|| self.raw())
    }

    /// All bytes of the block. For an inbound one this is the section as it was received, the blank line included.
    pub(crate) fn raw(&self) -> &[u8] {
        self.raw.get(..self.bytes).unwrap_or_default()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.raw.capacity()
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn has(&self, known: Known) -> bool {
        self.known.contains(known)
    }

    /// Whether the block has a line with any of these names.
    pub(crate) fn has_any(&self, known: KnownSet) -> bool {
        self.known.overlaps(known)
    }

    /// Name and value of every line, in order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.lines().iter().map(|field| self.at(field))
    }

    fn lines(&self) -> &[Field] {
        self.fields.get(..self.count).unwrap_or_default()
    }

    /// The values of the lines with a known name, in order.
    pub(crate) fn known(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        let fields = if self.has(known) { self.lines() } else { &[] };
        fields
            .iter()
            .filter(move |field| field.known == Some(known))
            .map(|field| self.at(field).1)
    }

    /// Whether a known list field has this member, without regard to case (P170).
    pub(crate) fn known_has(&self, known: Known, member: &[u8]) -> bool {
        self.known(known)
            .flat_map(members)
            .any(|text| text.eq_ignore_ascii_case(member))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a line as `Headers` does. Whether it was a remembered one.
    fn add(block: &mut Block, name: &str, value: &str) -> bool {
        let again = block.repeat(name.as_bytes(), value.as_bytes());
        assert!(again || block.append(name.as_bytes(), value.as_bytes()));
        again
    }

    fn sent(block: &Block) -> Option<&str> {
        let lines = std::str::from_utf8(block.wire_form()?).expect("ASCII");
        let fields = block
            .iter()
            .map(|(name, value)| format!("{}: {}\r\n", name.escape_ascii(), value.escape_ascii()));
        assert_eq!(lines, fields.collect::<String>());
        assert_eq!(block.len(), block.iter().len());
        Some(lines)
    }

    #[test]
    fn a_line_is_repeated_only_as_it_was() {
        for (name, value, expected) in [
            ("Host", "ab", true),
            ("host", "ab", false),
            ("Hosts", "ab", false),
            ("Hos", "ab", false),
            ("Host", "ac", false),
            ("Host", "cb", false),
            ("Host", "abc", false),
            ("Host", "a", false),
            ("Host", "", false),
            ("Host: ", "ab", false),
        ] {
            let mut block = Block::default();
            add(&mut block, "Host", "ab");
            add(&mut block, "X", "y");
            block.clear();
            assert_eq!((sent(&block), block.has(Known::Host)), (Some(""), false));
            assert_eq!(add(&mut block, name, value), expected, "{name} {value}");
            assert_eq!(block.has(Known::Host), name.eq_ignore_ascii_case("host"));
            assert_eq!(sent(&block), Some(&*format!("{name}: {value}\r\n")));
            // Behind another line nothing is remembered.
            assert_eq!(add(&mut block, "X", "y"), expected, "{name} {value}");
            assert!(!add(&mut block, "X", "y"));
            let lines = format!("{name}: {value}\r\nX: y\r\nX: y\r\n");
            assert_eq!(sent(&block), Some(&*lines));
        }
    }

    #[test]
    fn a_section_becomes_lines_when_one_is_added() {
        let section = b"A:b\r\nHost: \r\n\r\n";
        let mut block = Block::default();
        add(&mut block, "X", "y");
        block.fill(section);
        assert!(block.index(0, 1, 2, 1) && block.index(5, 4, 5, 0));
        assert!(!block.index(section.len(), 1, 0, 0), "behind the section");
        assert!(!block.index(0, section.len() + 1, 0, 0), "and over its end");
        assert_eq!((block.raw(), sent(&block)), (&section[..], None));
        assert_eq!((block.len(), block.has(Known::Host)), (2, true));
        assert!(!add(&mut block, "C", "d"));
        assert_eq!(sent(&block), Some("A: b\r\nHost: \r\nC: d\r\n"));
        assert_eq!(block.known(Known::Host).collect::<Vec<_>>(), [b""]);
    }

    #[test]
    fn nothing_of_a_section_is_remembered() {
        let mut block = Block::default();
        block.fill(b"A: b\r\n\r\n");
        assert!(block.index(0, 1, 3, 1));
        block.clear();
        assert_eq!((sent(&block), block.len()), (Some(""), 0));
        assert!(!add(&mut block, "A", "b"));
        assert_eq!(sent(&block), Some("A: b\r\n"));
    }

    #[test]
    fn a_copy_replaces_what_was_there() {
        let (mut block, mut other) = (Block::default(), Block::default());
        add(&mut block, "Host", "a");
        add(&mut other, "B", "c");
        block.copy(&other);
        assert_eq!(sent(&block), Some("B: c\r\n"));
        assert!(!block.has(Known::Host));
    }

    #[test]
    fn what_is_not_kept_is_counted() {
        let mut block = Block::default();
        for name in ["A", "Host", "B", "Host"] {
            add(&mut block, name, name);
        }
        assert_eq!(block.retain(|_, _| true), 0);
        assert_eq!(
            block.retain(|name, value| (name, value) != (b"Host", b"Host")),
            2
        );
        assert_eq!(sent(&block), Some("A: A\r\nB: B\r\n"));
        assert!(!block.has(Known::Host));
    }
}
