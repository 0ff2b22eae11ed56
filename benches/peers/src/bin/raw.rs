//! The floor: it looks for the end of each head and writes what was made before. It knows that a POST to /echo brings
//! 1 KiB, and one to /sink 16 MiB or chunks of `x`.

use std::io;
use std::time::SystemTime;

use http_actors_peers::{CHUNK, CHUNKS, HELLO, LARGE, MEBIBYTE, PIECE, SERVER, listen};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const POSTED: usize = 1 << 10;

const UPLOADED: usize = 16 << 20;

struct Answers {
    hello: Vec<u8>,
    echo: Vec<u8>,
    chunks: Vec<u8>,
    bytes: Vec<u8>,
    large: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        let date = httpdate::fmt_http_date(SystemTime::now());
        let head = |fields: String| {
            format!("HTTP/1.1 200 OK\r\nServer: {SERVER}\r\n{fields}Date: {date}\r\n\r\n")
                .into_bytes()
        };
        let length = |length: usize| format!("Content-Length: {length}\r\n");
        let mut hello = head(format!(
            "Content-Type: text/plain\r\n{}",
            length(HELLO.len())
        ));
        hello.extend_from_slice(HELLO.as_bytes());
        let mut chunks = head("Transfer-Encoding: chunked\r\n".to_owned());
        for _ in 0..CHUNKS {
            chunks.extend_from_slice(format!("{:x}\r\n", CHUNK.len()).as_bytes());
            chunks.extend_from_slice(&CHUNK);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        Self {
            hello,
            echo: head(length(POSTED)),
            chunks,
            bytes: head(length(MEBIBYTE.len())),
            large: head(length(LARGE)),
        }
    }
}

/// Reads on until the body is over, of which `rest` was read.
async fn sink(socket: &mut TcpStream, head: &[u8], rest: &[u8]) -> io::Result<()> {
    let chunked = memmem::find(head, b"chunked").is_some();
    let mut buf = vec![0; 256 << 10];
    let (mut bytes, mut over) = (rest.len(), rest.ends_with(b"\r\n0\r\n\r\n"));
    while !(if chunked { over } else { bytes >= UPLOADED }) {
        let read = socket.read(&mut buf).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes += read;
        over = buf[..read].ends_with(b"0\r\n\r\n");
    }
    Ok(())
}

/// Writes the same piece this many times, as the body after what was written.
async fn repeat(socket: &mut TcpStream, piece: &[u8], times: usize) -> io::Result<()> {
    for _ in 0..times {
        socket.write_all(piece).await?;
    }
    Ok(())
}

async fn serve(mut socket: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut input = Vec::new();
    let mut output = Vec::new();
    loop {
        input.reserve(8 << 10);
        if socket.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        let mut rest = &input[..];
        let mut close = false;
        let mut body_behind: (&[u8], usize) = (b"", 0);
        while let Some(end) = memmem::find(rest, b"\r\n\r\n") {
            let (head, body) = rest.split_at(end + 4);
            close = memmem::find(head, b"onnection: close").is_some();
            match head {
                [b'P', b'O', b'S', b'T', b' ', b'/', b's', ..] => {
                    sink(&mut socket, head, body).await?;
                    output.extend_from_slice(&answers.hello);
                    rest = b"";
                    break;
                }
                [b'P', ..] if body.len() < POSTED => break,
                [b'P', ..] => {
                    output.extend_from_slice(&answers.echo);
                    output.extend_from_slice(&body[..POSTED]);
                }
                [b'G', b'E', b'T', b' ', b'/', b'c', ..] => {
                    output.extend_from_slice(&answers.chunks)
                }
                [b'G', b'E', b'T', b' ', b'/', b'b', ..] => {
                    if head.starts_with(b"GET /bytes/1048576 ") {
                        output.extend_from_slice(&answers.bytes);
                        body_behind = (&MEBIBYTE, 1);
                    } else {
                        output.extend_from_slice(&answers.large);
                        body_behind = (&PIECE, LARGE / PIECE.len());
                    }
                }
                _ => output.extend_from_slice(&answers.hello),
            }
            rest = if head[0] == b'P' {
                &body[POSTED..]
            } else {
                body
            };
        }
        let taken = input.len() - rest.len();
        input.drain(..taken);
        socket.write_all(&output).await?;
        let (piece, times) = body_behind;
        repeat(&mut socket, piece, times).await?;
        output.clear();
        if close {
            return socket.shutdown().await;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let answers: &'static Answers = Box::leak(Box::new(Answers::new()));
    let listener = TcpListener::from_std(listen()?)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(serve(socket, answers));
    }
}
