//! The time limits of a request: of the whole of it, and of its wait for a connection.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

use super::error::{ClientError, ClientErrorKind};
use crate::error::RefusedReason;

/// Runs a future with a time limit; if it runs out, the caller drops the future and gets this error. The timer runs on
/// the arbiter, because the thread of the caller may have no runtime.
pub(super) async fn within<T>(
    time: Duration,
    arbiter: &ArbiterHandle,
    late: ClientErrorKind,
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
            Ok(()) => late,
            Err(_) => ClientErrorKind::Refused(RefusedReason::Closing),
        })),
    }
}
