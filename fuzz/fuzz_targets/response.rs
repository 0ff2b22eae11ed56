//! Any bytes give a client the same responses, or the same error, in whatever pieces they come, and never a panic.
#![cfg_attr(fuzzing, no_main)]

use bytes::BytesMut;
use http_actors::codec::{Frame, HttpCodec};
use http_actors::{Method, Payload};
use http_actors_fuzz::{read_in_any_pieces, rules, target};
use tokio_util::codec::Encoder as _;

/// What was asked: one of these, and a GET behind it.
const METHODS: [Method; 4] = [Method::GET, Method::HEAD, Method::OPTIONS, Method::CONNECT];

fn run(data: &[u8]) {
    let Some((flags, bytes)) = data.split_first() else {
        return;
    };
    let (limits, leniency) = rules(flags & 15);
    let method = &METHODS[usize::from(flags >> 4 & 3)];
    let codec = || {
        let mut codec = HttpCodec::client(limits.clone(), leniency);
        for method in [method, &Method::GET] {
            ask(method, &mut codec);
        }
        codec
    };
    read_in_any_pieces(codec, &limits, bytes);
}

fn ask(method: &Method, codec: &mut HttpCodec) {
    let url: &str = if *method == Method::CONNECT {
        "a:80"
    } else {
        "http://a/"
    };
    let mut request = Payload::request(method.clone(), url.parse().expect("a URL"));
    if *method == Method::OPTIONS {
        request = request.header("Upgrade", "x");
    }
    let asked = codec.encode(Frame::Head(request), &mut BytesMut::new());
    asked.expect("a request can be sent");
}

target!(run);
