//! The response head that a thread rendered last.
//!
//! Servers repeat themselves: most answers on a thread differ from the previous one only in their body. A head is a
//! function of [`Key`] and of the field lines, so if these are the same it is copied. It is never the result of an error:
//! refused heads are not remembered.

use std::cell::RefCell;

use http::StatusCode;

use super::answering::Answering;
use super::plan::Plan;
use crate::payload::{Message, TransferMode};
use crate::wire::Output;

/// A longer head is not remembered.
const KEPT: usize = 2048;

#[derive(Debug, Default)]
struct LastRendered {
    /// What the head was made of, and what it begins. `None` if none is remembered.
    made: Option<(Key, Plan)>,
    /// The field lines of the application.
    lines: Vec<u8>,
    date: Vec<u8>,
    head: Vec<u8>,
}

thread_local! {
    static LAST: RefCell<LastRendered> = RefCell::default();
}

/// What a head is made of, besides lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    status: StatusCode,
    answering: Answering,
    mode: TransferMode,
    length: Option<u64>,
}

impl Key {
    /// `None` if the head depends on more.
    pub(super) fn of(message: &Message, status: StatusCode, answering: Answering) -> Option<Self> {
        message.reason.is_none().then_some(Self {
            status,
            answering,
            mode: message.mode,
            length: message.body_size(),
        })
    }

    /// Writes the last head, if it would be this one.
    pub(super) fn recall(self, lines: &[u8], date: &[u8], out: &mut impl Output) -> Option<Plan> {
        LAST.try_with(|last| {
            let last = last.borrow();
            let (key, plan) = last.made.as_ref()?;
            let same = *key == self && last.lines == lines && last.date == date;
            same.then(|| {
                out.small().extend_from_slice(&last.head);
                *plan
            })
        })
        .ok()
        .flatten()
    }

    pub(super) fn remember(self, lines: &[u8], date: &[u8], plan: Plan, head: &[u8]) {
        // The thread may be ending: then nothing is remembered.
        let _ = LAST.try_with(|last| {
            let mut last = last.borrow_mut();
            last.made = (head.len() <= KEPT).then_some((self, plan));
            if last.made.is_some() {
                lines.clone_into(&mut last.lines);
                date.clone_into(&mut last.date);
                head.clone_into(&mut last.head);
            }
        });
    }
}
