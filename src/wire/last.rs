//! The memory of the last head.
//!
//! Peers repeat themselves: most heads on a connection are equal to the one before, or differ in the request line or in
//! a field or two. Only the differences are parsed. So the next bytes are first compared with the last head. A hit
//! shares the earlier result. It depends on the bytes and the rules alone, gives what parsing again would give, and
//! never decides an error.
//!
//! The first request of a connection is compared with the first one of the connection before it on this thread. Clients
//! that connect for each request repeat themselves too, and idle connections with equal heads share one.

use std::cell::RefCell;
use std::sync::Arc;

use super::facts::Facts;
use super::field;
use super::framing::Framing;
use super::limits::Limits;
use super::line::Scan;
use super::response_head::StatusLine;
use super::rules::Rules;
use crate::payload::{Block, Known, Message, StartLine, give_block, take_block};

/// A larger head is forgotten after its delivery, so that an idle connection stays small.
const KEPT: usize = 4096;

/// The last head.
#[derive(Debug, Default)]
pub(super) struct LastHead {
    /// The start line with its end. Empty while nothing is known.
    line: Vec<u8>,
    /// What `line` says, once it has come twice: keeping a line that comes once would cost an allocation for each head.
    start: Option<StartMemo>,
    /// The field lines.
    fields: Arc<Block>,
}

/// A parsed start line, to be shared.
#[derive(Debug)]
enum StartMemo {
    Request(Arc<StartLine>, Framing, Facts),
    Response(StatusLine),
}

/// The fields of a head.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) block: Arc<Block>,
    /// Bytes of the whole head.
    pub(super) len: usize,
    /// Whether they are those of the head before.
    same: bool,
    /// Whether Host was judged with another start line.
    pub(super) host: bool,
}

impl Fields {
    /// Fields that were parsed now.
    pub(super) fn new(block: Arc<Block>, len: usize) -> Self {
        Self {
            block,
            len,
            same: false,
            host: false,
        }
    }
}

thread_local! {
    /// The first head of the last connection that had one, and the rules that it was read by.
    static FIRST: RefCell<Option<(Arc<Rules>, Arc<LastHead>)>> = const { RefCell::new(None) };
}

impl LastHead {
    /// What the first head of a connection may equal.
    pub(super) fn of_thread(rules: &Arc<Rules>) -> Option<Arc<Self>> {
        let first = |first: &RefCell<Option<(Arc<Rules>, Arc<Self>)>>| {
            let first = first.borrow();
            let (by, last) = first.as_ref()?;
            Arc::ptr_eq(by, rules).then(|| Arc::clone(last))
        };
        // The thread may be ending.
        FIRST.try_with(first).ok().flatten()
    }

    /// Keeps this as the first head of a connection.
    pub(super) fn keep(self: &Arc<Self>, rules: &Arc<Rules>) {
        let kept = Some((Arc::clone(rules), Arc::clone(self)));
        // The thread may be ending.
        let _ = FIRST.try_with(|first| first.replace(kept));
    }

    /// The head and its length, if the same bytes come again.
    pub(super) fn recall(
        &self,
        input: &[u8],
        message: &mut Message,
    ) -> Option<(Option<(Framing, Facts)>, usize)> {
        let known = self.start.as_ref()?;
        let rest = input.strip_prefix(self.line.as_slice())?;
        if !rest.starts_with(self.fields.raw()) {
            return None;
        }
        let asked = match known {
            StartMemo::Request(line, framing, facts) => {
                message.start.lend(line);
                Some((*framing, *facts))
            }
            StartMemo::Response(line) => {
                line.clone().put(message);
                None
            }
        };
        message.headers.lend(&self.fields);
        let len = self.line.len().saturating_add(self.fields.raw().len());
        Some((asked, len))
    }

    /// The fields, if all or some lines come again at their places after another start line. Only when they are looked
    /// at for the first time.
    pub(super) fn recall_fields(
        &self,
        scan: &Scan,
        input: &[u8],
        limits: &Limits,
    ) -> Option<Fields> {
        if !scan.is_at_fields() || self.line.is_empty() {
            return None;
        }
        let rest = input.get(scan.start()..)?;
        // With a longer start line the same fields may exceed the limit: then the scan finds the error.
        let len = |fields: usize| {
            let len = scan.start().saturating_add(fields);
            (len <= limits.head).then_some(len)
        };
        let raw = self.fields.raw();
        if rest.starts_with(raw)
            && let Some(len) = len(raw.len())
        {
            return Some(Fields {
                block: Arc::clone(&self.fields),
                len,
                same: true,
                host: true,
            });
        }
        let mut block = take_block();
        let found = field::index_by(&self.fields, rest, Arc::make_mut(&mut block));
        if let Some((fields, anew)) = found
            && let Some(len) = len(fields)
        {
            return Some(Fields {
                block,
                len,
                same: false,
                host: !anew.contains(Known::Host),
            });
        }
        give_block(block);
        None
    }

    /// Keeps this head as the last. `None` if it is too large to be kept.
    pub(super) fn learn(
        last: Option<Arc<Self>>,
        line: &[u8],
        read: &Fields,
        message: &Message,
        asked: Option<(Framing, Facts)>,
    ) -> Option<Arc<Self>> {
        if line.len() > KEPT || read.block.capacity() > KEPT {
            return None;
        }
        let again = read.same && last.as_ref().is_some_and(|last| last.line == line);
        let mut last = last.unwrap_or_default();
        if Arc::get_mut(&mut last).is_none() {
            // Another connection has it.
            last = Arc::default();
        }
        if let Some(last) = Arc::get_mut(&mut last) {
            last.start = again.then(|| match asked {
                Some((framing, facts)) => {
                    let line = message.start.line().clone();
                    StartMemo::Request(Arc::new(line), framing, facts)
                }
                None => StartMemo::Response(StatusLine::of(message)),
            });
            last.line.clear();
            last.line.extend_from_slice(line);
            if !Arc::ptr_eq(&last.fields, &read.block) {
                give_block(std::mem::replace(&mut last.fields, Arc::clone(&read.block)));
            }
        }
        Some(last)
    }
}
