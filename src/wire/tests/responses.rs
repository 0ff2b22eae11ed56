//! What a client accepts, waits for and refuses: a row a line, so without rustfmt. Numbers in the names are those of
//! `docs/semantics.md`.

use std::sync::Arc;

use http::Method;

use super::harness::{Feed, Row, accept, check, more, refuse, transcript};
use crate::error::WireError as E;
use crate::payload::MessageId;
use crate::wire::{Decoder, Expected, Item, Limits, Rules};

const NEXT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

fn small() -> Rules {
    Rules {
        limits: Limits {
            oneshot: 10,
            body: Some(60),
            informational: 2,
            ..Limits::default()
        },
        ..Rules::default()
    }
}

/// Responses to a GET, with another GET after it.
#[rustfmt::skip]
pub(super) fn to_get() -> Vec<Row> {
    let ok = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}");
    vec![
        accept("P59 with a length", ok("Content-Length: 3\r\n\r\nabc"), &["HTTP/1.1 200 OK = abc"]),
        accept("B22 no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", &["HTTP/1.1 200 "]),
        accept("B22 no reason and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", &["HTTP/1.1 200 "]),
        accept("another reason", "HTTP/1.1 404 Gone fishing\r\nContent-Length: 0\r\n\r\n", &["HTTP/1.1 404 Gone fishing"]),
        accept("B33 status without a name", "HTTP/1.1 799 x\r\nContent-Length: 0\r\n\r\n", &["HTTP/1.1 799 x"]),
        accept("streamed", ok("Content-Length: 11\r\n\r\n0123456789a"), &["HTTP/1.1 200 OK stream 11", "data 0123456789a", "end"]),
        accept("chunked", ok("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nB: c\r\n\r\n"), &["HTTP/1.1 200 OK chunked", "data a", "end B=c"]),
        accept("B24 close-delimited", ok("\r\nall of it"), &["HTTP/1.1 200 OK chunked close", "data all of it", "end"]),
        accept("B24 close-delimited and empty", ok("\r\n"), &["HTTP/1.1 200 OK chunked close", "end"]),
        accept("http/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", &["HTTP/1.0 200 OK = a close"]),
        accept("http/1.0 with keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", &["HTTP/1.0 200 OK = a"]),
        accept("close announced", ok("Connection: close\r\nContent-Length: 1\r\n\r\na"), &["HTTP/1.1 200 OK = a close"]),
        accept("B5 P63 204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", &["HTTP/1.1 204 No Content"]),
        accept("B5 P63 304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", &["HTTP/1.1 304 Not Modified"]),
        accept("B8 an error has a body", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno", &["HTTP/1.1 500 Internal Server Error = no"]),
        accept(
            "B23 informational responses are not the answer",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
            &["HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints", "HTTP/1.1 200 OK = a"],
        ),
        accept("B5 informational with a length", "HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", &["HTTP/1.1 100 Continue", "HTTP/1.1 204 No Content"]),
        more("B4 a part of a status line", "HTTP/1.1 2"),
        more("B24 length cut short", ok("Content-Length: 3\r\n\r\nab")),
        more("B24 streamed body cut short", ok("Content-Length: 13\r\n\r\nab")),
        more("B24 chunked cut short", ok("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")),
        refuse("B24 cut short is an error", ok("Content-Length: 3\r\n\r\n"), E::Truncated),
        refuse("an empty line first", ok("").replace("HTTP/1.1 200 OK", ""), E::InvalidStatusLine),
        refuse("status of two digits", "HTTP/1.1 20 OK\r\n\r\n", E::InvalidStatusLine),
        refuse("status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", E::InvalidStatusLine),
        refuse("status below 100", "HTTP/1.1 099 OK\r\n\r\n", E::InvalidStatusLine),
        refuse("status with a letter", "HTTP/1.1 2x0 OK\r\n\r\n", E::InvalidStatusLine),
        refuse("B9 two spaces", "HTTP/1.1  200 OK\r\n\r\n", E::InvalidStatusLine),
        refuse("tab before the reason", "HTTP/1.1 200\tOK\r\n\r\n", E::InvalidStatusLine),
        refuse("control character in the reason", "HTTP/1.1 200 O\x01K\r\n\r\n", E::InvalidStatusLine),
        refuse("no status", "HTTP/1.1\r\n\r\n", E::InvalidStatusLine),
        refuse("bad version", "HTTQ/1.1 200 OK\r\n\r\n", E::InvalidVersion),
        refuse("http/2", "HTTP/2.0 200 OK\r\n\r\n", E::UnsupportedVersion),
        refuse("the greeting of another protocol", "220 a.test ESMTP\r\n", E::InvalidVersion),
        refuse("a status line that no field follows", "HTTP/1.1 20 OK\r\n", E::InvalidStatusLine),
        refuse("a bad status line before a bad field", "HTTP/1.1 20 OK\r\na\nb\r\n\r\n", E::InvalidStatusLine),
        refuse("bare lf", "HTTP/1.1 200 OK\n\r\n", E::BareLf),
        refuse("P183 length and chunked", ok("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), E::ContentLengthWithTransferEncoding),
        refuse("P183 differing lengths", ok("Content-Length: 3\r\nContent-Length: 2\r\n\r\n"), E::ConflictingContentLength),
        refuse("another coding", ok("Transfer-Encoding: gzip\r\n\r\n"), E::UnsupportedTransferEncoding),
        refuse("chunked in http/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", E::TransferEncodingOnHttp10),
        refuse("body over the limit", ok("Content-Length: 61\r\n\r\n"), E::BodyTooLarge),
        refuse("close-delimited body over the limit", ok(&format!("\r\n{}", "x".repeat(61))), E::BodyTooLarge),
        refuse("too many informational responses", "HTTP/1.1 100 Continue\r\n\r\n".repeat(3), E::TooManyInformational),
        refuse("a switch that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\n\r\n", E::UnsolicitedUpgrade),
    ]
}

/// Responses to nothing.
#[rustfmt::skip]
pub(super) fn to_nothing() -> Vec<Row> {
    vec![
        refuse("a response to nothing", "HTTP/1.1 200 OK\r\n\r\n", E::UnsolicitedResponse),
        refuse("a byte to nothing", "\r", E::UnsolicitedResponse),
    ]
}

#[test]
fn get() {
    check(
        &to_get(),
        || Feed::responses(&small(), &[Method::GET, Method::GET]),
        NEXT,
    );
}

#[test]
fn nothing() {
    check(&to_nothing(), || Feed::responses(&small(), &[]), NEXT);
}

/// To which request, and whether it is the answer to it.
#[test]
fn a_response_knows_its_request() {
    let requests = [Method::PUT, Method::OPTIONS].map(|method| (MessageId::next(), method));
    let mut decoder = Decoder::responses(Arc::default());
    for (id, method) in requests.clone() {
        let upgrade = method == Method::OPTIONS;
        decoder.expect(Expected {
            id,
            method,
            upgrade,
        });
    }
    let [put, options] = requests;
    for (line, request, interim) in [
        ("103 Early Hints", &put, true),
        ("204 No Content", &put, false),
        ("100 Continue", &options, true),
        ("101 Switching Protocols", &options, false),
    ] {
        let head = format!("HTTP/1.1 {line}\r\n\r\n");
        let step = decoder.decode(head.as_bytes()).unwrap();
        let Some(Item::Head(response, facts)) = step.item else {
            panic!("{step:?}")
        };
        let answered = (response.request_id(), response.method().clone());
        assert_eq!(answered, (Some(request.0), request.1.clone()), "{line}");
        assert_eq!(
            facts.is_interim(response.status().unwrap()),
            interim,
            "{line}"
        );
    }
}

/// Not a row: with more behind it, it is over the limit.
#[test]
fn a_close_delimited_body_may_be_as_long_as_the_limit() {
    let mut feed = Feed::responses(&small(), &[Method::GET]);
    feed.push(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(60)).as_bytes());
    feed.close();
    assert_eq!(transcript(&feed.events).last().unwrap(), "end");
}

#[test]
#[rustfmt::skip]
fn head_has_no_body() {
    let rows = [
        accept("B23 length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &["HTTP/1.1 200 OK"]),
        accept("B23 chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &["HTTP/1.1 200 OK"]),
        accept("B23 nothing said", "HTTP/1.1 404 Not Found\r\n\r\n", &["HTTP/1.1 404 Not Found"]),
    ];
    check(&rows, || Feed::responses(&small(), &[Method::HEAD, Method::GET]), NEXT);
}

#[test]
#[rustfmt::skip]
fn connect_opens_a_tunnel() {
    let rows = [
        accept("2xx with framing fields", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &["HTTP/1.1 200 OK upgrade"]),
        accept("a refusal has a body", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", &["HTTP/1.1 403 Forbidden = no"]),
    ];
    check(&rows, || Feed::responses(&small(), &[Method::CONNECT, Method::GET]), NEXT);
}

#[test]
#[rustfmt::skip]
fn switching_protocols() {
    // The harness asks for an upgrade with OPTIONS.
    let rows = [
        accept("101", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", &["HTTP/1.1 101 Switching Protocols upgrade"]),
        accept("declined", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", &["HTTP/1.1 200 OK = a"]),
    ];
    check(&rows, || Feed::responses(&small(), &[Method::OPTIONS, Method::GET]), NEXT);
}

#[test]
fn informational_count_belongs_to_one_request() {
    let mut feed = Feed::responses(&small(), &[Method::GET, Method::GET]);
    let one = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    feed.push(&one.repeat(2));
    assert_eq!(feed.events.len(), 6);
    assert!(!feed.failed());
}
