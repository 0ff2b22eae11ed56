//! A line of JSON for each request.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;

use super::{Sink, USER, part, user};
use crate::payload::Headers;
use crate::session::{Logger, Note, Outcome, Record, RefusedRequest};
use crate::transport::Peer;

/// Logs one JSON object (RFC 8259) on one line for each request.
///
/// All fields are always there, in this order, and keep their names and types. An unknown value is `null`.
///
/// | field | type | what |
/// | --- | --- | --- |
/// | `time` | string | when the request was delivered or refused, UTC: `1994-11-06T08:49:37.120Z` |
/// | `client` | string or null | the address of the other end, without its port |
/// | `user` | string or null | the one that the service [noted](crate::Responder::note) as `user`, else that of the Basic credentials |
/// | `method`, `target`, `version` | string or null | the request line: `GET`, `/path?query`, `HTTP/1.1`; of a refused request the words of the line that came |
/// | `status` | number or null | the status of the answer, if one began |
/// | `outcome` | string | `completed`, `cancelled` or `failed` |
/// | `cause` | string or null | why not completed: [`CancelCause::name`](crate::error::CancelCause::name) or [`FailureReason::name`](crate::error::FailureReason::name) |
/// | `head_in`, `body_in` | number or null | bytes of the request, framing not counted |
/// | `head_out`, `body_out` | number | bytes of the answer, framing not counted |
/// | `answer_us` | number or null | microseconds from the delivery of the request to the beginning of the answer |
/// | `duration_us` | number or null | microseconds from the delivery of the request to the end of the exchange |
/// | `reused` | bool | whether the connection had carried another exchange before |
/// | `referer`, `user_agent` | string or null | those fields of the request; if repeated, the first |
/// | `notes` | object or null | what else the service [noted](crate::Responder::note), by name; each value is a string |
///
/// A [refused](Logger::refused) request has an entry too, in which its fields, what was read of it, and the times are
/// `null`. Such an entry can be told by its `duration_us`.
///
/// Control characters, C1 ones included, the line separators U+2028 and U+2029, and the characters that change the
/// direction of text are escaped. So an entry is one line to every reader, harmless to a terminal, and reads as it is.
/// Bytes that are not UTF-8 become U+FFFD, because JSON cannot express them.
///
/// ```no_run
/// use http_actors::log::JsonLog;
/// use http_actors::{HttpHandler, HttpServer};
/// # fn serve<H: HttpHandler>(factory: impl Fn(actix::Addr<http_actors::HttpSession>) -> H + Send + Clone + 'static) {
/// let server = HttpServer::new(factory).logger(JsonLog::new(std::io::stdout()));
/// # }
/// ```
#[derive(Debug)]
pub struct JsonLog<W> {
    out: Sink<W>,
}

impl<W: Write> JsonLog<W> {
    /// Logs to this writer, which every worker shares. Each entry is one write, flushed.
    pub fn new(out: W) -> Self {
        Self {
            out: Sink::new(out),
        }
    }
}

impl<W: Write + Send + 'static> Logger for JsonLog<W> {
    fn log(&self, record: &Record<'_>) {
        let facts = Facts::of(record, record.exchange.began_at());
        self.out.write(facts.entry().as_bytes());
    }

    fn refused(&self, refused: &RefusedRequest<'_>) {
        let facts = Facts::of_refused(refused, SystemTime::now());
        self.out.write(facts.entry().as_bytes());
    }
}

/// What an entry says.
struct Facts<'a> {
    time: SystemTime,
    peer: &'a Peer,
    line: &'a [u8],
    headers: Option<&'a Headers>,
    notes: &'a [Note],
    status: Option<StatusCode>,
    outcome: Outcome,
    head_in: Option<u64>,
    body_in: Option<u64>,
    head_out: u64,
    body_out: u64,
    answer: Option<Duration>,
    duration: Option<Duration>,
    reused: bool,
}

impl<'a> Facts<'a> {
    fn of(record: &Record<'a>, time: SystemTime) -> Self {
        let Record {
            exchange,
            peer,
            kept,
            notes,
        } = *record;
        let answered = exchange.answered;
        Self {
            time,
            peer,
            line: &kept.request_line,
            headers: Some(&kept.request_headers),
            notes,
            status: exchange.status,
            outcome: exchange.outcome,
            head_in: Some(exchange.head_in),
            body_in: Some(exchange.bytes_in),
            head_out: exchange.head_out,
            body_out: exchange.bytes_out,
            answer: answered.map(|at| at.saturating_duration_since(exchange.began)),
            duration: Some(exchange.duration()),
            reused: exchange.reused,
        }
    }

    fn of_refused(refused: &RefusedRequest<'a>, time: SystemTime) -> Self {
        Self {
            time,
            peer: refused.peer,
            line: refused.request_line,
            headers: None,
            notes: &[],
            status: Some(refused.status),
            outcome: refused.outcome,
            head_in: None,
            body_in: None,
            head_out: refused.head_out,
            body_out: refused.bytes_out,
            answer: None,
            duration: None,
            reused: refused.reused,
        }
    }

