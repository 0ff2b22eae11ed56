//! The handler's end of an incoming body, and what waits between it and the reader.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use super::{BodyOf, Incoming, Source};
use crate::error::{BodyError, FailureReason};
use crate::payload::{Headers, MessageId, Payload};
use crate::session::context::SessionContext;
use crate::session::credit::ITEM;
use crate::session::memory::Keeping;
use crate::session::responder::MuteGuard;

/// The handler's end of an incoming body.
#[derive(Debug)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
    mark: usize,
}

#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    pieces: VecDeque<Bytes>,
    /// The cost of the pieces that wait.
    waiting: usize,
    /// The same cost, counted for the server's memory ceiling.
    keeping: Keeping,
    /// Held while too many pieces wait.
    hold: Option<MuteGuard>,
    /// The reader was dropped: what still arrives is dropped.
    unwanted: bool,
    pub(super) trailers: Option<Headers>,
    pub(super) end: Option<Result<(), BodyError>>,
    pub(super) reader: Option<Waker>,
}

/// The cost of a piece: its bytes and a fixed overhead, so that many small pieces are not free.
fn cost(piece: &Bytes) -> usize {
    piece.len() + ITEM
}

impl State {
    /// Records how much waits now.
    fn set_waiting(&mut self, waiting: usize) {
        self.waiting = waiting;
        self.keeping.hold(waiting);
    }

    /// Takes the next piece. With the last one that waits comes the guard that held the session, to be dropped without
    /// the lock.
    pub(super) fn take(&mut self) -> Option<(Bytes, Option<MuteGuard>)> {
        let piece = self.pieces.pop_front()?;
        self.set_waiting(self.waiting - cost(&piece));
        let hold = self.hold.take_if(|_| self.pieces.is_empty());
        Some((piece, hold))
    }

    /// Whether nothing waits, and nothing more comes.
    pub(super) fn is_read(&self) -> bool {
        self.pieces.is_empty() && matches!(self.end, Some(Ok(())))
    }

    /// Drops what waits, and what still arrives. Returns the guard, as [`take`](Self::take) does.
    pub(super) fn drop_rest(&mut self) -> Option<MuteGuard> {
        self.unwanted = true;
        self.pieces.clear();
        self.set_waiting(0);
        self.hold.take()
    }
}

impl Shared {
    fn new(state: State) -> Arc<Self> {
        Arc::new(Self(Mutex::new(state)))
    }

    /// A body that has come whole.
    pub(super) fn whole(body: Bytes) -> Arc<Self> {
        Self::new(State {
            waiting: cost(&body),
            pieces: Some(body)
                .filter(|body| !body.is_empty())
                .into_iter()
                .collect(),
            end: Some(Ok(())),
            ..State::default()
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
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
        session: &mut SessionContext,
    ) -> (Self, Incoming) {
        Self::new(exchange, response, BodyOf::Response, session)
    }

    /// The body of this request, which is being delivered, and its reader.
    pub(crate) fn request(request: &Payload, session: &mut SessionContext) -> (Self, Incoming) {
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
        session: &mut SessionContext,
    ) -> (Self, Incoming) {
        let shared = Shared::new(State {
            keeping: session.keeping(),
            ..State::default()
        });
        let source = Source {
            session: session.link.shared_address(),
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
            state.set_waiting(state.waiting + cost);
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
