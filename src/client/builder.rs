//! The options of a client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::{Arbiter, ArbiterHandle};

use super::pool::Pool;
use super::{HttpClient, Inner, Proxy};
use crate::session::{SessionOptions, Timeouts};
use crate::transport::{Route, Tap};
use crate::wire::Limits;

/// Idle connections of all origins: half of the descriptors that a process may usually have.
const IDLE_TOTAL: usize = 512;

/// Builds an [`HttpClient`]; see [`HttpClient::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    options: SessionOptions,
    /// What was set of the options as a group, which takes precedence.
    groups: Vec<Edit>,
    /// What was set of them one by one, which takes precedence over both.
    edits: Vec<Edit>,
    connections: usize,
    max_idle: usize,
    max_idle_total: Option<usize>,
    max_body: usize,
    timeout: Option<Duration>,
    wait: Option<Duration>,
    redirects: usize,
    proxy: Proxy,
}

type Edit = Arc<dyn Fn(&mut SessionOptions) + Send + Sync>;

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            options: SessionOptions::for_client(),
            groups: Vec::new(),
            edits: Vec::new(),
            connections: 32,
            max_idle: 32,
            max_idle_total: None,
            max_body: 16 << 20,
            timeout: None,
            wait: None,
            redirects: 0,
            proxy: Proxy::default(),
        }
    }
}

impl ClientBuilder {
    /// Limits, clocks and buffers of the sessions: [`SessionOptions::for_client`].
    ///
    /// What another method of this builder sets takes precedence, in any order.
    pub fn options(mut self, options: SessionOptions) -> Self {
        self.options = options;
        self
    }

    /// Bounds on what servers send: [`Limits::for_client`].
    ///
    /// Takes precedence over the limits in [`options`](Self::options), in any order.
    pub fn limits(self, limits: Limits) -> Self {
        self.group(move |options| options.limits = limits.clone())
    }

