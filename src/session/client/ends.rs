//! The unsuccessful ends of an exchange at a client: cancelled, failed, or ended by its connection.

use std::io;
use std::time::Duration;

use super::connection::State;
use super::{Client, Receiving};
use crate::error::{CancelCause, CloseReason, Deadline, FailureReason};
use crate::payload::MessageId;
use crate::session::exchange::Outcome;
use crate::session::inbound::Torn;
use crate::session::link::Link;
use crate::session::outbound::Teardown;

/// How long to continue reading after a failed write, if the transport does not report the end of the server.
const READ_ON: Duration = Duration::from_secs(1);

/// Why the other requests on a connection fail when it is cut because of one of them.
pub(super) const ABORTED: FailureReason =
    FailureReason::ConnectionClosed(io::ErrorKind::ConnectionAborted);

impl Client {
    /// Cancels one exchange. If its request was not sent, it is removed and the connection is not touched (P81). If it
    /// was sent, the connection is cut, because the server must notice, and each of the other sent exchanges ends too
    /// (P82, B14).
    pub(in crate::session) fn cancel(&mut self, link: &mut Link, message: MessageId) {
        let found = self
            .flights
            .iter()
            .position(|flight| flight.id == message && !flight.is_over());
        self.cancel_at(link, found, CancelCause::Local);
    }

    fn cancel_at(&mut self, link: &mut Link, at: Option<usize>, cause: CancelCause) {
        let Some(at) = at else { return };
        if let Some(flight) = self.flights.get_mut(at) {
            flight.end(Outcome::Cancelled(cause));
        }
        if at < self.sent {
            self.cut(link);
        }
    }

    /// The writer of a body was dropped before its end. If the server no longer gets the body, the exchange is not
    /// cancelled: what the server sent before is still read.
    pub(in crate::session) fn abandon(&mut self, link: &mut Link, message: MessageId) {
        if self.awaits_its_turn(message)
            || (self.is_heard(link) && self.sending().is_some_and(|flight| flight.id == message))
        {
            self.cancel(link, message);
        }
    }

    /// Cancels everything. The connection is cut only if it carries something.
    pub(in crate::session) fn cancel_all(&mut self, link: &mut Link, cause: CancelCause) {
        self.end_all(Outcome::Cancelled(cause));
        if self.sent > 0 {
            self.cut(link);
        }
    }

    /// Ends the current exchange because somebody no longer wants it, or its time is up.
    pub(in crate::session) fn end_cancelled(&mut self, link: &mut Link, cause: CancelCause) {
        let current = self.flights.iter().position(|flight| !flight.is_over());
        self.cancel_at(link, current, cause);
    }

    /// Ends the current exchange because something went wrong.
    pub(in crate::session) fn end_failed(&mut self, link: &mut Link, reason: FailureReason) {
        if let Some(flight) = self.sending() {
            flight.end(Outcome::Failed(reason));
        } else if let Some(flight) = self.front() {
            flight.end(Outcome::Failed(reason));
        }
        self.cut(link);
    }

    /// Ends everything, and the session.
    pub(in crate::session) fn shut(
        &mut self,
        link: &mut Link,
        cause: CancelCause,
        reason: CloseReason,
    ) {
        let cut = self.sent > 0;
        self.take_back(link);
        self.end_all(Outcome::Cancelled(cause));
        link.abort(reason, Teardown::reset_if(cut));
    }

    /// A deadline of the current exchange, or of the session, has passed.
    pub(in crate::session) fn expire(&mut self, link: &mut Link, cause: CancelCause) {
        if cause == CancelCause::Shutdown {
            self.shut(link, cause, CloseReason::Shutdown);
        } else {
            self.end_cancelled(link, cause);
        }
    }

    /// The socket took nothing for too long.
    pub(in crate::session) fn stalled(&mut self, link: &mut Link) {
        if let Some(flight) = self.front() {
            flight.end(Outcome::Cancelled(CancelCause::Deadline(Deadline::Write)));
        }
        self.cut(link);
    }

