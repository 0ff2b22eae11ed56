//! One arbiter's share of a server: it accepts connections and makes sessions of them.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, Addr, AsyncContext as _, Context, Handler, Message, ResponseFuture, SpawnHandle,
    WrapFuture as _,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::factory::BoxFactory;
use super::listener::{Listener, Share, Tcp};
use super::registry::{Guard, Registry};
use crate::session::{Dispose, HttpSession, Logger, SessionOptions, Tenure};
use crate::transport::{Acceptor, Halves};

/// How long to wait after `accept` failed for want of something, at first and at most.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MOST: Duration = Duration::from_secs(1);

/// How many TLS handshakes go on at once: what they cost is spent on peers that nothing is known of.
const HANDSHAKES: usize = 256;

pub(super) struct Worker {
    listeners: Vec<Share>,
    loops: Vec<SpawnHandle>,
    shared: Rc<Shared>,
    /// Yields its end when no connection is left.
    gone: Option<mpsc::Receiver<()>>,
}

/// What the accept loops of a worker work with.
struct Shared {
    factory: RefCell<BoxFactory>,
    options: RefCell<Arc<SessionOptions>>,
    tcp: Tcp,
    slots: Arc<Semaphore>,
    handshakes: Handshakes,
    registry: Rc<Registry>,
    next: Cell<u64>,
    alive: RefCell<Option<mpsc::Sender<()>>>,
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
    ) -> Self {
        let (alive, gone) = mpsc::channel(1);
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
            next: Cell::new(0),
            alive: RefCell::new(Some(alive)),
        };
        Self {
            listeners,
            loops: Vec::new(),
            shared: Rc::new(shared),
            gone: Some(gone),
        }
    }
}

impl Shared {
    /// Accepts for ever. Nothing that `accept` returns ends it.
    async fn accept(self: Rc<Self>, listener: Listener, tls: Option<Acceptor>) {
        let mut back_off = BACK_OFF;
        loop {
            match listener.accept(self.tcp).await {
                Ok(halves) => {
                    back_off = BACK_OFF;
                    // ORDER: accepted first and then made to wait: a worker that waited for a slot before it accepted
                    // could hold the last one while the connection stands at another's listener.
                    let Ok(permit) = self.slots.clone().acquire_owned().await else {
                        return;
                    };
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

    /// Serves a connection when its TLS handshake is done, which others do not wait for. Waits for a seat only.
    async fn shake_hands(
        self: &Rc<Self>,
        tls: Acceptor,
        halves: Halves,
        permit: OwnedSemaphorePermit,
    ) {
        let Ok(seat) = self.handshakes.seats.clone().acquire_owned().await else {
            return;
        };
        let Some(alive) = self.alive.borrow().clone() else {
            return;
        };
        let shared = self.clone();
        let mut tasks = self.handshakes.tasks.borrow_mut();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_local(async move {
            let patience = shared.options.borrow().timeouts.handshake;
            let peer = halves.peer;
            let handshake = tls.accept(halves);
            let done = match patience {
                Some(patience) => tokio::time::timeout(patience, handshake)
                    .await
                    .unwrap_or_else(|elapsed| Err(elapsed.into())),
                None => handshake.await,
            };
            drop(seat);
            match done {
                Ok(halves) => shared.serve(halves, permit),
                Err(error) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
            }
            drop(alive);
        });
    }

    fn serve(&self, halves: Halves, permit: OwnedSemaphorePermit) {
        let Some(alive) = self.alive.borrow().clone() else {
            return;
        };
        let id = self.next.replace(self.next.get().wrapping_add(1));
        let guard = Guard {
            id,
            registry: self.registry.clone(),
            _alive: alive,
        };
        let tenure = Tenure {
            _guard: Box::new(guard),
            permit: Some(permit),
        };
        let factory = self.factory.borrow().clone();
        let options = self.options.borrow().clone();
        // A factory that panics costs the one connection.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            HttpSession::open(halves, options, tenure, |session| factory.make(session))
        }));
        if let Ok(session) = opened {
            self.registry.insert(id, &session);
        } else {
            tracing::error!("the handler factory panicked");
        }
    }
}

/// Errors of `accept` that belong to the one connection that was not made.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | WouldBlock
    )
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for Share { socket, tls } in std::mem::take(&mut self.listeners) {
            match Listener::new(socket) {
                Ok(listener) => {
                    let accepting = self.shared.clone().accept(listener, tls).into_actor(self);
                    self.loops.push(ctx.spawn(accepting));
                }
                Err(error) => tracing::error!(%error, "a worker cannot listen"),
            }
        }
    }
}

/// Accept no more, dispose every session, and answer when the last connection is closed (P111).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Stop;

impl Handler<Stop> for Worker {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) -> Self::Result {
        for accepting in self.loops.drain(..) {
            ctx.cancel_future(accepting);
        }
        self.shared.handshakes.tasks.borrow_mut().abort_all();
        for session in self.shared.registry.sessions() {
            session.do_send(Dispose);
        }
        self.shared.alive.take();
        let gone = self.gone.take();
        Box::pin(async move {
            if let Some(mut gone) = gone {
                // Nothing is ever sent: this is the end of the channel.
                let _ = gone.recv().await;
            }
        })
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
