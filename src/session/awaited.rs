//! The requests that a client has sent, for the builder, which frames each response by its request; and how far the
//! builder is with the responses, for the session.
//!
//! This is the only thing that the two actors of a connection do not say by message: both look at one place. The
//! requests must be known before a byte of a response is decoded, and nobody has to be woken for that. An envelope for
//! each request was 5 % of the instructions of an exchange, and two of its five allocations. The responses are asked
//! for only when something ends.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::wire::{Decoder, Expected};

/// What was sent over one connection and the decoder does not know yet, and what has come over it.
#[derive(Debug, Clone, Default)]
pub(super) struct Awaited(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    sent: RefCell<VecDeque<Expected>>,
    /// Final responses whose head, or all, was handed over.
    answers: Cell<u64>,
    /// How much of the next one has come.
    partial: Cell<Partial>,
}

/// How much of a response has come that was not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Partial {
    #[default]
    Nothing,
    Bytes,
    /// The head, with a part of a body that is handed over when it is whole.
    Head,
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

    /// This much of the next one has come.
    pub(super) fn note(&self, partial: Partial) {
        self.0.partial.set(partial);
    }

    /// Whether this much has come of the response to the `nth` request, counted from 1.
    pub(super) fn has(&self, nth: u64, much: Partial) -> bool {
        let answers = self.0.answers.get();
        answers >= nth || (answers + 1 == nth && self.0.partial.get() >= much)
    }
}
