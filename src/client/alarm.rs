//! The time of a whole request.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

use super::error::{ClientError, ClientErrorKind};
use crate::error::RefusedReason;

/// Gives the future up when the time is over; its owner drops it then. The clock runs on the arbiter, because the
/// caller may be on a thread that has none.
pub(super) async fn within<T>(
    time: Duration,
    arbiter: &ArbiterHandle,
    future: Pin<&mut impl Future<Output = Result<T, ClientError>>>,
) -> Result<T, ClientError> {
    let (mut bell, heard) = oneshot::channel();
    arbiter.spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(time) => drop(bell.send(())),
            () = bell.closed() => {}
        }
    });
    tokio::select! {
        biased;
        result = future => result,
        rung = heard => Err(ClientError::new(match rung {
            Ok(()) => ClientErrorKind::TimedOut,
            Err(_) => ClientErrorKind::Refused(RefusedReason::Closing),
        })),
    }
}
