//! The sending half of the server end: heads, bodies, interim responses and refusals.

use bytes::Bytes;
use http::StatusCode;
use tokio::time::Instant;

use super::clock;
use super::context::{Event, SessionContext};
use super::exchange::Outcome;
use super::outbound::Room;
use super::record::Detail;
use super::server::Answer;
use crate::error::{
    CancelCause, CloseReason, Deadline, FailureReason, Refused, RefusedReason, UseError, WireError,
};
use crate::payload::{Headers, MessageId, Payload, TransferMode};
use crate::wire::{self, Answering, Output as _};

impl SessionContext {
    /// Begins the answer to the request that is being handled, or says an interim word on it.
    pub(super) fn answer(&mut self, payload: Payload) -> Result<MessageId, Refused<Payload>> {
        let Some(active) = self.server.active() else {
            return Err(Refused::new(RefusedReason::NotOpen, payload));
        };
        if active.answer != Answer::Pending {
            return Err(Refused::new(RefusedReason::AlreadyAnswered, payload));
        }
        let Some(status) = payload.status() else {
            return Err(Refused::new(UseError::WrongKind, payload));
        };
        if status == StatusCode::SWITCHING_PROTOCOLS
            || active.answering.connect && status.is_success()
        {
            return Err(Refused::new(UseError::InvalidStatus, payload));
        }
        let whole = payload.mode() == TransferMode::Oneshot;
        let mut answering = active.answering;
        if whole && active.receiving && !active.is_drainable() && !status.is_informational() {
            // Announced here, because after the head it is too late (D7).
            answering.keep_alive = false;
        }
        if !whole {
            // A streamed answer does not end here, so the request body is still wanted.
            self.promise_continue();
        }
        self.begin(payload, status, answering)
    }

    fn begin(
        &mut self,
        payload: Payload,
        status: StatusCode,
        answering: Answering,
    ) -> Result<MessageId, Refused<Payload>> {
        let id = payload.id();
        let before = self.outbound.buffer.len();
        let date = clock::date(Instant::now());
        let begun = match self.outbound.encoder.response(
            &payload,
            answering,
            &date,
            &mut self.outbound.buffer,
        ) {
            Ok(begun) => begun,
            Err(mistake) => return Err(Refused::new(mistake, payload)),
        };
        let encoded = self.outbound.buffer.len().saturating_sub(before);
        let Some(active) = self.server.active() else {
            return Ok(id);
        };
        if begun.informational {
            active.continue_owed &= status != StatusCode::CONTINUE;
            return Ok(id);
        }
        let body = if begun.needs_body || answering.head {
            0
        } else {
            payload.body_bytes().len().min(encoded)
        };
        active.answer_with(id, status, encoded - body);
        active.bytes_out = body as u64;
        active.persist &= begun.keep_alive;
        if begun.needs_body {
            self.events.push_back(Event::NeedBody(id));
        } else {
            self.server.sent(false);
        }
        self.keep_response(payload);
        Ok(id)
    }

    fn keep_response(&mut self, payload: Payload) {
        let contents = self
            .options
            .logger
            .as_ref()
            .is_some_and(|logger| logger.detail() == Detail::Contents);
        if contents && let Some(kept) = self.server.active().and_then(|active| active.kept.as_mut())
        {
            kept.response = Some(payload);
        }
    }

    /// Takes body data of this message, or of the open one.
    pub(super) fn take_data(
        &mut self,
        message: Option<MessageId>,
        data: Bytes,
    ) -> Result<Room, Refused<Bytes>> {
        if !self.is_open() {
            return Err(Refused::new(RefusedReason::Closing, data));
        }
        if let Some(reason) = self.server.objection(message) {
            return Err(Refused::new(reason, data));
        }
        if self.outbound.is_full() {
            return Err(Refused::new(RefusedReason::Overrun, data));
        }
        let taken = data.len() as u64;
        // A clone is a counter; a refused piece goes back whole.
        if let Err(mistake) = self
            .outbound
            .encoder
            .data(data.clone(), &mut self.outbound.buffer)
        {
            let reason = if mistake == UseError::BodyTooLong {
                RefusedReason::TooLong
            } else {
                mistake.into()
            };
            return Err(Refused::new(reason, data));
        }
        if let Some(active) = self.server.active() {
            active.bytes_out += taken;
        }
        self.weigh();
        Ok(self.outbound.room())
    }

    /// Takes raw bytes as the answer to this exchange, or to the one that is going on.
    pub(super) fn take_raw(
        &mut self,
        exchange: Option<MessageId>,
        data: Bytes,
    ) -> Result<Room, Refused<Bytes>> {
        if !self.is_open() {
            return Err(Refused::new(RefusedReason::Closing, data));
        }
        let full = self.outbound.is_full();
        let Some(active) = self.server.active() else {
            return Err(Refused::new(RefusedReason::NotOpen, data));
        };
        let objection = match active.answer {
            _ if exchange.is_some_and(|exchange| exchange != active.id) => {
                Some(RefusedReason::NotYourTurn)
            }
            Answer::Open(_) => Some(RefusedReason::Busy),
            Answer::Sent { .. } => Some(RefusedReason::AlreadyAnswered),
            Answer::Pending | Answer::Raw => full.then_some(RefusedReason::Overrun),
        };
        if let Some(reason) = objection {
            return Err(Refused::new(reason, data));
        }
        if active.answer == Answer::Pending {
            active.answer_raw();
        }
        active.bytes_out += data.len() as u64;
        self.outbound.buffer.body(data);
        self.weigh();
        Ok(self.outbound.room())
    }

