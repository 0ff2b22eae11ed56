//! The I/O of a session: what is written, the deadlines, and the end. It is polled when the mailbox is empty, so that
//! everything that one turn produced is sent in one write.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use actix::fut::ActorFuture;
use actix::{ActorContext as _, AsyncContext as _, Context};

use super::HttpSession;
use super::context::SessionContext;
use super::handoff::Released;
use super::inbound::Forgotten;
use super::link::Phase;
use crate::error::CloseReason;

/// How many messages are handled before the I/O of the connection gets a turn.
///
/// actix polls a mailbox until it is empty (X2), so busy senders could starve output and deadlines.
const MESSAGES_A_TURN: u32 = 64;

/// How often the builder is polled before the rest of the arbiter gets a turn.
const BUILDER_TURNS: u32 = 4;

impl HttpSession {
    /// Counts a message, and gives the I/O future a turn after many.
    pub(super) fn count(&mut self, ctx: &mut Context<Self>) {
        self.turn += 1;
        if self.turn == MESSAGES_A_TURN {
            ctx.wait(Breath::default());
        }
    }

    fn poll_io(&mut self, ctx: &mut Context<Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let told = std::mem::take(&mut self.turn) > 0;
        let mut turns = 0;
        loop {
            // ORDER: the builder first, so that what it read is handled, answered and written in the same turn.
            if turns == 0 || (turns < BUILDER_TURNS && self.context.link.is_builder_due()) {
                turns += 1;
                self.context.link.poll_builder(told, cx);
            }
            while let Some(message) = self.context.link.next_message() {
                message.hand_to(self, ctx);
            }
            match self.context.link.phase {
                Phase::Open | Phase::Flushing { .. } => {}
                Phase::Aborting { reason, teardown } => {
                    self.context.side.conclude_abandoned(&self.context.link);
                    self.settle();
                    self.context.link.outbound.abort(teardown);
                    return self.end(ctx, reason, false);
                }
                Phase::Releasing => {
                    self.context.link.end_turn();
                    return Poll::Pending;
                }
                Phase::Closed => return Poll::Ready(()),
            }
            self.context.side.send(&mut self.context.link);
            let blocked = self.poll_write(cx);
            self.context.link.weigh();
            self.settle();
            if self.context.link.is_aborting() || (!blocked && self.context.link.has_output()) {
                continue;
            }
            if !blocked && self.context.side.complete() {
                continue;
            }
            if let Phase::Flushing { reason, linger } = self.context.link.phase
                && !blocked
                // The result is ignored: if the peer has disconnected, shutting down makes no difference.
                && self.context.link.outbound.poll_shutdown(cx).is_ready()
            {
                return self.end(ctx, reason, linger);
            }
            if self.poll_side(cx).is_pending() {
                if self.context.link.is_builder_due() {
                    if turns < BUILDER_TURNS {
                        continue;
                    }
                    cx.waker().wake_by_ref();
                }
                if self.is_forgotten(ctx) {
                    // ORDER: behind what was sent before the last address was dropped.
                    self.context.link.address().do_send(Forgotten);
                }
                self.context.link.end_turn();
                return Poll::Pending;
            }
        }
    }

    /// Whether nobody needs the session, or can.
    pub(super) fn is_forgotten(&self, ctx: &Context<Self>) -> bool {
        self.context.side.is_forgettable() && !ctx.connected()
    }

    /// Writes what waits. True if the socket takes no more for now.
    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> bool {
        match self.context.link.outbound.poll_flush(cx) {
            Poll::Ready(Ok(())) => self.context.side.flushed(&self.context.link),
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, peer = %self.context.link.peer, "a write failed");
                self.context
                    .side
                    .write_failed(&mut self.context.link, error.kind());
            }
            Poll::Pending => return true,
        }
        false
    }

    /// Ready if a deadline passed or the server or client side moved on: then the state changed.
    fn poll_side(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let SessionContext { link, side } = &mut self.context;
        if link.outbound.poll_stall(cx).is_ready() {
            side.stalled(link);
            return Poll::Ready(());
        }
        if let Poll::Ready(answered) = link.poll_sink(cx) {
            match answered {
                Ok(()) => side.send_continue(link),
                Err(loss) => side.body_lost(link, loss),
            }
            return Poll::Ready(());
        }
        side.poll(link, cx)
    }

    /// Both halves are available: they go to the taker, and the session ends.
    pub(super) fn hand_over(&mut self, released: Released, ctx: &mut Context<Self>) {
        self.context.link.hand_over(released);
        ctx.stop();
    }

    fn end(&mut self, ctx: &mut Context<Self>, reason: CloseReason, linger: bool) -> Poll<()> {
        self.context.link.finish_close(reason, linger);
        ctx.stop();
        Poll::Ready(())
    }
}

/// The I/O of a session, as a future of its actor.
pub(super) struct Io;

impl ActorFuture<HttpSession> for Io {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut HttpSession,
        ctx: &mut Context<HttpSession>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        session.poll_io(ctx, cx)
    }
}

/// A pause in the mailbox: the I/O future and the rest of the arbiter get their turn.
#[derive(Default)]
struct Breath {
    taken: bool,
}

impl ActorFuture<HttpSession> for Breath {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        _session: &mut HttpSession,
        _ctx: &mut Context<HttpSession>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        if std::mem::replace(&mut self.taken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
