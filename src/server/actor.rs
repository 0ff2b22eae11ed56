//! The server as an actor: the messages that it handles while it runs.

use std::iter::{repeat_n, repeat_with};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, Addr, Arbiter, AsyncContext as _, Context,
    Handler, Message, ResponseFuture, WrapFuture as _,
};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::drain::{Drain, DrainReport};
use super::factory::BoxFactory;
use super::notify::ServerNotify;
use super::signals::Signals;
use super::socket_file::SocketFile;
use super::worker::{List, Retire, Stop, UseFactory, UseLogger, Worker};
use crate::session::{Dispose, HandlerFactory, HttpSession, Logger};

/// A running server. Its address is [`Running::handle`](crate::Running::handle).
pub struct ServerActor {
    pub(super) workers: Vec<Addr<Worker>>,
    /// The arbiters of the workers.
    pub(super) arbiters: Vec<Arbiter>,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) files: Vec<SocketFile>,
    pub(super) notify: Option<Box<dyn ServerNotify>>,
    pub(super) ended: Option<oneshot::Sender<()>>,
    /// The senders that wait for the report of the current drain.
    pub(super) draining: Vec<oneshot::Sender<DrainReport>>,
    /// Tracks the workers: it is done when the last one has ended.
    pub(super) alive: TaskTracker,
    /// Enforces the memory ceiling, if there is one.
    pub(super) keeper: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// The signals that end the server, and how. Taken when they are watched.
    pub(super) signals: Option<(Signals, Drain)>,
    /// The report of the drain, when it is over.
    pub(super) report: Option<DrainReport>,
    pub(super) ending: Ending,
}

/// How far a server has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Running,
    /// The workers were asked to stop.
    Stopping,
    /// They have no connection left.
    Stopped,
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
        // The server keeps running when all its addresses are dropped, and ends when something else stops its arbiters.
        let alive = self.alive.clone();
        let gone = async move { alive.wait().await };
        ctx.spawn(gone.into_actor(self).map(|(), server, ctx| {
            server.ending = Ending::Stopped;
            server.end(ctx);
        }));
        if let Some(keeper) = self.keeper.take() {
            ctx.spawn(keeper.into_actor(self));
        }
        if let Some((signals, drain)) = self.signals.take() {
            let server = ctx.address().downgrade();
            ctx.spawn(signals.stop(server, drain).into_actor(self));
        }
        let addresses = self.addresses.clone();
        self.tell_owner(|notify| notify.listening(&addresses));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.files.clear();
        self.tell_owner(ServerNotify::closed);
        for arbiter in self.arbiters.drain(..) {
            arbiter.stop();
        }
        if let Some(ended) = self.ended.take() {
            // Nobody waits for the server if its future was dropped.
            let _ = ended.send(());
        }
    }
}

/// Asks where the server listens, in the order of `bind` (P112). Unix sockets have no such address and are left out.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<SocketAddr>")]
pub struct LocalAddrs;

impl Handler<LocalAddrs> for ServerActor {
    type Result = Vec<SocketAddr>;

    fn handle(&mut self, _: LocalAddrs, _: &mut Self::Context) -> Self::Result {
        self.addresses.clone()
    }
}

/// Changes the handler factory for connections accepted from now on (P110). Open connections keep their handlers. A
/// factory that panics when it is cloned changes nothing; the panic is logged.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetHandler(BoxFactory);

impl SetHandler {
    /// Wraps the new factory.
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
        // If the factory panics when it is cloned, or is dropped because there is no worker, the server goes on.
        let copies = || repeat_n(factory, self.workers.len()).map(UseFactory);
        if let Ok(copies) = catch_unwind(AssertUnwindSafe(|| copies().collect::<Vec<_>>())) {
            return self.tell_all(copies);
        }
        tracing::error!("a handler factory panicked when it was cloned, and is not used");
        Box::pin(async {})
    }
}

/// Changes the logger for connections accepted from now on (P110). Open connections keep theirs.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetLogger(Option<Arc<dyn Logger>>);

impl SetLogger {
    /// Wraps the new logger.
    pub fn new(logger: impl Logger) -> Self {
        Self(Some(Arc::new(logger)))
    }

    /// Stops logging.
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
        self.tell_all(repeat_with(|| UseLogger(logger.clone())))
    }
}

/// Lists the open sessions, in no order. Send [`Inspect`](crate::message::Inspect) to one to learn its state.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<Addr<HttpSession>>")]
pub struct Sessions;

