//! Answers to behaviours that may have to wait for room.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{AsyncContext as _, Context, Message};

use super::HttpSession;
use super::handler::Unsent;
use crate::error::{Refused, RefusedReason};
use crate::payload::{MessageId, Payload};

/// Who waits for room in the outbound buffer: the sender of a message, put here by actix once the message was handled.
type Seat<T> = Rc<Cell<Option<OneshotSender<T>>>>;

/// The answer of `SendChunk`, `Write` and their like.
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
pub enum Reply<M> {
    /// Known now.
    Now(Result<(), Refused<M>>),
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
pub(super) trait Unheard {
    fn unsent(self) -> Unsent;
}

impl Unheard for Payload {
    fn unsent(self) -> Unsent {
        Unsent::Payload(self)
    }
}

impl Unheard for bytes::Bytes {
    fn unsent(self) -> Unsent {
        Unsent::Data(self)
    }
}

impl Unheard for () {
    fn unsent(self) -> Unsent {
        Unsent::Finish
    }
}

/// A refusal that nobody awaits, on its way to the handler. Only here, after the behaviour was handled, is it known
/// whether somebody does.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RefusedUnheard(pub(crate) Refused<Unsent>);

fn answer<R, M: Unheard>(
    result: Result<R, Refused<M>>,
    ctx: &mut Context<HttpSession>,
    sender: Option<OneshotSender<Result<R, Refused<M>>>>,
) {
    match (result, sender) {
        // A sender that stopped waiting is one that does not want to know.
        (result, Some(sender)) => drop(sender.send(result)),
        (Ok(_), None) => {}
        (Err(refused), None) => ctx.notify(RefusedUnheard(refused.map(Unheard::unsent))),
    }
}

impl<T, M> MessageResponse<HttpSession, T> for Reply<M>
where
    T: Message<Result = Result<(), Refused<M>>>,
    M: Unheard,
{
    fn handle(self, ctx: &mut Context<HttpSession>, sender: Option<OneshotSender<T::Result>>) {
        match self {
            Self::Now(result) => answer(result, ctx, sender),
            Self::Later(seat) => seat.set(sender),
        }
    }
}

/// The answer of `Apply`.
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
#[derive(Debug)]
pub struct Accepted(pub(super) Result<MessageId, Refused<Payload>>);

impl<T> MessageResponse<HttpSession, T> for Accepted
where
    T: Message<Result = Result<MessageId, Refused<Payload>>>,
{
    fn handle(self, ctx: &mut Context<HttpSession>, sender: Option<OneshotSender<T::Result>>) {
        answer(self.0, ctx, sender);
    }
}

/// The answer of `Finish` and its like.
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
#[derive(Debug)]
pub struct Ended(pub(super) Result<(), Refused<()>>);

impl<T> MessageResponse<HttpSession, T> for Ended
where
    T: Message<Result = Result<(), Refused<()>>>,
{
    fn handle(self, ctx: &mut Context<HttpSession>, sender: Option<OneshotSender<T::Result>>) {
        answer(self.0, ctx, sender);
    }
}
