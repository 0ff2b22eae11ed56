//! Response heads (RFC 9112 section 4). The code is written once (B9).

use bytes::Bytes;
use http::StatusCode;

use super::answering::Answering;
use super::fields;
use super::memo::Key;
use super::plan::Plan;
use super::{Begun, Encoder};
use crate::error::UseError;
use crate::payload::{Message, Payload};
use crate::wire::Output;

impl Encoder {
    /// Begins a response, and completes it if its body is inside. `date` is the line of the Date field.
    ///
    /// # Errors
    /// What is wrong with the payload. Nothing is written then.
    pub(crate) fn response(
        &mut self,
        payload: &Payload,
        answering: Answering,
        date: &[u8],
        out: &mut impl Output,
    ) -> Result<Begun, UseError> {
        let message = payload.message();
        if let Some(mistake) = message.mistake() {
            return Err(mistake);
        }
        let status = message.status.ok_or(UseError::WrongKind)?;
        if self.is_open() {
            return Err(UseError::BodyTooShort);
        }
        let lines = message.headers.block().wire_form();
        let memo = Key::of(message, status, answering).zip(lines);
        #[cfg(test)]
        let memo = memo.filter(|_| !self.forgetful);
        let known = memo.and_then(|(key, lines)| key.recall(lines, date, out));
        let plan = if let Some(plan) = known {
            plan
        } else {
            let plan = Plan::of(message, status, answering)?;
            let small = out.small();
            let start = small.len();
            head(message, status, date, plan, small);
            if let Some((key, lines)) = memo {
                key.remember(lines, date, plan, small.get(start..).unwrap_or_default());
            }
            plan
        };
        if plan.inside && !message.body.is_empty() {
            out.body(&message.body);
        }
        self.body = plan.body;
        Ok(plan.begun)
    }
}

fn head(message: &Message, status: StatusCode, date: &[u8], plan: Plan, out: &mut Vec<u8>) {
    status_line(status, message.reason.as_ref(), out);
    let date = (!status.is_informational()).then_some(date);
    fields::write(&message.headers, date, plan.persistence, plan.announce, out);
}

/// `status-line = HTTP-version SP status-code SP [ reason-phrase ]`
fn status_line(status: StatusCode, reason: Option<&Bytes>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    match reason {
        Some(reason) => out.extend_from_slice(reason),
        None => out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes()),
    }
    out.extend_from_slice(b"\r\n");
}
