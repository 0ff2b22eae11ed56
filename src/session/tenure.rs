//! The resources that a server holds for a connection.

use std::fmt;
use std::rc::Rc;

use tokio::sync::OwnedSemaphorePermit;

use super::memory::Stake;

/// The resources that a server holds for a connection until both actors have ended. A connection without a server has
/// the default.
#[derive(Debug, Default)]
pub(crate) struct Tenure {
    pub(crate) _seat: Option<Seat>,
    /// Its part in the server's memory ceiling, which the session takes.
    pub(crate) stake: Option<Stake>,
    /// Held until the connection is closed, by its current owner.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// A place in the list of a server's connections, given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    list: Rc<dyn Seats>,
    id: usize,
}

/// The list of a server's connections.
pub(crate) trait Seats: fmt::Debug {
    /// The connection has closed.
    fn give_up(&self, id: usize);
}

impl Seat {
    pub(crate) fn new(list: Rc<dyn Seats>, id: usize) -> Self {
        Self { list, id }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.list.give_up(self.id);
    }
}
