//! Answers to behaviours that may have to wait for room.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Context, Message};

use super::HttpSession;
use super::link::Link;
use super::unsent::Unsent;
use crate::error::{Refused, RefusedReason};
use crate::payload::Payload;

/// Who waits for room in the outbound buffer: the sender of a message, put here by actix once the message was handled.
type Seat<T> = Rc<Cell<Option<OneshotSender<T>>>>;

/// The answer to a behaviour, with the place for a refusal that nobody awaits.
#[derive(Debug)]
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
pub struct Verdict<R, M> {
    result: Result<R, Refused<M>>,
    unheard: Option<Rc<Unheard>>,
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

impl<R, M> Verdict<R, M> {
    pub(super) fn new(result: Result<R, Refused<M>>, link: &mut Link) -> Self {
        let unheard = result
            .is_err()
            .then(|| link.unheard.get_or_insert_default().clone());
        Self { result, unheard }
    }
}

impl<R, M, T> MessageResponse<HttpSession, T> for Verdict<R, M>
where
    T: Message<Result = Result<R, Refused<M>>>,
    M: IntoUnsent,
{
    fn handle(self, _: &mut Context<HttpSession>, sender: Option<OneshotSender<T::Result>>) {
        match (self.result, sender, self.unheard) {
            // A sender that stopped waiting is one that does not want to know.
            (result, Some(sender), _) => drop(sender.send(result)),
            (Err(refused), None, Some(unheard)) => {
                let refused = refused.map(IntoUnsent::into_unsent);
                if refused.reason == RefusedReason::Overrun
                    && matches!(refused.message, Unsent::Data(_))
                {
                    unheard.hole.set(true);
                }
                unheard.refused.borrow_mut().push(refused);
            }
            (Ok(_) | Err(_), None, _) => {}
        }
    }
}

/// The answer of `SendChunk`, `Write` and their like.
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
pub enum Reply<M> {
    /// Known now.
    Now(Verdict<(), M>),
    /// Taken; answered when there is room.
    Later(Seat<Result<(), Refused<M>>>),
}

impl<M> fmt::Debug for Reply<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Later(_) => "Later",
        })
    }
}

/// Somebody who waits for room, of whatever message.
pub(super) trait Waiter: fmt::Debug {
    /// Whether anybody sits here: not after a `do_send`, and not once the sender has gone.
    fn is_waiting(&self) -> bool;

    /// Lets the sender go on: there is room, or there never will be.
    fn release(self: Box<Self>, result: Result<(), RefusedReason>);
}

struct Seated<M>(Seat<Result<(), Refused<M>>>, fn() -> M);

impl<M> fmt::Debug for Seated<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seated")
    }
}

impl<M> Waiter for Seated<M> {
    fn is_waiting(&self) -> bool {
        let sender = self.0.take();
        let waiting = sender.as_ref().is_some_and(|sender| !sender.is_closed());
        self.0.set(sender);
        waiting
    }

    fn release(self: Box<Self>, result: Result<(), RefusedReason>) {
        if let Some(sender) = self.0.take() {
            // A sender that does not wait any more is not missed.
            let _ = sender.send(result.map_err(|reason| Refused::new(reason, (self.1)())));
        }
    }
}

/// The way back of a [`Parcel`](super::inbound::Parcel) that was taken while the buffer is above its mark.
#[derive(Debug)]
pub(super) struct Posted<M>(
    pub(super) tokio::sync::oneshot::Sender<Result<(), Refused<M>>>,
    pub(super) fn() -> M,
);

impl<M: fmt::Debug> Waiter for Posted<M> {
    fn is_waiting(&self) -> bool {
        !self.0.is_closed()
    }

    fn release(self: Box<Self>, result: Result<(), RefusedReason>) {
        // As above.
        let _ = self
            .0
            .send(result.map_err(|reason| Refused::new(reason, (self.1)())));
    }
}

impl<M: 'static> Reply<M> {
    /// An answer that waits, and its waiter. The data of a waiting message were taken, so `nothing` stands for them if
    /// the session ends first.
    pub(super) fn later(nothing: fn() -> M) -> (Self, Box<dyn Waiter>) {
        let seat: Seat<_> = Rc::default();
        (Self::Later(seat.clone()), Box::new(Seated(seat, nothing)))
    }
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

impl<T, M> MessageResponse<HttpSession, T> for Reply<M>
where
    T: Message<Result = Result<(), Refused<M>>>,
    M: IntoUnsent,
{
    fn handle(self, ctx: &mut Context<HttpSession>, sender: Option<OneshotSender<T::Result>>) {
        match self {
            Self::Now(verdict) => MessageResponse::<HttpSession, T>::handle(verdict, ctx, sender),
            Self::Later(seat) => seat.set(sender),
        }
    }
}
