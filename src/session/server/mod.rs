//! The server side: one request at a time, answered in order (P98).
//!
//! This file has the state and its transitions. The current exchange is in `active.rs`, with what few of them have
//! in `aside.rs`; writing is in `answer.rs`, reading in `intake.rs`, and unsuccessful ends in `ends.rs`.

mod active;
mod answer;
mod aside;
mod ends;
mod intake;

use std::future::Future;

use tokio::time::Instant;

use crate::error::{CloseReason, RefusedReason};
use crate::payload::MessageId;
use crate::session::exchange::Outcome;
use crate::session::inbound::Rest;
use crate::session::info::SessionPhase;
use crate::session::link::Link;
use crate::session::pieces::Pieces;
use crate::session::trace::{NOBODY, Traced};
use crate::wire::Asked;
pub(in crate::session) use active::Active;
use active::AnswerState;
pub(in crate::session) use aside::Aside;

#[derive(Debug)]
pub(in crate::session) struct Server {
    active: Option<Box<Active>>,
    /// The exchange that ended, until its end was reported.
    ended: Option<Box<Active>>,
    /// The kind of the message begun last, for calls that name no message.
    last: LastMessage,
    begun: u64,
    /// The exchange is over, and the rest of its request is still coming. So many bytes of it are dropped, then the
    /// connection closes.
    draining: Option<u64>,
    /// The peer has closed its sending side, and whether everything that it sent before was read.
    half_closed: Option<Rest>,
    idle_since: Instant,
    /// Whether the builder has asked whether the connection is idle, and gets its answer when it is.
    idle_asked: bool,
    /// Why the connection will close, unless the builder finds a part of another request.
    retiring: Option<CloseReason>,
    farewell: Option<Farewell>,
}

/// The time that a half-closed peer has which is owed an answer.
#[derive(Debug, Clone, Copy)]
struct Farewell {
    /// Until when it must read something.
    until: Instant,
    /// How many bytes the socket had taken when this was set.
    seen: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastMessage {
    None,
    WithoutBody,
    Ended,
}

impl Server {
    pub(in crate::session) fn new(now: Instant) -> Self {
        Self {
            active: None,
            ended: None,
            last: LastMessage::None,
            begun: 0,
            draining: None,
            half_closed: None,
            idle_since: now,
            idle_asked: false,
            retiring: None,
            farewell: None,
        }
    }

    /// A request is delivered: an exchange begins.
    fn begin(&mut self, active: Box<Active>) {
        self.begun += 1;
        self.retiring = None;
        self.farewell = None;
        self.active = Some(active);
    }

    fn active_mut(&mut self) -> Option<&mut Active> {
        self.active.as_deref_mut()
    }

    /// The current exchange.
    fn active(&self) -> Option<&Active> {
        self.active.as_deref()
    }

    /// Whether there is an exchange whose end was not reported yet.
    fn is_engaged(&self) -> bool {
        self.active.is_some() || self.ended.is_some()
    }

    pub(in crate::session) fn current(&self) -> Option<MessageId> {
        self.active().map(|active| active.exchange.id)
    }

    /// The exchange whose request is not complete yet.
    pub(in crate::session) fn receiving(&self) -> Option<MessageId> {
        self.active()
            .filter(|active| active.receiving)
            .map(|active| active.exchange.id)
    }

    /// Whether the peer waits for our 100 before it sends its body.
    pub(in crate::session) fn awaits_continue(&self) -> bool {
        self.active()
            .is_some_and(|active| active.continue_owed && active.answer == AnswerState::Pending)
    }

    /// Whether there is no answer, and nobody has the right to give one.
    pub(in crate::session) fn owes_answer(&self) -> bool {
        self.active()
            .is_some_and(|active| active.answer == AnswerState::Pending && active.lent == 0)
    }

    /// Whether the id names the current exchange, by its request or its answer.
    pub(in crate::session) fn is_about(&self, message: MessageId) -> bool {
        self.active().is_some_and(|active| {
            active.exchange.id == message || active.answer.id() == Some(message)
        })
    }

    /// Takes back a right to answer. True if it was the last one and no answer had begun.
    pub(in crate::session) fn give_back(&mut self, exchange: MessageId) -> bool {
        let Some(active) = self
            .active_mut()
            .filter(|active| active.exchange.id == exchange)
        else {
            return false;
        };
        active.lent = active.lent.saturating_sub(1);
        active.lent == 0 && active.answer == AnswerState::Pending
    }

    /// Makes a complete answer the last one of the connection. False if it is not complete.
    fn close_after_answer(&mut self) -> bool {
        let Some(active) = self.active_mut().filter(|active| active.is_answered()) else {
            return false;
        };
        active.persist = false;
        true
    }

    /// Makes the answer to the current request the last one. If it has not begun, it will announce the close.
    pub(in crate::session) fn announce_close(&mut self) {
        if let Some(active) = self.active_mut() {
            active.announces_close = true;
        }
    }

    /// The pieces of the body of this message, while it is open.
    pub(in crate::session) fn pieces_of(&mut self, message: MessageId) -> Option<&mut Pieces> {
        let active = self.active_mut()?;
        (active.answer == AnswerState::Open(message)).then_some(&mut active.pieces)
    }

