//! The memory of the last head: when it is used, what it shares, and what it must look at again.

use std::sync::Arc;

use super::harness::{Feed, transcript};
use crate::payload::Payload;
use crate::wire::{Decoder, Item, Limits, Rules};

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
