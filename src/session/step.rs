//! The next call of the handler.

use bytes::Bytes;

use super::unsent::Unsent;
use crate::error::Refused;
use crate::payload::{MessageId, Payload};
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

/// A pending call of the handler, made after the current call has returned.
#[derive(Debug)]
pub(super) enum Event {
    NeedBody(MessageId),
    Throttled,
    Unthrottled,
    HalfClosed,
    Leaving,
    Refused(Box<Refused<Unsent>>),
}

/// The result of a look at the inbound queue.
#[derive(Debug)]
pub(super) enum Intake {
    Step(Step),
    Again,
    Wait,
}
