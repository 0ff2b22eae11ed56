//! Server-sent events from an async function. Look at `count`: it is dropped when the reader leaves, and a reader that
//! comes back goes on where it was.
//!
//! `cargo run --example events [LISTEN]`, then open <http://127.0.0.1:8080/>, or
//! `curl -N -H 'Last-Event-ID: 41' http://127.0.0.1:8080/events`.

use std::error::Error;
use std::time::Duration;

use http_actors::sse::{self, Event, EventSender};
use http_actors::{HttpRequest, HttpServer, Payload, Responder, StatusCode, handler_fn};

const PAGE: &str = "<!doctype html><title>Events</title><ol></ol><script>
new EventSource('/events').addEventListener('tick', event => {
    document.querySelector('ol').append(Object.assign(document.createElement('li'), { textContent: event.data }))
})
</script>";

async fn serve(
    HttpRequest {
        request, responder, ..
    }: HttpRequest,
) -> Result<(), Box<dyn Error>> {
    if request.path() == "/events" {
        let last = sse::last_event_id(&request).and_then(|id| id.parse().ok());
        return count(
            last.map_or(0, |last: u64| last.saturating_add(1)),
            responder,
        )
        .await;
    }
    let page = Payload::response(StatusCode::OK).header("Content-Type", "text/html");
    responder.respond(page.body(PAGE)).await?;
    Ok(())
}

async fn count(first: u64, responder: Responder) -> Result<(), Box<dyn Error>> {
    let events = EventSender::open(responder).await?;
    for number in first..=u64::MAX {
        let event = Event::data(format!("number {number}\nof many"));
        events
            .send(event.event("tick").id(number.to_string()))
            .await?;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            // The server is to end, and the reader comes back to the next.
            () = events.leaving() => return Ok(events.finish().await?),
        }
    }
    Ok(())
}

#[actix::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = HttpServer::new(handler_fn(serve)).bind(address)?.run();
    for address in server.addresses() {
        println!("listening on http://{address}/");
    }
    server.await
}
