//! An incoming body, as a stream.
//!
//! The handler of the exchange holds the [`Feed`], the reader holds the [`Incoming`]. Between them wait at most one
//! high-water mark of bytes plus one piece. Beyond that the session is muted, and TCP slows the peer down.

mod feed;
#[cfg(feature = "tower")]
mod http_body;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::Addr;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use super::HttpSession;
use super::inbound::{Accompany, Continue};
use super::message::Cancel;
use crate::error::BodyError;
use crate::payload::{Headers, MessageId, Payload, TransferMode};
pub(crate) use feed::Feed;
use feed::Shared;

/// The body of an incoming message, as a `Stream` of pieces. It is `Send` and works on any thread.
///
/// ```
/// use http_actors::{Incoming, Payload, StatusCode, handler_fn};
///
/// let count = handler_fn(async |(_request, mut body): (Payload, Incoming)| {
///     let mut bytes = 0;
///     while let Some(piece) = body.next().await {
///         bytes += piece?.len();
///     }
///     Ok::<_, Box<dyn std::error::Error>>(Payload::response(StatusCode::OK).body(format!("{bytes}\n")))
/// });
/// # let _ = count;
/// ```
///
/// Pieces are passed on as they arrive; their boundaries mean nothing. For `AsyncRead`, lines or frames, wrap it in
/// `tokio_util::io::StreamReader`: a [`BodyError`] becomes an [`io::Error`](std::io::Error). A slow reader slows the peer down: at most
/// [`high_water`](crate::Buffers::high_water) bytes plus one piece wait here, and [`inbound`](crate::Buffers::inbound)
/// bytes in the session. While a slow reader pauses the session, no timeout of the peer runs.
///
/// The stream ends with `None` only when the body is complete. A body that was cut short ends with an error, followed
/// by `None`. A function of [`handler_fn`](crate::handler_fn) that waits for a piece does not see that error: its
/// exchange is over, so it is dropped. A task or an actor that has the body sees it.
///
/// If you drop the body of a response before it is complete, its exchange is cancelled and the connection closes. A
/// body of a known [length](Self::remaining) is complete when that has been read: an
/// [upload](crate::HttpClient::upload) that is still being sent then goes on without you.
///
/// If you drop the body of a request, the rest is read and dropped until the answer is complete, and 64 KiB more. If
/// more than that is still to come, the connection closes. It closes at once behind an answer that has its body inside
/// if the length of the request is unknown.
///
/// A client that sent `Expect: 100-continue` gets its 100 when the body of its request is first awaited. A streamed
/// answer with a success status sends the 100 first, because no 100 may come after the head.
#[must_use = "if the body of a response is dropped before it has come whole, its connection closes"]
pub struct Incoming {
    shared: Arc<Shared>,
    /// Where the rest comes from. `None` if everything has arrived.
    source: Option<Source>,
    /// How many bytes are still to be read, if the length was announced.
    left: Option<u64>,
    trailers: Option<Headers>,
    alongside: Option<Alongside>,
    over: bool,
}

/// The session from which a body comes.
struct Source {
    session: Arc<Addr<HttpSession>>,
    exchange: MessageId,
    body_of: BodyOf,
}

/// Which message of the exchange the body belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyOf {
    Response,
    /// Whether the peer waits for our 100 before it sends the body.
    Request {
        awaits_continue: bool,
    },
}

/// A task that belongs to a body that is arriving. It is dropped with the body.
pub(crate) enum Alongside {
    /// Polled whenever the body is polled.
    Runs(Task),
    /// Kept, but not polled.
    Rests(Task),
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Alongside {
    /// Turns it into a task to be polled.
    fn into_task(self) -> Task {
        match self {
            Self::Runs(task) => task,
            Self::Rests(task) => Box::pin(async move {
                std::future::pending::<()>().await;
                drop(task);
            }),
        }
    }
}

impl Incoming {
    /// The body of a complete message, taken out of it. An answer to HEAD without a length keeps having none.
    pub(crate) fn inside(payload: &mut Payload) -> Self {
        let reticent = payload.is_reticent();
        let message = payload.message_mut();
        let body = std::mem::take(&mut message.body);
        let left = Some(body.len() as u64);
        message.mode = if reticent {
            TransferMode::Chunked
        } else {
            TransferMode::Stream
        };
        message.length = body.len() as u64;
        Self::of(Shared::whole(body), None, left)
    }

