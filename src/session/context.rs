//! What a handler call may touch at once, without a mailbox round.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::{Addr, WeakAddr};
use bytes::Bytes;
use tokio::time::Instant;

use super::HttpSession;
use super::body::BodySender;
use super::builder::PayloadBuilder;
use super::credit::Ledger;
use super::deadline::DeadlineTimer;
use super::handler::Unsent;
use super::inbound::{Close, Credit, Inbound, Mute, Unmute};
use super::info::{SessionInfo, SessionPhase};
use super::options::{HalfClose, SessionOptions};
use super::outbound::{Flow, Outbound, Room};
use super::responder::Responder;
use super::server::Server;
use crate::error::{CancelCause, CloseReason, FailureReason, Refused, RefusedReason};
use crate::payload::{Headers, MessageId, Payload};
use crate::transport::Peer;

/// The session as its handler sees it: every behaviour as a plain call.
///
/// It is a part of the session and cannot be kept; [`address`](Self::address) and [`responder`](Self::responder) are
/// what to give away. No call on it calls the handler: events that it causes are delivered in order after the current
/// call returned.
#[derive(Debug)]
pub struct SessionContext {
    pub(super) address: WeakAddr<HttpSession>,
    pub(super) builder: Addr<PayloadBuilder>,
    pub(super) options: Arc<SessionOptions>,
    pub(super) peer: Peer,
    pub(super) opened: Instant,
    pub(super) phase: Phase,
    pub(super) inbox: VecDeque<Inbound>,
    pub(super) ledger: Ledger,
    pub(super) events: VecDeque<Event>,
    pub(super) outbound: Outbound,
    pub(super) server: Server,
    /// Runs while the peer is half-closed and an answer is owed.
    pub(super) farewell: DeadlineTimer,
    /// How many bytes the socket had taken when that clock was set.
    pub(super) farewell_seen: u64,
    pub(super) bytes_in: u64,
}

/// Where the connection is in its life. Why it ends is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Nothing more is accepted or delivered; what was accepted is still written, then the sending side is shut.
    Flushing {
        reason: CloseReason,
        linger: bool,
    },
    /// Nothing more is written.
    Aborting {
        reason: CloseReason,
        reset: bool,
    },
    Closed {
        reason: CloseReason,
    },
}

/// What the handler is to be told once the current call returned.
#[derive(Debug)]
pub(super) enum Event {
    NeedBody(MessageId),
    Throttled,
    Unthrottled,
    HalfClosed,
    Refused(Box<Refused<Unsent>>),
}

impl SessionContext {
    // Behaviours.

    /// Begins an outbound message; see [`Apply`](crate::Apply). Returns its id.
    ///
    /// # Errors
    /// The payload comes back; the reasons are those of [`Apply`](crate::Apply).
    pub fn apply(&mut self, payload: Payload) -> Result<MessageId, Refused<Payload>> {
        if !self.is_open() {
            return Err(Refused::new(RefusedReason::Closing, payload));
        }
        let accepted = self.answer(payload);
        self.weigh();
        accepted
    }

    /// [`apply`](Self::apply) for callers that have nothing to do about a refusal: it goes to
    /// [`HttpHandler::refused`](crate::HttpHandler::refused) (P45).
    pub fn respond(&mut self, payload: Payload) {
        if let Err(refused) = self.apply(payload) {
            self.unheard(refused.map(Unsent::Payload));
        }
    }

    /// Gives body data of the open message; see [`SendChunk`](crate::SendChunk). The data are taken even when the answer
    /// is [`Room::Throttled`].
    ///
    /// # Errors
    /// The data come back; the reasons are those of [`SendChunk`](crate::SendChunk).
    pub fn send_chunk(&mut self, data: impl Into<Bytes>) -> Result<Room, Refused<Bytes>> {
        self.take_data(None, data.into())
    }

    /// Writes raw bytes; see [`Write`](crate::Write).
    ///
    /// # Errors
    /// The bytes come back; the reasons are those of [`Write`](crate::Write).
    pub fn write(&mut self, data: impl Into<Bytes>) -> Result<Room, Refused<Bytes>> {
        self.take_raw(None, data.into())
    }

    /// Ends the open message; see [`Finish`](crate::Finish).
    ///
    /// # Errors
    /// Those of [`Finish`](crate::Finish).
    pub fn finish(&mut self) -> Result<(), Refused<()>> {
        self.end_body(None, None)
    }

    /// Ends the open Chunked message with trailer fields; see [`FinishWith`](crate::FinishWith).
    ///
    /// # Errors
    /// Those of [`FinishWith`](crate::FinishWith).
    pub fn finish_with(&mut self, trailers: &Headers) -> Result<(), Refused<()>> {
        self.end_body(None, Some(trailers))
    }

    /// Stops sending a message or gives up its exchange; see [`Cancel`](crate::Cancel).
    pub fn cancel(&mut self, message: MessageId) {
        if self.server.is_cancellable(message) {
            self.end_cancelled(CancelCause::Local);
        }
    }

    /// Closes the connection from this end; see [`Dispose`](crate::Dispose).
    pub fn dispose(&mut self) {
        self.shut(CancelCause::Local, CloseReason::Disposed);
    }

