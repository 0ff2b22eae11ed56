//! The client side: requests are queued, sent in order, and matched to responses first in, first out (P72 to P80).
//!
//! This file has the state of the exchanges and its transitions. Writing is in `request.rs`, reading in `intake.rs`,
//! and unsuccessful ends in `ends.rs`. A client session survives its connection: the next request opens another (P88).

mod connection;
mod ends;
mod flight;
mod intake;
mod request;
mod through;

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;

use tokio::time::Instant;

use super::awaited::Partial;
use super::deadline::earlier;
use super::info::SessionPhase;
use super::link::Link;
use super::meter::ExchangeGauge;
use super::pieces::Pieces;
use super::role::Role;
use super::sink::Part;
use super::trace::{NOBODY, Traced};
use super::waiter::Waiter;
use crate::error::{CancelCause, Deadline, RefusedReason};
use crate::payload::{MessageId, Payload};
use crate::transport::{Halves, Origin, Scheme};
pub(super) use connection::{Connect, Connection};
use flight::{Flight, Receiving, Sending};
pub(crate) use through::Through;

#[derive(Debug)]
pub(super) struct Client {
    connection: Connection,
    /// The Host value of requests that have none.
    host: String,
    /// The origin of all requests. `None` if the connection was passed in.
    origin: Option<Origin>,
    /// The proxy in between, if requests to it have absolute URLs.
    proxy: Option<Through>,
    /// Every exchange whose end was not reported: first those that were sent, in order, then those that wait.
    flights: VecDeque<Flight>,
    /// How many of them were sent: their head is encoded, though the socket may not have taken it yet.
    sent: usize,
    /// How many of them have ended. With a long queue, searching for one would cost more than a request.
    ended: Rc<Cell<usize>>,
    begun: u64,
    /// How many requests went out over the current connection.
    carried: u64,
    /// The exchange that the current connection was opened for.
    opened_for: Option<MessageId>,
    /// The request of the exchange that ended last, if it was not answered and can be sent again unchanged.
    unanswered: Option<Payload>,
    idle_since: Instant,
    /// Whether the builder has asked whether the connection is idle, and gets its answer when it is.
    idle_asked: bool,
}

impl Client {
    pub(super) fn new(
        connection: Connection,
        host: String,
        origin: Option<Origin>,
        now: Instant,
    ) -> Self {
        Self {
            connection,
            host,
            origin,
            proxy: None,
            flights: VecDeque::new(),
            sent: 0,
            ended: Rc::default(),
            begun: 0,
            carried: 0,
            opened_for: None,
            unanswered: None,
            idle_since: now,
            idle_asked: false,
        }
    }

    /// Sets the proxy in between.
    pub(super) fn through(mut self, proxy: Option<Through>) -> Self {
        self.proxy = proxy;
        self
    }

    /// Takes a connection that is open.
    pub(super) fn attach(&mut self, link: &mut Link, halves: Halves) {
        self.connection.attach(link, halves);
    }

    fn queue(&mut self, link: &mut Link, payload: Payload) -> MessageId {
        let origin = self.origin.as_ref();
        let secure = link.tls.is_some();
        let span = link.trace.asked(&payload, origin, &link.peer, secure);
        let secure = secure || origin.is_some_and(|origin| origin.scheme() == Scheme::Https);
        let gauge = ExchangeGauge::begin(Role::Client, &payload, secure);
        let flight = Flight::new(payload, span, gauge, link.now(), self.ended.clone());
        let id = flight.id;
        self.begun += 1;
        self.flights.push_back(flight);
        id
    }

    /// The exchange of this request.
    fn flight(&mut self, message: MessageId) -> Option<&mut Flight> {
        self.flights.iter_mut().find(|flight| flight.id == message)
    }

    /// The exchange whose response is next on the wire.
    fn front(&mut self) -> Option<&mut Flight> {
        self.sent().find(|flight| !flight.is_over())
    }

    /// Whether a response was delivered completely, and its exchange has not ended. Exchanges that have ended are
    /// reported before the inbox is looked at, so it is the first one.
    fn is_delivered(&self) -> bool {
        self.flights
            .front()
            .is_some_and(|first| first.response == Receiving::Done && !first.is_over())
    }

    fn sent(&mut self) -> impl Iterator<Item = &mut Flight> {
        self.flights.iter_mut().take(self.sent)
    }

    /// The exchange whose request body is open.
    fn sending(&mut self) -> Option<&mut Flight> {
        self.sent()
            .find(|flight| !flight.is_over() && flight.is_sending())
    }

    /// The exchange whose response is not complete yet.
    pub(super) fn receiving(&mut self) -> Option<MessageId> {
        self.front()
            .filter(|flight| flight.response == Receiving::Open)
            .map(|flight| flight.id)
    }

    /// The oldest exchange that is not over.
    fn current_flight(&self) -> Option<&Flight> {
        self.flights.iter().find(|flight| !flight.is_over())
    }

    pub(super) fn current(&self) -> Option<MessageId> {
        self.current_flight().map(|flight| flight.id)
    }

    /// The message whose body is open, claimed for its one body writer.
    pub(super) fn open_message(&mut self) -> Option<MessageId> {
        let flight = self.sending()?;
        flight.pieces.claim().then_some(flight.id)
    }

