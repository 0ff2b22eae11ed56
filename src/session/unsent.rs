//! What comes back when nobody waits for it.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use crate::error::{Refused, RefusedReason};
use crate::payload::Payload;

/// What a behaviour brought that was refused.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Unsent {
    /// Of [`Apply`](crate::Apply).
    Payload(Payload),
    /// Of [`SendChunk`](crate::SendChunk) or [`Write`](crate::Write).
    Data(Bytes),
    /// Of [`Finish`](crate::Finish).
    Finish,
}

/// What a refused message turns into for [`HttpHandler::refused`](crate::HttpHandler::refused).
pub(super) trait IntoUnsent {
    fn into_unsent(self) -> Unsent;
}

impl IntoUnsent for Payload {
    fn into_unsent(self) -> Unsent {
        Unsent::Payload(self)
    }
}

impl IntoUnsent for bytes::Bytes {
    fn into_unsent(self) -> Unsent {
        Unsent::Data(self)
    }
}

impl IntoUnsent for () {
    fn into_unsent(self) -> Unsent {
        Unsent::Finish
    }
}

/// What was refused to senders that do not wait for the answer. Whether somebody does is known only after the behaviour
/// was handled, where the session is out of reach: so this is shared with the answers.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    refused: RefCell<Vec<Refused<Unsent>>>,
    /// A piece of the open body is among them.
    hole: Cell<bool>,
}

impl Unheard {
    /// Nobody waits for this refusal. Body data that do not fit leave a hole in the body.
    pub(super) fn note(&self, refused: Refused<Unsent>) {
        if refused.reason == RefusedReason::Overrun && matches!(refused.message, Unsent::Data(_)) {
            self.hole.set(true);
        }
        self.refused.borrow_mut().push(refused);
    }

    pub(super) fn take(&self) -> Vec<Refused<Unsent>> {
        self.refused.take()
    }

    pub(super) fn has_hole(&self) -> bool {
        self.hole.get()
    }

    pub(super) fn mend(&self) {
        self.hole.set(false);
    }
}
