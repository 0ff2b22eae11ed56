//! ntex, on tokio, with one worker.

use std::convert::Infallible;

use futures_util::{Stream, TryStreamExt as _, stream};
use http_actors_peers::{CHUNK, CHUNKS, HELLO, IDLE, LARGE, MEBIBYTE, PIECE, SERVER, listen};
use ntex::http::body::SizedStream;
use ntex::http::error::PayloadError;
use ntex::http::header::SERVER as SERVER_FIELD;
use ntex::http::{HttpServiceConfig, ResponseBuilder};
use ntex::service::cfg::SharedCfg;
use ntex::time::Seconds;
use ntex::util::Bytes;
use ntex::web::{self, App, HttpResponse};

fn ok() -> ResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.header(SERVER_FIELD, SERVER);
    response
}

fn pieces<E>(piece: &'static [u8], count: usize) -> impl Stream<Item = Result<Bytes, E>> {
    let piece = move |_| Ok(Bytes::from_static(piece));
    stream::iter((0..count).map(piece))
}

async fn hello() -> HttpResponse {
    ok().content_type("text/plain").body(HELLO)
}

async fn echo(body: Bytes) -> HttpResponse {
    ok().body(body)
}

async fn chunks() -> HttpResponse {
    ok().streaming(pieces::<Infallible>(&CHUNK, CHUNKS))
}

async fn bytes() -> HttpResponse {
    ok().body(Bytes::from_static(&MEBIBYTE))
}

async fn large() -> HttpResponse {
    let pieces = pieces(&PIECE, LARGE / PIECE.len());
    ok().body(SizedStream::new(LARGE as u64, pieces))
}

async fn sink(mut body: web::types::Payload) -> Result<HttpResponse, PayloadError> {
    let mut bytes = 0;
    while let Some(data) = body.try_next().await? {
        bytes += data.len();
    }
    Ok(ok().body(format!("{bytes}\n")))
}

#[ntex::main]
async fn main() -> std::io::Result<()> {
    let idle = Seconds(IDLE.as_secs() as u16);
    let http = HttpServiceConfig::new().set_keepalive_timeout(idle);
    web::server(async || {
        App::new()
            .route("/plaintext", web::get().to(hello))
            .route("/echo", web::post().to(echo))
            .route("/chunks/64/1024", web::get().to(chunks))
            .route("/bytes/1048576", web::get().to(bytes))
            .route("/bytes/268435456", web::get().to(large))
            .route("/sink", web::post().to(sink))
    })
    .workers(1)
    .config(SharedCfg::new("peers").add(http))
    .listen(listen()?)?
    .run()
    .await
}
