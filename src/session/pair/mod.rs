//! One task for the two actors of a server connection.
//!
//! Two tasks would be correct too. In one task, what the builder reads is handled, answered and written while its
//! memory is in the cache. With two, and thousands of busy connections, other builders would run in between.

mod place;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

pub(super) use place::{Place, Placed};

/// How many rounds the two actors may run before the rest of the arbiter gets a turn.
const ROUNDS: u32 = 4;

/// The builder was woken.
const BUILDER: u8 = 1;
/// The session was woken.
const SESSION: u8 = 2;
/// The task is being polled, and will check the two flags above before it returns.
const POLLING: u8 = 4;

#[cfg(test)]
thread_local! {
    /// Whether to use two tasks instead, to compare with.
    static APART: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Starts both in one task.
pub(super) fn spawn<B, S>(builder: B, session: S)
where
    B: Future<Output = ()> + Unpin + 'static,
    S: Future<Output = ()> + Unpin + 'static,
    Pair<B, S>: Placed,
{
    #[cfg(test)]
    if APART.get() {
        actix_rt::spawn(builder);
        actix_rt::spawn(session);
        return;
    }
    // Boxed, because the size of a task is rounded up to a multiple of 128 bytes.
    actix_rt::spawn(Place::new(Pair::new(builder, session)));
}

/// The future of that task. It stays in the task in which it is polled first.
pub(super) struct Pair<B, S> {
    session: Half<S>,
    builder: Half<B>,
    state: Arc<State>,
}

impl<B, S> Pair<B, S> {
    fn new(builder: B, session: S) -> Self {
        let state = Arc::new(State::new());
        Self {
            session: Half {
                bit: SESSION,
                actor: Some(session),
                waker: Arc::new(WakeSession(state.clone())).into(),
            },
            builder: Half {
                bit: BUILDER,
                actor: Some(builder),
                waker: state.clone().into(),
            },
            state,
        }
    }
}

impl<B, S> Future for Pair<B, S>
where
    B: Future<Output = ()> + Unpin,
    S: Future<Output = ()> + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            session,
            builder,
            state,
        } = &mut *self;
        state.begin(cx.waker());
        for _ in 0..ROUNDS {
            // ORDER: the builder first, so that what it read is handled, answered and written in the same turn.
            let turned = builder.poll(state) | session.poll(state);
            if !turned {
                break;
            }
        }
        let woken = state.end();
        if builder.is_over() && session.is_over() {
            return Poll::Ready(());
        }
        if builder.is_among(woken) || session.is_among(woken) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// One actor, and the waker that it is polled with.
struct Half<F> {
    bit: u8,
    /// `None`, and freed, as soon as the actor has ended.
    actor: Option<F>,
    waker: Waker,
}

impl<F: Future<Output = ()> + Unpin> Half<F> {
    fn is_over(&self) -> bool {
        self.actor.is_none()
    }

    fn is_among(&self, woken: u8) -> bool {
        !self.is_over() && woken & self.bit != 0
    }

    /// Polls the actor if it was woken. False if it was not.
    fn poll(&mut self, state: &State) -> bool {
        let Some(actor) = &mut self.actor else {
            return false;
        };
        if !state.take(self.bit) {
            return false;
        }
        let mut cx = Context::from_waker(&self.waker);
        if Pin::new(actor).poll(&mut cx).is_ready() {
            self.actor = None;
        }
        true
    }
}

/// Which actor was woken. It is also the builder's waker: one allocation less.
///
/// Nearly all wakes come from the thread of the task itself. They are recorded by plain loads and stores: with one byte
/// for all threads, a request had seven more locked instructions, which take as long as 300 others.
struct State {
    /// Tells the thread of the task from others.
    home: usize,
    /// Flags of the constants above. Only accessed on the home thread.
    near: AtomicU8,
    /// Flags of wakes from other threads. Each of them also wakes the task.
    far: AtomicU8,
    /// Wakes the task that both run in.
    outer: OnceLock<Waker>,
}

impl State {
    fn new() -> Self {
        Self {
            home: here(),
            // An actor begins by being polled.
            near: AtomicU8::new(BUILDER | SESSION),
            far: AtomicU8::new(0),
            outer: OnceLock::new(),
        }
    }

    fn begin(&self, waker: &Waker) {
        self.outer.get_or_init(|| waker.clone());
        self.change(|near| near | POLLING);
    }

    /// Returns who was woken and not polled since.
    fn end(&self) -> u8 {
        self.change(|near| near & !POLLING) | self.far.load(Ordering::Acquire)
    }

    fn take(&self, bit: u8) -> bool {
        self.change(|near| near & !bit) & bit != 0
            || (self.far.load(Ordering::Relaxed) & bit != 0
                && self.far.fetch_and(!bit, Ordering::AcqRel) & bit != 0)
    }

    fn set(&self, bit: u8) {
        let asleep = if here() == self.home {
            self.change(|near| near | bit) & (bit | POLLING) == 0
        } else {
            self.far.fetch_or(bit, Ordering::AcqRel) & bit == 0
        };
        if asleep && let Some(outer) = self.outer.get() {
            outer.wake_by_ref();
        }
    }

    /// Changes `near` on the home thread, where no other thread changes it. Returns the previous value.
    fn change(&self, to: impl Fn(u8) -> u8) -> u8 {
        let near = self.near.load(Ordering::Relaxed);
        self.near.store(to(near), Ordering::Relaxed);
        near
    }
}

/// An address that identifies this thread: no other thread has it while this one runs.
fn here() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.set(BUILDER);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set(BUILDER);
    }
}

