//! What a payload's box holds.

use std::sync::OnceLock;

use bytes::Bytes;
use http::{Method, StatusCode, Uri, Version};

use super::{Headers, MessageId, TransferMode};
use crate::error::UseError;

/// The fields of a message. [`Payload`](super::Payload) is a pooled box of it and holds the rules.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Made when first asked for; a message that nobody names needs none.
    pub(crate) id: OnceLock<MessageId>,
    /// Of a response delivered to a client: the request that it answers.
    pub(crate) request_id: Option<MessageId>,
    /// `None` for a request.
    pub(crate) status: Option<StatusCode>,
    /// A reason phrase other than the usual one.
    pub(crate) reason: Option<Bytes>,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: Headers,
    pub(crate) mode: TransferMode,
    /// The announced length of a Stream body.
    pub(crate) length: u64,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<Box<Headers>>,
    /// The first mistake of a builder call; the session refuses the payload with it.
    pub(crate) mistake: Option<UseError>,
}

impl Default for Message {
    fn default() -> Self {
        Self {
            id: OnceLock::new(),
            request_id: None,
            status: None,
            reason: None,
            method: Method::GET,
            uri: Uri::default(),
            version: Version::HTTP_11,
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
    /// Back to the default, keeping the memory of the headers.
    pub(crate) fn clear(&mut self) {
        let mut headers = std::mem::take(&mut self.headers);
        headers.clear();
        *self = Self {
            headers,
            ..Self::default()
        };
    }
}
