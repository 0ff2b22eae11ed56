//! What the handler is to be told next.

use bytes::Bytes;

use super::exchange::Exchange;
use super::link::Event;
use crate::payload::{Headers, Payload};

/// The next thing to tell the handler.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "made and taken apart at once; a box would be an allocation a request"
)]
pub(super) enum Step {
    Event(Event),
    Apply(Payload),
    Informational(Payload),
    Chunk(Bytes),
    Finished(Option<Headers>),
    Ended(Exchange),
}

/// What became of a look at the inbound queue.
#[derive(Debug)]
pub(super) enum Intake {
    Step(Step),
    Again,
    Wait,
}
