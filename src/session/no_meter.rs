//! Replaces the meter in a build without it: nothing is counted or stored.

use tokio::time::Instant;

use super::exchange::Exchange;
use super::role::Role;
use crate::error::{Deadline, WireError};
use crate::payload::Payload;

#[derive(Debug)]
pub(super) struct ConnectionGauge;

impl ConnectionGauge {
    pub(super) fn open(_: Role) -> Self {
        Self
    }
}

#[derive(Debug)]
pub(super) struct ExchangeGauge;

impl ExchangeGauge {
    pub(super) fn begin(_: Role, _: &Payload, _: bool) -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "the shape of the one that counts")]
    pub(super) fn end(&self, _: &Exchange) {}
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp;

impl Stamp {
    pub(super) fn now() -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "the shape of the one that counts")]
    pub(super) fn delivered(self) {}
}

pub(super) fn sent(_: Instant) {}

pub(super) fn throttled(_: Option<Instant>) {}

pub(super) fn refused(_: WireError) {}

pub(super) fn late(_: Deadline) {}
