//! HTTP/1.1 servers and clients for [actix](https://docs.rs/actix). Each connection is an actor.
//!
//! The actor is an [`HttpSession`], with one handler that you write. Incoming data arrives as calls of that handler.
//! Outgoing data is sent by the handler, or by message from any other actor or thread. Every queue that a peer can fill
//! has a bound, every phase has a deadline, and every exchange has exactly one end, which is reported to your handler.
//! The guide in `docs/guide/` teaches the crate by small programs. This page is a tour of the types.
//!
//! # A server
//!
//! ```no_run
//! use http_actors::{HttpServer, Payload, StatusCode, handler_fn};
//!
//! #[actix::main]
//! async fn main() -> std::io::Result<()> {
//!     let hello = handler_fn(async |request: Payload| {
//!         Payload::response(StatusCode::OK).body(format!("Hello, {}!\n", request.path()))
//!     });
//!     HttpServer::new(hello).bind("127.0.0.1:8080")?.run().await
//! }
//! ```
//!
//! # A client
//!
//! ```no_run
//! use http_actors::{HttpClient, Payload};
//!
//! #[actix::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = HttpClient::new();
//!     let page = client.request(Payload::get("http://127.0.0.1:8080/")?).await?;
//!     println!("{:?} {:?}", page.status(), page.body_bytes());
//!     Ok(())
//! }
//! ```
//!
//! # The model
//!
//! 1. One connection is one session, on the thread that accepted it. It has one handler, made by a factory.
//! 2. One request and its answer are an *exchange*. A server has one at a time on a connection, in the order of the
//!    wire.
//! 3. The handler gets `apply`, then the body as `chunk`s up to `finished`. A short body is inside the payload instead.
//! 4. The handler answers by a call on its [`SessionContext`], or hands a [`Responder`] to other code, which answers
//!    later.
//! 5. A message has its body inside, announces a length, or is chunked. You choose when you build the [`Payload`].
//! 6. If you send a body, you wait for room ([`BodySender::send`]). If you do not read a body, its sender is slowed
//!    down.
//! 7. An exchange ends in exactly one call of `completed`, `cancelled` or `failed`, after all its other calls, unless
//!    the handler panicked.
//! 8. A reset is noticed at once, and the work for that peer is dropped. A peer that closes (FIN) may only have closed
//!    its sending side, and still read: by default it gets 5 s, see [`HalfClose`]. An answer that was cut short never
//!    looks complete to the peer.
//! 9. A rejected message is returned to the awaiting sender, as [`Refused`](error::Refused), with the reason.
//! 10. Ambiguous input, which two parsers could understand differently, is rejected, and nothing after it is read as a
//!     request.
//!
//! # The types, in reading order
//!
//! * **Messages**: [`Payload`], its [`Headers`], its [`TransferMode`].
//! * **Serving**: [`HttpServer`]. Its handler is an async function ([`handler_fn`]), an actor
//!   ([`HttpServer::to_actor`], [`Service`], by [`HttpRequest`]), a tower service (`tower_handler`), or an
//!   [`HttpHandler`] of your own. [`SessionContext`] is the session as such a handler sees it. An [`ErrorResponse`] is
//!   an error that chooses the answer.
//! * **Answering from elsewhere**: [`Responder`] and [`BodySender`], bound to one request. [`sse`] is events for
//!   browsers.
//! * **Incoming bodies**: [`Incoming`] is a stream; [`SessionContext::deliver_body_to`] sends the body to another actor
//!   as [`BodyPart`](message::BodyPart) messages.
//! * **Asking**: [`HttpClient`] for any server, with [`ClientBuilder`], [`Proxy`], [`ClientError`].
//!   [`HttpSession::connect`] for one server, by [`Origin`] and [`Route`].
//! * **How an exchange ended**: [`Exchange`], [`Cancelled`], [`Failure`].
//! * **Options**: [`SessionOptions`] with [`Limits`], [`Timeouts`], [`Buffers`], [`HalfClose`], [`Leniency`].
//!
//! # The modules
//!
//! * [`message`]: all that you can send to the actors: to a session by its `Addr<HttpSession>`, to a server by its
//!   [`ServerActor`]. How both end, too: [`Drain`](message::Drain), [`Leave`](message::Leave),
//!   [`Dispose`](message::Dispose).
//! * [`error`]: what went wrong, and who caused it.
//! * [`log`]: access logs, and a [`Logger`](log::Logger) of your own. Spans and metrics: [`observability`].
//! * [`upgrade`]: a connection after 101 or CONNECT.
//! * [`tap`]: sees the bytes of a connection.
//! * [`codec`]: the wire without actors, for a `Framed` of tokio-util.
//! * [`sse`]: server-sent events.
//! * `test_util`: connections in memory that cut, stall and break.
//!
//! # Features
//!
//! | feature | default | what |
//! | --- | --- | --- |
//! | `rustls` | yes | TLS for servers and clients, with the crypto provider ring; without it `https` fails, and never falls back to plain text |
//! | `rustls-no-provider` | no | the same with the crypto provider that the program installs, for example aws-lc |
//! | `tower` | no | `tower_handler`: axum routers and other tower services as handlers |
//! | `metrics` | no | counters and times, through the facade `metrics` |
//! | `test-util` | no | the module `test_util`, for tests of handlers |
//!
//! `unsafe` code is forbidden. The crate needs Rust 1.88 or later and Unix.
//!
//! Marks like (P45), (B26) or (N7) name the rules, defects and features that sections 3 to 5 of `docs/semantics.md`
//! list with their tests. You do not need them to use the crate.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
pub mod error;
pub mod log;
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
pub use http::{Method, StatusCode, Uri, Version};
pub use payload::{Credentials, Headers, MessageId, Payload, TransferMode};
#[cfg(feature = "tower")]
pub use server::tower_handler;
pub use server::{
    ErrorResponse, FromRequest, HttpRequest, HttpServer, IntoResponse, Running, ServerActor,
    ServerNotify, Service, handler_fn,
};
pub use session::{
    Answer, BodySender, Buffers, Cancelled, Exchange, ExchangePhase, Failure, HalfClose,
    HandlerFactory, HttpHandler, HttpSession, Incoming, MuteGuard, Outcome, Responder, Room,
    SessionContext, SessionInfo, SessionOptions, SessionPhase, Timeouts, Unsent,
};
pub use transport::{Origin, Peer, Route, Scheme, TlsInfo};
pub use wire::{Leniency, Limits};

