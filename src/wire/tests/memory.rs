//! The memory of the last head, in both directions: when it is used, what it shares, what it must look at again, and
//! that nobody can tell.

use std::sync::Arc;

use http::{StatusCode, Version};
use proptest::prelude::*;

use super::harness::{Feed, transcript};
use crate::payload::{Block, Headers, Known, KnownSet, Payload};
use crate::wire::field::index_by;
use crate::wire::{Answering, Asked, Decoder, Encoder, Item, Limits, Rules};

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
    // The first head of a connection is held by the thread, too.
    next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: first\r\n\r\n");
    let one = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let place = Arc::as_ptr(one.headers().shared().unwrap());
    drop(one);
    // The decoder still holds it, for comparison, until this one is read.
    let two = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n");
    let three = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: c\r\n\r\n");
    assert_eq!(Arc::as_ptr(three.headers().shared().unwrap()), place);
    assert_eq!(two.headers().text("host"), Some("b"));
}

#[test]
fn a_changed_payload_does_not_change_the_memory() {
    let mut decoder = Decoder::requests(Arc::default());
    let mut one = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    one.headers_mut().append("X", "y").unwrap();
    let changed: Vec<_> = one.headers().iter().collect();
    assert_eq!(changed, [("Host", &b"a"[..]), ("X", b"y")]);
    let two = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(two.headers().len(), 1);
}

