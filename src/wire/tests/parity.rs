//! A malformed byte is tried at every position where it can stand, and the two readers of field lines are held to one
//! verdict.

use super::harness::{Event, Feed, transcript};
use crate::error::WireError;
use crate::payload::Block;
use crate::wire::field;
use crate::wire::host::HostPort;
use crate::wire::line::{Bounds, Scan};
use crate::wire::{Leniency, Limits, Rules};

/// Requests of every form that a byte can be put into. Each is complete and ends with a line end.
const REQUESTS: [&str; 5] = [
    "GET /a?b HTTP/1.1\r\nHost: a.b:80\r\nAccept: */*\r\n\r\n",
    "GET http://a.b/c HTTP/1.1\r\nHost: a.b\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n0\r\nA: b\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

/// Feeds and says how it ended: an error, or else whether something is missing.
fn verdict(bytes: &[u8]) -> Option<WireError> {
    let mut feed = Feed::requests(&Rules::default());
    feed.push(bytes);
    feed.close();
    match feed.events.last() {
        Some(Event::Error(error)) => Some(*error),
        _ => None,
    }
}

fn with(text: &str, at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.insert(at, byte);
    bytes
}

#[test]
fn the_requests_themselves_are_good() {
    for request in REQUESTS {
        assert_eq!(verdict(request.as_bytes()), None, "{request:?}");
    }
}

#[test]
fn p181_control_bytes_are_refused_everywhere() {
    for request in REQUESTS {
        for byte in [0, 1, 0x0b, 0x0c, 0x1f, 0x7f, b'\r', b'\n'] {
            for at in 0..request.len() {
                let bytes = with(request, at, byte);
                assert!(
                    verdict(&bytes).is_some(),
                    "{:?}",
                    bytes.escape_ascii().to_string()
                );
            }
        }
    }
}

#[test]
fn b20_a_lost_byte_of_a_line_end_is_noticed_everywhere() {
    for request in REQUESTS {
        for at in 0..request.len() {
            if matches!(request.as_bytes()[at], b'\r' | b'\n') {
                let mut bytes = request.as_bytes().to_vec();
                bytes.remove(at);
                assert!(
                    verdict(&bytes).is_some(),
                    "{:?}",
                    bytes.escape_ascii().to_string()
                );
            }
        }
    }
}

#[test]
fn p181_p182_space_is_refused_outside_values() {
    for request in REQUESTS {
        let line_end = request.find("\r\n").unwrap();
        for byte in [b' ', b'\t'] {
            for at in 0..=line_end {
                assert!(
                    verdict(&with(request, at, byte)).is_some(),
                    "{request:?} at {at}"
                );
            }
            let mut start = line_end + 2;
            let head = request.find("\r\n\r\n").unwrap();
            while start < head {
                let colon = start + request[start..].find(':').unwrap();
                for at in start..=colon {
                    assert!(
                        verdict(&with(request, at, byte)).is_some(),
                        "{request:?} at {at}"
                    );
                }
                start += request[start..].find("\r\n").unwrap() + 2;
            }
        }
    }
}

#[test]
fn bytes_outside_ascii_are_refused_outside_values() {
    let request = REQUESTS[0];
    let value = request.find("*/*").unwrap();
    for byte in [0x80, 0xff] {
        for at in 0..request.len() {
            let good = (value..=value + 3).contains(&at) || at == value - 1;
            assert_eq!(
                verdict(&with(request, at, byte)).is_none(),
                good,
                "{request:?} at {at}"
            );
        }
    }
}

/// httparse and the rule in words agree on every byte at every place of a field line.
#[test]
fn p182_two_readers_one_verdict() {
    for line in ["Ab: cd", "A:b", "A:", "A: b c \t", "Content-Length:1"] {
        for at in 0..=line.len() {
            for byte in 0..=255_u8 {
                for replace in [false, true] {
                    let mut text = line.as_bytes().to_vec();
                    if !replace {
                        text.insert(at, byte);
                    } else if let Some(place) = text.get_mut(at) {
                        *place = byte;
                    }
                    agree(&text);
                }
            }
        }
    }
}

fn agree(line: &[u8]) {
    let section = [b"x: y\r\n", line, b"\r\n\r\n"].concat();
    let bounds = Bounds::head(&Limits::default(), Leniency::default());
    let mut scan = Scan::default();
    let Ok(fields) = scan.fields(&section, &bounds) else {
        return;
    };
    let fields = fields.unwrap();
    let mut block = Block::default();
    let fast = field::index(&fields, &mut block);
    let words: Result<Vec<_>, _> = fields
        .lines()
        .map(|line| line.and_then(field::field_line))
        .collect();
    match (fast, words) {
        (Ok(()), Ok(words)) => {
            let fast: Vec<_> = block.iter().collect();
            assert_eq!(fast, words, "{:?}", line.escape_ascii().to_string());
        }
        (Err(fast), Err(words)) => assert_eq!(fast, words),
        (fast, words) => panic!(
            "{fast:?} and {words:?} for {:?}",
            line.escape_ascii().to_string()
        ),
    }
}

/// `Uri` is a little stricter than VCHAR, which P181 asks for: it refuses bytes that no URI may contain (RFC 3986).
#[test]
fn p181_visible_bytes_in_a_target() {
    for (request, refused) in [
        ("GET /@ HTTP/1.1\r\nHost: a\r\n\r\n", "#<>`"),
        ("GET /?@ HTTP/1.1\r\nHost: a\r\n\r\n", "\"#<>"),
    ] {
        let bad: String = ('!'..='~')
            .filter(|byte| verdict(request.replace('@', &byte.to_string()).as_bytes()).is_some())
            .collect();
        assert_eq!(bad, refused, "{request:?}");
    }
}

/// `unreserved / sub-delims` of RFC 3986, and the colon between brackets.
#[test]
fn p185_every_byte_of_a_host() {
    for byte in u8::MIN..=u8::MAX {
        let listed = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte);
        let name = HostPort::parse(&[b'a', byte, b'b']).is_some();
        assert_eq!(name, listed, "{byte:#x}");
        let encoded = HostPort::parse(&[b'%', b'2', b'0', byte]).is_some();
        assert_eq!(encoded, listed || byte == b':', "{byte:#x}: an empty port");
        let literal = HostPort::parse(&[b'[', b'v', b'1', b'.', byte, b'a', b']']).is_some();
        assert_eq!(literal, listed || byte == b':', "{byte:#x}");
    }
}

#[test]
fn b5_an_error_is_final() {
    let mut feed = Feed::requests(&Rules::default());
    feed.push(b"GET / HTTP/1.1\nHost: a\r\n\r\n");
    assert_eq!(transcript(&feed.events), ["error BareLf"]);
    for _ in 0..2 {
        assert_eq!(
            feed.decoder
                .decode(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap_err(),
            WireError::BareLf
        );
    }
    assert_eq!(feed.decoder.eof(0).unwrap_err(), WireError::BareLf);
}
