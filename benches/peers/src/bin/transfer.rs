//! A generator for large bodies, which it does not look at: `PORT upload|chunked|download BYTES CONNECTIONS REQUESTS`,
//! a thread each connection, so many requests on each.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

use http_actors_peers::PIECE;
use memchr::memmem;

#[derive(Clone, Copy)]
enum Way {
    Upload,
    Chunked,
    Download,
}

fn ask(stream: &mut TcpStream, way: Way, bytes: usize) -> io::Result<()> {
    let line = match way {
        Way::Download => format!("GET /bytes/{bytes} HTTP/1.1\r\n"),
        Way::Upload => format!("POST /sink HTTP/1.1\r\nContent-Length: {bytes}\r\n"),
        Way::Chunked => "POST /sink HTTP/1.1\r\nTransfer-Encoding: chunked\r\n".to_owned(),
    };
    stream.write_all(format!("{line}Host: 127.0.0.1\r\n\r\n").as_bytes())?;
    match way {
        Way::Upload => {
            for _ in 0..bytes / PIECE.len() {
                stream.write_all(&PIECE)?;
            }
        }
        Way::Chunked => {
            let size = format!("{:x}\r\n", PIECE.len());
            let chunk = [size.as_bytes(), &PIECE, b"\r\n"].concat();
            for _ in 0..bytes / PIECE.len() {
                stream.write_all(&chunk)?;
            }
            stream.write_all(b"0\r\n\r\n")?;
        }
        Way::Download => {}
    }
    Ok(())
}

/// Reads an answer with a length, and returns that.
fn answer(stream: &mut TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    let mut head = Vec::new();
    let end = loop {
        let read = stream.read(buf)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&buf[..read]);
        if let Some(at) = memmem::find(&head, b"\r\n\r\n") {
            break at + 4;
        }
    };
    let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
    let length = text
        .split_once("content-length: ")
        .and_then(|(_, rest)| rest.split_once("\r\n")?.0.parse().ok());
    let Some(length) = length.filter(|_| text.starts_with("http/1.1 200 ")) else {
        return Err(io::Error::other(text));
    };
    let mut left = length - (head.len() - end);
    while left > 0 {
        let read = stream.read(buf)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= read;
    }
    Ok(length)
}

fn run(port: u16, way: Way, bytes: usize, requests: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut buf = vec![0; 256 << 10];
    for _ in 0..requests {
        ask(&mut stream, way, bytes)?;
        let length = answer(&mut stream, &mut buf)?;
        if matches!(way, Way::Download) && length != bytes {
            return Err(io::Error::other("another length"));
        }
    }
    Ok(())
}

fn main() {
    let flags: Vec<_> = std::env::args().skip(1).collect();
    let [port, way, bytes, connections, requests] = &flags[..] else {
        panic!("PORT upload|chunked|download BYTES CONNECTIONS REQUESTS");
    };
    let way = match way.as_str() {
        "upload" => Way::Upload,
        "chunked" => Way::Chunked,
        _ => Way::Download,
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (bytes, requests) = (number(bytes), number(requests));
    let port = port.parse().expect("a port");
    let threads: Vec<_> = (0..number(connections))
        .map(|_| thread::spawn(move || run(port, way, bytes, requests)))
        .collect();
    for thread in threads {
        thread.join().expect("no panic").expect("an answer");
    }
}
