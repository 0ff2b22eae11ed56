//! Lines (RFC 9112 section 2.2): the only place that looks at CR and LF in a head, a chunk line or a trailer section.
//!
//! Only CRLF ends a line. A bare CR, a bare LF and a folded line are refused here, so that every rule above works on a
//! [`ScannedLine`] or [`ScannedFields`] and never sees a line end. Limits are enforced here too, as soon as too many
//! bytes are there without an end, because a line that never ends is never parsed.
//!
//! A [`Scan`] remembers where it stopped: no byte is looked at twice, however the bytes drip in.

use std::borrow::Cow;

use memchr::{memchr_iter, memchr2};

use super::{Leniency, Limits};
use crate::error::WireError;

/// Proof that these bytes are one line: no CR, no LF. The line end is cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScannedLine<'a>(&'a [u8]);

impl<'a> ScannedLine<'a> {
    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }
}

/// Proof that these bytes are whole lines, the last one blank, with no stray CR or LF and no fold.
#[derive(Debug)]
pub(super) struct ScannedFields<'a> {
    bytes: Cow<'a, [u8]>,
    count: usize,
}

impl ScannedFields<'_> {
    /// The section with its line ends and the blank line.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many field lines there are at most.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The field lines one by one, for the diagnosis of a bad one.
    pub(super) fn lines(&self) -> impl Iterator<Item = ScannedLine<'_>> {
        self.bytes
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .take_while(|line| !line.is_empty())
            .map(ScannedLine)
    }
}

/// The bounds of a section of field lines, and what passing them is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) size: usize,
    pub(super) oversize: WireError,
    pub(super) count: usize,
    pub(super) overcount: WireError,
    pub(super) leniency: Leniency,
}

impl Bounds {
    /// A head: the start line counts towards its size.
    pub(super) fn head(limits: &Limits, leniency: Leniency) -> Self {
        Self {
            size: limits.head,
            oversize: WireError::HeadTooLarge,
            count: limits.fields,
            overcount: WireError::TooManyFields,
            leniency,
        }
    }

    /// A trailer section. Chunked framing is never read leniently.
    pub(super) fn trailers(limits: &Limits) -> Self {
        Self {
            size: limits.trailers,
            oversize: WireError::TrailersTooLarge,
            count: limits.fields,
            overcount: WireError::TrailersTooLarge,
            leniency: Leniency::default(),
        }
    }

    /// The part of the input in which the section must end. What stands behind it cannot change the outcome, and so
    /// the outcome does not depend on how much has arrived.
    fn window<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        input.get(..self.size).unwrap_or(input)
    }
}

/// How far a line or a section has been looked at. Offsets count from the first byte that is not consumed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scan {
    /// The first byte that has not been looked at.
    at: usize,
    /// Where the current line starts.
    line: usize,
    /// Length of the start line with its end; 0 while it is not complete.
    start: usize,
    /// Field lines begun so far.
    count: usize,
    folded: bool,
    /// Bytes looked at, for the test that none is looked at twice.
    #[cfg(test)]
    looked: usize,
}

impl Scan {
    /// Bytes looked at since the scan began.
    #[cfg(test)]
    pub(super) fn looked(&self) -> usize {
        self.looked
    }

