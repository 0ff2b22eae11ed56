//! A builder in its context, as its session holds it.
//!
//! The two actors of a connection are always on one thread, and the session polls its builder. So their messages need
//! no mailbox, which is made for many threads: a message in it is two allocations and eight locked instructions. A
//! message to the builder is handled at once. One to the session waits in `outbox` until the builder was polled, and is
//! handled then, in the order in which it was sent.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::thread::LocalKey;

use actix::{ActorContext, ActorState, Handler, Message};

use super::PayloadBuilder;
use super::alarm::Watch;
use crate::payload::Spare;
use crate::session::inbound::{Closed, FromBuilder, Linger};
use crate::session::place::{Kept, Place, Placed};

/// The context of a builder: an actor that has no address and does one thing.
#[derive(Debug, Default)]
pub(crate) struct Confined {
    stopped: bool,
}

impl ActorContext for Confined {
    fn stop(&mut self) {
        self.stopped = true;
    }

    fn terminate(&mut self) {
        self.stopped = true;
    }

    #[inline]
    fn state(&self) -> ActorState {
        if self.stopped {
            ActorState::Stopped
        } else {
            ActorState::Running
        }
    }
}

/// A builder in its context.
pub(in crate::session) struct Hosted {
    builder: PayloadBuilder,
    context: Confined,
    /// Whether to poll it without a wake: it is new, it was told something, or it asked for another turn.
    due: bool,
    watch: Watch,
}

impl Hosted {
    pub(in crate::session) fn new(builder: PayloadBuilder) -> Self {
        Self {
            builder,
            context: Confined::default(),
            due: true,
            watch: Watch::default(),
        }
    }

    /// Has the builder handle a message.
    pub(in crate::session) fn tell<M>(&mut self, message: M)
    where
        M: Message<Result = ()>,
        PayloadBuilder: Handler<M, Result = ()>,
    {
        self.builder.handle(message, &mut self.context);
        self.due = true;
    }

    /// The next message for the session.
    #[inline]
    pub(in crate::session) fn next_message(&mut self) -> Option<FromBuilder> {
        self.builder.session.pop()
    }

    #[inline]
    pub(in crate::session) fn is_due(&self) -> bool {
        self.due
    }

    /// Whether the messages that woke the session may not have been all that did.
    #[inline]
    pub(in crate::session) fn is_woken(&self) -> bool {
        self.due || self.watch.is_woken()
    }

    /// Polls the builder. A transport that panics breaks the connection, and nothing else. With `told`, the session has
    /// handled messages in this turn.
    pub(in crate::session) fn turn(&mut self, told: bool, cx: &TaskContext<'_>) {
        let waker = self.watch.waker();
        let waker = waker.as_ref().unwrap_or(cx.waker());
        let polled = &mut TaskContext::from_waker(waker);
        let Self {
            builder, context, ..
        } = self;
        let turned = catch_unwind(AssertUnwindSafe(|| builder.poll_io(context, polled)));
        let due = std::mem::replace(&mut self.due, matches!(turned, Ok(Poll::Ready(()))));
        if turned.is_err() {
            context.stop();
            builder.session.send(Closed(io::ErrorKind::Other));
        }
        if !builder.session.is_empty() {
            self.watch = Watch::default();
        } else if told && !due && !self.due {
            self.due = self.watch.in_vain(cx.waker());
        }
    }

    /// Lets the builder read and drop for a while what the peer still sends, in a task of its own.
    pub(in crate::session) fn linger(mut this: Place<Self>) {
        if let Some(hosted) = this.get_mut() {
            hosted.tell(Linger);
            hosted.watch = Watch::default(); // it wakes the session
        }
        actix_rt::spawn(this);
    }

    fn is_over(&self) -> bool {
        self.context.state() == ActorState::Stopped
    }
}

/// A builder without a session. It ends when it stops itself.
impl Future for Hosted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.due = true;
        while self.due && !self.is_over() {
            self.turn(false, cx);
        }
        if self.is_over() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Placed for Hosted {
    fn boxes() -> &'static LocalKey<Spare<Kept<Self>>> {
        thread_local! {
            static BOXES: Spare<Kept<Hosted>> = const { Spare::new(64) };
        }
        &BOXES
    }
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted")
            .field("context", &self.context)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}
