//! ntex, on tokio, with one worker.

use std::convert::Infallible;

use futures_util::stream;
use http_actors_peers::{CHUNK, CHUNKS, HELLO, MEBIBYTE, SERVER, listen};
use ntex::http::ResponseBuilder;
use ntex::http::header::SERVER as SERVER_FIELD;
use ntex::util::Bytes;
use ntex::web::{self, App, HttpResponse};

fn ok() -> ResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.header(SERVER_FIELD, SERVER);
    response
}

async fn hello() -> HttpResponse {
    ok().content_type("text/plain").body(HELLO)
}

async fn echo(body: Bytes) -> HttpResponse {
    ok().body(body)
}

async fn chunks() -> HttpResponse {
    let chunk = |_| Ok::<_, Infallible>(Bytes::from_static(&CHUNK));
    ok().streaming(stream::iter((0..CHUNKS).map(chunk)))
}

async fn bytes() -> HttpResponse {
    ok().body(Bytes::from_static(&MEBIBYTE))
}

#[ntex::main]
async fn main() -> std::io::Result<()> {
    web::server(async || {
        App::new()
            .route("/plaintext", web::get().to(hello))
            .route("/echo", web::post().to(echo))
            .route("/chunks/64/1024", web::get().to(chunks))
            .route("/bytes/1048576", web::get().to(bytes))
    })
    .workers(1)
    .listen(listen()?)?
    .run()
    .await
}