    /// Whether nothing has been looked at yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.at == 0
    }

    /// Length of the start line with its end, once it is complete.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Whether the start line is complete and no field line has been looked at.
    pub(super) fn is_at_fields(&self) -> bool {
        self.start > 0 && self.at == self.start
    }

    /// Length of what was scanned as complete lines.
    pub(super) fn len(&self) -> usize {
        self.line
    }

    /// The start line of a head, `None` while it is incomplete. May be asked again once it is complete.
    pub(super) fn start_line<'a>(
        &mut self,
        input: &'a [u8],
        limit: usize,
        bounds: &Bounds,
    ) -> Result<Option<ScannedLine<'a>>, WireError> {
        let window = bounds.window(input);
        if self.start > 0 {
            let line = window.get(..self.start).unwrap_or_default();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            return Ok(Some(ScannedLine(line.strip_suffix(b"\r").unwrap_or(line))));
        }
        let bare_lf = bounds.leniency.bare_lf;
        let line = self.line(window, bare_lf, limit, WireError::StartLineTooLong)?;
        if line.is_none() && input.len() >= bounds.size {
            return Err(bounds.oversize);
        }
        self.start = self.line;
        Ok(line)
    }

    /// The field lines up to and with the blank line, `None` while they are incomplete.
    pub(super) fn fields<'a>(
        &mut self,
        input: &'a [u8],
        bounds: &Bounds,
    ) -> Result<Option<ScannedFields<'a>>, WireError> {
        let window = bounds.window(input);
        loop {
            if self.at == self.line {
                self.begin_field_line(window, bounds)?;
            }
            match self.line(window, bounds.leniency.bare_lf, usize::MAX, bounds.oversize)? {
                None if input.len() >= bounds.size => return Err(bounds.oversize),
                None => return Ok(None),
                Some(ScannedLine([])) => break,
                Some(_) => {}
            }
        }
        let bytes = window.get(self.start..self.line).unwrap_or_default();
        Ok(Some(ScannedFields {
            bytes: if self.folded {
                Cow::Owned(unfold(bytes))
            } else {
                Cow::Borrowed(bytes)
            },
            count: self.count,
        }))
    }

    /// A chunk line, `None` while it is incomplete (RFC 9112 section 7.1).
    pub(super) fn chunk_line<'a>(
        &mut self,
        input: &'a [u8],
        limit: usize,
    ) -> Result<Option<ScannedLine<'a>>, WireError> {
        self.line(input, false, limit, WireError::ChunkLineTooLong)
    }

    /// Looks at the first byte of a field line: is it one too many, is it a fold?
    fn begin_field_line(&mut self, window: &[u8], bounds: &Bounds) -> Result<(), WireError> {
        match window.get(self.line) {
            // The first line has nothing that it could continue.
            Some(b' ' | b'\t') if !bounds.leniency.obs_fold || self.line == self.start => {
                Err(WireError::ObsFold)
            }
            Some(b' ' | b'\t') => {
                self.folded = true;
                Ok(())
            }
            None | Some(b'\r' | b'\n') => Ok(()),
            Some(_) if self.count >= bounds.count => Err(bounds.overcount),
            Some(_) => {
                self.count = self.count.saturating_add(1);
                // So that this line's first byte is not taken for a beginning again when the rest of it arrives.
                self.at = self.line.saturating_add(1);
                Ok(())
            }
        }
    }

    fn line<'a>(
        &mut self,
        window: &'a [u8],
        bare_lf: bool,
        limit: usize,
        too_long: WireError,
    ) -> Result<Option<ScannedLine<'a>>, WireError> {
        let rest = window.get(self.at..).unwrap_or_default();
        let found = memchr2(b'\r', b'\n', rest);
        let end = self.at.saturating_add(found.unwrap_or(rest.len()));
        #[cfg(test)]
        {
            self.looked = self
                .looked
                .saturating_add(end.saturating_sub(self.at).saturating_add(1));
        }
        // Before the line end is judged: whether it is there yet must not matter.
        if end.saturating_sub(self.line) > limit {
            return Err(too_long);
        }
        self.at = end;
        let next = end.saturating_add(1);
        let after = match (window.get(end), window.get(next)) {
            (None, _) | (Some(b'\r'), None) => return Ok(None),
            (Some(b'\n'), _) if bare_lf => next,
            (Some(b'\n'), _) => return Err(WireError::BareLf),
            (Some(_), Some(b'\n')) => next.saturating_add(1),
            (Some(_), _) => return Err(WireError::BareCr),
        };
        let line = window.get(self.line..end).unwrap_or_default();
        self.line = after;
        self.at = after;
        Ok(Some(ScannedLine(line)))
    }
}

/// The one empty line that may stand before a request (RFC 9112 section 2.2): how many bytes it has.
///
/// `None` if there is none; `Some(0)` if its second byte is still to come.
pub(super) fn empty_line(input: &[u8], bare_lf: bool) -> Option<usize> {
    match input {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n', ..] if bare_lf => Some(1),
        [b'\r'] => Some(0),
        _ => None,
    }
}

/// Replaces every fold by spaces (RFC 9112 section 5.2), byte for byte so that the length stays.
fn unfold(section: &[u8]) -> Vec<u8> {
    let mut text = section.to_vec();
    for end in memchr_iter(b'\n', section) {
        if let Some(b' ' | b'\t') = section.get(end.saturating_add(1)) {
            let start = end.saturating_sub(1);
            for at in start..=end {
                if let Some(byte @ (b'\r' | b'\n')) = text.get_mut(at) {
                    *byte = b' ';
                }
            }
        }
    }
    text
}
