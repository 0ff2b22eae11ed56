//! What is written, byte for byte, and what is refused. One line for each row, so without rustfmt. Numbers in the names
//! are those of `docs/semantics.md`.

use bytes::Bytes;
use http::{StatusCode, Uri, Version};

use crate::error::UseError as E;
use crate::payload::grammar_tests::{LOOKED, long_list};
use crate::payload::{Headers, Payload};
use crate::wire::{Answering, Asked, Begun, Encoder, Target};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

type Written = (&'static str, Payload, Result<&'static str, E>);

const PERSISTS: Answering = Answering {
    asked: Asked::Other,
    version: Version::HTTP_11,
    keep_alive: true,
};
const CLOSES: Answering = Answering {
    keep_alive: false,
    ..PERSISTS
};
const HEAD: Answering = Answering {
    asked: Asked::Head,
    ..PERSISTS
};
const CONNECT: Answering = Answering {
    asked: Asked::Connect,
    ..PERSISTS
};
const OLD: Answering = Answering {
    version: Version::HTTP_10,
    ..PERSISTS
};
const OLD_CLOSES: Answering = Answering {
    keep_alive: false,
    ..OLD
};

fn status(code: u16) -> Payload {
    Payload::response(StatusCode::from_u16(code).unwrap())
}

/// Bytes as text that a row can be compared with: the date shortened.
fn text(out: &[u8]) -> String {
    String::from_utf8_lossy(out).replace(DATE, "D")
}

fn check_responses(answering: Answering, rows: Vec<Written>) {
    check(rows, |encoder, payload, out| {
        encoder.response(
            payload,
            answering,
            format!("Date: {DATE}\r\n").as_bytes(),
            out,
        )
    });
}

fn check_requests(target: Target, rows: Vec<Written>) {
    check(rows, |encoder, payload, out| {
        encoder.request(payload, target, b"h", out)
    });
}