    /// Pauses delivery to this handler, of what waits already too (P8, B39). Calls count; the exchange that is going on
    /// owns them, and they die with it. No effect between exchanges.
    pub fn mute(&mut self) {
        if let Some(id) = self.server.mute() {
            self.builder.do_send(Mute(id));
        }
    }

    /// Takes one [`mute`](Self::mute) back (P9).
    pub fn unmute(&mut self) {
        if let Some(id) = self.server.unmute() {
            self.builder.do_send(Unmute(id));
            self.promise_continue();
        }
    }

    /// Runs a future on this arbiter for as long as the exchange that is going on: it is dropped when that ends.
    /// Between exchanges it is dropped at once.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.server.spawn(future);
    }

    // Handles to give away.

    /// A writer for the body of the open message, usable from any thread and bound to that message.
    pub fn body(&mut self) -> Option<BodySender> {
        self.server
            .open_message()
            .map(|message| BodySender::new(self.address(), message))
    }

    /// The right to answer the request that is being handled, to be given to whoever will. If there is no such request,
    /// or it was answered, the responder's own `respond` says so.
    pub fn responder(&mut self) -> Responder {
        let address = self.address();
        Responder::new(address, self.server.lend())
    }

    /// The address of this session.
    pub fn address(&self) -> Addr<HttpSession> {
        match self.address.upgrade() {
            Some(address) => address,
            None => unreachable!("the builder holds an address for as long as the session runs"),
        }
    }

    // Looking.

    /// The addresses of the connection.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The exchange that is going on.
    pub fn exchange(&self) -> Option<MessageId> {
        self.server.current()
    }

    /// Whether there is room for more output.
    pub fn room(&self) -> Room {
        self.outbound.room()
    }

    /// How the session is doing; see [`Inspect`](crate::Inspect).
    pub fn inspect(&self) -> SessionInfo {
        SessionInfo {
            phase: if self.is_open() {
                self.server.phase()
            } else {
                SessionPhase::Closing
            },
            peer: self.peer,
            age: self.opened.elapsed(),
            exchanges: self.server.begun(),
            bytes_in: self.bytes_in,
            bytes_out: self.outbound.buffer.total(),
            inbound_queued: self.inbox.len(),
            inbound_credit: self.ledger.left(),
            muted: self.server.is_muted(),
            outbound_queued: self.outbound.buffer.len(),
            throttled_for: self.outbound.throttled_since().map(|since| since.elapsed()),
        }
    }

    // For the session.

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Queues what the handler hears of the state of the outbound buffer.
    pub(super) fn weigh(&mut self) {
        match self.outbound.weigh() {
            Flow::Same => {}
            Flow::Throttled => self.events.push_back(Event::Throttled),
            Flow::Unthrottled => self.events.push_back(Event::Unthrottled),
        }
    }

    pub(super) fn unheard(&mut self, refused: Refused<Unsent>) {
        tracing::debug!(reason = %refused.reason, "a behaviour was refused and nobody waits for the answer");
        self.events.push_back(Event::Refused(Box::new(refused)));
    }

    /// Gives the builder new credit, unless something still waits here or for the socket.
    pub(super) fn grant(&mut self) {
        if self.inbox.is_empty()
            && self.outbound.room() == Room::Open
            && let Some(credit) = self.ledger.grant()
        {
            self.builder.do_send(credit);
        }
    }

    /// Takes an item off the queue for good.
    pub(super) fn spend(&mut self, cost: Credit) {
        self.ledger.spend(cost);
    }

    /// Ends the connection once everything accepted is written.
    pub(super) fn close(&mut self, reason: CloseReason, linger: bool) {
        if self.is_open() {
            self.phase = Phase::Flushing { reason, linger };
            self.inbox.clear();
        }
    }

    /// Ends the connection without writing anything more.
    pub(super) fn abort(&mut self, reason: CloseReason, reset: bool) {
        if !matches!(self.phase, Phase::Closed { .. }) {
            self.phase = Phase::Aborting { reason, reset };
            self.inbox.clear();
        }
    }

    /// Ends the connection and, first, the exchange on it.
    pub(super) fn shut(&mut self, cause: CancelCause, reason: CloseReason) {
        let cut = self.server.cancel(cause);
        self.abort(reason, cut);
    }

    /// The last step: both actors end.
    pub(super) fn finish_close(&mut self, reason: CloseReason, linger: bool) {
        tracing::trace!(%reason, peer = %self.peer, "connection closed");
        self.phase = Phase::Closed { reason };
        self.outbound.release(Err(RefusedReason::Closing));
        self.builder.do_send(Close { linger });
    }

    /// Ready when a half-closed peer took nothing for as long as the policy allows. Progress renews the time.
    pub(super) fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let HalfClose::FinishWithin(patience) = self.options.half_close else {
            return Poll::Pending;
        };
        if !self.server.peer_done || self.server.current().is_none() {
            return Poll::Pending;
        }
        let taken = self.outbound.buffer.total();
        if self.farewell.at().is_none() || self.farewell_seen != taken {
            self.farewell_seen = taken;
            self.farewell.set(Some(Instant::now() + patience));
        }
        self.farewell.poll(cx)
    }

    /// Notices a piece of a body that was lost on its way.
    pub(super) fn check_number(&mut self, message: MessageId, number: u64) {
        if self.server.expect_piece(message, number) {
            self.end_failed(FailureReason::LostPiece);
        }
    }
}
