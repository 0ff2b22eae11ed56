//! The senders that wait for room in the outbound buffer.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use actix::dev::OneshotSender;
use bytes::Bytes;

use crate::error::{Refused, RefusedReason};

/// Where the answer of a waiting sender goes. actix puts its oneshot sender here once the message was handled.
pub(super) type ReplySlot<T> = Rc<Cell<Option<OneshotSender<T>>>>;

/// The sender of a message that waits for room.
pub(super) trait Waiter: fmt::Debug {
    /// Whether the sender still waits. It does not after a `do_send`, or when it was dropped.
    fn is_waiting(&self) -> bool;

    /// Answers the sender: there is room, or there never will be.
    fn release(self: Box<Self>, result: Result<(), RefusedReason>);
}

struct SlotWaiter<T>(ReplySlot<T>, fn(Result<(), RefusedReason>) -> T);

impl<T> fmt::Debug for SlotWaiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotWaiter")
    }
}

impl<T> Waiter for SlotWaiter<T> {
    fn is_waiting(&self) -> bool {
        let sender = self.0.take();
        let waiting = sender.as_ref().is_some_and(|sender| !sender.is_closed());
        self.0.set(sender);
        waiting
    }

    fn release(self: Box<Self>, result: Result<(), RefusedReason>) {
        if let Some(sender) = self.0.take() {
            // If the sender no longer waits, nobody needs the answer.
            let _ = sender.send((self.1)(result));
        }
    }
}

/// The answer channel of a [`Piece`](super::inbound::Piece) that was accepted while the buffer is above its mark.
#[derive(Debug)]
pub(super) struct Posted(pub(super) tokio::sync::oneshot::Sender<Result<(), Refused<Bytes>>>);

impl Waiter for Posted {
    fn is_waiting(&self) -> bool {
        !self.0.is_closed()
    }

    fn release(self: Box<Self>, result: Result<(), RefusedReason>) {
        // If the sender no longer waits, nobody needs the answer.
        let _ = self.0.send(result.map_err(data_taken));
    }
}

/// The refusal of data that were accepted, because the wait for room ended without it: an empty message is returned.
pub(super) fn data_taken(reason: RefusedReason) -> Refused<Bytes> {
    Refused::new(reason, Bytes::new())
}

/// A slot, the waiter on it, and what makes the answer.
pub(super) fn reply_slot<T: 'static>(
    answer: fn(Result<(), RefusedReason>) -> T,
) -> (ReplySlot<T>, Box<dyn Waiter>) {
    let slot: ReplySlot<T> = Rc::default();
    (slot.clone(), Box::new(SlotWaiter(slot, answer)))
}
