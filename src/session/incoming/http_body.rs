//! An incoming body, as an `http_body::Body`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::http_body::{Body, Frame, SizeHint};
use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;

use super::Incoming;
use crate::error::BodyError;

#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
impl Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(piece) = ready!(self.as_mut().poll_next(cx)) {
            return Poll::Ready(Some(piece.map(Frame::data)));
        }
        let trailers = self.take_trailers();
        let trailers = trailers.and_then(|trailers| HeaderMap::try_from(&trailers).ok());
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    /// A body of known length has no trailers.
    fn is_end_stream(&self) -> bool {
        self.remaining() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
