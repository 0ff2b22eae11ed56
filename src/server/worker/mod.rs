//! The part of a server on one arbiter: it accepts connections and starts a session for each. How it is drained is in
//! `retire.rs`, and which TLS handshakes are in progress in `handshakes.rs`.

mod handshakes;
mod retire;

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message, ResponseFuture};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet, unconstrained, yield_now};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Settings;
use super::factory::BoxFactory;
use super::listener::{Listener, Share, Tcp};
use super::registry::Registry;
use crate::session::{
    self, Ceiling, CutOff, HttpSession, Left, Logger, SessionOptions, Stake, Tenure,
};
use crate::transport::{Acceptor, Halves};
use handshakes::Handshakes;
pub(super) use retire::Retire;
use retire::{drained, outstayed};

/// How long to wait after `accept` failed for lack of a resource, at first and at most.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MOST: Duration = Duration::from_secs(1);

/// How many connections are taken from the backlog in a drain before other tasks get a turn.
const AT_ONCE: u32 = 64;

/// How long sessions may take to end when they are cut. Those that remain only wait for a peer that got its last answer
/// and does not close.
const CUT: Duration = Duration::from_millis(100);

/// What all workers of a server have in common. Each gets a copy.
#[derive(Clone)]
pub(super) struct Common {
    factory: BoxFactory,
    options: SessionOptions,
    tcp: Tcp,
    /// One for each connection that may be open.
    slots: Arc<Semaphore>,
    pub(super) ceiling: Option<Arc<Ceiling>>,
}

impl Common {
    pub(super) fn new(
        factory: BoxFactory,
        options: SessionOptions,
        tcp: Tcp,
        settings: &Settings,
    ) -> Self {
        let slots = settings.max_connections.min(Semaphore::MAX_PERMITS);
        let ceiling = settings.memory.map(Ceiling::new);
        Self {
            factory,
            options,
            tcp,
            slots: Arc::new(Semaphore::new(slots)),
            ceiling: ceiling.map(Arc::new),
        }
    }
}

pub(super) struct Worker {
    listeners: Vec<Share>,
    loops: Vec<AbortHandle>,
    shared: Rc<Shared>,
    /// Notifies the server when this worker is dropped.
    _life: TaskTrackerToken,
}

/// The state that the accept loops of a worker share.
struct Shared {
    factory: RefCell<BoxFactory>,
    options: RefCell<Arc<SessionOptions>>,
    tcp: Tcp,
    slots: Arc<Semaphore>,
    handshakes: Handshakes,
    registry: Rc<Registry>,
    ceiling: Option<Arc<Ceiling>>,
    /// Whether the server is being drained, and how.
    leaving: watch::Sender<Option<Retire>>,
    /// Waits for the sessions that were asked to leave.
    parting: RefCell<JoinSet<Left>>,
    /// Tracks what must be over before the worker has ended: accept loops, handshakes, connections.
    tracker: TaskTracker,
}

impl Worker {
    pub(super) fn new(listeners: Vec<Share>, common: Common, life: TaskTrackerToken) -> Self {
        let shared = Shared {
            factory: RefCell::new(common.factory),
            options: RefCell::new(Arc::new(common.options)),
            tcp: common.tcp,
            slots: common.slots,
            handshakes: Handshakes::default(),
            registry: Rc::default(),
            ceiling: common.ceiling,
            leaving: watch::Sender::new(None),
            parting: RefCell::default(),
            tracker: TaskTracker::new(),
        };
        Self {
            listeners,
            loops: Vec::new(),
            shared: Rc::new(shared),
            _life: life,
        }
    }
}

