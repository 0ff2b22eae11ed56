//! The requests that a client has sent, for the builder, which frames each response by its request.
//!
//! This alone the two actors of a connection do not say by a message: both look at one place. It has to be known before a
//! byte of the response is decoded, and nobody has to be woken for it. An envelope for each request was 5 % of the
//! instructions of an exchange, and two of its five allocations.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::wire::{Decoder, Expected};

/// What was sent over one connection and the decoder does not know of yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Awaited(Rc<RefCell<VecDeque<Expected>>>);

impl Awaited {
    /// A request is about to be sent.
    pub(super) fn add(&self, expected: Expected) {
        self.0.borrow_mut().push_back(expected);
    }

    /// Bytes are about to be decoded.
    pub(super) fn tell(&self, decoder: &mut Decoder) {
        let mut awaited = self.0.borrow_mut();
        while let Some(expected) = awaited.pop_front() {
            decoder.expect(expected);
        }
    }
}
