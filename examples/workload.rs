//! The server behind the benchmarks, and behind the conformance and fault tests. Look at `Body`: how a handler sends a
//! body of any length in constant memory, and how it stops reading an upload while its echo is not taken.
//!
//! It listens, then prints `listening on ADDR`, which scripts read; with `--cert` and `--key` it serves HTTPS. SIGTERM
//! ends it with exit code 0. Routes (the query is ignored, HEAD works wherever GET does):
//!
//! | route | answer |
//! | --- | --- |
//! | `GET /plaintext` | `Hello, World!` |
//! | `POST` or `PUT /echo` | the body, streamed back while it arrives |
//! | `POST /sink` | the length of the body |
//! | `GET /bytes/N` | N bytes with Content-Length |
//! | `GET /chunks/N/S` | N chunks of S bytes |
//! | `GET /hints` | 103 with a Link, then `hinted` |
//! | `GET /trailers` | a chunk and a trailer field |
//! | `GET /204` | 204 |
//! | anything else | the fallback status, after the request's body |

use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use http_actors::message::Drain;
use http_actors::{
    Cancelled, Exchange, Failure, Headers, HttpHandler, HttpServer, MessageId, Method, Payload,
    Room, SessionContext, StatusCode, Timeouts, TransferMode,
};
use listenfd::ListenFd;

/// A server for benchmarks, conformance and fault runs.
#[derive(Debug, Clone, Parser)]
struct Flags {
    /// Port on 127.0.0.1; 0 picks one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Listen beside another process on that port
    #[arg(long)]
    share_port: bool,
    /// Listen on the sockets that the service manager passes instead
    #[arg(long)]
    listen_fds: bool,
    /// Arbiters that serve
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Status of what is not routed
    #[arg(long, default_value_t = 404, value_parser = fallback)]
    fallback_status: u16,
    /// Time for a whole request head
    #[arg(long)]
    header_timeout_ms: Option<u64>,
    /// Silence in a request body
    #[arg(long)]
    body_timeout_ms: Option<u64>,
    /// Time without a request
    #[arg(long)]
    idle_timeout_ms: Option<u64>,
    /// Output without progress
    #[arg(long)]
    write_timeout_ms: Option<u64>,
    /// Connections served at once
    #[arg(long)]
    max_connections: Option<usize>,
    /// Time for requests in flight at the end
    #[arg(long)]
    grace_ms: Option<u64>,
    /// Certificates for HTTPS, the server's own first, in PEM
    #[cfg(feature = "rustls")]
    #[arg(long, requires = "key")]
    cert: Option<std::path::PathBuf>,
    /// The key of the server's own certificate, in PEM
    #[cfg(feature = "rustls")]
    #[arg(long, requires = "cert")]
    key: Option<std::path::PathBuf>,
}

fn fallback(text: &str) -> Result<u16, String> {
    match text {
        "200" => Ok(200),
        "404" => Ok(404),
        _ => Err("it is 200 or 404".to_owned()),
    }
}

/// What the answer to the current request still needs.
enum Body {
    Nothing,
    /// The request comes back as it arrives.
    Echo {
        trailers: Option<Headers>,
    },
    /// The request is counted, then answered.
    Count {
        bytes: u64,
    },
    /// The request is read, then answered with this status.
    Drain {
        status: StatusCode,
    },
    /// A chunk and a trailer field.
    Trailed,
    /// This many bytes, in chunks of this size.
    Bytes {
        left: u64,
        piece: Bytes,
    },
}

struct Workload {
    fallback: StatusCode,
    body: Body,
    muted: bool,
}

/// The content of bodies. An answer of up to this size is given whole.
static FILL: [u8; MEBIBYTE] = [b'x'; MEBIBYTE];
const MEBIBYTE: usize = 1 << 20;

/// Longer ones go in pieces of this size.
const PIECE: usize = 64 << 10;

/// Chunks up to this size are made.
const LARGEST_CHUNK: usize = 16 << 20;