impl Shared {
    /// Accepts connections until the server is drained, and then those in the backlog. No error of `accept` ends the
    /// loop.
    async fn accept(self: Rc<Self>, listener: Listener, tls: Option<Acceptor>) {
        // Without tokio's budget: while the backlog never becomes empty, `accept` would use all of it.
        let mut last = pin!(unconstrained(self.last(&listener)));
        let mut over = false;
        let mut left = listener.most_left();
        let mut back_off = BACK_OFF;
        loop {
            let accepted = poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                // ORDER: accept first: only when no connection is ready is the kernel told to begin no more.
                if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                    return Poll::Ready(Some(accepted));
                }
                over = over || last.as_mut().poll(cx).is_ready();
                if over {
                    return Poll::Ready(listener.accept_rest().transpose());
                }
                Poll::Pending
            });
            let Some(accepted) = accepted.await else {
                return;
            };
            if over {
                left -= 1;
                if left.is_multiple_of(AT_ONCE) {
                    yield_now().await;
                }
            }
            match accepted {
                Ok(halves) => {
                    back_off = BACK_OFF;
                    // ORDER: accept first, then wait for a slot: a worker that took a slot before accepting could hold
                    // the last one while the connection waits at another worker's listener.
                    let permit = self.permit().await;
                    match &tls {
                        None => self.serve(halves, permit),
                        Some(tls) => self.shake_hands(tls.clone(), halves, permit).await,
                    }
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, wait = ?back_off, "cannot accept connections");
                    tokio::time::sleep(back_off).await;
                    back_off = (back_off * 2).min(BACK_OFF_MOST);
                }
            }
        }
    }

    /// Waits for a slot. In a drain it does not wait: the slots may be held for any time by upgraded connections, and
    /// the connections in the backlog are served beside them.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let slots = self.slots.clone();
        if let Ok(permit) = slots.clone().try_acquire_owned() {
            return Some(permit);
        }
        tokio::select! {
            biased;
            permit = slots.acquire_owned() => permit.ok(),
            () = drained(self.leaving.subscribe()) => None,
        }
    }

    /// Resolves when the server is being drained, and every connection whose handshake was in progress has had time to
    /// arrive.
    async fn last(&self, listener: &Listener) {
        drained(self.leaving.subscribe()).await;
        tokio::time::sleep(listener.begin_no_more()).await;
    }

    /// Starts the TLS handshake of a connection in a task, and serves it afterwards. Waits only for a free handshake
    /// seat.
    async fn shake_hands(
        self: &Rc<Self>,
        tls: Acceptor,
        halves: Halves,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let Some(seat) = self.handshakes.seat().await else {
            return;
        };
        let tracked = self.tracker.token();
        let shared = self.clone();
        self.handshakes.spawn(async move {
            let patience = shared.options.borrow().timeouts.handshake;
            let peer = halves.peer;
            let handshake = shared.handshakes.within(patience, tls.accept(halves));
            let done = tokio::select! {
                biased;
                done = handshake => Some(done),
                () = outstayed(shared.leaving.subscribe()) => None,
            };
            drop(seat);
            match done {
                Some(Ok(halves)) => shared.serve(halves, permit),
                Some(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
                None => tracing::debug!(%peer, "a TLS handshake was too slow for a drain"),
            }
            drop(tracked);
        });
    }

    fn serve(&self, halves: Halves, permit: Option<OwnedSemaphorePermit>) {
        let stake = self.ceiling.clone().map(Stake::new);
        let holding = stake.as_ref().map(Stake::holding);
        let (id, seat) = self.registry.enter(holding, self.tracker.token());
        let tenure = Tenure {
            _seat: Some(seat),
            stake,
            permit,
        };
        let factory = self.factory.borrow();
        let options = self.options.borrow().clone();
        // If the factory panics, only this connection is lost.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            session::open(halves, options, tenure, |session| {
                let weak = session.downgrade();
                (factory.make(session), weak)
            })
        }));
        if let Ok(session) = opened {
            if let Some(retire) = *self.leaving.borrow()
                && let Some(session) = session.upgrade()
            {
                self.part(&session, retire);
            }
            self.registry.name(id, session);
        } else {
            tracing::error!("the handler factory panicked");
        }
    }
}

impl Worker {
    pub(super) fn registry(&self) -> &Registry {
        &self.shared.registry
    }
}

/// Drops what was replaced. That may panic, for example because of a poisoned lock, and the worker must go on.
fn discard<T>(replaced: T) {
    if catch_unwind(AssertUnwindSafe(|| drop(replaced))).is_err() {
        tracing::error!("a handler factory or a logger panicked when it was dropped");
    }
}

/// Whether an error of `accept` concerns only the connection that was not made.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | WouldBlock
    )
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        for Share { socket, tls } in std::mem::take(&mut self.listeners) {
            match Listener::new(socket, self.shared.tcp) {
                Ok(listener) => {
                    let accepting = self.shared.clone().accept(listener, tls);
                    let accepting = self.shared.tracker.track_future(accepting);
                    self.loops.push(actix_rt::spawn(accepting).abort_handle());
                }
                Err(error) => tracing::error!(%error, "a worker cannot listen"),
            }
        }
    }
}

/// Stop accepting, cut every session, and answer when they have ended (P111).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Stop;

impl Handler<Stop> for Worker {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        for accepting in self.loops.drain(..) {
            accepting.abort();
        }
        self.shared.handshakes.abort_all();
        for session in self.shared.registry.sessions() {
            session.do_send(CutOff);
        }
        self.shared.tracker.close();
        let tracker = self.shared.tracker.clone();
        Box::pin(async move { drop(timeout(CUT, tracker.wait()).await) })
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct UseFactory(pub(super) BoxFactory);

impl Handler<UseFactory> for Worker {
    type Result = ();

    fn handle(&mut self, UseFactory(factory): UseFactory, _: &mut Self::Context) {
        discard(self.shared.factory.replace(factory));
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct UseLogger(pub(super) Option<Arc<dyn Logger>>);

impl Handler<UseLogger> for Worker {
    type Result = ();

    fn handle(&mut self, UseLogger(logger): UseLogger, _: &mut Self::Context) {
        let mut options = self.shared.options.borrow_mut();
        discard(std::mem::replace(
            &mut Arc::make_mut(&mut options).logger,
            logger,
        ));
    }
}

#[derive(Message)]
#[rtype(result = "Vec<Addr<HttpSession>>")]
pub(super) struct List;

impl Handler<List> for Worker {
    type Result = Vec<Addr<HttpSession>>;

    fn handle(&mut self, _: List, _: &mut Self::Context) -> Self::Result {
        self.shared.registry.sessions()
    }
}