    /// How long servers may take with each step: [`Timeouts::for_client`]. [`timeout`](Self::timeout) limits a whole
    /// request.
    ///
    /// Start from `..Timeouts::for_client()`: what `..Timeouts::default()` sets is for a server, and cuts slow feeds.
    /// This takes precedence over the clocks in [`options`](Self::options), in any order, as do
    /// [`idle_timeout`](Self::idle_timeout) and [`connect_timeout`](Self::connect_timeout) over this.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use http_actors::{ClientBuilder, HttpClient, Timeouts};
    ///
    /// fn hasty() -> ClientBuilder {
    ///     let timeouts = Timeouts { response: Some(Duration::from_secs(5)), ..Timeouts::for_client() };
    ///     HttpClient::builder().timeouts(timeouts)
    /// }
    /// # let _ = hasty;
    /// ```
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.group(move |options| options.timeouts = timeouts)
    }

    /// How every connection is opened: to one address or Unix socket, or by a function of your own. By default to the
    /// addresses of the host. [`tls`](Self::tls) adds to it, in any order.
    pub fn route(self, route: Route) -> Self {
        self.group(move |options| options.route = route.clone())
    }

    fn group(mut self, edit: impl Fn(&mut SessionOptions) + Send + Sync + 'static) -> Self {
        self.groups.push(Arc::new(edit));
        self
    }

    fn edit(mut self, edit: impl Fn(&mut SessionOptions) + Send + Sync + 'static) -> Self {
        self.edits.push(Arc::new(edit));
        self
    }

    /// Connections to one origin at once: 32, and at least 1. Beyond that requests wait for their turn, first in, first
    /// out, without a limit on how many; [`wait_timeout`](Self::wait_timeout) limits how long. When requests begin to
    /// wait, there is a `tracing` event at `WARN`, and the next one after the queue was empty again. What
    /// [`upgrade`](HttpClient::upgrade) has switched to another protocol is not counted any more.
    pub fn connections_per_origin(mut self, connections: usize) -> Self {
        self.connections = connections.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// Idle connections that are kept for one origin: 32. [`max_idle_total`](Self::max_idle_total) limits those of all.
    pub fn max_idle(mut self, connections: usize) -> Self {
        self.max_idle = connections;
        self
    }

    /// Idle connections that are kept for all origins together: 512, or [`max_idle`](Self::max_idle) if that is more.
    /// For one more, the connection that has been idle for the longest time closes. So a client of thousands of servers
    /// does not hold a descriptor for each until [`idle_timeout`](Self::idle_timeout). `usize::MAX` is no limit.
    pub fn max_idle_total(mut self, connections: usize) -> Self {
        self.max_idle_total = Some(connections);
        self
    }

    /// How long an idle connection is kept: 60 s. `None` keeps it until the server closes it.
    pub fn idle_timeout(self, idle: impl Into<Option<Duration>>) -> Self {
        let idle = idle.into();
        self.edit(move |options| options.timeouts.idle = idle)
    }

    /// Time to open a connection, the tunnel through a proxy and the TLS handshake included: 10 s.
    pub fn connect_timeout(self, time: impl Into<Option<Duration>>) -> Self {
        let time = time.into();
        self.edit(move |options| options.timeouts.connect = time)
    }

    /// Time to wait for a connection, while all [`connections_per_origin`](Self::connections_per_origin) are in use:
    /// none. Then the request fails with [`ClientErrorKind::Busy`](super::ClientErrorKind::Busy): nothing of it was
    /// sent, and nothing was taken from the stream of an upload. With zero, a request beyond them fails at once. Each
    /// redirect that is followed, and the second try, waits anew. It is part of the time of
    /// [`timeout`](Self::timeout).
    pub fn wait_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.wait = time.into();
        self
    }

    /// A TLS configuration of your own for `https`: see [`Route::tls`](crate::Route::tls).
    #[cfg(feature = "rustls-no-provider")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    pub fn tls(self, config: Arc<rustls::ClientConfig>) -> Self {
        self.edit(move |options| {
            options.route = std::mem::take(&mut options.route).tls(config.clone());
        })
    }

    /// Bytes of a response body that [`request`](HttpClient::request) collects: 16 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Time for a whole request, including the wait for a connection, redirects and the second try: none. Then it fails
    /// with [`ClientErrorKind::TimedOut`](super::ClientErrorKind::TimedOut). For [`stream`](HttpClient::stream),
    /// [`upload`](HttpClient::upload) and [`upgrade`](HttpClient::upgrade) it ends when they return; from then on
    /// [`Timeouts::body`](crate::Timeouts::body) applies to the body.
    pub fn timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.timeout = time.into();
        self
    }

    /// How many redirects are followed: 0, so that a 3xx is an answer like any other.
    ///
    /// 301 and 302 turn a POST into a GET, 303 turns everything but HEAD into a GET; 307 and 308 repeat method and
    /// body. Authorization, Cookie and Proxy-Authorization are not sent to another origin. A redirect that cannot be
    /// followed is returned as it is: one without a usable Location, from https to http, or with a body to repeat that
    /// cannot be made again (as [`upload_from`](HttpClient::upload_from) can). If there are more redirects than this,
    /// that is an error.
    pub fn redirects(mut self, limit: usize) -> Self {
        self.redirects = limit;
        self
    }

    /// The tap, which sees the bytes of every connection, secrets included: for debugging. None by default.
    pub fn tap(self, tap: impl Tap) -> Self {
        let tap: Arc<dyn Tap> = Arc::new(tap);
        self.edit(move |options| options.tap = Some(tap.clone()))
    }

    /// The proxy to go through: none. The environment counts only if you pass [`Proxy::from_env`] here.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Builds a client on the current arbiter.
    ///
    /// # Panics
    /// Outside of an actix arbiter.
    pub fn build(self) -> HttpClient {
        let Some(arbiter) = Arbiter::try_current() else {
            panic!(
                "an `HttpClient` is made on an arbiter, in `#[actix::main]` say, or for one by `on` or `build_on`"
            )
        };
        self.build_on(arbiter)
    }

    /// Builds a client on this arbiter, from any thread.
    pub fn build_on(self, arbiter: ArbiterHandle) -> HttpClient {
        let mut options = self.options;
        for edit in self.groups.iter().chain(&self.edits) {
            edit(&mut options);
        }
        let in_all = self.max_idle_total;
        let in_all = in_all.unwrap_or_else(|| self.max_idle.max(IDLE_TOTAL));
        HttpClient(Arc::new(Inner {
            arbiter,
            options: Arc::new(options),
            pool: Pool::new(self.connections, self.max_idle, in_all),
            max_body: self.max_body,
            timeout: self.timeout,
            wait: self.wait,
            redirects: self.redirects,
            proxy: self.proxy,
        }))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("options", &self.options)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}
