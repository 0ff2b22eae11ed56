//! The memory of the last head, in both directions: when it is used, what it shares, what it must look at again, and
//! that nobody can tell.

use std::sync::Arc;

use http::{StatusCode, Version};
use proptest::prelude::*;

use super::harness::{Feed, transcript};
use crate::payload::{Headers, Payload};
use crate::wire::{Answering, Decoder, Encoder, Item, Limits, Rules};

fn next(decoder: &mut Decoder, bytes: &[u8]) -> Payload {
    let step = decoder.decode(bytes).unwrap();
    assert_eq!(step.consumed, bytes.len());
    match step.item {
        Some(Item::Head(payload, _)) => payload,
        other => panic!("{other:?}"),
    }
}

fn shares(one: &Payload, other: &Payload) -> bool {
    Arc::ptr_eq(
        one.headers().shared().unwrap(),
        other.headers().shared().unwrap(),
    )
}

#[test]
fn the_same_head_again_is_shared() {
    let mut decoder = Decoder::requests(Arc::default());
    let one = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let two = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let three = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(shares(&one, &two) && shares(&one, &three));
    assert_eq!((two.path(), three.path()), ("/a", "/a"));
}

#[test]
fn the_same_fields_behind_another_line_are_shared() {
    let mut decoder = Decoder::requests(Arc::default());
    let one = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let two = next(&mut decoder, b"POST /b?c HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(shares(&one, &two));
    assert_eq!(
        (two.method().as_str(), two.path(), two.query()),
        ("POST", "/b", Some("c"))
    );
}

#[test]
fn other_fields_are_not() {
    let mut decoder = Decoder::requests(Arc::default());
    let one = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let two = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n");
    assert!(!shares(&one, &two));
    assert_eq!(one.headers().text("host"), Some("a"));
    assert_eq!(two.headers().text("host"), Some("b"));
}

#[test]
fn memory_that_nobody_holds_is_reused() {
    let mut decoder = Decoder::requests(Arc::default());
    let one = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let place = Arc::as_ptr(one.headers().shared().unwrap());
    drop(one);
    let two = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_eq!(Arc::as_ptr(two.headers().shared().unwrap()), place);
}

#[test]
fn a_changed_payload_does_not_change_the_memory() {
    let mut decoder = Decoder::requests(Arc::default());
    let mut one = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    one.headers_mut().append("X", "y").unwrap();
    let two = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(two.headers().len(), 1);
}

#[test]
fn p185_host_is_checked_again() {
    let mut feed = Feed::requests(&Rules::default());
    feed.push(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        transcript(&feed.events),
        ["GET /a HTTP/1.1", "error MismatchedHost"]
    );
}

#[test]
fn framing_is_decided_again() {
    let mut feed = Feed::requests(&Rules::default());
    feed.push(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    feed.push(b"PUT / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(
        transcript(&feed.events),
        [
            "PUT / HTTP/1.1 chunked",
            "end",
            "error TransferEncodingOnHttp10"
        ]
    );
}

#[test]
fn limits_hold_for_remembered_fields() {
    let limits = Limits {
        head: 50,
        ..Limits::default()
    };
    let mut feed = Feed::requests(&Rules {
        limits,
        ..Rules::default()
    });
    feed.push(b"GET / HTTP/1.1\r\nHost: a\r\nA: 0123456789\r\n\r\n");
    feed.push(b"GET /0123456789012345 HTTP/1.1\r\nHost: a\r\nA: 0123456789\r\n\r\n");
    assert_eq!(
        transcript(&feed.events),
        ["GET / HTTP/1.1", "error HeadTooLarge"]
    );
}

#[test]
fn large_heads_are_forgotten() {
    let mut decoder = Decoder::requests(Arc::default());
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n",
        "b".repeat(5000)
    );
    let one = next(&mut decoder, head.as_bytes());
    let two = next(&mut decoder, head.as_bytes());
    assert!(!shares(&one, &two));
    assert_eq!(Arc::strong_count(two.headers().shared().unwrap()), 1);
}

/// An answer of few that differ in everything that a head is made of, so that a random row of them repeats itself.
fn answer(pick: u16) -> (Payload, Headers, Answering, &'static [u8]) {
    let one_of = |bit: u16| pick >> bit & 1 == 1;
    let code = [200, 204, 304, 100][usize::from(pick & 3)];
    let mut lines = vec![("Server", "a"), ("X-One", "1")];
    lines.extend(one_of(2).then_some(("X-Two", "2")));
    lines.extend(one_of(3).then_some(("Connection", "close")));
    lines.extend(one_of(4).then_some(("Content-Length", "3")));
    if one_of(5) {
        lines.swap(0, 1);
    }
    let mut payload = Payload::response(StatusCode::from_u16(code).unwrap());
    let mut headers = Headers::new();
    for (name, value) in lines {
        payload = payload.header(name, value);
        headers.append(name, value).unwrap();
    }
    payload = match pick >> 6 & 3 {
        0 => payload.body("abc"),
        1 => payload.length(3),
        2 => payload.chunked(),
        _ => payload.reason("Fine"),
    };
    let answering = Answering {
        head: one_of(8),
        connect: one_of(9),
        version: if one_of(10) {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        },
        keep_alive: !one_of(11),
    };
    let date: &[u8] = if one_of(12) {
        b"Date: a\r\n"
    } else {
        b"Date: b\r\n"
    };
    (payload, headers, answering, date)
}

proptest! {
    /// What a thread remembers of its last answer, and a pooled message of its last lines, changes nothing that is sent.
    #[test]
    fn nobody_can_tell_that_an_answer_is_repeated(picks in prop::collection::vec((any::<u16>(), 1..4), 1..20)) {
        // A little off the one before, and a few times each.
        let mut pick = 0;
        for (bit, times) in picks {
            pick ^= 1 << (bit % 13);
            for _ in 0..times {
                let (payload, headers, answering, date) = answer(pick);
                prop_assert_eq!(payload.headers(), &headers);
                prop_assert_eq!(payload.headers().block().raw(), headers.block().raw());
                let send = |mut encoder: Encoder| {
                    let mut out = b"before".to_vec();
                    let begun = encoder.response(&payload, answering, date, &mut out);
                    (begun, encoder.is_open(), out)
                };
                prop_assert_eq!(send(Encoder::default()), send(Encoder::forgetful()));
            }
        }
    }
}