    fn entry(&self) -> String {
        // Neither a method nor a target can hold a space.
        let mut line = self.line.splitn(3, |byte| *byte == b' ');
        let mut word = || line.next().filter(|word| !word.is_empty()).map(Text);
        let field = |name| self.headers.and_then(|headers| headers.get(name)).map(Text);
        let client = self.peer.remote.map(|remote| remote.ip().to_string());
        let user = self.headers.and_then(|headers| user(self.notes, headers));
        let outcome = self.outcome;
        let micros = |duration: Duration| duration.as_micros();
        let mut entry = Entry(String::from("{"));
        entry.put("time", Some(Text(rfc3339(self.time).as_bytes())));
        entry.put("client", client.as_ref().map(|text| Text(text.as_bytes())));
        entry.put("user", user.as_ref().map(|text| Text(text.as_bytes())));
        entry.put("method", word());
        entry.put("target", word());
        entry.put("version", word());
        entry.put("status", self.status.map(|status| status.as_u16()));
        entry.put("outcome", Some(Text(outcome.name().as_bytes())));
        entry.put("cause", outcome.cause().map(|cause| Text(cause.as_bytes())));
        entry.put("head_in", self.head_in);
        entry.put("body_in", self.body_in);
        entry.put("head_out", Some(self.head_out));
        entry.put("body_out", Some(self.body_out));
        entry.put("answer_us", self.answer.map(micros));
        entry.put("duration_us", self.duration.map(micros));
        entry.put("reused", Some(self.reused));
        entry.put("referer", field("referer"));
        entry.put("user_agent", field("user-agent"));
        let noted = self.notes.iter().any(|note| note.name != USER);
        entry.put("notes", noted.then_some(Notes(self.notes)));
        entry.0.push_str("}\n");
        entry.0
    }
}

/// A JSON object under construction.
struct Entry(String);

impl Entry {
    /// Appends a member.
    fn put(&mut self, name: &str, value: Option<impl fmt::Display>) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = match value {
            Some(value) => write!(self.0, "{comma}\"{name}\":{value}"),
            None => write!(self.0, "{comma}\"{name}\":null"),
        };
    }
}

/// The notes as a JSON object, without the user.
struct Notes<'a>(&'a [Note]);

impl fmt::Display for Notes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.0.iter().filter(|note| note.name != USER);
        for (place, note) in others.enumerate() {
            f.write_char(if place == 0 { '{' } else { ',' })?;
            let (name, value) = (note.name.as_bytes(), note.value.as_bytes());
            write!(f, "{}:{}", Text(name), Text(value))?;
        }
        f.write_char('}')
    }
}

/// Bytes as a JSON string, with its quotes (RFC 8259 section 7).
struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            for each in chunk.valid().chars() {
                match each {
                    '"' | '\\' => write!(f, "\\{each}")?,
                    each if each.is_control() || is_separator(each) || is_bidi(each) => {
                        write!(f, "\\u{:04x}", u32::from(each))?;
                    }
                    each => f.write_char(each)?,
                }
            }
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        f.write_char('"')
    }
}

/// Whether some readers end a line here.
fn is_separator(each: char) -> bool {
    matches!(each, '\u{2028}' | '\u{2029}')
}

