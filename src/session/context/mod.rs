//! What a handler can do directly, without a trip through the mailbox. What only the crate does is in `inside.rs`.

mod inside;

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use actix::{Addr, Recipient};
use bytes::Bytes;

use super::HttpSession;
use super::body::BodySender;
use super::handoff::Upgrade;
use super::inbound::{Credit, Mute, Unmute};
use super::info::{SessionInfo, SessionPhase};
use super::leave::Leave;
use super::link::Link;
use super::options::HalfClose;
use super::outbound::Room;
use super::record::Note;
use super::responder::{MuteGuard, Responder};
use super::side::Side;
use super::sink::{BodyPart, Sink};
use super::unsent::Unsent;
use crate::error::{CancelCause, CloseReason, Refused, RefusedReason};
use crate::payload::{Headers, MessageId, Payload};
use crate::transport::{Peer, TlsInfo};

/// The session as its handler sees it: what the messages to a session do, as plain calls.
///
/// Every method of an [`HttpHandler`](crate::HttpHandler) gets it. Answer with [`respond`](Self::respond); send a body
/// in pieces with [`send_chunk`](Self::send_chunk) and [`finish`](Self::finish); answer later through a
/// [`responder`](Self::responder), or from a future that ends with the exchange ([`spawn`](Self::spawn)).
///
/// ```
/// use std::time::Duration;
///
/// use http_actors::{HttpHandler, MessageId, Payload, SessionContext, StatusCode};
///
/// struct Pages;
///
/// impl HttpHandler for Pages {
///     fn apply(&mut self, request: Payload, session: &mut SessionContext) {
///         match request.path() {
///             "/" => session.respond(Payload::response(StatusCode::OK).body("hello\n")),
///             "/lines" => session.respond(Payload::response(StatusCode::OK).chunked()), // the body: `need_body`
///             _ => {
///                 let responder = session.responder();
///                 session.spawn(async move {
///                     tokio::time::sleep(Duration::from_secs(1)).await;
///                     responder.respond(Payload::response(StatusCode::NOT_FOUND));
///                 });
///             }
///         }
///     }
///
///     fn need_body(&mut self, _message: MessageId, session: &mut SessionContext) {
///         for line in ["one\n", "two\n"] {
///             let _ = session.send_chunk(line); // an error: the client has gone
///         }
///         let _ = session.finish();
///     }
/// }
/// # let _ = Pages;
/// ```
///
/// It is a part of the session and cannot be kept. Pass on its [`address`](Self::address) or a
/// [`responder`](Self::responder) instead. No call on it calls the handler. Events that it causes are delivered in
/// order after the current call has returned.
#[derive(Debug)]
pub struct SessionContext {
    pub(super) link: Link,
    pub(super) side: Side,
}

impl SessionContext {
    // Behaviours.

    /// Begins an outbound message; see [`Apply`](crate::message::Apply). Returns its id.
    ///
    /// # Errors
    /// The payload is returned; the reasons are those of [`Apply`](crate::message::Apply).
    pub fn apply(&mut self, payload: Payload) -> Result<MessageId, Refused<Payload>> {
        if !self.link.is_open() {
            return Err(Refused::new(RefusedReason::Closing, payload));
        }
        let accepted = self.side.apply(&mut self.link, payload);
        self.link.weigh();
        accepted
    }

    /// Like [`apply`](Self::apply), but a refusal goes to [`HttpHandler::refused`](crate::HttpHandler::refused) (P45).
    pub fn respond(&mut self, payload: Payload) {
        if let Err(refused) = self.apply(payload) {
            self.link.refuse(refused.map(Unsent::Payload));
        }
    }

    /// Offers or accepts a switch to another protocol, and returns a future of the connection; see
    /// [`HandOff`](crate::message::HandOff).
    ///
    /// Await the future in your own task or actor, not in [`spawn`](Self::spawn), whose futures are dropped when the
    /// exchange ends.
    ///
    /// # Errors
    /// The payload is returned; the reasons are those of [`HandOff`](crate::message::HandOff).
    pub fn hand_off(&mut self, payload: Payload) -> Result<Upgrade, Refused<Payload>> {
        let (taker, upgrade) = Upgrade::new();
        self.hand_off_to(payload, taker)
            .map_err(|(refused, _)| refused)?;
        Ok(upgrade)
    }

