//! The end of a body that comes from a stream.

use std::task::Poll;

/// How many bytes of a body of known length are still missing.
///
/// A stream that has delivered the whole body is not awaited any further: it may never end, and nothing else could be
/// sent on the connection meanwhile. If it is ready with more, that is too much, and an error.
#[derive(Debug)]
pub(crate) struct Owed(Option<u64>);

impl Owed {
    pub(crate) fn new(length: Option<u64>) -> Self {
        Self(length)
    }

    /// Counts bytes that have come.
    pub(crate) fn pay(&mut self, bytes: usize) {
        self.0 = self.0.map(|owed| owed.saturating_sub(bytes as u64));
    }

    /// What a stream returned, or its end if nothing is missing and it is pending.
    pub(crate) fn or_end<T>(&self, polled: Poll<Option<T>>) -> Poll<Option<T>> {
        match polled {
            Poll::Pending if self.0 == Some(0) => Poll::Ready(None),
            polled => polled,
        }
    }
}
