//! Server-sent events: the `text/event-stream` of the HTML standard, section 9.2.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use http_actors::sse::{self, Event, EventSender};
//! use http_actors::{HttpRequest, HttpServer, handler_fn};
//!
//! #[actix::main]
//! async fn main() -> std::io::Result<()> {
//!     let counter = handler_fn(async |HttpRequest { request, responder, .. }: HttpRequest| {
//!         // A reconnecting reader sends the id of its last event.
//!         let last = sse::last_event_id(&request).and_then(|id| id.parse().ok());
//!         let events = EventSender::open(responder).await?;
//!         for number in last.map_or(0, |last: u64| last.saturating_add(1))..=u64::MAX {
//!             events.send(Event::data("tick").id(number.to_string())).await?;
//!             tokio::time::sleep(Duration::from_secs(1)).await;
//!         }
//!         Ok::<_, Box<dyn std::error::Error>>(())
//!     });
//!     HttpServer::new(counter).bind("127.0.0.1:8080")?.run().await
//! }
//! ```

mod event;
mod sender;

use http::StatusCode;

use crate::payload::Payload;

pub use event::Event;
pub use sender::EventSender;

/// Makes the head of an event stream, with `Cache-Control: no-cache`. You may add fields to it.
pub fn head() -> Payload {
    Payload::response(StatusCode::OK)
        .header("Content-Type", "text/event-stream")
        .header("Cache-Control", "no-cache")
        .chunked()
}

/// The id of the last event that a reconnecting reader received. `None` if the reader is new, or received no event with
/// an id.
pub fn last_event_id(request: &Payload) -> Option<&str> {
    let id = request.headers().text("Last-Event-ID");
    id.filter(|id| !id.is_empty())
}
