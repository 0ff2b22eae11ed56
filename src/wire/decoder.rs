//! Bytes to messages (RFC 9112), for both ends of a connection.
//!
//! The decoder owns no bytes except a gathered Oneshot body. It gets the unread input and returns how much of it was
//! consumed. The caller keeps the rest and passes it again, with more bytes after it. The same bytes give the same
//! items, however they are split (P57, P186). The first error is final (B5).

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use super::Rules;
use super::chunk::{Chunks, Part};
use super::cycle::{Cycle, Expected};
use super::facts::{self, Facts};
use super::framing::{self, Framing};
use super::head::{Heads, Kind};
use super::item::{Item, Step, Trailers};
use super::line::{self, Scan};
use crate::error::WireError;
use crate::payload::{Message, Payload, TransferMode};

/// Reads the messages of one connection in one direction.
#[derive(Debug)]
pub(crate) struct Decoder {
    rules: Arc<Rules>,
    heads: Heads,
    cycle: Cycle,
    state: State,
    /// Whether to stop after the current message until [`resume`](Self::resume) is called.
    hold: bool,
}

#[derive(Debug)]
enum State {
    /// Before or in a head. `blank`: the one empty line that may precede a request was seen.
    Head { scan: Scan, blank: bool },
    /// In the body of a Oneshot message.
    Gather {
        payload: Payload,
        facts: Facts,
        body: Vec<u8>,
        left: u64,
    },
    /// In a body of known length.
    Length { left: u64 },
    /// In a chunked body.
    Chunks(Chunks),
    /// In a body that ends with the connection; this many bytes may still come.
    UntilClose { allowance: u64 },
    /// After a message that may change the protocol.
    Held,
    /// A violation was met.
    Failed(WireError),
}

impl Decoder {
    /// Makes the decoder of a server.
    pub(crate) fn requests(rules: Arc<Rules>) -> Self {
        Self::new(Kind::Requests, rules)
    }

    /// Makes the decoder of a client.
    pub(crate) fn responses(rules: Arc<Rules>) -> Self {
        Self::new(Kind::Responses, rules)
    }

    fn new(kind: Kind, rules: Arc<Rules>) -> Self {
        Self {
            rules,
            heads: Heads::new(kind),
            cycle: Cycle::default(),
            state: State::head(),
            hold: false,
        }
    }

    /// Registers a request whose response will come. Must be called before the first byte of the request is written.
    pub(crate) fn expect(&mut self, expected: Expected) {
        self.cycle.expect(expected);
    }

