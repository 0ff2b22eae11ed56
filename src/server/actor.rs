//! The server as an actor: what it can be asked while it runs.

use std::net::SocketAddr;
use std::sync::Arc;

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler,
    Message,
};
use actix::{ResponseFuture, WrapFuture as _};
use tokio::sync::oneshot;

use super::factory::BoxFactory;
use super::notify::ServerNotify;
use super::socket_file::SocketFile;
use super::worker::{List, Stop, UseFactory, UseLogger, Worker};
use crate::session::{Dispose, HandlerFactory, HttpSession, Logger};

/// A running server. Its address is [`Running::handle`](crate::Running::handle).
pub struct ServerActor {
    pub(super) workers: Vec<Addr<Worker>>,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) files: Vec<SocketFile>,
    pub(super) notify: Option<Box<dyn ServerNotify>>,
    pub(super) ended: Option<oneshot::Sender<()>>,
    pub(super) stopping: bool,
}

impl std::fmt::Debug for ServerActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerActor")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Actor for ServerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // The server runs on when nobody keeps its address.
        ctx.spawn(std::future::pending::<()>().into_actor(self));
        if let Some(notify) = &mut self.notify {
            notify.listening(&self.addresses);
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.files.clear();
        if let Some(notify) = &mut self.notify {
            notify.closed();
        }
        if let Some(ended) = self.ended.take() {
            // Nobody may wait for the server.
            let _ = ended.send(());
        }
    }
}

/// Asks where the server listens, in the order of `bind` (P112). Unix sockets have no such address and are not among
/// them.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<SocketAddr>")]
pub struct LocalAddrs;

impl Handler<LocalAddrs> for ServerActor {
    type Result = Vec<SocketAddr>;

    fn handle(&mut self, _: LocalAddrs, _: &mut Self::Context) -> Self::Result {
        self.addresses.clone()
    }
}

/// Makes the handlers of connections accepted from now on by another factory; those that are open keep theirs (P110).
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetHandler(BoxFactory);

impl SetHandler {
    /// The new factory.
    pub fn new<F: HandlerFactory + Send + Clone + 'static>(factory: F) -> Self {
        Self(BoxFactory::new(factory))
    }
}

impl std::fmt::Debug for SetHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SetHandler")
    }
}

/// Answered when every worker has changed.
impl Handler<SetHandler> for ServerActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, SetHandler(factory): SetHandler, _: &mut Self::Context) -> Self::Result {
        self.tell_all(|| UseFactory(factory.clone()))
    }
}

/// Logs the exchanges of connections accepted from now on elsewhere; those that are open keep their logger (P110).
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetLogger(Option<Arc<dyn Logger>>);

impl SetLogger {
    /// The new logger.
    pub fn new(logger: impl Logger) -> Self {
        Self(Some(Arc::new(logger)))
    }

    /// No logger.
    pub fn none() -> Self {
        Self(None)
    }
}

impl std::fmt::Debug for SetLogger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SetLogger")
    }
}

/// Answered when every worker has changed.
impl Handler<SetLogger> for ServerActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, SetLogger(logger): SetLogger, _: &mut Self::Context) -> Self::Result {
        self.tell_all(|| UseLogger(logger.clone()))
    }
}

/// Lists the open sessions, in no order. Ask each by [`Inspect`](crate::Inspect) for its state.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<Addr<HttpSession>>")]
pub struct Sessions;

impl Handler<Sessions> for ServerActor {
    type Result = ResponseFuture<Vec<Addr<HttpSession>>>;

    fn handle(&mut self, _: Sessions, _: &mut Self::Context) -> Self::Result {
        let asked: Vec<_> = self
            .workers
            .iter()
            .map(|worker| worker.send(List))
            .collect();
        Box::pin(async move {
            let mut sessions = Vec::new();
            for asked in asked {
                // A worker that has ended has no sessions.
                sessions.extend(asked.await.unwrap_or_default());
            }
            sessions
        })
    }
}

/// Stops the server: it listens no more, every connection is cut, and its future ends (P111).
impl Handler<Dispose> for ServerActor {
    type Result = ();

    fn handle(&mut self, _: Dispose, ctx: &mut Self::Context) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        let stopped = self
            .tell_all(|| Stop)
            .into_actor(self)
            .map(|(), _, ctx| ctx.stop());
        ctx.spawn(stopped);
    }
}

impl ServerActor {
    /// Tells every worker, and ends when all have answered.
    fn tell_all<M>(&self, message: impl Fn() -> M) -> ResponseFuture<()>
    where
        M: Message<Result = ()> + Send + 'static,
        Worker: Handler<M>,
    {
        let told: Vec<_> = self
            .workers
            .iter()
            .map(|worker| worker.send(message()))
            .collect();
        Box::pin(async move {
            for told in told {
                // A worker that has ended needs to be told nothing.
                let _ = told.await;
            }
        })
    }
}
