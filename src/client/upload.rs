//! A request body from a stream.

use std::future::poll_fn;
use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::oneshot;

use super::ask::{Pending, Reply};
use super::error::{ClientError, ClientErrorKind};
use crate::error::RefusedReason;
use crate::session::BodySender;

/// Writes the body until it is whole or the final response is there: then nobody wants the rest.
pub(super) async fn upload<S, E>(
    mut pending: Pending,
    writer: oneshot::Receiver<BodySender>,
    body: S,
) -> Result<Reply, ClientError>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = pin!(body);
    let mut writing = None;
    tokio::select! {
        biased;
        reply = &mut pending => {
            // The response may still be coming: the connection is cut when it has come, not now.
            if let Some(body) = writing {
                body.leave();
            }
            reply
        }
        written = write(writer, &mut writing, body.as_mut()) => match written {
            Ok(()) => pending.await,
            Err(error) => Err(error),
        },
    }
}

/// An error drops the body before its end, and the server sees that it is cut. What the session has to say comes as the
/// answer.
async fn write<S, E>(
    writer: oneshot::Receiver<BodySender>,
    writing: &mut Option<BodySender>,
    mut body: Pin<&mut S>,
) -> Result<(), ClientError>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Ok(sender) = writer.await else {
        return Ok(());
    };
    let sender = writing.insert(sender);
    while let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let piece =
            piece.map_err(|error| ClientError::new(ClientErrorKind::Upload(error.into())))?;
        match sender.send(piece).await {
            Ok(()) => {}
            Err(refused) => match refused.reason {
                RefusedReason::NotYourTurn | RefusedReason::Closing => return Ok(()),
                RefusedReason::TooLong => {
                    return Err(ClientError::new(crate::error::UseError::BodyTooLong));
                }
                reason => return Err(ClientError::new(ClientErrorKind::Refused(reason))),
            },
        }
    }
    if let Some(sender) = writing.take() {
        // A body that is too short fails its exchange, and that is the answer.
        drop(sender.finish().await);
    }
    Ok(())
}
