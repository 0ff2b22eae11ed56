//! The one caller of the decoder in tests: feeds it bytes in pieces, as a connection would, and writes down what came.

use std::sync::Arc;

use http::Method;

use crate::error::WireError;
use crate::payload::{Headers, MessageId, Payload, TransferMode};
use crate::wire::{Decoder, Expected, Facts, Item, Rules};

/// What a decoder said, in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Head(Box<Seen>),
    Data(Vec<u8>),
    End(Vec<(String, Vec<u8>)>),
    Error(WireError),
}

/// A head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) start: String,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    pub(super) mode: TransferMode,
    pub(super) length: Option<u64>,
    pub(super) body: Vec<u8>,
    pub(super) facts: Facts,
}

pub(super) fn fields(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn seen(payload: &Payload, facts: Facts) -> Event {
    let start = match payload.status() {
        None => format!(
            "{} {} {:?}",
            payload.method(),
            payload.uri(),
            payload.version()
        ),
        Some(status) => format!(
            "{:?} {} {}",
            payload.version(),
            status.as_u16(),
            latin1(payload.reason_phrase())
        ),
    };
    Event::Head(Box::new(Seen {
        start,
        fields: fields(payload.headers()),
        mode: payload.mode(),
        length: payload.body_size(),
        body: payload.body_bytes().to_vec(),
        facts,
    }))
}

/// One connection's inbound side.
pub(super) struct Feed {
    pub(super) decoder: Decoder,
    pub(super) events: Vec<Event>,
    unread: Vec<u8>,
}

impl Feed {
    pub(super) fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            events: Vec::new(),
            unread: Vec::new(),
        }
    }

    pub(super) fn requests(rules: &Rules) -> Self {
        Self::new(Decoder::requests(Arc::new(rules.clone())))
    }

    /// A client that has sent these requests.
    pub(super) fn responses(rules: &Rules, methods: &[Method]) -> Self {
        let mut decoder = Decoder::responses(Arc::new(rules.clone()));
        for method in methods {
            decoder.expect(Expected {
                id: MessageId::next(),
                method: method.clone(),
                upgrade: *method == Method::OPTIONS,
            });
        }
        Self::new(decoder)
    }

    pub(super) fn failed(&self) -> bool {
        matches!(self.events.last(), Some(Event::Error(_)))
    }

    /// Shows the decoder what it left and `piece` after it, until it needs more.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.unread.extend_from_slice(piece);
        while !self.failed() {
            match self.decoder.decode(&self.unread) {
                Err(error) => self.events.push(Event::Error(error)),
                Ok(step) => {
                    assert!(step.consumed <= self.unread.len(), "consumed too much");
                    let rest = self.unread.split_off(step.consumed);
                    let done = std::mem::replace(&mut self.unread, rest);
                    match step.item {
                        None => break,
                        Some(item) => self.note(item, &done),
                    }
                }
            }
        }
    }

    /// The peer closes. Whoever asks again gets nothing more, or the same error, whatever he asks.
    pub(super) fn close(&mut self) {
        if !self.failed() {
            let mut eof = || self.decoder.eof(self.unread.len());
            match (eof(), eof()) {
                (Err(error), again) => {
                    assert_eq!(again.err(), Some(error), "asked again");
                    let more = self.decoder.decode(b"GET");
                    assert_eq!(more.err(), Some(error), "asked for more");
                    self.events.push(Event::Error(error));
                }
                (Ok(item), again) => {
                    assert!(matches!(again, Ok(None)), "asked again: {again:?}");
                    if let Some(item) = item {
                        self.note(item, &[]);
                    }
                }
            }
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.unread
    }

    fn note(&mut self, item: Item, done: &[u8]) {
        let event = match item {
            Item::Head(payload, facts) => seen(&payload, facts),
            Item::Data(range) => {
                assert_eq!(range.end, done.len(), "data end where consumption ends");
                let data = &done[range];
                assert!(!data.is_empty(), "empty data");
                Event::Data(data.to_vec())
            }
            Item::End(trailers) => Event::End(trailers.as_deref().map(fields).unwrap_or_default()),
        };
        self.events.push(event);
    }
}

/// A character a byte, so that pieces of text are the text of the pieces.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Events as text, runs of data joined, so that pieces of any size give the same.
pub(super) fn transcript(events: &[Event]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for event in events {
        let line = match event {
            Event::Data(data) => {
                let text = latin1(data);
                if let Some(last) = lines.last_mut().filter(|last| last.starts_with("data ")) {
                    last.push_str(&text);
                    continue;
                }
                format!("data {text}")
            }
            Event::Head(seen) => seen.text(),
            Event::End(trailers) => trailers.iter().fold("end".to_owned(), |text, field| {
                format!("{text} {}={}", field.0, latin1(&field.1))
            }),
            Event::Error(error) => format!("error {error:?}"),
        };
        lines.push(line);
    }
    lines
}

