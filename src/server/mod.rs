//! A server: listeners, workers, and the sessions on them. Floor 4.

mod actor;
mod bind;
mod drain;
mod error_response;
mod factory;
mod function;
mod listener;
mod notify;
mod receiver;
mod registry;
mod request;
mod response;
mod running;
mod service;
mod shed;
mod signals;
mod socket_file;
#[cfg(feature = "tower")]
mod tower;
mod worker;

use std::fmt;
use std::io;
use std::net::ToSocketAddrs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use actix::{Addr, Recipient};

use crate::session::{
    Buffers, HalfClose, HandlerFactory, HttpHandler, HttpSession, Logger, SessionOptions, Timeouts,
};
use crate::transport::{Acceptor, Tap};
use crate::wire::{Leniency, Limits};

pub use actor::{LocalAddrs, ServerActor, Sessions, SetHandler, SetLogger};
use bind::Socket;
pub use drain::{Cut, Drain, DrainReport};
pub use error_response::ErrorResponse;
use factory::BoxFactory;
pub use function::{FromRequest, handler_fn};
pub use notify::ServerNotify;
pub use request::HttpRequest;
pub use response::IntoResponse;
pub use running::Running;
pub use service::Service;
#[cfg(feature = "tower")]
pub use tower::tower_handler;

/// Serves HTTP on one or more addresses, each connection by an [`HttpSession`] with a handler of its own.
///
/// 1. Say who answers: [`new`](Self::new) takes what [`handler_fn`] makes of an async function, or a closure that makes
///    an [`HttpHandler`] for each connection; [`to_actor`](Self::to_actor) takes an actor.
/// 2. Say where to listen: [`bind`](Self::bind), `bind_rustls` for HTTPS, [`bind_uds`](Self::bind_uds).
/// 3. Await [`run`](Self::run). It ends after SIGTERM or SIGINT, when the requests in progress are answered.
///
/// Every worker is an arbiter with its own listener on the same address, so a connection lives on one thread from
/// `accept` on.
///
/// ```no_run
/// use http_actors::{HttpServer, Payload, StatusCode, handler_fn};
///
/// #[actix::main]
/// async fn main() -> std::io::Result<()> {
///     let hello = handler_fn(async |request: Payload| {
///         Payload::response(StatusCode::OK).body(format!("Hello, {}!\n", request.path()))
///     });
///     HttpServer::new(hello).bind("127.0.0.1:8080")?.run().await
/// }
/// ```
///
/// With a handler for each connection:
///
/// ```no_run
/// use http_actors::{HttpHandler, HttpServer, Payload, SessionContext, StatusCode};
///
/// struct Hello;
///
/// impl HttpHandler for Hello {
///     fn apply(&mut self, _request: Payload, session: &mut SessionContext) {
///         session.respond(Payload::response(StatusCode::OK).body("Hello, World!"));
///     }
/// }
///
/// #[actix::main]
/// async fn main() -> std::io::Result<()> {
///     HttpServer::new(|_session| Hello).bind("127.0.0.1:8080")?.run().await
/// }
/// ```
#[must_use = "a server does nothing until it runs"]
pub struct HttpServer {
    factory: BoxFactory,
    bindings: Vec<Binding>,
    settings: Settings,
    options: SessionOptions,
    /// Options that were set one by one. They take precedence over `options`, in any order.
    edits: Vec<Edit>,
    notify: Option<Box<dyn ServerNotify>>,
}

type Edit = Box<dyn FnOnce(&mut SessionOptions) + Send>;

/// A socket to listen on, and the TLS acceptor for its connections.
#[derive(Debug)]
struct Binding {
    socket: Socket,
    tls: Option<Acceptor>,
}

