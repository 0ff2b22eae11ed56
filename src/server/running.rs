//! A server that was started.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix::{Actor as _, Addr, Arbiter};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::actor::{Ending, ServerActor};
use super::listener::{Share, Tcp};
use super::shed;
use super::signals::Signals;
use super::socket_file::SocketFile;
use super::worker::{Common, Worker};
use super::{Binding, HttpServer, Settings};
use crate::session::Dispose;

/// A running server: a future that ends when the server does.
///
/// Dropping it does not stop the server, whose threads keep running until it ends.
#[must_use = "await it, or the program may end before the server"]
#[derive(Debug)]
pub struct Running {
    handle: Addr<ServerActor>,
    addresses: Vec<SocketAddr>,
    ended: oneshot::Receiver<()>,
    failure: Option<io::Error>,
}

impl Running {
    pub(super) fn start(server: HttpServer) -> Self {
        let HttpServer {
            factory,
            bindings,
            settings,
            mut options,
            edits,
            mut notify,
        } = server;
        for edit in edits {
            edit(&mut options);
        }
        let tcp = Tcp {
            nodelay: settings.nodelay,
            patience: options.timeouts.patience(),
        };
        let common = Common::new(factory, options, tcp, &settings);
        let alive = TaskTracker::new();
        alive.close();
        let started = prepare(bindings, &settings, tcp)
            .and_then(|prepared| start_workers(prepared, &common, &alive));
        let (started, failure) = match started {
            Ok(started) => (started, None),
            Err(error) => {
                if let Some(mut notify) = notify.take() {
                    notify.not_listening(&error);
                }
                (Started::default(), Some(error))
            }
        };
        let Started {
            addresses,
            files,
            arbiters,
            workers,
        } = started;
        let (end, ended) = oneshot::channel();
        let signals = (settings.signals && failure.is_none()).then(Signals::watch);
        let ceiling = common.ceiling;
        let keeper = ceiling.map(|ceiling| shed::keep(ceiling, workers.clone()));
        let handle = ServerActor {
            workers,
            arbiters,
            alive,
            addresses: addresses.clone(),
            files,
            notify,
            ended: Some(end),
            draining: Vec::new(),
            keeper: keeper.map(|keeper| Box::pin(keeper) as _),
            signals: signals.flatten().map(|signals| (signals, settings.drain)),
            report: None,
            ending: Ending::Running,
        }
        .start();
        Self {
            handle,
            addresses,
            ended,
            failure,
        }
    }

    /// The address of the server actor.
    pub fn handle(&self) -> Addr<ServerActor> {
        self.handle.clone()
    }

    /// The TCP addresses on which the server listens, in the order of `bind`.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Future for Running {
    /// `Ok` when the server was stopped; an error if it could not start.
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(error) = self.failure.take() {
            self.handle.do_send(Dispose);
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.ended).poll(cx).map(|_| Ok(()))
    }
}

/// What runs. Nothing, if the server could not start.
#[derive(Default)]
struct Started {
    addresses: Vec<SocketAddr>,
    files: Vec<SocketFile>,
    arbiters: Vec<Arbiter>,
    workers: Vec<Addr<Worker>>,
}

/// Starts a worker for each list of sockets, each on its own arbiter. The tracker is done when the last one has ended.
fn start_workers(prepared: Prepared, common: &Common, alive: &TaskTracker) -> io::Result<Started> {
    let mut started = Started {
        addresses: prepared.addresses,
        files: prepared.files,
        ..Started::default()
    };
    for listeners in prepared.shares {
        // It panics if it gets no thread, or no descriptors.
        let Ok(arbiter) = catch_unwind(Arbiter::new) else {
            for arbiter in started.arbiters {
                arbiter.stop();
            }
            let text = "cannot start a worker: threads or descriptors have run out";
            return Err(io::Error::other(text));
        };
        let (common, life) = (common.clone(), alive.token());
        let worker = Worker::start_in_arbiter(&arbiter.handle(), move |_| {
            Worker::new(listeners, common, life)
        });
        started.arbiters.push(arbiter);
        started.workers.push(worker);
    }
    Ok(started)
}

/// The listening sockets of a server.
struct Prepared {
    addresses: Vec<SocketAddr>,
    files: Vec<SocketFile>,
    /// The sockets that each worker accepts from.
    shares: Vec<Vec<Share>>,
}

/// Starts to listen.
fn prepare(bindings: Vec<Binding>, settings: &Settings, tcp: Tcp) -> io::Result<Prepared> {
    if bindings.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the server has no address: call `bind` before `run`",
        ));
    }
    let mut prepared = Prepared {
        addresses: Vec::new(),
        files: Vec::new(),
        shares: std::iter::repeat_with(Vec::new)
            .take(settings.workers)
            .collect(),
    };
    for Binding { socket, tls } in bindings {
        prepared.addresses.extend(socket.address()?);
        let (listeners, file) = socket.listen(settings.workers, settings.backlog, tcp)?;
        prepared.files.extend(file);
        for (share, socket) in prepared.shares.iter_mut().zip(listeners) {
            let tls = tls.clone();
            share.push(Share { socket, tls });
        }
    }
    Ok(prepared)
}
