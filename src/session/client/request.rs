//! The sending half of the client side: the queue, heads and bodies.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;

use super::connection::State;
use super::{Client, Flight, Receiving, Sending};
use crate::error::{FailureReason, Refused, RefusedReason, UseError, WireError};
use crate::payload::{Headers, Known, MessageId, Payload};
use crate::session::awaited::Partial;
use crate::session::exchange::Outcome;
use crate::session::handoff::Taker;
use crate::session::link::Link;
use crate::session::meter;
use crate::session::outbound::Room;
use crate::session::step::Event;
use crate::transport::ConnectError;
use crate::wire::{Expected, Target};

/// How long a request waits for the server's 100 before its body is sent anyway (RFC 9110 section 10.1.1).
const EXPECT: Duration = Duration::from_secs(1);

impl Client {
    /// Queues a request (P72).
    pub(in crate::session) fn apply(
        &mut self,
        link: &mut Link,
        payload: Payload,
    ) -> Result<MessageId, Refused<Payload>> {
        if payload.method() == Method::CONNECT {
            return Err(Refused::new(UseError::WrongKind, payload));
        }
        self.enqueue(link, payload)
    }

    /// Queues a request that offers to change the protocol.
    pub(in crate::session) fn switch(
        &mut self,
        link: &mut Link,
        mut payload: Payload,
    ) -> Result<MessageId, Refused<Payload>> {
        if payload.method() != Method::CONNECT && !payload.headers().has(Known::Upgrade) {
            return Err(Refused::new(UseError::NoUpgrade, payload));
        }
        if payload.has_body() {
            return Err(Refused::new(UseError::BodyNotAllowed, payload));
        }
        payload.complete_if_empty();
        self.enqueue(link, payload)
    }

    /// Sets who gets the connection if the server accepts the upgrade offer that was just queued.
    pub(in crate::session) fn promise(&mut self, message: MessageId, taker: Taker) {
        if let Some(flight) = self.flight(message) {
            flight.taker = Some(taker);
            // Nothing is sent after it until the protocol of the connection is known.
            flight.safe = false;
        }
    }

    fn enqueue(
        &mut self,
        link: &mut Link,
        payload: Payload,
    ) -> Result<MessageId, Refused<Payload>> {
        if !link.is_open() || link.leaving.is_some() {
            return Err(Refused::new(RefusedReason::Closing, payload));
        }
        if !payload.is_request() {
            return Err(Refused::new(UseError::WrongKind, payload));
        }
        if payload.method() != Method::CONNECT
            && self
                .origin
                .as_ref()
                .is_some_and(|origin| !origin.owns(payload.uri()))
        {
            return Err(Refused::new(UseError::OtherOrigin, payload));
        }
        if let Some(mistake) = payload.mistake() {
            return Err(Refused::new(mistake, payload));
        }
        if self.flights.len() - self.sent >= link.options.queue {
            return Err(Refused::new(RefusedReason::Busy, payload));
        }
        Ok(self.queue(link, payload))
    }

