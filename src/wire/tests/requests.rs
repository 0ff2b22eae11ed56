//! What a server accepts, waits for and refuses: a row a line, so without rustfmt. Numbers in the names are those of
//! `docs/semantics.md`.

use super::harness::{Event, Feed, Row, accept, check, more, refuse, transcript};
use crate::error::WireError as E;
use crate::wire::{Leniency, Limits, Rules};

const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: n\r\n\r\n";

/// Small limits, so that a row can reach them.
fn small() -> Rules {
    Rules {
        limits: Limits {
            start_line: 40,
            head: 120,
            fields: 4,
            chunk_line: 20,
            chunk_overhead: 24,
            trailers: 40,
            oneshot: 10,
            body: Some(40),
            informational: 1,
        },
        leniency: Leniency::default(),
    }
}

/// A request with these lines, which end in CRLF, behind Host.
fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn post(fields_and_body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields_and_body}")
}

fn chunked(body: &str) -> String {
    post(&format!("Transfer-Encoding: chunked\r\n\r\n{body}"))
}

fn host(line: &str, fields: &str) -> String {
    format!("{line}\r\n{fields}\r\n")
}

#[rustfmt::skip]
pub(super) fn start_lines() -> Vec<Row> {
    let line = |line: &str| host(line, "Host: a\r\n");
    vec![
        accept("plain get", line("GET / HTTP/1.1"), &["GET / HTTP/1.1"]),
        accept("P58 path and query", line("GET /a/b?c=d&e HTTP/1.1"), &["GET /a/b?c=d&e HTTP/1.1"]),
        accept("extension method", line("M-SEARCH / HTTP/1.1"), &["M-SEARCH / HTTP/1.1"]),
        accept("path of two slashes is no authority", line("GET //b/c HTTP/1.1"), &["GET //b/c HTTP/1.1"]),
        accept("url as a path", line("GET /http://u@b HTTP/1.1"), &["GET /http://u@b HTTP/1.1"]),
        accept("P152 http/1.0", "GET / HTTP/1.0\r\n\r\n", &["GET / HTTP/1.0 close"]),
        accept("asterisk-form", line("OPTIONS * HTTP/1.1"), &["OPTIONS * HTTP/1.1"]),
        accept("absolute-form", line("GET http://a/x?y HTTP/1.1"), &["GET http://a/x?y HTTP/1.1"]),
        accept("absolute-form without a path", line("GET http://a HTTP/1.1"), &["GET http://a/ HTTP/1.1"]),
        accept("absolute-form with a query alone", line("GET http://a?u@b HTTP/1.1"), &["GET http://a/?u@b HTTP/1.1"]),
        accept("absolute-form with another scheme", line("GET coap+tcp://a/x HTTP/1.1"), &["GET coap+tcp://a/x HTTP/1.1"]),
        accept("authority-form", host("CONNECT a:80 HTTP/1.1", "Host: a:80\r\n"), &["CONNECT a:80 HTTP/1.1 upgrade"]),
        accept("an empty line before a request", format!("\r\n{}", get("")), &["GET / HTTP/1.1"]),
        more("B4 a part of a request line", "GET /a"),
        more("B4 a method alone", "G"),
        more("a head without its blank line", "GET / HTTP/1.1\r\nHost: a\r\n"),
        more("a carriage return alone", "\r"),
        refuse("a second empty line", format!("\r\n\r\n{}", get("")), E::InvalidRequestLine),
        refuse("P181 two spaces after the method", line("GET  / HTTP/1.1"), E::InvalidRequestLine),
        refuse("P181 two spaces before the version", line("GET /  HTTP/1.1"), E::InvalidRequestLine),
        refuse("P181 space before the method", line(" GET / HTTP/1.1"), E::InvalidRequestLine),
        refuse("P181 space behind the version", line("GET / HTTP/1.1 "), E::InvalidRequestLine),
        refuse("P181 tab for a space", line("GET\t/\tHTTP/1.1"), E::InvalidRequestLine),
        refuse("a space in the target", line("GET /a b HTTP/1.1"), E::InvalidRequestLine),
        refuse("http/0.9", line("GET /"), E::InvalidRequestLine),
        refuse("no method", line(" / HTTP/1.1"), E::InvalidRequestLine),
        refuse("no target", line("GET  HTTP/1.1"), E::InvalidRequestLine),
        refuse("no version", line("GET / "), E::InvalidRequestLine),
        refuse("one word", line("GET"), E::InvalidRequestLine),
        refuse("method outside the token", line("G(T / HTTP/1.1"), E::InvalidMethod),
        refuse("P181 control character in the target", line("GET /\x01 HTTP/1.1"), E::InvalidTarget),
        refuse("P181 target outside ascii", line("GET /\u{e9} HTTP/1.1"), E::InvalidTarget),
        refuse("relative target", line("GET a/b HTTP/1.1"), E::InvalidTarget),
        refuse("authority-form without connect", line("GET a:80 HTTP/1.1"), E::InvalidTarget),
        refuse("asterisk-form without options", line("GET * HTTP/1.1"), E::InvalidTarget),
        refuse("absolute-form with connect", line("CONNECT http://a:80/ HTTP/1.1"), E::InvalidTarget),
        refuse("connect with a path", line("CONNECT a:80/ HTTP/1.1"), E::InvalidTarget),
        refuse("connect with a path that has a port", line("CONNECT a/:80 HTTP/1.1"), E::InvalidTarget),
        refuse("connect with a query", line("CONNECT a:80?b HTTP/1.1"), E::InvalidTarget),
        refuse("absolute-form without a host", line("GET http:///x HTTP/1.1"), E::InvalidTarget),
        refuse("absolute-form with a port alone", line("GET http://:80/ HTTP/1.1"), E::InvalidTarget),
        refuse("absolute-form with a bad scheme", line("GET 1http://a/ HTTP/1.1"), E::InvalidTarget),
        refuse("absolute-form without a scheme", line("GET ://a/ HTTP/1.1"), E::InvalidTarget),
        refuse("absolute-form with a bad byte in the scheme", line("GET a_b://a/ HTTP/1.1"), E::InvalidTarget),
        refuse("absolute-form with a port over 65535", line("GET http://a:65536/ HTTP/1.1"), E::InvalidTarget),
        refuse("P185 userinfo", line("GET http://u:p@a/ HTTP/1.1"), E::UserinfoInTarget),
        refuse("P185 userinfo with connect", line("CONNECT u@a:80 HTTP/1.1"), E::UserinfoInTarget),
        refuse("P185 connect without a port", line("CONNECT a HTTP/1.1"), E::MissingConnectPort),
        refuse("P185 connect with an empty port", line("CONNECT a: HTTP/1.1"), E::MissingConnectPort),
        refuse("B28 fragment", line("GET /a#b HTTP/1.1"), E::FragmentInTarget),
        refuse("B30 version without a digit", line("GET / HTTP/1.x"), E::InvalidVersion),
        refuse("version in lower case", line("GET / http/1.1"), E::InvalidVersion),
        refuse("version with a third digit", line("GET / HTTP/1.10"), E::InvalidVersion),
        refuse("P152 http/1.2", line("GET / HTTP/1.2"), E::UnsupportedVersion),
        refuse("P152 http/0.9 by name", line("GET / HTTP/0.9"), E::UnsupportedVersion),
        refuse("a bad request line that no field follows", "GET / HTTP/2.0\r\n", E::UnsupportedVersion),
        refuse("http/0.9 that no field follows", "GET /\r\n", E::InvalidRequestLine),
        refuse("a bad target before half a field", "GET a HTTP/1.1\r\nHo", E::InvalidTarget),
        refuse("a bad request line before a bad field", "G(T / HTTP/1.1\r\na\nb\r\n\r\n", E::InvalidMethod),
        refuse("a bad request line before a field without a colon", "G(T / HTTP/1.1\r\na\r\n\r\n", E::InvalidMethod),
        refuse("the preface of http/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", E::UnsupportedVersion),
    ]
}