    fn of(shared: Arc<Shared>, source: Option<Source>, left: Option<u64>) -> Self {
        Self {
            shared,
            source,
            left,
            trailers: None,
            alongside: None,
            over: false,
        }
    }

    /// Gives this body its task.
    pub(crate) fn accompany(&mut self, alongside: Alongside) {
        self.alongside = Some(alongside);
    }

    /// The next piece. `None` after the last, and after an error.
    ///
    /// Cancel-safe: a dropped wait loses nothing.
    ///
    /// # Errors
    /// [`BodyError`] if the body was cut short.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// How many bytes are still to be read. `None` if the length of the body was not announced.
    pub fn remaining(&self) -> Option<u64> {
        self.left
    }

    /// The trailer fields, once the stream has ended with `None`.
    pub fn trailers(&self) -> Option<&Headers> {
        self.trailers.as_ref()
    }

    /// Collects the rest of the body.
    ///
    /// # Errors
    /// [`BodyError`] if the body was cut short, or is longer than `limit` bytes. In the second case the rest is
    /// dropped, as if this stream were dropped.
    pub async fn bytes(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        let mut all = BytesMut::new();
        let mut first = Bytes::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if piece.len() > limit.saturating_sub(all.len() + first.len()) {
                self.give_up();
                return Err(BodyError::TooLarge(limit));
            }
            if all.is_empty() && first.is_empty() {
                first = piece;
                continue;
            }
            // A body of one piece is not copied.
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&piece);
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
    }

    pub(crate) fn take_trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }

    /// The body was read to its end, but the exchange is not over yet: the task of the body now runs with the exchange.
    fn pass_task_on(&mut self) {
        let (Some(source), Some(alongside)) = (self.source.take(), self.alongside.take()) else {
            return;
        };
        let message = source.exchange;
        let task = alongside.into_task();
        source.session.do_send(Accompany { message, task });
    }

    /// Drops the rest. A client cancels the exchange; a server still has to answer.
    fn give_up(&mut self) {
        self.over = true;
        let Some(source) = self.source.take() else {
            return;
        };
        if source.body_of == BodyOf::Response {
            return source.session.do_send(Cancel(source.exchange));
        }
        // Not in one line: the guard must be dropped without the lock.
        let hold = self.shared.lock().drop_rest();
        drop(hold);
    }
}

impl Source {
    /// Sends the 100 that the peer may wait for.
    fn send_continue(&mut self) {
        if let BodyOf::Request { awaits_continue } = &mut self.body_of
            && std::mem::take(awaits_continue)
        {
            self.session.do_send(Continue(self.exchange));
        }
    }
}

impl Stream for Incoming {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        if let Some(Alongside::Runs(task)) = &mut this.alongside
            && task.as_mut().poll(cx).is_ready()
        {
            this.alongside = None;
        }
        let mut state = this.shared.lock();
        if let Some((piece, hold)) = state.take() {
            drop(state);
            drop(hold);
            this.left = this
                .left
                .map(|left| left.saturating_sub(piece.len() as u64));
            return Poll::Ready(Some(Ok(piece)));
        }
        let Some(end) = state.end else {
            state.reader = Some(cx.waker().clone());
            drop(state);
            if let Some(source) = &mut this.source {
                source.send_continue();
            }
            return Poll::Pending;
        };
        this.over = true;
        this.alongside = None;
        this.source = None;
        this.trailers = state.trailers.take();
        Poll::Ready(end.err().map(Err))
    }

    /// Nothing, if the body is known to be empty, or was read to its end.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let over = self.over || self.shared.lock().is_read();
        (0, over.then_some(0))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let ended = self.shared.lock().end.is_some();
        if ended {
            return;
        }
        if self.left == Some(0) {
            self.pass_task_on();
        } else {
            self.give_up();
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
