//! One task for the two actors of a server connection.
//!
//! They would run as two tasks just as well. In one, a message between them needs no trip through the scheduler, and each
//! is polled only when it was woken: a request that is read, handled, answered and written in one turn costs one poll of
//! each. Worth a fifth of the instructions of a request when it was measured against polling both at every wake.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use actix::dev::ContextFut;

use super::HttpSession;
use super::builder::PayloadBuilder;

/// How often the two may hand each other work before the rest of the arbiter gets a turn.
const ROUNDS: u32 = 4;

pub(super) struct Pair {
    // ORDER: dropped before the builder, whose address of the session the last calls of the handler may ask for.
    session: Half<ContextFut<HttpSession, actix::Context<HttpSession>>>,
    builder: Half<ContextFut<PayloadBuilder, actix::Context<PayloadBuilder>>>,
    task: Arc<Task>,
}

impl Pair {
    pub(super) fn new(
        builder: ContextFut<PayloadBuilder, actix::Context<PayloadBuilder>>,
        session: ContextFut<HttpSession, actix::Context<HttpSession>>,
    ) -> Self {
        let task = Arc::new(Task {
            polling: AtomicBool::new(false),
            outer: Mutex::new(None),
        });
        Self {
            session: Half::new(session, &task),
            builder: Half::new(builder, &task),
            task,
        }
    }
}

impl Future for Pair {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.task.begin(cx.waker());
        for _ in 0..ROUNDS {
            // ORDER: the builder first, so that what it read is handled, answered and written in the same turn.
            let turned = this.builder.poll() | this.session.poll();
            if !turned {
                break;
            }
        }
        this.task.polling.store(false, Ordering::SeqCst);
        if this.builder.actor.is_none() && this.session.actor.is_none() {
            return Poll::Ready(());
        }
        if this.builder.is_woken() || this.session.is_woken() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// One actor, and the waker that it is polled with.
struct Half<F> {
    actor: Option<F>,
    flag: Arc<Flag>,
    waker: Waker,
}

impl<F: Future<Output = ()> + Unpin> Half<F> {
    fn new(actor: F, task: &Arc<Task>) -> Self {
        // Woken from the start: an actor begins by being polled.
        let flag = Arc::new(Flag {
            woken: AtomicBool::new(true),
            task: task.clone(),
        });
        Self {
            actor: Some(actor),
            waker: flag.clone().into(),
            flag,
        }
    }

    fn is_woken(&self) -> bool {
        self.actor.is_some() && self.flag.woken.load(Ordering::SeqCst)
    }

    /// Polls the actor if it was woken. False if it was not.
    fn poll(&mut self) -> bool {
        let Some(actor) = &mut self.actor else {
            return false;
        };
        if !self.flag.woken.swap(false, Ordering::SeqCst) {
            return false;
        }
        if Pin::new(actor)
            .poll(&mut Context::from_waker(&self.waker))
            .is_ready()
        {
            self.actor = None;
        }
        true
    }
}

/// Whether an actor was woken.
struct Flag {
    woken: AtomicBool,
    task: Arc<Task>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// ORDER: the flag is set before the task is looked at, and the task looks at the flags after it has stopped polling:
    /// one of the two sees the other.
    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::SeqCst) && !self.task.polling.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

/// The task that both run in.
struct Task {
    /// It is being polled, and will look at the flags before it returns.
    polling: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Task {
    fn begin(&self, waker: &Waker) {
        self.polling.store(true, Ordering::SeqCst);
        let mut outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        if !outer.as_ref().is_some_and(|outer| outer.will_wake(waker)) {
            *outer = Some(waker.clone());
        }
    }

    fn wake(&self) {
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outer) = &*outer {
            outer.wake_by_ref();
        }
    }
}