fn ok() -> Payload {
    Payload::response(StatusCode::OK).header("Server", "http-actors")
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Payload {
    Payload::response(status)
        .header("Server", "http-actors")
        .header("Content-Type", "text/plain")
        .body(text)
}

impl Workload {
    fn route(&mut self, request: Payload, session: &mut SessionContext) {
        let get = matches!(*request.method(), Method::GET | Method::HEAD);
        if get && request.path() == "/plaintext" {
            return session.respond(text(StatusCode::OK, Bytes::from_static(b"Hello, World!")));
        }
        let mut path = request.path().split('/').skip(1);
        match (path.next(), path.next(), path.next(), path.next()) {
            (Some("204"), None, ..) if get => {
                session.respond(Payload::response(StatusCode::NO_CONTENT));
            }
            (Some("bytes"), Some(length), None, _) if get => match length.parse() {
                Ok(length) => self.bytes(length, session),
                Err(_) => self.fall_back(&request, session),
            },
            (Some("chunks"), Some(count), Some(size), None) if get => match chunks(count, size) {
                Some((left, piece)) => {
                    self.body = Body::Bytes { left, piece };
                    session.respond(ok().chunked());
                }
                None => self.fall_back(&request, session),
            },
            (Some("hints"), None, ..) if get => {
                let hints = Payload::response(StatusCode::EARLY_HINTS);
                session.respond(hints.header("Link", "</style.css>; rel=preload; as=style"));
                session.respond(text(StatusCode::OK, "hinted"));
            }
            (Some("trailers"), None, ..) if get => {
                self.body = Body::Trailed;
                session.respond(ok().header("Trailer", "X-Sum").chunked());
            }
            (Some("echo"), None, ..) if matches!(*request.method(), Method::POST | Method::PUT) => {
                self.echo(request, session);
            }
            (Some("sink"), None, ..) if *request.method() == Method::POST => {
                self.body = Body::Count {
                    bytes: request.body_bytes().len() as u64,
                };
                self.answer_oneshot(&request, session);
            }
            _ => self.fall_back(&request, session),
        }
    }

    fn bytes(&mut self, length: u64, session: &mut SessionContext) {
        if let Ok(size @ ..=MEBIBYTE) = usize::try_from(length) {
            return session.respond(ok().body(&FILL[..size]));
        }
        self.body = Body::Bytes {
            left: length,
            piece: Bytes::from_static(&FILL[..PIECE]),
        };
        session.respond(ok().length(length));
    }

    fn echo(&mut self, request: Payload, session: &mut SessionContext) {
        let mut answer = ok();
        if let Some(kind) = request.headers().get("content-type") {
            answer = answer.header("Content-Type", kind);
        }
        match request.mode() {
            TransferMode::Oneshot => session.respond(answer.body(request.into_body())),
            TransferMode::Stream | TransferMode::Chunked => {
                answer.set_length(request.body_size());
                self.body = Body::Echo { trailers: None };
                session.respond(answer);
            }
        }
    }

    fn fall_back(&mut self, request: &Payload, session: &mut SessionContext) {
        self.body = Body::Drain {
            status: self.fallback,
        };
        self.answer_oneshot(request, session);
    }

    /// Answers at once what has no more body to come.
    fn answer_oneshot(&mut self, request: &Payload, session: &mut SessionContext) {
        if request.mode() == TransferMode::Oneshot {
            self.finished(session);
        }
    }

    /// Sends as much as there is room for.
    fn pump(&mut self, session: &mut SessionContext) {
        let Body::Bytes { left, piece } = &mut self.body else {
            return;
        };
        while *left > 0 {
            let size = usize::try_from(*left)
                .unwrap_or(usize::MAX)
                .min(piece.len());
            let Ok(room) = session.send_chunk(piece.slice(..size)) else {
                return;
            };
            *left -= size as u64;
            if room == Room::Throttled {
                return;
            }
        }
        self.body = Body::Nothing;
        let _ = session.finish();
    }

    fn trail(&mut self, session: &mut SessionContext) {
        let mut trailers = Headers::new();
        let summed = trailers.append("X-Sum", "6");
        if summed.is_ok() && session.send_chunk("summed").is_ok() {
            let _ = session.finish_with(&trailers);
        }
        self.body = Body::Nothing;
    }

    fn forget(&mut self) {
        self.body = Body::Nothing;
        self.muted = false;
    }
}

/// The bytes of N chunks, and one chunk.
fn chunks(count: &str, size: &str) -> Option<(u64, Bytes)> {
    let (count, size): (u64, usize) = (count.parse().ok()?, size.parse().ok()?);
    let left = count
        .checked_mul(size as u64)
        .filter(|_| size <= LARGEST_CHUNK)?;
    let piece = if size <= FILL.len() {
        Bytes::from_static(&FILL).slice(..size)
    } else {
        vec![b'x'; size].into()
    };
    Some((left, piece))
}

impl HttpHandler for Workload {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        self.forget();
        self.route(request, session);
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        match &mut self.body {
            Body::Echo { .. } => {
                // A refusal means that the exchange is over, and its end is told.
                let _ = session.send_chunk(data);
            }
            Body::Count { bytes } => *bytes += data.len() as u64,
            Body::Nothing | Body::Drain { .. } | Body::Trailed | Body::Bytes { .. } => {}
        }
    }

    fn trailers(&mut self, fields: Headers, _session: &mut SessionContext) {
        if let Body::Echo { trailers } = &mut self.body {
            *trailers = Some(fields);
        }
    }

    fn finished(&mut self, session: &mut SessionContext) {
        match std::mem::replace(&mut self.body, Body::Nothing) {
            Body::Nothing => {}
            Body::Echo { trailers: None } => drop(session.finish()),
            Body::Echo {
                trailers: Some(trailers),
            } => drop(session.finish_with(&trailers)),
            Body::Count { bytes } => session.respond(text(StatusCode::OK, format!("{bytes}\n"))),
            Body::Drain { status } => session.respond(text(status, format!("{status}\n"))),
            body @ (Body::Trailed | Body::Bytes { .. }) => self.body = body,
        }
    }

    fn need_body(&mut self, _message: MessageId, session: &mut SessionContext) {
        match self.body {
            Body::Trailed => self.trail(session),
            _ => self.pump(session),
        }
    }

    fn throttled(&mut self, session: &mut SessionContext) {
        if matches!(self.body, Body::Echo { .. }) && !self.muted {
            self.muted = true;
            session.mute();
        }
    }

    fn unthrottled(&mut self, session: &mut SessionContext) {
        if std::mem::replace(&mut self.muted, false) {
            session.unmute();
        }
        self.pump(session);
    }

    fn completed(&mut self, _exchange: &Exchange, _session: &mut SessionContext) {
        self.forget();
    }

    fn cancelled(&mut self, _cancelled: &Cancelled, _session: &mut SessionContext) {
        self.forget();
    }

    fn failed(&mut self, _failure: &Failure, _session: &mut SessionContext) {
        self.forget();
    }
}

