//! The side of a connection that a session is on, server or client, behind one type: first what both do, then what only
//! one of them does. What both do with an outbound body is in `body.rs`.

mod body;

use std::future::Future;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::client::Client;
use super::deadline::earlier;
use super::ended::Ended;
use super::exchange::Outcome;
use super::handoff::Taker;
use super::inbound::Rest;
use super::info::SessionPhase;
use super::link::Link;
use super::options::HalfClose;
use super::outbound::Room;
use super::server::{Aside, Server};
use super::sink::Loss;
use super::step::Intake;
use super::trace::Traced;
use crate::error::{CancelCause, CloseReason, FailureReason, Refused};
use crate::payload::{MessageId, Payload};

/// A server or a client.
#[derive(Debug)]
pub(super) enum Side {
    Server(Server),
    Client(Box<Client>),
}

/// Calls the method on whichever side this is.
macro_rules! at {
    ($side:expr, $method:ident($($argument:expr),*)) => {
        match $side {
            Side::Server(server) => server.$method($($argument),*),
            Side::Client(client) => client.$method($($argument),*),
        }
    };
}
use at;

impl Side {
    pub(super) fn apply(
        &mut self,
        link: &mut Link,
        payload: Payload,
    ) -> Result<MessageId, Refused<Payload>> {
        at!(self, apply(link, payload))
    }

    /// Begins a message that switches to another protocol.
    pub(super) fn hand_off(
        &mut self,
        link: &mut Link,
        payload: Payload,
        taker: Taker,
    ) -> Result<(), (Refused<Payload>, Taker)> {
        match at!(self, switch(link, payload)) {
            Ok(message) => {
                at!(self, promise(message, taker));
                Ok(())
            }
            Err(refused) => Err((refused, taker)),
        }
    }

    /// The exchange whose inbound body is not complete yet.
    pub(super) fn receiving(&mut self) -> Option<MessageId> {
        at!(self, receiving())
    }

    /// The actor that gets the inbound body takes no more of it.
    pub(super) fn body_lost(&mut self, link: &mut Link, loss: Loss) {
        at!(self, body_lost(link, loss));
    }

    /// The writer of a body was dropped before its end.
    pub(super) fn abandon(&mut self, link: &mut Link, message: MessageId) {
        at!(self, abandon(link, message));
    }

    pub(super) fn cancel(&mut self, link: &mut Link, message: MessageId) {
        at!(self, cancel(link, message));
    }

    pub(super) fn cancel_all(&mut self, link: &mut Link, cause: CancelCause) {
        at!(self, cancel_all(link, cause));
    }

    pub(super) fn end_cancelled(&mut self, link: &mut Link, cause: CancelCause) {
        at!(self, end_cancelled(link, cause));
    }

    pub(super) fn end_failed(&mut self, link: &mut Link, reason: FailureReason) {
        at!(self, end_failed(link, reason));
    }

    /// Ends the connection and the exchanges on it, and so the session.
    pub(super) fn shut(&mut self, link: &mut Link, cause: CancelCause, reason: CloseReason) {
        at!(self, shut(link, cause, reason));
    }

    /// Whether there is an exchange whose end is still to be reported.
    pub(super) fn has_ended(&self) -> bool {
        at!(self, has_ended())
    }

    /// Takes the next exchange that ended, with its consequences for the connection.
    pub(super) fn take_ended(&mut self, link: &mut Link) -> Option<Ended> {
        let ended = match self {
            Self::Server(server) => Ended::Server(server.take_ended(link)?),
            Self::Client(client) => Ended::of_client(client.take_ended(link)?),
        };
        let exchange = ended.exchange();
        link.cut_body(exchange.id);
        if let Some(leaving) = &mut link.leaving
            && exchange.outcome == Outcome::Cancelled(CancelCause::Shutdown)
        {
            leaving.note_cut(exchange);
        }
        Some(ended)
    }

    /// Gives the builder new credit. A server stops reading while the socket does not take its answers. A client
    /// continues: a server may answer before it has read the whole request, and may stop reading until its answer is
    /// read (RFC 9112 section 9.5).
    pub(super) fn grant(&self, link: &mut Link) {
        if matches!(self, Self::Client(_)) || link.outbound.room() == Room::Open {
            link.grant();
        }
    }

    pub(super) fn next_inbound(&mut self, link: &mut Link) -> Intake {
        at!(self, next_inbound(link))
    }

