//! The session: one connection, two actors. Floor 3.
//!
//! [`HttpSession`] has the handler and the sending side, [`builder::PayloadBuilder`] the receiving side. They
//! communicate by the messages of `inbound.rs`. This file has the actor; its behaviours are in `behaviours.rs`,
//! `handles.rs` and `private.rs`, the calls of its handler in `calls.rs`, its I/O in `io.rs`.

mod ask;
mod awaited;
mod behaviours;
mod body;
mod builder;
mod calls;
mod client;
mod clock;
mod codec;
mod context;
mod credit;
mod deadline;
mod ended;
mod exchange;
mod handler;
mod handles;
mod handoff;
mod inbound;
mod inbox;
mod incoming;
mod info;
mod io;
mod leave;
mod link;
mod lists;
mod memory;
mod message;
#[cfg(not(feature = "metrics"))]
#[path = "no_meter.rs"]
mod meter;
#[cfg(feature = "metrics")]
mod meter;
mod options;
mod outbound;
mod outbuf;
mod owed;
mod parcel;
mod pieces;
mod place;
mod private;
mod record;
mod reply;
mod responder;
mod role;
mod server;
mod side;
mod sink;
mod start;
mod step;
mod tenure;
mod trace;
mod unsent;
mod waiter;
mod watch;

use std::fmt;
use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext as _, Context};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{CancelCause, CloseReason};
use crate::transport::{self, Origin};

pub(crate) use ask::{Ask, Asker, Offer};
pub use body::BodySender;
pub(crate) use client::Through;
pub use codec::{CodecError, Frame, HttpCodec};
pub use context::SessionContext;
pub use exchange::{Cancelled, Exchange, ExchangePhase, Failure, Outcome};
pub(crate) use handler::Silent;
pub use handler::{HandlerFactory, HttpHandler};
pub use handoff::{NotUpgraded, Upgrade, Upgraded};
pub(crate) use inbound::{Abandon, Accompany, CutOff, Departure, ServiceFailed, Shed};
pub use incoming::Incoming;
pub(crate) use incoming::{Alongside, Feed};
pub use info::{SessionInfo, SessionPhase};
pub use leave::{Leave, Left};
use link::Phase;
pub(crate) use memory::{Ceiling, Holding, Keeping, Stake};
pub use message::{
    Apply, Cancel, CancelAll, CancelCurrent, Dispose, Finish, FinishOf, FinishWith, HandOff,
    HandOffTo, Inspect, SendChunk, SendChunkTo, Write, WriteTo,
};
pub use options::{Buffers, HalfClose, SessionOptions, Timeouts};
pub use outbound::Room;
pub(crate) use owed::Owed;
pub use record::{Detail, Kept, Logger, Note, Record, RefusedRequest};
pub use responder::{Answer, MuteGuard, Responder};
pub use sink::{BodyPart, NoMore, Part};
pub(crate) use start::{Way, connect_on, open};
pub(crate) use tenure::{Seat, Seats, Tenure};
pub use unsent::Unsent;
pub use watch::{Terminated, Watch};

/// One HTTP connection as an actor.
///
/// A server makes one for each connection; [`accept`](Self::accept), [`connect`](Self::connect) and
/// [`over`](Self::over) make one too. You control it by messages: [`Apply`], [`SendChunk`], [`Finish`], [`Write`],
/// [`Cancel`], [`Dispose`], [`Inspect`], and the others in [`message`](crate::message). Incoming messages go to the
/// connection's [`HttpHandler`].
///
/// A server session ends with its connection, which closes its address. Messages from one sender are handled in the
/// order in which they were sent.
///
/// Most programs need no session by name: an [`HttpServer`](crate::HttpServer) makes them, and an
/// [`HttpClient`](crate::HttpClient) has them in its pool. Here one serves a connection in memory:
///
/// ```
/// use http_actors::message::Inspect;
/// use http_actors::{HttpSession, Payload, SessionOptions, SessionPhase, StatusCode, handler_fn};
/// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
///
/// #[actix::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let hello = handler_fn(async |_request: Payload| Payload::response(StatusCode::OK).body("hello"));
///     let (mut client, io) = tokio::io::duplex(4096);
///     let session = HttpSession::accept(io, &hello, SessionOptions::default());
///     assert_eq!(session.send(Inspect).await?.phase, SessionPhase::Idle);
///
///     client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).await?;
///     assert!(answer.ends_with("hello"));
///     Ok(())
/// }
/// ```
///
/// The private behaviours cannot be named outside:
///
/// ```compile_fail,E0603
/// use http_actors::session::inbound::Deliver;
/// ```
pub struct HttpSession {
    handler: Box<dyn HttpHandler>,
    context: SessionContext,
    /// Messages since the I/O future last ran.
    turn: u32,
}

