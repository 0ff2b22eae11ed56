//! Heads, whole: from bytes to a parsed start line and indexed fields, with the connection's memory of its last head.
//!
//! Peers repeat themselves: on one connection most heads are equal to the one before, or differ in the request line, or
//! in a field or two, and only these are parsed. So the next bytes are compared with the last head first. A hit shares
//! what was parsed then; it is a function of the bytes alone, gives what parsing them again would give, and never
//! decides an error.

use std::sync::Arc;

use super::field;
use super::framing::Framing;
use super::line::{Bounds, Scan};
use super::response_head::{self, StatusLine};
use super::{Facts, Limits, Rules, request_head};
use crate::error::WireError;
use crate::payload::{self, Block, Message, StartLine, give_block, take_block};

/// A larger head is forgotten once it was delivered, so that an idle connection stays small; and so is the last one of a
/// connection.
const KEPT: usize = 4096;

/// Which kind of message is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Requests,
    Responses,
}

/// A parsed head: what of it is not in the message.
#[derive(Debug)]
pub(super) struct Head {
    /// Of a request. How long the body of a response is, its head alone does not say.
    pub(super) asked: Option<(Framing, Facts)>,
    /// Bytes that it took.
    pub(super) len: usize,
}

/// A parsed start line, to be shared.
#[derive(Debug)]
enum Known {
    Request(Arc<StartLine>, Framing, Facts),
    Response(StatusLine),
}

/// The fields of a head.
#[derive(Debug)]
struct Fields {
    block: Arc<Block>,
    /// Bytes of the whole head.
    len: usize,
    /// They are those of the head before.
    same: bool,
    /// What they say of the host was judged with another start line.
    host: bool,
}

/// Reads the heads of one connection.
#[derive(Debug)]
pub(super) struct Heads {
    kind: Kind,
    last: Option<Box<Last>>,
    #[cfg(test)]
    forgetful: bool,
}

/// The head that came last.
#[derive(Debug, Default)]
struct Last {
    /// The start line with its end. Empty while nothing is known.
    line: Vec<u8>,
    /// What `line` says, once it has come twice: to keep what comes once would cost an allocation a head.
    start: Option<Known>,
    /// The field lines.
    fields: Arc<Block>,
}

impl Heads {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            last: None,
            #[cfg(test)]
            forgetful: false,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Switches the memory off.
    #[cfg(test)]
    pub(super) fn forget(&mut self) {
        self.forgetful = true;
    }

    /// Reads the head at the front of `input` into a message. `None` while it is incomplete; then the message is as it
    /// was.
    pub(super) fn read(
        &mut self,
        scan: &mut Scan,
        input: &[u8],
        rules: &Rules,
        message: &mut Message,
    ) -> Result<Option<Head>, WireError> {
        if scan.is_fresh()
            && let Some(head) = self.recall(input, message)
        {
            return Ok(Some(head));
        }
        let bounds = Bounds::head(&rules.limits, rules.leniency);
        let Some(line) = scan.start_line(input, rules.limits.start_line, &bounds)? else {
            return Ok(None);
        };
        if line.bytes().is_empty() {
            return Err(match self.kind {
                Kind::Requests => WireError::InvalidRequestLine,
                Kind::Responses => WireError::InvalidStatusLine,
            });
        }
        let recalled = self
            .recall_fields(scan, input, &rules.limits)
            .or_else(|| self.recall_lines(scan, input, &rules.limits));
        let read = if let Some(recalled) = recalled {
            recalled
        } else {
            let Some(section) = scan.fields(input, &bounds)? else {
                return Ok(None);
            };
            let mut block = take_block();
            field::index(&section, Arc::make_mut(&mut block))?;
            Fields {
                block,
                len: scan.len(),
                same: false,
                host: false,
            }
        };
        let asked = match self.kind {
            Kind::Requests => {
                let head = request_head::parse(line, &read.block, read.host, read.len, rules)?;
                *message.start.line_mut() = head.line;
                Some((head.framing, head.facts))
            }
            Kind::Responses => {
                response_head::parse(line)?.put(message);
                None
            }
        };
        let line = input.get(..scan.start()).unwrap_or_default();
        self.remember(line, &read, message, asked);
        message.headers.set_received(read.block);
        Ok(Some(Head {
            asked,
            len: read.len,
        }))
    }

    /// The last head, if the same bytes come again.
    fn recall(&self, input: &[u8], message: &mut Message) -> Option<Head> {
        let last = self.memory()?;
        let known = last.start.as_ref()?;
        let rest = input.strip_prefix(last.line.as_slice())?;
        if !rest.starts_with(last.fields.raw()) {
            return None;
        }
        let asked = match known {
            Known::Request(line, framing, facts) => {
                message.start.set_received(Arc::clone(line));
                Some((*framing, *facts))
            }
            Known::Response(line) => {
                line.clone().put(message);
                None
            }
        };
        message.headers.set_received(Arc::clone(&last.fields));
        Some(Head {
            asked,
            len: last.line.len().saturating_add(last.fields.raw().len()),
        })
    }

    /// The last fields, if the same come again behind another start line.
    fn recall_fields(&self, scan: &Scan, input: &[u8], limits: &Limits) -> Option<Fields> {
        let (last, rest) = self.last_fields(scan, input)?;
        let len = scan.start().saturating_add(last.raw().len());
        // A longer line may carry the same fields over the limit: then the scan finds the error.
        (len <= limits.head && rest.starts_with(last.raw())).then(|| Fields {
            block: Arc::clone(last),
            len,
            same: true,
            host: true,
        })
    }

    /// Fields of which some lines are those of the last ones, at their places.
    fn recall_lines(&self, scan: &Scan, input: &[u8], limits: &Limits) -> Option<Fields> {
        let (last, rest) = self.last_fields(scan, input)?;
        let mut block = take_block();
        let found = field::index_by(last, rest, Arc::make_mut(&mut block));
        let len = found.map(|(len, _)| scan.start().saturating_add(len));
        match (found, len) {
            (Some((_, anew)), Some(len)) if len <= limits.head => Some(Fields {
                block,
                len,
                same: false,
                host: !anew.contains(payload::Known::Host),
            }),
            _ => {
                give_block(block);
                None
            }
        }
    }

    /// What the fields at the front of these bytes may be like. Only when they are looked at for the first time.
    fn last_fields<'a>(&self, scan: &Scan, input: &'a [u8]) -> Option<(&Arc<Block>, &'a [u8])> {
        let last = self.memory()?;
        if !scan.is_at_fields() || last.line.is_empty() {
            return None;
        }
        Some((&last.fields, input.get(scan.start()..)?))
    }

    fn memory(&self) -> Option<&Last> {
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
    ) {
        let closes = matches!(asked, Some((_, facts)) if !facts.keep_alive);
        if closes || line.len() > KEPT || read.block.capacity() > KEPT {
            self.last = None;
        } else {
            let last = self.last.get_or_insert_default();
            last.start = (read.same && last.line == line).then(|| match asked {
                Some((framing, facts)) => {
                    let line = message.start.line().clone();
                    Known::Request(Arc::new(line), framing, facts)
                }
                None => Known::Response(StatusLine::of(message)),
            });
            last.line.clear();
            last.line.extend_from_slice(line);
            if !read.same {
                give_block(std::mem::replace(&mut last.fields, Arc::clone(&read.block)));
            }
        }
    }
}
