//! The wire floor by its public door, `HttpCodec`: no actor, no socket.

use bytes::BytesMut;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use http_actors::codec::{Frame, HttpCodec};
use http_actors::{Leniency, Limits, Payload, StatusCode};
use tokio_util::codec::{Decoder as _, Encoder as _};

/// As many as a codec reads ahead of their answers.
const REQUESTS: u64 = 64;

const CHUNKS: usize = 64;
const CHUNK: [u8; 1 << 10] = [b'x'; 1 << 10];

const SHORT: &str = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
const BROWSER: &str = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n\
    Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: none\r\nCache-Control: max-age=0\r\nCookie: session=0123456789abcdef; theme=dark\r\n\r\n";

fn server() -> HttpCodec {
    HttpCodec::server(Limits::default(), Leniency::default())
}

/// A codec and what it is to read: the nth request as `head` says.
fn input(head: impl Fn(u64) -> String) -> (HttpCodec, BytesMut) {
    let heads: String = (0..REQUESTS).map(head).collect();
    (server(), BytesMut::from(heads.as_str()))
}

/// Reads all frames, and returns how many there are.
fn read(codec: &mut HttpCodec, bytes: &mut BytesMut) -> u64 {
    let mut frames = 0;
    while black_box(codec.decode(bytes).expect("a frame")).is_some() {
        frames += 1;
    }
    frames
}

fn decode(bencher: Bencher<'_, '_>, head: impl Fn(u64) -> String) {
    bencher
        .counter(ItemsCount::new(REQUESTS))
        .with_inputs(|| input(&head))
        .bench_local_refs(|(codec, bytes)| assert_eq!(read(codec, bytes), REQUESTS));
}

#[divan::bench]
fn decode_same(bencher: Bencher<'_, '_>) {
    decode(bencher, |_| SHORT.to_owned());
}

#[divan::bench]
fn decode_same_12_fields(bencher: Bencher<'_, '_>) {
    decode(bencher, |_| BROWSER.to_owned());
}

#[divan::bench]
fn decode_different(bencher: Bencher<'_, '_>) {
    let head = |nth| format!("{}X-Request-Id: {nth}\r\n\r\n", &SHORT[..SHORT.len() - 2]);
    decode(bencher, head);
}

#[divan::bench]
fn decode_different_12_fields(bencher: Bencher<'_, '_>) {
    let head = |nth| BROWSER.replace("0123456789abcdef", &format!("{nth:016x}"));
    decode(bencher, head);
}

#[divan::bench]
fn decode_chunks(bencher: Bencher<'_, '_>) {
    let mut upload =
        b"POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..CHUNKS {
        upload.extend_from_slice(b"400\r\n");
        upload.extend_from_slice(&CHUNK);
        upload.extend_from_slice(b"\r\n");
    }
    upload.extend_from_slice(b"0\r\n\r\n");
    bencher
        .counter(BytesCount::new(upload.len()))
        .with_inputs(|| (server(), BytesMut::from(&upload[..])))
        .bench_local_refs(|(codec, bytes)| assert!(read(codec, bytes) > 1));
}

#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(REQUESTS))
        .with_inputs(|| {
            let (mut codec, mut bytes) = input(|_| SHORT.to_owned());
            read(&mut codec, &mut bytes);
            let answer = || {
                Payload::response(StatusCode::OK)
                    .header("Server", "http-actors")
                    .header("Content-Type", "text/plain")
                    .body("Hello, World!")
            };
            let answers: Vec<_> = (0..REQUESTS).map(|_| answer()).collect();
            (codec, answers, BytesMut::with_capacity(64 << 10))
        })
        .bench_local_refs(|(codec, answers, output)| {
            for answer in answers.drain(..) {
                codec
                    .encode(Frame::Head(answer), output)
                    .expect("an answer");
            }
        });
}
