//! The answer "no" to a behaviour, with what was not taken.

use std::fmt;

use crate::error::UseError;

/// A behaviour that the session did not take: why, and the message back.
///
/// Nothing of a refused message was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused<M> {
    /// Why.
    pub reason: RefusedReason,
    /// What was not taken.
    pub message: M,
}

impl<M> Refused<M> {
    /// Joins a reason and the message that it refuses.
    pub fn new(reason: impl Into<RefusedReason>, message: M) -> Self {
        Self {
            reason: reason.into(),
            message,
        }
    }

    /// The same refusal of something else.
    pub fn map<N>(self, with: impl FnOnce(M) -> N) -> Refused<N> {
        Refused {
            reason: self.reason,
            message: with(self.message),
        }
    }
}

// Written out so that `M` needs no `Debug`, and so that a payload's contents never land in a log by accident.
impl<M> fmt::Debug for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<M> fmt::Display for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.reason)
    }
}

impl<M> std::error::Error for Refused<M> {}

/// Why a session refused a behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedReason {
    /// There is no message to which this could belong.
    #[error("no message is open to which this could belong")]
    NotOpen,
    /// The connection is closing or closed.
    #[error("the connection is closing or closed")]
    Closing,
    /// The queue is full, or another message with a body is still open.
    #[error("the session is busy: its queue is full, or another body is open")]
    Busy,
    /// The message that this belongs to has ended, or its turn has not come.
    #[error("the message has ended, or its turn has not come")]
    NotYourTurn,
    /// The request was answered already.
    #[error("the request was answered already")]
    AlreadyAnswered,
    /// The open message takes no body data.
    #[error("the message takes no body data")]
    NoBody,
    /// The data go past the announced length.
    #[error("more body data than announced")]
    TooLong,
    /// The outbound buffer is at its hard cap.
    #[error("the outbound buffer is full: wait for room before sending more")]
    Overrun,
    /// The payload itself cannot be sent.
    #[error("{0}")]
    Unusable(#[from] UseError),
}
