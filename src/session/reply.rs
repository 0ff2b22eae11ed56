//! Answers to behaviours: given at once, or when there is room.

use std::fmt;
use std::rc::Rc;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Context, Message};

use super::HttpSession;
use super::link::Link;
use super::sink::{BodyPart, NoMore};
use super::unsent::{IntoUnsent, Unheard};
use super::waiter::ReplySlot;
use crate::error::Refused;

/// The answer to a behaviour, with the list for a refusal that nobody awaits.
#[derive(Debug)]
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
pub struct Verdict<R, M> {
    result: Result<R, Refused<M>>,
    unheard: Option<Rc<Unheard>>,
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
            // If the sender no longer waits, nobody needs the answer.
            (result, Some(sender), _) => drop(sender.send(result)),
            (Err(refused), None, Some(unheard)) => {
                unheard.note(refused.map(IntoUnsent::into_unsent));
            }
            (Ok(_) | Err(_), None, _) => {}
        }
    }
}

/// The answer of `SendChunk`, `Write` and similar messages.
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
pub enum Reply<M> {
    /// Answered at once.
    Now(Verdict<(), M>),
    /// The data were accepted; answered when there is room.
    Later(ReplySlot<Result<(), Refused<M>>>),
}

impl<M> fmt::Debug for Reply<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Later(_) => "Later",
        })
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
            Self::Later(slot) => slot.set(sender),
        }
    }
}

/// The answer to a [`BodyPart`].
#[allow(
    unnameable_types,
    reason = "an associated type that nobody needs to name"
)]
pub enum PartReply {
    /// Answered at once.
    Now(Result<(), NoMore>),
    /// The part was accepted, or kept; answered when there is room.
    Later(ReplySlot<Result<(), NoMore>>),
}

impl fmt::Debug for PartReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Later(_) => "Later",
        })
    }
}

impl MessageResponse<HttpSession, BodyPart> for PartReply {
    fn handle(
        self,
        _: &mut Context<HttpSession>,
        sender: Option<OneshotSender<Result<(), NoMore>>>,
    ) {
        match (self, sender) {
            // If the sender no longer waits, it sends no more parts.
            (Self::Now(answer), Some(sender)) => drop(sender.send(answer)),
            (Self::Now(_), None) => {}
            (Self::Later(slot), sender) => slot.set(sender),
        }
    }
}