pub mod message {
    //! What the actors understand: the behaviours of a session and of a server, with what they answer.
    //!
    //! | to a session | |
    //! | --- | --- |
    //! | [`Apply`], [`SendChunk`], [`Finish`], [`FinishWith`], [`Write`] | send a message: its head, pieces of its body, its end, or all of it |
    //! | [`SendChunkTo`], [`FinishOf`], [`WriteTo`] | the same for one message, by its [`MessageId`](crate::MessageId): refused if another one has begun |
    //! | [`Cancel`], [`CancelCurrent`], [`CancelAll`] | give exchanges up |
    //! | [`BodyPart`] | pass on a body that arrived elsewhere, with its end |
    //! | [`HandOff`], [`HandOffTo`] | leave HTTP, and get the connection as an [`Upgraded`](crate::upgrade::Upgraded) |
    //! | [`Inspect`], [`Watch`] | look at a session; learn of its end |
    //! | [`Leave`], [`Dispose`] | end it: gracefully; at once |
    //!
    //! | to a server, by its [`ServerActor`](crate::ServerActor) | |
    //! | --- | --- |
    //! | [`Sessions`], [`LocalAddrs`] | what there is |
    //! | [`SetHandler`], [`SetLogger`] | change it while it runs |
    //! | [`Drain`], [`Dispose`] | end it: gracefully; at once |
    //!
    //! Messages of one sender are handled in the order in which they were sent (P14). What does not fit, or comes too
    //! late, is refused: await the answer (`Addr::send`) to get it back in a [`Refused`](crate::error::Refused).