impl Handler<Sessions> for ServerActor {
    type Result = ResponseFuture<Vec<Addr<HttpSession>>>;

    fn handle(&mut self, _: Sessions, _: &mut Self::Context) -> Self::Result {
        let lists = self.ask_all(repeat_with(|| List));
        Box::pin(async { lists.await.into_iter().flatten().collect() })
    }
}

impl Handler<Drain> for ServerActor {
    type Result = ResponseFuture<DrainReport>;

    fn handle(&mut self, drain: Drain, ctx: &mut Self::Context) -> Self::Result {
        if let Some(report) = self.report.clone() {
            return Box::pin(async { report });
        }
        let (sender, report) = oneshot::channel();
        self.draining.push(sender);
        self.remove_files();
        let Drain { window, deadline } = drain;
        let cut = after(deadline);
        let retired = self
            .ask_all(repeat_with(|| Retire { window, cut }))
            .into_actor(self)
            .map(Self::retired);
        ctx.spawn(retired);
        // If the arbiter of the server was stopped, the report is empty.
        Box::pin(async { report.await.unwrap_or_default() })
    }
}

impl ServerActor {
    /// All workers have drained.
    fn retired(reports: Vec<Option<DrainReport>>, server: &mut Self, ctx: &mut Context<Self>) {
        // A worker that is already draining gives no second report.
        let Some(report) = reports.into_iter().collect::<Option<Vec<_>>>() else {
            return;
        };
        let report: DrainReport = report.into_iter().sum();
        tracing::info!(
            sessions = report.sessions,
            cut = report.cut.len(),
            "drained"
        );
        for sender in server.draining.drain(..) {
            // If nobody waits any more, there is nobody to report to.
            let _ = sender.send(report.clone());
        }
        server.report = Some(report);
        ctx.notify(Dispose);
        server.end(ctx);
    }

    /// If the application's notification panics, the server goes on: its workers would end with it.
    fn tell_owner(&mut self, tell: impl FnOnce(&mut dyn ServerNotify)) {
        if let Some(notify) = &mut self.notify
            && catch_unwind(AssertUnwindSafe(|| tell(&mut **notify))).is_err()
        {
            tracing::error!("a notification about the server panicked");
        }
    }

    /// ORDER: remove the file while the listener is open: afterwards another server may bind the path, and its file may
    /// reuse the inode number.
    fn remove_files(&mut self) {
        self.files.clear();
    }

    /// Stops the actor when the workers have stopped and nobody waits for a report.
    fn end(&self, ctx: &mut Context<Self>) {
        if self.ending == Ending::Stopped && self.draining.is_empty() {
            ctx.stop();
        }
    }
}

/// This time from now. A time that would overflow `Instant` becomes a year.
fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time)
        .unwrap_or(now + Duration::from_secs(31_536_000))
}

/// Stops the server: it stops listening, every connection is cut, and its future ends (P111).
impl Handler<Dispose> for ServerActor {
    type Result = ();

    fn handle(&mut self, _: Dispose, ctx: &mut Self::Context) {
        if self.ending != Ending::Running {
            return;
        }
        self.ending = Ending::Stopping;
        self.remove_files();
        let stopped =
            self.tell_all(repeat_with(|| Stop))
                .into_actor(self)
                .map(|(), server, ctx| {
                    server.ending = Ending::Stopped;
                    server.end(ctx);
                });
        ctx.spawn(stopped);
    }
}

impl ServerActor {
    /// Sends each worker one of the messages, and resolves to their answers. A worker that has ended gives none.
    fn ask_all<M>(&self, messages: impl IntoIterator<Item = M>) -> ResponseFuture<Vec<M::Result>>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Worker: Handler<M>,
        Context<Worker>: ToEnvelope<Worker, M>,
    {
        let asked: Vec<_> = self
            .workers
            .iter()
            .zip(messages)
            .map(|(worker, message)| worker.send(message))
            .collect();
        Box::pin(async move {
            let mut answers = Vec::with_capacity(asked.len());
            for asked in asked {
                answers.extend(asked.await);
            }
            answers
        })
    }

    /// Sends each worker one of the messages, and resolves when all have handled it.
    fn tell_all<M>(&self, messages: impl IntoIterator<Item = M>) -> ResponseFuture<()>
    where
        M: Message<Result = ()> + Send + 'static,
        Worker: Handler<M>,
    {
        let told = self.ask_all(messages);
        Box::pin(async { drop(told.await) })
    }
}
