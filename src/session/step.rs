//! The next call of the handler.

use bytes::Bytes;

use super::link::Event;
use crate::payload::Payload;
use crate::wire::Trailers;

/// The next call of the handler.
#[derive(Debug)]
pub(super) enum Step {
    Event(Event),
    Apply(Payload),
    Informational(Payload),
    Chunk(Bytes),
    Finished(Option<Trailers>),
    /// An exchange ended, and its end is to be reported.
    Ended,
}

/// The result of a look at the inbound queue.
#[derive(Debug)]
pub(super) enum Intake {
    Step(Step),
    Again,
    Wait,
}
