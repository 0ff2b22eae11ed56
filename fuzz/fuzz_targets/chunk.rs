//! A chunked body is the same data and trailers in whatever pieces it comes, and still is when it is encoded again.
#![cfg_attr(fuzzing, no_main)]

use bytes::{Bytes, BytesMut};
use http_actors::codec::{Frame, HttpCodec};
use http_actors::{Headers, Leniency, Limits, Payload};
use http_actors_fuzz::{Event, read, read_in_any_pieces, rules, target};
use tokio_util::codec::Encoder as _;

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn run(data: &[u8]) {
    let Some((flags, body)) = data.split_first() else {
        return;
    };
    let (limits, leniency) = rules(*flags);
    let codec = || HttpCodec::server(limits.clone(), leniency);
    let events = read_in_any_pieces(codec, &limits, &[HEAD, body].concat());
    let (data, trailers) = match &events[1..] {
        [Event::End(trailers), ..] => (Vec::new(), trailers),
        [Event::Data(data), Event::End(trailers), ..] => (data.clone(), trailers),
        _ => return,
    };
    let mut expected = vec![Event::End(trailers.clone())];
    if !data.is_empty() {
        expected.insert(0, Event::Data(data.clone()));
    }
    let codec = HttpCodec::server(Limits::default(), Leniency::default());
    let again = read(codec, &Limits::default(), &[&encoded(data, trailers)]);
    assert_eq!(again[1..], expected);
}

fn encoded(data: Vec<u8>, trailers: &[(String, Vec<u8>)]) -> BytesMut {
    let mut codec = HttpCodec::client(Limits::default(), Leniency::default());
    let mut out = BytesMut::new();
    let mut fields = Headers::new();
    for (name, value) in trailers {
        fields
            .append(name, value)
            .expect("received, so can be sent");
    }
    let request = Payload::post("http://a/").expect("a URL").chunked();
    for frame in [
        Frame::Head(request),
        Frame::Data(Bytes::from(data)),
        Frame::End(Some(fields)),
    ] {
        codec
            .encode(frame, &mut out)
            .expect("received, so can be sent");
    }
    out
}

target!(run);
