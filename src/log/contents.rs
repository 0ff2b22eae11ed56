//! Logs of complete messages.

use std::io::Write;

use super::{Sink, quoted};
use crate::payload::Headers;
use crate::session::{Detail, Logger, Record, RefusedRequest};

/// Logs both messages of an exchange, with their heads and Oneshot bodies (P117). For debugging: it keeps a copy of
/// every body until the exchange is over, and writes credentials unmasked. Of a [refused](Logger::refused) request it
/// has the first line, the status and the cause.
#[derive(Debug)]
pub struct ContentsLog<W> {
    out: Sink<W>,
}

impl<W: Write> ContentsLog<W> {
    /// Logs to this writer, which every worker shares. Each entry is one write, flushed.
    pub fn new(out: W) -> Self {
        Self {
            out: Sink::new(out),
        }
    }
}

impl<W: Write + Send + 'static> Logger for ContentsLog<W> {
    fn detail(&self) -> Detail {
        Detail::Contents
    }

    fn log(&self, record: &Record<'_>) {
        let kept = record.kept;
        let mut entry = b"REQUEST\n".to_vec();
        entry.extend_from_slice(&kept.request_line);
        entry.push(b'\n');
        push_fields(&mut entry, &kept.request_headers);
        push_body(&mut entry, &kept.request_body);
        entry.extend_from_slice(b"RESPONSE\n");
        if let Some(response) = &kept.response {
            let status = response.status().unwrap_or_default();
            entry.extend_from_slice(status.as_str().as_bytes());
            entry.push(b' ');
            entry.extend_from_slice(response.reason_phrase());
            entry.push(b'\n');
            push_fields(&mut entry, response.headers());
            push_body(&mut entry, response.body_bytes());
        } else {
            entry.extend_from_slice(format!("{:?}\n", record.exchange.outcome).as_bytes());
        }
        entry.push(b'\n');
        self.out.write(&entry);
    }

    fn refused(&self, refused: &RefusedRequest<'_>) {
        let RefusedRequest {
            status, outcome, ..
        } = refused;
        let line = quoted(refused.request_line);
        let entry = format!("REQUEST\n{line}\nRESPONSE\n{status}\n{outcome:?}\n\n");
        self.out.write(entry.as_bytes());
    }
}

fn push_fields(entry: &mut Vec<u8>, headers: &Headers) {
    for (name, value) in headers.iter() {
        entry.extend_from_slice(name.as_bytes());
        entry.extend_from_slice(b": ");
        entry.extend_from_slice(value);
        entry.push(b'\n');
    }
}

fn push_body(entry: &mut Vec<u8>, body: &[u8]) {
    if !body.is_empty() {
        entry.push(b'\n');
        entry.extend_from_slice(body);
        entry.push(b'\n');
    }
}
