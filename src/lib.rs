//! HTTP/1.1 sessions as actix actors.
//!
//! A connection is an actor, [`HttpSession`]. What comes in on it arrives at one handler of your own, an
//! [`HttpHandler`]; what goes out is sent by that handler, or by message from any other actor or thread that has the
//! session's address. The model is that of Pony's `net/http`, with bounds on everything and with cancellation told both
//! ways.
//!
//! # A server
//!
//! ```no_run
//! use http_actors::{HttpHandler, HttpServer, Payload, SessionContext, StatusCode};
//!
//! struct Hello;
//!
//! impl HttpHandler for Hello {
//!     fn apply(&mut self, _request: Payload, session: &mut SessionContext) {
//!         session.respond(Payload::response(StatusCode::OK).body("Hello, World!"));
//!     }
//! }
//!
//! #[actix::main]
//! async fn main() -> std::io::Result<()> {
//!     HttpServer::new(|_session| Hello).bind("127.0.0.1:8080")?.run().await
//! }
//! ```
//!
//! # Reading order
//!
//! * **Messages of HTTP**: [`Payload`] is one request or response, [`Headers`] its fields, [`TransferMode`] the way of its
//!   body.
//! * **Receiving**: [`HttpHandler`] says in which order what is told; [`SessionContext`] is the session as the handler
//!   sees it. [`Exchange`], [`Cancelled`] and [`Failure`] say how a request ended.
//! * **Sending from elsewhere**: [`Responder`] and [`BodySender`] are the safe way, bound to one request. The messages
//!   below them are [`Apply`], [`SendChunk`], [`Finish`], [`Write`], [`Cancel`] and [`Dispose`]; [`Inspect`] asks how a
//!   session is doing. What cannot be taken comes back as [`Refused`].
//! * **Watching**: [`Inspect`] a session, [`Sessions`] of a server, [`Watch`] for the end of one.
//! * **Ending**: [`Drain`] for a server, [`Leave`] for a session: nothing is cut before its time. [`Dispose`] cuts.
//! * **Events**: [`sse`] is the `text/event-stream` of browsers.
//! * **Bodies from one actor to another**: [`SessionContext::deliver_body_to`] gives the body that is coming to an actor,
//!   as [`BodyPart`] messages; a session takes them too.
//! * **Beyond HTTP**: [`HandOff`] gives the connection away after 101 or CONNECT, as an [`Upgraded`].
//! * **Serving**: [`HttpServer`]; [`handler_fn`] for an async function, [`HttpServer::to_actor`] for an actor that exists
//!   already, `tower_handler` (feature `tower`) for an axum `Router`. [`SessionOptions`] holds what can be set: [`Limits`], [`Timeouts`], [`Buffers`], [`HalfClose`], [`Leniency`].
//! * **Asking**: [`HttpClient`] asks any server and keeps the connections; [`Incoming`] is a body that comes in.
//!   [`HttpSession::connect`] is a session with one server, by [`Origin`] and [`Route`]. [`Proxy`] says what stands in between.
//! * **TLS**: `HttpServer::bind_rustls`, `Route::tls`, [`TlsInfo`], [`TlsError`]; the feature `rustls`, on by default.
//! * **Logs**: [`CommonLog`] (combined), [`JsonLog`], [`ContentsLog`], or a [`Logger`] of your own.
//! * **Spans, metrics**: [`observability`] says what `tracing` is told, and what the feature `metrics` counts.
//! * **Bytes**: a [`Tap`] sees what comes in and what goes out.
//! * **Testing**: `test_util`, with the feature of that name, is a kit for tests of handlers.
//! * **Without actors**: [`HttpCodec`] is the wire floor in a `Framed` of tokio-util, for either end.
//!
//! # What is guaranteed
//!
//! * A session holds a bounded number of bytes, whatever its peer does: see [`Buffers`] and [`Limits`].
//! * Every phase of a connection has a deadline by default, and no flood of messages delays it: see [`Timeouts`].
//! * Every request that reached the handler ends in exactly one of [`completed`](HttpHandler::completed),
//!   [`cancelled`](HttpHandler::cancelled) and [`failed`](HttpHandler::failed).
//! * What two readers could understand differently is refused, and nothing behind it is read as a request: see
//!   [`WireError`].
//! * An answer that was cut does not end well-formed. A handler that panics costs its own connection.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod error;
mod log;
#[doc = include_str!("../docs/observability.md")]
pub mod observability {}
mod payload;
mod server;
mod session;
pub mod sse;
#[cfg(feature = "test-util")]
pub mod test_util;
mod transport;
mod wire;

pub use bytes::Bytes;
pub use client::{Blame, ClientBuilder, ClientError, ClientErrorKind, HttpClient, Proxy};
pub use error::{
    BodyError, CancelCause, CloseReason, Deadline, FailureReason, Refused, RefusedReason, TlsError,
    UseError, WireError,
};
pub use http::{Method, StatusCode, Uri, Version};
pub use log::{CommonLog, ContentsLog, DiscardLog, JsonLog};
pub use payload::{Credentials, Headers, MessageId, Payload, TransferMode};
#[cfg(feature = "tower")]
pub use server::tower_handler;
pub use server::{
    Cut, Drain, DrainReport, FromRequest, HttpRequest, HttpServer, IntoResponse, LocalAddrs,
    Running, ServerActor, ServerNotify, Service, Sessions, SetHandler, SetLogger, handler_fn,
};
pub use session::{
    Answer, Apply, BodyPart, BodySender, Buffers, Cancel, CancelAll, CancelCurrent, Cancelled,
    CodecError, Detail, Dispose, Exchange, ExchangePhase, Failure, Finish, FinishOf, FinishWith,
    Frame, HalfClose, HandOff, HandOffTo, HandlerFactory, HttpCodec, HttpHandler, HttpSession,
    Incoming, Inspect, Kept, Leave, Left, Logger, MuteGuard, NoMore, NotUpgraded, Outcome, Part,
    Record, Responder, Room, SendChunk, SendChunkTo, SessionContext, SessionInfo, SessionOptions,
    SessionPhase, Terminated, Timeouts, Unsent, Upgrade, Upgraded, Watch, Write, WriteTo,
};
pub use transport::{
    Direction, Origin, Passed, Peer, Redacted, Route, Scheme, Tap, Tapped, TlsInfo,
};
pub use wire::{Leniency, Limits};

/// The snippets of the README and of the guide, compiled; those that end by themselves are run.
#[cfg(all(doctest, feature = "rustls"))]
mod guide {
    macro_rules! chapters {
        ($($name:ident $file:literal)*) => {$(
            #[doc = include_str!($file)]
            struct $name;
        )*};
    }

    chapters! {
        Readme "../README.md"
        Server "../docs/guide/server.md"
        Streaming "../docs/guide/streaming.md"
        Backpressure "../docs/guide/backpressure.md"
        Cancellation "../docs/guide/cancellation.md"
        Client "../docs/guide/client.md"
        Tls "../docs/guide/tls.md"
        Upgrade "../docs/guide/upgrade.md"
        Testing "../docs/guide/testing.md"
        FromActixWebActors "../docs/guide/from-actix-web-actors.md"
        FromPony "../docs/guide/from-pony.md"
    }
}
