//! What can be set of a session.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use super::record::Logger;
use crate::transport::{self, Halves, Route, Tap};
use crate::wire::{Leniency, Limits};

/// How a session behaves. Plain data; the defaults are safe for a server on the open internet, and
/// [`for_client`](Self::for_client) has those of a client. Like the structs in it, it may get more fields: name those that
/// matter and take the others from a default, by `..`.
#[derive(Clone)]
pub struct SessionOptions {
    /// Bounds on what the peer sends.
    pub limits: Limits,
    /// Deviations from the RFC that are tolerated.
    pub leniency: Leniency,
    /// The clocks.
    pub timeouts: Timeouts,
    /// What happens when the peer closes its sending side while an answer is owed.
    pub half_close: HalfClose,
    /// Bounds on what is kept for the peer.
    pub buffers: Buffers,
    /// What hears of each exchange when it is over, on a server. None by default.
    pub logger: Option<Arc<dyn Logger>>,
    /// What sees the bytes of the connection. None by default.
    pub tap: Option<Arc<dyn Tap>>,
    /// Requests on one server connection: no limit. The answer to the last of them says `Connection: close`. With
    /// `max_age`, what keeps connections behind a balancer from staying where they are for ever (D15).
    pub max_requests: Option<NonZeroU64>,
    /// The age from which on a server connection takes its last request, or closes if there is none: no limit.
    pub max_age: Option<Duration>,
    /// Requests that may wait in a client session: 128. Beyond: `Busy`.
    pub queue: usize,
    /// Whether a client sends safe requests (GET, HEAD, OPTIONS) before earlier ones are answered: false (P76 to P78).
    pub pipeline: bool,
    /// How a client gets to its origin: directly.
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
    /// The connection, tapped if that is asked for.
    pub(super) fn tapped(&self, halves: Halves) -> Halves {
        match &self.tap {
            Some(tap) => transport::tap(halves, tap.clone()),
            None => halves,
        }
    }

    /// The defaults of a client: response heads up to 64 KiB and 128 fields, no time limit for a response to begin, and
    /// 60 s for a connection without a request.
    #[must_use]
    pub fn for_client() -> Self {
        let limits = Limits {
            head: 64 << 10,
            fields: 128,
            ..Limits::default()
        };
        let timeouts = Timeouts {
            head: None,
            body_rate: None,
            idle: Some(Duration::from_secs(60)),
            ..Timeouts::default()
        };
        Self {
            limits,
            timeouts,
            ..Self::default()
        }
    }
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("limits", &self.limits)
            .field("leniency", &self.leniency)
            .field("timeouts", &self.timeouts)
            .field("half_close", &self.half_close)
            .field("buffers", &self.buffers)
            .finish_non_exhaustive()
    }
}

/// How long a peer may take for what. `None` waits for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A whole request head, from accept for the first and from its first byte for later ones: 10 s. Never refreshed by
    /// traffic. Then: 408, or a silent close if no byte came.
    pub head: Option<Duration>,
    /// Silence in a body while we read: 30 s. Then: 408, or an abort if the answer has begun. The clock stands still while
    /// the handler holds delivery.
    pub body: Option<Duration>,
    /// Bytes a second that a body must bring: 240, none at a client, where slow feeds are usual. Bytes put the end of
    /// [`body`](Self::body) off by no more than they take at this rate: who is slower is cut when it is behind by that time.
    /// Without, each byte renews the whole of it.
    pub body_rate: Option<NonZeroU32>,
    /// No request on an open connection: 75 s, longer than common balancers keep theirs. Then: a silent close.
    pub idle: Option<Duration>,
    /// Waiting output of which the socket takes nothing: 30 s. Then: a reset.
    pub write: Option<Duration>,
    /// From a request that was sent whole to the head of its response, interim ones not counted: none. Then: the exchange is
    /// cancelled and the connection cut. Client only.
    pub response: Option<Duration>,
    /// A whole exchange: none. At a server from the delivery of the request; then 408 or 503, or a reset if the answer has
    /// begun. At a client from [`Apply`](crate::Apply), what it waits in the queue included; then the exchange is cancelled,
    /// and the connection cut if it was sent.
    pub exchange: Option<Duration>,
    /// Opening a connection, name resolution and TLS handshake included: 10 s. Client only.
    pub connect: Option<Duration>,
    /// The TLS handshake of a connection that was accepted: 10 s. Server only. Then: a close. The time for the first head
    /// begins after it.
    pub handshake: Option<Duration>,
    /// Reading and dropping what the peer still sends after our last answer: 2 s (and 64 MiB).
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
            response: None,
            exchange: None,
            connect: Some(Duration::from_secs(10)),
            handshake: Some(Duration::from_secs(10)),
            linger: Duration::from_secs(2),
        }
    }
}

/// What a server does when the peer closes its sending side while an answer is owed.
///
/// TCP does not say whether such a peer still reads. The handler hears
/// [`half_closed`](crate::HttpHandler::half_closed) at once, whatever is set here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HalfClose {
    /// The exchange is cancelled at once.
    Abort,
    /// The exchange goes on, and is cancelled when this long passes without a byte taken by the socket.
    FinishWithin(Duration),
    /// The exchange goes on.
    Finish,
}

impl Default for HalfClose {
    fn default() -> Self {
        Self::FinishWithin(Duration::from_secs(5))
    }
}

/// How much may wait in a session, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers {
    /// Received and not yet delivered: 64 KiB. Then the session stops reading and TCP does the rest.
    pub inbound: usize,
    /// Messages received and not yet delivered: 32, so that a pipeline of 16 is not cut in two.
    pub inbound_messages: usize,
    /// Output waiting for the socket, beyond which senders are throttled: 72 KiB, which is 64 KiB of body with its head
    /// and framing. While a socket takes all of that at once, four times as much may wait, up to half of `hard_cap`.
    pub high_water: usize,
    /// Output waiting, down to which the socket must work before they go on: 16 KiB.
    pub low_water: usize,
    /// Output waiting, at which data are refused: 1 MiB. One piece of any size is taken below it.
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
