//! actix-web 4, with one worker.

use std::convert::Infallible;

use actix_web::http::header::SERVER as SERVER_FIELD;
use actix_web::{App, HttpResponse, HttpResponseBuilder, HttpServer, web};
use bytes::Bytes;
use futures_util::stream;
use http_actors_peers::{CHUNK, CHUNKS, HELLO, MEBIBYTE, SERVER, listen};

fn ok() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((SERVER_FIELD, SERVER));
    response
}

async fn hello() -> HttpResponse {
    ok().content_type("text/plain").body(HELLO)
}

/// A streamed echo would close the connection.
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

fn main() -> std::io::Result<()> {
    let app = || {
        App::new()
            .route("/plaintext", web::get().to(hello))
            .route("/echo", web::post().to(echo))
            .route("/chunks/64/1024", web::get().to(chunks))
            .route("/bytes/1048576", web::get().to(bytes))
    };
    actix_web::rt::System::new().block_on(async {
        HttpServer::new(app)
            .workers(1)
            .listen(listen()?)?
            .run()
            .await
    })
}
