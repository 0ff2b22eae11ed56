//! The end of a body that comes from a stream.

use std::task::Poll;

/// What is missing of a body of a known length.
///
/// A stream that has given all of it is not waited for: it may have no end, and meanwhile nothing else could be sent on
/// the connection. If it gives more at once, that is too much, and an error of the session.
#[derive(Debug)]
pub(crate) struct Owed(Option<u64>);

impl Owed {
    pub(crate) fn new(length: Option<u64>) -> Self {
        Self(length)
    }

    /// So much has come.
    pub(crate) fn pay(&mut self, bytes: usize) {
        self.0 = self.0.map(|owed| owed.saturating_sub(bytes as u64));
    }

    /// What a stream gave, or its end if nothing is missing and it gives nothing now.
    pub(crate) fn or_end<T>(&self, polled: Poll<Option<T>>) -> Poll<Option<T>> {
        match polled {
            Poll::Pending if self.0 == Some(0) => Poll::Ready(None),
            polled => polled,
        }
    }
}
