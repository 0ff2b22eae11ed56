//! A head, a chunk line and a trailer section that drip in cost no more than their length (promise: cost per byte is
//! constant), and the decoder tells at every byte where it stands.

use std::sync::Arc;

use http::Method;

use super::harness::{Event, Feed};
use crate::error::WireError;
use crate::payload::Payload;
use crate::wire::line::{Bounds, Scan};
use crate::wire::{Decoder, Leniency, Limits, Rules};

#[test]
fn b20_no_byte_of_a_head_is_looked_at_twice() {
    let fields = format!("A: {}\r\n", "b".repeat(300)).repeat(90);
    let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
    let limits = Limits::default();
    let bounds = Bounds::head(&limits, Leniency::default());
    let mut scan = Scan::default();
    let mut at_fields = 0;
    for end in 1..=head.len() {
        let input = &head.as_bytes()[..end];
        if scan
            .start_line(input, limits.start_line, &bounds)
            .unwrap()
            .is_none()
        {
            assert!(!scan.is_at_fields());
            continue;
        }
        at_fields += usize::from(scan.is_at_fields());
        let complete = scan.fields(input, &bounds).unwrap().is_some();
        assert_eq!(
            complete,
            end == head.len(),
            "not one byte early, not one late"
        );
    }
    assert_eq!(at_fields, 2, "before and at their first byte");
    // Each byte once, each carriage return once more with its line feed, and one more for each time of asking.
    assert!(
        scan.looked() <= 3 * head.len(),
        "{} of {}",
        scan.looked(),
        head.len()
    );
}