    /// Ends the body of this message, or of the open one.
    pub(super) fn end_body(
        &mut self,
        message: Option<MessageId>,
        trailers: Option<&Headers>,
    ) -> Result<(), Refused<()>> {
        if !self.is_open() {
            return Err(Refused::new(RefusedReason::Closing, ()));
        }
        let raw = self
            .server
            .active()
            .is_some_and(|active| active.answer == Answer::Raw);
        if !raw {
            if let Some(reason) = self.server.objection(message) {
                return Err(Refused::new(reason, ()));
            }
            if let Err(mistake) = self
                .outbound
                .encoder
                .finish(trailers, &mut self.outbound.buffer)
            {
                if mistake == UseError::BodyTooShort {
                    self.end_failed(mistake.into());
                }
                return Err(Refused::new(mistake, ()));
            }
        }
        self.server.sent(true);
        self.weigh();
        Ok(())
    }

    /// Sends the 100 that the peer may wait for, unless somebody else is to decide on that.
    pub(super) fn promise_continue(&mut self) {
        if !self.server.is_muted() && self.server.active().is_some_and(|active| !active.lent) {
            self.send_continue();
        }
    }

    /// Sends the 100 that the peer may wait for (RFC 9110 section 10.1.1): not after body bytes came, not twice.
    pub(super) fn send_continue(&mut self) {
        let body_came = !self.inbox.is_empty();
        if let Some(active) = self.server.active()
            && active.continue_owed
            && active.answer == Answer::Pending
        {
            active.continue_owed = false;
            if !body_came {
                self.outbound
                    .buffer
                    .small()
                    .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
        }
    }

    // The other ends.

    /// Ends the exchange because somebody does not want it any more.
    pub(super) fn end_cancelled(&mut self, cause: CancelCause) {
        if self.server.current().is_none() {
            return;
        }
        match cause {
            CancelCause::Deadline(deadline @ (Deadline::Body | Deadline::BodyRate)) => {
                self.end_with(
                    Outcome::Cancelled(cause),
                    StatusCode::REQUEST_TIMEOUT,
                    "the request body came too slowly",
                    CloseReason::Deadline(deadline),
                );
            }
            CancelCause::PeerReset => self.shut(cause, CloseReason::PeerReset),
            CancelCause::Shutdown => self.shut(cause, CloseReason::Shutdown),
            CancelCause::Deadline(deadline) => self.shut(cause, CloseReason::Deadline(deadline)),
            CancelCause::Local | CancelCause::PeerHalfClosed => {
                self.shut(cause, CloseReason::Aborted);
            }
        }
    }

    /// Ends the exchange because something was wrong: with an answer that says so, if none has begun.
    pub(super) fn end_failed(&mut self, reason: FailureReason) {
        let outcome = Outcome::Failed(reason);
        match reason {
            FailureReason::Protocol(error) => {
                self.end_with(
                    outcome,
                    error.status(),
                    &error.to_string(),
                    CloseReason::Refused(error),
                );
            }
            FailureReason::Usage(_)
            | FailureReason::Overrun
            | FailureReason::Unanswered
            | FailureReason::HandlerPanicked
            | FailureReason::LostPiece
            | FailureReason::ConnectionClosed(_) => {
                tracing::warn!(%reason, "an exchange failed on this end");
                self.end_with(
                    outcome,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the server could not answer",
                    CloseReason::Aborted,
                );
            }
        }
    }

    fn end_with(&mut self, outcome: Outcome, status: StatusCode, text: &str, reason: CloseReason) {
        if self.server.current().is_none() {
            return;
        }
        if !self.is_open() {
            self.server.end(outcome);
        } else if self.server.end(outcome) {
            // The answer had begun: only a reset keeps the peer from taking it for whole.
            self.abort(reason, true);
        } else {
            self.refuse(status, text, reason);
        }
    }

    /// Answers what never became an exchange, and closes so that the peer sees the answer.
    pub(super) fn refuse_wire(&mut self, error: WireError) {
        tracing::debug!(%error, peer = %self.peer, "a request was refused");
        self.refuse(
            error.status(),
            &error.to_string(),
            CloseReason::Refused(error),
        );
    }

    pub(super) fn refuse(&mut self, status: StatusCode, text: &str, reason: CloseReason) {
        let payload = wire::refusal(status, text);
        let answering = Answering {
            head: false,
            connect: false,
            version: http::Version::HTTP_11,
            keep_alive: false,
        };
        let date = clock::date(Instant::now());
        // A refusal is made of valid parts; were it not, the close says enough.
        let _ =
            self.outbound
                .encoder
                .response(&payload, answering, &date, &mut self.outbound.buffer);
        self.close(reason, true);
    }
}
