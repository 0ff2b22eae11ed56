//! The private behaviours: the messages between the two actors of a connection, and from handles to the session. They
//! cannot be named outside the crate (P13).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Handler, Message};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::HttpSession;
use super::exchange::Outcome;
use super::handoff::{self, NotUpgraded, Upgraded};
use super::meter::Stamp;
use super::options::{Buffers, HalfClose};
use super::parcel::Parcel;
use super::record::Note;
use crate::error::{Deadline, WireError};
use crate::payload::{Headers, MessageId, Payload};
use crate::wire::{Facts, Trailers};

/// All messages from one actor to another.
macro_rules! messages {
    ($(#[$doc:meta])* $name:ident: $($message:ident)*) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) enum $name {
            $($message($message),)*
        }

        impl $name {
            /// Has the actor handle the message.
            #[inline]
            pub(crate) fn hand_to<A>(self, actor: &mut A, ctx: &mut A::Context)
            where
                A: Actor $(+ Handler<$message, Result = ()>)*,
            {
                match self {
                    $(Self::$message(message) => actor.handle(message, ctx),)*
                }
            }
        }

        $(impl From<$message> for $name {
            #[inline]
            fn from(message: $message) -> Self {
                Self::$message(message)
            }
        })*
    };
}

messages! {
    /// A message from the builder to its session.
    FromBuilder: Deliver Chunk Finish Batch HalfClosed Closed Failed IdleQuery NoRequest Released
}

// From the builder to the session.

/// A new inbound message. For a Oneshot message, all of it (P10).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Deliver {
    pub(crate) payload: Payload,
    pub(crate) facts: Facts,
    pub(crate) stamp: Stamp,
}

/// A piece of the body of the message last delivered (P11).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Chunk(pub(crate) Bytes);

/// The body of the message last delivered is complete (P12).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Finish(pub(crate) Option<Trailers>);

/// All items of one read, and their cost in credit.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Batch(pub(crate) Vec<Inbound>, pub(crate) Credit);

/// The peer sends no more; it may still read.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct HalfClosed(pub(crate) Rest);

/// Whether everything that a half-closed peer sent was read. It is once, and then stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rest {
    /// More may come before the end.
    Unread,
    Read,
    /// It was, and the peer is known to read nothing either.
    Gone,
}

/// The connection broke.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Closed(pub(crate) std::io::ErrorKind);

/// The builder has stopped reading, because of a fault of the peer. Sent after all complete items that came before it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Failed(pub(crate) Fault, pub(crate) Option<BegunLine>);

/// No byte came for the idle time. The session ends, or answers with [`IdleFor`]: when it is idle, if it is busy.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct IdleQuery;

/// No part of another request has come: the answer to a [`RequestQuery`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct NoRequest;

/// The released read half. It is the last message of its builder.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Released(pub(crate) Box<handoff::Released>);

/// The items that are queued in the session, in the order of the wire.
#[derive(Debug)]
pub(crate) enum Inbound {
    Deliver(Payload, Facts, Stamp),
    Chunk(Bytes),
    Finish(Option<Trailers>),
    Fault(Fault, Option<BegunLine>),
}

/// The line of a request that was not delivered, as far as it came. Only for a logger that wants it.
pub(crate) type BegunLine = Box<[u8]>;

/// Why a builder stopped reading.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    Wire(WireError),
    Deadline(Deadline),
}

// From the session to the builder.

/// Grants this many more bytes and messages.
#[derive(Debug, Clone, Copy, Default, Message)]
#[rtype(result = "()")]
pub(crate) struct Credit {
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
}

impl Credit {
    /// The total credit. It is at least 1, because with 0 nothing would ever be read.
    pub(crate) fn of(buffers: &Buffers) -> Self {
        Self {
            bytes: buffers.inbound.max(1),
            messages: buffers.inbound_messages.max(1),
        }
    }
}

/// Check again after this time: the answer to an [`IdleQuery`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct IdleFor(pub(crate) Duration);

impl IdleFor {
    /// This time, but not zero: otherwise the two actors would ask each other without a pause.
    pub(crate) fn at_least(left: Duration) -> Self {
        Self(left.max(Duration::from_millis(10)))
    }
}

/// Check whether anything has come. At a server this looks for a part of another request; the answer is [`NoRequest`]
/// or that request. At a client it looks for bytes that belong to no response; the answer is always [`NoRequest`],
/// after what was found.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RequestQuery;

/// The peer of a server got its 100 for the nth request, or may go on without one: from now on the body has a deadline.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BodyAsked(pub(crate) u64);

/// The body of the nth request has this deadline, and no minimum rate, instead of those of the options; `None` takes it
/// back. It ends with the body.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BodyTime(pub(crate) u64, pub(crate) Option<Duration>);

