//! The options of a session.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::record::{Detail, Logger};
use crate::transport::{self, Halves, Patience, Route, Tap};
use crate::wire::{Leniency, Limits};

/// The options of a session. Plain data.
///
/// ```
/// use std::time::Duration;
///
/// use http_actors::{SessionOptions, Timeouts};
///
/// let patient = SessionOptions {
///     timeouts: Timeouts { exchange: Some(Duration::from_secs(300)), ..Timeouts::default() },
///     ..SessionOptions::default()
/// };
/// let mut pipelining = SessionOptions::for_client();
/// pipelining.pipeline = true;
/// # let _ = patient;
/// ```
///
/// The defaults are those of a server, and safe on the open internet. For a client session start from
/// [`for_client`](Self::for_client): its defaults allow slow answers and feeds. A field that is for one end has no
/// effect at the other.
///
/// Fields may be added to this struct and to those in it: always construct them with `..Default::default()`, or with
/// the `for_client` of the same struct, such as `..Timeouts::for_client()`.
#[derive(Clone)]
pub struct SessionOptions {
    /// Bounds on what the peer sends.
    pub limits: Limits,
    /// Deviations from the RFC that are tolerated.
    pub leniency: Leniency,
    /// The clocks.
    pub timeouts: Timeouts,
    /// Server only. What it does when the peer closes its sending side while an answer is owed.
    pub half_close: HalfClose,
    /// Bounds on what waits in the session.
    pub buffers: Buffers,
    /// Server only. The logger, which gets each exchange when it is over, and each request that was refused before it
    /// became one. `None` by default.
    pub logger: Option<Arc<dyn Logger>>,
    /// The tap, which sees the bytes of the connection. `None` by default.
    pub tap: Option<Arc<dyn Tap>>,
    /// Server only. Requests on one connection: no limit. The answer to the last of them says `Connection: close`. Use
    /// it with `max_age` so that connections behind a load balancer do not stay where they are for ever.
    pub max_requests: Option<NonZeroU64>,
    /// Server only. Age at which a connection takes its last request, or closes if there is none: no limit.
    pub max_age: Option<Duration>,
    /// Client only. Requests that may wait in a session: 128. Beyond that, `Busy`.
    pub queue: usize,
    /// Client only. Whether safe requests (GET, HEAD, OPTIONS) are sent before earlier ones are answered: false (P76 to
    /// P78).
    pub pipeline: bool,
    /// Client only. How it gets to its origin: directly, by default.
    pub route: Route,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            leniency: Leniency::default(),
            timeouts: Timeouts::default(),
            half_close: HalfClose::default(),
            buffers: Buffers::default(),
            logger: None,
            tap: None,
            max_requests: None,
            max_age: None,
            queue: 128,
            pipeline: false,
            route: Route::default(),
        }
    }
}

impl SessionOptions {
    /// How much the logger wants kept, if there is one. A logger that panics here gets the least.
    pub(super) fn detail(&self) -> Option<Detail> {
        let logger = self.logger.as_ref()?;
        let detail = catch_unwind(AssertUnwindSafe(|| logger.detail()));
        Some(detail.unwrap_or(Detail::Exchange))
    }

    /// Calls the logger, if there is one. If it panics, only its entry is lost.
    pub(super) fn log(&self, tell: impl FnOnce(&dyn Logger)) {
        if let Some(logger) = &self.logger
            && catch_unwind(AssertUnwindSafe(|| tell(&**logger))).is_err()
        {
            tracing::error!("the logger panicked");
        }
    }

    /// The connection, tapped if there is a tap.
    pub(super) fn tapped(&self, halves: Halves) -> Halves {
        match &self.tap {
            Some(tap) => transport::tap(halves, tap.clone()),
            None => halves,
        }
    }

    /// The defaults of a client: [`Limits::for_client`] and [`Timeouts::for_client`].
    #[must_use]
    pub fn for_client() -> Self {
        Self {
            limits: Limits::for_client(),
            timeouts: Timeouts::for_client(),
            ..Self::default()
        }
    }
}

