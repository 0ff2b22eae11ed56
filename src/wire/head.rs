//! Complete heads: from bytes to a parsed start line and indexed fields. If a head equals an earlier one, the earlier
//! result is shared: see `last`.

use std::sync::Arc;

use super::framing::Framing;
use super::last::{Fields, LastHead};
use super::line::{Bounds, Scan};
use super::{Facts, Rules, field, request_head, response_head};
use crate::error::WireError;
use crate::payload::{Message, take_block};

/// Which kind of message is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Requests,
    Responses,
}

/// The parts of a parsed head that are not in the message.
#[derive(Debug)]
pub(super) struct Head {
    /// For a request. The head of a response alone does not say how long its body is.
    pub(super) asked: Option<(Framing, Facts)>,
    /// Bytes that it occupies.
    pub(super) len: usize,
}

/// Reads the heads of one connection.
#[derive(Debug)]
pub(super) struct Heads {
    kind: Kind,
    /// Whether no head was read yet.
    fresh: bool,
    last: Option<Arc<LastHead>>,
    #[cfg(test)]
    forgetful: bool,
}

impl Heads {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            fresh: true,
            last: None,
            #[cfg(test)]
            forgetful: false,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Disables the memory of the last head.
    #[cfg(test)]
    pub(super) fn forget(&mut self) {
        self.forgetful = true;
    }

    /// Reads the head at the front of `input` into a message. `None` while it is incomplete; then the message is
    /// unchanged.
    pub(super) fn read(
        &mut self,
        scan: &mut Scan,
        input: &[u8],
        rules: &Arc<Rules>,
        message: &mut Message,
    ) -> Result<Option<Head>, WireError> {
        if scan.is_fresh() {
            if self.fresh && self.kind == Kind::Requests {
                self.last = LastHead::of_thread(rules);
            }
            if let Some((asked, len)) = self.memory().and_then(|last| last.recall(input, message)) {
                self.fresh = false;
                return Ok(Some(Head { asked, len }));
            }
        }
        let bounds = Bounds::head(&rules.limits, rules.leniency);
        let begun = scan.start() > 0;
        let Some(line) = scan.start_line(input, rules.limits.start_line, &bounds)? else {
            return Ok(None);
        };
        if line.bytes().is_empty() {
            return Err(match self.kind {
                Kind::Requests => WireError::InvalidRequestLine,
                Kind::Responses => WireError::InvalidStatusLine,
            });
        }
        // Looked at as soon as it has come: behind the greeting of another protocol no fields follow.
        let status = match self.kind {
            Kind::Responses if !begun => Some(response_head::parse(line)?),
            Kind::Responses | Kind::Requests => None,
        };
        let recalled = self
            .memory()
            .and_then(|last| last.recall_fields(scan, input, &rules.limits));
        let read = if let Some(recalled) = recalled {
            recalled
        } else {
            match fields(scan, input, &bounds) {
                Ok(Some(read)) => read,
                other => {
                    // Looked at as soon as it has come, and before the fields, like a status line. Only here, because
                    // it is parsed behind the fields if all has come, and if it is a repeated one not at all.
                    if self.kind == Kind::Requests && !begun {
                        request_head::check_line(line)?;
                    }
                    return other.map(|_| None);
                }
            }
        };
        let asked = match self.kind {
            Kind::Requests => {
                let head = request_head::parse(line, &read.block, read.host, read.len, rules)?;
                *message.start.line_mut() = head.line;
                Some((head.framing, head.facts))
            }
            Kind::Responses => {
                let status = match status {
                    Some(status) => status,
                    None => response_head::parse(line)?,
                };
                status.put(message);
                None
            }
        };
        let line = input.get(..scan.start()).unwrap_or_default();
        self.remember(line, &read, message, asked, rules);
        message.headers.set_received(read.block);
        Ok(Some(Head {
            asked,
            len: read.len,
        }))
    }

    fn memory(&self) -> Option<&LastHead> {
        #[cfg(test)]
        if self.forgetful {
            return None;
        }
        self.last.as_deref()
    }

    fn remember(
        &mut self,
        line: &[u8],
        read: &Fields,
        message: &Message,
        asked: Option<(Framing, Facts)>,
        rules: &Arc<Rules>,
    ) {
        let first = std::mem::take(&mut self.fresh) && self.kind == Kind::Requests;
        let closes = matches!(asked, Some((_, facts)) if !facts.keep_alive);
        let last = self.last.take();
        if closes && !first {
            return;
        }
        let last = LastHead::learn(last, line, read, message, asked);
        if first && let Some(last) = &last {
            last.keep(rules);
        }
        if !closes {
            self.last = last;
        }
    }
}

/// The fields of a head, `None` while they are incomplete.
fn fields(scan: &mut Scan, input: &[u8], bounds: &Bounds) -> Result<Option<Fields>, WireError> {
    let Some(section) = scan.fields(input, bounds)? else {
        return Ok(None);
    };
    let mut block = take_block();
    field::index(&section, Arc::make_mut(&mut block))?;
    Ok(Some(Fields::new(block, scan.len())))
}
