//! The chunked coding, inbound (RFC 9112 section 7.1).
//!
//! ```text
//! chunked-body = *chunk last-chunk trailer-section CRLF
//! chunk        = 1*HEXDIG [ chunk-ext ] CRLF chunk-data CRLF
//! chunk-ext    = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
//! ```
//! Refused: any other number form, more than 16 digits, extensions outside the grammar, data not followed by exactly
//! CRLF, forbidden trailers, and framing bytes out of all proportion to the data. No leniency applies here.

use std::ops::Range;

use super::item::Trailers;
use super::line::Scan;
use super::token::{skip_space, take_token, take_value};
use super::{Limits, trailer};
use crate::error::WireError;

/// The decoder's position in a chunked body.
#[derive(Debug)]
pub(super) struct Chunks {
    expect: Expect,
    /// Data bytes announced so far.
    data: u64,
    /// Bytes of chunk lines beyond what the shortest form needs.
    excess: u64,
}

#[derive(Debug)]
enum Expect {
    /// A chunk line.
    Size(Scan),
    /// This many bytes of data are left.
    Data(u64),
    /// The two bytes after the data.
    DataEnd,
    /// The trailer section.
    Trailers(Scan),
}

/// What one step found, and how many bytes it consumed.
#[derive(Debug)]
pub(super) enum Part {
    More(usize),
    Data(Range<usize>),
    End(usize, Option<Trailers>),
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self {
            expect: Expect::Size(Scan::default()),
            data: 0,
            excess: 0,
        }
    }

    /// Bytes of the current chunk's data still to come.
    pub(super) fn left(&self) -> u64 {
        match self.expect {
            Expect::Data(left) => left,
            Expect::Size(_) | Expect::DataEnd | Expect::Trailers(_) => 0,
        }
    }

    /// Reads on to the next piece of data or to the end.
    pub(super) fn read(&mut self, input: &[u8], limits: &Limits) -> Result<Part, WireError> {
        let mut at = 0_usize;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            match &mut self.expect {
                Expect::Size(scan) => {
                    let Some(line) = scan.chunk_line(rest, limits.chunk_line)? else {
                        return Ok(Part::More(at));
                    };
                    at = at.saturating_add(scan.len());
                    let size = self.account(line.bytes(), limits)?;
                    self.expect = match size {
                        0 => Expect::Trailers(Scan::default()),
                        size => Expect::Data(size),
                    };
                }
                Expect::Data(left) => {
                    let len =
                        usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    if len == 0 {
                        return Ok(Part::More(at));
                    }
                    *left = left.saturating_sub(len as u64);
                    if *left == 0 {
                        self.expect = Expect::DataEnd;
                    }
                    return Ok(Part::Data(at..at.saturating_add(len)));
                }
                Expect::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        at = at.saturating_add(2);
                        self.expect = Expect::Size(Scan::default());
                    }
                    [] | [b'\r'] => return Ok(Part::More(at)),
                    _ => return Err(WireError::MissingChunkEnd),
                },
                Expect::Trailers(scan) => {
                    return Ok(match trailer::read(scan, rest, limits)? {
                        None => Part::More(at),
                        Some((len, trailers)) => Part::End(at.saturating_add(len), trailers),
                    });
                }
            }
        }
    }

    /// Adds the size of a chunk line to the totals and checks them against the limits.
    fn account(&mut self, line: &[u8], limits: &Limits) -> Result<u64, WireError> {
        let size = chunk_line(line)?;
        // Small chunks are legitimate: a feed may send them for days. Only needless bytes count, which are leading
        // zeros and extensions, against a quarter of the data.
        let excess = line.len().saturating_sub(digits(size)) as u64;
        self.excess = self.excess.saturating_add(excess);
        let allowance = (self.data >> 2).saturating_add(limits.chunk_overhead);
        if self.excess > allowance {
            return Err(WireError::ChunkOverhead);
        }
        self.data = self
            .data
            .checked_add(size)
            .filter(|sum| limits.body.is_none_or(|limit| *sum <= limit))
            .ok_or(WireError::BodyTooLarge)?;
        Ok(size)
    }
}

/// How many hexadecimal digits a size needs.
fn digits(size: u64) -> usize {
    size.checked_ilog2()
        .map_or(1, |bit| (bit as usize >> 2).saturating_add(1))
}

/// `chunk-size [ chunk-ext ]`
fn chunk_line(line: &[u8]) -> Result<u64, WireError> {
    let mut size = 0_u64;
    let mut len = 0_usize;
    for byte in line {
        let digit = match byte {
            b'0'..=b'9' => byte.wrapping_sub(b'0'),
            b'a'..=b'f' => byte.wrapping_sub(b'a').wrapping_add(10),
            b'A'..=b'F' => byte.wrapping_sub(b'A').wrapping_add(10),
            _ => break,
        };
        if len == 16 {
            return Err(WireError::InvalidChunkSize);
        }
        size = size << 4 | u64::from(digit);
        len = len.saturating_add(1);
    }
    if len == 0 {
        return Err(WireError::InvalidChunkSize);
    }
    match line.get(len..).unwrap_or_default() {
        [] => Ok(size),
        extensions => chunk_extensions(extensions).map(|()| size),
    }
}

/// `chunk-ext` (RFC 9112 section 7.1.1). Extensions are ignored.
fn chunk_extensions(text: &[u8]) -> Result<(), WireError> {
    let mut rest = skip_space(text);
    // Only an extension may follow a size. These are not sizes: "5 5", "0x5", "5_0".
    if rest.first() != Some(&b';') {
        return Err(WireError::InvalidChunkSize);
    }
    while !rest.is_empty() {
        rest = extension(rest).ok_or(WireError::InvalidChunkExtension)?;
    }
    Ok(())
}

fn extension(text: &[u8]) -> Option<&[u8]> {
    let (_, after_name) = take_token(skip_space(text.strip_prefix(b";")?))?;
    let rest = skip_space(after_name);
    let Some(value) = rest.strip_prefix(b"=") else {
        // White space is allowed only before something, not at the end of the line.
        return (!rest.is_empty() || after_name.is_empty()).then_some(rest);
    };
    let (_, after_value) = take_value(skip_space(value))?;
    let rest = skip_space(after_value);
    (!rest.is_empty() || after_value.is_empty()).then_some(rest)
}
