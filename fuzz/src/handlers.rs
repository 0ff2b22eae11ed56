//! Handlers that do one thing after the other.

use bytes::{Bytes, BytesMut};
use http_actors::{HttpHandler, MessageId, Payload, SessionContext, StatusCode, TransferMode};

/// Answers in the way that two bits of `ways` say, another for each request: at once, with the body that came, in chunks,
/// or not at all. Each answer carries its number.
#[derive(Debug)]
pub struct Answers {
    ways: u8,
    number: usize,
    body: BytesMut,
}

impl Answers {
    pub fn new(ways: u8) -> Self {
        Self {
            ways,
            number: 0,
            body: BytesMut::new(),
        }
    }

    /// Whether these ways answer at once: a lost responder is told by a message, and what comes first then is open.
    pub fn are_steady(ways: u8) -> bool {
        (0..4).all(|at| ways >> (at * 2) & 3 != 3)
    }

    fn way(&self) -> u8 {
        self.ways.rotate_right(self.number as u32 * 2) & 3
    }

    fn answer(&self) -> Payload {
        Payload::response(StatusCode::OK).header("Number", self.number.to_string())
    }
}

impl HttpHandler for Answers {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        self.number += 1;
        self.body = request.body_bytes().as_ref().into();
        match self.way() {
            0 => session.respond(self.answer().body("early")),
            1 if request.mode() == TransferMode::Oneshot => self.finished(session),
            1 => {}
            2 => session.respond(self.answer().chunked()),
            _ => drop(session.responder()),
        }
    }

    fn chunk(&mut self, data: Bytes, _: &mut SessionContext) {
        self.body.extend_from_slice(&data);
    }

    fn finished(&mut self, session: &mut SessionContext) {
        if self.way() == 1 {
            session.respond(self.answer().body(self.body.split().freeze()));
        }
    }

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        // Refused if the peer has gone meanwhile.
        let _ = session.send_chunk("piece");
        let _ = session.finish();
    }
}

/// Sends the bodies of requests.
#[derive(Debug)]
pub struct Asks;

impl HttpHandler for Asks {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {}

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        let _ = session.send_chunk("piece");
        let _ = session.finish();
    }
}
