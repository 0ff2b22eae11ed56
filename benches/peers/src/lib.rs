//! What the peers have in common: the routes and fields of the example `workload`, as each peer's own documents say to
//! serve them. One thread each, every default kept.

use std::io;
use std::net::TcpListener;

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

/// Listens on a free port of 127.0.0.1, and says on which.
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}