fn check(
    rows: Vec<Written>,
    encode: impl Fn(&mut Encoder, &Payload, &mut Vec<u8>) -> Result<Begun, E>,
) {
    let mut failures = Vec::new();
    for (name, payload, expected) in rows {
        let mut out = b"before".to_vec();
        let result = encode(&mut Encoder::default(), &payload, &mut out);
        let written = text(&out[6..]);
        let good = match (result, expected) {
            (Ok(_), Ok(expected)) => written == expected,
            (Err(error), Err(expected)) => error == expected && written.is_empty(),
            _ => false,
        };
        if !good {
            failures.push(format!("{name}: {result:?} {written:?}, not {expected:?}"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
#[rustfmt::skip]
fn responses() {
    check_responses(PERSISTS, vec![
        ("P55 oneshot", status(200).header("A", "b").body("xy"), Ok("HTTP/1.1 200 OK\r\nA: b\r\nDate: D\r\nContent-Length: 2\r\n\r\nxy")),
        ("P55 empty", status(200), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("P38 stream", status(200).length(7), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 7\r\n\r\n")),
        ("P37 chunked", status(200).chunked(), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n")),
        ("B9 the code stands once", status(404), Ok("HTTP/1.1 404 Not Found\r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("B8 an error has a body", status(500).body("no"), Ok("HTTP/1.1 500 Internal Server Error\r\nDate: D\r\nContent-Length: 2\r\n\r\nno")),
        ("B33 308", status(308), Ok("HTTP/1.1 308 Permanent Redirect\r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("B33 a status without a name", status(799), Ok("HTTP/1.1 799 \r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("another reason", status(200).reason("Fine"), Ok("HTTP/1.1 200 Fine\r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("the version is ours", status(200).with_version(Version::HTTP_10), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("a date of their own", status(200).header("date", "x"), Ok("HTTP/1.1 200 OK\r\ndate: x\r\nContent-Length: 0\r\n\r\n")),
        ("B26 repeated fields", status(200).header("Set-Cookie", "a").header("Set-Cookie", "b"), Ok("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("B25 a length of their own, once", status(200).header("content-length", "2").header("A", "b").header("Content-Length", "2").body("xy"), Ok("HTTP/1.1 200 OK\r\nA: b\r\nDate: D\r\nContent-Length: 2\r\n\r\nxy")),
        ("a length that lies", status(200).header("Content-Length", "3").body("xy"), Err(E::FramingMismatch)),
        ("a length that is no number", status(200).header("Content-Length", "2, 2").body("xy"), Err(E::FramingMismatch)),
        ("a stream length that lies", status(200).header("Content-Length", "3").length(2), Err(E::FramingMismatch)),
        ("chunked with a length", status(200).header("Content-Length", "3").chunked(), Err(E::FramingMismatch)),
        ("chunked by hand, once", status(200).header("transfer-encoding", "Chunked").chunked(), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n")),
        ("chunked by hand on a oneshot", status(200).header("Transfer-Encoding", "chunked"), Err(E::FramingMismatch)),
        ("another coding by hand", status(200).header("Transfer-Encoding", "gzip, chunked").chunked(), Err(E::FramingMismatch)),
        ("P46 204", status(204), Ok("HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n")),
        ("204 without the length that they set", status(204).header("Content-Length", "0"), Ok("HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n")),
        ("204 with a body", status(204).body("x"), Err(E::BodyNotAllowed)),
        ("204 with a stream", status(204).length(1), Err(E::BodyNotAllowed)),
        ("204 chunked", status(204).chunked(), Err(E::BodyNotAllowed)),
        ("205 says that it is empty", status(205), Ok("HTTP/1.1 205 Reset Content\r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("205 with a body", status(205).body("x"), Err(E::BodyNotAllowed)),
        ("205 with a stream", status(205).length(1), Err(E::BodyNotAllowed)),
        ("205 chunked, which may be empty", status(205).chunked(), Ok("HTTP/1.1 205 Reset Content\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n")),
        ("a body inside and one that follows", status(200).body("x").chunked(), Err(E::TwoBodies)),
        ("the same, said in the other order", status(200).chunked().body("x"), Err(E::TwoBodies)),
        ("a body inside and a length", status(200).length(1).body("x"), Err(E::TwoBodies)),
        ("a body inside and a length of none", status(204).length(0).body("x"), Err(E::TwoBodies)),
        ("304 with two", status(304).chunked().body("x"), Err(E::TwoBodies)),
        ("304", status(304), Ok("HTTP/1.1 304 Not Modified\r\nDate: D\r\n\r\n")),
        ("304 keeps the length that they set", status(304).header("Content-Length", "9"), Ok("HTTP/1.1 304 Not Modified\r\nDate: D\r\nContent-Length: 9\r\n\r\n")),
        ("304 drops the body", status(304).body("x"), Ok("HTTP/1.1 304 Not Modified\r\nDate: D\r\n\r\n")),
        ("304 chunked", status(304).chunked(), Ok("HTTP/1.1 304 Not Modified\r\nDate: D\r\n\r\n")),
        ("informational", status(103).header("Link", "a"), Ok("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")),
        ("informational with a body", status(100).body("x"), Err(E::BodyNotAllowed)),
        ("101 with what they set", status(101).header("Upgrade", "x").header("Connection", "Upgrade"), Ok("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")),
        ("101 with what they forgot", status(101).header("Upgrade", "x"), Ok("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")),
        ("keep-alive needs no word", status(200).header("Connection", "keep-alive"), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("P146 close by the application", status(200).close(), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")),
        ("close beside other members", status(200).header("connection", "X, Close, x"), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: X, close\r\nContent-Length: 0\r\n\r\n")),
        ("a request", Payload::get("http://a/").unwrap(), Err(E::WrongKind)),
        ("B28 a mistake of the builder", status(200).header("A", "b\r\nC: d"), Err(E::InvalidValue)),
    ]);
}

#[test]
#[rustfmt::skip]
fn responses_that_close() {
    check_responses(CLOSES, vec![
        ("B10 announced", status(200), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")),
        ("B10 once", status(200).close(), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")),
        ("B10 in place of keep-alive", status(200).header("Connection", "keep-alive"), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")),
        ("B7 B10 after a redirect", status(302), Ok("HTTP/1.1 302 Found\r\nDate: D\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")),
        ("not by an informational one", status(100), Ok("HTTP/1.1 100 Continue\r\n\r\n")),
    ]);
}

#[test]
#[rustfmt::skip]
fn responses_to_head() {
    check_responses(HEAD, vec![
        ("the length of what is not sent", status(200).body("xyz"), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 3\r\n\r\n")),
        ("nothing", status(200), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n")),
        ("a length of their own", status(200).header("Content-Length", "99"), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 99\r\n\r\n")),
        ("two lengths", status(200).header("Content-Length", "99").header("Content-Length", "98"), Err(E::FramingMismatch)),
        ("stream", status(200).length(5), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 5\r\n\r\n")),
        ("chunked", status(200).chunked(), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n")),
        ("chunked by hand, once", status(200).header("Transfer-Encoding", "chunked").chunked(), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n")),
        ("chunked by hand on a oneshot", status(200).header("Transfer-Encoding", "chunked"), Err(E::FramingMismatch)),
        ("chunked by hand on a stream", status(200).header("Transfer-Encoding", "chunked").length(5), Err(E::FramingMismatch)),
        ("chunked with a length", status(200).header("Content-Length", "5").chunked(), Err(E::FramingMismatch)),
        ("a length and chunked by hand", status(200).header("Content-Length", "5").header("Transfer-Encoding", "chunked"), Err(E::FramingMismatch)),
        ("304 with a length and chunked by hand", status(304).header("Content-Length", "5").header("Transfer-Encoding", "chunked"), Err(E::FramingMismatch)),
    ]);
    check_responses(Answering { asked: Asked::Head, ..OLD }, vec![
        ("chunked to http/1.0, where a get has no length", status(200).chunked(), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: keep-alive\r\n\r\n")),
    ]);
}

#[test]
#[rustfmt::skip]
fn responses_to_connect() {
    check_responses(CONNECT, vec![
        ("tunnel", status(200), Ok("HTTP/1.1 200 OK\r\nDate: D\r\n\r\n")),
        ("tunnel without the length that they set", status(200).header("Content-Length", "0"), Ok("HTTP/1.1 200 OK\r\nDate: D\r\n\r\n")),
        ("tunnel with a body", status(200).body("x"), Err(E::BodyNotAllowed)),
        ("refused", status(403).body("no"), Ok("HTTP/1.1 403 Forbidden\r\nDate: D\r\nContent-Length: 2\r\n\r\nno")),
    ]);
}

#[test]
#[rustfmt::skip]
fn responses_to_http10() {
    check_responses(OLD, vec![
        ("persists by a word", status(200), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n")),
        ("P166 no chunked, so the close ends it", status(200).chunked(), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\n\r\n")),
        ("nor by hand", status(200).header("Transfer-Encoding", "chunked").chunked(), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\n\r\n")),
        ("no informational", status(100), Err(E::InterimStatus)),
        ("no switch", status(101), Err(E::InterimStatus)),
    ]);
    check_responses(OLD_CLOSES, vec![
        ("B10 announced", status(200), Ok("HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")),
    ]);
}

#[test]
fn what_beginning_a_response_says() {
    let (open, whole) = (
        |keep_alive| Begun::Open { keep_alive },
        |keep_alive| Begun::Whole { keep_alive },
    );
    #[rustfmt::skip]
    let rows = [
        ("oneshot", status(200).body("x"), PERSISTS, whole(true), true),
        ("P101 stream", status(200).length(0), PERSISTS, open(true), true),
        ("B8 error in chunks", status(500).chunked(), CLOSES, open(false), false),
        ("head", status(200).chunked(), HEAD, whole(true), true),
        ("304", status(304).length(5), PERSISTS, whole(true), true),
        ("close-delimited", status(200).chunked(), OLD, open(false), false),
        ("P171 close", status(200).close(), PERSISTS, whole(false), false),
        ("100", status(100), CLOSES, Begun::Interim, true),
        ("101", status(101), PERSISTS, Begun::Switch, true),
        ("tunnel", status(204), CONNECT, Begun::Switch, true),
    ];
    for (name, payload, answering, expected, goes_on) in rows {
        let mut encoder = Encoder::default();
        let begun = encoder.response(&payload, answering, b"", &mut Vec::new());
        assert_eq!(begun, Ok(expected), "{name}");
        assert_eq!(expected.keep_alive(), goes_on, "{name}");
        assert_eq!(encoder.is_open(), expected.needs_body(), "{name}");
    }
}

fn request(method: &str, uri: &'static str) -> Payload {
    Payload::request(method.parse().unwrap(), Uri::from_static(uri))
}

#[test]
#[rustfmt::skip]
fn requests() {
    check_requests(Target::Origin, vec![
        ("connection members that are for everybody", Payload::get("/").unwrap().header("Connection", "close, Host, content-length, X").header("Connection", "transfer-encoding"), Ok("GET / HTTP/1.1\r\nHost: h\r\nConnection: X, close\r\n\r\n")),
        ("a body inside and one that follows", Payload::post("/").unwrap().body("x").chunked(), Err(E::TwoBodies)),
        ("a body inside and a length", Payload::post("/").unwrap().length(1).body("x"), Err(E::TwoBodies)),
        ("P51 P53 get", request("GET", "http://a/b?c").header("A", "b"), Ok("GET /b?c HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n")),
        ("no path", request("GET", "http://a"), Ok("GET / HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("a query alone", request("GET", "http://a?b"), Ok("GET /?b HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("B28 no fragment", request("GET", "http://a/b#c"), Ok("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("no userinfo", request("GET", "http://u:p@a/b"), Ok("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("P53 B25 a host of their own", request("GET", "http://a/").header("X", "y").header("host", "b:1"), Ok("GET / HTTP/1.1\r\nX: y\r\nhost: b:1\r\n\r\n")),
        ("two hosts", request("GET", "http://a/").header("Host", "b").header("Host", "b"), Err(E::InvalidHost)),
        ("a malformed host", request("GET", "http://a/").header("Host", "b/c"), Err(E::InvalidHost)),
        ("B28 options for the server", request("OPTIONS", "*"), Ok("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("an asterisk for a get", request("GET", "*"), Err(E::InvalidUrl)),
        ("B28 connect", request("CONNECT", "a:443"), Ok("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")),
        ("connect from a url", request("CONNECT", "https://a:443/x"), Ok("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")),
        ("connect without a port", request("CONNECT", "a"), Err(E::InvalidUrl)),
        ("connect without an authority", request("CONNECT", "/"), Err(E::NotAbsolute)),
        ("connect with a body", request("CONNECT", "a:443").body("x"), Err(E::BodyNotAllowed)),
        ("trace with a body", request("TRACE", "/").body("x"), Err(E::BodyNotAllowed)),
        ("post", request("POST", "/").body("xy"), Ok("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy")),
        ("an empty post says so", request("POST", "/"), Ok("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")),
        ("an empty put says so", request("PUT", "/"), Ok("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")),
        ("an empty patch says so", request("PATCH", "/"), Ok("PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")),
        ("an empty delete need not", request("DELETE", "/"), Ok("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("but may", request("DELETE", "/").header("Content-Length", "0"), Ok("DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")),
        ("a get with a body", request("GET", "/").body("x"), Ok("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")),
        ("chunked by hand on a get", request("GET", "/").header("Transfer-Encoding", "chunked"), Err(E::FramingMismatch)),
        ("chunked by hand on a stream", request("PUT", "/").header("Transfer-Encoding", "chunked").length(3), Err(E::FramingMismatch)),
        ("a trace with the length of no body", request("TRACE", "/").header("Content-Length", "0"), Ok("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("a trace with another", request("TRACE", "/").header("Content-Length", "1"), Err(E::FramingMismatch)),
        ("a length that lies", request("POST", "/").header("Content-Length", "1").body("xy"), Err(E::FramingMismatch)),
        ("stream", request("PUT", "/").length(3), Ok("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n")),
        ("chunked", request("PUT", "/").chunked(), Ok("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")),
        ("P52 keep-alive needs no word", request("GET", "/").header("Connection", "keep-alive"), Ok("GET / HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("a member of their own does not close", request("GET", "/").header("Connection", "X"), Ok("GET / HTTP/1.1\r\nHost: h\r\nConnection: X\r\n\r\n")),
        ("close by the application", request("GET", "/").close(), Ok("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")),
        ("upgrade", request("GET", "/").header("Upgrade", "x"), Ok("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")),
        ("http/1.0", request("GET", "/").with_version(Version::HTTP_10), Ok("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")),
        ("http/1.0 chunked", request("PUT", "/").with_version(Version::HTTP_10).chunked(), Err(E::ChunkedNotPossible)),
        ("http/2 becomes ours", request("GET", "/").with_version(Version::HTTP_2), Ok("GET / HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("a url outside ascii", request("GET", "http://a/\u{e9}"), Err(E::InvalidUrl)),
        ("a response", status(200), Err(E::WrongKind)),
        ("B28 a mistake of the builder", request("GET", "/").header("a b", ""), Err(E::InvalidName)),
    ]);
}

#[test]
#[rustfmt::skip]
fn requests_that_close() {
    check_requests(Target::Origin, vec![
        ("P52 B10 announced", request("GET", "/").close(), Ok("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")),
        ("http/1.0 too", request("GET", "/").close().with_version(Version::HTTP_10), Ok("GET / HTTP/1.0\r\nHost: h\r\nConnection: close\r\n\r\n")),
    ]);
}

#[test]
#[rustfmt::skip]
fn requests_to_a_proxy() {
    let server = Uri::builder().scheme("http").authority("a").path_and_query("*").build().unwrap();
    check_requests(Target::Absolute, vec![
        ("B28 absolute-form", request("GET", "http://a:8080/b?c"), Ok("GET http://a:8080/b?c HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("without a path", request("GET", "http://a"), Ok("GET http://a/ HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("connect", request("CONNECT", "a:443"), Ok("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")),
        ("options for the server", Payload::request(http::Method::OPTIONS, server), Ok("OPTIONS http://a HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("userinfo", request("GET", "http://u@a/"), Err(E::UserInfo)),
        ("no authority", request("GET", "/"), Err(E::NotAbsolute)),
    ]);
}

/// Begins a chunked response and gives the encoder.
fn chunked(answering: Answering) -> Encoder {
    let mut encoder = Encoder::default();
    encoder
        .response(&status(200).chunked(), answering, b"", &mut Vec::new())
        .unwrap();
    encoder
}

fn trailers(name: &str) -> Headers {
    let mut headers = Headers::new();
    headers.append(name, "v").unwrap();
    headers
}

#[test]
fn p43_p44_chunks() {
    let mut encoder = chunked(PERSISTS);
    let mut out = Vec::new();
    encoder
        .data(&Bytes::from_static(b"hello"), &mut out)
        .unwrap();
    encoder
        .data(&Bytes::from(vec![b'x'; 0x1a2]), &mut out)
        .unwrap();
    encoder.finish(None, &mut out).unwrap();
    let expected = format!("5\r\nhello\r\n1a2\r\n{}\r\n0\r\n\r\n", "x".repeat(0x1a2));
    assert_eq!(text(&out), expected);
    assert!(!encoder.is_open());
}

#[test]
fn b27_an_empty_chunk_ends_nothing() {
    let mut encoder = chunked(PERSISTS);
    let mut out = Vec::new();
    encoder.data(&Bytes::new(), &mut out).unwrap();
    assert_eq!((out.len(), encoder.is_open()), (0, true));
}

#[test]
fn b27_a_stream_is_exactly_as_long_as_announced() {
    let mut encoder = Encoder::default();
    let mut out = Vec::new();
    encoder
        .response(&status(200).length(3), PERSISTS, b"", &mut Vec::new())
        .unwrap();
    encoder.data(&Bytes::from_static(b"ab"), &mut out).unwrap();
    assert_eq!(encoder.finish(None, &mut out), Err(E::BodyTooShort));
    assert_eq!(
        encoder.data(&Bytes::from_static(b"cd"), &mut out),
        Err(E::BodyTooLong)
    );
    assert_eq!(text(&out), "ab");
    encoder.data(&Bytes::from_static(b"c"), &mut out).unwrap();
    assert_eq!(
        encoder.finish(Some(&trailers("A")), &mut out),
        Err(E::TrailersNotAllowed)
    );
    encoder.finish(Some(&Headers::new()), &mut out).unwrap();
    assert_eq!(text(&out), "abc");
}

#[test]
fn trailers_are_written_and_checked() {
    let mut encoder = chunked(PERSISTS);
    let mut out = Vec::new();
    for name in [
        "content-length",
        "Host",
        "Content-Type",
        "TRANSFER-ENCODING",
        "if-none-match",
    ] {
        let refused = encoder.finish(Some(&trailers(name)), &mut out);
        assert_eq!(refused, Err(E::TrailersNotAllowed), "{name}");
    }
    let mut two = trailers("Checksum");
    two.append("Host", "v").unwrap();
    let refused = encoder.finish(Some(&two), &mut out);
    assert_eq!(refused, Err(E::TrailersNotAllowed));
    assert!(out.is_empty() && encoder.is_open());
    encoder
        .finish(Some(&trailers("Checksum")), &mut out)
        .unwrap();
    assert_eq!(text(&out), "0\r\nChecksum: v\r\n\r\n");
}

#[test]
fn p166_an_http10_peer_gets_plain_data() {
    let mut encoder = chunked(OLD);
    assert!(encoder.is_close_delimited());
    let mut out = Vec::new();
    encoder
        .data(&Bytes::from_static(b"hello"), &mut out)
        .unwrap();
    let refused = encoder.finish(Some(&trailers("Host")), &mut out);
    assert_eq!(refused, Err(E::TrailersNotAllowed));
    encoder.finish(Some(&trailers("A")), &mut out).unwrap();
    assert_eq!(text(&out), "hello");
}

#[test]
fn nothing_goes_out_of_turn() {
    let mut encoder = Encoder::default();
    let mut out = Vec::new();
    assert_eq!(
        encoder.data(&Bytes::from_static(b"x"), &mut out),
        Err(E::BodyNotAllowed)
    );
    assert_eq!(encoder.finish(None, &mut out), Err(E::BodyNotAllowed));
    let mut encoder = chunked(PERSISTS);
    assert_eq!(
        encoder.response(&status(200), PERSISTS, b"", &mut out),
        Err(E::BodyTooShort)
    );
    encoder.abort();
    assert!(!encoder.is_open() && out.is_empty());
}

/// However many members of Connection there are, each is looked at once by those who look for one, and once to write it.
#[test]
fn the_members_of_connection_are_read_a_few_times() {
    let given = long_list();
    let request = Payload::get("/")
        .unwrap()
        .header("Connection", &given)
        .header("Upgrade", "x");
    let before = LOOKED.get();
    let mut out = Vec::new();
    Encoder::default()
        .request(&request, Target::Origin, b"h", &mut out)
        .unwrap();
    assert!(LOOKED.get() - before <= 3 * given.len());
    let given = given.trim_end_matches(',').replace(',', ", ");
    let line = format!("Connection: {given}, upgrade\r\n");
    assert!(std::str::from_utf8(&out).unwrap().contains(&line));
}
