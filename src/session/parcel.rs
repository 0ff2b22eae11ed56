//! What goes to an actor together with the way back for its answer.

use tokio::sync::oneshot;

use crate::error::{Refused, RefusedReason};

/// The content of a message, with the channel for the answer.
///
/// If it is dropped unhandled, for example with the mailbox of a session that ended, the content is returned in the
/// error.
#[derive(Debug)]
pub(crate) struct Parcel<M, R, E: From<Refused<M>> = Refused<M>> {
    content: Option<(M, WayBack<R, E>)>,
}

type WayBack<R, E> = oneshot::Sender<Result<R, E>>;

/// Resolves to the answer to a [`Parcel`].
pub(crate) type Receipt<R, E> = oneshot::Receiver<Result<R, E>>;

impl<M, R, E: From<Refused<M>>> Parcel<M, R, E> {
    pub(crate) fn new(message: M) -> (Self, Receipt<R, E>) {
        let (sender, receipt) = oneshot::channel();
        (
            Self {
                content: Some((message, sender)),
            },
            receipt,
        )
    }

    /// The content and the sender of the answer.
    pub(crate) fn open(mut self) -> (M, WayBack<R, E>) {
        match self.content.take() {
            Some(content) => content,
            None => unreachable!("only `open` and `drop` empty a parcel, and both consume it"),
        }
    }
}

impl<M, R, E: From<Refused<M>>> Drop for Parcel<M, R, E> {
    fn drop(&mut self) {
        if let Some((message, sender)) = self.content.take() {
            let refused = Refused::new(RefusedReason::Closing, message);
            // If nobody waits any more, the message is dropped.
            let _ = sender.send(Err(refused.into()));
        }
    }
}
