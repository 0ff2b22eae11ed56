//! One arbiter's share of a server: it accepts connections and makes sessions of them. How it is drained is in
//! `retire.rs`.

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

use super::factory::BoxFactory;
use super::listener::{Listener, Share, Tcp};
use super::registry::Registry;
use crate::session::{Ceiling, CutOff, HttpSession, Left, Logger, SessionOptions, Stake, Tenure};
use crate::transport::{Acceptor, Halves};
pub(super) use retire::Retire;
use retire::{drained, outstayed};

/// How long to wait after `accept` failed for want of something, at first and at most.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MOST: Duration = Duration::from_secs(1);

/// How many connections are taken from the backlog before others have their turn.
const AT_ONCE: u32 = 64;

/// How long the sessions may take to end when they are cut. What then remains waits for nothing but a peer that got a
/// last answer and does not leave.
const CUT: Duration = Duration::from_millis(100);

/// How many TLS handshakes go on at once: they cost much, and nothing is known of their peers.
const HANDSHAKES: usize = 256;

pub(super) struct Worker {
    listeners: Vec<Share>,
    loops: Vec<AbortHandle>,
    shared: Rc<Shared>,
    /// Tells the server when this worker is gone.
    _life: TaskTrackerToken,
}

/// What the accept loops of a worker share.
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
    /// How sessions that were asked to leave have left.
    parting: RefCell<JoinSet<Left>>,
    /// Everything that must be over before the worker is: accept loops, handshakes, connections.
    tracker: TaskTracker,
}

/// The TLS handshakes that go on.
struct Handshakes {
    seats: Arc<Semaphore>,
    tasks: RefCell<JoinSet<()>>,
}

impl Worker {
    pub(super) fn new(
        listeners: Vec<Share>,
        factory: BoxFactory,
        options: SessionOptions,
        tcp: Tcp,
        slots: Arc<Semaphore>,
        ceiling: Option<Arc<Ceiling>>,
        life: TaskTrackerToken,
    ) -> Self {
        let shared = Shared {
            factory: RefCell::new(factory),
            options: RefCell::new(Arc::new(options)),
            tcp,
            slots,
            handshakes: Handshakes {
                seats: Arc::new(Semaphore::new(HANDSHAKES)),
                tasks: RefCell::default(),
            },
            registry: Rc::default(),
            ceiling,
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
    /// Accepts until the server is drained, and then what is in the backlog. Nothing that `accept` returns ends it.
    async fn accept(self: Rc<Self>, listener: Listener, tls: Option<Acceptor>) {
        // Without a budget: while the backlog never empties, `accept` takes all of it.
        let mut last = pin!(unconstrained(self.last(&listener)));
        let mut over = false;
        let mut left = listener.most_left();
        let mut back_off = BACK_OFF;
        loop {
            let accepted = poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                // ORDER: a connection first: the kernel is told to begin no more when it seems to have none.
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
                    // ORDER: accept first and wait then: a worker that waited for a slot before it accepted could hold
                    // the last one while the connection is at another worker's listener.
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

    /// Waits for a slot. In a drain nobody waits: what stands in the backlog is served beside connections that may keep
    /// theirs for as long as they like, because they are upgraded.
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

    /// Ends when the server is being drained, and every connection that the kernel has begun had its time to get here.
    async fn last(&self, listener: &Listener) {
        drained(self.leaving.subscribe()).await;
        tokio::time::sleep(listener.begin_no_more()).await;
    }

    /// Serves a connection when its TLS handshake is done, without holding up others. It waits for a seat only.
    async fn shake_hands(
        self: &Rc<Self>,
        tls: Acceptor,
        halves: Halves,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let Ok(seat) = self.handshakes.seats.clone().acquire_owned().await else {
            return;
        };
        let tracked = self.tracker.token();
        let shared = self.clone();
        let mut tasks = self.handshakes.tasks.borrow_mut();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_local(async move {
            let patience = shared.options.borrow().timeouts.handshake;
            let peer = halves.peer;
            let handshake = tls.accept(halves);
            let handshake = async {
                match patience {
                    Some(patience) => tokio::time::timeout(patience, handshake)
                        .await
                        .unwrap_or_else(|elapsed| Err(elapsed.into())),
                    None => handshake.await,
                }
            };
            let done = tokio::select! {
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
        // A factory that panics costs the one connection.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            HttpSession::open(halves, options, tenure, |session| {
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

/// Whether an error of `accept` belongs to the one connection that was not made.
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
        self.shared.handshakes.tasks.borrow_mut().abort_all();
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
        self.shared.factory.replace(factory);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct UseLogger(pub(super) Option<Arc<dyn Logger>>);

impl Handler<UseLogger> for Worker {
    type Result = ();

    fn handle(&mut self, UseLogger(logger): UseLogger, _: &mut Self::Context) {
        let mut options = self.shared.options.borrow_mut();
        Arc::make_mut(&mut options).logger = logger;
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
