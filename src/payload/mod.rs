//! One HTTP message and its parts. Floor 0: independent of the wire format, of actors and of sockets.

mod auth;
mod block;
mod convert;
mod forward;
mod grammar;
mod headers;
mod id;
mod known;
mod lent;
mod message;
mod mode;
mod names;
mod offer;
mod pool;
mod semantics;
mod spare;
mod start;

use std::fmt;

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, Uri, Version};

use crate::error::UseError;

pub use auth::Credentials;
pub(crate) use auth::{basic, basic_value};
pub(crate) use block::{Block, Line};
#[cfg(test)]
pub(crate) use grammar::tests as grammar_tests;
pub(crate) use grammar::{is_field_value, is_tchar, is_token, members, trim_ows};
pub use headers::Headers;
pub(crate) use headers::is_secret;
pub use id::MessageId;
pub(crate) use known::{Known, KnownSet};
pub(crate) use message::Message;
pub use mode::TransferMode;
pub(crate) use names::Names;
pub(crate) use offer::is_offer;
pub(crate) use pool::{give_block, take_block};
pub(crate) use semantics::{allows_body, is_idempotent};
pub(crate) use spare::Spare;
pub(crate) use start::StartLine;

/// One HTTP message: a request or a response, with its headers and, in Oneshot mode, its body.
///
/// You build a payload by chained calls and hand it to a session by [`Apply`](crate::message::Apply). From then on the
/// session owns it, and it cannot be changed (P3, P47). It is `Send` and as small as a pointer.
///
/// How the body is sent depends on what you announce about its length (P37 to P39):
///
/// | call | mode | on the wire |
/// | --- | --- | --- |
/// | none | [`Oneshot`](TransferMode::Oneshot): the body is inside | `Content-Length` |
/// | [`length(n)`](Self::length) | [`Stream`](TransferMode::Stream): `n` bytes follow by `SendChunk` | `Content-Length: n` |
/// | [`chunked()`](Self::chunked) | [`Chunked`](TransferMode::Chunked): data follow, then `Finish` | `Transfer-Encoding: chunked` |
///
/// ```
/// use http_actors::{Payload, StatusCode, TransferMode};
///
/// let request = Payload::post("http://example.test/a?b")?.header("content-type", "text/plain").body("x");
/// assert_eq!(request.path(), "/a");
/// assert_eq!(request.body_size(), Some(1));
///
/// let response = Payload::response(StatusCode::OK).chunked();
/// assert_eq!(response.mode(), TransferMode::Chunked);
/// # Ok::<(), http_actors::error::UseError>(())
/// ```
///
/// A builder call with something that cannot be sent, such as a value with a line break, adds nothing. The first such
/// mistake is kept, and the session refuses the payload with it. It also refuses a payload that has a body inside and
/// announces another. [`mistake`](Self::mistake) tells you beforehand.
pub struct Payload(Option<Box<Message>>);

impl Payload {
    pub(crate) fn empty() -> Self {
        Self(Some(pool::take()))
    }

    /// Makes a request.
    pub fn request(method: Method, uri: Uri) -> Self {
        let mut payload = Self::empty();
        let line = payload.message_mut().start.line_mut();
        line.method = method;
        line.uri = uri;
        payload
    }

    /// Makes a response.
    pub fn response(status: StatusCode) -> Self {
        let mut payload = Self::empty();
        payload.message_mut().status = Some(status);
        payload
    }

    /// Makes a GET request.
    ///
    /// # Errors
    /// [`UseError::InvalidUrl`] if the URL does not parse. The same holds for the other methods below.
    pub fn get(url: impl TryInto<Uri>) -> Result<Self, UseError> {
        Self::with_method(Method::GET, url)
    }

