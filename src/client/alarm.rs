//! The time limits of a request: of the whole of it, and of its wait for a connection.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

use super::error::{ClientError, ClientErrorKind};

/// A time limit. What waits asks it, and decides what becomes of the request: only where it waits is known what the
/// server may have got of it.
#[derive(Debug)]
pub(super) enum Alarm {
    /// There is no limit. Or the arbiter has stopped: then everything that a request waits for ends by itself.
    Off,
    Set(oneshot::Receiver<()>),
    /// The time is up, for all that is asked later too.
    Rung,
}

impl Alarm {
    /// Sets it, if there is a limit. The timer runs on the arbiter, because the thread of the caller may have no
    /// runtime.
    pub(super) fn set(time: Option<Duration>, arbiter: &ArbiterHandle) -> Self {
        let Some(time) = time else { return Self::Off };
        let (mut bell, heard) = oneshot::channel();
        arbiter.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(time) => drop(bell.send(())),
                () = bell.closed() => {}
            }
        });
        Self::Set(heard)
    }

    /// Ready when the time is up.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Set(bell) = self {
            let rung = std::task::ready!(Pin::new(bell).poll(cx));
            *self = rung.map_or(Self::Off, |()| Self::Rung);
        }
        if self.has_rung() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Whether the time was found to be up.
    pub(super) fn has_rung(&self) -> bool {
        matches!(self, Self::Rung)
    }

    /// Waits for a future, for as long as there is time; then it gives up, and returns this error.
    pub(super) async fn within<T>(
        &mut self,
        late: ClientErrorKind,
        mut future: Pin<&mut impl Future<Output = Result<T, ClientError>>>,
    ) -> Result<T, ClientError> {
        tokio::select! {
            biased;
            result = &mut future => result,
            () = poll_fn(|cx| self.poll(cx)) => Err(ClientError::new(late)),
        }
    }
}
