//! What a request for a file gets: the preconditions in the order of RFC 9110 section 13.2.2, then the range of section
//! 14.2. One range is served. For several the whole file is sent, as a server may.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_actors::{Method, Payload};

pub(crate) enum Verdict {
    Whole,
    Part(Range<u64>),
    NotModified,
    Failed,
    OutOfRange,
}

/// By what a version of a file is known.
pub(crate) struct Validators {
    /// With its quotes.
    tag: String,
    modified: SystemTime,
    /// Changed so lately that another change may bear the same time: section 8.8.1.
    is_weak: bool,
}

impl Validators {
    pub(crate) fn of(length: u64, seconds: i64, nanos: i64) -> Self {
        let now = SystemTime::now();
        let modified = UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or(0));
        let age = now.duration_since(modified).unwrap_or_default();
        Self {
            tag: format!("\"{length:x}-{seconds:x}-{nanos:x}\""),
            // A time to come is not sent: section 8.8.2.1.
            modified: modified.min(now),
            is_weak: age < Duration::from_secs(2),
        }
    }

    pub(crate) fn describe(&self, head: Payload) -> Payload {
        let mark = if self.is_weak { "W/" } else { "" };
        head.header("ETag", format!("{mark}{}", self.tag))
            .header("Last-Modified", httpdate::fmt_http_date(self.modified))
    }

    /// Section 8.8.3.2.
    fn is_strongly(&self, tag: &[u8]) -> bool {
        !self.is_weak && tag == self.tag.as_bytes()
    }

    fn is_weakly(&self, tag: &[u8]) -> bool {
        tag.strip_prefix(b"W/").unwrap_or(tag) == self.tag.as_bytes()
    }
}

pub(crate) fn judge(request: &Payload, length: u64, version: &Validators) -> Verdict {
    let has = |field| request.headers().contains(field);
    // A comma inside a tag does no harm: no part of a tag looks like ours, quotes included.
    let tags = |field, is: &dyn Fn(&[u8]) -> bool| {
        request
            .headers()
            .list(field)
            .any(|tag| tag == b"*" || is(tag))
    };
    if has("if-match") {
        if !tags("if-match", &|tag| version.is_strongly(tag)) {
            return Verdict::Failed;
        }
    } else if date(request, "if-unmodified-since").is_some_and(|date| date < version.modified) {
        return Verdict::Failed;
    }
    if has("if-none-match") {
        if tags("if-none-match", &|tag| version.is_weakly(tag)) {
            return Verdict::NotModified;
        }
    } else if date(request, "if-modified-since").is_some_and(|date| date >= version.modified) {
        return Verdict::NotModified;
    }
    if *request.method() == Method::GET && if_range(request, version) {
        return range(request, length);
    }
    Verdict::Whole
}

/// The field, if it stands there once. Of two nobody knows which is meant.
fn only<'a>(request: &'a Payload, field: &str) -> Option<&'a str> {
    let mut lines = request.headers().get_all(field);
    let line = lines.next().filter(|_| lines.next().is_none())?;
    std::str::from_utf8(line).ok()
}

fn date(request: &Payload, field: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(only(request, field)?).ok()
}

/// Section 13.1.5: whether the client has a part of this very version.
fn if_range(request: &Payload, version: &Validators) -> bool {
    if !request.headers().contains("if-range") {
        return true;
    }
    only(request, "if-range").is_some_and(|tag| version.is_strongly(tag.as_bytes()))
        || (!version.is_weak && date(request, "if-range") == Some(version.modified))
}

fn range(request: &Payload, length: u64) -> Verdict {
    match only(request, "range").and_then(asked) {
        Some((Some(first), _)) if first >= length => Verdict::OutOfRange,
        Some((Some(first), last)) => {
            let end = last.map_or(length, |last| length.min(last.saturating_add(1)));
            Verdict::Part(first..end)
        }
        Some((None, Some(0))) => Verdict::OutOfRange,
        Some((None, Some(suffix))) if length > 0 => {
            Verdict::Part(length.saturating_sub(suffix)..length)
        }
        _ => Verdict::Whole,
    }
}

/// Section 14.1.2: where the range begins, and where it ends. What is not understood is ignored (section 14.2).
fn asked(line: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, set) = line.split_once('=')?;
    let members = set
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']));
    let mut members = members.filter(|member| !member.is_empty());
    let (range, None) = (members.next()?, members.next()) else {
        return None;
    };
    let (first, last) = range.split_once('-')?;
    let mut digits = first.bytes().chain(last.bytes());
    let is_number = digits.all(|byte| byte.is_ascii_digit());
    // More than fits is more than any file has.
    let number = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX));
    let (first, last) = (number(first), number(last));
    let is_forward = first <= last || last.is_none();
    (unit.eq_ignore_ascii_case("bytes") && is_number && is_forward).then_some((first, last))
}
