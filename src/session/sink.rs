//! An inbound body that is sent to another actor (N7): the messages to that actor, and the session's state for it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix::dev::RecipientRequest;
use actix::{Message, Recipient};
use bytes::{Bytes, BytesMut};

use crate::payload::{Headers, MessageId};

/// The size up to which small pieces are joined: each piece costs a message, so a copy is cheaper.
const GATHERED: usize = 16 << 10;

/// A part of a body that is sent to an actor by
/// [`SessionContext::deliver_body_to`](crate::SessionContext::deliver_body_to).
///
/// The answer to [`Part::Data`] is the credit: the next part is sent after the answer, so an actor that answers late
/// slows the peer down. [`Part::End`] follows when all data were answered. [`Part::Cut`] is sent at once when the
/// exchange ends before the body is complete. The answers to these two are not awaited.
///
/// An [`HttpSession`](crate::HttpSession) takes parts too, as the body of its Stream or Chunked message with that id,
/// and answers when there is room. A client session keeps the first part of a request body that cannot be sent yet, and
/// answers it later. A body that is cut, or refused as it comes, cancels its message: the peer sees that it is
/// incomplete.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "Result<(), NoMore>")]
pub struct BodyPart {
    /// The id that was passed to `deliver_body_to`.
    pub message: MessageId,
    /// The part.
    pub part: Part,
}

/// The content of a [`BodyPart`]. The enum is exhaustive, so that no actor overlooks an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A piece. Its boundaries mean nothing. If the peer waits for a 100 (`Expect: 100-continue`), an empty piece
    /// comes first, and answering it sends the 100. If a [`Responder`](crate::Responder) was given away, it decides
    /// instead.
    Data(Bytes),
    /// The end of a complete body, with its trailer fields if it had any.
    End(Option<Headers>),
    /// The end of an incomplete body: its exchange is over. Data that the actor has not handled by then are lost.
    Cut,
}

/// The answer of an actor that wants no more of a body.
///
/// A server drops the rest of the request. A client cancels the exchange, because nobody wants the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no more of this body is wanted")]
pub struct NoMore;

/// The actor that gets the inbound body.
pub(super) struct Sink {
    /// The exchange that the body belongs to.
    pub(super) exchange: MessageId,
    message: MessageId,
    recipient: Recipient<BodyPart>,
    state: State,
    gathered: BytesMut,
}

enum State {
    Ready,
    /// X14: the answer is awaited as long as the exchange lives.
    Sent(Pin<Box<RecipientRequest<BodyPart>>>),
    /// The actor wants no more, or has stopped.
    Deaf,
    Ended,
}

/// Why a sink takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    Unwanted,
    /// The actor has stopped, or gave no answer.
    Gone,
}

impl Sink {
    pub(super) fn new(
        exchange: MessageId,
        message: MessageId,
        recipient: Recipient<BodyPart>,
    ) -> Self {
        Self {
            exchange,
            message,
            recipient,
            state: State::Ready,
            gathered: BytesMut::new(),
        }
    }

    /// Whether it has yet to answer.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.state, State::Sent(_))
    }

    /// Whether two pieces are so small that they are joined.
    pub(super) fn joins(&self, data: usize, next: usize) -> bool {
        self.gathered.len() + data + next <= GATHERED
    }

    /// Takes a piece. With `more`, it is kept and joined with the next one, see [`joins`](Self::joins).
    pub(super) fn data(&mut self, data: Bytes, more: bool) {
        if !matches!(self.state, State::Ready) {
            return;
        }
        let data = if more || !self.gathered.is_empty() {
            self.gathered.extend_from_slice(&data);
            if more {
                return;
            }
            self.gathered.split().freeze()
        } else {
            data
        };
        // X12: a full mailbox refuses only a sender that was parked before, and this one is new.
        let request = self.recipient.clone().send(self.part(Part::Data(data)));
        self.state = State::Sent(Box::pin(request));
    }

    /// Tells the actor that the body is complete.
    pub(super) fn end(mut self, trailers: Option<Headers>) {
        if matches!(self.state, State::Ready) {
            self.recipient.do_send(self.part(Part::End(trailers)));
            self.state = State::Ended;
        }
    }

    /// Ready when the actor has answered.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Loss>> {
        let State::Sent(request) = &mut self.state else {
            return Poll::Pending;
        };
        let loss = match ready!(request.as_mut().poll(cx)) {
            Ok(Ok(())) => {
                self.state = State::Ready;
                return Poll::Ready(Ok(()));
            }
            Ok(Err(NoMore)) => Loss::Unwanted,
            Err(_) => Loss::Gone,
        };
        self.state = State::Deaf;
        Poll::Ready(Err(loss))
    }

    fn part(&self, part: Part) -> BodyPart {
        BodyPart {
            message: self.message,
            part,
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if matches!(self.state, State::Ready | State::Sent(_)) {
            self.recipient.do_send(self.part(Part::Cut));
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("exchange", &self.exchange)
            .field("busy", &self.is_busy())
            .finish_non_exhaustive()
    }
}