#[test]
fn phases() {
    let mut feed = Feed::requests(&Rules::default());
    let state = |decoder: &Decoder| (decoder.is_idle(), decoder.in_body(), decoder.body_left());
    assert_eq!(state(&feed.decoder), (true, false, 0));
    feed.push(b"\r");
    assert_eq!(state(&feed.decoder), (true, false, 0));
    feed.push(b"\n");
    assert_eq!(state(&feed.decoder), (true, false, 0));
    feed.push(b"P");
    assert_eq!(state(&feed.decoder), (false, false, 0));
    feed.push(b"OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(state(&feed.decoder), (false, true, 3));
    feed.push(b"ab");
    assert_eq!(state(&feed.decoder), (false, true, 1));
    feed.push(b"cPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(state(&feed.decoder), (false, true, 0));
    feed.push(b"10\r\n1234");
    assert_eq!(state(&feed.decoder), (false, true, 12));
    feed.push(b"123456789012\r\n0\r\n\r\n");
    assert_eq!(state(&feed.decoder), (true, false, 0));
}

/// What a message that is being read, or could not be, is known by.
#[test]
fn a_message_has_a_name_while_it_is_read() {
    let limits = Limits {
        start_line: 16,
        ..Limits::default()
    };
    let rules = Rules {
        limits,
        ..Rules::default()
    };
    let head = |more: &str| format!("PUT /a HTTP/1.1\r\nHost: a\r\n{more}\r\n");
    let upgrade = head("Connection: upgrade\r\nUpgrade: x\r\n");
    let rows: [(&str, &str, usize); 13] = [
        ("", "", 0),
        ("\r", "", 0),
        ("GE", "GE", 0),
        ("\r\nGET /a", "GET /a", 0),
        ("GET /a HTTP/1.1\r", "GET /a HTTP/1.1", 0),
        ("GET /a HTTP/1.1\r\nHost: a\r\n", "GET /a HTTP/1.1", 0),
        ("GET /a HTTP/1.1\n", "GET /a HTTP/1.1", 0),
        ("\r\n\r\n\n\rGET /a", "GET /a", 0),
        ("GET /abcdefghijkl", "GET /abcdefghijk", 0),
        (&head("Content-Length: 5\r\n"), "PUT /a HTTP/1.1", 0),
        (
            &(head("Content-Length: 5\r\n") + "ab"),
            "PUT /a HTTP/1.1",
            2,
        ),
        (&head("Transfer-Encoding: chunked\r\n"), "", 0),
        (&upgrade, "", 0),
    ];
    for (bytes, line, gathered) in rows {
        let mut feed = Feed::requests(&rules);
        feed.push(bytes.as_bytes());
        assert_eq!(feed.decoder.is_failed(), feed.failed(), "{bytes:?}");
        let name = feed.decoder.request_line(feed.unread());
        assert_eq!(String::from_utf8_lossy(&name), line, "{bytes:?}");
        assert_eq!(feed.decoder.gathered(), gathered, "{bytes:?}");
        let held_back = feed.decoder.held_back().map(Payload::path);
        let gathers = bytes.contains("Length").then_some("/a");
        assert_eq!(held_back, gathers, "{bytes:?}");
    }
}

#[test]
fn the_bytes_of_heads_are_counted() {
    let count = |feed: &mut Feed, bytes: &str| {
        feed.push(bytes.as_bytes());
        let Some(Event::Head(seen)) = feed.events.last() else {
            panic!("a head")
        };
        seen.facts.head_bytes
    };
    let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut server = Feed::requests(&Rules::default());
    assert_eq!(count(&mut server, head), head.len());
    assert_eq!(count(&mut server, &format!("\r\n{head}")), head.len());
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
    let mut client = Feed::responses(&Rules::default(), &[Method::GET]);
    assert_eq!(count(&mut client, &format!("{head}a")), head.len());
}

/// Whoever did not show all bytes to the decoder has cut the body short.
#[test]
fn bytes_that_were_not_read_are_no_end_of_a_body() {
    let mut feed = Feed::responses(&Rules::default(), &[Method::GET]);
    feed.push(b"HTTP/1.1 200 OK\r\n\r\nab");
    assert_eq!(feed.decoder.eof(1).unwrap_err(), WireError::Truncated);
}

#[test]
fn p66_data_are_never_merged_across_chunks() {
    let mut feed = Feed::requests(&Rules::default());
    feed.push(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    let data: Vec<_> = feed
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Data(data) => Some(data.as_slice()),
            _ => None,
        })
        .collect();
    assert_eq!(data, [&b"abc"[..], b"de"]);
}

#[test]
fn a_hold_ends_by_resume() {
    let mut feed = Feed::requests(&Rules::default());
    let upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    feed.push(upgrade);
    feed.push(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(feed.decoder.is_held());
    assert_eq!(feed.events.len(), 1);
    feed.decoder.resume();
    feed.push(b"");
    assert_eq!(feed.events.len(), 2);
    assert!(feed.decoder.is_idle());
}

/// The answer may be known before the whole request is.
#[test]
fn a_hold_that_has_not_begun_never_does() {
    let mut feed = Feed::requests(&Rules::default());
    feed.push(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    feed.decoder.resume();
    feed.push(b"0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(feed.events.len(), 3);
    assert!(feed.decoder.is_idle());
}

#[test]
fn a_gathered_body_holds_what_arrived_and_no_more() {
    let limits = Limits {
        oneshot: u64::MAX,
        ..Limits::default()
    };
    let mut decoder = Decoder::requests(Arc::new(Rules {
        limits,
        ..Rules::default()
    }));
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n";
    assert_eq!(decoder.decode(head).unwrap().consumed, head.len());
    assert_eq!(decoder.decode(&[0; 1000]).unwrap().consumed, 1000);
    assert_eq!(decoder.body_left(), u64::MAX - 1000);
}

#[test]
fn long_lived_chunked_feeds_survive() {
    let mut feed = Feed::requests(&Rules::default());
    feed.push(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..20_000 {
        feed.push(b"1\r\nx\r\n");
    }
    assert!(!feed.failed());
    assert_eq!(feed.events.len(), 20_001);
}

#[test]
fn the_decoder_is_small() {
    let size = std::mem::size_of::<Decoder>();
    assert!(size <= 256, "{size}");
}