/// Whether this changes the direction of the text around it, and so can make one entry look like another (Unicode
/// Technical Report 36, section 2.1).
fn is_bidi(each: char) -> bool {
    matches!(
        each,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// `1994-11-06T08:49:37.120Z`, cut from an IMF-fixdate.
fn rfc3339(time: SystemTime) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let date = httpdate::fmt_http_date(time);
    let month = MONTHS.find(part(&date, 8..11)).map_or(0, |at| at / 3 + 1);
    let past = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!(
        "{}-{month:02}-{}T{}.{:03}Z",
        part(&date, 12..16),
        part(&date, 5..7),
        part(&date, 17..25),
        past.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use tokio::time::Instant;

    use super::*;
    use crate::error::{CancelCause, Deadline, FailureReason, WireError};
    use crate::payload::MessageId;
    use crate::session::{Exchange, ExchangePhase, Kept};

    fn exchange() -> Exchange {
        let began = Instant::now();
        Exchange {
            id: MessageId::next(),
            answer: None,
            status: Some(StatusCode::OK),
            phase: ExchangePhase::Answered,
            outcome: Outcome::Completed,
            head_in: 40,
            bytes_in: 3,
            head_out: 60,
            bytes_out: 5,
            retry_safe: false,
            reused: true,
            began,
            answered: Some(began + Duration::from_micros(1_500)),
            ended: began + Duration::from_millis(2),
        }
    }

    fn logged(exchange: &Exchange, peer: &Peer, kept: &Kept) -> String {
        noted(exchange, peer, kept, &[])
    }

    fn noted(exchange: &Exchange, peer: &Peer, kept: &Kept, notes: &[Note]) -> String {
        let record = Record {
            exchange,
            peer,
            kept,
            notes,
        };
        Facts::of(&record, at()).entry()
    }

    fn at() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(784_111_777_120)
    }

    /// The user has a member of its own. Without other notes there is no object of them.
    #[test]
    fn the_user_is_not_among_the_notes() {
        let note = |name, value| Note {
            name: Cow::Borrowed(name),
            value: Cow::Borrowed(value),
        };
        let notes = [note("user", "ann"), note("route", "/a"), note("to", "b")];
        for (noted_here, end) in [
            (&notes[..1], r#""notes":null}"#),
            (&notes[..], r#""notes":{"route":"/a","to":"b"}}"#),
        ] {
            let line = noted(&exchange(), &Peer::default(), &Kept::default(), noted_here);
            assert!(line.contains(r#""user":"ann","#), "{line}");
            assert!(line.trim_end().ends_with(end), "{line}");
        }
    }

    #[test]
    fn a_whole_line() {
        let mut request_headers = Headers::new();
        for (name, value) in [
            ("Authorization", "Basic am9lIHg6YTpi"),
            ("Referer", "http://b/"),
            ("User-Agent", "test/1"),
        ] {
            request_headers.append(name, value).expect("a valid field");
        }
        let kept = Kept {
            request_line: "GET /a?b=\"c\" HTTP/1.1".into(),
            request_headers,
            ..Kept::default()
        };
        let peer = Peer {
            remote: Some("[::1]:9".parse().expect("an address")),
            local: None,
        };
        assert_eq!(
            logged(&exchange(), &peer, &kept),
            concat!(
                r#"{"time":"1994-11-06T08:49:37.120Z","client":"::1","user":"joe x","method":"GET","#,
                r#""target":"/a?b=\"c\"","version":"HTTP/1.1","status":200,"outcome":"completed","cause":null,"#,
                r#""head_in":40,"body_in":3,"head_out":60,"body_out":5,"answer_us":1500,"duration_us":2000,"#,
                r#""reused":true,"referer":"http://b/","user_agent":"test/1","notes":null}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_is_not_known_is_null() {
        let cut = Exchange {
            status: None,
            answered: None,
            outcome: Outcome::Cancelled(CancelCause::Deadline(Deadline::Body)),
            ..exchange()
        };
        assert_eq!(
            logged(&cut, &Peer::default(), &Kept::default()),
            concat!(
                r#"{"time":"1994-11-06T08:49:37.120Z","client":null,"user":null,"method":null,"#,
                r#""target":null,"version":null,"status":null,"outcome":"cancelled","cause":"timeout_body","#,
                r#""head_in":40,"body_in":3,"head_out":60,"body_out":5,"answer_us":null,"duration_us":2000,"#,
                r#""reused":true,"referer":null,"user_agent":null,"notes":null}"#,
                "\n"
            )
        );
    }

    /// The line is not what it should be, and is not taken for more.
    #[test]
    fn a_refused_request() {
        let error = WireError::InvalidRequestLine;
        let refused = RefusedRequest {
            status: error.status(),
            outcome: Outcome::Failed(FailureReason::Protocol(error)),
            peer: &Peer::default(),
            request_line: b"\x16\x03\x01 x",
            head_out: 60,
            bytes_out: 5,
            reused: false,
        };
        assert_eq!(
            Facts::of_refused(&refused, at()).entry(),
            concat!(
                r#"{"time":"1994-11-06T08:49:37.120Z","client":null,"user":null,"#,
                r#""method":"\u0016\u0003\u0001","target":"x","version":null,"#,
                r#""status":400,"outcome":"failed","cause":"protocol","#,
                r#""head_in":null,"body_in":null,"head_out":60,"body_out":5,"answer_us":null,"duration_us":null,"#,
                r#""reused":false,"referer":null,"user_agent":null,"notes":null}"#,
                "\n"
            )
        );
    }

    /// Text from a client can end neither the string nor the line, and cannot control a terminal.
    #[test]
    fn hostile_text() {
        for (text, expected) in [
            (&b"a\"b\\c/d'"[..], r#""a\"b\\c/d'""#),
            (
                b"\0\x01\t\r\n\x1b[2J\x7f",
                r#""\u0000\u0001\u0009\u000d\u000a\u001b[2J\u007f""#,
            ),
            ("\u{85}\u{9b}".as_bytes(), r#""\u0085\u009b""#),
            ("\u{2028}\u{2029}".as_bytes(), r#""\u2028\u2029""#),
            (
                "a\u{202e}b\u{2066}c\u{61c}".as_bytes(),
                r#""a\u202eb\u2066c\u061c""#,
            ),
            ("größe \u{1f980}".as_bytes(), "\"größe \u{1f980}\""),
            // Latin-1, a sequence cut short, an overlong one, a surrogate.
            (b"gr\xf6\xdfe", "\"gr\u{fffd}\u{fffd}e\""),
            (b"\xf0\x9f\xa6", "\"\u{fffd}\""),
            (b"\xc0\xae", "\"\u{fffd}\u{fffd}\""),
            (b"\xed\xa0\x80", "\"\u{fffd}\u{fffd}\u{fffd}\""),
            (b"", "\"\""),
        ] {
            assert_eq!(Text(text).to_string(), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn every_month_has_its_number() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_733_011_200, "2024-12-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
