//! One arbiter's share of a server: it accepts connections and makes sessions of them.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::TcpListener as StdListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, Addr, AsyncContext as _, Context, Handler, Message, ResponseFuture, SpawnHandle,
    WrapFuture as _,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use super::factory::BoxFactory;
use super::registry::{Guard, Registry};
use crate::session::{Dispose, HttpSession, Logger, SessionOptions, Tenure};

/// How long to wait after `accept` failed for want of something, at first and at most.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MOST: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub(super) struct Tcp {
    pub(super) nodelay: bool,
    pub(super) keepalive: Option<Duration>,
}

pub(super) struct Worker {
    listeners: Vec<StdListener>,
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
    registry: Rc<Registry>,
    next: Cell<u64>,
    alive: RefCell<Option<mpsc::Sender<()>>>,
}

impl Worker {
    pub(super) fn new(
        listeners: Vec<StdListener>,
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
    async fn accept(self: Rc<Self>, listener: TcpListener) {
        let mut back_off = BACK_OFF;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    back_off = BACK_OFF;
                    // ORDER: accepted first and then made to wait: a worker that waited for a slot before it accepted
                    // could hold the last one while the connection stands at another's listener.
                    let Ok(permit) = self.slots.clone().acquire_owned().await else {
                        return;
                    };
                    self.serve(stream, permit);
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

    fn serve(&self, stream: TcpStream, permit: tokio::sync::OwnedSemaphorePermit) {
        let Some(alive) = self.alive.borrow().clone() else {
            return;
        };
        if let Err(error) = self.tcp.apply(&stream) {
            // The peer is gone already; the session will find that out.
            tracing::debug!(%error, "socket options could not be set");
        }
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
            HttpSession::open(stream, options, tenure, |session| factory.make(session))
        }));
        if let Ok(session) = opened {
            self.registry.insert(id, &session);
        } else {
            tracing::error!("the handler factory panicked");
        }
    }
}

impl Tcp {
    fn apply(self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(self.nodelay)?;
        if let Some(after) = self.keepalive {
            SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(after))?;
        }
        Ok(())
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
        for listener in std::mem::take(&mut self.listeners) {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    let accepting = self.shared.clone().accept(listener).into_actor(self);
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
