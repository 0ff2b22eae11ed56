//! What the decoder returns.

use std::ops::Range;

use super::facts::Facts;
use crate::payload::{Headers, Payload};

/// What one call of [`Decoder::decode`](super::Decoder::decode) did.
#[derive(Debug)]
pub(crate) struct Step {
    /// How many bytes of the input were consumed.
    pub(crate) consumed: usize,
    /// The item that they contained. `None`: more bytes are needed. After `Some`, call again, even without new bytes.
    pub(crate) item: Option<Item>,
}

/// Trailer fields, if any came. They are rare, so they are in a box, and the common cases stay small.
pub(crate) type Trailers = Box<Headers>;

/// A part of a message.
#[derive(Debug)]
pub(crate) enum Item {
    /// A head. For a Oneshot message, the whole message.
    Head(Payload, Facts),
    /// Body data: this range of the input.
    Data(Range<usize>),
    /// The end of a Stream or Chunked message.
    End(Option<Trailers>),
}

impl Step {
    pub(super) fn more(consumed: usize) -> Self {
        Self {
            consumed,
            item: None,
        }
    }

    pub(super) fn of(consumed: usize, item: Item) -> Self {
        Self {
            consumed,
            item: Some(item),
        }
    }

    /// A run of data. If it is empty, more bytes are needed.
    pub(super) fn data(range: Range<usize>) -> Self {
        if range.is_empty() {
            Self::more(range.start)
        } else {
            Self::of(range.end, Item::Data(range))
        }
    }
}
