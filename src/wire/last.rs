//! The memory of the last head.
//!
//! Peers repeat themselves: most heads on a connection are equal to the previous one, or differ in the request line or
//! in a field or two. So the next bytes are first compared with the last head, and only the differences are parsed. A
//! hit shares the earlier result. That result depends on the bytes and the rules alone, is the same as parsing again
//! would give, and is never an error.
//!
//! The first request of a connection is compared with the first one of the previous connection on this thread, because
//! clients that connect for each request repeat themselves too. Idle connections with equal heads share one copy.

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
    /// The parsed `line`, once it has come twice: keeping every line that comes once would cost an allocation for each
    /// head.
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
    /// Whether they are equal to those of the previous head.
    same: bool,
    /// Whether Host was already checked, with another start line.
    pub(super) host: bool,
}

impl Fields {
    /// Fields that were parsed for this head.
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
    /// The first head of the last connection that had one, and the rules that it was parsed by.
    static FIRST: RefCell<Option<(Arc<Rules>, Arc<LastHead>)>> = const { RefCell::new(None) };
}

impl LastHead {
    /// The head to compare the first head of a connection with.
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

    /// The fields, if all or some lines are repeated at the same places after another start line. Only when the scan
    /// reaches the fields for the first time.
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
            // Another connection shares it.
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
