//! The receiving side of a connection: a separate actor that reads the socket.
//!
//! It turns bytes into messages by the decoder and hands them to its session, everything from one read in one message.
//! It reads only while it has credit, and only its session can send messages to it. So an application that keeps the
//! session busy cannot starve the deadlines that are kept here (N6).

mod alarm;
mod clock;
mod decode;
mod hosted;
mod input;
mod outbox;
mod pace;
mod private;
mod wiring;

use std::io;
use std::pin::Pin;
use std::rc::Weak;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use actix::{Actor, ActorContext as _, ActorState};
use bytes::BytesMut;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use clock::Clock;
use hosted::Confined;
pub(super) use hosted::Hosted;
use input::Size;
use outbox::Outbox;
use pace::Pace;
pub(super) use wiring::Wiring;

use super::awaited::Awaited;
use super::deadline::DeadlineTimer;
use super::inbound::{Closed, Credit, Failed, Fault, HalfClosed, NoRequest, Rest};
use super::memory::Stake;
use super::options::SessionOptions;
use super::tenure::Tenure;
use crate::transport::{self, Hangup};
use crate::wire::Decoder;

/// How many bytes are read and dropped after our last answer. Many clients read no answer before they have sent a whole
/// upload, and would lose it in the reset that a close causes.
const LINGER: usize = 64 << 20;

/// Builds payloads from the bytes of one connection.
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts; the states are in `state`"
)]
pub(crate) struct PayloadBuilder {
    session: Outbox,
    read: transport::ReadHalf,
    decoder: Decoder,
    /// At a client, the requests that were sent.
    awaited: Option<Awaited>,
    /// Bytes that were read and could not be decoded yet.
    tail: BytesMut,
    /// Whether the decoder may have more to give without another byte: it was stopped, for example for lack of credit,
    /// and did not ask for more.
    backlog: bool,
    credit_bytes: i64,
    credit_messages: i64,
    muted: bool,
    pace: Pace,
    state: State,
    /// The first timer was put off once.
    spared: bool,
    /// The session has asked whether input has come. It is answered when this task is done, which is after the
    /// reactor's next turn.
    queried: Option<JoinHandle<()>>,
    /// The peer waits for our 100: it has not got one, and sends nothing of the body.
    awaits_continue: bool,
    /// Heads that were read.
    heads: u64,
    /// How long the body of the nth message may be silent, if the session has said so. In a box, because few have one.
    own_time: Option<Box<(u64, Duration)>>,
    /// Whether a reset was detected. At a client, what came before is still to be read.
    reset: bool,
    /// Why the connection broke, if a write was told. Then what looks like its end is none.
    torn: Option<io::ErrorKind>,
    /// Bytes that were read since the clock was set.
    progress: usize,
    clock: Option<Clock>,
    deadline: DeadlineTimer,
    options: Arc<SessionOptions>,
    tenure: Tenure,
    /// The connection's part of its server's memory ceiling, as long as the session has it.
    stake: Weak<Stake>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// The peer sends no more. The session decides what follows.
    Eof,
    /// What the peer sends cannot be used any more. The session decides what follows.
    Refused,
    /// Input is read and dropped, at most this many bytes.
    Lingering(usize),
}

impl PayloadBuilder {
    /// Makes the builder of a server. The deadline of the first head runs from now on.
    pub(super) fn of_requests(
        wiring: Wiring,
        tenure: Tenure,
        stake: Weak<Stake>,
        now: Instant,
    ) -> Self {
        let head = wiring.options.timeouts.head;
        let decoder = Decoder::requests(wiring.rules.clone());
        let mut builder = Self::new(wiring, decoder, tenure);
        builder.stake = stake;
        builder.clock = Some(Clock::FirstHead);
        builder
            .deadline
            .set(head.and_then(|head| now.checked_add(head)));
        builder
    }

    /// Makes the builder of a client.
    pub(super) fn of_responses(wiring: Wiring, awaited: Awaited) -> Self {
        let decoder = Decoder::responses(wiring.rules.clone());
        let mut builder = Self::new(wiring, decoder, Tenure::default());
        builder.awaited = Some(awaited);
        builder
    }

    fn new(wiring: Wiring, decoder: Decoder, tenure: Tenure) -> Self {
        let Wiring { read, options, .. } = wiring;
        let credit = Credit::of(&options.buffers);
        let mut builder = Self {
            session: Outbox::default(),
            read,
            decoder,
            awaited: None,
            tail: BytesMut::new(),
            backlog: false,
            credit_bytes: 0,
            credit_messages: 0,
            muted: false,
            pace: Pace::default(),
            state: State::Reading,
            spared: false,
            awaits_continue: false,
            heads: 0,
            own_time: None,
            queried: None,
            reset: false,
            torn: None,
            progress: 0,
            clock: None,
            deadline: DeadlineTimer::default(),
            options,
            tenure,
            stake: Weak::new(),
        };
        builder.add(credit);
        builder
    }

    fn add(&mut self, Credit { bytes, messages }: Credit) {
        // No buffer is near 2^63 bytes.
        self.credit_bytes = self.credit_bytes.saturating_add_unsigned(bytes as u64);
        self.credit_messages = self
            .credit_messages
            .saturating_add_unsigned(messages as u64);
    }

    fn may_decode(&self) -> bool {
        self.state == State::Reading
            && self.credit_bytes > 0
            && self.credit_messages > 0
            && !self.muted
            && !self.decoder.is_held()
    }

    // Reading.