    /// Opens the connection and handles its deadlines. Ready when something changed, or may be sent.
    pub(in crate::session) fn poll(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<()> {
        if self.sent == self.flights.len() && !matches!(self.connection.state, State::Opening(_)) {
            return self.poll_expecting(link, cx);
        }
        match &mut self.connection.state {
            State::Closed => {
                self.opened_for = self.current();
                if let Err(error) = self.connection.open(link.options.timeouts.connect) {
                    let reason = FailureReason::ConnectFailed(error.kind());
                    self.end_all(Outcome::Failed(reason));
                }
                Poll::Ready(())
            }
            State::Opening(opening) => match opening.as_mut().poll(cx) {
                Poll::Ready(Ok(halves)) => {
                    self.idle_since = Instant::now();
                    self.connection.attach(link, halves);
                    Poll::Ready(())
                }
                Poll::Ready(Err(error)) => self.not_connected(error),
                Poll::Pending => match self.connection.deadline.poll(cx) {
                    Poll::Ready(()) => {
                        self.not_connected(ConnectError::Link(io::ErrorKind::TimedOut))
                    }
                    Poll::Pending => Poll::Pending,
                },
            },
            State::Open | State::HalfClosed | State::WriteFailed(_) => {
                if self.may_send(link) {
                    Poll::Ready(())
                } else {
                    self.poll_expecting(link, cx)
                }
            }
        }
    }

    fn not_connected(&mut self, error: ConnectError) -> Poll<()> {
        self.connection.close();
        self.end_all(Outcome::Failed(error.into()));
        Poll::Ready(())
    }

    /// If a request waits too long for a 100, its body is sent without one.
    fn poll_expecting(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<()> {
        if !self.connection.is_open() {
            return Poll::Pending;
        }
        std::task::ready!(self.connection.deadline.poll(cx));
        match self.connection.write_error() {
            Some(kind) => self.give_up(link, kind),
            // What has come decides when it is delivered.
            None if self.may_be_refused() => self.connection.deadline.set_after(Some(EXPECT)),
            None => self.grant_body(link),
        }
        Poll::Ready(())
    }

    /// Whether a response has come that may refuse the body of its request, and was not delivered.
    fn may_be_refused(&self) -> bool {
        let mut sent = self.flights.iter().take(self.sent);
        sent.find(|flight| flight.awaits_continue())
            .is_some_and(|flight| {
                flight.response == Receiving::Waiting
                    && self.connection.awaited.has(flight.nth, Partial::Refusal)
            })
    }

    /// A 100 came, or is assumed: the body may be sent.
    pub(super) fn grant_body(&mut self, link: &mut Link) {
        self.connection.stop_waiting();
        if let Some(flight) = self.sent().find(|flight| flight.awaits_continue()) {
            flight.request = Sending::Open;
            let id = flight.id;
            link.events.push_back(Event::NeedBody(id));
        }
    }

    /// Sends the requests whose turn has come. The write that follows in the same turn takes them.
    pub(in crate::session) fn send(&mut self, link: &mut Link) {
        while self.connection.is_open() && self.may_send(link) {
            if self.sent == 0 {
                match self.connection.has_stray(link, self.carried) {
                    Some(false) => {}
                    // The waiting requests go over another connection.
                    Some(true) => {
                        self.end_unserved(Outcome::Failed(WireError::UnsolicitedResponse.into()));
                        return self.cut(link);
                    }
                    None => return,
                }
            }
            self.send_next(link);
        }
        self.connection.forget_look();
    }

    /// Whether the next request may be sent: one at a time, and with pipelining safe ones after safe ones (P76 to P78,
    /// B11, B12).
    fn may_send(&self, link: &Link) -> bool {
        let Some(next) = self.flights.get(self.sent) else {
            return false;
        };
        // The connection is ending, or the builder looks for bytes that answer nothing.
        if !link.is_open()
            || link.over.is_some()
            || !self.connection.takes_requests()
            || self.connection.is_looking()
        {
            return false;
        }
        if link.outbound.room() == Room::Throttled {
            return false;
        }
        if self.sent == 0 {
            return true;
        }
        if !link.options.pipeline || !next.safe {
            return false;
        }
        // Input is not checked while the handler is muted, and may contain bytes that belong to no response.
        if self.is_muted() {
            return false;
        }
        self.flights.iter().take(self.sent).all(|ahead| {
            ahead.safe && ahead.persist && ahead.request == Sending::Done && !ahead.is_over()
        })
    }

    fn send_next(&mut self, link: &mut Link) {
        let at = self.sent;
        self.sent += 1;
        let host = self.host.as_bytes();
        let Some(flight) = self.flights.get_mut(at) else {
            return;
        };
        let over = flight.is_over();
        let Some(payload) = flight.payload.as_mut().filter(|_| !over) else {
            // Cancelled while it waited: it is not sent.
            return;
        };
        let target = if let Some(proxy) = &self.proxy {
            proxy.address(payload, self.origin.as_ref());
            Target::Absolute
        } else {
            Target::Origin
        };
        let before = link.outbound.buffer.len();
        let encoder = &mut link.outbound.encoder;
        let begun = match encoder.request(payload, target, host, &mut link.outbound.buffer) {
            Ok(begun) => begun,
            Err(mistake) => return flight.end(Outcome::Failed(mistake.into())),
        };
        let body = payload.body_bytes().len();
        let written = link.outbound.buffer.len().saturating_sub(before);
        flight.head_out = written.saturating_sub(body) as u64;
        flight.bytes_out = body as u64;
        flight.persist = begun.keep_alive();
        meter::sent(flight.began);
        self.carried += 1;
        flight.nth = self.carried;
        // ORDER: before the first byte is written, so that the builder knows the request of the response that it reads.
        self.connection.awaited.add(Expected {
            id: flight.id,
            method: flight.method.clone(),
            upgrade: flight.taker.is_some(),
        });
        if begun.needs_body() {
            if Flight::expects_continue(payload) {
                flight.request = Sending::Expecting;
                self.connection.deadline.set_after(Some(EXPECT));
            } else {
                flight.request = Sending::Open;
                link.events.push_back(Event::NeedBody(flight.id));
            }
            flight.payload = None;
        } else {
            flight.request = Sending::Done;
            flight.ends_at = Some(link.outbound.buffer.total_when_empty());
        }
        link.weigh();
    }

    /// Takes body data of this request, or of the open one.
    pub(in crate::session) fn take_data(
        &mut self,
        link: &mut Link,
        message: Option<MessageId>,
        data: &Bytes,
    ) -> Result<Room, RefusedReason> {
        self.may_take(message)?;
        if !self.is_heard(link) {
            return Err(RefusedReason::Closing);
        }
        let room = link.send_data(data)?;
        if let Some(flight) = self.sending() {
            flight.bytes_out += data.len() as u64;
        }
        Ok(room)
    }

    /// Ends the body of this request, or of the open one.
    pub(in crate::session) fn end_body(
        &mut self,
        link: &mut Link,
        message: Option<MessageId>,
        trailers: Option<&Headers>,
    ) -> Result<(), RefusedReason> {
        self.may_take(message)?;
        let heard = self.is_heard(link);
        // Otherwise the body data were refused, so the body cannot be too short.
        if heard {
            link.end_data(trailers)?;
        }
        if let Some(flight) = self.sending() {
            flight.request = Sending::Done;
            flight.ends_at = heard.then(|| link.outbound.buffer.total_when_empty());
        }
        link.weigh();
        Ok(())
    }

    /// The socket took all output: from now on the response deadline runs.
    pub(in crate::session) fn flushed(&mut self, link: &Link) {
        let taken = link.outbound.buffer.total();
        for flight in self.sent() {
            flight.note_taken(taken, || link.now());
        }
    }
}
