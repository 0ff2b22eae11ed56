//! What sessions are held to.

use bytes::BytesMut;
use http_actors::codec::{CodecError, Frame, HttpCodec};
use http_actors::error::WireError;
use http_actors::{Leniency, Limits, Method, Payload};
use tokio_util::codec::{Decoder as _, Encoder as _};

/// The status, and the number unless it is a refusal.
pub type Answer = (u16, Option<String>);

/// The answers to requests of these methods; `None` if something else was said. Where `cut`, the last may not be whole.
pub fn answers<'a>(
    said: &[u8],
    methods: impl Iterator<Item = &'a str>,
    cut: bool,
) -> Option<Vec<Answer>> {
    let mut codec = HttpCodec::client(Limits::default(), Leniency::default());
    for method in methods {
        let url = if method == "CONNECT" {
            "a:80"
        } else {
            "http://a/"
        };
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = Payload::request(method, url.parse().expect("a URL"));
        let asked = codec.encode(Frame::Head(request), &mut BytesMut::new());
        asked.expect("a request");
    }
    let (mut answers, mut said) = (Vec::new(), BytesMut::from(said));
    loop {
        match codec.decode_eof(&mut said) {
            Ok(Some(Frame::Head(head))) => {
                let status = head.status().expect("a response");
                let number = head.headers().text("number").map(str::to_owned);
                if !status.is_informational() {
                    answers.push((status.as_u16(), number));
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => return Some(answers),
            Err(CodecError::Wire(WireError::Truncated)) if cut => return Some(answers),
            Err(_) => return None,
        }
    }
}

/// Whether a line of a recorder is the end of an exchange.
pub fn is_end(line: &str) -> bool {
    ["completed ", "cancelled ", "failed "]
        .iter()
        .any(|end| line.starts_with(end))
}

/// Between an `apply` and its end comes no other, and nothing of a message comes outside. Returns the second words of the
/// `apply` lines: methods.
pub fn each_ends_once(heard: &[String]) -> Vec<String> {
    let (mut begun, mut open) = (Vec::new(), false);
    for line in heard {
        let word = line.split(' ').next().unwrap_or_default();
        match word {
            "apply" => {
                assert!(!open, "{heard:#?}");
                open = true;
                begun.extend(line.split(' ').nth(1).map(str::to_owned));
            }
            "chunk" | "trailers" | "finished" => assert!(open, "{heard:#?}"),
            _ if is_end(line) => open = false,
            _ => {}
        }
    }
    assert!(!open, "{heard:#?}");
    begun
}
