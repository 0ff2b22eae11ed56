//! A kit for tests of handlers: sessions over connections in memory, fully deterministic.
//!
//! ```toml
//! [dev-dependencies]
//! http-actors = { path = "../http-actors", features = ["test-util"] }
//! ```
//!
//! A test has a session with your handler at one end of a [`Pipe`] and a [`FarEnd`] at the other. The far end sends raw
//! bytes, so it can also send what no real client would. A [`Recorder`] around the handler records the calls that the
//! handler gets.
//!
//! ```
//! use http_actors::test_util::{FarEnd, Pipe, Recorder};
//! use http_actors::{HttpHandler, HttpSession, Payload, SessionContext, SessionOptions, StatusCode};
//!
//! struct Greeter;
//!
//! impl HttpHandler for Greeter {
//!     fn apply(&mut self, request: Payload, session: &mut SessionContext) {
//!         let name = request.path().trim_start_matches('/');
//!         session.respond(Payload::response(StatusCode::OK).body(format!("Hello, {name}!")));
//!     }
//! }
//!
//! #[actix::main] // `#[actix::test]` in a test
//! async fn main() {
//!     tokio::time::pause();
//!     // However the bytes are split, the handler and the client get the same.
//!     for seed in 0..20 {
//!         let (factory, mut heard) = Recorder::of(|_session| Greeter);
//!         let pipe = Pipe::new().seed(seed);
//!         let (mut client, _session) = FarEnd::serve_with(pipe, &factory, SessionOptions::default());
//!
//!         client.send("GET /Ann HTTP/1.1\r\nHost: a\r\n\r\n").await;
//!         client.expect("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nHello, Ann!").await;
//!         client.close().await;
//!         assert_eq!(client.rest().await, "");
//!         assert_eq!(heard.rest().await, ["apply GET /Ann []", "completed 200 in 0 out 11"]);
//!     }
//! }
//! ```
//!
//! The other way round, with a client session and a far end that is the server:
//!
//! ```
//! use http_actors::test_util::{FarEnd, Pipe, Recorder};
//! use http_actors::message::Apply;
//! use http_actors::{HttpSession, Payload, SessionOptions};
//!
//! # #[actix::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut server, io) = FarEnd::open(Pipe::new());
//! let (factory, mut heard) = Recorder::script(|_response, _session| {});
//! let session = HttpSession::over(io, "a", &factory, SessionOptions::for_client());
//! session.send(Apply(Payload::get("/")?)).await??;
//!
//! assert_eq!(server.request().await.path(), "/");
//! server.send("HTTP/1.1 100 Continue\r\n\r\n").await;
//! heard.expect(&["informational 100"]).await;
//! server.reset();
//! heard.expect(&["failed ConnectionClosed(ConnectionReset) Waiting"]).await;
//! assert_eq!(server.transcript().to_string(), r"< GET / HTTP/1.1\r\n
//! < Host: a\r\n
//! < \r\n
//! > HTTP/1.1 100 Continue\r\n
//! > \r\n
//! > (reset)
//! ");
//! # Ok(())
//! # }
//! ```
//!
//! [`FarEnd::response_head`] and [`FarEnd::part`] read a streamed response while it arrives.
//!
//! # What a network does
//!
//! * **It splits.** [`Pipe::seed`] reads in random pieces that a seed reproduces. [`Pipe::split_at`] splits at one
//!   position: try them all. [`Pipe::capacity`] does the same to writes.
//! * **It stalls.** After [`FarEnd::stall`] nothing passes until [`FarEnd::resume`]. For a peer that only stops
//!   reading, use a small capacity, and do not read at the far end.
//! * **It ends.** [`FarEnd::close`] closes one side, dropping the far end closes both, and [`FarEnd::reset`] breaks the
//!   connection. [`Transcript::was_reset`] says whether either end did.
//!
//! # Clocks
//!
//! `tokio::time::pause()` as the first line of a test stops its clock (the feature enables it in tokio). The clock then
//! jumps to the next deadline whenever all tasks are idle. A timeout of 75 s takes no real time and is exact to the
//! millisecond, and waiting for something that never comes fails at once. Do not sleep to wait for an event: await it,
//! by [`Heard`] or by the far end.

#![allow(
    clippy::missing_panics_doc,
    reason = "to panic is what a test is for; each type says when"
)]

mod far_end;
mod heard;
mod messages;
mod recorder;

use std::fmt::Display;
use std::future::ready;
use std::panic::Location;
use std::time::Duration;

pub use far_end::FarEnd;
pub use heard::Heard;
pub use recorder::{Recorder, Scripted};

use crate::session::{HandlerFactory, HttpSession, SessionOptions};
use crate::transport::Route;

pub use crate::transport::{Pipe, Random, Socket, Tape, Transcript};

/// The way to a server in memory: every connection is a [`Pipe`] with a session of this service at its far end,
/// whatever the host is. So an [`HttpClient`](crate::HttpClient) can be tested without a port, and with a paused
/// clock. The URLs have to be `http`: for `https` the client begins a TLS handshake, which the far end refuses.
///
/// The sessions have the default options. For other options, pipes that split, or a [`FarEnd`] that is the server, open
/// the pipes in [`Route::through`]. Use the route on one arbiter only.
///
/// ```
/// use std::time::Duration;
///
/// use http_actors::test_util::route_to;
/// use http_actors::{HttpClient, Payload, StatusCode, handler_fn};
///
/// #[actix::main] // `#[actix::test]` in a test
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     tokio::time::pause();
///     let slow = handler_fn(async |_request: Payload| {
///         tokio::time::sleep(Duration::from_secs(3600)).await;
///         Payload::response(StatusCode::OK)
///     });
///     let client = HttpClient::builder().route(route_to(slow)).timeout(Duration::from_secs(60)).build();
///     let error = client.request(Payload::get("http://anywhere.test/")?).await.unwrap_err();
///     assert!(error.is_timeout());
///     Ok(())
/// }
/// ```
pub fn route_to(service: impl HandlerFactory + Send + Sync + 'static) -> Route {
    Route::through(move |_origin| {
        let (far, near) = Pipe::new().open();
        HttpSession::accept(far, &service, SessionOptions::default());
        ready(Ok(near))
    })
}

/// How long a test waits for an event before it fails. It is not used to measure anything.
const PATIENCE: Duration = Duration::from_secs(300);

/// The line of a test that waits. A future does not know where it is awaited: the line is that of the call which made
/// it, and what it panics with begins with that line.
#[derive(Debug, Clone, Copy)]
struct Line(&'static Location<'static>);

impl Line {
    #[track_caller]
    fn here() -> Self {
        Self(Location::caller())
    }

    fn fail(self, mistake: impl Display) -> ! {
        panic!("{}: {mistake}", self.0)
    }

    async fn patient<F: Future>(self, what: &str, future: F) -> F::Output {
        let outcome = in_time(future).await;
        outcome.unwrap_or_else(|| self.fail(format_args!("waited {PATIENCE:?} for {what}")))
    }
}

/// `None` if it takes too long.
async fn in_time<F: Future>(future: F) -> Option<F::Output> {
    tokio::time::timeout(PATIENCE, future).await.ok()
}
