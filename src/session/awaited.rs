//! The requests that a client has sent, for the builder, which frames each response by its request; and how far the
//! builder is with the responses, for the session.
//!
//! The two actors of a connection share this instead of sending messages. The requests must be known before a byte of a
//! response is decoded, and no actor needs to be woken for that. The progress of responses is needed only when an exchange
//! ends.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::wire::{Decoder, Expected};

/// The requests that were sent over one connection and are not known to the decoder yet, and the progress of the
/// responses.
#[derive(Debug, Clone, Default)]
pub(super) struct Awaited(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    sent: RefCell<VecDeque<Expected>>,
    /// How many final responses were handed over, at least their head.
    answers: Cell<u64>,
    /// How much of the next response has come.
    partial: Cell<Partial>,
}

/// How much has come of a response that was not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Partial {
    #[default]
    Nothing,
    Bytes,
    /// The head, and a part of a body that is handed over when it is complete.
    Head,
    /// The same, and the status is no success.
    Refusal,
}

impl Awaited {
    /// A request is about to be sent.
    pub(super) fn add(&self, expected: Expected) {
        self.0.sent.borrow_mut().push_back(expected);
    }

    /// Bytes are about to be decoded.
    pub(super) fn tell(&self, decoder: &mut Decoder) {
        let mut sent = self.0.sent.borrow_mut();
        while let Some(expected) = sent.pop_front() {
            decoder.expect(expected);
        }
    }

    /// A final response is handed over.
    pub(super) fn answered(&self) {
        self.0.answers.set(self.0.answers.get() + 1);
        self.0.partial.set(Partial::Nothing);
    }

    /// This much of the next response has come.
    pub(super) fn note(&self, partial: Partial) {
        self.0.partial.set(partial);
    }

    /// Whether this much has come of the response to the `nth` request, counted from 1.
    pub(super) fn has(&self, nth: u64, much: Partial) -> bool {
        let answers = self.0.answers.get();
        answers >= nth || (answers + 1 == nth && self.0.partial.get() >= much)
    }
}
