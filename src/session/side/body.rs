//! The body of an outbound message, at either end: data, the end, parts that come too early, and pieces that were lost.

use bytes::Bytes;

use super::{Side, at};
use crate::error::{FailureReason, RefusedReason, UseError};
use crate::payload::{Headers, MessageId};
use crate::session::link::Link;
use crate::session::outbound::Room;
use crate::session::sink::Part;
use crate::session::waiter::Waiter;

impl Side {
    /// Takes data of this message, or of the open one.
    pub(in crate::session) fn take_data(
        &mut self,
        link: &mut Link,
        message: Option<MessageId>,
        data: &Bytes,
    ) -> Result<Room, RefusedReason> {
        if !link.is_open() {
            return Err(RefusedReason::Closing);
        }
        self.fail_if_piece_lost(link);
        at!(self, take_data(link, message, data))
    }

    /// Takes raw bytes. Only a server sends them, as the answer to a request.
    pub(in crate::session) fn take_raw(
        &mut self,
        link: &mut Link,
        exchange: Option<MessageId>,
        data: &Bytes,
    ) -> Result<Room, RefusedReason> {
        match self {
            _ if !link.is_open() => Err(RefusedReason::Closing),
            Self::Server(server) => server.take_raw(link, exchange, data),
            Self::Client(_) => Err(RefusedReason::NotOpen),
        }
    }

    /// Ends the body of this message, or of the open one. If it is shorter than announced, its exchange fails.
    pub(in crate::session) fn end_body(
        &mut self,
        link: &mut Link,
        message: Option<MessageId>,
        trailers: Option<&Headers>,
    ) -> Result<(), RefusedReason> {
        if !link.is_open() {
            return Err(RefusedReason::Closing);
        }
        self.fail_if_piece_lost(link);
        let ended = at!(self, end_body(link, message, trailers));
        if let Err(RefusedReason::Unusable(mistake @ UseError::BodyTooShort)) = ended {
            self.end_failed(link, mistake.into());
        }
        ended
    }

    /// Takes a part of a body that another actor passes on. If it is refused, the message is cut, because the sender of
    /// the part may not get the refusal.
    pub(in crate::session) fn take_part(
        &mut self,
        link: &mut Link,
        message: MessageId,
        part: Part,
    ) -> Result<Room, RefusedReason> {
        let taken = match part {
            Part::Data(data) => self.take_data(link, Some(message), &data),
            Part::End(trailers) => self
                .end_body(link, Some(message), trailers.as_ref())
                .map(|()| Room::Open),
            Part::Cut => Err(RefusedReason::NotYourTurn),
        };
        if taken.is_err() {
            self.abandon(link, message);
        }
        taken
    }

    /// Whether the body of this message was not asked for yet. Only requests wait.
    pub(in crate::session) fn awaits_its_turn(&self, message: MessageId) -> bool {
        matches!(self, Self::Client(client) if client.awaits_its_turn(message))
    }

    /// Keeps the first part of a body that was not asked for yet. False if a part is kept already.
    pub(in crate::session) fn park(
        &mut self,
        message: MessageId,
        part: Part,
        waiter: Box<dyn Waiter>,
    ) -> bool {
        self.client_mut()
            .is_some_and(|client| client.park(message, part, waiter))
    }

    /// The body is asked for: takes the part that was kept.
    pub(in crate::session) fn unpark(&mut self, link: &mut Link, message: MessageId) {
        let parked = self.client_mut().and_then(|client| client.unpark(message));
        let Some((part, waiter)) = parked else { return };
        match self.take_part(link, message, part) {
            Ok(Room::Open) => waiter.release(Ok(())),
            Ok(Room::Throttled) => link.outbound.wait(waiter),
            Err(reason) => waiter.release(Err(reason)),
        }
    }

    /// Checks the number of a piece of a body, and fails the exchange if an earlier piece was lost.
    pub(in crate::session) fn check_number(
        &mut self,
        link: &mut Link,
        message: MessageId,
        number: u64,
    ) {
        let pieces = at!(self, pieces_of(message));
        if pieces.is_some_and(|pieces| pieces.count(number)) {
            self.end_failed(link, FailureReason::LostPiece);
        }
    }

    /// A numbered piece was refused.
    pub(in crate::session) fn refuse_piece(&mut self, message: MessageId, number: u64) {
        if let Some(pieces) = at!(self, pieces_of(message)) {
            pieces.refuse(number);
        }
    }

    /// A body that lost a piece can no longer be complete: its exchange fails.
    pub(in crate::session) fn fail_if_piece_lost(&mut self, link: &mut Link) {
        if link.has_lost_piece() {
            link.clear_lost_piece();
            self.end_failed(link, FailureReason::Overrun);
        }
    }
}