/// Without the contents of logger and tap.
impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("limits", &self.limits)
            .field("leniency", &self.leniency)
            .field("timeouts", &self.timeouts)
            .field("half_close", &self.half_close)
            .field("buffers", &self.buffers)
            .field("logger", &self.logger.as_ref().map(|_| format_args!("..")))
            .field("tap", &self.tap.as_ref().map(|_| format_args!("..")))
            .field("max_requests", &self.max_requests)
            .field("max_age", &self.max_age)
            .field("queue", &self.queue)
            .field("pipeline", &self.pipeline)
            .field("route", &self.route)
            .finish()
    }
}

/// The deadlines of a connection. `None` waits for ever.
///
/// The defaults are those of a server. With `..Timeouts::default()` a client cuts a feed that is slow or pauses: start
/// from [`for_client`](Self::for_client) there.
///
/// ```
/// use std::time::Duration;
///
/// use http_actors::Timeouts;
///
/// let timeouts = Timeouts { response: Some(Duration::from_secs(5)), ..Timeouts::for_client() };
/// assert_eq!(timeouts.head, None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Time for a whole head: 10 s, none for a client. At a server this is the request head: from accept (or the end of
    /// the TLS handshake) for the first one, from its first byte for later ones. When it is over: 408, or a silent
    /// close if no byte came. At a client it is the response head, from its first byte; then the exchange is cancelled
    /// and the connection cut. Traffic does not refresh it.
    pub head: Option<Duration>,
    /// Silence in a body while we read: 30 s. Then: 408, or a reset if the answer has begun; at a client the exchange
    /// is cancelled and the connection cut. The clock stands still while the handler holds back delivery. For one
    /// request: [`Responder::body_timeout`](crate::Responder::body_timeout).
    pub body: Option<Duration>,
    /// Bytes a second that a body must bring: 240, none for a client, where slow feeds are usual.
    ///
    /// Each received byte extends the [`body`](Self::body) deadline by `1/body_rate` seconds, never past the full
    /// `body` time from now. A peer slower than the rate is cut once it has fallen behind by `body`. `None`: any byte
    /// restarts the full time.
    pub body_rate: Option<NonZeroU32>,
    /// Time without a request on an open connection: 75 s, longer than common load balancers keep theirs; 60 s for a
    /// client. Then: a silent close. Zero: a connection is not kept behind an exchange.
    pub idle: Option<Duration>,
    /// Time in which the socket takes nothing of the output that waits: 30 s. Then: a reset.
    pub write: Option<Duration>,
    /// Time in which the peer's system answers nothing, because it was cut off or lost its power: 60 s. Then: as after
    /// a reset by the peer.
    ///
    /// TCP only. The kernel finds it out, in two ways:
    ///
    /// * If nothing is sent, it probes the peer from half of this time on (keep-alive, P89).
    /// * If output is not acknowledged, it gives up after this time (`TCP_USER_TIMEOUT`, on Linux and Android). It then
    ///   also gives up a peer that acknowledges and takes nothing for so long. So the kernel is told at least
    ///   [`write`](Self::write), and nothing if that is `None`. If `write` is longer, probes give up after it too.
    ///
    /// A connection that was handed over keeps both. `None` leaves it to the system: it takes some 15 minutes with
    /// output, and never notices without.
    #[doc(alias = "keepalive")]
    #[doc(alias = "user_timeout")]
    pub unreachable: Option<Duration>,
    /// Client only. Time from a request that was sent whole to the head of its response: none. Interim responses do not
    /// count. Then: the exchange is cancelled and the connection cut.
    pub response: Option<Duration>,
    /// Time for a whole exchange: none. At a server it runs from the delivery of the request; then 408 while the
    /// request is still coming, else 503, or a reset if the answer has begun. At a client it runs from
    /// [`Apply`](crate::message::Apply), and so includes the time in the queue of its session, but not the wait of an
    /// [`HttpClient`](crate::HttpClient) for a connection; then the exchange is cancelled, and the connection is cut if
    /// the request was sent.
    pub exchange: Option<Duration>,
    /// Client only. Time to open a connection, with name resolution, the tunnel through a proxy, and the TLS handshake:
    /// 10 s.
    pub connect: Option<Duration>,
    /// Server only. Time for the TLS handshake of an accepted connection: 10 s. Then: a close. The time for the first
    /// head begins after the handshake. At most 256 are in progress at a worker; while another connection waits, the
    /// oldest has 1 s.
    pub handshake: Option<Duration>,
    /// Time to read and drop what the peer still sends after our last answer: 2 s (and 64 MiB). Zero closes at once,
    /// which may destroy that answer on its way.
    pub linger: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Some(Duration::from_secs(10)),
            body: Some(Duration::from_secs(30)),
            body_rate: NonZeroU32::new(240),
            idle: Some(Duration::from_secs(75)),
            write: Some(Duration::from_secs(30)),
            unreachable: Some(Duration::from_secs(60)),
            response: None,
            exchange: None,
            connect: Some(Duration::from_secs(10)),
            handshake: Some(Duration::from_secs(10)),
            linger: Duration::from_secs(2),
        }
    }
}