#[actix::main]
async fn main() -> std::io::Result<()> {
    let flags = Flags::parse();
    let mut timeouts = Timeouts::default();
    for (timeout, millis) in [
        (&mut timeouts.head, flags.header_timeout_ms),
        (&mut timeouts.body, flags.body_timeout_ms),
        (&mut timeouts.idle, flags.idle_timeout_ms),
        (&mut timeouts.write, flags.write_timeout_ms),
    ] {
        if let Some(millis) = millis {
            *timeout = Some(Duration::from_millis(millis));
        }
    }
    let fallback = StatusCode::from_u16(flags.fallback_status).unwrap_or(StatusCode::NOT_FOUND);
    let mut server = HttpServer::new(move |_session| Workload {
        fallback,
        body: Body::Nothing,
        muted: false,
    })
    .workers(flags.workers)
    .timeouts(timeouts)
    .share_port(flags.share_port);
    server = if flags.listen_fds {
        listen(server)?
    } else {
        bind(server, &flags)?
    };
    if let Some(connections) = flags.max_connections {
        server = server.max_connections(connections);
    }
    if let Some(millis) = flags.grace_ms {
        server = server.drain(Drain {
            deadline: Duration::from_millis(millis),
            ..Drain::default()
        });
    }
    let server = server.run();
    for address in server.addresses() {
        println!("listening on {address}");
    }
    server.await
}

/// Takes the sockets from the service manager: `LISTEN_FDS` of them, from descriptor 3 on.
fn listen(mut server: HttpServer) -> std::io::Result<HttpServer> {
    let mut passed = ListenFd::from_env();
    for index in 0..passed.len() {
        if let Some(listener) = passed.take_tcp_listener(index)? {
            server = server.listen(listener)?;
        }
    }
    Ok(server)
}

#[cfg(feature = "rustls")]
fn bind(server: HttpServer, flags: &Flags) -> std::io::Result<HttpServer> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let address = ("127.0.0.1", flags.port);
    let (Some(cert), Some(key)) = (&flags.cert, &flags.key) else {
        return server.bind(address);
    };
    let read = || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(key)?;
        Ok(rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)?)
    };
    server.bind_rustls(address, read().map_err(std::io::Error::other)?.into())
}

#[cfg(not(feature = "rustls"))]
fn bind(server: HttpServer, flags: &Flags) -> std::io::Result<HttpServer> {
    server.bind(("127.0.0.1", flags.port))
}
