//! What comes back when nobody waits for it.

use bytes::Bytes;

use crate::payload::Payload;

/// What a behaviour brought that was refused.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Unsent {
    /// Of [`Apply`](crate::Apply).
    Payload(Payload),
    /// Of [`SendChunk`](crate::SendChunk) or [`Write`](crate::Write).
    Data(Bytes),
    /// Of [`Finish`](crate::Finish).
    Finish,
}