impl Timeouts {
    /// The defaults of a client: no time limit for response heads, no least rate for bodies, and 60 s for a connection
    /// without a request.
    #[must_use]
    pub fn for_client() -> Self {
        Self {
            head: None,
            body_rate: None,
            idle: Some(Duration::from_secs(60)),
            ..Self::default()
        }
    }

    /// What the kernel is told.
    pub(crate) fn patience(&self) -> Option<Patience> {
        self.unreachable.map(|probes| Patience {
            probes,
            output: self.write.map(|write| write.max(probes)),
        })
    }
}

/// What a server does when the peer closes its sending side while an answer is owed.
///
/// TCP does not say whether such a peer still reads. Whatever you set here, the handler hears
/// [`half_closed`](crate::HttpHandler::half_closed) at once. A single exchange may have a policy of its own:
/// [`Responder::on_half_close`](crate::Responder::on_half_close),
/// [`SessionContext::on_half_close`](crate::SessionContext::on_half_close).
///
/// A Unix socket of Linux does say it: a peer that has closed both directions by the time that everything it sent was
/// read counts as one that has reset the connection, except with [`Finish`](Self::Finish). One that closes the second
/// direction later is noticed only by a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HalfClose {
    /// The exchange is cancelled at once.
    Abort,
    /// The exchange goes on, and is cancelled if the socket takes no byte for this long.
    FinishWithin(Duration),
    /// The exchange goes on: what is written may be read by nobody.
    Finish,
}

impl Default for HalfClose {
    fn default() -> Self {
        Self::FinishWithin(Duration::from_secs(5))
    }
}

/// How much may wait in a session, in bytes unless a field says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers {
    /// Bytes received and not yet delivered: 64 KiB. Beyond that the session stops reading, and TCP slows the peer
    /// down. The last read may go beyond it: by up to 64 KiB, or by up to 256 KiB in the body of a peer whose last four
    /// reads were full and delivered at once, if this is at least 64 KiB.
    pub inbound: usize,
    /// Messages received and not yet delivered: 32, so that a pipeline of 16 is not cut in two.
    pub inbound_messages: usize,
    /// Output waiting for the socket above which senders wait: 72 KiB, which is 64 KiB of body with its head and
    /// framing. While a socket takes all of that at once, six times as much may wait, up to half of `hard_cap`.
    pub high_water: usize,
    /// Output waiting for the socket at which senders go on: 16 KiB.
    pub low_water: usize,
    /// Output waiting for the socket at which data are refused: 1 MiB. Below it, one piece of any size is taken.
    pub hard_cap: usize,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            inbound: 64 << 10,
            inbound_messages: 32,
            high_water: 72 << 10,
            low_water: 16 << 10,
            hard_cap: 1 << 20,
        }
    }
}
