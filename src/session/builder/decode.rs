//! Decodes bytes to items and hands them to the session: as far as there is credit, all items of one read in one
//! message.

use bytes::BytesMut;

use super::clock::Clock;
use super::input::{Input, Size, shrunk};
use super::{PayloadBuilder, State};
use crate::error::WireError;
use crate::session::awaited::Partial;
use crate::session::inbound::{
    Batch, BegunLine, Chunk, Credit, Deliver, Failed, Fault, Finish, HalfClosed, Inbound, Rest,
};
use crate::session::lists;
use crate::session::meter::Stamp;
use crate::session::record::Detail;
use crate::wire::{Item, Step};

impl PayloadBuilder {
    pub(super) fn decode_tail(&mut self) {
        let mut tail = std::mem::take(&mut self.tail);
        let before = tail.len();
        self.decode(&mut tail, Size::Usual);
        if !tail.is_empty() {
            self.tail = shrunk(tail, before);
        }
    }

    /// Decodes what is complete, as long as there is credit, and hands it over in one message. A single item, as for
    /// most requests, needs no list.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut, size: Size) {
        if let Some(awaited) = &self.awaited {
            awaited.tell(&mut self.decoder);
        }
        let mut input = Input::new(buffer, size);
        self.hand_over(&mut input);
        input.finish();
    }

    fn hand_over(&mut self, input: &mut Input<'_>) {
        let before = (self.credit_bytes, self.credit_messages);
        let Some(first) = self.next_item(input) else {
            return;
        };
        let Some(second) = self.next_item(input) else {
            return self.hand_over_one(first);
        };
        let mut list = lists::take();
        list.push(first);
        list.push(second);
        while let Some(item) = self.next_item(input) {
            list.push(item);
        }
        let cost = self.used_since(before);
        self.session.send(Batch(list, cost));
    }

    /// The credit that was used since there was this much.
    fn used_since(&self, (bytes, messages): (i64, i64)) -> Credit {
        let used = |before: i64, now| usize::try_from(before.abs_diff(now)).unwrap_or(usize::MAX);
        Credit {
            bytes: used(bytes, self.credit_bytes),
            messages: used(messages, self.credit_messages),
        }
    }

    fn next_item(&mut self, input: &mut Input<'_>) -> Option<Inbound> {
        // Without input, the decoder can only return the end of a body.
        if input.bytes().is_empty() && !self.decoder.in_body() {
            return None;
        }
        if !self.may_decode() {
            // Decoding stopped before the input was exhausted.
            self.backlog = self.state == State::Reading;
            return None;
        }
        let in_body = self.decoder.in_body();
        let Step { consumed, item } = match self.decoder.decode(input.bytes()) {
            Ok(step) => step,
            Err(error) => {
                if let Some(awaited) = self.awaited.as_ref().filter(|_| !in_body) {
                    awaited.note(Partial::Bytes);
                }
                let line = self.begun_line(in_body, input.bytes());
                input.skip(input.bytes().len());
                self.state = State::Refused;
                return Some(Inbound::Fault(Fault::Wire(error), line));
            }
        };
        let item = match item {
            None => {
                input.skip(consumed);
                self.awaits_continue &= !in_body || consumed == 0;
                return None;
            }
            Some(Item::Data(range)) => {
                self.awaits_continue = false;
                Inbound::Chunk(input.take(consumed, range))
            }
            Some(Item::Head(payload, facts)) => {
                input.skip(consumed);
                if let Some(awaited) = &self.awaited
                    && !payload
                        .status()
                        .is_some_and(|status| facts.is_interim(status))
                {
                    awaited.answered();
                }
                self.message_began();
                self.awaits_continue = facts.expect_continue;
                Inbound::Deliver(payload, facts, Stamp::now())
            }
            Some(Item::End(trailers)) => {
                input.skip(consumed);
                self.awaits_continue = false;
                Inbound::Finish(trailers)
            }
        };
        let cost = item.cost();
        self.credit_bytes = self.credit_bytes.saturating_sub_unsigned(cost.bytes as u64);
        self.credit_messages = self
            .credit_messages
            .saturating_sub_unsigned(cost.messages as u64);
        Some(item)
    }

    fn message_began(&mut self) {
        self.heads += 1;
        if self.clock != Some(Clock::Idle) {
            // The next message gets a new timer.
            self.clock = None;
        }
    }

    fn hand_over_one(&mut self, item: Inbound) {
        let session = &mut self.session;
        match item {
            Inbound::Deliver(payload, facts, stamp) => session.send(Deliver {
                payload,
                facts,
                stamp,
            }),
            Inbound::Chunk(data) => session.send(Chunk(data)),
            Inbound::Finish(trailers) => session.send(Finish(trailers)),
            Inbound::Fault(fault, line) => session.send(Failed(fault, line)),
        }
    }

    /// The peer sends no more.
    pub(super) fn end_of_stream(&mut self) {
        if self.state != State::Reading {
            return;
        }
        self.state = State::Eof;
        let line = self.begun_line(false, &self.tail);
        let rest = if self.read.is_gone() {
            Rest::Gone
        } else {
            Rest::Read
        };
        match self.decoder.eof(self.tail.len()) {
            Ok(None) => self.session.send(HalfClosed(rest)),
            Ok(Some(Item::End(trailers))) => {
                self.session.send(Finish(trailers));
                self.session.send(HalfClosed(rest));
            }
            Ok(Some(Item::Head(..) | Item::Data(_))) => {
                let fault = Fault::Wire(WireError::Truncated);
                self.session.send(Failed(fault, line));
            }
            Err(error) => {
                let fault = Fault::Wire(error);
                self.session.send(Failed(fault, line));
                self.session.send(HalfClosed(rest));
            }
        }
    }

    /// The line of the request that is being read, or could not be, if it was not delivered and the logger wants it.
    pub(super) fn begun_line(&self, delivered: bool, unread: &[u8]) -> Option<BegunLine> {
        let wanted = self.awaited.is_none() && self.options.detail() >= Some(Detail::Heads);
        if delivered || !wanted {
            return None;
        }
        let line = self.decoder.request_line(unread);
        (!line.is_empty()).then(|| line.into())
    }

    /// Records how much has come of a response that was not handed over.
    pub(super) fn note_partial(&self) {
        if let Some(awaited) = &self.awaited
            && !self.decoder.is_failed()
        {
            awaited.note(if let Some(head) = self.decoder.held_back() {
                if head.status().is_some_and(|status| status.is_success()) {
                    Partial::Head
                } else {
                    Partial::Refusal
                }
            } else if self.tail.is_empty() || self.decoder.in_body() {
                Partial::Nothing
            } else {
                Partial::Bytes
            });
        }
    }
}
