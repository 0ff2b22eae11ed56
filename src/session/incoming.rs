//! An incoming body, as a stream.
//!
//! The handler of the exchange holds the [`Feed`], the reader holds the [`Incoming`]. Between them wait at most one
//! high-water mark of bytes plus one piece. Beyond that the session is muted, and TCP slows the peer down.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use actix::Addr;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use super::HttpSession;
use super::context::SessionContext;
use super::credit::ITEM;
use super::inbound::{Accompany, Continue};
use super::memory::Keeping;
use super::message::Cancel;
use super::responder::MuteGuard;
use crate::error::{BodyError, FailureReason};
use crate::payload::{Headers, MessageId, Payload, TransferMode};

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
/// Pieces are passed on as they arrive; their boundaries mean nothing. A slow reader slows the peer down: at most
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
    session: Addr<HttpSession>,
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

/// A task that belongs to a body that is arriving.
enum Alongside {
    Runs(Task),
    /// Kept, but not polled, until the body is over.
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

/// The handler's end of an incoming body.
#[derive(Debug)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
    mark: usize,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Bytes>,
    /// The cost of the pieces that wait.
    waiting: usize,
    /// The same cost, counted for the server's memory ceiling.
    keeping: Keeping,
    /// Held while too many pieces wait.
    hold: Option<MuteGuard>,
    /// The reader was dropped: what still arrives is dropped.
    unwanted: bool,
    trailers: Option<Headers>,
    end: Option<Result<(), BodyError>>,
    reader: Option<Waker>,
}

/// The cost of a piece: its bytes and a fixed overhead, so that many small pieces are not free.
fn cost(piece: &Bytes) -> usize {
    piece.len() + ITEM
}

impl State {
    /// Records how much waits now.
    fn wait_for(&mut self, waiting: usize) {
        self.waiting = waiting;
        self.keeping.hold(waiting);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then wakes the reader.
    fn tell(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Feed {
    /// The body of this response, which answers the current exchange, and its reader.
    pub(crate) fn response(
        exchange: MessageId,
        response: &Payload,
        session: &SessionContext,
    ) -> (Self, Incoming) {
        Self::new(exchange, response, BodyOf::Response, session)
    }

    /// The body of this request, which is being delivered, and its reader.
    pub(crate) fn request(request: &Payload, session: &SessionContext) -> (Self, Incoming) {
        let awaits_continue = session.side.awaits_continue();
        Self::new(
            request.id(),
            request,
            BodyOf::Request { awaits_continue },
            session,
        )
    }

    fn new(
        exchange: MessageId,
        message: &Payload,
        body_of: BodyOf,
        session: &SessionContext,
    ) -> (Self, Incoming) {
        let shared = Arc::new(Shared(Mutex::new(State {
            keeping: session.keeping(),
            ..State::default()
        })));
        let source = Source {
            session: session.address(),
            exchange,
            body_of,
        };
        let incoming = Incoming::of(shared.clone(), Some(source), message.body_size());
        let mark = session.link.options.buffers.high_water;
        (Self { shared, mark }, incoming)
    }

    pub(crate) fn chunk(&self, data: Bytes, session: &mut SessionContext) {
        self.shared.tell(|state| {
            if state.unwanted {
                return;
            }
            let cost = cost(&data);
            state.pieces.push_back(data);
            state.wait_for(state.waiting + cost);
            if state.waiting > self.mark && state.hold.is_none() {
                state.hold = Some(session.hold());
            }
        });
    }

    pub(crate) fn trailers(&self, trailers: Headers) {
        self.shared.lock().trailers = Some(trailers);
    }

    /// Ends the body. Only the first call counts.
    pub(crate) fn end(&self, end: Result<(), BodyError>) {
        self.shared.tell(|state| {
            state.end.get_or_insert(end);
            // What is left belongs to the reader, not to the session.
            state.keeping = Keeping::default();
        });
    }
}

/// If a session is torn down without ending the body, the body is incomplete.
impl Drop for Feed {
    fn drop(&mut self) {
        self.end(Err(BodyError::Failed(FailureReason::ConnectionClosed(
            std::io::ErrorKind::ConnectionAborted,
        ))));
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
        let state = State {
            waiting: cost(&body),
            pieces: Some(body)
                .filter(|body| !body.is_empty())
                .into_iter()
                .collect(),
            end: Some(Ok(())),
            ..State::default()
        };
        Self::of(Arc::new(Shared(Mutex::new(state))), None, left)
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

    /// Polls a task whenever this body is polled, or only keeps it. The task is dropped with the body.
    pub(crate) fn accompany(&mut self, task: Task, runs: bool) {
        self.alongside = Some(if runs {
            Alongside::Runs(task)
        } else {
            Alongside::Rests(task)
        });
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
        let mut state = self.shared.lock();
        state.unwanted = true;
        state.pieces.clear();
        state.wait_for(0);
        let hold = state.hold.take();
        drop(state);
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
        if let Some(piece) = state.pieces.pop_front() {
            let left = state.waiting - cost(&piece);
            state.wait_for(left);
            let room = state.pieces.is_empty();
            let hold = if room { state.hold.take() } else { None };
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