impl fmt::Debug for HttpSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSession")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl HttpSession {
    /// Serves a connection on the current arbiter. Any `AsyncRead + AsyncWrite` works.
    ///
    /// A `TcpStream` or `UnixStream` is recognised and split without a lock. The factory makes the handler at once.
    ///
    /// # Panics
    /// Outside of an actix arbiter.
    pub fn accept<T, F>(io: T, factory: &F, options: impl Into<Arc<SessionOptions>>) -> Addr<Self>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: HandlerFactory,
    {
        let halves = transport::split(io);
        start::open(halves, options.into(), Tenure::default(), |session| {
            (Box::new(factory.handler(session.clone())), session)
        })
    }

    /// Makes a client session. It connects for its first request, and again after its connection was lost (P71, P74,
    /// P88).
    ///
    /// Requests are sent one after the other, each when the response to the one before it is complete, unless
    /// [`pipeline`](SessionOptions::pipeline) is set. A connection that was idle for [`idle`](Timeouts::idle) is
    /// closed. The session ends when its connection is closed and nobody has its address, or by [`Dispose`].
    ///
    /// ```no_run
    /// use http_actors::message::Apply;
    /// use http_actors::{Failure, HttpHandler, HttpSession, Origin, Payload, SessionContext, SessionOptions};
    ///
    /// struct Print;
    ///
    /// impl HttpHandler for Print {
    ///     fn apply(&mut self, response: Payload, _: &mut SessionContext) {
    ///         println!("{:?} answers {:?}", response.status(), response.request_id());
    ///     }
    ///
    ///     fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
    ///         println!("{} to {}", failure.reason, failure.exchange.id);
    ///     }
    /// }
    ///
    /// #[actix::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let origin = Origin::try_from("http://127.0.0.1:8080")?;
    ///     let session = HttpSession::connect(origin, &|_session| Print, SessionOptions::for_client());
    ///     let request = session.send(Apply(Payload::get("/")?)).await??;
    ///     println!("{request} is on its way");
    ///     tokio::signal::ctrl_c().await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Panics
    /// Outside of an actix arbiter.
    pub fn connect<F>(
        origin: Origin,
        factory: &F,
        options: impl Into<Arc<SessionOptions>>,
    ) -> Addr<Self>
    where
        F: HandlerFactory,
    {
        start::connect(Way::to(origin), options.into(), |session| {
            Box::new(factory.handler(session))
        })
    }

    /// Makes a client session on an open connection: a tunnel, a TLS stream, a pipe in a test.
    ///
    /// `host` is the Host value of requests that have none. After the connection was lost, further requests fail.
    ///
    /// # Panics
    /// Outside of an actix arbiter.
    pub fn over<T, F>(
        io: T,
        host: impl Into<String>,
        factory: &F,
        options: impl Into<Arc<SessionOptions>>,
    ) -> Addr<Self>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: HandlerFactory,
    {
        start::given(
            transport::split(io),
            host.into(),
            options.into(),
            |session| Box::new(factory.handler(session)),
        )
    }

    fn new(handler: Box<dyn HttpHandler>, context: SessionContext) -> Self {
        Self {
            handler,
            context,
            turn: 0,
        }
    }
}

impl Actor for HttpSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(io::Io);
    }

    /// Also runs when the arbiter stops: an exchange in progress still gets its end (N3).
    fn stopped(&mut self, _ctx: &mut Self::Context) {
        let SessionContext { link, side } = &mut self.context;
        if link.phase != Phase::Closed {
            side.shut(link, CancelCause::Shutdown, CloseReason::Shutdown);
            if let Phase::Aborting { reason, teardown } = link.phase {
                link.outbound.abort(teardown);
                link.finish_close(reason, false);
            }
        }
        self.settle();
    }
}