    /// The socket has taken all output.
    pub(super) fn flushed(&mut self, link: &Link) {
        match self {
            Self::Server(server) => drop(server.complete()),
            Self::Client(client) => client.flushed(link),
        }
    }

    /// Ends the exchange of an answer that was completed without another byte of output. True if there is one.
    pub(super) fn complete(&mut self) -> bool {
        match self {
            Self::Server(server) => server.complete(),
            Self::Client(_) => false,
        }
    }

    /// Handles what is due without a message, such as deadlines. Ready when something changed.
    pub(super) fn poll(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.due(link);
        link.clock.set(due.map(|(at, _)| at));
        if let Some((_, cause)) = due
            && link.clock.poll(cx).is_ready()
        {
            at!(self, expire(link, cause));
            return Poll::Ready(());
        }
        match self {
            Self::Server(_) => Poll::Pending,
            Self::Client(client) => client.poll(link, cx),
        }
    }

    /// When the next deadline is, and what it is for.
    fn due(&mut self, link: &Link) -> Option<(Instant, CancelCause)> {
        let cut = link.leaving.as_ref().and_then(|leaving| leaving.cut);
        let cut = cut.map(|at| (at, CancelCause::Shutdown));
        let own = if link.is_open() {
            at!(self, due(link))
        } else {
            None
        };
        earlier(cut, own)
    }

    /// The socket took nothing of the waiting output for too long.
    pub(super) fn stalled(&mut self, link: &mut Link) {
        at!(self, stalled(link));
    }

    /// The peer sends no more.
    pub(super) fn half_closed(&mut self, link: &mut Link, rest: Rest) {
        at!(self, half_closed(link, rest));
    }

    /// The handler panicked: its session ends.
    pub(super) fn panicked(&mut self, link: &mut Link) {
        match self {
            Self::Server(server) => server.end_failed(link, FailureReason::HandlerPanicked),
            Self::Client(client) => client.panicked(link),
        }
    }

    /// A write failed. At a client the server may have answered before it disconnected: the answer is read first.
    pub(super) fn write_failed(&mut self, link: &mut Link, kind: io::ErrorKind) {
        match self {
            Self::Server(server) => server.broken(link),
            Self::Client(client) => client.write_failed(link, kind),
        }
    }

    /// The connection broke. What a client received before is delivered first.
    pub(super) fn broken(&mut self, link: &mut Link, kind: io::ErrorKind) {
        match self {
            Self::Server(server) => server.broken(link),
            Self::Client(client) => {
                client.take_back(link);
                link.broke(kind);
            }
        }
    }

    pub(super) fn idle_query(&mut self, link: &mut Link) {
        at!(self, idle_query(link));
    }

    /// Everything that has come was handed over; at a client, everything complete.
    pub(super) fn no_request(&mut self, link: &mut Link) {
        match self {
            Self::Server(server) => server.no_request(link),
            Self::Client(client) => client.looked(),
        }
    }

    /// Mutes the exchange whose body is coming. Returns its id, and whether this is its first mute.
    pub(super) fn mute(&mut self) -> Option<(MessageId, bool)> {
        at!(self, mute())
    }

    pub(super) fn unmute(&mut self) -> Option<MessageId> {
        at!(self, unmute())
    }

    pub(super) fn is_muted(&self) -> bool {
        at!(self, is_muted())
    }

