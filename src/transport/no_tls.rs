//! Replaces TLS in a build without it: TLS connections are not accepted, and connecting to an `https` origin fails.

use std::io;

use super::{ConnectError, Halves};
use crate::error::TlsError;

#[derive(Debug, Clone, Default)]
pub(super) struct Connector;

impl Connector {
    #[allow(
        clippy::unused_async,
        clippy::unused_self,
        reason = "the shape of the one that works"
    )]
    pub(super) async fn connect(&self, _: Halves, _: &str) -> Result<Halves, ConnectError> {
        Err(TlsError::Unsupported.into())
    }
}

/// There is no TLS configuration in this build.
#[derive(Debug, Clone)]
pub(crate) enum Acceptor {}

impl Acceptor {
    #[allow(clippy::unused_async, reason = "the shape of the one that works")]
    pub(crate) async fn accept(&self, _: Halves) -> io::Result<Halves> {
        match *self {}
    }
}