#[rustfmt::skip]
pub(super) fn lines() -> Vec<Row> {
    vec![
        refuse("P181 bare lf behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", E::BareLf),
        refuse("P181 bare lf behind a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", E::BareLf),
        refuse("P181 bare lf as the blank line", "GET / HTTP/1.1\r\nHost: a\r\n\n", E::BareLf),
        refuse("P181 bare lf before the request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::BareLf),
        refuse("P181 bare cr in the request line", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", E::BareCr),
        refuse("P181 bare cr in a value", get("A: b\rc\r\n"), E::BareCr),
        refuse("P181 bare cr before crlf", get("A: b\r\r\n"), E::BareCr),
        refuse("P181 bare cr before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::BareCr),
        refuse("P182 folded field", get("A: b\r\n c\r\n"), E::ObsFold),
        refuse("P182 folded by a tab", get("A: b\r\n\tc\r\n"), E::ObsFold),
        refuse("P182 space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", E::ObsFold),
    ]
}

#[rustfmt::skip]
pub(super) fn fields() -> Vec<Row> {
    vec![
        accept("P60 value trimmed", get("A: \t b \t\r\n"), &["GET / HTTP/1.1"]),
        accept("empty value", get("A:\r\n"), &["GET / HTTP/1.1"]),
        accept("obs-text in a value", get("A: \u{e9}\r\n"), &["GET / HTTP/1.1"]),
        accept("every tchar in a name", get("!#$%&'*+-.^_`|~09azAZ: b\r\n"), &["GET / HTTP/1.1"]),
        refuse("P60 no colon", get("A\r\n"), E::MissingColon),
        refuse("P182 space before the colon", get("A : b\r\n"), E::WhitespaceBeforeColon),
        refuse("P182 tab before the colon", get("A\t: b\r\n"), E::WhitespaceBeforeColon),
        refuse("P182 space alone before the colon", get("A: b\r\n: c\r\n"), E::InvalidFieldName),
        refuse("P182 name outside the token", get("A(: b\r\n"), E::InvalidFieldName),
        refuse("P182 space inside a name", get("A B: b\r\n"), E::InvalidFieldName),
        refuse("P182 name outside ascii", get("\u{e9}: b\r\n"), E::InvalidFieldName),
        refuse("P182 nul in a value", get("A: b\0\r\n"), E::InvalidFieldValue),
        refuse("delete in a value", get("A: \x7f\r\n"), E::InvalidFieldValue),
    ]
}

#[rustfmt::skip]
pub(super) fn hosts() -> Vec<Row> {
    let with = |value: &str| host("GET / HTTP/1.1", &format!("Host: {value}\r\n"));
    let absolute = |value: &str| host("GET http://a.b/ HTTP/1.1", &format!("Host: {value}\r\n"));
    let secure = |value: &str| host("GET https://a.b:443/ HTTP/1.1", &format!("Host: {value}\r\n"));
    let connect = |value: &str| host("CONNECT a.b:443 HTTP/1.1", &format!("Host: {value}\r\n"));
    vec![
        accept("host with a port", with("a:8080"), &["GET / HTTP/1.1"]),
        accept("host with an empty port", with("a:"), &["GET / HTTP/1.1"]),
        accept("host in ipv6", with("[::1]:80"), &["GET / HTTP/1.1"]),
        accept("host in a future form", with("[v1.a:b]"), &["GET / HTTP/1.1"]),
        accept("host in a future form, in upper case", with("[V1F.a:b]:80"), &["GET / HTTP/1.1"]),
        accept("host in percent form", with("a%2D"), &["GET / HTTP/1.1"]),
        accept("an empty host", with(""), &["GET / HTTP/1.1"]),
        accept("http/1.0 with host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", &["GET / HTTP/1.0 close"]),
        accept("P185 agreeing without regard to case", absolute("A.b"), &["GET http://a.b/ HTTP/1.1"]),
        accept("P185 agreeing by the default port", absolute("a.b:80"), &["GET http://a.b/ HTTP/1.1"]),
        accept("P185 agreeing by the default port of https", secure("a.b"), &["GET https://a.b:443/ HTTP/1.1"]),
        accept("P185 agreeing by the default port of a scheme in upper case", host("GET HTTP://a.b/ HTTP/1.1", "Host: a.b:80\r\n"), &["GET http://a.b/ HTTP/1.1"]),
        accept("P185 the same for https", host("GET HTTPS://a.b/ HTTP/1.1", "Host: a.b:443\r\n"), &["GET https://a.b/ HTTP/1.1"]),
        accept("P185 connect agreeing", connect("a.b:443"), &["CONNECT a.b:443 HTTP/1.1 upgrade"]),
        accept("P185 connect agreeing by a default port", connect("a.b"), &["CONNECT a.b:443 HTTP/1.1 upgrade"]),
        accept("P185 connect agreeing by the other default port", host("CONNECT a.b:80 HTTP/1.1", "Host: a.b\r\n"), &["CONNECT a.b:80 HTTP/1.1 upgrade"]),
        refuse("P185 connect to a port that is no default", host("CONNECT a.b:81 HTTP/1.1", "Host: a.b\r\n"), E::MismatchedHost),
        refuse("P185 a port of a scheme without a default", host("GET coap://a.b:80/ HTTP/1.1", "Host: a.b\r\n"), E::MismatchedHost),
        refuse("P185 no host", "GET / HTTP/1.1\r\n\r\n", E::MissingHost),
        refuse("P185 no host beside an absolute target", "GET http://a/ HTTP/1.1\r\n\r\n", E::MissingHost),
        refuse("P185 two hosts", get("Host: a\r\n"), E::RepeatedHost),
        refuse("P185 two hosts in http/1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", E::RepeatedHost),
        refuse("P185 host with a path", with("a/b"), E::InvalidHost),
        refuse("P185 host with userinfo", with("u@a"), E::InvalidHost),
        refuse("P185 list of hosts", with("a, b"), E::InvalidHost),
        refuse("P185 port over 65535", with("a:65536"), E::InvalidHost),
        refuse("P185 port with a sign", with("a:+80"), E::InvalidHost),
        refuse("P185 port alone", with(":80"), E::InvalidHost),
        refuse("P185 a future form without a dot", with("[v1a]"), E::InvalidHost),
        refuse("P185 a future form without a version", with("[v.a]"), E::InvalidHost),
        refuse("P185 a future form without an address", with("[v1.]"), E::InvalidHost),
        refuse("P185 a future form with a bad version", with("[v1g.a]"), E::InvalidHost),
        refuse("P185 a future form with a bad address", with("[v1.a@b]"), E::InvalidHost),
        refuse("P185 percent form, bad first digit", with("a%g2"), E::InvalidHost),
        refuse("P185 percent form, bad second digit", with("a%2g"), E::InvalidHost),
        refuse("P185 bad ipv6", with("[::g]"), E::InvalidHost),
        refuse("P185 ipv6 with a tail", with("[::1]x"), E::InvalidHost),
        refuse("P185 ipv6 without brackets", with("::1"), E::InvalidHost),
        refuse("P185 bad percent form", with("a%2"), E::InvalidHost),
        refuse("P185 disagreeing name", absolute("a.c"), E::MismatchedHost),
        refuse("P185 disagreeing port", absolute("a.b:81"), E::MismatchedHost),
        refuse("P185 empty against an absolute target", absolute(""), E::MismatchedHost),
        refuse("P185 connect disagreeing", connect("a.b:80"), E::MismatchedHost),
    ]
}

#[rustfmt::skip]
pub(super) fn framing() -> Vec<Row> {
    vec![
        accept("P64 no framing fields, no body", get(""), &["GET / HTTP/1.1"]),
        accept("P64 length 0", post("Content-Length: 0\r\n\r\n"), &["POST / HTTP/1.1"]),
        accept("P65 a small body comes inside", post("Content-Length: 3\r\n\r\nabc"), &["POST / HTTP/1.1 = abc"]),
        accept("P50 at the limit", post("Content-Length: 10\r\n\r\n0123456789"), &["POST / HTTP/1.1 = 0123456789"]),
        accept("P50 over the limit", post("Content-Length: 11\r\n\r\n0123456789a"), &["POST / HTTP/1.1 stream 11", "data 0123456789a", "end"]),
        accept("P183 equal lengths", post("Content-Length: 3\r\nContent-length: 03\r\n\r\nabc"), &["POST / HTTP/1.1 = abc"]),
        accept(
            "B3 P68 a request behind a body",
            format!("{}{}", post("Content-Length: 1\r\n\r\na"), post("Content-Length: 2\r\n\r\nbc")),
            &["POST / HTTP/1.1 = a", "POST / HTTP/1.1 = bc"],
        ),
        more("B24 a body cut short", post("Content-Length: 3\r\n\r\nab")),
        more("a streamed body cut short", post("Content-Length: 20\r\n\r\nab")),
        refuse("B21 length with an underscore", post("Content-Length: 1_0\r\n\r\n"), E::InvalidContentLength),
        refuse("B21 length in hexadecimal", post("Content-Length: 0x1\r\n\r\n"), E::InvalidContentLength),
        refuse("B21 negative length", post("Content-Length: -5\r\n\r\n"), E::InvalidContentLength),
        refuse("B21 length with a sign", post("Content-Length: +5\r\n\r\n"), E::InvalidContentLength),
        refuse("B21 no number", post("Content-Length: abc\r\n\r\n"), E::InvalidContentLength),
        refuse("B21 a number and more", post("Content-Length: 5 5\r\n\r\n"), E::InvalidContentLength),
        refuse("P183 empty length", post("Content-Length:\r\n\r\n"), E::InvalidContentLength),
        refuse("P183 list of lengths", post("Content-Length: 3, 3\r\n\r\n"), E::InvalidContentLength),
        refuse("P183 length over 64 bits", post("Content-Length: 18446744073709551616\r\n\r\n"), E::InvalidContentLength),
        refuse("B21 differing lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n\r\n"), E::ConflictingContentLength),
        refuse("B21 length and chunked", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), E::ContentLengthWithTransferEncoding),
        refuse("B21 chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), E::ContentLengthWithTransferEncoding),
        accept(
            "body at the limit, by announcement",
            post("Content-Length: 40\r\n\r\n0123456789012345678901234567890123456789"),
            &["POST / HTTP/1.1 stream 40", "data 0123456789012345678901234567890123456789", "end"],
        ),
        refuse("body over the limit, by announcement", post("Content-Length: 41\r\n\r\n"), E::BodyTooLarge),
    ]
}

#[rustfmt::skip]
pub(super) fn codings() -> Vec<Row> {
    let te = |value: &str| post(&format!("Transfer-Encoding: {value}\r\n\r\n0\r\n\r\n"));
    vec![
        accept("P62 chunked in any case", te("CHUNKED"), &["POST / HTTP/1.1 chunked", "end"]),
        refuse("B21 another coding alone", te("gzip"), E::UnsupportedTransferEncoding),
        refuse("P183 another coding first", te("gzip, chunked"), E::UnsupportedTransferEncoding),
        refuse("P183 a quoted quote ends nothing", te("a;b=\"\\\",\""), E::UnsupportedTransferEncoding),
        refuse("P183 another coding with parameters", te("a;b=c;d=\"e,f\""), E::UnsupportedTransferEncoding),
        refuse("P183 a quoted comma separates nothing", te("a;b=\",chunked\""), E::UnsupportedTransferEncoding),
        refuse("identity", te("identity"), E::UnsupportedTransferEncoding),
        refuse("B21 chunked as a part of a word", te("xchunked"), E::UnsupportedTransferEncoding),
        refuse("P183 chunked twice", te("chunked, chunked"), E::InvalidTransferEncoding),
        refuse("P183 chunked not last", te("chunked, gzip"), E::InvalidTransferEncoding),
        refuse("P183 chunked on two lines", te("chunked\r\nTransfer-Encoding: chunked"), E::InvalidTransferEncoding),
        refuse("P183 chunked with a parameter", te("chunked;a=b"), E::InvalidTransferEncoding),
        refuse("P183 chunked behind a tab-like byte", te("\u{b}chunked"), E::InvalidFieldValue),
        refuse("P183 empty", te(""), E::InvalidTransferEncoding),
        refuse("P183 empty member", te(", chunked"), E::InvalidTransferEncoding),
        refuse("P183 empty last member", te("chunked,"), E::InvalidTransferEncoding),
        refuse("P183 a second word", te("chunked x"), E::InvalidTransferEncoding),
        refuse("P183 a quoted string behind a word", te("chunked\"x\""), E::InvalidTransferEncoding),
        refuse("P183 quoted chunked", te("\"chunked\""), E::InvalidTransferEncoding),
        refuse("P183 parameter cut short", te("a;b=\"c"), E::InvalidTransferEncoding),
        refuse("chunked in http/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", E::TransferEncodingOnHttp10),
    ]
}

#[rustfmt::skip]
pub(super) fn chunks() -> Vec<Row> {
    const HEAD: &str = "POST / HTTP/1.1 chunked";
    // 20 needless bytes; 28 are allowed, 4 of them for the data.
    let needless = |last: &str| chunked(&format!("010\r\n0123456789012345\r\n1;aaaaaaaaaaaaaaaaaa\r\nx\r\n{last}\r\n\r\n"));
    vec![
        accept("P67 two chunks", chunked("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"), &[HEAD, "data abc0123456789", "end"]),
        accept("P67 the last digit", chunked("F\r\n012345678901234\r\n0\r\n\r\n"), &[HEAD, "data 012345678901234", "end"]),
        accept("P67 no chunk", chunked("0\r\n\r\n"), &[HEAD, "end"]),
        accept("P67 zeros", chunked("000\r\n\r\n"), &[HEAD, "end"]),
        accept("sixteen digits", chunked("0000000000000003\r\nabc\r\n0\r\n\r\n"), &[HEAD, "data abc", "end"]),
        accept("P184 extensions", chunked("3;a\r\nabc\r\n0 ; b = \"c;\" ;d\r\n\r\n"), &[HEAD, "data abc", "end"]),
        accept("P184 any text in a quoted string", chunked("0;a=\"\t ~\u{e9}\"\r\n\r\n"), &[HEAD, "end"]),
        accept("P184 a quoted quote", chunked("0;a=\"\\\"\\\\\"\r\n\r\n"), &[HEAD, "end"]),
        accept("B19 trailers are delivered", chunked("0\r\nA: b\r\nc:\r\n\r\n"), &[HEAD, "end A=b c="]),
        accept("data that look like a chunk", chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), &[HEAD, "data 0\r\n\r\n", "end"]),
        more("B4 a part of a chunk line", chunked("3")),
        more("B19 without the last crlf", chunked("0\r\n")),
        more("B19 half of the last crlf", chunked("0\r\n\r")),
        more("a chunk cut short", chunked("3\r\nab")),
        more("a trailer section cut short", chunked("0\r\nA: b\r\n")),
        refuse("B19 X9 size that is no number", chunked("xyz\r\n"), E::InvalidChunkSize),
        refuse("X9 empty size", chunked("\r\n"), E::InvalidChunkSize),
        refuse("X9 extension without a size", chunked(";a\r\n"), E::InvalidChunkSize),
        refuse("X9 space for a size", chunked(" \r\n"), E::InvalidChunkSize),
        refuse("P184 size with a prefix", chunked("0x3\r\n"), E::InvalidChunkSize),
        refuse("P184 size with an underscore", chunked("1_0\r\n"), E::InvalidChunkSize),
        refuse("P184 size with a sign", chunked("+3\r\n"), E::InvalidChunkSize),
        refuse("P184 space before the size", chunked(" 3\r\n"), E::InvalidChunkSize),
        refuse("P184 space behind the size", chunked("3 \r\n"), E::InvalidChunkSize),
        refuse("P184 two sizes", chunked("3 3\r\n"), E::InvalidChunkSize),
        refuse("seventeen digits", chunked("00000000000000003\r\n"), E::InvalidChunkSize),
        refuse("P184 empty extension", chunked("3;\r\n"), E::InvalidChunkExtension),
        refuse("P184 extension without a value", chunked("3;a=\r\n"), E::InvalidChunkExtension),
        refuse("P184 extension with an open quote", chunked("3;a=\"b\r\n"), E::InvalidChunkExtension),
        refuse("P184 a quote that is quoted ends nothing", chunked("3;a=\"b\\\"\r\n"), E::InvalidChunkExtension),
        refuse("P184 control character in a quoted string", chunked("3;a=\"\x01\"\r\n"), E::InvalidChunkExtension),
        refuse("P184 quoted control character", chunked("3;a=\"\\\x01\"\r\n"), E::InvalidChunkExtension),
        refuse("P184 extension outside the token", chunked("3;a(b\r\n"), E::InvalidChunkExtension),
        refuse("P184 space behind an extension", chunked("3;a \r\n"), E::InvalidChunkExtension),
        refuse("P184 bare lf behind the size", chunked("3\nabc\r\n"), E::BareLf),
        refuse("P184 bare cr in an extension", chunked("3;a\rb\r\n"), E::BareCr),
        refuse("P184 data without a line end", chunked("3\r\nabcd"), E::MissingChunkEnd),
        refuse("P184 data with a bare lf", chunked("3\r\nabc\n"), E::MissingChunkEnd),
        refuse("P184 data with a bare cr", chunked("3\r\nabc\r0"), E::MissingChunkEnd),
        refuse("chunk line too long", chunked("3;aaaaaaaaaaaaaaaaaaa"), E::ChunkLineTooLong),
        accept(
            "body at the limit, by sum",
            chunked("9\r\n012345678\r\nf\r\n012345678901234\r\n10\r\n0123456789012345\r\n0\r\n\r\n"),
            &[HEAD, "data 0123456780123456789012340123456789012345", "end"],
        ),
        refuse("body over the limit, by one", chunked("9\r\n012345678\r\nf\r\n012345678901234\r\n11\r\n"), E::BodyTooLarge),
        refuse("body over the limit, by sum", chunked("20\r\n01234567890123456789012345678901\r\n9\r\n"), E::BodyTooLarge),
        refuse("a size that overflows the sum", chunked("1\r\na\r\nffffffffffffffff\r\n"), E::BodyTooLarge),
        accept("needless framing at the limit", needless("0;aaaaaaa"), &[HEAD, "data 0123456789012345x", "end"]),
        refuse("needless framing over the limit", needless("0;aaaaaaaa"), E::ChunkOverhead),
        refuse("framing out of proportion", chunked(&"1;aaaaaaaaaaaaa\r\nx\r\n".repeat(2)), E::ChunkOverhead),
        refuse("P184 framing as a trailer", chunked("0\r\ncontent-length: 3\r\n\r\n"), E::ForbiddenTrailer),
        refuse("P184 routing as a trailer", chunked("0\r\nHost: b\r\n\r\n"), E::ForbiddenTrailer),
        refuse("P184 the second of three trailers", chunked("0\r\na: b\r\nHost: b\r\nc: d\r\n\r\n"), E::ForbiddenTrailer),
        refuse("P184 authentication as a trailer", chunked("0\r\nAuthorization: b\r\n\r\n"), E::ForbiddenTrailer),
        refuse("P184 content field as a trailer", chunked("0\r\nContent-Foo: b\r\n\r\n"), E::ForbiddenTrailer),
        refuse("P184 condition as a trailer", chunked("0\r\nIf-Match: b\r\n\r\n"), E::ForbiddenTrailer),
        refuse("P182 space before the colon of a trailer", chunked("0\r\nA : b\r\n\r\n"), E::WhitespaceBeforeColon),
        refuse("P182 folded trailer", chunked("0\r\nA: b\r\n c\r\n\r\n"), E::ObsFold),
        refuse("P182 trailer without a colon", chunked("0\r\nA\r\n\r\n"), E::MissingColon),
        refuse("P182 nul in a trailer", chunked("0\r\nA: \0\r\n\r\n"), E::InvalidFieldValue),
        refuse("trailers too large", chunked(&format!("0\r\nA: {}", "b".repeat(40))), E::TrailersTooLarge),
        refuse("too many trailers", chunked("0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n"), E::TrailersTooLarge),
    ]
}

#[rustfmt::skip]
pub(super) fn limits() -> Vec<Row> {
    // 32 bytes of head beside the value.
    let head = |len: usize| get(&format!("A: {}\r\n", "b".repeat(len.saturating_sub(32))));
    let line = |len: usize| host(&format!("GET /{} HTTP/1.1", "a".repeat(len - 14)), "Host: a\r\n");
    vec![
        accept("line at the limit", line(40), &["GET /aaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1"]),
        refuse("line over the limit", line(41), E::StartLineTooLong),
        refuse("B30 line over the limit and without an end", "a".repeat(41), E::StartLineTooLong),
        accept("head at the limit", head(120), &["GET / HTTP/1.1"]),
        refuse("head over the limit", head(121), E::HeadTooLarge),
        refuse("B30 head at the limit and without an end", &head(140)[..120], E::HeadTooLarge),
        accept("fields at the limit", get("a:\r\nb:\r\nc:\r\n"), &["GET / HTTP/1.1"]),
        refuse("one field too many, at its first byte", "GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\ne", E::TooManyFields),
    ]
}

#[rustfmt::skip]
pub(super) fn connections() -> Vec<Row> {
    let http10 = |fields: &str| format!("GET / HTTP/1.0\r\n{fields}\r\n");
    vec![
        accept("P97 close", get("Connection: close\r\n"), &["GET / HTTP/1.1 close"]),
        accept("B25 B36 close in any case", get("cOnNection: CLOSE\r\n"), &["GET / HTTP/1.1 close"]),
        accept("P170 close in a list", get("Connection: a , Close,b\r\n"), &["GET / HTTP/1.1 close"]),
        accept("P170 close on a second line", get("Connection: keep-alive\r\nConnection: close\r\n"), &["GET / HTTP/1.1 close"]),
        accept("P170 closed is not close", get("Connection: closed\r\n"), &["GET / HTTP/1.1"]),
        accept("P97 http/1.0 with keep-alive", http10("Connection: Keep-Alive\r\n"), &["GET / HTTP/1.0"]),
        accept("P170 http/1.0 with both", http10("Connection: keep-alive, close\r\n"), &["GET / HTTP/1.0 close"]),
        accept("upgrade", get("Connection: Upgrade\r\nUpgrade: x\r\n"), &["GET / HTTP/1.1 upgrade"]),
        accept("upgrade by one field alone", get("Upgrade: x\r\n"), &["GET / HTTP/1.1"]),
        accept("upgrade in http/1.0", http10("Connection: upgrade\r\nUpgrade: x\r\n"), &["GET / HTTP/1.0 close"]),
        accept("upgrade behind a body", post("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na"), &["POST / HTTP/1.1 = a upgrade"]),
        accept(
            "expectation: never oneshot",
            post("Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na"),
            &["POST / HTTP/1.1 stream 1 continue", "data a", "end"],
        ),
        accept(
            "one expectation of two",
            post("Expect: 100-continue, tea\r\nContent-Length: 1\r\n\r\na"),
            &["POST / HTTP/1.1 stream 1 continue expects", "data a", "end"],
        ),
        accept("expectation without a body", post("Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"), &["POST / HTTP/1.1"]),
        accept("expectation in http/1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", &["POST / HTTP/1.0 = a close"]),
        accept("UnknownExpectation is a fact, the session refuses", get("Expect: tea\r\n"), &["GET / HTTP/1.1 expects"]),
    ]
}

#[test]
fn start_line() {
    check_small(&start_lines());
}

#[test]
fn line_ends() {
    check_small(&lines());
}

#[test]
fn field_lines() {
    check_small(&fields());
}

#[test]
fn host_field() {
    check_small(&hosts());
}

#[test]
fn content_length() {
    check_small(&framing());
}

#[test]
fn transfer_encoding() {
    check_small(&codings());
}

#[test]
fn chunked_body() {
    check_small(&chunks());
}

#[test]
fn at_the_limits() {
    check_small(&limits());
}

#[test]
fn connection_facts() {
    check_small(&connections());
}

#[test]
#[rustfmt::skip]
fn leniencies_forbid_and_allow() {
    let lenient = |leniency: Leniency| Rules { leniency, ..small() };
    let bare_lf = lenient(Leniency { bare_lf: true, ..Leniency::default() });
    let folds = lenient(Leniency { obs_fold: true, ..Leniency::default() });
    let no_host = lenient(Leniency { missing_host: true, ..Leniency::default() });
    // The forbid rows stand in the tables above; these are their twins.
    check_with(&bare_lf, &[
        accept("bare lf behind as many fields as may come", "GET / HTTP/1.1\nHost: a\nb:\nc:\nd:\n\n", &["GET / HTTP/1.1"]),
        accept("bare lf allowed", "\nGET / HTTP/1.1\nHost: a\r\nA: b\n\n", &["GET / HTTP/1.1"]),
        refuse("bare cr is not", "GET / HTTP/1.1\nHost: a\rb\n\n", E::BareCr),
        refuse("nor is a bare lf in chunked framing", chunked("0\n\r\n"), E::BareLf),
    ]);
    check_with(&folds, &[
        accept("fold allowed", get("A: b\r\n\tc\r\n"), &["GET / HTTP/1.1"]),
        accept("fold that hides nothing", get("Content-Length:\r\n 1\r\n").replace("GET", "PUT") + "a", &["PUT / HTTP/1.1 = a"]),
        refuse("a bare cr before a fold is not", get("A: b\r\r\n c\r\n"), E::BareCr),
        refuse("a fold of nothing is not", "GET / HTTP/1.1\r\n A: b\r\n\r\n", E::ObsFold),
        refuse("nor is one in a trailer", chunked("0\r\nA: b\r\n c\r\n\r\n"), E::ObsFold),
    ]);
    check_with(&no_host, &[
        accept("missing host allowed", "GET / HTTP/1.1\r\n\r\n", &["GET / HTTP/1.1"]),
        refuse("two are not", get("Host: a\r\n"), E::RepeatedHost),
    ]);
}

#[test]
fn folds_are_joined_by_spaces() {
    let rules = Rules {
        leniency: Leniency {
            obs_fold: true,
            ..Leniency::default()
        },
        ..Rules::default()
    };
    let mut feed = Feed::requests(&rules);
    feed.push(get("A: b\r\n\tc\r\n  \r\nD: e\r\n").as_bytes());
    let Event::Head(seen) = &feed.events[0] else {
        panic!("a head")
    };
    assert_eq!(seen.fields[1], ("A".to_owned(), b"b  \tc".to_vec()));
    assert_eq!(seen.fields[2], ("D".to_owned(), b"e".to_vec()));
}

/// Few fields have their places on the stack, and many do not.
#[test]
fn any_number_of_fields() {
    for count in [1, 15, 16, 17, 99, 100, 101] {
        let mut feed = Feed::requests(&Rules::default());
        feed.push(get(&"A: b\r\n".repeat(count - 1)).as_bytes());
        if count > Limits::default().fields {
            assert_eq!(transcript(&feed.events), ["error TooManyFields"]);
        } else {
            let Event::Head(seen) = &feed.events[0] else {
                panic!("{count}: {:?}", feed.events)
            };
            assert_eq!(seen.fields.len(), count);
        }
    }
}

/// RFC 9110 section 6.5.1, name by name, and names that only look like these.
#[test]
fn p184_what_is_no_trailer() {
    let forbidden = "Age Authorization Cache-Control Connection Content-Encoding Content-Length Content-Range \
        Content-Type Cookie Date Expect Expires Forwarded Host If-Match If-None-Match If-Range Keep-Alive Location \
        Max-Forwards Pragma Proxy-Authenticate Proxy-Authorization Proxy-Connection Range Retry-After Set-Cookie TE \
        Trailer Transfer-Encoding Upgrade Vary Via WWW-Authenticate X-Forwarded-For X-Forwarded-Host \
        X-Forwarded-Proto";
    let verdict = |name: &str| {
        let mut feed = Feed::requests(&Rules::default());
        feed.push(chunked(&format!("0\r\n{name}: x\r\n\r\n")).as_bytes());
        transcript(&feed.events).pop()
    };
    for name in forbidden.split_whitespace() {
        for name in [name, &name.to_lowercase(), &name.to_uppercase()] {
            let refused = Some("error ForbiddenTrailer".to_owned());
            assert_eq!(verdict(name), refused, "{name}");
        }
        for name in [format!("X{name}"), format!("X-Y-{name}")] {
            assert_eq!(verdict(&name), Some(format!("end {name}=x")));
        }
    }
    for name in [
        "ETag",
        "Content",
        "If",
        "Digest",
        "Server-Timing",
        "Ages",
        "Hos",
    ] {
        assert_eq!(verdict(name), Some(format!("end {name}=x")));
    }
}

fn check_small(rows: &[Row]) {
    check_with(&small(), rows);
}

fn check_with(rules: &Rules, rows: &[Row]) {
    check(rows, || Feed::requests(rules), NEXT);
}
