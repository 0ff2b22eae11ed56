//! Lines (RFC 9112 section 2.2): the only place that looks at CR and LF in a head, a chunk line or a trailer section.
//!
//! Only CRLF ends a line. A bare CR, a bare LF and a folded line are refused, so that every rule above works on a
//! [`ScannedLine`] or [`ScannedFields`] and never sees a line end. Limits are enforced here too, as soon as too many
//! bytes are there without an end, because a line that never ends is never parsed.
//!
//! A [`Scan`] remembers where it stopped: no byte is scanned twice, however the bytes arrive.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

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

/// Proof that these bytes are whole lines, the last one blank: every LF ends one, with its CR.
///
/// A line may still contain a bare CR, or be a fold. The field parser rejects such a line, and [`lines`](Self::lines)
/// says which of the two it was.
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
    pub(super) fn lines(&self) -> impl Iterator<Item = Result<ScannedLine<'_>, WireError>> {
        self.bytes
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .take_while(|line| !line.is_empty())
            .map(|line| match line {
                [b' ' | b'\t', ..] => Err(WireError::ObsFold),
                line => without_cr(line),
            })
    }
}

/// The limits of a section of field lines, and the errors for exceeding them.
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

    /// The part of the input in which the section must end. What comes after it cannot change the outcome, so the
    /// outcome does not depend on how much has arrived.
    fn window<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        input.get(..self.size).unwrap_or(input)
    }
}

/// How far a line or a section has been scanned. Offsets count from the first byte that is not consumed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scan {
    /// The first byte that has not been looked at.
    at: usize,
    /// The start of the current line.
    line: usize,
    /// Length of the start line with its end; 0 while it is not complete.
    start: usize,
    /// Complete field lines.
    count: usize,
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
        let bare_lf = bounds.leniency.bare_lf;
        loop {
            let begins = || !matches!(window.get(self.line), None | Some(b'\r' | b'\n'));
            if self.count >= bounds.count && begins() {
                return Err(bounds.overcount);
            }
            let Some(end) = self.line_feed(window) else {
                return if input.len() >= bounds.size {
                    Err(bounds.oversize)
                } else {
                    Ok(None)
                };
            };
            let line = window.get(self.line..end).unwrap_or_default();
            self.line = self.at;
            match line {
                [b'\r'] => break,
                [.., b'\r'] => {}
                [] if bare_lf => break,
                _ if bare_lf => {}
                _ => return Err(WireError::BareLf),
            }
            self.count = self.count.saturating_add(1);
        }
        let section = window.get(self.start..self.line).unwrap_or_default();
        Ok(Some(ScannedFields {
            bytes: if bounds.leniency.obs_fold {
                unfold(section)
            } else {
                Cow::Borrowed(section)
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

    fn line<'a>(
        &mut self,
        window: &'a [u8],
        bare_lf: bool,
        limit: usize,
        too_long: WireError,
    ) -> Result<Option<ScannedLine<'a>>, WireError> {
        let found = self.line_feed(window);
        let seen = window
            .get(self.line..found.unwrap_or(self.at))
            .unwrap_or_default();
        let (line, ended) = match seen.strip_suffix(b"\r") {
            Some(line) => (line, true),
            None => (seen, bare_lf),
        };
        // Checked before the line end is: the result must not depend on whether it has arrived.
        if line.len() > limit {
            return Err(too_long);
        }
        if found.is_none() {
            return Ok(None);
        }
        if !ended {
            return Err(WireError::BareLf);
        }
        self.line = self.at;
        without_cr(line).map(Some)
    }

    /// The next LF that was not looked at before.
    fn line_feed(&mut self, window: &[u8]) -> Option<usize> {
        let rest = window.get(self.at..).unwrap_or_default();
        let found = memchr(b'\n', rest);
        let looked = found.map_or(rest.len(), |offset| offset.saturating_add(1));
        let end = found.map(|offset| self.at.saturating_add(offset));
        self.at = self.at.saturating_add(looked);
        #[cfg(test)]
        {
            self.looked = self.looked.saturating_add(looked);
        }
        end
    }
}

/// The first line, and its length with its end, if it is complete and valid. Otherwise use a [`Scan`], which finds the
/// error.
pub(super) fn first_line(input: &[u8]) -> Option<(ScannedLine<'_>, usize)> {
    let end = memchr(b'\n', input)?;
    let line = input.get(..end)?.strip_suffix(b"\r")?;
    Some((without_cr(line).ok()?, end.saturating_add(1)))
}

/// The first line of a head that is not consumed, as far as it has come: at most this many bytes, without its end. For
/// logs: nothing of it was checked.
pub(super) fn begun(input: &[u8], most: usize) -> &[u8] {
    let blank = input
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let input = input.get(blank.count()..).unwrap_or_default();
    let line = memchr(b'\n', input).and_then(|end| input.get(..end));
    let line = line.unwrap_or(input);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.get(..most).unwrap_or(line)
}

fn without_cr(line: &[u8]) -> Result<ScannedLine<'_>, WireError> {
    match memchr(b'\r', line) {
        Some(_) => Err(WireError::BareCr),
        None => Ok(ScannedLine(line)),
    }
}

/// The one empty line that may come before a request (RFC 9112 section 2.2): how many bytes it has.
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

/// Replaces every fold by spaces (RFC 9112 section 5.2), byte for byte so that the length stays. A first line that
/// begins with a space has nothing to continue, and stays an error.
fn unfold(section: &[u8]) -> Cow<'_, [u8]> {
    let mut text = Cow::Borrowed(section);
    for end in memchr_iter(b'\n', section) {
        if let Some(b' ' | b'\t') = section.get(end.saturating_add(1)) {
            for at in end.saturating_sub(1)..=end {
                if let Some(byte @ (b'\r' | b'\n')) = text.to_mut().get_mut(at) {
                    *byte = b' ';
                }
            }
        }
    }
    text
}
