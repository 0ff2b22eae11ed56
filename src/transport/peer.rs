//! The addresses of a connection.

use std::fmt;
use std::net::SocketAddr;

/// The addresses of a connection. Both are unknown for transports without addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Peer {
    /// The address of the other end.
    pub remote: Option<SocketAddr>,
    /// The address of this end.
    pub local: Option<SocketAddr>,
}

/// The remote IP address, or `-`: the form of the common log (P108).
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remote {
            Some(address) => address.ip().fmt(f),
            None => f.write_str("-"),
        }
    }
}