    /// Reads and decodes what has come. Ready if it wants another turn, after the session.
    fn poll_io(&mut self, ctx: &mut Confined, cx: &mut TaskContext<'_>) -> Poll<()> {
        let mut busy = false;
        loop {
            if ctx.state() == ActorState::Stopped {
                return Poll::Pending;
            }
            let turned = match self.state {
                _ if self.may_decode() => self.poll_read(cx),
                // Usually the session grants credit for what was just read in its next turn, or closes at the end of
                // what there is. A watch for that short time would cost a tenth of an upload, and of a connection.
                State::Reading | State::Eof | State::Refused if busy => return Poll::Ready(()),
                State::Reading | State::Eof | State::Refused => {
                    self.pace.stop();
                    self.poll_hangup(cx)
                }
                State::Lingering(left) => self.poll_linger(left, ctx, cx),
            };
            if turned.is_ready() {
                busy = true;
                continue;
            }
            self.poll_query(cx);
            self.set_clock();
            self.account();
            if busy && self.spares_timer() {
                return Poll::Ready(());
            }
            ready!(self.deadline.poll(cx));
            self.expire(ctx);
        }
    }

    /// Whether to put off making a timer until the session has handled what was just read. The session may end the
    /// connection, as with one connection for each request, and the first timer of an arbiter costs a system call. Only
    /// once, so that the deadline also applies to a peer that sends all the time.
    fn spares_timer(&mut self) -> bool {
        !self.deadline.has_timer() && !std::mem::replace(&mut self.spared, true)
    }

    /// Watches the connection while it is not read. Ready when the peer has disconnected or half-closed.
    fn poll_hangup(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.reset {
            return Poll::Pending;
        }
        match ready!(self.read.poll_hangup(cx)) {
            Hangup::HalfClosed => self.session.send(HalfClosed(Rest::Unread)),
            // What the server sent before may be a complete response. The read after it finds the reset.
            Hangup::Reset if self.awaited.is_some() && self.state == State::Reading => {
                self.reset = true;
            }
            Hangup::Reset => {
                self.reset = true;
                self.state = State::Refused;
                self.session.send(Closed(io::ErrorKind::ConnectionReset));
            }
        }
        Poll::Ready(())
    }

    /// Makes one read and decodes it. Pending when the socket has nothing.
    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.backlog {
            self.backlog = false;
            self.decode_tail();
            self.note_partial();
            return Poll::Ready(());
        }
        let read = ready!(self.read(cx));
        match (read, self.torn) {
            (Ok(0), None) => self.end_of_stream(),
            (Ok(0), Some(kind)) => self.broke(kind),
            (Ok(read), _) => {
                self.progress = self.progress.saturating_add(read);
                self.note_partial();
            }
            (Err(error), _) => self.broke(error.kind()),
        }
        Poll::Ready(())
    }

    fn broke(&mut self, kind: io::ErrorKind) {
        self.state = State::Eof;
        self.session.send(Closed(kind));
    }

    fn read(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        let size = if self.pace.is_steady() && self.may_overdraw() {
            Size::Large
        } else {
            Size::Usual
        };
        size.lend(|buffer| {
            let read = ready!(poll_read_buf(Pin::new(&mut *self.read), cx, buffer))?;
            self.pace.read(buffer.len() == buffer.capacity());
            if self.tail.is_empty() {
                self.decode(buffer, size);
                if !buffer.is_empty() {
                    self.tail = size.rest(buffer);
                }
            } else {
                // Appended, so that the cost per byte stays the same for a peer that sends single bytes.
                self.tail.extend_from_slice(buffer);
                self.decode_tail();
            }
            Poll::Ready(Ok(read))
        })
    }

    /// Whether a large read may overdraw the credit, as any item may: inside a body whose receiver has been taking
    /// whole credits at once, and if the options allow at least a usual read.
    fn may_overdraw(&self) -> bool {
        let whole = Credit::of(&self.options.buffers).bytes;
        let in_hand = usize::try_from(self.credit_bytes).unwrap_or(0);
        in_hand >= whole.min(Size::Large.room())
            && whole >= Size::Usual.room()
            && self.decoder.body_left() >= Size::Large.room() as u64
    }

    /// Answers a query of the session. Readiness may be stale, so the task in `queried` yields once, for the reactor to
    /// report new data. At a server there is no answer if part of a request has come: the request itself is the answer.
    fn poll_query(&mut self, cx: &mut TaskContext<'_>) {
        if let Some(turn) = &mut self.queried
            && Pin::new(turn).poll(cx).is_ready()
        {
            self.queried = None;
            let nothing = self.tail.is_empty() && !self.decoder.in_body();
            if nothing || self.awaited.is_some() {
                self.session.send(NoRequest);
            }
        }
    }

    /// Reports to the server how much is held here of a message that is not complete.
    fn account(&self) {
        if let Some(stake) = self.stake.upgrade() {
            stake.hold_incomplete(self.tail.len() + self.decoder.gathered());
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.state = State::Refused;
        let line = self.begun_line(false, &self.tail);
        self.session.send(Failed(fault, line));
    }

    /// Reads and drops input, until the end.
    fn poll_linger(
        &mut self,
        left: usize,
        ctx: &mut Confined,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let read = Size::Usual.lend(|buffer| poll_read_buf(Pin::new(&mut *self.read), cx, buffer));
        match ready!(read) {
            Ok(read @ 1..) if read < left => self.state = State::Lingering(left - read),
            Ok(_) | Err(_) => ctx.stop(),
        }
        Poll::Ready(())
    }
}

impl Actor for PayloadBuilder {
    type Context = Confined;
}
