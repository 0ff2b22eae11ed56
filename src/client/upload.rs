//! A request body from a stream.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::oneshot;

use super::ask::{Pending, Reply};
use super::error::{ClientError, ClientErrorKind};
use crate::error::{RefusedReason, UseError};
use crate::session::{Alongside, BodySender, Owed};

/// The error of a stream.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Writes the body until it is complete or the final response has arrived. An early response with a success status may
/// depend on the rest of the body, which is then written while the response is read. Any other early response means
/// that the rest is not wanted.
pub(super) async fn upload<S, E>(
    mut pending: Pending<'_>,
    writer: oneshot::Receiver<BodySender>,
    body: S,
    length: Option<u64>,
) -> Result<Reply, ClientError>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<Error> + Send + 'static,
{
    let mut writing = Box::pin(write(writer, body, length));
    let mut reply = tokio::select! {
        biased;
        reply = &mut pending => reply?,
        written = &mut writing => {
            written?;
            return pending.await;
        }
    };
    if let Some(coming) = &mut reply.body {
        let writing = Box::pin(log(writing));
        let wanted = reply.head.status();
        let wanted = wanted.is_some_and(|status| status.is_success());
        coming.accompany(if wanted {
            Alongside::Runs(writing)
        } else {
            // It still keeps the request open: if the request were cut now, the response would be lost.
            Alongside::Rests(writing)
        });
    }
    Ok(reply)
}

/// The response has already begun, so the error can only be logged.
async fn log(writing: Pin<Box<impl Future<Output = Result<(), ClientError>>>>) {
    if let Err(error) = writing.await {
        tracing::debug!(%error, "an upload was cut");
    }
}

/// An error drops the unfinished body, and the server sees that it is cut. If the session refuses a piece because the
/// exchange is over, the outcome of the exchange tells why.
async fn write<S, E>(
    writer: oneshot::Receiver<BodySender>,
    body: S,
    length: Option<u64>,
) -> Result<(), ClientError>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Error>,
{
    let Ok(mut sender) = writer.await else {
        return Ok(());
    };
    let mut body = pin!(body);
    let mut owed = Owed::new(length);
    while let Some(piece) = poll_fn(|cx| owed.or_end(body.as_mut().poll_next(cx))).await {
        let piece =
            piece.map_err(|error| ClientError::new(ClientErrorKind::Upload(error.into())))?;
        owed.pay(piece.len());
        let Err(refused) = sender.send(piece).await else {
            continue;
        };
        return match refused.reason {
            RefusedReason::NotYourTurn | RefusedReason::Closing => Ok(()),
            RefusedReason::TooLong => Err(ClientError::new(UseError::BodyTooLong)),
            reason => Err(ClientError::new(ClientErrorKind::Refused(reason))),
        };
    }
    // A body that is too short fails its exchange, which reports the error.
    drop(sender.finish().await);
    Ok(())
}