    /// Sends body data of the open message; see [`SendChunk`](crate::message::SendChunk). The data are accepted even
    /// when the answer is [`Room::Throttled`].
    ///
    /// # Errors
    /// The data are returned; the reasons are those of [`SendChunk`](crate::message::SendChunk).
    pub fn send_chunk(&mut self, data: impl Into<Bytes>) -> Result<Room, Refused<Bytes>> {
        self.give(None, data.into())
    }

    /// Writes raw bytes; see [`Write`](crate::message::Write).
    ///
    /// # Errors
    /// The bytes are returned; the reasons are those of [`Write`](crate::message::Write).
    pub fn write(&mut self, data: impl Into<Bytes>) -> Result<Room, Refused<Bytes>> {
        self.give_raw(None, data.into())
    }

    /// Ends the open message; see [`Finish`](crate::message::Finish).
    ///
    /// # Errors
    /// Those of [`Finish`](crate::message::Finish).
    pub fn finish(&mut self) -> Result<(), Refused<()>> {
        self.end(None, None)
    }

    /// Ends the open Chunked message with trailer fields; see [`FinishWith`](crate::message::FinishWith).
    ///
    /// # Errors
    /// Those of [`FinishWith`](crate::message::FinishWith).
    pub fn finish_with(&mut self, trailers: &Headers) -> Result<(), Refused<()>> {
        self.end(None, Some(trailers))
    }

    /// Stops sending a message, or gives up its exchange; see [`Cancel`](crate::message::Cancel).
    pub fn cancel(&mut self, message: MessageId) {
        self.side.cancel(&mut self.link, message);
    }

    /// Cancels the current exchange; see [`Cancel::current`](crate::message::Cancel::current).
    pub fn cancel_current(&mut self) {
        self.side.end_cancelled(&mut self.link, CancelCause::Local);
    }

    /// Cancels every exchange that has begun or waits; see [`Cancel::all`](crate::message::Cancel::all).
    pub fn cancel_all(&mut self) {
        self.side.cancel_all(&mut self.link, CancelCause::Local);
    }

    /// Closes the connection from this end; see [`Dispose`](crate::message::Dispose).
    pub fn dispose(&mut self) {
        self.side
            .shut(&mut self.link, CancelCause::Local, CloseReason::Disposed);
    }

    /// Ends the session in an orderly way; see [`Leave`].
    pub fn leave(&mut self, leave: Leave) {
        drop(self.begin_leaving(leave));
    }

    /// Sets what happens to the current exchange when its client closes its sending side. This overrides
    /// [`SessionOptions::half_close`](crate::SessionOptions::half_close). If the client has already done so, it takes
    /// effect now: `Abort` cancels the exchange, and the time of `FinishWithin` begins. It has no effect between
    /// exchanges and in a client session.
    pub fn on_half_close(&mut self, policy: HalfClose) {
        self.side.set_half_close(&mut self.link, policy);
    }

    /// Sets how long the body of the current request may be silent: see [`Responder::body_timeout`]. Between exchanges,
    /// and at a client, this has no effect.
    pub fn body_timeout(&mut self, time: impl Into<Option<Duration>>) {
        self.side.set_body_timeout(&mut self.link, time.into());
    }

    /// Notes something about the current exchange for the access log: see [`Responder::note`]. Between exchanges, and
    /// at a client, this has no effect.
    pub fn note(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) {
        self.take_note(Note {
            name: name.into(),
            value: value.into(),
        });
    }

    /// Pauses delivery to this handler, including data that is already queued in the session (P8, B39). Mutes are
    /// counted, belong to the current exchange and end with it. Between exchanges this has no effect.
    pub fn mute(&mut self) {
        let _ = self.count_mute();
    }

    /// Returns the exchange that the mute belongs to.
    fn count_mute(&mut self) -> Option<MessageId> {
        let (id, first) = self.side.mute()?;
        if first {
            self.link.tell(Mute(id));
        }
        Some(id)
    }

    /// Undoes one [`mute`](Self::mute) (P9).
    pub fn unmute(&mut self) {
        if let Some(id) = self.side.unmute() {
            self.link.tell(Unmute(id));
            // Releasing the body means that it is wanted.
            self.side.send_continue(&mut self.link);
        }
    }

    /// A [`mute`](Self::mute) that ends when the guard is dropped, on any thread. Between exchanges it has no effect.
    pub fn hold(&mut self) -> MuteGuard {
        let held = self.count_mute().unwrap_or_else(MessageId::next);
        MuteGuard::new(self.link.shared_address(), held)
    }

