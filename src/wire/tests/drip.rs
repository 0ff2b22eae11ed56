//! A head, a chunk line and a trailer section that drip in cost no more than their length (promise: cost per byte is
//! constant), and the decoder tells at every byte where it stands.

use std::sync::Arc;

use super::harness::{Event, Feed};
use crate::wire::line::{Bounds, Scan};
use crate::wire::{Decoder, Leniency, Limits, Rules};

#[test]
fn b20_no_byte_of_a_head_is_looked_at_twice() {
    let fields = format!("A: {}\r\n", "b".repeat(300)).repeat(90);
    let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
    let limits = Limits::default();
    let bounds = Bounds::head(&limits, Leniency::default());
    let mut scan = Scan::default();
    for end in 1..=head.len() {
        let input = &head.as_bytes()[..end];
        if scan
            .start_line(input, limits.start_line, &bounds)
            .unwrap()
            .is_none()
        {
            continue;
        }
        let complete = scan.fields(input, &bounds).unwrap().is_some();
        assert_eq!(
            complete,
            end == head.len(),
            "not one byte early, not one late"
        );
    }
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