impl Seen {
    fn text(&self) -> String {
        let body = match (self.mode, self.length) {
            (TransferMode::Oneshot, Some(0)) => String::new(),
            (TransferMode::Oneshot, _) => format!(" = {}", latin1(&self.body)),
            (TransferMode::Stream, length) => format!(" stream {}", length.unwrap_or_default()),
            (TransferMode::Chunked, _) => " chunked".to_owned(),
        };
        let mut text = format!("{}{body}", self.start);
        for (flag, name) in [
            (!self.facts.keep_alive, " close"),
            (self.facts.expect_continue, " continue"),
            (self.facts.unknown_expectation, " expects"),
            (self.facts.upgrade, " upgrade"),
        ] {
            if flag {
                text += name;
            }
        }
        text
    }
}

/// What a row of bytes must come to.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// These messages, and then nothing is missing.
    Accept(&'static [&'static str]),
    /// No error, but the message is not complete: to close here is to cut it short.
    More,
    /// This error, and nothing after it.
    Refuse(WireError),
}

#[derive(Clone)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) outcome: Outcome,
}

pub(super) fn accept(
    name: &'static str,
    bytes: impl AsRef<[u8]>,
    messages: &'static [&'static str],
) -> Row {
    Row {
        name,
        bytes: bytes.as_ref().to_vec(),
        outcome: Outcome::Accept(messages),
    }
}

pub(super) fn more(name: &'static str, bytes: impl AsRef<[u8]>) -> Row {
    Row {
        name,
        bytes: bytes.as_ref().to_vec(),
        outcome: Outcome::More,
    }
}

pub(super) fn refuse(name: &'static str, bytes: impl AsRef<[u8]>, error: WireError) -> Row {
    Row {
        name,
        bytes: bytes.as_ref().to_vec(),
        outcome: Outcome::Refuse(error),
    }
}

/// Runs every row whole, byte by byte, in odd pieces and with `next`, a message, behind it. Reports all that fail.
pub(super) fn check(rows: &[Row], feed: impl Fn() -> Feed, next: &[u8]) {
    let mut failures = Vec::new();
    for row in rows {
        for size in [row.bytes.len().max(1), 1, 2, 3, 5, 8, 13] {
            let mut feed = feed();
            for piece in row.bytes.chunks(size) {
                feed.push(piece);
            }
            if let Some(problem) = judge(row, &mut feed) {
                failures.push(format!("{} (in pieces of {size}): {problem}", row.name));
                break;
            }
        }
        let mut feed = feed();
        feed.push(&[&row.bytes, next].concat());
        if let Some(problem) = judge_trailing(row, &feed, next) {
            failures.push(format!("{} (with more behind it): {problem}", row.name));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn judge(row: &Row, feed: &mut Feed) -> Option<String> {
    let before = transcript(&feed.events);
    feed.close();
    let after = transcript(&feed.events);
    let good = match row.outcome {
        Outcome::Accept(messages) => after == messages,
        Outcome::More => {
            !before.iter().any(|line| line.starts_with("error"))
                && after.last().is_some_and(|last| last == "error Truncated")
        }
        Outcome::Refuse(error) => {
            let expected = format!("error {error:?}");
            if error == WireError::Truncated {
                after.last() == Some(&expected)
            } else {
                before.last() == Some(&expected)
            }
        }
    };
    (!good).then(|| format!("{after:?}, not {:?}", row.outcome))
}

fn judge_trailing(row: &Row, feed: &Feed, next: &[u8]) -> Option<String> {
    let lines = transcript(&feed.events);
    let good = match row.outcome {
        Outcome::Accept(_) if feed.decoder.is_held() => feed.unread() == next,
        // A body that ends with the connection takes in what follows.
        Outcome::Accept(_) if feed.decoder.body_left() == u64::MAX => true,
        Outcome::Accept(messages) => {
            let (first, rest) = lines
                .split_at_checked(messages.len())
                .unwrap_or((&lines, &[]));
            first == messages
                && feed.unread().is_empty()
                && (next.is_empty() || rest.len() == 1 && !rest[0].starts_with("error"))
        }
        Outcome::More | Outcome::Refuse(WireError::Truncated) => true,
        Outcome::Refuse(error) => lines.last() == Some(&format!("error {error:?}")),
    };
    (!good).then(|| format!("{lines:?}, not {:?}", row.outcome))
}

/// The errors that rows provoke.
pub(super) fn refused(rows: &[Row]) -> impl Iterator<Item = WireError> {
    rows.iter().filter_map(|row| match row.outcome {
        Outcome::Refuse(error) => Some(error),
        Outcome::Accept(_) | Outcome::More => None,
    })
}
