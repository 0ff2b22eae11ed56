//! Mistakes that a caller can make with a payload.

use thiserror::Error;

/// A mistake of the calling code, found before any byte of it reaches the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum UseError {
    /// A field name that is not a token of at most 65,535 bytes (RFC 9110 section 5.1).
    #[error("field name is not a token")]
    InvalidName,
    /// A field value with CR, LF, NUL or another control character (RFC 9110 section 5.5).
    #[error("field value contains a control character")]
    InvalidValue,
    /// A reason phrase with a control character (RFC 9112 section 4).
    #[error("reason phrase contains a control character")]
    InvalidReason,
    /// A URL that does not parse, has no host where one is needed, belongs to another origin, or contains user
    /// information.
    #[error("url is malformed, has no host, belongs to another origin, or has user information")]
    InvalidUrl,
    /// A Host field that is repeated or not `uri-host [":" port]` (RFC 9110 section 7.2).
    #[error("host field repeated or malformed")]
    InvalidHost,
    /// Header fields that add up to more than 4 GiB, or are too many for a `HeaderMap` (some 25,000).
    #[error("header fields too large")]
    HeadersTooLarge,
    /// `apply` of a request at a server session, of a response at a client session, or of a CONNECT.
    #[error(
        "wrong kind of payload: a server sends responses, a client sends requests, and CONNECT needs `HandOff`"
    )]
    WrongKind,
    /// A status outside 100 to 999, or one that cannot be sent here.
    #[error(
        "status is outside 100 to 999, or cannot be sent here: a protocol switch was not offered, or needs `HandOff`"
    )]
    InvalidStatus,
    /// An offer to change the protocol, or the acceptance of one, without an Upgrade field (RFC 9110 section 7.8).
    #[error("upgrade field missing")]
    NoUpgrade,
    /// Content-Length or Transfer-Encoding set by hand that contradicts the payload's own length or mode.
    #[error("content-length or transfer-encoding set by hand contradicts the payload")]
    FramingMismatch,
    /// A body inside ([`body`](crate::Payload::body)) of a message that announces a body that follows
    /// ([`chunked`](crate::Payload::chunked), [`length`](crate::Payload::length)).
    #[error("message has a body inside and announces another")]
    TwoBodies,
    /// Chunked transfer in a message that cannot have it.
    #[error("an http/1.0 request cannot be chunked: give its body a length")]
    ChunkedNotPossible,
    /// Body data where the message can have none (RFC 9110 section 6.4.1).
    #[error("message cannot have a body")]
    BodyNotAllowed,
    /// More body data than the announced length.
    #[error("more body data than announced")]
    BodyTooLong,
    /// `finish` before the announced length was sent, or a body that nobody will send.
    #[error("less body data than announced, or a body that nobody will send")]
    BodyTooShort,
    /// Trailers on a message that is not chunked, or a field that must not be a trailer (RFC 9110 section 6.5.1).
    #[error("trailers on a message that is not chunked, or a field that cannot be a trailer")]
    TrailersNotAllowed,
}
