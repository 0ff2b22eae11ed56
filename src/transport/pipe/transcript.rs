//! Everything that was sent on a connection in memory.

use std::fmt;

/// What both ends of a connection sent, in order.
///
/// Its `Display` form has one line for each line of the wire, escaped: `>` before what this end sent, `<` before what
/// the other end sent, with `(close)` and `(reset)`. `Date` lines are left out, so that a test can compare the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript(Vec<(bool, Act)>);

/// One act of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Say(Vec<u8>),
    Close,
    Reset,
}

impl Transcript {
    /// Makes a transcript of acts, each with whether it is by this end.
    pub(super) fn new(acts: Vec<(bool, Act)>) -> Self {
        Self(acts)
    }

    /// All bytes that this end sent.
    pub fn sent(&self) -> Vec<u8> {
        self.of(true)
    }

    /// All bytes that the other end sent.
    pub fn received(&self) -> Vec<u8> {
        self.of(false)
    }

    /// Whether an end broke the connection, so that the last message may be incomplete. The text says which end.
    pub fn was_reset(&self) -> bool {
        self.0.iter().any(|(_, act)| *act == Act::Reset)
    }

    fn of(&self, end: bool) -> Vec<u8> {
        let acts = self.0.iter().filter(|(near, _)| *near == end);
        acts.flat_map(|(_, act)| match act {
            Act::Say(bytes) => bytes.as_slice(),
            Act::Close | Act::Reset => &[],
        })
        .copied()
        .collect()
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (near, act) in &self.0 {
            let mark = if *near { '>' } else { '<' };
            match act {
                Act::Close => writeln!(f, "{mark} (close)")?,
                Act::Reset => writeln!(f, "{mark} (reset)")?,
                Act::Say(bytes) => {
                    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
                    for line in lines.filter(|line| !line.starts_with(b"Date: ")) {
                        writeln!(f, "{mark} {}", line.escape_ascii())?;
                    }
                }
            }
        }
        Ok(())
    }
}
