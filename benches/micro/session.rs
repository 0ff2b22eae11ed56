//! A session on one thread: the hop of a message, and whole exchanges over a pipe in memory.

use std::rc::Rc;

use actix::{Addr, System, SystemRunner};
use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use http_actors::message::Inspect;
use http_actors::{HttpHandler, HttpSession, Payload, SessionContext, SessionOptions, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// Of a sample, so that entering the event loop is a small part of it.
const TIMES: usize = 64;

const GET: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

struct Hello;

impl HttpHandler for Hello {
    fn apply(&mut self, _request: Payload, session: &mut SessionContext) {
        let answer = Payload::response(StatusCode::OK)
            .header("Server", "http-actors")
            .header("Content-Type", "text/plain")
            .body(Bytes::from_static(b"Hello, World!"));
        session.respond(answer);
    }
}

/// A session and the other end of its connection.
fn session() -> (SystemRunner, Addr<HttpSession>, DuplexStream) {
    let system = System::new();
    let (near, far) = tokio::io::duplex(64 << 10);
    let options = SessionOptions::default();
    let session = system.block_on(async { HttpSession::accept(near, &|_session| Hello, options) });
    (system, session, far)
}

#[divan::bench]
fn hop(bencher: Bencher<'_, '_>) {
    let (system, session, _far) = session();
    bencher.counter(ItemsCount::new(TIMES)).bench_local(|| {
        system.block_on(async {
            for _ in 0..TIMES {
                session.send(Inspect).await.expect("a session");
            }
        });
    });
}

#[divan::bench(args = [1, 16])]
fn exchange(bencher: Bencher<'_, '_>, pipeline: usize) {
    let (system, _session, mut far) = session();
    let requests = Rc::new(GET.repeat(pipeline));
    let length = system.block_on(first_answer(&mut far));
    let mut answers = vec![0; length * pipeline];
    bencher.counter(ItemsCount::new(TIMES)).bench_local(|| {
        system.block_on(async {
            for _ in 0..TIMES / pipeline {
                far.write_all(&requests).await.expect("a session");
                far.read_exact(&mut answers).await.expect("answers");
                assert!(answers.starts_with(b"HTTP/1.1 200 "), "an answer");
            }
        });
    });
}

/// Its length: all others have the same.
async fn first_answer(far: &mut DuplexStream) -> usize {
    far.write_all(GET).await.expect("a session");
    let mut answer = Vec::new();
    while !answer.ends_with(b"Hello, World!") {
        far.read_buf(&mut answer).await.expect("an answer");
    }
    answer.len()
}
