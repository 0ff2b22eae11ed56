//! The decoding rules of servers and clients: how much is accepted, and how strictly.

use super::{Leniency, Limits};

/// Limits and leniencies, shared by all connections of a server or a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) leniency: Leniency,
}
