//! P57, P186, B3, B4, B20: the same bytes give the same items, however they are split, with and without the memory of
//! the last head; and no bytes make the decoder panic.

use std::sync::Arc;

use http::Method;
use proptest::prelude::*;

use super::harness::{Feed, transcript};
use crate::payload::MessageId;
use crate::wire::{Decoder, Expected, Leniency, Limits, Rules};

/// Pieces of messages. Most sequences of them are wrong somewhere; many are right for a while.
const REQUEST_PIECES: [&[u8]; 34] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.0\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"PUT / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n",
    b"GET /a-line-over-the-limit-of-the-test HTTP/1.1\r\nHost: a\r\n\r\n",
    b"Host: a\r\n",
    b"A: b\r\n",
    b" folded\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"abc",
    b"0123456789abc",
    b"3\r\nabc\r\n",
    b"3;x=y\r\nabc\r\n",
    b"d\r\n0123456789abc\r\n",
    b"0\r\n",
    b"0\r\n\r\n",
    b"0\r\nA: b\r\n\r\n",
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b":",
    b"\0",
    b"a",
];

const RESPONSE_PIECES: [&[u8]; 22] = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n0123456789abc",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n",
    b"HTTP/1.1 200\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"0\r\nA: b\r\n\r\n",
    b"A: b\r\n",
    b"abc",
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\x7f",
];

fn rules() -> impl Strategy<Value = Rules> {
    let tight = Limits {
        start_line: 36,
        head: 90,
        fields: 3,
        chunk_line: 8,
        chunk_overhead: 8,
        trailers: 12,
        oneshot: 10,
        body: Some(24),
        informational: 1,
    };
    let limits = prop_oneof![Just(Limits::default()), Just(tight)];
    (limits, any::<[bool; 3]>()).prop_map(|(limits, [bare_lf, obs_fold, missing_host])| Rules {
        limits,
        leniency: Leniency {
            bare_lf,
            obs_fold,
            missing_host,
        },
    })
}

fn bytes(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        20 => prop::sample::select(pieces).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn requests(rules: &Rules, forgetful: bool) -> Feed {
    let decoder = Decoder::requests(Arc::new(rules.clone()));
    Feed::new(if forgetful {
        decoder.forgetful()
    } else {
        decoder
    })
}

fn responses(rules: &Rules, forgetful: bool) -> Feed {
    let mut decoder = Decoder::responses(Arc::new(rules.clone()));
    for method in [
        Method::GET,
        Method::HEAD,
        Method::GET,
        Method::OPTIONS,
        Method::CONNECT,
    ] {
        let upgrade = method == Method::OPTIONS;
        decoder.expect(Expected {
            id: MessageId::next(),
            method,
            upgrade,
        });
    }
    Feed::new(if forgetful {
        decoder.forgetful()
    } else {
        decoder
    })
}

/// What comes of the bytes in these pieces, and of closing afterwards. A hold is resumed at once.
fn outcome(mut feed: Feed, bytes: &[u8], sizes: &[usize]) -> (Vec<String>, usize) {
    let mut rest = bytes;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = sizes
            .next()
            .copied()
            .unwrap_or(rest.len())
            .clamp(1, rest.len());
        let (piece, tail) = rest.split_at(size);
        feed.push(piece);
        rest = tail;
        while feed.decoder.is_held() {
            feed.decoder.resume();
            feed.push(b"");
        }
    }
    feed.close();
    (transcript(&feed.events), feed.unread().len())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2048,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn requests_in_any_pieces(
        rules in rules(),
        bytes in bytes(&REQUEST_PIECES),
        sizes in prop::collection::vec(1_usize..40, 1..6),
    ) {
        let whole = outcome(requests(&rules, false), &bytes, &[]);
        prop_assert_eq!(&outcome(requests(&rules, false), &bytes, &[1]).0, &whole.0);
        prop_assert_eq!(&outcome(requests(&rules, false), &bytes, &sizes).0, &whole.0);
        prop_assert_eq!(&outcome(requests(&rules, true), &bytes, &[]).0, &whole.0);
        prop_assert_eq!(&outcome(requests(&rules, true), &bytes, &sizes).0, &whole.0);
    }

    #[test]
    fn responses_in_any_pieces(
        rules in rules(),
        bytes in bytes(&RESPONSE_PIECES),
        sizes in prop::collection::vec(1_usize..40, 1..6),
    ) {
        let whole = outcome(responses(&rules, false), &bytes, &[]);
        prop_assert_eq!(&outcome(responses(&rules, false), &bytes, &[1]).0, &whole.0);
        prop_assert_eq!(&outcome(responses(&rules, false), &bytes, &sizes).0, &whole.0);
        prop_assert_eq!(&outcome(responses(&rules, true), &bytes, &sizes).0, &whole.0);
    }

    #[test]
    fn no_bytes_make_it_panic(rules in rules(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        outcome(requests(&rules, false), &bytes, &[7]);
        outcome(responses(&rules, false), &bytes, &[7]);
        let request = [b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", &bytes[..]].concat();
        outcome(requests(&rules, false), &request, &[7]);
    }

    /// One byte of a good request is changed: the split must still not matter.
    #[test]
    fn one_bad_byte_in_any_pieces(
        rules in rules(),
        pick in 0_usize..12,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        sizes in prop::collection::vec(1_usize..9, 1..4),
    ) {
        let mut bytes = REQUEST_PIECES[pick].to_vec();
        *at.get_mut(&mut bytes) = byte;
        let whole = outcome(requests(&rules, false), &bytes, &[]);
        prop_assert_eq!(&outcome(requests(&rules, false), &bytes, &sizes).0, &whole.0);
    }

    /// The memory is used when heads repeat: any sequence of a few heads reads the same without it.
    #[test]
    fn memory_changes_nothing(rules in rules(), picks in prop::collection::vec(0_usize..12, 1..12)) {
        let bytes: Vec<u8> = picks.iter().flat_map(|pick| REQUEST_PIECES[*pick]).copied().collect();
        prop_assert_eq!(
            outcome(requests(&rules, false), &bytes, &[]).0,
            outcome(requests(&rules, true), &bytes, &[]).0
        );
    }
}
