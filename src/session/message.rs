//! The public behaviours: messages that any actor may send to a session.
//!
//! From one sender they are handled in the order in which they were sent (P14); nothing is promised across senders.

use std::fmt;

use actix::{Message, Recipient};
use bytes::Bytes;

use super::handoff::{NotUpgraded, Upgraded};
use super::info::SessionInfo;
use crate::error::Refused;
use crate::payload::{Headers, MessageId, Payload};

/// Begins an outbound message (P3): on a server the answer to the request that is being handled, on a client a request,
/// which is queued (P72).
///
/// A 1xx response other than 101 informs and does not answer. The answer to this message says whether the payload was
/// accepted and names it; what becomes of it arrives at the handler.
///
/// # Errors
/// The payload comes back: `NotOpen` (no request to answer), `AlreadyAnswered`, `Busy` (the queue is full), `Overrun` (an
/// interim response that does not fit), `Closing`, or `Unusable` with what is wrong with it. A refusal that nobody awaits goes to [`HttpHandler::refused`](crate::HttpHandler::refused).
#[doc(alias = "send")]
#[derive(Debug, Message)]
#[rtype(result = "Result<MessageId, Refused<Payload>>")]
pub struct Apply(pub Payload);

/// Begins the message behind which the connection is no longer HTTP, and asks for the connection (N14): on a server 101
/// to a request that offers an upgrade, or a 2xx to CONNECT; on a client a request with an Upgrade field, or CONNECT.
///
/// Answered when HTTP is over on the connection: after the head of the server's response, when all output was taken. The
/// exchange is completed first, then the session ends; its handler hears nothing of the new protocol. A client's requests
/// that still wait fail then, to be sent elsewhere. Where a client's server declines, its response goes to the handler,
/// and the session goes on.
///
/// To be sent by `send`, or nobody gets the connection and it closes. [`HandOff::to`] sends it to an actor.
///
/// # Errors
/// [`NotUpgraded`]. The payload is refused as by [`Apply`]; with `Unusable(InvalidStatus)` if the request did not offer
/// this, `Unusable(NoUpgrade)` without an Upgrade field, `Unusable(BodyNotAllowed)` with a body, and `Busy` while the body
/// of the request is still coming.
#[derive(Debug, Message)]
#[rtype(result = "Result<Upgraded, NotUpgraded>")]
pub struct HandOff(pub Payload);

impl HandOff {
    /// Gives the connection to an actor, as the message [`Upgraded`]. It gets nothing where nothing is switched.
    pub fn to(payload: Payload, taker: Recipient<Upgraded>) -> HandOffTo {
        HandOffTo { payload, taker }
    }
}

/// [`HandOff`] to an actor; see [`HandOff::to`]. Answered like [`Apply`].
#[derive(Message)]
#[rtype(result = "Result<MessageId, Refused<Payload>>")]
pub struct HandOffTo {
    /// The last message of HTTP on this connection from this end.
    pub payload: Payload,
    /// Who gets the connection.
    pub taker: Recipient<Upgraded>,
}

impl fmt::Debug for HandOffTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOffTo")
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

/// Gives body data of the Stream or Chunked message that was begun last (P43).
///
/// The session frames them and holds them to the announced length. Awaited, the answer comes when there is room again:
/// that is backpressure that works across threads. A wait begins when the outbound buffer passes its high-water mark and
/// ends when it falls to the low one. Empty data are taken and send nothing (B27).
///
/// Not cancel-safe: after a dropped wait it is not known whether the data were taken; then only [`Cancel`] is right.
/// [`BodySender`](crate::BodySender) has no such doubt.
///
/// # Errors
/// The data come back: `NotOpen`, `NotYourTurn`, `NoBody`, `Busy` (a raw answer is open), `TooLong`, `Overrun`, `Closing`.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refused<Bytes>>")]
pub struct SendChunk(pub Bytes);

impl SendChunk {
    /// Body data of this message and no other: refused with `NotYourTurn` when it is over.
    pub fn to(message: MessageId, data: impl Into<Bytes>) -> SendChunkTo {
        SendChunkTo {
            message,
            data: data.into(),
        }
    }
}

/// [`SendChunk`] bound to one message; see [`SendChunk::to`].
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refused<Bytes>>")]
pub struct SendChunkTo {
    /// The message that the data belong to.
    pub message: MessageId,
    /// The data.
    pub data: Bytes,
}

/// States that all body data of the outbound message were given (P4).
///
/// # Errors
/// `NotOpen` or `NotYourTurn` if no body is open. If the announced length was not reached, `Unusable(BodyTooShort)`:
/// the message is aborted, so that the peer cannot take it for whole (B27).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), Refused<()>>")]
pub struct Finish;

impl Finish {
    /// The end of this message and no other.
    pub fn of(message: MessageId) -> FinishOf {
        FinishOf {
            message,
            trailers: None,
        }
    }
}

/// [`Finish`], with trailer fields (RFC 9110 section 6.5). For Chunked messages only.
///
/// # Errors
/// As [`Finish`]; `Unusable(TrailersNotAllowed)` leaves the message open.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refused<()>>")]
pub struct FinishWith(pub Headers);

impl FinishWith {
    /// The end of this message and no other.
    pub fn of(message: MessageId, trailers: Headers) -> FinishOf {
        FinishOf {
            message,
            trailers: Some(trailers),
        }
    }
}

/// [`Finish`] or [`FinishWith`] bound to one message.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refused<()>>")]
pub struct FinishOf {
    /// The message that ends.
    pub message: MessageId,
    /// Its trailer fields.
    pub trailers: Option<Headers>,
}

/// Writes raw bytes to the connection, without any framing (P6): a hand-made response.
///
/// Only while a request waits for its answer: the bytes are the answer, from the status line on, and [`Finish`] ends it.
/// The session cannot check them. Backpressure as for [`SendChunk`].
///
/// # Errors
/// The data come back: `NotOpen`, `Busy` (a framed message is open), `AlreadyAnswered`, `Overrun`, `Closing`.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refused<Bytes>>")]
pub struct Write(pub Bytes);

impl Write {
    /// Raw bytes for the answer to this exchange and no other: refused with `NotYourTurn` when it is over.
    pub fn to(exchange: MessageId, data: impl Into<Bytes>) -> WriteTo {
        WriteTo {
            exchange,
            data: data.into(),
        }
    }
}

/// [`Write`] bound to one exchange; see [`Write::to`].
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refused<Bytes>>")]
pub struct WriteTo {
    /// The exchange that the bytes answer.
    pub exchange: MessageId,
    /// The bytes.
    pub data: Bytes,
}

/// Stops sending a message, or gives up the exchange that it belongs to (P7).
///
/// A message in flight cannot be taken back: the connection is aborted, so that the peer sees that it is not whole
/// (P82). An id that is not in use has no effect (P83).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Cancel(pub MessageId);

impl Cancel {
    /// Whatever exchange is going on.
    pub fn current() -> CancelCurrent {
        CancelCurrent
    }

    /// Every exchange that was begun or waits.
    pub fn all() -> CancelAll {
        CancelAll
    }
}

/// See [`Cancel::current`].
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct CancelCurrent;

/// See [`Cancel::all`].
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct CancelAll;

/// Closes the connection from this end and ends the session (P5, P85): nothing more is flushed, and every exchange that is
/// open ends in `cancelled`. Sent to a [`ServerActor`](crate::ServerActor), it does so to every session, and ends the server
/// (P111).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Dispose;

/// Asks how the session is doing (N8).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "SessionInfo")]
pub struct Inspect;
