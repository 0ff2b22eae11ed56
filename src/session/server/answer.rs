//! The sending half of the server side: heads, bodies and interim responses.

use bytes::Bytes;
use http::StatusCode;

use super::{Active, AnswerState, Server};
use crate::error::{Refused, RefusedReason, UseError};
use crate::payload::{Headers, Known, MessageId, Payload, TransferMode, allows_body};
use crate::session::clock;
use crate::session::handoff::Taker;
use crate::session::inbound::BodyAsked;
use crate::session::link::Link;
use crate::session::outbound::Room;
use crate::session::record::Detail;
use crate::session::step::Event;
use crate::wire::{Answering, Asked, Begun, Output as _};

impl Server {
    /// Begins the answer to the current request, or sends an interim response to it.
    pub(in crate::session) fn apply(
        &mut self,
        link: &mut Link,
        payload: Payload,
    ) -> Result<MessageId, Refused<Payload>> {
        let (status, answering) = match self.may_apply(link, &payload) {
            Ok(may) => may,
            Err(reason) => return Err(Refused::new(reason, payload)),
        };
        if status.is_success() && payload.mode() != TransferMode::Oneshot {
            // Even if muted. Such an answer may be made from the request body, and after its head no 100 may be sent.
            self.send_continue(link);
        }
        self.begin_answer(link, payload, status, answering)
    }

    /// Begins the last HTTP answer of the connection.
    pub(in crate::session) fn switch(
        &mut self,
        link: &mut Link,
        payload: Payload,
    ) -> Result<MessageId, Refused<Payload>> {
        match self.may_switch(&payload) {
            Ok((status, answering)) => self.begin_answer(link, payload, status, answering),
            Err(reason) => Err(Refused::new(reason, payload)),
        }
    }

    /// The exchange that this payload could answer, and its status.
    fn may_answer(
        &mut self,
        payload: &Payload,
    ) -> Result<(&mut Active, StatusCode), RefusedReason> {
        let active = self.active_mut().ok_or(RefusedReason::NotOpen)?;
        if active.answer != AnswerState::Pending {
            return Err(RefusedReason::AlreadyAnswered);
        }
        let status = payload.status().ok_or(UseError::WrongKind)?;
        Ok((active, status))
    }

    fn may_apply(
        &mut self,
        link: &Link,
        payload: &Payload,
    ) -> Result<(StatusCode, Answering), RefusedReason> {
        let (active, status) = self.may_answer(payload)?;
        if active.switches(status) {
            return Err(UseError::SwitchNeedsHandOff.into());
        }
        if status.is_informational() && link.outbound.is_full() {
            return Err(RefusedReason::Overrun);
        }
        let mut answering = active.answering;
        answering.keep_alive &= !active.announces_close;
        let ends = match payload.mode() {
            _ if status.is_informational() => false,
            TransferMode::Oneshot => active.receiving && !active.is_drainable(),
            // A client that gets an error instead of a 100 may or may not send the body.
            TransferMode::Stream | TransferMode::Chunked => {
                active.continue_owed && !status.is_success()
            }
        };
        if ends {
            // Announced now, because after the head it is too late.
            answering.keep_alive = false;
        }
        Ok((status, answering))
    }

    fn may_switch(&mut self, payload: &Payload) -> Result<(StatusCode, Answering), RefusedReason> {
        let (active, status) = self.may_answer(payload)?;
        if !active.upgrade || !active.switches(status) {
            return Err(UseError::NoSwitch.into());
        }
        if active.answering.asked != Asked::Connect && !payload.headers().has(Known::Upgrade) {
            return Err(UseError::NoUpgrade.into());
        }
        if active.receiving {
            return Err(RefusedReason::Busy);
        }
        Ok((status, active.answering))
    }

    /// Sets who gets the connection after the answer that was just begun.
    pub(in crate::session) fn promise(&mut self, _: MessageId, taker: Taker) {
        if let Some(active) = self.active_mut() {
            active.aside().taker = Some(taker);
        }
    }

    fn begin_answer(
        &mut self,
        link: &mut Link,
        mut payload: Payload,
        status: StatusCode,
        answering: Answering,
    ) -> Result<MessageId, Refused<Payload>> {
        let id = payload.own_id();
        let (begun, sizes) = match encode(link, &payload, status, answering) {
            Ok(encoded) => encoded,
            Err(mistake) => return Err(Refused::new(mistake, payload)),
        };
        let Some(active) = self.active_mut() else {
            unreachable!("`may_answer` found the exchange");
        };
        let (needs_body, keep_alive) = match begun {
            Begun::Interim => {
                if status == StatusCode::CONTINUE && active.continue_owed {
                    active.continue_owed = false;
                    link.tell(BodyAsked(self.begun));
                }
                return Ok(id);
            }
            Begun::Open { keep_alive } => (true, keep_alive),
            Begun::Whole { keep_alive } => (false, keep_alive),
            Begun::Switch => (false, true),
        };
        active.answer = AnswerState::Open(id);
        active.answered(status, sizes, link.exact_now());
        active.persist &= keep_alive;
        if needs_body {
            link.events.push_back(Event::NeedBody(id));
        } else {
            self.answer_complete(false);
        }
        self.keep_response(link, payload);
        Ok(id)
    }