    /// Makes a HEAD request.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn head(url: impl TryInto<Uri>) -> Result<Self, UseError> {
        Self::with_method(Method::HEAD, url)
    }

    /// Makes a POST request.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn post(url: impl TryInto<Uri>) -> Result<Self, UseError> {
        Self::with_method(Method::POST, url)
    }

    /// Makes a PUT request.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn put(url: impl TryInto<Uri>) -> Result<Self, UseError> {
        Self::with_method(Method::PUT, url)
    }

    /// Makes a PATCH request.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn patch(url: impl TryInto<Uri>) -> Result<Self, UseError> {
        Self::with_method(Method::PATCH, url)
    }

    /// Makes a DELETE request.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn delete(url: impl TryInto<Uri>) -> Result<Self, UseError> {
        Self::with_method(Method::DELETE, url)
    }

    fn with_method(method: Method, url: impl TryInto<Uri>) -> Result<Self, UseError> {
        url.try_into()
            .map(|uri| Self::request(method, uri))
            .map_err(|_| UseError::InvalidUrl)
    }

    // Building.

    /// Adds a header line and keeps existing ones. [`Headers::insert`] replaces them.
    #[must_use]
    #[inline]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let message = self.message_mut();
        if let Err(mistake) = message.headers.append(name, value) {
            message.mistake.get_or_insert(mistake);
        }
        self
    }

    /// Sets `Authorization: Basic` (RFC 7617), which is encoded but not encrypted. A user with a colon is a mistake,
    /// and so is a control character in user or password.
    ///
    /// ```
    /// use http_actors::Payload;
    ///
    /// let request = Payload::get("/")?.basic_auth_as("Aladdin", "open sesame");
    /// assert_eq!(request.headers().text("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    /// # Ok::<(), http_actors::error::UseError>(())
    /// ```
    #[must_use]
    pub fn basic_auth_as(mut self, user: &str, password: &str) -> Self {
        let message = self.message_mut();
        let set = auth::basic_value(user, password)
            .ok_or(UseError::InvalidValue)
            .and_then(|value| message.headers.insert("Authorization", value));
        if let Err(mistake) = set {
            message.mistake.get_or_insert(mistake);
        }
        self
    }

    /// Sets the whole Oneshot body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.message_mut().body = body.into();
        self
    }

    /// Adds a piece to the Oneshot body (P41).
    #[must_use]
    pub fn add_chunk(mut self, piece: impl Into<Bytes>) -> Self {
        let message = self.message_mut();
        let piece = piece.into();
        if message.body.is_empty() {
            message.body = piece;
        } else {
            let mut body = BytesMut::from(std::mem::take(&mut message.body));
            body.extend_from_slice(&piece);
            message.body = body.freeze();
        }
        self
    }

    /// Announces a body of unknown length that follows in pieces: `set_length(None)`.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.set_length(None);
        self
    }

    /// Announces a body of `length` bytes that follows in pieces: `set_length(Some(length))`.
    #[must_use]
    pub fn length(mut self, length: u64) -> Self {
        self.set_length(Some(length));
        self
    }

    /// Announces a body that follows in pieces, of unknown length (Chunked, P37) or known length (Stream, P38).
    pub fn set_length(&mut self, length: Option<u64>) {
        let message = self.message_mut();
        (message.mode, message.length) = match length {
            None => (TransferMode::Chunked, 0),
            Some(length) => (TransferMode::Stream, length),
        };
    }

    /// Sets a reason phrase other than the usual one of the status.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Bytes>) -> Self {
        let reason = reason.into();
        let message = self.message_mut();
        if is_field_value(&reason) {
            message.reason = Some(reason);
        } else {
            message.mistake.get_or_insert(UseError::InvalidReason);
        }
        self
    }

    /// Sets the version, HTTP/1.0 or HTTP/1.1 (the default). A server always answers in HTTP/1.1 (RFC 9110 section
    /// 2.5).
    #[must_use]
    pub fn with_version(mut self, version: Version) -> Self {
        self.message_mut().start.set_version(version);
        self
    }

    /// Sets the target of a request, for example of one that is passed on to another server:
    /// `received.forward().with_uri(url)`.
    #[must_use]
    pub fn with_uri(mut self, uri: Uri) -> Self {
        self.message_mut().start.line_mut().uri = uri;
        self
    }

    /// A message that announces a body of length 0 is whole, and nobody has to write or end that body. Returns whether
    /// it is one.
    pub(crate) fn complete_if_empty(&mut self) -> bool {
        let empty = self.mode() == TransferMode::Stream
            && self.body_size() == Some(0)
            && self.body_bytes().is_empty();
        if empty {
            self.message_mut().mode = TransferMode::Oneshot;
        }
        empty
    }

    /// Announces that the connection closes after this message (`Connection: close`), and so closes it.
    #[must_use]
    pub fn close(self) -> Self {
        self.header("Connection", "close")
    }

    // Reading.

    /// The id of this message. It is made when first asked for, so you can know it before `apply`.
    pub fn id(&self) -> MessageId {
        self.message().id.get()
    }

    /// Like [`id`](Self::id), without atomics.
    pub(crate) fn own_id(&mut self) -> MessageId {
        self.message_mut().id.own()
    }

    /// For a response that a client session delivered: the id of the request that it answers.
    pub fn request_id(&self) -> Option<MessageId> {
        self.message().request_id
    }

    /// Whether this is a request.
    pub fn is_request(&self) -> bool {
        self.message().status.is_none()
    }

    /// The method of a request. For a received response: the method of the request that it answers.
    pub fn method(&self) -> &Method {
        &self.message().start.line().method
    }

    /// The target of a request, as in the request line. For a response: `/`.
    pub fn uri(&self) -> &Uri {
        &self.message().start.line().uri
    }

    /// The path of the target: the part between the authority and the query.
    ///
    /// It is raw, as in the request line: `%20` is not decoded, and `..` is not resolved. Compare and split it as it
    /// is, and decode the parts, for example with the crate `percent-encoding`: a decoded part may hold a `/`, or be
    /// `..`.
    ///
    /// ```
    /// use http_actors::Payload;
    /// use percent_encoding::percent_decode_str;
    ///
    /// let request = Payload::get("/files/a%20b%2Fc?d")?;
    /// assert_eq!(request.path(), "/files/a%20b%2Fc");
    /// let name = request.path().strip_prefix("/files/").map(percent_decode_str);
    /// let name = name.map(|name| name.decode_utf8()).transpose()?;
    /// assert_eq!(name.as_deref(), Some("a b/c"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn path(&self) -> &str {
        self.uri().path()
    }

    /// The query of the target, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.uri().query()
    }

    /// The status of a response; `None` for a request (Pony: 0, P31).
    pub fn status(&self) -> Option<StatusCode> {
        self.message().status
    }

    /// The reason phrase of a response: the sent one, or the usual one of its status.
    pub fn reason_phrase(&self) -> &[u8] {
        let message = self.message();
        match (&message.reason, message.status) {
            (Some(reason), _) => reason,
            (None, Some(status)) => status.canonical_reason().unwrap_or_default().as_bytes(),
            (None, None) => &[],
        }
    }

    /// The protocol version of the message.
    pub fn version(&self) -> Version {
        self.message().start.line().version
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        &self.message().headers
    }

    /// The header fields, mutable.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.message_mut().headers
    }

    /// The trailer fields of a message whose body was collected.
    pub fn trailers(&self) -> Option<&Headers> {
        self.message().trailers.as_deref()
    }

    /// How the body is sent.
    pub fn mode(&self) -> TransferMode {
        self.message().mode
    }

    /// The Oneshot body; empty in the other modes, where it comes by `chunk` (P42).
    pub fn body_bytes(&self) -> &Bytes {
        &self.message().body
    }

    /// Takes the Oneshot body out.
    pub fn into_body(mut self) -> Bytes {
        std::mem::take(&mut self.message_mut().body)
    }

    /// The length of the body in bytes. `None` for Chunked (P40).
    pub fn body_size(&self) -> Option<u64> {
        self.message().body_size()
    }

    /// Whether the message comes with a body (P46 in the form of B8). Never for 1xx, 204 and 304.
    pub fn has_body(&self) -> bool {
        let message = self.message();
        message.status.is_none_or(allows_body) && self.body_size().is_none_or(|size| size > 0)
    }

    /// The request line, for logs.
    pub(crate) fn request_line(&self) -> String {
        format!("{} {} {:?}", self.method(), self.uri(), self.version())
    }

    /// Whether this is an interim response, after which the final one still follows.
    pub(crate) fn is_interim(&self) -> bool {
        self.status().is_some_and(|status| {
            status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
        })
    }

    /// Whether the method is GET, HEAD or OPTIONS (P36): the request changes nothing at the server.
    pub fn is_safe(&self) -> bool {
        semantics::is_safe(self.method())
    }

    /// The user and password of an `Authorization: Basic` field (RFC 7617). Decoded at each call (P61).
    pub fn basic_auth(&self) -> Option<Credentials> {
        auth::basic(self.headers().get("authorization")?)
    }

    /// Why a session would refuse this payload, as far as that depends on the payload alone: the first mistake of a
    /// builder call, or a body inside when another is announced.
    pub fn mistake(&self) -> Option<UseError> {
        self.message().mistake()
    }

    // For the floors above.

    pub(crate) fn message(&self) -> &Message {
        match &self.0 {
            Some(message) => message,
            None => unreachable!("the box is taken only by drop"),
        }
    }

    pub(crate) fn message_mut(&mut self) -> &mut Message {
        match &mut self.0 {
            Some(message) => message,
            None => unreachable!("the box is taken only by drop"),
        }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(message) = self.0.take() {
            pool::give(message);
        }
    }
}

/// A copy is another message, with its own id.
impl Clone for Payload {
    fn clone(&self) -> Self {
        let mut payload = Self::empty();
        *payload.message_mut() = self.message().clone();
        payload
    }
}

/// Shows the start line, the headers and the size of the body, but not its bytes.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Payload");
        match self.status() {
            Some(status) => debug.field("status", &status.as_u16()),
            None => debug
                .field("method", self.method())
                .field("uri", self.uri()),
        };
        debug
            .field("headers", self.headers())
            .field("mode", &self.mode())
            .field("body_size", &self.body_size());
        debug.finish_non_exhaustive()
    }
}