    /// The open message, claimed for its one body writer.
    pub(in crate::session) fn open_message(&mut self) -> Option<MessageId> {
        let active = self.active_mut()?;
        match active.answer {
            AnswerState::Open(id) => active.pieces.claim().then_some(id),
            _ => None,
        }
    }

    /// Whether body data of this message, or of the last one, can be taken, or why not.
    fn may_take(&self, message: Option<MessageId>) -> Result<(), RefusedReason> {
        let Some(active) = self.active() else {
            return Err(match (message, self.last) {
                (Some(_), _) | (None, LastMessage::Ended) => RefusedReason::NotYourTurn,
                (None, LastMessage::WithoutBody) => RefusedReason::NoBody,
                (None, LastMessage::None) => RefusedReason::NotOpen,
            });
        };
        match active.answer {
            AnswerState::Open(id) if message.is_none_or(|message| message == id) => Ok(()),
            AnswerState::Complete { id, body: false }
                if message.is_none_or(|message| Some(message) == id) =>
            {
                Err(RefusedReason::NoBody)
            }
            AnswerState::Raw => Err(RefusedReason::Busy),
            AnswerState::Pending if message.is_none() && self.last == LastMessage::None => {
                Err(RefusedReason::NotOpen)
            }
            AnswerState::Pending | AnswerState::Open(_) | AnswerState::Complete { .. } => {
                Err(RefusedReason::NotYourTurn)
            }
        }
    }

    /// The answer is complete; with `body`, its body was sent in pieces.
    fn answer_complete(&mut self, body: bool) {
        let Some(active) = self.active_mut() else {
            return;
        };
        active.answer = AnswerState::Complete {
            id: active.answer.id(),
            body,
        };
        self.last = if body {
            LastMessage::Ended
        } else {
            LastMessage::WithoutBody
        };
    }

    /// Completes the exchange, if its answer is complete. True if it is.
    pub(in crate::session) fn complete(&mut self) -> bool {
        match self.active.take_if(|active| active.is_answered()) {
            None => false,
            ended => {
                self.ended = ended;
                true
            }
        }
    }

    /// Whether the answer is complete and another request may follow it.
    fn may_follow(&self) -> bool {
        self.active()
            .is_some_and(|active| active.is_answered() && active.persist)
    }

    /// Ends the exchange unsuccessfully. Returns whether its answer had begun. Then what waits of it is not sent.
    fn end(&mut self, link: &Link, outcome: Outcome) -> bool {
        let Some(mut active) = self.active.take() else {
            return false;
        };
        active.exchange.outcome = outcome;
        active.persist = false;
        let begun = active.answer != AnswerState::Pending;
        if begun {
            self.last = LastMessage::Ended;
            active.exchange.take_back(link.outbound.buffer.len());
        }
        self.ended = Some(active);
        begun
    }

    /// Whether the exchange ended and its end is still to be reported.
    pub(in crate::session) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Body data of the request came.
    fn received(&mut self, bytes: usize) {
        if let Some(active) = self.active_mut() {
            active.exchange.bytes_in += bytes as u64;
            active.continue_owed = false;
        }
    }

    /// The request is complete.
    fn received_all(&mut self) {
        if let Some(active) = self.active_mut() {
            active.receiving = false;
            active.continue_owed = false;
        }
    }

    /// Counts a mute. Returns the exchange, and whether this is its first mute.
    pub(in crate::session) fn mute(&mut self) -> Option<(MessageId, bool)> {
        let active = self.active_mut()?;
        active.mutes += 1;
        Some((active.exchange.id, active.mutes == 1))
    }

    /// Undoes a mute. Returns the id if it was the last.
    pub(in crate::session) fn unmute(&mut self) -> Option<MessageId> {
        let active = self.active_mut().filter(|active| active.is_muted())?;
        active.mutes -= 1;
        (active.mutes == 0).then_some(active.exchange.id)
    }

    pub(in crate::session) fn is_muted(&self) -> bool {
        self.active().is_some_and(Active::is_muted)
    }

    /// Lends the right to answer, and tells whether the request is HEAD.
    pub(in crate::session) fn lend(&mut self) -> Option<(MessageId, bool)> {
        let active = self.active_mut()?;
        active.lent += 1;
        Some((active.exchange.id, active.answering.asked == Asked::Head))
    }

    pub(in crate::session) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        if let Some(active) = self.active_mut() {
            active.tasks.retain(|task| !task.is_finished());
            active.tasks.push(active.span.spawn(future));
        }
    }

    /// The span of the current exchange: there is only one at a time.
    pub(in crate::session) fn span(&self, _: Option<MessageId>) -> &Traced {
        self.active.as_ref().map_or(&NOBODY, |active| &active.span)
    }

    pub(in crate::session) fn phase(&self) -> SessionPhase {
        match self.active().map(|active| active.answer) {
            None => SessionPhase::Idle,
            Some(AnswerState::Pending) => SessionPhase::Handling,
            Some(_) => SessionPhase::Answering,
        }
    }

    pub(in crate::session) fn begun(&self) -> u64 {
        self.begun
    }
}
