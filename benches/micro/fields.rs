//! `Headers` by themselves: making, finding, going through.

use divan::{Bencher, black_box};
use http_actors::{Headers, Payload, StatusCode};

const LENGTHS: [usize; 4] = [1, 4, 16, 64];

fn fields(length: usize) -> Headers {
    let mut fields = Headers::new();
    for nth in 0..length {
        fields
            .append(format!("X-Field-{nth}"), "a value of some length")
            .expect("a field");
    }
    fields
}

#[divan::bench(args = LENGTHS)]
fn find_last(bencher: Bencher<'_, '_>, length: usize) {
    let fields = fields(length);
    let name = format!("x-field-{}", length - 1);
    bencher.bench_local(|| black_box(&fields).get(black_box(&name)).map(<[u8]>::len));
}

#[divan::bench(args = LENGTHS)]
fn miss(bencher: Bencher<'_, '_>, length: usize) {
    let fields = fields(length);
    bencher.bench_local(|| black_box(&fields).contains(black_box("x-field-n")));
}

#[divan::bench(args = LENGTHS)]
fn go_through(bencher: Bencher<'_, '_>, length: usize) {
    let fields = fields(length);
    let sum = |sum, (name, value): (&str, &[u8])| sum + name.len() + value.len();
    bencher.bench_local(|| black_box(&fields).iter().fold(0, sum));
}

/// A response with three fields and a body, as a handler makes it.
#[divan::bench]
fn response() -> Payload {
    Payload::response(black_box(StatusCode::OK))
        .header("Server", "http-actors")
        .header("Content-Type", "text/plain")
        .body("Hello, World!")
}