/// Nor does a message that is built in the same memory have anything of it.
#[test]
fn a_cleared_payload_has_nothing_of_the_memory() {
    let mut decoder = Decoder::requests(Arc::default());
    for _ in 0..3 {
        let mut one = next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(one.headers().len(), 1);
        one.headers_mut().clear();
        assert!(one.headers().is_empty());
        drop(next(&mut decoder, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answer = Payload::response(StatusCode::OK);
        assert!(answer.headers().is_empty());
        assert_eq!((answer.path(), answer.method().as_str()), ("/", "GET"));
    }
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
fn the_last_head_of_a_connection_is_not_kept() {
    let mut decoder = Decoder::requests(Arc::default());
    next(&mut decoder, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let last = next(&mut decoder, head);
    assert_eq!(Arc::strong_count(last.headers().shared().unwrap()), 1);
}

#[test]
fn the_first_head_of_the_next_connection_is_shared() {
    let rules = Arc::<Rules>::default();
    let first = |head: &[u8]| next(&mut Decoder::requests(rules.clone()), head);
    let head = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let one = first(head);
    let two = first(head);
    let three = first(head);
    let line = first(b"PUT /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(shares(&one, &two) && shares(&one, &three) && shares(&one, &line));
    assert_eq!(three.path(), "/a");
    assert_eq!((line.method().as_str(), line.path()), ("PUT", "/b"));
    let other = first(b"GET /a HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
    assert!(!shares(&one, &other));
    assert_eq!(other.headers().text("host"), Some("b"));
}

/// A connection that goes on with other heads changes nothing for those that began with the same.
#[test]
fn what_connections_share_none_of_them_changes() {
    let rules = Arc::<Rules>::default();
    let head = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut one = Decoder::requests(rules.clone());
    let mut two = Decoder::requests(rules.clone());
    let first = next(&mut one, head);
    next(&mut two, head);
    next(&mut one, b"GET /b HTTP/1.1\r\nHost: b\r\n\r\n");
    let second = next(&mut two, head);
    assert!(shares(&first, &second));
    assert_eq!(second.path(), "/a");
    assert!(shares(&first, &next(&mut Decoder::requests(rules), head)));
}

#[test]
fn under_other_rules_nothing_is_remembered() {
    let strict = Arc::<Rules>::default();
    let mut rules = Rules::default();
    rules.leniency.bare_lf = true;
    let lenient = Arc::new(rules);
    let head = b"GET /a HTTP/1.1\nHost: a\n\n";
    for _ in 0..3 {
        next(&mut Decoder::requests(lenient.clone()), head);
        assert!(Decoder::requests(strict.clone()).decode(head).is_err());
    }
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

#[test]
fn lines_that_come_again_stay_at_their_places() {
    let mut decoder = Decoder::requests(Arc::default());
    next(
        &mut decoder,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nEmpty:\r\nExpect:  b \r\n\r\n",
    );
    let two = next(
        &mut decoder,
        b"GET / HTTP/1.1\r\nHost: a\r\nLonger: than before\r\nEmpty:\r\nExpect:  b \r\n\r\n",
    );
    let fields: Vec<_> = two.headers().iter().collect();
    let expected: [(&str, &[u8]); 4] = [
        ("Host", b"a"),
        ("Longer", b"than before"),
        ("Empty", b""),
        ("Expect", b"b"),
    ];
    assert_eq!(fields, expected);
    assert!(two.headers().has(Known::Expect) && !two.headers().has(Known::Connection));
}

/// Only what is another line is parsed: here one of three.
#[test]
fn lines_that_come_again_are_not_parsed_again() {
    let mut decoder = Decoder::requests(Arc::default());
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close-d\r\nExpect: b\r\n\r\n";
    let before = next(&mut decoder, head);
    let mut block = Block::default();
    let input = b"Host: a\r\nConnection: keep-alive\r\nExpect: b\r\n\r\nnext";
    let (len, anew) = index_by(before.headers().block(), input, &mut block).unwrap();
    assert_eq!(len, input.len() - b"next".len());
    assert_eq!(anew, KnownSet::of(&[Known::Connection]));
    assert_eq!(block.len(), 3);
    let fewer = b"Host: a\r\nConnection: close-d\r\n\r\n";
    assert!(index_by(before.headers().block(), fewer, &mut block).is_none());
}

/// A host that was not looked at with the head before is looked at.
#[test]
fn another_host_is_checked() {
    let mut feed = Feed::requests(&Rules::default());
    feed.push(b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n");
    feed.push(b"GET / HTTP/1.1\r\nHost: a\r\nX: 2\r\n\r\n");
    feed.push(b"GET / HTTP/1.1\r\nHost: a/\r\nX: 2\r\n\r\n");
    assert_eq!(
        transcript(&feed.events),
        ["GET / HTTP/1.1", "GET / HTTP/1.1", "error InvalidHost"]
    );
}

/// A line that ended otherwise is another line.
#[test]
fn line_ends_are_compared_too() {
    let mut rules = Rules::default();
    rules.leniency.bare_lf = true;
    let mut decoder = Decoder::requests(rules.into());
    // Each is read to its last byte.
    next(&mut decoder, b"GET / HTTP/1.1\nHost: a\n\n");
    next(&mut decoder, b"GET / HTTP/1.1\nHost: a\r\n\r\n");
    next(&mut decoder, b"GET / HTTP/1.1\nHost: a\r\n\n");
    next(&mut decoder, b"GET / HTTP/1.1\nHost: a\n\r\n");
}

/// What may stand at each place of a head: most of it right.
const LINES: [&[&str]; 6] = [
    &[
        "GET / HTTP/1.1\r\n",
        "GET /longer HTTP/1.1\r\n",
        "GET http://a/ HTTP/1.1\r\n",
        "HEAD / HTTP/1.0\r\n",
    ],
    &[
        "Host: a\r\n",
        "Host: b\r\n",
        "Host: a:80\r\n",
        "HOST:a\r\n",
        "X-Host: a\r\n",
        "Host: a/\r\n",
    ],
    &[
        "A: b\r\n",
        "A:\r\n",
        "A: \t c  d \r\n",
        "Longer-Name: longer value\r\n",
        "A b\r\n",
        "A: \u{1}\r\n",
        "A: b\n",
        "",
    ],
    &[
        "Connection: keep-alive\r\n",
        "Connection: close\r\n",
        "connection: Upgrade\r\n",
        "Upgrade: x\r\n",
        " fold\r\n",
    ],
    &[
        "Content-Length: 0\r\n",
        "Content-Length: 00\r\n",
        "Expect: x\r\n",
        "Date: y\r\n",
        "A: b\r\nB: c\r\n",
        "Content-Length: x\r\n",
        "\r",
    ],
    &["\r\n", "\r\n", "\r\n", "Last: one\r\n\r\n", "\n"],
];

fn lines(picks: [usize; LINES.len()]) -> Vec<u8> {
    let lines = picks.iter().zip(LINES).map(|(pick, lines)| lines[*pick]);
    lines.collect::<String>().into_bytes()
}

/// Everything that a decoder tells of a head.
fn told(decoder: &mut Decoder, bytes: &[u8]) -> String {
    const NAMES: [Known; 7] = [
        Known::Connection,
        Known::ContentLength,
        Known::Date,
        Known::Expect,
        Known::Host,
        Known::TransferEncoding,
        Known::Upgrade,
    ];
    match decoder.decode(bytes) {
        Ok(step) => {
            let consumed = step.consumed;
            match step.item {
                Some(Item::Head(payload, facts)) => {
                    let headers = payload.headers();
                    let fields: Vec<_> = headers.iter().collect();
                    let known = NAMES.map(|name| {
                        let block = headers.block();
                        (block.has(name), block.known(name).collect::<Vec<_>>())
                    });
                    let line = (payload.method(), payload.uri(), payload.version());
                    let raw = headers.block().raw();
                    format!("{consumed} {line:?} {facts:?} {fields:?} {known:?} {raw:?}")
                }
                item => format!("{consumed} {item:?}"),
            }
        }
        Err(error) => format!("{error:?}"),
    }
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
        asked: match pick >> 8 & 3 {
            0 => Asked::Head,
            1 => Asked::Connect,
            _ => Asked::Other,
        },
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
    /// What a connection remembers of its last head, and a thread of the first one of a connection, changes nothing
    /// that is told of the next one.
    #[test]
    fn nobody_can_tell_that_lines_are_repeated(
        changes in prop::collection::vec((0..LINES.len(), 0..8_usize), 1..30),
        bare_lf: bool,
        obs_fold: bool,
    ) {
        let mut rules = Rules::default();
        (rules.leniency.bare_lf, rules.leniency.obs_fold) = (bare_lf, obs_fold);
        let rules = Arc::new(rules);
        let fresh = || Decoder::requests(rules.clone());
        let (mut with, mut without) = (fresh(), fresh().forgetful());
        let mut picks = [0; LINES.len()];
        for (place, pick) in changes {
            // One line is another than before. What is wrong lasts until it is changed again, so each head that no
            // decoder takes is followed by new decoders, and what they know is of the head before.
            let before = picks;
            picks[place] = pick % LINES[place].len();
            let head = lines(picks);
            let one = told(&mut with, &head);
            prop_assert_eq!(&one, &told(&mut without, &head), "{:?}", head.escape_ascii());
            let first = told(&mut fresh(), &head);
            prop_assert_eq!(&first, &told(&mut fresh().forgetful(), &head), "{:?}", head.escape_ascii());
            if !one.contains("Facts") {
                picks = before;
                (with, without) = (fresh(), fresh().forgetful());
                told(&mut with, &lines(picks));
                told(&mut without, &lines(picks));
            }
        }
    }

    /// What a thread remembers of its last answer, and a pooled message of its last lines, changes nothing that is
    /// sent.
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
