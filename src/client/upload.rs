//! A request body from a stream.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use tokio::sync::oneshot;

use super::ask::{Pending, Reply};
use super::error::{ClientError, ClientErrorKind};
use crate::error::{RefusedReason, UseError};
use crate::session::{BodySender, Owed};

/// The error of a stream.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Writes the body until it is whole or the final response is there. An early response that says that all is well may
/// depend on the rest, which is then written while the response is read. Any other means that nobody wants the rest.
pub(super) async fn upload<S, E>(
    mut pending: Pending,
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
        // At rest the task keeps the request open: if it were cut now, the response would be lost.
        let runs = reply
            .head
            .status()
            .is_some_and(|status| StatusCode::is_success(&status));
        coming.accompany(Box::pin(log(writing)), runs);
    }
    Ok(reply)
}

/// The response has begun: nobody else hears of the error.
async fn log(writing: Pin<Box<impl Future<Output = Result<(), ClientError>>>>) {
    if let Err(error) = writing.await {
        tracing::debug!(%error, "an upload was cut");
    }
}

/// An error drops the body before its end, and the server sees that it is cut. What the session says about it comes as
/// the answer.
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
    // A body that is too short fails its exchange, and that is the answer.
    drop(sender.finish().await);
    Ok(())
}
