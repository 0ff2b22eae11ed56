//! hyper 1; with `--pipeline-flush`, one write for the answers of a pipeline; with `--cert FILE --key FILE`, over
//! tokio-rustls.

use std::error::Error;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_actors_peers::{CHUNK, CHUNKS, HELLO, LARGE, MEBIBYTE, PIECE, SERVER, listen, tls};
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn pieces(piece: &'static [u8], count: usize) -> impl Stream<Item = hyper::Result<Frame<Bytes>>> {
    let piece = move |_| Ok(Frame::data(Bytes::from_static(piece)));
    stream::iter((0..count).map(piece))
}

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
            let chunks = StreamBody::new(pieces(&CHUNK, CHUNKS));
            *response.body_mut() = Either::Right(Either::Right(chunks));
        }
        (&Method::GET, "/bytes/268435456") => {
            let large = StreamBody::new(pieces(&PIECE, LARGE / PIECE.len()));
            *response.body_mut() = Either::Right(Either::Right(large));
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, LARGE.into());
        }
        (&Method::POST, "/sink") => {
            let mut body = request.into_body();
            let mut bytes = 0;
            while let Some(frame) = body.frame().await {
                bytes += frame?.data_ref().map_or(0, Bytes::len);
            }
            *response.body_mut() = Either::Left(Full::new(format!("{bytes}\n").into()));
        }
        (&Method::GET, "/bytes/1048576") => *response.body_mut() = whole(&MEBIBYTE),
        _ => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    let server = HeaderValue::from_static(SERVER);
    response.headers_mut().insert(header::SERVER, server);
    Ok(response)
}

async fn serve(builder: http1::Builder, socket: impl AsyncRead + AsyncWrite + Unpin) {
    // An error is a client that went away.
    let _ = builder
        .serve_connection(TokioIo::new(socket), service_fn(answer))
        .await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let acceptor = tls::config()?.map(TlsAcceptor::from);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new()) // without, it has no deadline
        .pipeline_flush(std::env::args().any(|flag| flag == "--pipeline-flush"));
    let listener = TcpListener::from_std(listen()?)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let builder = builder.clone();
        match acceptor.clone() {
            None => tokio::spawn(serve(builder, socket)),
            Some(acceptor) => tokio::spawn(async move {
                if let Ok(socket) = acceptor.accept(socket).await {
                    serve(builder, socket).await;
                }
            }),
        };
    }
}