    /// Whether body data of this message, or of the open one, can be taken, or why not.
    fn may_take(&mut self, message: Option<MessageId>) -> Result<(), RefusedReason> {
        if let Some(flight) = self.sending() {
            return if message.is_none_or(|message| message == flight.id) {
                Ok(())
            } else {
                Err(RefusedReason::NotYourTurn)
            };
        }
        let named = self
            .flights
            .iter()
            .rfind(|flight| message.is_none_or(|message| message == flight.id));
        Err(match named {
            Some(flight) if !flight.streams => RefusedReason::NoBody,
            None if message.is_none() => RefusedReason::NotOpen,
            Some(_) | None => RefusedReason::NotYourTurn,
        })
    }

    /// The next deadline of the oldest exchange, and its cause.
    pub(super) fn due(&self, link: &Link) -> Option<(Instant, CancelCause)> {
        if link.leaving.is_some() && self.flights.is_empty() {
            return Some((link.now(), CancelCause::Shutdown));
        }
        let timeouts = &link.options.timeouts;
        if timeouts.response.is_none() && timeouts.exchange.is_none() {
            return None;
        }
        let first = self.current_flight()?;
        let exchange = timeouts
            .exchange
            .and_then(|time| first.began.checked_add(time))
            .map(|at| (at, CancelCause::Deadline(Deadline::Exchange)));
        // A response that has come but was not delivered yet, for example because of a mute, is not late.
        let waits = first.response == Receiving::Waiting
            && first.mutes == 0
            && link.inbox.is_empty()
            && !self.connection.awaited.has(first.nth, Partial::Head);
        let response = first
            .asked
            .filter(|_| waits)
            .and_then(|asked| asked.checked_add(timeouts.response?))
            .map(|at| (at, CancelCause::Deadline(Deadline::Response)));
        earlier(exchange, response)
    }

    /// Whether this is a request whose body was not asked for yet.
    pub(super) fn awaits_its_turn(&self, message: MessageId) -> bool {
        self.flights
            .iter()
            .any(|flight| flight.id == message && flight.awaits_its_turn())
    }

    /// Keeps the first part of a body that was not asked for yet. False if a part is kept already.
    pub(super) fn park(&mut self, message: MessageId, part: Part, waiter: Box<dyn Waiter>) -> bool {
        let free = |flight: &&mut Flight| flight.parked.is_none();
        let flight = self.flight(message).filter(free);
        flight.is_some_and(|flight| flight.parked.replace(Box::new((part, waiter))).is_none())
    }

    pub(super) fn unpark(&mut self, message: MessageId) -> Option<(Part, Box<dyn Waiter>)> {
        let parked = self.flight(message)?.parked.take();
        parked.map(|parked| *parked)
    }

    /// Whether there is an exchange whose end is to be reported.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.get() > 0
    }

    /// Mutes the exchange whose response is coming. Returns its id, and whether this is its first mute.
    pub(super) fn mute(&mut self) -> Option<(MessageId, bool)> {
        let flight = self.front()?;
        flight.mutes += 1;
        Some((flight.id, flight.mutes == 1))
    }

    /// Undoes a mute. Returns the id if it was the last.
    pub(super) fn unmute(&mut self) -> Option<MessageId> {
        let flight = self.front().filter(|flight| flight.mutes > 0)?;
        flight.mutes -= 1;
        (flight.mutes == 0).then_some(flight.id)
    }

    pub(super) fn is_muted(&self) -> bool {
        self.current_flight().is_some_and(|flight| flight.mutes > 0)
    }

    pub(super) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        if let Some(flight) = self.flights.iter_mut().find(|flight| !flight.is_over()) {
            flight.run(future);
        }
    }

    pub(super) fn accompany(
        &mut self,
        message: MessageId,
        future: impl Future<Output = ()> + 'static,
    ) {
        if let Some(flight) = self.flight(message)
            && !flight.is_over()
        {
            flight.run(future);
        }
    }

    /// The request of the exchange whose end is being reported, if it was not answered and can be sent again unchanged.
    pub(super) fn take_unanswered(&mut self) -> Option<Payload> {
        self.unanswered.take()
    }

    /// The span of the exchange that a handler call is about. That is the first one, because responses come in order,
    /// and ends are reported at once. Only `need_body` may be about another one, whose id is passed.
    pub(super) fn span(&self, exchange: Option<MessageId>) -> &Traced {
        self.flights
            .iter()
            .find(|flight| exchange.is_none_or(|id| id == flight.id))
            .map_or(&NOBODY, |flight| &flight.span)
    }

    pub(super) fn phase(&self) -> SessionPhase {
        match self.flights.front() {
            None => SessionPhase::Idle,
            Some(flight) if flight.response == Receiving::Waiting => SessionPhase::Waiting,
            Some(_) => SessionPhase::Receiving,
        }
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// The pieces of the body of this message, while it is open.
    pub(super) fn pieces_of(&mut self, message: MessageId) -> Option<&mut Pieces> {
        let flight = self.sending().filter(|flight| flight.id == message)?;
        Some(&mut flight.pieces)
    }
}