    pub(super) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        at!(self, spawn(future));
    }

    /// The span of this exchange, or of the one that the next handler call is about.
    pub(super) fn span(&self, exchange: Option<MessageId>) -> &Traced {
        at!(self, span(exchange))
    }

    /// Runs a future as long as the exchange of this message. Drops the future if the exchange is over.
    pub(super) fn accompany(
        &mut self,
        message: MessageId,
        future: impl Future<Output = ()> + 'static,
    ) {
        match self {
            Self::Server(server) if server.is_about(message) => server.spawn(future),
            Self::Server(_) => {}
            Self::Client(client) => client.accompany(message, future),
        }
    }

    pub(super) fn open_message(&mut self) -> Option<MessageId> {
        at!(self, open_message())
    }

    pub(super) fn current(&self) -> Option<MessageId> {
        at!(self, current())
    }

    pub(super) fn phase(&self) -> SessionPhase {
        at!(self, phase())
    }

    pub(super) fn begun(&self) -> u64 {
        at!(self, begun())
    }

    // At a server. A client does nothing.

    /// The service of the exchange that a message belongs to has failed.
    pub(super) fn service_failed(&mut self, link: &Link, message: MessageId, why: Option<String>) {
        if let Self::Server(server) = self {
            server.service_failed(link, message, why);
        }
    }

    /// The last thing before an abort: ends an exchange whose answer was abandoned.
    pub(super) fn conclude_abandoned(&mut self, link: &Link) {
        if let Self::Server(server) = self {
            server.conclude_abandoned(link);
        }
    }

    fn server(&self) -> Option<&Server> {
        match self {
            Self::Server(server) => Some(server),
            Self::Client(_) => None,
        }
    }

    fn server_mut(&mut self) -> Option<&mut Server> {
        match self {
            Self::Server(server) => Some(server),
            Self::Client(_) => None,
        }
    }

    /// Makes the answer to the current request the last one of the connection.
    pub(super) fn announce_close(&mut self) {
        if let Self::Server(server) = self {
            server.announce_close();
        }
    }

    /// Sets what a half-close does to the current exchange. At a client it is always the end of the connection.
    pub(super) fn set_half_close(&mut self, link: &mut Link, policy: HalfClose) {
        if let Self::Server(server) = self {
            server.set_half_close(link, policy);
        }
    }

    /// Sets how long the body of the current request may be silent. At a client this has no effect.
    pub(super) fn set_body_timeout(&mut self, link: &mut Link, time: Option<Duration>) {
        if let Self::Server(server) = self {
            server.set_body_timeout(link, time);
        }
    }

    /// The handler was called with `half_closed`.
    pub(super) fn told_half_close(&mut self, link: &mut Link) {
        if let Self::Server(server) = self {
            server.heed_half_close(link);
        }
    }

    /// What is rarely asked of the current exchange.
    pub(super) fn aside(&mut self) -> Option<&mut Aside> {
        self.server_mut()?.aside()
    }

    /// Whether there is a request that was not answered, and nobody has the right to answer it.
    pub(super) fn owes_answer(&self) -> bool {
        self.server().is_some_and(Server::owes_answer)
    }

    /// Lends the right to answer, and tells whether the request is HEAD. Without a request to answer, the right is
    /// worth nothing.
    pub(super) fn lend(&mut self) -> (MessageId, bool) {
        let lent = self.server_mut().and_then(Server::lend);
        lent.unwrap_or_else(|| (MessageId::next(), false))
    }

    /// Takes back a right to answer. True if it was the last one and no answer had begun.
    pub(super) fn give_back(&mut self, exchange: MessageId) -> bool {
        self.server_mut()
            .is_some_and(|server| server.give_back(exchange))
    }

    /// Whether the peer waits for our 100 before it sends the body of its request.
    pub(super) fn awaits_continue(&self) -> bool {
        self.server().is_some_and(Server::awaits_continue)
    }

    /// Sends the 100 that a peer may wait for, unless a responder or a sink decides about that.
    pub(super) fn promise_continue(&mut self, link: &mut Link) {
        if let Self::Server(server) = self {
            server.promise_continue(link);
        }
    }

    /// Sends the 100 that a peer may wait for.
    pub(super) fn send_continue(&mut self, link: &mut Link) {
        if let Self::Server(server) = self {
            server.send_continue(link);
        }
    }

    // At a client. A server does nothing.

    fn client_mut(&mut self) -> Option<&mut Client> {
        match self {
            Self::Server(_) => None,
            Self::Client(client) => Some(client),
        }
    }

    /// Sends the requests whose turn has come.
    pub(super) fn send(&mut self, link: &mut Link) {
        if let Self::Client(client) = self {
            client.send(link);
        }
    }

    /// The request of the exchange whose end is being reported, if it was not answered.
    pub(super) fn take_unanswered(&mut self) -> Option<Payload> {
        self.client_mut()?.take_unanswered()
    }

    /// Whether the connection can be used for another request.
    pub(super) fn is_reusable(&self, link: &Link) -> bool {
        match self {
            Self::Server(_) => false,
            Self::Client(client) => client.is_reusable(link),
        }
    }

    /// Whether the session can end when nobody has its address: there are no exchanges and no connection.
    pub(super) fn is_forgettable(&self) -> bool {
        matches!(self, Self::Client(client) if client.is_forgettable())
    }
}
