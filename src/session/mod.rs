//! The session: one connection, two actors. Floors 2 and 3.
//!
//! [`HttpSession`] has the handler and the sending side, [`builder::PayloadBuilder`] the receiving side. They
//! communicate by the messages of `inbound.rs`. This file contains no logic for bytes or framing. It has the actor and
//! its I/O; the calls of the handler are in `calls.rs`, its behaviours in `behaviours.rs`, `handles.rs` and
//! `private.rs`.

mod ask;
mod awaited;
mod behaviours;
mod body;
mod builder;
mod calls;
mod channel;
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
mod pair;
mod parcel;
mod pieces;
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
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext as _, Addr, AsyncContext as _, Context};
use actix_rt::ArbiterHandle;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{CancelCause, CloseReason};
use crate::transport::{self, Halves, Origin};

pub(crate) use ask::{Ask, Asker, Offer};
pub use body::BodySender;
pub(crate) use client::Through;
pub use codec::{CodecError, Frame, HttpCodec};
pub use context::SessionContext;
pub use exchange::{Cancelled, Exchange, ExchangePhase, Failure, Outcome};
pub use handler::{HandlerFactory, HttpHandler};
pub use handoff::{NotUpgraded, Upgrade, Upgraded};
pub(crate) use inbound::{Abandon, Accompany, CutOff, Departure, Shed};
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
use outbound::Teardown;
pub(crate) use owed::Owed;
pub use record::{Detail, Kept, Logger, Note, Record, RefusedRequest};
pub use responder::{Answer, MuteGuard, Responder};
pub use sink::{BodyPart, NoMore, Part};
pub(crate) use start::Way;
pub(crate) use tenure::{Seat, Seats, Tenure};
pub use unsent::Unsent;
pub use watch::{Terminated, Watch};

/// How many messages are handled before the I/O of the connection gets a turn.
///
/// actix polls a mailbox until it is empty (X2), so busy senders could starve output and deadlines.
const MESSAGES_A_TURN: u32 = 64;

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
        Self::open(halves, options.into(), Tenure::default(), |session| {
            (Box::new(factory.handler(session.clone())), session)
        })
    }

    /// Like [`accept`](Self::accept), for a server, which holds resources for the connection. Returns what `make` made
    /// beside the handler.
    pub(crate) fn open<T>(
        halves: Halves,
        options: Arc<SessionOptions>,
        tenure: Tenure,
        make: impl FnOnce(Addr<Self>) -> (Box<dyn HttpHandler>, T),
    ) -> T {
        start::open(halves, options, tenure, make)
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

    /// Like [`connect`](Self::connect), for a client: on its arbiter, and through a proxy if there is one.
    pub(crate) fn connect_on(
        arbiter: &ArbiterHandle,
        way: Way,
        options: Arc<SessionOptions>,
        make: impl FnOnce(Addr<Self>) -> Box<dyn HttpHandler> + Send + 'static,
    ) -> Addr<Self> {
        start::connect_on(arbiter, way, options, make)
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

    /// Counts a message, and gives the I/O future a turn after many.
    fn count(&mut self, ctx: &mut Context<Self>) {
        self.turn += 1;
        if self.turn == MESSAGES_A_TURN {
            ctx.wait(Breath::default());
        }
    }

    // I/O.

    fn poll_io(&mut self, ctx: &mut Context<Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        self.turn = 0;
        loop {
            while let Some(message) = self.context.link.next_message(cx) {
                message.hand_to(self, ctx);
            }
            match self.context.link.phase {
                Phase::Open | Phase::Flushing { .. } => {}
                Phase::Aborting { reason, teardown } => {
                    self.settle();
                    self.context.link.outbound.abort(teardown);
                    return self.end(ctx, reason, false);
                }
                Phase::Releasing => {
                    self.context.link.end_turn();
                    return Poll::Pending;
                }
                Phase::Closed => return Poll::Ready(()),
            }
            self.context.side.send(&mut self.context.link);
            let blocked = self.poll_write(cx);
            self.context.link.weigh();
            self.settle();
            if self.context.link.is_aborting() || (!blocked && self.context.link.has_output()) {
                continue;
            }
            if !blocked && self.context.side.flushed(&self.context.link) {
                // The handler completed an answer without another byte of output.
                continue;
            }
            if let Phase::Flushing { reason, linger } = self.context.link.phase
                && !blocked
                // The result is ignored: if the peer has disconnected, shutting down makes no difference.
                && self.context.link.outbound.poll_shutdown(cx).is_ready()
            {
                return self.end(ctx, reason, linger);
            }
            if self.poll_side(cx).is_pending() {
                if self.context.side.is_forgettable() && !ctx.connected() {
                    self.context
                        .link
                        .abort(CloseReason::Disposed, Teardown::Close);
                    continue;
                }
                self.context.link.end_turn();
                return Poll::Pending;
            }
        }
    }

    /// Writes what waits. True if the socket takes no more for now.
    fn poll_write(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        match self.context.link.outbound.poll_flush(cx) {
            Poll::Ready(Ok(())) => drop(self.context.side.flushed(&self.context.link)),
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, peer = %self.context.link.peer, "a write failed");
                self.context
                    .side
                    .write_failed(&mut self.context.link, error.kind());
            }
            Poll::Pending => return true,
        }
        false
    }

    /// Ready if a deadline passed or the server or client side moved on: then the state changed.
    fn poll_side(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let SessionContext { link, side } = &mut self.context;
        if link.outbound.poll_stall(cx).is_ready() {
            side.stalled(link);
            return Poll::Ready(());
        }
        if let Poll::Ready(answered) = link.poll_sink(cx) {
            match answered {
                Ok(()) => side.send_continue(link),
                Err(loss) => side.body_lost(link, loss),
            }
            return Poll::Ready(());
        }
        side.poll(link, cx)
    }

    /// Both halves are available: they go to the taker, and the session ends.
    fn hand_over(&mut self, released: handoff::Released, ctx: &mut Context<Self>) {
        self.context.link.hand_over(released);
        ctx.stop();
    }

    fn end(&mut self, ctx: &mut Context<Self>, reason: CloseReason, linger: bool) -> Poll<()> {
        self.context.link.finish_close(reason, linger);
        ctx.stop();
        Poll::Ready(())
    }
}

/// The I/O of a session, polled after its mailbox: everything that one turn produced is sent in one write.
struct Io;

impl ActorFuture<HttpSession> for Io {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut HttpSession,
        ctx: &mut Context<HttpSession>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<()> {
        session.poll_io(ctx, cx)
    }
}

/// A pause in the mailbox: the I/O future and the rest of the arbiter get their turn.
#[derive(Default)]
struct Breath {
    taken: bool,
}

impl ActorFuture<HttpSession> for Breath {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        _session: &mut HttpSession,
        _ctx: &mut Context<HttpSession>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<()> {
        if std::mem::replace(&mut self.taken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Actor for HttpSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Io);
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