    /// Sends the rest of the inbound body to another actor, as [`BodyPart`]s that carry this id.
    ///
    /// The actor gets one part at a time, each when it has answered the previous one. The handler's `chunk`, `trailers`
    /// and `finished` are not called for this body; the end of the exchange is reported as usual. If the actor has
    /// stopped, the exchange fails.
    ///
    /// If the actor is a session, the id is that of the outbound message whose body this becomes. One such call in each
    /// direction connects two sessions, with backpressure:
    ///
    /// ```
    /// use actix::Addr;
    /// use http_actors::message::Apply;
    /// use http_actors::{HttpHandler, HttpSession, Payload, SessionContext};
    ///
    /// struct Upload {
    ///     to: Addr<HttpSession>,
    /// }
    ///
    /// impl HttpHandler for Upload {
    ///     fn apply(&mut self, request: Payload, session: &mut SessionContext) {
    ///         let forward = Payload::put(request.path()).map(Payload::chunked);
    ///         let Ok(forward) = forward else { return };
    ///         let message = forward.id();
    ///         self.to.do_send(Apply(forward));
    ///         let _ = session.deliver_body_to(message, self.to.clone().recipient());
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// The recipient is returned: `NoBody` (no body is coming, for example because it is inside the payload), `Busy`
    /// (another actor gets it already), `Closing`.
    pub fn deliver_body_to(
        &mut self,
        message: MessageId,
        recipient: Recipient<BodyPart>,
    ) -> Result<(), Refused<Recipient<BodyPart>>> {
        let reason = match self.side.receiving() {
            _ if !self.link.is_open() => RefusedReason::Closing,
            None => RefusedReason::NoBody,
            Some(_) if self.link.sink.is_some() => RefusedReason::Busy,
            Some(exchange) => {
                self.link.sink = Some(Box::new(Sink::new(exchange, message, recipient)));
                return Ok(());
            }
        };
        Err(Refused::new(reason, recipient))
    }

    /// Runs a future on this arbiter until the current exchange ends, and then drops it. Between exchanges it is
    /// dropped at once. It runs in the exchange's span: see [`observability`](crate::observability).
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.side.spawn(future);
    }

    // Handles for other actors and threads.

    /// The writer for the body of the open message, bound to that message and usable from any thread.
    ///
    /// There is only one writer: if this is called again for the same message, or after
    /// [`Responder::stream`](crate::Responder::stream), it returns `None`. [`send_chunk`](Self::send_chunk),
    /// [`finish`](Self::finish) and messages from other actors still work alongside it.
    pub fn body_sender(&mut self) -> Option<BodySender> {
        self.side
            .open_message()
            .map(|message| BodySender::new(self.link.shared_address(), message))
    }

    /// The right to answer the current request, which you may pass to any actor or thread. If there is no such request,
    /// or it was already answered, [`Responder::respond`] is refused.
    pub fn responder(&mut self) -> Responder {
        Responder::new(self.link.shared_address(), self.side.lend())
    }

    /// The address of this session.
    pub fn address(&self) -> Addr<HttpSession> {
        self.link.address()
    }

    // Inspection.

    /// The addresses of the connection.
    pub fn peer(&self) -> Peer {
        self.link.peer
    }

    /// What was agreed in the TLS handshake of the connection. `None` without TLS, and for a stream on which the
    /// application does its own TLS.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.link.tls.as_deref()
    }

    /// The current exchange.
    pub fn exchange(&self) -> Option<MessageId> {
        self.side.current()
    }

    /// Whether there is room for more output.
    pub fn room(&self) -> Room {
        self.link.outbound.room()
    }

    /// What the session is doing; see [`Inspect`](crate::message::Inspect).
    pub fn inspect(&self) -> SessionInfo {
        SessionInfo {
            phase: if self.link.is_open() {
                self.side.phase()
            } else {
                SessionPhase::Closing
            },
            peer: self.link.peer,
            tls: self.link.tls.clone(),
            age: self.link.opened.elapsed(),
            exchanges: self.side.begun(),
            body_bytes_in: self.link.bytes_in,
            wire_bytes_out: self.link.outbound.buffer.total(),
            inbound_queued: self.link.inbox.len(),
            inbound_credit: self
                .link
                .ledger
                .left(Credit::of(&self.link.options.buffers)),
            muted: self.side.is_muted(),
            outbound_queued: self.link.outbound.buffer.len(),
            throttled_for: self
                .link
                .outbound
                .throttled_since()
                .map(|since| since.elapsed()),
        }
    }
}
