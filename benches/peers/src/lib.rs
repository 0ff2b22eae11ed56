//! What the peers have in common: the routes and fields of the example `workload`, as each peer's own documents say to
//! serve them, and the flags and the report of the example `load`. One thread each, every default kept but the time of
//! an idle connection where it is short.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

pub mod load;
pub mod tls;

/// The answer to `GET /plaintext`.
pub const HELLO: &str = "Hello, World!";

/// The field `Server`: as long as that of `workload`.
pub const SERVER: &str = "http-actors";

/// Chunks in the answer to `GET /chunks/64/1024`.
pub const CHUNKS: usize = 64;

/// One of them.
pub static CHUNK: [u8; 1 << 10] = [b'x'; 1 << 10];

/// The answer to `GET /bytes/1048576`.
pub static MEBIBYTE: [u8; 1 << 20] = [b'x'; 1 << 20];

/// The length of the answer to `GET /bytes/268435456`.
pub const LARGE: usize = 256 << 20;

/// What it is made of, as that of `workload`.
pub static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];

/// The time of an idle connection: that of `workload`.
pub const IDLE: Duration = Duration::from_secs(75);

/// Listens on a free port of 127.0.0.1, and says on which.
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}
