//! An axum `Router` on connections that are sessions. Look at `slow`: it is dropped when its client goes away.
//!
//! `cargo run --features tower --example axum [LISTEN]`, then
//! `curl http://127.0.0.1:8080/hello/Ann`, `curl -N http://127.0.0.1:8080/events`,
//! `curl -T README.md http://127.0.0.1:8080/count`, `curl http://127.0.0.1:8080/zeros/1000 | wc -c`,
//! `curl -m 1 http://127.0.0.1:8080/slow`.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, put};
use axum::{Extension, Router};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_actors::{HalfClose, HttpServer, Peer, tower_handler};

async fn hello(Path(name): Path<String>, Extension(peer): Extension<Peer>) -> String {
    format!("Hello, {name} at {peer}!\n")
}

/// Reads an upload of any length, no faster than it counts.
async fn count(body: Body) -> String {
    let mut body = body.into_data_stream();
    let mut bytes = 0;
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => bytes += piece.len(),
            Err(error) => return format!("{error}\n"),
        }
    }
    format!("{bytes} bytes\n")
}

/// Writes a download, no faster than it is read.
async fn zeros(Path(kib): Path<usize>) -> Body {
    let zeros = || Ok::<_, Infallible>(Bytes::from_static(&[b'0'; 1 << 10]));
    Body::from_stream(stream::repeat_with(zeros).take(kib))
}

async fn events() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    Sse::new(stream::iter(0_u64..).then(async |number| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Event::default().data(format!("number {number}")))
    }))
}

async fn slow() -> &'static str {
    let _left = Left;
    tokio::time::sleep(Duration::from_secs(5)).await;
    "done\n"
}

struct Left;

impl Drop for Left {
    fn drop(&mut self) {
        println!("the work of /slow is over");
    }
}

#[actix::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let router = Router::new()
        .route("/hello/{name}", get(hello))
        .route("/count", put(count))
        .route("/zeros/{kib}", get(zeros))
        .route("/events", get(events))
        .route("/slow", get(slow));
    // Right for clients that never half-close: a client that closes its side has gone.
    let server = HttpServer::new(tower_handler(router))
        .half_close(HalfClose::Abort)
        .bind(address)?
        .run();
    for address in server.addresses() {
        println!("listening on http://{address}/");
    }
    server.await
}
