//! The public behaviours: messages that any actor may send to a session.
//!
//! Messages from one sender are handled in the order in which they were sent (P14). Nothing is promised across senders.

use std::fmt;

use actix::{Message, Recipient};
use bytes::Bytes;

use super::handoff::{NotUpgraded, Upgraded};
use super::info::SessionInfo;
use crate::error::Refused;
use crate::payload::{Headers, MessageId, Payload};

/// Begins an outbound message (P3): at a server the answer to the current request, at a client a request, which is
/// queued (P72).
///
/// A 1xx response other than 101 is informational and does not answer the request. The reply to this message says
/// whether the payload was accepted, and contains its id. What follows is reported to the handler.
///
/// # Errors
/// The payload is returned: `NotOpen` (no request to answer), `AlreadyAnswered`, `Busy` (the queue is full), `Overrun`
/// (an interim response that does not fit), `Closing`, or `Unusable` with what is wrong with it. A refusal that nobody
/// awaits goes to [`HttpHandler::refused`](crate::HttpHandler::refused).
#[doc(alias = "send")]
#[derive(Debug, Message)]
#[rtype(result = "Result<MessageId, Refused<Payload>>")]
pub struct Apply(pub Payload);

/// Offers or accepts a switch to another protocol, and asks for the connection.
///
/// At a server the message is a 101 to a request that offers an upgrade, or a 2xx to CONNECT. At a client it is a
/// request with an Upgrade field, or CONNECT.
///
/// It is answered when HTTP is over on the connection: after the head of the server's response, and when all output was
/// written. The exchange is completed first, then the session ends. Its handler gets nothing of the new protocol.
/// Requests that still wait at a client then fail, and can be sent elsewhere. If the server declines, its response goes
/// to the client's handler, and the session goes on.
///
/// Use `Addr::send`: with `do_send` there is nobody to receive the connection, and it closes. [`HandOff::to`] sends the
/// connection to an actor.
///
/// ```
/// use actix::Addr;
/// use http_actors::message::HandOff;
/// use http_actors::{HttpSession, Payload};
/// use tokio::io::AsyncWriteExt as _;
///
/// async fn upgrade(client: Addr<HttpSession>) -> Result<(), Box<dyn std::error::Error>> {
///     let offer = Payload::get("/chat")?.header("Upgrade", "chat");
///     let mut connection = client.send(HandOff(offer)).await??;
///     connection.write_all(b"hello\n").await?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// [`NotUpgraded`]. The payload is refused as by [`Apply`]; with `Unusable(NoSwitch)` if the request did not offer
/// this, `Unusable(NoUpgrade)` without an Upgrade field, `Unusable(BodyNotAllowed)` with a body, and `Busy` while the
/// body of the request is still coming.
#[derive(Debug, Message)]
#[rtype(result = "Result<Upgraded, NotUpgraded>")]
pub struct HandOff(pub Payload);

impl HandOff {
    /// Gives the connection to an actor, as the message [`Upgraded`]. If the protocol is not switched, the actor gets
    /// nothing.
    pub fn to(payload: Payload, taker: Recipient<Upgraded>) -> HandOffTo {
        HandOffTo { payload, taker }
    }
}

/// [`HandOff`] to an actor; see [`HandOff::to`]. Answered like [`Apply`].
#[derive(Message)]
#[rtype(result = "Result<MessageId, Refused<Payload>>")]
pub struct HandOffTo {
    /// The request or response that switches.
    pub payload: Payload,
    /// The actor that gets the connection.
    pub taker: Recipient<Upgraded>,
}

impl fmt::Debug for HandOffTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOffTo")
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

/// Sends body data of the Stream or Chunked message that was begun last (P43).
///
/// The session frames the data and enforces the announced length. If you await the answer, it comes when there is room
/// again: this is backpressure that works across threads. A wait begins when the outbound buffer rises above its
/// high-water mark and ends when it falls to the low-water mark. Empty data are accepted and send nothing (B27).
///
/// Not cancel-safe: after a dropped wait you do not know whether the data were accepted, and can only [`Cancel`].
/// [`BodySender`](crate::BodySender) does not have this problem.
///
/// # Errors
/// The data are returned: `NotOpen`, `NotYourTurn`, `NoBody`, `Busy` (a raw answer is open), `TooLong`, `Overrun`,
/// `Closing`. They are returned empty if the session ends while the sender waits for room, because they had been
/// accepted.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refused<Bytes>>")]
pub struct SendChunk(pub Bytes);

impl SendChunk {
    /// Body data of this message and no other. Refused with `NotYourTurn` when the message is over.
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

/// Ends the body of the outbound message (P4).
///
/// # Errors
/// `NotOpen`, `NotYourTurn` or `NoBody` if no body is open, `Busy` if a raw answer ([`Write`]) is open and another
/// message is named, `Closing`. If the announced length was not reached, `Unusable(BodyTooShort)`: the message is
/// aborted, so that the peer cannot take it for complete (B27).
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
/// It is allowed only while a request waits for its answer. The bytes are the answer, from the status line on, and
/// [`Finish`] ends it. The session cannot check them. Backpressure works as for [`SendChunk`].
///
/// # Errors
/// The data are returned: `NotOpen`, `Busy` (a framed message is open), `AlreadyAnswered`, `Overrun`, `Closing`; as for
/// [`SendChunk`], they are returned empty if the session ends while the sender waits.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refused<Bytes>>")]
pub struct Write(pub Bytes);

impl Write {
    /// Raw bytes for the answer to this exchange and no other. Refused with `NotYourTurn` when the exchange is over.
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
/// A message in flight cannot be taken back. The connection is aborted, so that the peer sees that the message is
/// incomplete (P82). An id that is not in use has no effect (P83).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Cancel(pub MessageId);

impl Cancel {
    /// Cancels the current exchange, whichever it is.
    pub fn current() -> CancelCurrent {
        CancelCurrent
    }

    /// Cancels every exchange that has begun or waits.
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

/// Closes the connection from this end and ends the session (P5, P85).
///
/// Nothing more is flushed, and every exchange that is open ends in `cancelled`. A [`ServerActor`](crate::ServerActor)
/// that gets this does it to every session, and ends the server (P111).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Dispose;

/// Asks what the session is doing.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "SessionInfo")]
pub struct Inspect;
