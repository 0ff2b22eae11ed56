//! The connection of a client session: opened when first needed, and again when it is gone.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use actix::Addr;

use crate::session::HttpSession;
use crate::session::awaited::Awaited;
use crate::session::connection;
use crate::session::deadline::DeadlineTimer;
use crate::session::link::Link;
use crate::transport::{ConnectError, Halves};

/// Opens a connection.
pub(in crate::session) type Connect = Box<dyn Fn() -> Connecting>;
pub(super) type Connecting = Pin<Box<dyn Future<Output = Result<Halves, ConnectError>>>>;

/// How the connection stands.
pub(in crate::session) struct Connection {
    pub(super) state: State,
    connect: Option<Connect>,
    /// See [`keeper`](Self::keeper).
    keeper: Option<Arc<Addr<HttpSession>>>,
    /// The server sends no more; what it sent may still be unread.
    pub(in crate::session) left: bool,
    /// What was sent over it, for its builder.
    pub(super) awaited: Awaited,
    /// Runs while a connection is being opened, or while a request waits for leave to send its body.
    pub(super) deadline: DeadlineTimer,
}

pub(super) enum State {
    Closed,
    Opening(Connecting),
    Open,
}

impl Connection {
    /// Opened when first needed.
    pub(in crate::session) fn lazy(connect: Connect) -> Self {
        Self {
            state: State::Closed,
            connect: Some(connect),
            keeper: None,
            left: false,
            awaited: Awaited::default(),
            deadline: DeadlineTimer::default(),
        }
    }

    /// Not to be opened: what it is comes by [`attach`](Self::attach), once.
    pub(in crate::session) fn given() -> Self {
        Self {
            state: State::Closed,
            connect: None,
            keeper: None,
            left: false,
            awaited: Awaited::default(),
            deadline: DeadlineTimer::default(),
        }
    }

    /// Begins to open. An error if there is no way to.
    pub(super) fn open(&mut self, patience: Option<std::time::Duration>) -> io::Result<()> {
        let connect = self.connect.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        self.state = State::Opening(connect());
        self.deadline.set_after(patience);
        Ok(())
    }

    /// The connection is there.
    pub(in crate::session) fn attach(&mut self, link: &mut Link, halves: Halves) {
        self.state = State::Open;
        self.left = false;
        self.deadline.set(None);
        self.awaited = Awaited::default();
        connection::attach(link, halves, self.awaited.clone());
    }

    /// The address of the session, which it keeps for as long as there is a connection. A pool knows that weakly, and needs
    /// no new address to ask again: two allocations and 3 % of a request.
    pub(in crate::session) fn keeper(&mut self, link: &Link) -> Option<&Arc<Addr<HttpSession>>> {
        if self.is_open() && self.keeper.is_none() {
            self.keeper = link.address.upgrade().map(Arc::new);
        }
        self.keeper
            .as_ref()
            .filter(|_| !self.left && !link.has_output())
    }

    /// The connection is gone, or does not come.
    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.deadline.set(None);
        self.keeper = None;
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Closed => "Closed",
            State::Opening(_) => "Opening",
            State::Open => "Open",
        })
    }
}
