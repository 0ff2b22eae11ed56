//! The harness of the session tests: a session over a pipe, its peer, and a handler that records.
#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

#[cfg(feature = "rustls")]
pub(crate) mod tls;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use actix::Addr;
pub(crate) use http_actors::test_util::{FarEnd as Peer, Heard, Pipe, Recorder};
use http_actors::{HttpSession, Payload, SessionContext, SessionOptions};

/// A session on one end of a pipe, and the other end for the test.
pub(crate) struct Served {
    pub(crate) session: Addr<HttpSession>,
    pub(crate) peer: Peer,
    pub(crate) heard: Heard,
}

/// Serves a pipe with the recording handler.
pub(crate) fn serve(script: impl Fn(Payload, &mut SessionContext) + 'static) -> Served {
    serve_with(SessionOptions::default(), 1 << 20, script)
}

/// Serves a pipe of this capacity, so options.
pub(crate) fn serve_with(
    options: SessionOptions,
    capacity: usize,
    script: impl Fn(Payload, &mut SessionContext) + 'static,
) -> Served {
    let (peer, near) = Peer::open(Pipe::new().capacity(capacity));
    let (session, heard) = accept(near, options, script);
    Served {
        session,
        peer,
        heard,
    }
}

/// Serves any connection with the recording handler.
pub(crate) fn accept<T>(
    io: T,
    options: SessionOptions,
    script: impl Fn(Payload, &mut SessionContext) + 'static,
) -> (Addr<HttpSession>, Heard)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (factory, heard) = Recorder::script(script);
    (HttpSession::accept(io, &factory, options), heard)
}

/// A connection over loopback TCP: the accepted end and the connecting end.
pub(crate) async fn tcp_pair() -> (tokio::net::TcpStream, tokio::net::TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let (near, far) = tokio::join!(listener.accept(), tokio::net::TcpStream::connect(address));
    (near.expect("accepted").0, far.expect("connected"))
}

/// A path for a Unix socket, of this call alone.
pub(crate) fn socket_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("http-actors-{}-{next}", std::process::id()))
}