/// Settings of the server, as opposed to those of a session.
#[derive(Debug, Clone)]
struct Settings {
    workers: usize,
    max_connections: usize,
    backlog: i32,
    nodelay: bool,
    share_port: bool,
    signals: bool,
    drain: Drain,
    memory: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            max_connections: bind::connections(bind::descriptor_limit()),
            backlog: 1024,
            nodelay: true,
            share_port: false,
            signals: true,
            drain: Drain::default(),
            memory: None,
        }
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("bindings", &self.bindings)
            .field("settings", &self.settings)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl HttpServer {
    /// Makes a server whose handlers are made by a closure, one for each connection: `|_session| MyHandler`. What
    /// [`handler_fn`] returns is such a closure. For other factories there is
    /// [`with_factory`](Self::with_factory).
    pub fn new<F, H>(factory: F) -> Self
    where
        F: Fn(Addr<HttpSession>) -> H + Send + Clone + 'static,
        H: HttpHandler,
    {
        Self::with_factory(factory)
    }

    /// Makes a server whose handlers are made by a factory.
    pub fn with_factory<F: HandlerFactory + Send + Clone + 'static>(factory: F) -> Self {
        Self {
            factory: BoxFactory::new(factory),
            bindings: Vec::new(),
            settings: Settings::default(),
            options: SessionOptions::default(),
            edits: Vec::new(),
            notify: None,
        }
    }

    /// Makes a server whose requests go to an actor, as [`HttpRequest`] messages with their bodies collected.
    ///
    /// See [`Service::streaming`] for bodies that are passed on while they arrive.
    pub fn to_actor(recipient: Recipient<HttpRequest>) -> Self {
        Self::with_factory(Service::new(recipient))
    }

    // Where to listen.

    /// Listens on every address that this resolves to. Port 0 picks a free port; [`LocalAddrs`] tells which.
    ///
    /// An IPv6 address is for IPv6 alone: for both families bind `0.0.0.0` and `[::]`.
    ///
    /// # Errors
    /// If an address cannot be resolved or bound; `AddrInUse` also when another process listens there. The text names
    /// the address.
    pub fn bind(self, address: impl ToSocketAddrs) -> io::Result<Self> {
        self.bind_with(address, None)
    }

    /// Like [`bind`](Self::bind), for HTTPS.
    ///
    /// If the configuration names no protocol, `http/1.1` and `http/1.0` are offered by ALPN. A client that agrees on
    /// another protocol is not served. See [`Timeouts::handshake`].
    ///
    /// # Errors
    /// Those of [`bind`](Self::bind).
    #[cfg(feature = "rustls-no-provider")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    pub fn bind_rustls(
        self,
        address: impl ToSocketAddrs,
        config: Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        self.bind_with(address, Some(&Acceptor::new(config)))
    }

    fn bind_with(
        mut self,
        address: impl ToSocketAddrs,
        tls: Option<&Acceptor>,
    ) -> io::Result<Self> {
        let mut bound = Vec::new();
        let unresolved = |error: io::Error| {
            let text = format!("cannot resolve the address to listen on, HOST:PORT: {error}");
            io::Error::new(error.kind(), text)
        };
        for address in address.to_socket_addrs().map_err(unresolved)? {
            // A resolver may name an address twice, for example if a hosts file does.
            if address.port() != 0 && bound.contains(&address) {
                continue;
            }
            let socket = Socket::bind(address, self.settings.share_port)?;
            self = self.on(socket, tls.cloned());
            bound.push(address);
        }
        if bound.is_empty() {
            let text = "the name to listen on resolves to no address";
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        }
        Ok(self)
    }

    /// Listens on a socket that is listening already, for example one passed by the service manager.
    ///
    /// Another process may accept from it at the same time, or go on when this one ends. [`backlog`](Self::backlog)
    /// does not change it.
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub fn listen(self, listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(self.on(Socket::given(listener)?, None))
    }

    /// Like [`listen`](Self::listen), for HTTPS; the configuration is that of [`bind_rustls`](Self::bind_rustls).
    ///
    /// # Errors
    /// Those of [`listen`](Self::listen).
    #[cfg(feature = "rustls-no-provider")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    pub fn listen_rustls(
        self,
        listener: std::net::TcpListener,
        config: Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        Ok(self.on(Socket::given(listener)?, Some(Acceptor::new(config))))
    }

    /// Like [`listen`](Self::listen), on a Unix socket. Its file stays where it is when the server ends.
    ///
    /// # Errors
    /// Those of [`listen`](Self::listen).
    pub fn listen_uds(self, listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Ok(self.on(Socket::given_unix(listener)?, None))
    }

    /// Listens on a Unix socket.
    ///
    /// Its file is removed when the server ends. A file that an earlier server left behind is replaced; servers that
    /// begin at the same time take turns, by a lock (`flock`) on the folder. The permissions of the file and of its
    /// folder decide which processes may connect.
    ///
    /// # Errors
    /// `AddrInUse` if something listens there, or if the file is not a socket; `InvalidInput` if the path is empty or
    /// too long; otherwise the reason why the file cannot be made.
    pub fn bind_uds(self, path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(self.on(Socket::unix(path.as_ref())?, None))
    }

    fn on(mut self, socket: Socket, tls: Option<Acceptor>) -> Self {
        self.bindings.push(Binding { socket, tls });
        self
    }

    // The server.

    /// Number of workers, each an arbiter: as many as there are cores. At least one.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers.max(1);
        self
    }

    /// Connections that are served at once, in the whole process: 25,000, or 64 less than the descriptor limit if that
    /// is less, or half of a limit below 128. Beyond that connections wait, one accepted for each listener of each
    /// worker and the others in the backlog.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = connections.max(1);
        self
    }

    /// Connections that the kernel keeps until they are accepted: 1024.
    pub fn backlog(mut self, connections: u16) -> Self {
        self.settings.backlog = i32::from(connections);
        self
    }

    /// Whether small writes leave at once (`TCP_NODELAY`): true.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.settings.nodelay = nodelay;
        self
    }

    /// Lets other processes of the same user listen on the same port, for rolling restarts: false. Call it before
    /// `bind`.
    ///
    /// If it is false, a port that is taken is refused: by `bind`, or by [`run`](Self::run) if the other process had
    /// bound the port and not yet listened. The workers of a server share its port by the same socket option. So if
    /// there are several workers, a process of the same user that asks to share gets in all the same: the kernel knows
    /// no other way.
    ///
    /// Each process has its own backlog. A process that drains accepts what is in its backlog. If a process is killed,
    /// its backlog is reset, unless Linux is told to pass it on (`net.ipv4.tcp_migrate_req`).
    pub fn share_port(mut self, share: bool) -> Self {
        self.settings.share_port = share;
        self
    }

    /// Whether SIGINT and SIGTERM end the server: true. The first drains it, a second one cuts what is left.
    ///
    /// The signals do not end the process, neither while the server runs nor afterwards: once a program watches a
    /// signal, it does so for good. What happens after the server has ended is up to your program.
    pub fn signals(mut self, signals: bool) -> Self {
        self.settings.signals = signals;
        self
    }

    /// Bytes that all sessions together may hold for sockets and handlers that do not take them: no limit.
    ///
    /// Beyond it the session that holds most is cut, with [`CancelCause::Memory`](crate::error::CancelCause::Memory),
    /// then the next, until the rest fits. What has come of a request that is not complete is counted. Bodies that are
    /// being collected, and what waits in an [`Incoming`](crate::Incoming), are counted while their exchange goes on.
    /// The bounds of each session still apply. What the application itself keeps, what waits in a mailbox, and what TLS
    /// keeps (13 kB when idle, 90 kB when output is not read) is not counted.
    ///
    /// It does not slow anybody down: the clients of the sessions that are cut see a reset. So set it well above what
    /// connections that are busy at the same time need, more than 128 KiB for each upload that is faster than its
    /// reader, and limit their number by [`max_connections`](Self::max_connections).
    pub fn memory_ceiling(mut self, bytes: usize) -> Self {
        self.settings.memory = Some(bytes);
        self
    }

    /// How a signal drains the server: connections without a request stay for 500 ms, exchanges have 30 s.
    pub fn drain(mut self, drain: Drain) -> Self {
        self.settings.drain = drain;
        self
    }

    /// The receiver of notifications about the life of the server.
    pub fn notify(mut self, notify: impl ServerNotify) -> Self {
        self.notify = Some(Box::new(notify));
        self
    }

    // Its sessions.

    /// All options of the sessions at once. What one of the methods below sets takes precedence, in any order.
    pub fn options(mut self, options: SessionOptions) -> Self {
        self.options = options;
        self
    }

    fn edit(mut self, edit: impl FnOnce(&mut SessionOptions) + Send + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    /// Bounds on what clients send.
    pub fn limits(self, limits: Limits) -> Self {
        self.edit(move |options| options.limits = limits)
    }

    /// Deviations from the RFC that are tolerated.
    pub fn leniency(self, leniency: Leniency) -> Self {
        self.edit(move |options| options.leniency = leniency)
    }

    /// How long clients may take.
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.edit(move |options| options.timeouts = timeouts)
    }

    /// What happens when a client closes its sending side while an answer is owed.
    pub fn half_close(self, half_close: HalfClose) -> Self {
        self.edit(move |options| options.half_close = half_close)
    }

    /// How much may wait in a session.
    pub fn buffers(self, buffers: Buffers) -> Self {
        self.edit(move |options| options.buffers = buffers)
    }

    /// The logger, which gets each exchange when it is over, and each request that was refused before it became one.
    pub fn logger(self, logger: impl Logger) -> Self {
        self.edit(move |options| options.logger = Some(Arc::new(logger)))
    }

    /// The tap, which sees the bytes of every connection, secrets included: for debugging. None by default.
    pub fn tap(self, tap: impl Tap) -> Self {
        self.edit(move |options| options.tap = Some(Arc::new(tap)))
    }

    // Running.

    /// Starts to serve. The returned future ends when the server does: by a signal, or by a [`Drain`] or
    /// a [`Dispose`](crate::message::Dispose) sent to its [`handle`](Running::handle).
    ///
    /// # Panics
    /// Outside of an actix system.
    pub fn run(self) -> Running {
        assert!(
            actix::System::try_current().is_some(),
            "an `HttpServer` runs inside of an actix system: in `#[actix::main]`, not in `#[tokio::main]`"
        );
        Running::start(self)
    }
}
