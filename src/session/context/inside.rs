//! What the crate itself does with a session context, besides what a handler can do.

use std::sync::Arc;

use actix::Addr;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::SessionContext;
use crate::error::{FailureReason, Refused, RefusedReason};
use crate::payload::{Headers, MessageId, Payload};
use crate::session::HttpSession;
use crate::session::handoff::Taker;
use crate::session::leave::{Leave, Left};
use crate::session::memory::Keeping;
use crate::session::outbound::Room;
use crate::session::record::Note;
use crate::session::reply::PartReply;
use crate::session::sink::{BodyPart, NoMore, Part};
use crate::session::unsent::Unsent;
use crate::session::waiter;
use crate::transport::TlsInfo;

/// For the behaviours, which name a message, or mean the open one.
impl SessionContext {
    /// Sends body data of this message, or of the open one.
    pub(in crate::session) fn give(
        &mut self,
        message: Option<MessageId>,
        data: Bytes,
    ) -> Result<Room, Refused<Bytes>> {
        match self.side.take_data(&mut self.link, message, &data) {
            Ok(room) => Ok(room),
            Err(reason) => Err(Refused::new(reason, data)),
        }
    }

    /// Writes raw bytes in answer to this exchange, or to the current one.
    pub(in crate::session) fn give_raw(
        &mut self,
        exchange: Option<MessageId>,
        data: Bytes,
    ) -> Result<Room, Refused<Bytes>> {
        match self.side.take_raw(&mut self.link, exchange, &data) {
            Ok(room) => Ok(room),
            Err(reason) => Err(Refused::new(reason, data)),
        }
    }

    /// Ends the body of this message, or of the open one.
    pub(in crate::session) fn end(
        &mut self,
        message: Option<MessageId>,
        trailers: Option<&Headers>,
    ) -> Result<(), Refused<()>> {
        let ended = self.side.end_body(&mut self.link, message, trailers);
        ended.map_err(|reason| Refused::new(reason, ()))
    }

    /// Takes a part of a body as that of this message. The first part of a body that was not asked for yet is kept.
    pub(in crate::session) fn take_part(
        &mut self,
        BodyPart { message, part }: BodyPart,
    ) -> PartReply {
        let later = || waiter::reply_slot(|room| room.map_err(|_| NoMore));
        if self.side.awaits_its_turn(message) {
            let (slot, waiter) = later();
            if !matches!(part, Part::Cut) && self.side.park(message, part, waiter) {
                return PartReply::Later(slot);
            }
            // A second part, or none that follows: nobody could complete the message any more.
            self.side.abandon(&mut self.link, message);
            return PartReply::Now(Err(NoMore));
        }
        match self.side.take_part(&mut self.link, message, part) {
            Ok(Room::Open) => PartReply::Now(Ok(())),
            Ok(Room::Throttled) => {
                let (slot, waiter) = later();
                self.link.outbound.wait(waiter);
                PartReply::Later(slot)
            }
            Err(reason) => {
                tracing::debug!(%message, %reason, "a part of a body was refused");
                PartReply::Now(Err(NoMore))
            }
        }
    }

    /// Like [`hand_off`](Self::hand_off), for a given taker, which is returned with a refused payload.
    pub(in crate::session) fn hand_off_to(
        &mut self,
        payload: Payload,
        taker: Taker,
    ) -> Result<(), (Refused<Payload>, Taker)> {
        if !self.link.is_open() {
            return Err((Refused::new(RefusedReason::Closing, payload), taker));
        }
        let accepted = self.side.hand_off(&mut self.link, payload, taker);
        self.link.weigh();
        accepted
    }

    /// Like [`leave`](Self::leave). The receiver resolves when the session has ended.
    pub(in crate::session) fn begin_leaving(&mut self, leave: Leave) -> oneshot::Receiver<Left> {
        self.side.announce_close();
        self.link.begin_leaving(leave)
    }

    /// Keeps a note for the logger, if there is one.
    pub(in crate::session) fn take_note(&mut self, note: Note) {
        if self.link.options.logger.is_some()
            && let Some(aside) = self.side.aside()
            && !aside.note(note)
        {
            let span = self.side.span(None).id();
            tracing::warn!(parent: span, "the notes of an exchange are too long: some are not logged");
        }
    }

    /// Fails the exchange if its answer was refused as unusable: otherwise the client would wait forever.
    pub(in crate::session) fn fail_if_unusable(&mut self, refused: &Refused<Unsent>) {
        if let (Unsent::Payload(answer), RefusedReason::Unusable(mistake)) =
            (&refused.message, refused.reason)
            && !answer.is_interim()
            && self.side.owes_answer()
        {
            self.end_failed(mistake.into());
        }
    }

    /// Ends the current exchange because something went wrong.
    pub(in crate::session) fn end_failed(&mut self, reason: FailureReason) {
        self.side.end_failed(&mut self.link, reason);
    }
}

/// For the services and clients of this crate.
impl SessionContext {
    /// Like [`tls`](Self::tls), shared.
    pub(crate) fn shared_tls(&self) -> Option<Arc<TlsInfo>> {
        self.link.tls.clone()
    }

    /// The request of the exchange whose end is being reported, if it was not answered and can be sent again unchanged.
    pub(crate) fn take_unanswered(&mut self) -> Option<Payload> {
        self.side.take_unanswered()
    }

    /// The address of a client session, while its connection can be used for another request.
    pub(crate) fn reusable(&mut self) -> Option<&Arc<Addr<HttpSession>>> {
        if !self.link.is_open() || !self.side.is_reusable(&self.link) {
            return None;
        }
        self.link.kept_address()
    }

    /// Whether HTTP is over here, and the connection is being handed over.
    pub(crate) fn hands_over(&self) -> bool {
        self.link.is_releasing()
    }

    /// Counts the memory that a service holds for this session.
    pub(crate) fn keeping(&self) -> Keeping {
        self.link.keeping()
    }
}
