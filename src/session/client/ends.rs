//! The ends of an exchange at a client that go wrong: cancelled, failed, and with its connection.

use std::io;
use std::time::Duration;

use super::connection::State;
use super::{Client, Receiving};
use crate::error::{CancelCause, CloseReason, Deadline, FailureReason};
use crate::payload::MessageId;
use crate::session::exchange::Outcome;
use crate::session::link::Link;
use crate::session::outbound::Teardown;

/// How long we read on after a failed write, if the transport does not say when the server has ended.
const BROKEN: Duration = Duration::from_secs(1);

/// Why the other requests on a connection fail when it is cut because of one of them.
pub(super) fn aborted() -> FailureReason {
    FailureReason::ConnectionClosed(io::ErrorKind::ConnectionAborted)
}

impl Client {
    /// Cancels one exchange. If it was not sent, it is removed and the connection is not touched (P81). If it was, the
    /// connection is cut, because the server must notice, and the others that were sent each hear of it (P82, B14).
    pub(in crate::session) fn cancel(&mut self, link: &mut Link, message: MessageId) {
        let found = self
            .flights
            .iter()
            .position(|flight| flight.id == message && !flight.is_over());
        let Some(at) = found else { return };
        let sent = at < self.sent;
        if let Some(flight) = self.flights.get_mut(at) {
            flight.end(Outcome::Cancelled(CancelCause::Local));
        }
        if sent {
            self.hang_up(link, aborted(), Teardown::Reset);
        }
    }

    /// The writer of a body was dropped before its end. If nobody hears the rest of the body, what the server said
    /// before is still read.
    pub(in crate::session) fn abandon(&mut self, link: &mut Link, message: MessageId) {
        if self.awaits_its_turn(message)
            || (self.is_heard(link) && self.sending().is_some_and(|flight| flight.id == message))
        {
            self.cancel(link, message);
        }
    }

    /// Cancels everything. The connection is cut only if it carries something.
    pub(in crate::session) fn cancel_all(&mut self, link: &mut Link, cause: CancelCause) {
        for flight in &mut self.flights {
            flight.end(Outcome::Cancelled(cause));
        }
        if self.sent > 0 {
            self.hang_up(link, aborted(), Teardown::Reset);
        }
    }

    /// Ends the current exchange because somebody does not want it any more.
    pub(in crate::session) fn end_cancelled(&mut self, link: &mut Link, cause: CancelCause) {
        let Some(at) = self.flights.iter().position(|flight| !flight.is_over()) else {
            return;
        };
        if let Some(flight) = self.flights.get_mut(at) {
            flight.end(Outcome::Cancelled(cause));
        }
        if at < self.sent {
            self.hang_up(link, aborted(), Teardown::Reset);
        }
    }

    /// Ends the current exchange because something was wrong.
    pub(in crate::session) fn end_failed(&mut self, link: &mut Link, reason: FailureReason) {
        if let Some(flight) = self.sending() {
            flight.end(Outcome::Failed(reason));
        } else if let Some(flight) = self.front() {
            flight.end(Outcome::Failed(reason));
        }
        self.hang_up(link, aborted(), Teardown::Reset);
    }

    /// Ends everything, and the session.
    pub(in crate::session) fn shut(
        &mut self,
        link: &mut Link,
        cause: CancelCause,
        reason: CloseReason,
    ) {
        let cut = self.sent > 0;
        for flight in &mut self.flights {
            flight.end(Outcome::Cancelled(cause));
        }
        link.abort(reason, Teardown::reset_if(cut));
    }

    /// The time of the current exchange is up, or that of the session.
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
        self.hang_up(link, aborted(), Teardown::Reset);
    }

    /// The server takes no more. It may have answered before, so what came is read to its end.
    pub(in crate::session) fn write_failed(&mut self, link: &mut Link, kind: io::ErrorKind) {
        link.outbound.give_up();
        for flight in self.sent() {
            flight.ends_at = None;
            // Nobody hears the rest of a request, so it is not waited for.
            flight.persist = false;
        }
        if self.connection.broken.is_none() {
            self.connection.left = true;
            self.connection.broken = Some(kind);
            self.connection.deadline.set_after(Some(BROKEN));
        }
    }

    /// Whether what is sent can still get to the server.
    pub(super) fn is_heard(&self, link: &Link) -> bool {
        self.connection.broken.is_none() && link.over.is_none()
    }

    /// Gives up a connection whose write failed, if nothing more comes on it. A slow handler gets the time that it
    /// needs.
    pub(super) fn give_up(&mut self, link: &mut Link, kind: io::ErrorKind) {
        let waits = self
            .front()
            .is_some_and(|flight| flight.response == Receiving::Open);
        if waits || self.is_muted() || !link.inbox.is_empty() {
            self.connection.deadline.set_after(Some(BROKEN));
        } else {
            self.hang_up(link, FailureReason::ConnectionClosed(kind), Teardown::Reset);
        }
    }

    /// The handler panicked: nothing is asked for any more.
    pub(in crate::session) fn panicked(&mut self, link: &mut Link) {
        self.end_failed(link, FailureReason::HandlerPanicked);
        self.fail_all(FailureReason::HandlerPanicked);
    }

    /// Cuts the connection. Requests that were sent and not answered fail, each by itself (B15); those that wait go
    /// over the next connection.
    pub(super) fn hang_up(&mut self, link: &mut Link, reason: FailureReason, teardown: Teardown) {
        for flight in self.sent() {
            flight.end(match flight.response {
                // The server has said everything, and would hear no more.
                Receiving::Done => Outcome::Completed,
                Receiving::Waiting | Receiving::Open => Outcome::Failed(reason),
            });
        }
        self.connection.close();
        self.carried = 0;
        link.detach(teardown);
    }

    pub(super) fn fail_all(&mut self, reason: FailureReason) {
        for flight in &mut self.flights {
            flight.end(Outcome::Failed(reason));
        }
    }

    /// Whether nothing is going on and no connection is kept.
    pub(in crate::session) fn is_forgettable(&self) -> bool {
        self.flights.is_empty() && matches!(self.connection.state, State::Closed)
    }
}
