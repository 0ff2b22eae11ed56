//! The connection of a client session: opened when first needed, and again when it is gone.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use crate::session::deadline::DeadlineTimer;
use crate::transport::{ConnectError, Halves};

/// Opens a connection.
pub(in crate::session) type Connect = Box<dyn Fn() -> Connecting>;
pub(super) type Connecting = Pin<Box<dyn Future<Output = Result<Halves, ConnectError>>>>;

/// How the connection stands.
pub(in crate::session) struct Connection {
    pub(super) state: State,
    connect: Option<Connect>,
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
            deadline: DeadlineTimer::default(),
        }
    }

    /// Open already, and not opened again.
    pub(in crate::session) fn given() -> Self {
        Self {
            state: State::Open,
            connect: None,
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
