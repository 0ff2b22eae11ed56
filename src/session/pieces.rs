//! The numbers of the pieces of one outbound body.

/// Notices that a piece of a [`BodySender`](super::BodySender) is missing: they are numbered from 0.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// The number of the next piece. `None` while the message has no writer.
    next: Option<u64>,
}

impl Pieces {
    /// Claims the body for a writer. False if it has one already.
    pub(super) fn claim(&mut self) -> bool {
        let free = self.next.is_none();
        self.next.get_or_insert(0);
        free
    }

    /// Counts a piece. True if one before it is missing.
    pub(super) fn count(&mut self, number: u64) -> bool {
        let expected = self.next.replace(number + 1);
        expected.unwrap_or(0) != number
    }

    /// The piece was refused, and is missing until it is sent again. A writer that does not hear of that sends the
    /// next one instead.
    pub(super) fn refuse(&mut self, number: u64) {
        self.next = Some(number);
    }
}