    /// A write failed: the server takes no more. It may have answered before, so what it sent is read to the end.
    pub(in crate::session) fn write_failed(&mut self, link: &mut Link, kind: io::ErrorKind) {
        self.take_back(link);
        link.outbound.give_up();
        for flight in self.sent() {
            flight.ends_at = None;
            // The rest of a request cannot reach the server, so nothing waits for it.
            flight.persist = false;
        }
        if self.connection.write_error().is_none() {
            self.connection.state = State::WriteFailed(kind);
            self.connection.deadline.set_after(Some(READ_ON));
            // A broken pipe is all that a write finds behind an end that the server has sent.
            if kind != io::ErrorKind::BrokenPipe {
                link.tell(Torn(kind));
            }
        }
    }

    /// Whether output can still reach the server.
    pub(super) fn is_heard(&self, link: &Link) -> bool {
        self.connection.write_error().is_none() && link.over.is_none()
    }

    /// Gives up a connection whose write failed, if nothing more comes on it. A slow handler gets the time it needs.
    pub(super) fn give_up(&mut self, link: &mut Link, kind: io::ErrorKind) {
        let waits = self
            .front()
            .is_some_and(|flight| flight.response == Receiving::Open);
        if waits || self.is_muted() || !link.inbox.is_empty() {
            self.connection.deadline.set_after(Some(READ_ON));
        } else {
            self.hang_up(link, FailureReason::ConnectionClosed(kind), Teardown::Reset);
        }
    }

    /// The handler panicked: no further requests are sent.
    pub(in crate::session) fn panicked(&mut self, link: &mut Link) {
        self.end_failed(link, FailureReason::HandlerPanicked);
        self.end_all(Outcome::Failed(FailureReason::HandlerPanicked));
    }

    /// Cuts the connection, so that the server notices. What else was sent on it fails.
    pub(super) fn cut(&mut self, link: &mut Link) {
        self.hang_up(link, ABORTED, Teardown::Reset);
    }

    /// Ends the connection. Requests that were sent and not answered each fail (B15); those that wait go over the next
    /// connection.
    pub(super) fn hang_up(&mut self, link: &mut Link, reason: FailureReason, teardown: Teardown) {
        for flight in self.sent() {
            flight.end(match flight.response {
                // The response is complete, and the server needs no more of the request.
                Receiving::Done => Outcome::Completed,
                Receiving::Waiting | Receiving::Open => Outcome::Failed(reason),
            });
        }
        if link.is_releasing() {
            // The server has switched: the connection goes to the taker, whatever becomes of this session.
            return;
        }
        if !link.is_aborting() {
            self.take_back(link);
        }
        self.connection.close();
        self.carried = 0;
        link.detach(teardown);
    }

    /// The connection ended before a request went over it. It was opened for one, and another connection would be no
    /// better, so that one ends; the others go over the next.
    pub(super) fn end_unserved(&mut self, outcome: Outcome) {
        if self.carried == 0
            && let Some(first) = self.opened_for
            && let Some(flight) = self.flight(first)
        {
            flight.end(outcome);
        }
    }

    /// What waits is not sent. It is the end of the request that was sent last.
    pub(in crate::session) fn take_back(&mut self, link: &Link) {
        let unsent = link.outbound.buffer.len() as u64;
        if let Some(last) = self.sent().last() {
            last.bytes_out = last.bytes_out.saturating_sub(unsent);
        }
    }

    /// Ends every exchange that is not over.
    pub(super) fn end_all(&mut self, outcome: Outcome) {
        for flight in &mut self.flights {
            flight.end(outcome);
        }
    }

    /// Whether there are no exchanges and no connection. One that is still being opened is for nobody then.
    pub(in crate::session) fn is_forgettable(&self) -> bool {
        self.flights.is_empty()
            && matches!(self.connection.state, State::Closed | State::Opening(_))
    }
}
