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
    /// A URL that does not parse, or that cannot be the target of this method: `*` is for OPTIONS, and CONNECT takes a
    /// host and a port (RFC 9112 section 3.2).
    #[error("url is malformed, or cannot be the target of this method")]
    InvalidUrl,
    /// A URL without a scheme or a host where both are needed.
    #[error("url has no scheme or no host: an absolute one is needed, as `http://host/path`")]
    NotAbsolute,
    /// A URL whose scheme is neither `http` nor `https`. Only [`HttpClient::upgrade`](crate::HttpClient::upgrade) takes
    /// `ws` and `wss` too.
    #[error(
        "url has a scheme other than http and https (for ws and wss use `HttpClient::upgrade`)"
    )]
    UnsupportedScheme,
    /// A URL with user information (RFC 9110 section 4.2.4). Use
    /// [`basic_auth_as`](crate::Payload::basic_auth_as) instead.
    #[error("url contains user information: use `Payload::basic_auth_as`")]
    UserInfo,
    /// A URL that belongs to another origin than the one that the session was made for.
    #[error("url belongs to another origin than the one of the session")]
    OtherOrigin,
    /// A Host field that is repeated or not `uri-host [":" port]` (RFC 9110 section 7.2).
    #[error("host field repeated or malformed")]
    InvalidHost,
    /// Header fields that add up to more than 4 GiB, or are too many for a `HeaderMap` (some 25,000).
    #[error("header fields too large")]
    HeadersTooLarge,
    /// `apply` of a request at a server session, of a response at a client session, or of a CONNECT.
    #[error(
        "wrong kind of payload: a server sends responses, a client sends requests, and CONNECT needs `HandOff`, or \
         `HttpClient::upgrade`"
    )]
    WrongKind,
    /// A 1xx as an answer, or to an HTTP/1.0 client (RFC 9110 section 15.2).
    #[error("a 1xx status is no answer, and an http/1.0 client cannot have one: use `inform`")]
    InterimStatus,
    /// Something else than a 1xx before the answer.
    #[error("only a 1xx status can precede the answer")]
    FinalStatus,
    /// A status that switches the protocol, which is 101, or 2xx to CONNECT, as an ordinary answer.
    #[error("status switches the protocol: use `HandOff`")]
    SwitchNeedsHandOff,
    /// `HandOff` of a request that offered no other protocol, or with a status that does not switch.
    #[error(
        "no protocol switch: the request did not offer one, or the status is not 101 (2xx to connect)"
    )]
    NoSwitch,
    /// [`HttpClient::upgrade`](crate::HttpClient::upgrade) of a CONNECT by a client that has no proxy for `https` to
    /// this host.
    #[error("connect without a proxy: set `ClientBuilder::proxy`")]
    NoProxy,
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
    /// Body data where the message can have none (RFC 9110 sections 6.4.1 and 15.3.6).
    #[error("message cannot have a body")]
    BodyNotAllowed,
    /// More body data than the announced length.
    #[error("more body data than announced")]
    BodyTooLong,
    /// `finish` before the announced length was sent.
    #[error("less body data than announced")]
    BodyTooShort,
    /// A head that announces a body which follows, where the call gives no way to send it.
    #[error(
        "a body is announced that nobody will send: use `stream` at a server, `upload` at a client"
    )]
    NoWriter,
    /// Trailers on a message that is not chunked, or a field that must not be a trailer (RFC 9110 section 6.5.1).
    #[error("trailers on a message that is not chunked, or a field that cannot be a trailer")]
    TrailersNotAllowed,
}
