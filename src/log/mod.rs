//! Access logs: one entry for each request to a server, when it has ended.
//!
//! [`HttpServer::logger`](crate::HttpServer::logger) takes a [`Logger`]. [`CommonLog`] and [`JsonLog`] write a line,
//! [`ContentsLog`] writes whole messages; a `Logger` of your own gets the [`Record`] of each exchange, and the
//! [`RefusedRequest`]s that never became one.
//!
//! ```no_run
//! use http_actors::log::CommonLog;
//! use http_actors::{HttpServer, Payload, StatusCode, handler_fn};
//!
//! #[actix::main]
//! async fn main() -> std::io::Result<()> {
//!     let hello = handler_fn(async |_request: Payload| Payload::response(StatusCode::OK));
//!     HttpServer::new(hello).logger(CommonLog::new(std::io::stdout())).bind("127.0.0.1:8080")?.run().await
//! }
//! ```

mod common;
mod contents;
mod json;

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;
use std::sync::Mutex;

use crate::payload::{self, Headers};

pub use common::CommonLog;
pub use contents::ContentsLog;
pub use json::JsonLog;

pub use crate::session::{Detail, Kept, Logger, Note, Record, RefusedRequest};

/// Logs nothing, like a server without a logger (P115).
#[derive(Debug, Clone, Copy, Default)]
pub struct DiscardLog;

impl Logger for DiscardLog {
    fn detail(&self) -> Detail {
        Detail::Exchange
    }

    fn log(&self, _record: &Record<'_>) {}
}

/// The writer that all workers share. Each entry is one write.
#[derive(Debug)]
struct Sink<W>(Mutex<W>);

impl<W: Write> Sink<W> {
    fn new(out: W) -> Self {
        Self(Mutex::new(out))
    }

    fn write(&self, entry: &[u8]) {
        // Poisoning is ignored: a panic in another worker's write leaves nothing behind that matters here.
        let mut out = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(error) = out.write_all(entry).and_then(|()| out.flush()) {
            tracing::warn!(%error, "a log entry could not be written");
        }
    }
}

/// The name of the note that takes the place of the user.
const USER: &str = "user";

/// The user that the service noted, else that of the Basic credentials, if they were sent and kept.
fn user<'a>(notes: &'a [Note], headers: &Headers) -> Option<Cow<'a, str>> {
    let own = notes.iter().find(|note| note.name == USER);
    let sent = || {
        headers
            .get("authorization")
            .and_then(payload::basic)
            .map(|credentials| Cow::Owned(credentials.user))
    };
    own.map(|note| Cow::Borrowed(&*note.value))
        .or_else(sent)
        .filter(|user| !user.is_empty())
}

/// A part of an IMF-fixdate, whose parts have fixed positions.
fn part(date: &str, range: Range<usize>) -> &str {
    date.get(range).unwrap_or("-")
}

/// Bytes from the peer, escaped so that they can end neither the entry nor its quotes.
fn quoted(text: &[u8]) -> impl std::fmt::Display {
    text.escape_ascii()
}
