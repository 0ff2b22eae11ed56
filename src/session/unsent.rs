//! What comes back of a refusal that nobody awaits.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use crate::error::{Refused, RefusedReason};
use crate::payload::Payload;

/// What was refused: the content of a message or a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Unsent {
    /// The payload of an [`Apply`](crate::Apply).
    Payload(Payload),
    /// The data of a [`SendChunk`](crate::SendChunk) or [`Write`](crate::Write).
    Data(Bytes),
    /// A [`Finish`](crate::Finish).
    Finish,
}

/// Turns a refused message into what [`HttpHandler::refused`](crate::HttpHandler::refused) gets.
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

/// What was refused to senders that do not await the answer.
///
/// Whether somebody awaits it is known only after the behaviour was handled, where the session is out of reach. So this
/// is shared with the answers.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    refused: RefCell<Vec<Refused<Unsent>>>,
    /// Whether a piece of the open body is among them.
    lost_piece: Cell<bool>,
}

impl Unheard {
    /// Notes a refusal that nobody awaits. Body data that did not fit are a lost piece of that body.
    pub(super) fn note(&self, refused: Refused<Unsent>) {
        if refused.reason == RefusedReason::Overrun && matches!(refused.message, Unsent::Data(_)) {
            self.lost_piece.set(true);
        }
        self.refused.borrow_mut().push(refused);
    }

    pub(super) fn take(&self) -> Vec<Refused<Unsent>> {
        self.refused.take()
    }

    pub(super) fn has_lost_piece(&self) -> bool {
        self.lost_piece.get()
    }

    pub(super) fn clear_lost_piece(&self) {
        self.lost_piece.set(false);
    }
}