    pub use crate::server::{Cut, Drain, DrainReport, LocalAddrs, Sessions, SetHandler, SetLogger};
    pub use crate::session::{
        Apply, BodyPart, Cancel, CancelAll, CancelCurrent, Dispose, Finish, FinishOf, FinishWith,
        HandOff, HandOffTo, Inspect, Leave, Left, NoMore, Part, SendChunk, SendChunkTo, Terminated,
        Watch, Write, WriteTo,
    };
}

pub mod upgrade {
    //! A connection that no longer speaks HTTP: after 101 Switching Protocols, or a 2xx to CONNECT.
    //!
    //! A server hands its connection over by [`Responder::hand_off`](crate::Responder::hand_off) or
    //! [`SessionContext::hand_off`](crate::SessionContext::hand_off). A client gets one by
    //! [`HttpClient::upgrade`](crate::HttpClient::upgrade), and a session of your own by the message
    //! [`HandOff`](crate::message::HandOff). An [`Upgraded`] is `AsyncRead + AsyncWrite`, for any implementation of
    //! what comes after HTTP, such as WebSocket.
    //!
    //! ```
    //! use http_actors::{HttpRequest, Payload, StatusCode, handler_fn};
    //!
    //! /// Sends back what comes, in a protocol of its own.
    //! let echo = handler_fn(async |HttpRequest { responder, .. }: HttpRequest| {
    //!     let switch = Payload::response(StatusCode::SWITCHING_PROTOCOLS).header("Upgrade", "echo");
    //!     let upgrade = responder.hand_off(switch);
    //!     // In a task of its own: the exchange, and this function with it, ends at the switch.
    //!     actix::spawn(async move {
    //!         let Ok(connection) = upgrade.await else { return };
    //!         let (mut read, mut write) = tokio::io::split(connection);
    //!         let _ = tokio::io::copy(&mut read, &mut write).await;
    //!     });
    //! });
    //! # let _ = echo;
    //! ```

    pub use crate::client::Answered;
    pub use crate::session::{NotUpgraded, Upgrade, Upgraded};
}

pub mod tap {
    //! Sees the bytes of a connection as they pass: for traces, and to find faults.
    //!
    //! [`HttpServer::tap`](crate::HttpServer::tap), [`ClientBuilder::tap`](crate::ClientBuilder::tap) and
    //! [`SessionOptions::tap`](crate::SessionOptions::tap) take a [`Tap`], which may be a closure. [`Redacted`] hides
    //! credentials.
    //!
    //! ```
    //! use http_actors::tap::{Direction, Passed, Redacted, Tapped};
    //! use http_actors::{HttpServer, Payload, StatusCode, handler_fn};
    //!
    //! let hello = handler_fn(async |_request: Payload| Payload::response(StatusCode::OK));
    //! let server = HttpServer::new(hello).tap(Redacted(|tapped: &Tapped<'_>| {
    //!     if let Passed::Bytes(bytes) = tapped.passed {
    //!         let arrow = if tapped.direction == Direction::In { '<' } else { '>' };
    //!         println!("{} {arrow} {}", tapped.connection, bytes.escape_ascii());
    //!     }
    //! }));
    //! # let _ = server;
    //! ```

    pub use crate::transport::{Direction, Passed, Redacted, Tap, Tapped};
}

pub mod codec {
    //! The wire without actors: [`HttpCodec`] is the encoder and the decoder of a `Framed` of tokio-util.
    //!
    //! It parses as a session does, within the same limits. Deadlines, order and flow control are up to you.

    pub use crate::session::{CodecError, Frame, HttpCodec};
}

/// The snippets of the README and of the guide are compiled as doc tests. Those that terminate are also run.
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
        Deploying "../docs/deploying.md"
    }
}
