//! Refusals of a behaviour, with the refused message.

use std::fmt;

use crate::error::UseError;

/// The refusal of a message by a session: the reason, and the message itself.
///
/// Nothing of a refused message was sent, with one exception: a sender of body data that waits for room, and gets
/// `Closing` because the session ends, gets an empty message back. Its data had been accepted, and may or may not have
/// been sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused<M> {
    /// Why the message was refused.
    pub reason: RefusedReason,
    /// The message that was refused.
    pub message: M,
}

impl<M> Refused<M> {
    /// Makes a refusal of this message.
    pub fn new(reason: impl Into<RefusedReason>, message: M) -> Self {
        Self {
            reason: reason.into(),
            message,
        }
    }

    /// Maps the message and keeps the reason.
    pub fn map<N>(self, with: impl FnOnce(M) -> N) -> Refused<N> {
        Refused {
            reason: self.reason,
            message: with(self.message),
        }
    }
}

// Written out so that `M` needs no `Debug`, and so that the contents of a payload never get into a log by accident.
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

/// Why a session refused a message or a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedReason {
    /// There is no message that this could belong to.
    #[error("no message is open that this could belong to")]
    NotOpen,
    /// The connection is closing or closed.
    #[error("the connection is closing or closed")]
    Closing,
    /// The queue is full, or another message with a body is still open.
    #[error("the session is busy: its queue is full, or another body is open")]
    Busy,
    /// The message that this belongs to is over, or its turn has not come.
    #[error("the message has ended, or its turn has not come")]
    NotYourTurn,
    /// The request was answered already.
    #[error("the request was answered already")]
    AlreadyAnswered,
    /// The open message takes no body data.
    #[error("the message takes no body data")]
    NoBody,
    /// The data exceed the announced length.
    #[error("more body data than announced")]
    TooLong,
    /// The outbound buffer is at its hard cap.
    #[error("the outbound buffer is full: wait for room before sending more")]
    Overrun,
    /// The payload itself cannot be sent.
    #[error("{0}")]
    Unusable(UseError),
}

causes!(RefusedReason::Unusable <- UseError);
