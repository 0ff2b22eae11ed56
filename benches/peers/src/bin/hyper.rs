//! hyper 1; with `--pipeline-flush`, one write for the answers of a pipeline.

use std::error::Error;
use std::io;

use bytes::Bytes;
use futures_util::stream;
use http_actors_peers::{CHUNK, CHUNKS, HELLO, MEBIBYTE, SERVER, listen};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

async fn answer(
    request: Request<Incoming>,
) -> hyper::Result<Response<impl Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>>> {
    let whole = |data| Either::Left(Full::new(Bytes::from_static(data)));
    let mut response = Response::new(whole(b""));
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/plaintext") => {
            *response.body_mut() = whole(HELLO.as_bytes());
            let kind = HeaderValue::from_static("text/plain");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        (&Method::POST, "/echo") => {
            *response.body_mut() = Either::Right(Either::Left(request.into_body()));
        }
        (&Method::GET, "/chunks/64/1024") => {
            let chunk = |_| Ok::<_, hyper::Error>(Frame::data(Bytes::from_static(&CHUNK)));
            let chunks = stream::iter((0..CHUNKS).map(chunk));
            *response.body_mut() = Either::Right(Either::Right(StreamBody::new(chunks)));
        }
        (&Method::GET, "/bytes/1048576") => *response.body_mut() = whole(&MEBIBYTE),
        _ => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    let server = HeaderValue::from_static(SERVER);
    response.headers_mut().insert(header::SERVER, server);
    Ok(response)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new()) // without, it has no deadline
        .pipeline_flush(std::env::args().any(|flag| flag == "--pipeline-flush"));
    let listener = TcpListener::from_std(listen()?)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(builder.serve_connection(TokioIo::new(socket), service_fn(answer)));
    }
}
