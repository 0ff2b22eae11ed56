//! The connection of a client session: opened when first needed, and again after it was lost.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use crate::session::awaited::{Awaited, Partial};
use crate::session::deadline::DeadlineTimer;
use crate::session::inbound::RequestQuery;
use crate::session::link::Link;
use crate::transport::{ConnectError, Halves};

/// Opens a connection.
pub(in crate::session) type Connect = Box<dyn Fn() -> Connecting>;
pub(super) type Connecting = Pin<Box<dyn Future<Output = Result<Halves, ConnectError>>>>;

/// The state of the connection.
pub(in crate::session) struct Connection {
    pub(super) state: State,
    /// Opens one. `None` if the connection is passed in.
    connect: Option<Connect>,
    /// Whether the builder has checked for bytes that belong to no response.
    look: Look,
    /// The requests that were sent over it, for its builder.
    pub(super) awaited: Awaited,
    /// Runs while a connection is being opened, while a request waits for a 100 before its body, and after a failed
    /// write.
    pub(super) deadline: DeadlineTimer,
}

/// The state of that check, between two exchanges. Only the builder knows what has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Needed,
    Asked,
    Done,
}

pub(super) enum State {
    Closed,
    Opening(Connecting),
    Open,
    /// The server sends no more, and gets no more requests. What it sent may still be unread.
    HalfClosed,
    /// A write failed, for this reason: the server takes no more. What it sent may still be unread.
    WriteFailed(io::ErrorKind),
}

impl Connection {
    /// A connection that is opened when first needed.
    pub(in crate::session) fn lazy(connect: Connect) -> Self {
        Self {
            connect: Some(connect),
            ..Self::given()
        }
    }

    /// A connection that is passed in once, by [`attach`](Self::attach).
    pub(in crate::session) fn given() -> Self {
        Self {
            state: State::Closed,
            connect: None,
            look: Look::Needed,
            awaited: Awaited::default(),
            deadline: DeadlineTimer::default(),
        }
    }

    /// Begins to open a connection. Fails if the session cannot open one.
    pub(super) fn open(&mut self, patience: Option<Duration>) -> io::Result<()> {
        let connect = self.connect.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        self.state = State::Opening(connect());
        self.deadline.set_after(patience);
        Ok(())
    }

    /// The connection is open.
    pub(super) fn attach(&mut self, link: &mut Link, halves: Halves) {
        self.state = State::Open;
        self.look = Look::Needed;
        self.deadline.set(None);
        self.awaited = Awaited::default();
        link.attach(halves, self.awaited.clone());
    }

    /// Whether the server has sent bytes before the first exchange or between two, which belong to no response (RFC 9112
    /// section 6.3), or has half-closed. `carried` requests were sent and answered. `None` if that is not known yet:
    /// then the builder is asked.
    pub(super) fn has_stray(&mut self, link: &mut Link, carried: u64) -> Option<bool> {
        if self.awaited.has(carried + 1, Partial::Bytes) {
            return Some(true);
        }
        match link.outbound.has_input() {
            // On a new connection the builder tells whether these are bytes or the end, which are different errors.
            Some(true) if carried == 0 => {}
            // The builder has just had its first turn on it: what it found was noted.
            None if carried == 0 => return Some(false),
            Some(input) => return Some(input),
            None => {}
        }
        match std::mem::replace(&mut self.look, Look::Needed) {
            Look::Done => return Some(false),
            Look::Asked => {}
            Look::Needed => link.tell(RequestQuery),
        }
        self.look = Look::Asked;
        None
    }

    /// A 100 came, or will not come: its deadline ends.
    pub(super) fn stop_waiting(&mut self) {
        if self.write_error().is_none() {
            self.deadline.set(None);
        }
    }

    /// The builder has checked.
    pub(super) fn looked(&mut self) {
        if self.look == Look::Asked {
            self.look = Look::Done;
        }
    }

    /// The result is valid for this turn only.
    pub(super) fn forget_look(&mut self) {
        if self.look == Look::Done {
            self.look = Look::Needed;
        }
    }

    /// Whether the builder is still checking.
    pub(super) fn is_looking(&self) -> bool {
        self.look == Look::Asked
    }

    /// The connection was lost, or could not be opened.
    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.deadline.set(None);
    }

    /// Whether there is a connection, from which something may still come.
    pub(super) fn is_open(&self) -> bool {
        match self.state {
            State::Open | State::HalfClosed | State::WriteFailed(_) => true,
            State::Closed | State::Opening(_) => false,
        }
    }

    /// Whether requests may be sent on the connection.
    pub(super) fn takes_requests(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Why a write failed, if one did.
    pub(super) fn write_error(&self) -> Option<io::ErrorKind> {
        match self.state {
            State::WriteFailed(kind) => Some(kind),
            State::Closed | State::Opening(_) | State::Open | State::HalfClosed => None,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Closed => "Closed",
            State::Opening(_) => "Opening",
            State::Open => "Open",
            State::HalfClosed => "HalfClosed",
            State::WriteFailed(_) => "WriteFailed",
        })
    }
}
