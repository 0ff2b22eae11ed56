//! The phases of a connection: open, and on its way to its end.

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Link;
use crate::error::{CloseReason, RefusedReason};
use crate::session::builder::Hosted;
use crate::session::handoff::{Released, Taker, Upgraded};
use crate::session::inbound::Release;
use crate::session::leave::{Leave, Left};
use crate::session::meter;
use crate::session::outbound::Teardown;
use crate::session::step::Event;

/// The state of the connection, with the reason for its end while that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Phase {
    Open,
    /// Nothing more is accepted or delivered; what was accepted is still written, and then the sending side is shut
    /// down.
    Flushing {
        reason: CloseReason,
        linger: bool,
    },
    /// HTTP is over; the builder was asked for its half of the connection.
    Releasing,
    /// Nothing more is written.
    Aborting {
        reason: CloseReason,
        teardown: Teardown,
    },
    Closed,
}

impl Link {
    pub(in crate::session) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the connection is being handed over.
    pub(in crate::session) fn is_releasing(&self) -> bool {
        self.phase == Phase::Releasing
    }

    pub(in crate::session) fn is_aborting(&self) -> bool {
        matches!(self.phase, Phase::Aborting { .. })
    }

    /// Closes the connection once everything accepted is written.
    pub(in crate::session) fn close(&mut self, reason: CloseReason) {
        self.flush_and_close(reason, false);
    }

    /// Like [`close`](Self::close), and then reads and drops for a while what the peer still sends, so that it gets the
    /// answer and not a reset (RFC 9112 section 9.6).
    pub(in crate::session) fn close_and_linger(&mut self, reason: CloseReason) {
        self.flush_and_close(reason, true);
    }

    fn flush_and_close(&mut self, reason: CloseReason, linger: bool) {
        if self.is_open() {
            self.phase = Phase::Flushing { reason, linger };
            self.inbox.clear();
        }
    }

    /// Closes the connection without writing anything more. The first reason counts, and a reset stays a reset.
    pub(in crate::session) fn abort(&mut self, reason: CloseReason, teardown: Teardown) {
        self.phase = match self.phase {
            Phase::Closed => return,
            Phase::Aborting {
                reason,
                teardown: already,
            } => Phase::Aborting {
                reason,
                teardown: already.max(teardown),
            },
            Phase::Open | Phase::Flushing { .. } | Phase::Releasing => {
                Phase::Aborting { reason, teardown }
            }
        };
        self.inbox.clear();
    }

    /// Begins to end in an orderly way. The receiver resolves when the session has ended.
    pub(in crate::session) fn begin_leaving(&mut self, leave: Leave) -> oneshot::Receiver<Left> {
        let now = self.now();
        let leaving = match &mut self.leaving {
            Some(leaving) => leaving,
            none => {
                self.events.push_back(Event::Leaving);
                none.insert(Box::default())
            }
        };
        leaving.hasten(leave, now);
        if let Some(departure) = &self.departure {
            departure.cancel();
        }
        leaving.wait()
    }

    /// A token that is cancelled when the session is asked to leave.
    pub(in crate::session) fn departure(&mut self) -> CancellationToken {
        let departure = self.departure.get_or_insert_default();
        if self.leaving.is_some() {
            departure.cancel();
        }
        departure.clone()
    }

    /// HTTP is over, and all output was written: the connection goes to the taker, unless the handler has ended it.
    pub(in crate::session) fn hand_off(&mut self, taker: Taker) {
        if self.is_open() && self.builder.is_some() {
            self.phase = Phase::Releasing;
            self.taker = Some(taker);
            self.tell(Release);
        }
    }

    /// The last step of the hand-off: both halves go.
    pub(in crate::session) fn hand_over(&mut self, released: Released) {
        if let Some(taker) = self.taker.take()
            && let Some(write) = self.outbound.surrender()
            && self.phase == Phase::Releasing
        {
            // If nobody waits any more, dropping the connection closes it.
            let _ = taker.send(Ok(Upgraded::new(released, write, self.peer)));
            self.finish_close(CloseReason::HandedOff, false);
        }
    }

    /// The last step: both actors end.
    pub(in crate::session) fn finish_close(&mut self, reason: CloseReason, linger: bool) {
        tracing::trace!(%reason, peer = %self.peer, "connection closed");
        self.trace.session.closed(reason);
        self.phase = Phase::Closed;
        self.outbound.release(Err(RefusedReason::Closing));
        meter::throttled(self.outbound.throttled_since());
        self.gauge = None;
        if let Some(builder) = self.builder.take()
            && linger
        {
            Hosted::linger(builder);
        }
        if let Some(leaving) = self.leaving.take() {
            leaving.tell(self.peer);
        }
        self.stake = None;
        self.watchers.tell(&self.address, reason);
    }
}
