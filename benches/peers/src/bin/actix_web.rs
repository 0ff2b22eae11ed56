//! actix-web 4, with one worker.

use std::convert::Infallible;

use actix_web::body::SizedStream;
use actix_web::http::header::SERVER as SERVER_FIELD;
use actix_web::{App, HttpResponse, HttpResponseBuilder, HttpServer, web};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};
use http_actors_peers::{CHUNK, CHUNKS, HELLO, IDLE, LARGE, MEBIBYTE, PIECE, SERVER, listen};

fn ok() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((SERVER_FIELD, SERVER));
    response
}

fn pieces(piece: &'static [u8], count: usize) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let piece = move |_| Ok(Bytes::from_static(piece));
    stream::iter((0..count).map(piece))
}

async fn hello() -> HttpResponse {
    ok().content_type("text/plain").body(HELLO)
}

/// A streamed echo would close the connection.
async fn echo(body: Bytes) -> HttpResponse {
    ok().body(body)
}

async fn chunks() -> HttpResponse {
    ok().streaming(pieces(&CHUNK, CHUNKS))
}

async fn bytes() -> HttpResponse {
    ok().body(Bytes::from_static(&MEBIBYTE))
}

async fn large() -> HttpResponse {
    let pieces = pieces(&PIECE, LARGE / PIECE.len());
    ok().body(SizedStream::new(LARGE as u64, pieces))
}

async fn sink(mut body: web::Payload) -> actix_web::Result<HttpResponse> {
    let mut bytes = 0;
    while let Some(data) = body.try_next().await? {
        bytes += data.len();
    }
    Ok(ok().body(format!("{bytes}\n")))
}

fn main() -> std::io::Result<()> {
    let app = || {
        App::new()
            .route("/plaintext", web::get().to(hello))
            .route("/echo", web::post().to(echo))
            .route("/chunks/64/1024", web::get().to(chunks))
            .route("/bytes/1048576", web::get().to(bytes))
            .route("/bytes/268435456", web::get().to(large))
            .route("/sink", web::post().to(sink))
    };
    actix_web::rt::System::new().block_on(async {
        HttpServer::new(app)
            .workers(1)
            .keep_alive(IDLE)
            .listen(listen()?)?
            .run()
            .await
    })
}