    fn keep_response(&mut self, link: &Link, payload: Payload) {
        let contents = link.options.detail() == Some(Detail::Contents);
        if contents && let Some(kept) = self.active_mut().and_then(|active| active.kept.as_mut()) {
            kept.response = Some(payload);
        }
    }

    /// Takes body data of this message, or of the open one.
    pub(in crate::session) fn take_data(
        &mut self,
        link: &mut Link,
        message: Option<MessageId>,
        data: &Bytes,
    ) -> Result<Room, RefusedReason> {
        self.may_take(message)?;
        let room = link.send_data(data)?;
        if let Some(active) = self.active_mut() {
            active.exchange.bytes_out += data.len() as u64;
        }
        Ok(room)
    }

    /// Takes raw bytes as the answer to this exchange, or to the current one.
    pub(in crate::session) fn take_raw(
        &mut self,
        link: &mut Link,
        exchange: Option<MessageId>,
        data: &Bytes,
    ) -> Result<Room, RefusedReason> {
        let full = link.outbound.is_full();
        let active = self.active_mut().ok_or(RefusedReason::NotOpen)?;
        match active.answer {
            _ if exchange.is_some_and(|exchange| exchange != active.exchange.id) => {
                return Err(RefusedReason::NotYourTurn);
            }
            AnswerState::Open(_) => return Err(RefusedReason::Busy),
            AnswerState::Complete { .. } => return Err(RefusedReason::AlreadyAnswered),
            AnswerState::Pending | AnswerState::Raw if full => return Err(RefusedReason::Overrun),
            AnswerState::Pending | AnswerState::Raw => {}
        }
        if active.answer == AnswerState::Pending {
            active.answer_raw(link.now());
        }
        active.exchange.bytes_out += data.len() as u64;
        link.outbound.buffer.body(data);
        link.weigh();
        Ok(link.outbound.room())
    }

    /// Ends the body of this message, or of the open one.
    pub(in crate::session) fn end_body(
        &mut self,
        link: &mut Link,
        message: Option<MessageId>,
        trailers: Option<&Headers>,
    ) -> Result<(), RefusedReason> {
        let raw = self.active().is_some_and(|active| {
            active.answer == AnswerState::Raw
                && message.is_none_or(|message| message == active.exchange.id)
        });
        if raw {
            // Only the application could have announced the close.
            if let Some(active) = self.active_mut() {
                active.persist &= !active.announces_close;
            }
        } else {
            self.may_take(message)?;
            link.end_data(trailers)?;
        }
        self.answer_complete(true);
        link.weigh();
        Ok(())
    }

    /// Sends the 100 that the peer may wait for, unless a mute, a responder or a sink decides about that.
    pub(in crate::session) fn promise_continue(&mut self, link: &mut Link) {
        if self.is_muted() || self.active().is_none_or(|active| active.lent > 0) {
            return;
        }
        match &mut link.sink {
            // An empty part asks the actor that gets the body whether it wants it.
            Some(sink) if self.awaits_continue() => sink.data(Bytes::new(), false),
            Some(_) => {}
            None => self.send_continue(link),
        }
    }

    /// Sends the 100 that the peer may wait for (RFC 9110 section 10.1.1): not after body bytes came, not twice.
    pub(in crate::session) fn send_continue(&mut self, link: &mut Link) {
        let body_came = !link.inbox.is_empty();
        if let Some(active) = self.active_mut()
            && active.continue_owed
            && active.answer == AnswerState::Pending
        {
            active.continue_owed = false;
            if !body_came {
                link.outbound
                    .buffer
                    .small()
                    .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            link.tell(BodyAsked(self.begun));
        }
    }
}

/// Encodes a response, with what it has of a body. Returns also the bytes of the head and of the body.
#[inline]
pub(super) fn encode(
    link: &mut Link,
    payload: &Payload,
    status: StatusCode,
    answering: Answering,
) -> Result<(Begun, (usize, usize)), UseError> {
    let date = clock::date_line(link.now());
    let buffer = &mut link.outbound.buffer;
    let before = buffer.len();
    let begun = link
        .outbound
        .encoder
        .response(payload, answering, &date, buffer)?;
    let encoded = buffer.len().saturating_sub(before);
    let open = matches!(begun, Begun::Open { .. });
    let body = if open || answering.asked == Asked::Head || !allows_body(status) {
        0
    } else {
        payload.body_bytes().len().min(encoded)
    };
    Ok((begun, (encoded - body, body)))
}
