//! One event in wire format.

use std::fmt::{self, Write as _};
use std::time::Duration;

use bytes::Bytes;

use crate::error::UseError;

/// An event, or a comment that readers skip.
///
/// Data and comments may have several lines, ended by CR LF, LF or CR; the reader gets them ended by LF. A type or an
/// id with a line end is invalid: it is left out, and [`EventSender::send`](super::EventSender::send) refuses the
/// event.
///
/// ```
/// use std::time::Duration;
///
/// use http_actors::sse::Event;
///
/// let event = Event::data("one\ntwo").event("count").id("7").retry(Duration::from_secs(3));
/// assert_eq!(event.to_string(), "data: one\ndata: two\nevent: count\nid: 7\nretry: 3000\n\n");
/// assert_eq!(Event::comment("nothing new").to_string(), ": nothing new\n\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an event does nothing until it is sent"]
pub struct Event {
    lines: String,
    mistake: Option<UseError>,
}

impl Event {
    /// Makes an event with these data. Empty data still make an event.
    pub fn data(data: impl AsRef<str>) -> Self {
        Self::of("data", data.as_ref())
    }

    /// Makes a comment, which readers skip. It shows that the connection is alive.
    pub fn comment(comment: impl AsRef<str>) -> Self {
        Self::of("", comment.as_ref())
    }

    fn of(field: &str, text: &str) -> Self {
        let mut event = Self {
            lines: String::with_capacity(field.len() + text.len() + 4),
            mistake: None,
        };
        for line in lines(text) {
            event.push(field, line);
        }
        event
    }

    /// Sets the type of the event. Without it, the type is `message`.
    pub fn event(self, name: impl AsRef<str>) -> Self {
        self.field("event", name.as_ref(), &['\r', '\n'])
    }

    /// Sets the id, which a reconnecting reader sends as `Last-Event-ID`. An empty id clears the reader's last id.
    pub fn id(self, id: impl AsRef<str>) -> Self {
        // Readers ignore an id with a NUL.
        self.field("id", id.as_ref(), &['\r', '\n', '\0'])
    }

    /// Sets how long the reader waits before it reconnects, in whole milliseconds.
    pub fn retry(mut self, after: Duration) -> Self {
        self.push("retry", &after.as_millis().to_string());
        self
    }

    fn field(mut self, name: &str, value: &str, forbidden: &[char]) -> Self {
        if value.contains(forbidden) {
            self.mistake = Some(UseError::InvalidValue);
        } else {
            self.push(name, value);
        }
        self
    }

    /// Always writes the space after the colon: the reader strips it, so a value may begin with a space.
    fn push(&mut self, field: &str, value: &str) {
        for part in [field, ": ", value, "\n"] {
            self.lines.push_str(part);
        }
    }

    pub(super) fn encode(&self) -> Result<Bytes, UseError> {
        match self.mistake {
            Some(mistake) => Err(mistake),
            None => Ok(format!("{}\n", self.lines).into()),
        }
    }
}

/// The event in wire format.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines)?;
        f.write_char('\n')
    }
}

/// The lines of a text. A line end at the very end begins an empty line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut after_cr = false;
    text.split(move |c| {
        // The LF of a CR LF does not end another line. It stays at the beginning of the next line.
        let ends = c == '\r' || (c == '\n' && !after_cr);
        after_cr = c == '\r';
        ends
    })
    .map(|line| line.strip_prefix('\n').unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_three_ways() {
        let rows: [(&str, &[&str]); 10] = [
            ("", &[""]),
            ("a", &["a"]),
            ("a\nb", &["a", "b"]),
            ("a\rb", &["a", "b"]),
            ("a\r\nb", &["a", "b"]),
            ("a\n\rb", &["a", "", "b"]),
            ("a\r\rb", &["a", "", "b"]),
            ("a\r\n\r\nb", &["a", "", "b"]),
            ("a\r\n\nb", &["a", "", "b"]),
            ("\r\n", &["", ""]),
        ];
        for (text, expected) in rows {
            assert_eq!(lines(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_is_smuggled() {
        for end in ["\r", "\n", "\r\n"] {
            let text = format!("a{end}data: b");
            let mistaken = [Event::data("").event(&text), Event::data("").id(&text)];
            for event in mistaken {
                assert_eq!(event.encode(), Err(UseError::InvalidValue));
                assert_eq!(event.to_string(), "data: \n\n");
            }
            for (field, event) in [("data", Event::data(&text)), ("", Event::comment(&text))] {
                let bytes = format!("{field}: a\n{field}: data: b\n\n");
                assert_eq!(event.encode(), Ok(bytes.into()));
            }
        }
        let event = Event::data("").id("a\0");
        assert_eq!(event.encode(), Err(UseError::InvalidValue));
    }
}
