//! Refusals that nobody awaits.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use crate::error::{Refused, RefusedReason};
use crate::payload::Payload;

/// The content of a refused message or call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Unsent {
    /// The payload of an [`Apply`](crate::message::Apply).
    Payload(Payload),
    /// The data of a [`SendChunk`](crate::message::SendChunk) or [`Write`](crate::message::Write).
    Data(Bytes),
    /// A [`Finish`](crate::message::Finish).
    Finish,
}

/// Turns a refused message into the argument of [`HttpHandler::refused`](crate::HttpHandler::refused).
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

/// Refusals for senders that do not await the answer.
///
/// Whether an answer is awaited is known only after the behaviour was handled, when the session is not accessible. So
/// the session shares this list with the answers.
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

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    /// Body data that did not fit leave a hole in the body. Nothing else does.
    #[test]
    fn what_leaves_a_hole() {
        let interim = Unsent::Payload(Payload::response(StatusCode::CONTINUE));
        let data = Unsent::Data("x".into());
        for (reason, message, hole) in [
            (RefusedReason::Overrun, data.clone(), true),
            (RefusedReason::Overrun, interim, false),
            (RefusedReason::Closing, data, false),
        ] {
            let unheard = Unheard::default();
            unheard.note(Refused::new(reason, message));
            assert_eq!(unheard.has_lost_piece(), hole, "{:?}", unheard.take());
        }
    }
}
