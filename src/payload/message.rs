//! The content of a payload's box.

use bytes::Bytes;
use http::StatusCode;

use super::id::LazyId;
use super::start::Start;
use super::{Headers, MessageId, TransferMode};
use crate::error::UseError;

/// The fields of a message. [`Payload`](super::Payload) is a pooled box of it, with the rules.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Made when first used; most messages need none.
    pub(crate) id: LazyId,
    /// For a response delivered to a client: the request that it answers.
    pub(crate) request_id: Option<MessageId>,
    /// `None` for a request.
    pub(crate) status: Option<StatusCode>,
    /// A reason phrase other than the usual one.
    pub(crate) reason: Option<Bytes>,
    pub(crate) start: Start,
    pub(crate) headers: Headers,
    pub(crate) mode: TransferMode,
    /// The announced length of a Stream body.
    pub(crate) length: u64,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<Box<Headers>>,
    /// The first mistake of a builder call.
    pub(crate) mistake: Option<UseError>,
}

impl Default for Message {
    fn default() -> Self {
        Self {
            id: LazyId::default(),
            request_id: None,
            status: None,
            reason: None,
            start: Start::default(),
            headers: Headers::new(),
            mode: TransferMode::Oneshot,
            length: 0,
            body: Bytes::new(),
            trailers: None,
            mistake: None,
        }
    }
}

impl Message {
    /// Why a session refuses the payload: the first mistake of a builder call, or a body inside that contradicts the
    /// announced one. That body would be sent without framing, and the peer would take it for the next message.
    pub(crate) fn mistake(&self) -> Option<UseError> {
        let two = self.mode != TransferMode::Oneshot && !self.body.is_empty();
        self.mistake.or(two.then_some(UseError::TwoBodies))
    }

    /// The length of the body in bytes. `None` for Chunked (P40).
    pub(crate) fn body_size(&self) -> Option<u64> {
        match self.mode {
            TransferMode::Oneshot => Some(self.body.len() as u64),
            TransferMode::Stream => Some(self.length),
            TransferMode::Chunked => None,
        }
    }

    /// Resets to the default, keeping the memory of the headers. Field by field, because most have their default
    /// already.
    pub(crate) fn clear(&mut self) {
        self.id = LazyId::default();
        self.request_id = None;
        self.status = None;
        self.reason = None;
        self.start.clear();
        self.headers.clear();
        self.mode = TransferMode::Oneshot;
        self.length = 0;
        if !self.body.is_empty() {
            self.body = Bytes::new();
        }
        self.trailers = None;
        self.mistake = None;
    }
}