/// Continue after an upgrade offer that was declined.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Resume;

/// Stop, and return the read half: the answer is [`Released`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Release;

/// Do not stop with the session: read and drop for a while what the peer still sends, so that it gets our last answer
/// and not a reset (RFC 9112 section 9.6).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Linger;

/// A write found that the connection broke, for this reason. The kernel says so once, and a read finds only an end then.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Torn(pub(crate) std::io::ErrorKind);

// To either: to the builder from its session, to the session from a guard that another actor holds.

/// Stop delivering (P8).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Mute(pub(crate) MessageId);

/// Resume delivering (P9).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Unmute(pub(crate) MessageId);

// From a server to its sessions.

/// End now: the server is over its memory ceiling, and this session holds the most. Answered when it holds nothing.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Shed;

/// End now: the time is up.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CutOff;

// From a session to itself.

/// End now, if nobody needs the session any more: nobody has its address, and what was sent to it before was handled.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Forgotten;

// From responders and body writers to the session. They carry their own reply channel and never use `Addr::send`, whose
// messages are dropped unhandled when the caller stops waiting (X14).

/// The answer to an exchange.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Respond {
    pub(crate) exchange: MessageId,
    pub(crate) parcel: Parcel<Payload, MessageId>,
    pub(crate) writer: Writer,
}

/// Who writes the body that an answer announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// It announces none.
    NotNeeded,
    /// The sender of the answer has the writer already. There is only one.
    Given,
    /// There is no writer, so the body could not be written.
    Missing,
}

/// The last HTTP answer of a connection that is handed over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Surrender {
    pub(crate) exchange: MessageId,
    pub(crate) parcel: Parcel<Payload, Upgraded, NotUpgraded>,
}

/// An informational response, before the answer to this exchange.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Inform {
    pub(crate) exchange: MessageId,
    pub(crate) payload: Payload,
}

/// The body of this request is wanted: the peer may wait for a 100 before it sends it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Continue(pub(crate) MessageId);

/// Sets what a half-close does to this exchange.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct OnHalfClose {
    pub(crate) exchange: MessageId,
    pub(crate) policy: HalfClose,
}

/// Sets how long the body of this request may be silent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Patience {
    pub(crate) exchange: MessageId,
    pub(crate) time: Option<Duration>,
}

/// Notes something about this exchange for the log.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Noted {
    pub(crate) exchange: MessageId,
    pub(crate) note: Note,
}

/// Asks how this exchange ends. `told` is dropped if it is over already, or its session was torn down.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Outlook {
    pub(crate) exchange: MessageId,
    pub(crate) told: oneshot::Sender<Outcome>,
}

/// A responder was dropped without an answer (N4).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Unanswered(pub(crate) MessageId);

/// The writer of a body was dropped before its end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Abandon(pub(crate) MessageId);

/// The service of the exchange of this message has failed. It comes behind [`Abandon`] if the service was writing the
/// answer: it is known only once all that the service held was dropped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ServiceFailed {
    pub(crate) message: MessageId,
    /// Why, unless there is a warning about it already.
    pub(crate) why: Option<String>,
}

/// A task that runs as long as the exchange of this message. It is dropped if the exchange is over.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Accompany {
    pub(crate) message: MessageId,
    pub(crate) task: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Accompany {
    /// Resolves when the exchange of this message is over.
    pub(crate) async fn to_the_end(session: Arc<Addr<HttpSession>>, message: MessageId) {
        let (mut sender, over) = oneshot::channel::<()>();
        // Dropped with the exchange, and finished when the receiver is dropped.
        let task = Box::pin(async move { sender.closed().await });
        session.do_send(Self { message, task });
        let _ = over.await;
    }
}

/// Asks for a notification when the session is asked to leave, or the exchange of this message is over. Dropping `told`
/// is the notification.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Departure {
    pub(crate) message: MessageId,
    pub(crate) told: oneshot::Sender<()>,
}

impl Departure {
    /// Resolves when the session is asked to leave, or the exchange of this message is over.
    pub(crate) async fn of(session: Arc<Addr<HttpSession>>, message: MessageId) {
        let (told, over) = oneshot::channel();
        session.do_send(Self { message, told });
        let _ = over.await;
    }
}

/// A piece of a body, numbered so that a lost one is noticed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Piece {
    pub(crate) message: MessageId,
    pub(crate) number: u64,
    pub(crate) parcel: Parcel<Bytes, ()>,
}

/// The end of a body that was sent in pieces.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LastPiece {
    pub(crate) message: MessageId,
    pub(crate) number: u64,
    pub(crate) parcel: Parcel<Option<Headers>, ()>,
}
