//! What both ends of a connection share: the way to the builder, the queues, the sending side, and where the connection
//! is in its life. What an exchange is differs by end: see `server/` and `client/`.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::{Addr, WeakAddr};
use tokio::time::Instant;

use super::HttpSession;
use super::builder::PayloadBuilder;
use super::credit::Ledger;
use super::handler::Unsent;
use super::inbound::{Close, Inbound};
use super::options::SessionOptions;
use super::outbound::{Flow, Outbound, Room};
use crate::error::{CloseReason, Refused, RefusedReason};
use crate::payload::MessageId;
use crate::transport::Peer;

/// The connection, without the exchanges on it.
#[derive(Debug)]
pub(super) struct Link {
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

impl Link {
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

    /// An item of the builder comes in.
    pub(super) fn receive(&mut self, item: Inbound) {
        self.ledger.receive(item.cost());
        if self.is_open() {
            self.inbox.push_back(item);
        }
    }

    /// Takes the next item off the queue: its credit can be granted anew.
    pub(super) fn take(&mut self) -> Option<Inbound> {
        let item = self.inbox.pop_front()?;
        self.ledger.spend(item.cost());
        Some(item)
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

    /// The last step: both actors end.
    pub(super) fn finish_close(&mut self, reason: CloseReason, linger: bool) {
        tracing::trace!(%reason, peer = %self.peer, "connection closed");
        self.phase = Phase::Closed { reason };
        self.outbound.release(Err(RefusedReason::Closing));
        self.builder.do_send(Close { linger });
    }
}