    /// Reads on to the next item. `input` is everything that is not consumed yet.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<Step, WireError> {
        let step = self.step(input);
        if let Err(error) = step {
            self.state = State::Failed(error);
        }
        step
    }

    /// The peer sends nothing more, and `unread` bytes were left unread.
    ///
    /// Between two messages that is the ordinary end, and for a close-delimited body it is the end. Anywhere else the
    /// message was cut short (B24). Bytes after a protocol change are not checked.
    pub(crate) fn eof(&mut self, unread: usize) -> Result<Option<Item>, WireError> {
        match &self.state {
            State::Head { .. } if unread == 0 => Ok(None),
            State::Held => Ok(None),
            State::UntilClose { .. } if unread == 0 => {
                self.end();
                Ok(Some(Item::End(None)))
            }
            State::Failed(error) => Err(*error),
            State::Head { .. }
            | State::Gather { .. }
            | State::Length { .. }
            | State::Chunks(_)
            | State::UntilClose { .. } => {
                self.state = State::Failed(WireError::Truncated);
                Err(WireError::Truncated)
            }
        }
    }

    /// Whether the decoder is between two messages and has seen no byte of the next one. An empty line before a request
    /// does not count.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        matches!(&self.state, State::Head { scan, .. } if scan.is_fresh())
    }

    /// Whether the decoder is inside a body.
    pub(crate) fn in_body(&self) -> bool {
        match self.state {
            State::Gather { .. }
            | State::Length { .. }
            | State::Chunks(_)
            | State::UntilClose { .. } => true,
            State::Head { .. } | State::Held | State::Failed(_) => false,
        }
    }

    /// The message that is held back until its body is complete.
    pub(crate) fn held_back(&self) -> Option<&Payload> {
        match &self.state {
            State::Gather { payload, .. } => Some(payload),
            _ => None,
        }
    }

    /// How many bytes of such a message's body are held.
    pub(crate) fn gathered(&self) -> usize {
        match &self.state {
            State::Gather { body, .. } => body.len(),
            _ => 0,
        }
    }

    /// Bytes of the current run of data that are still to come.
    pub(crate) fn body_left(&self) -> u64 {
        match &self.state {
            State::Gather { left, .. } | State::Length { left } => *left,
            State::Chunks(chunks) => chunks.left(),
            State::UntilClose { .. } => u64::MAX,
            State::Head { .. } | State::Held | State::Failed(_) => 0,
        }
    }

    /// The request line of the message that is being read, or could not be, as far as it has come; for logs. `unread`
    /// is what is not consumed. Not for a violation within a body, whose head is gone.
    pub(crate) fn request_line(&self, unread: &[u8]) -> Vec<u8> {
        match &self.state {
            State::Head { .. } | State::Failed(_) => {
                line::begun(unread, self.rules.limits.start_line).to_vec()
            }
            State::Gather { payload, .. } => payload.request_line().into_bytes(),
            State::Length { .. } | State::Chunks(_) | State::UntilClose { .. } | State::Held => {
                Vec::new()
            }
        }
    }

    /// Whether the decoder waits for [`resume`](Self::resume): the protocol may change here.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.state, State::Held)
    }

    /// Whether a violation was met.
    pub(crate) fn is_failed(&self) -> bool {
        matches!(self.state, State::Failed(_))
    }

    /// Continues as HTTP after a hold. It may be called before the hold begins, because the end of the message may not
    /// have been read yet.
    pub(crate) fn resume(&mut self) {
        self.hold = false;
        if self.is_held() {
            self.state = State::head();
        }
    }

    /// Disables the memory of the last head.
    #[cfg(test)]
    pub(super) fn forgetful(mut self) -> Self {
        self.heads.forget();
        self
    }

    fn step(&mut self, input: &[u8]) -> Result<Step, WireError> {
        match &mut self.state {
            State::Head { .. } => self.head(input),
            State::Gather { .. } => Ok(self.gather(input)),
            State::Length { left: 0 } => Ok(self.finish(0, None)),
            State::Length { left } => {
                let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left = left.saturating_sub(len as u64);
                Ok(Step::data(0..len))
            }
            State::Chunks(chunks) => Ok(match chunks.read(input, &self.rules.limits)? {
                Part::More(consumed) => Step::more(consumed),
                Part::Data(range) => Step::data(range),
                Part::End(consumed, trailers) => self.finish(consumed, trailers),
            }),
            State::UntilClose { allowance: 0 } if !input.is_empty() => Err(WireError::BodyTooLarge),
            State::UntilClose { allowance } => {
                let len =
                    usize::try_from(*allowance).map_or(input.len(), |most| most.min(input.len()));
                *allowance = allowance.saturating_sub(len as u64);
                Ok(Step::data(0..len))
            }
            State::Held => Ok(Step::more(0)),
            State::Failed(error) => Err(*error),
        }
    }

    fn head(&mut self, input: &[u8]) -> Result<Step, WireError> {
        let State::Head { scan, blank } = &mut self.state else {
            return Ok(Step::more(0));
        };
        if input.is_empty() {
            return Ok(Step::more(0));
        }
        let mut skipped = 0;
        match self.heads.kind() {
            Kind::Responses if !self.cycle.is_waiting() => {
                return Err(WireError::UnsolicitedResponse);
            }
            Kind::Requests if !*blank && scan.is_fresh() => {
                match line::empty_line(input, self.rules.leniency.bare_lf) {
                    Some(0) => return Ok(Step::more(0)),
                    Some(len) => {
                        *blank = true;
                        skipped = len;
                    }
                    None => {}
                }
            }
            Kind::Requests | Kind::Responses => {}
        }
        let rest = input.get(skipped..).unwrap_or_default();
        let mut payload = Payload::empty();
        let message = payload.message_mut();
        let Some(head) = self.heads.read(scan, rest, &self.rules, message)? else {
            return Ok(Step::more(skipped));
        };
        let consumed = skipped.saturating_add(head.len);
        let rest = input.get(consumed..).unwrap_or_default();
        let (framing, facts) = match head.asked {
            Some(asked) => asked,
            None => self.response(message, head.len)?,
        };
        self.hold = facts.upgrade;
        self.open(payload, facts, framing, consumed, rest)
    }

    /// Interprets a response head by the request that it answers.
    fn response(
        &mut self,
        message: &mut Message,
        head_bytes: usize,
    ) -> Result<(Framing, Facts), WireError> {
        let version = message.start.line().version;
        let status = message.status.unwrap_or_default();
        let request = self.cycle.answer(status, self.rules.limits.informational)?;
        let fields = message.headers.block();
        let framing = framing::of_response(fields, version, status, &request.method)?;
        let facts = Facts {
            keep_alive: framing != Framing::UntilClose && facts::keep_alive(fields, version),
            upgrade: status == StatusCode::SWITCHING_PROTOCOLS
                || framing::is_tunnel(status, &request.method),
            head_bytes,
            ..Facts::default()
        };
        message.request_id = Some(request.id);
        message.start.set_method(request.method);
        Ok((framing, facts))
    }

    /// Begins the body, and delivers the head unless the body is to be inside the payload (P50, P65).
    fn open(
        &mut self,
        mut payload: Payload,
        facts: Facts,
        framing: Framing,
        consumed: usize,
        rest: &[u8],
    ) -> Result<Step, WireError> {
        let limits = &self.rules.limits;
        let message = payload.message_mut();
        match framing {
            Framing::Nothing => {
                self.end();
            }
            Framing::Length(length) if limits.body.is_some_and(|limit| length > limit) => {
                return Err(WireError::BodyTooLarge);
            }
            Framing::Length(length) if length <= limits.oneshot && !facts.expect_continue => {
                self.state = State::Gather {
                    payload,
                    facts,
                    body: Vec::new(),
                    left: length,
                };
                let mut step = self.gather(rest);
                step.consumed = step.consumed.saturating_add(consumed);
                return Ok(step);
            }
            Framing::Length(length) => {
                message.mode = TransferMode::Stream;
                message.length = length;
                self.state = State::Length { left: length };
            }
            Framing::Chunked => {
                message.mode = TransferMode::Chunked;
                self.state = State::Chunks(Chunks::new());
            }
            Framing::UntilClose => {
                message.mode = TransferMode::Chunked;
                let allowance = limits.body.unwrap_or(u64::MAX);
                self.state = State::UntilClose { allowance };
            }
        }
        Ok(Step::of(consumed, Item::Head(payload, facts)))
    }

    /// Collects a Oneshot body. Its memory grows with what has arrived, not with what was announced.
    fn gather(&mut self, input: &[u8]) -> Step {
        let State::Gather { body, left, .. } = &mut self.state else {
            return Step::more(0);
        };
        let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
        let piece = input.get(..len).unwrap_or_default();
        *left = left.saturating_sub(len as u64);
        if *left > 0 {
            body.extend_from_slice(piece);
            return Step::more(len);
        }
        let whole = if body.is_empty() {
            Bytes::copy_from_slice(piece)
        } else {
            body.extend_from_slice(piece);
            Bytes::from(std::mem::take(body))
        };
        let State::Gather {
            mut payload, facts, ..
        } = self.end()
        else {
            return Step::more(len);
        };
        payload.message_mut().body = whole;
        Step::of(len, Item::Head(payload, facts))
    }

    fn finish(&mut self, consumed: usize, trailers: Option<Trailers>) -> Step {
        self.end();
        Step::of(consumed, Item::End(trailers))
    }

    /// Ends the message. Returns the previous state.
    fn end(&mut self) -> State {
        let next = if std::mem::take(&mut self.hold) {
            State::Held
        } else {
            State::head()
        };
        std::mem::replace(&mut self.state, next)
    }
}

impl State {
    fn head() -> Self {
        Self::Head {
            scan: Scan::default(),
            blank: false,
        }
    }
}