/// The session's waker.
struct WakeSession(Arc<State>);

impl Wake for WakeSession {
    fn wake(self: Arc<Self>) {
        self.0.set(SESSION);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.set(SESSION);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::task::ready;
    use std::time::Duration;

    use bytes::Bytes;
    use http::StatusCode;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc;

    use super::*;
    use crate::payload::{Payload, TransferMode};
    use crate::session::{
        Cancelled, Exchange, Failure, HttpHandler, HttpSession, SessionContext, SessionOptions,
    };

    const EACH: u32 = 10_000;

    /// Answers one message at each poll, until its sender is dropped.
    fn answers(
        mut from: mpsc::UnboundedReceiver<u32>,
        to: std::sync::mpsc::Sender<u32>,
    ) -> Pin<Box<impl Future<Output = ()>>> {
        Box::pin(poll_fn(move |cx| {
            let Some(number) = ready!(from.poll_recv(cx)) else {
                return Poll::Ready(());
            };
            // The thread of the receiver may have failed, which is checked at the end.
            let _ = to.send(number);
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    /// Both are polled for every wake, whichever thread it comes from and however the two race. Each thread waits for
    /// its answer, so the task falls asleep time and again.
    #[tokio::test]
    async fn no_wake_is_lost() {
        let asker = || {
            let (ask, asked) = mpsc::unbounded_channel();
            let (answer, answered) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                for number in 0..EACH {
                    ask.send(number).expect("it answers");
                    assert_eq!(answered.recv(), Ok(number));
                }
            });
            (answers(asked, answer), thread)
        };
        let ((one, first), (other, second)) = (asker(), asker());
        let over = tokio::time::timeout(Duration::from_secs(60), Pair::new(one, other)).await;
        assert!(over.is_ok(), "it sleeps though there is something to do");
        for thread in [first, second] {
            thread.join().expect("all was answered");
        }
    }

    /// Records its calls and answers with the path; the answer is large if the path asks for that.
    struct Notes(Rc<RefCell<Vec<String>>>);

    impl Notes {
        fn note(&self, what: impl Into<String>) {
            self.0.borrow_mut().push(what.into());
        }
    }

    impl HttpHandler for Notes {
        fn apply(&mut self, request: Payload, session: &mut SessionContext) {
            let inside = request.body_bytes().len();
            self.note(format!("apply {} {inside}", request.path()));
            let answer = Payload::response(StatusCode::OK).header("X-Path", request.path());
            if request.mode() == TransferMode::Oneshot {
                let size = if request.path() == "/much" {
                    300_000
                } else {
                    5
                };
                session.respond(answer.body(vec![b'x'; size]));
            }
        }

        fn chunk(&mut self, data: Bytes, _: &mut SessionContext) {
            self.note(format!("chunk {}", data.len()));
        }

        fn finished(&mut self, session: &mut SessionContext) {
            self.note("finished");
            session.respond(Payload::response(StatusCode::ACCEPTED));
        }

        fn throttled(&mut self, _: &mut SessionContext) {
            self.note("throttled");
        }

        fn unthrottled(&mut self, _: &mut SessionContext) {
            self.note("unthrottled");
        }

        fn half_closed(&mut self, _: &mut SessionContext) {
            self.note("half_closed");
        }

        fn completed(&mut self, exchange: &Exchange, _: &mut SessionContext) {
            self.note(format!(
                "completed {:?} {}",
                exchange.status, exchange.bytes_out
            ));
        }

        fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
            self.note(format!("cancelled {:?}", cancelled.cause));
        }

        fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
            self.note(format!("failed {:?}", failure.reason));
        }
    }

    fn request(kind: usize) -> Vec<u8> {
        let text = match kind {
            0 => "GET /a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            1 => "GET /much HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            2 => "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
            3 => format!(
                "POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 150000\r\n\r\n{}",
                "x".repeat(150_000)
            ),
            4 => "POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
                .to_owned(),
            5 => "GET /e HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
            _ => "BAD\r\n\r\n".to_owned(),
        };
        text.into_bytes()
    }

    /// The calls of the handler for these requests, and what the peer reads.
    fn conversation(kinds: &[usize], apart: bool) -> (Vec<String>, String) {
        let heard: Rc<RefCell<Vec<String>>> = Rc::default();
        let notes = Rc::clone(&heard);
        let read = actix::System::new().block_on(async move {
            APART.set(apart);
            let (mut near, far) = tokio::io::duplex(4 << 20);
            for kind in kinds {
                near.write_all(&request(*kind)).await.expect("room");
            }
            near.shutdown().await.expect("open");
            let factory = move |_| Notes(notes.clone());
            HttpSession::accept(far, &factory, SessionOptions::default());
            let mut read = String::new();
            near.read_to_string(&mut read).await.expect("text");
            read
        });
        let lines = read.split_inclusive("\r\n");
        let read = lines.filter(|line| !line.starts_with("Date: ")).collect();
        (heard.take(), read)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// With one task or two, the calls and the output are the same, in the same order.
        #[test]
        fn nobody_can_tell_how_many_tasks_there_are(kinds in prop::collection::vec(0..7_usize, 1..40)) {
            prop_assert_eq!(conversation(&kinds, false), conversation(&kinds, true));
        }
    }

    /// An actor that has ended is not polled again, and the other one continues.
    #[tokio::test]
    async fn one_may_end_before_the_other() {
        let mut polls = 0;
        let builder = Box::pin(std::future::ready(()));
        let session = Box::pin(poll_fn(move |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            if polls < 10 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }));
        Pair::new(builder, session).await;
    }
}
