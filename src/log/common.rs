//! The combined log format.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::time::SystemTime;

use http::StatusCode;

use super::{Sink, part, quoted, user};
use crate::payload::Headers;
use crate::session::{Logger, Note, Record, RefusedRequest};
use crate::transport::Peer;

/// Logs one line for each request, in the combined log format (P116).
///
/// ```text
/// 127.0.0.1 - user [06/Nov/1994:08:49:37 +0000] "GET /path?query HTTP/1.1" 200 12 "referer" "user-agent"
/// ```
///
/// The user is the one that the service [noted](crate::Responder::note) as `user`, else that of the Basic credentials.
/// The time is that of the request, in UTC. The bytes are those of the response body (B31). `-` stands for what is not
/// known: for the status, if an exchange ended before it was answered. The line of an answer that was cut short differs
/// in the bytes only; [`JsonLog`](super::JsonLog) says why an exchange ended.
///
/// A [refused](Logger::refused) request has a line too, with its request line as it came and without its fields:
///
/// ```text
/// 127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /path HTTP/2.0" 505 30 "-" "-"
/// ```
///
/// Text from the client is escaped, so that it cannot forge an entry:
/// quotes, backslashes, control characters and everything beyond ASCII become `\"`, `\\`, `\n` or `\xff`. A space in
/// the user's name becomes `_`.
///
/// ```no_run
/// use http_actors::log::CommonLog;
/// use http_actors::{HttpHandler, HttpServer};
/// # fn serve<H: HttpHandler>(factory: impl Fn(actix::Addr<http_actors::HttpSession>) -> H + Send + Clone + 'static) {
/// let server = HttpServer::new(factory).logger(CommonLog::new(std::io::stdout()));
/// # }
/// ```
#[doc(alias = "combined")]
#[derive(Debug)]
pub struct CommonLog<W> {
    out: Sink<W>,
}

impl<W: Write> CommonLog<W> {
    /// Logs to this writer, which every worker shares. Each entry is one write, flushed.
    pub fn new(out: W) -> Self {
        Self {
            out: Sink::new(out),
        }
    }
}

impl<W: Write + Send + 'static> Logger for CommonLog<W> {
    fn log(&self, record: &Record<'_>) {
        let Record {
            exchange,
            peer,
            kept,
            notes,
        } = *record;
        self.write(&Line {
            peer,
            time: exchange.began_at(),
            request: &kept.request_line,
            headers: &kept.request_headers,
            notes,
            status: exchange.status,
            bytes: exchange.bytes_out,
        });
    }

    fn refused(&self, refused: &RefusedRequest<'_>) {
        self.write(&Line {
            peer: refused.peer,
            time: SystemTime::now(),
            request: refused.request_line,
            headers: &Headers::new(),
            notes: &[],
            status: Some(refused.status),
            bytes: refused.bytes_out,
        });
    }
}

impl<W: Write> CommonLog<W> {
    fn write(&self, line: &Line<'_>) {
        self.out.write(format!("{line}\n").as_bytes());
    }
}

struct Line<'a> {
    peer: &'a Peer,
    time: SystemTime,
    request: &'a [u8],
    headers: &'a Headers,
    notes: &'a [Note],
    status: Option<StatusCode>,
    bytes: u64,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            peer,
            headers,
            notes,
            bytes,
            ..
        } = self;
        let user = user(notes, headers).unwrap_or(Cow::Borrowed("-"));
        write!(
            f,
            "{peer} - {} [",
            quoted(user.replace(' ', "_").as_bytes())
        )?;
        write_time(f, self.time)?;
        let request = if self.request.is_empty() {
            b"-"
        } else {
            self.request
        };
        write!(f, "] \"{}\" ", quoted(request))?;
        match self.status {
            Some(status) => write!(f, "{}", status.as_u16())?,
            None => f.write_str("-")?,
        }
        write!(
            f,
            " {bytes} \"{}\" \"{}\"",
            field(headers, "referer"),
            field(headers, "user-agent")
        )
    }
}

fn field<'a>(headers: &'a Headers, name: &str) -> impl fmt::Display + use<'a> {
    quoted(headers.get(name).unwrap_or(b"-"))
}

/// `06/Nov/1994:08:49:37 +0000`, cut from an IMF-fixdate.
fn write_time(f: &mut fmt::Formatter<'_>, time: SystemTime) -> fmt::Result {
    let date = httpdate::fmt_http_date(time);
    write!(
        f,
        "{}/{}/{}:{} +0000",
        part(&date, 5..7),
        part(&date, 8..11),
        part(&date, 12..16),
        part(&date, 17..25)
    )
}
