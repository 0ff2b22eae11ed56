//! Notifications about the life of a server.

use std::io;
use std::net::SocketAddr;

/// Receives notifications about the life of a server (P112). Called in the server actor. A panic in `listening` or
/// `closed` is logged, and the server goes on.
#[allow(
    unused_variables,
    reason = "the defaults do nothing, and named arguments are documentation"
)]
pub trait ServerNotify: 'static {
    /// The server listens on these addresses. Its Unix sockets have none.
    fn listening(&mut self, addresses: &[SocketAddr]) {}

    /// The server could not start to listen.
    fn not_listening(&mut self, error: &io::Error) {}

    /// The server has ended: it no longer listens, and its connections are closed.
    fn closed(&mut self) {}
}
