//! Mistakes that a peer can make on the wire, one variant for each cause.

use thiserror::Error;

/// A violation of RFC 9110 or RFC 9112, or of one of our limits, by the peer.
///
/// If an answer is owed, the server answers with the status of the cause, announces the close and reads nothing further
/// as a message. [`status`](Self::status) is that mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum WireError {
    /// A request line that is not `method SP request-target SP HTTP-version` (RFC 9112 section 3).
    #[error("malformed request line")]
    InvalidRequestLine,
    /// A method that is not a token (RFC 9110 section 9.1).
    #[error("malformed method")]
    InvalidMethod,
    /// A request target outside the four forms of RFC 9112 section 3.2, or one that the method does not allow.
    #[error("malformed request target")]
    InvalidTarget,
    /// A request target with a `userinfo` part (RFC 9110 section 4.2.4).
    #[error("user information in the request target")]
    UserinfoInTarget,
    /// A request target with a fragment (RFC 9112 section 3.2).
    #[error("fragment in the request target")]
    FragmentInTarget,
    /// A CONNECT target without a port (RFC 9110 section 9.3.6).
    #[error("connect target without a port")]
    MissingConnectPort,
    /// A version that does not read `HTTP/d.d` (RFC 9112 section 2.3).
    #[error("malformed protocol version")]
    InvalidVersion,
    /// A well-formed version other than HTTP/1.0 and HTTP/1.1, the HTTP/2 preface included.
    #[error("protocol version not supported")]
    UnsupportedVersion,
    /// A status line that is not `HTTP-version SP 3DIGIT [SP reason]` (RFC 9112 section 4).
    #[error("malformed status line")]
    InvalidStatusLine,
    /// A carriage return without a line feed in a protocol line (RFC 9112 section 2.2).
    #[error("bare carriage return in a protocol line")]
    BareCr,
    /// A line feed without a carriage return in a protocol line (RFC 9112 section 2.2).
    #[error("bare line feed in a protocol line")]
    BareLf,
    /// A folded field line (RFC 9112 section 5.2).
    #[error("folded field line")]
    ObsFold,
    /// A field line without a colon.
    #[error("field line without a colon")]
    MissingColon,
    /// White space between a field name and its colon (RFC 9112 section 5.1).
    #[error("white space before the colon of a field")]
    WhitespaceBeforeColon,
    /// A field name that is not a token (RFC 9110 section 5.1).
    #[error("malformed field name")]
    InvalidFieldName,
    /// A field value with a control character (RFC 9110 section 5.5).
    #[error("malformed field value")]
    InvalidFieldValue,
    /// A start line over `Limits::start_line`.
    #[error("start line too long")]
    StartLineTooLong,
    /// A head over `Limits::head`.
    #[error("head too large")]
    HeadTooLarge,
    /// More field lines than `Limits::fields`.
    #[error("too many header fields")]
    TooManyFields,
    /// An HTTP/1.1 request without Host (RFC 9112 section 3.2).
    #[error("missing host field")]
    MissingHost,
    /// More than one Host field (RFC 9112 section 3.2).
    #[error("repeated host field")]
    RepeatedHost,
    /// A Host field that is not `uri-host [":" port]` (RFC 9110 section 7.2).
    #[error("malformed host field")]
    InvalidHost,
    /// A Host field that disagrees with the authority of the request target (RFC 9112 section 3.2.2).
    #[error("host field disagrees with the request target")]
    MismatchedHost,
    /// A Content-Length that is not `1*DIGIT` or does not fit 64 bits (RFC 9110 section 8.6).
    #[error("malformed content-length")]
    InvalidContentLength,
    /// Content-Length fields that differ (RFC 9112 section 6.3).
    #[error("differing content-length fields")]
    ConflictingContentLength,
    /// Content-Length together with Transfer-Encoding (RFC 9112 section 6.1).
    #[error("content-length together with transfer-encoding")]
    ContentLengthWithTransferEncoding,
    /// A Transfer-Encoding that is empty, malformed, repeated, or in which `chunked` is not last (RFC 9112 section
    /// 6.1).
    #[error("malformed transfer-encoding")]
    InvalidTransferEncoding,
    /// A well-formed transfer coding other than `chunked` (RFC 9112 section 6.1).
    #[error("transfer coding not supported")]
    UnsupportedTransferEncoding,
    /// Transfer-Encoding in an HTTP/1.0 message (RFC 9112 section 6.1).
    #[error("transfer-encoding in an http/1.0 message")]
    TransferEncodingOnHttp10,
    /// A body over `Limits::body`, or a collected one over its own limit.
    #[error("body too large")]
    BodyTooLarge,
    /// A chunk size that is not `1*HEXDIG` of at most 16 digits (RFC 9112 section 7.1).
    #[error("malformed chunk size")]
    InvalidChunkSize,
    /// A chunk extension outside the grammar (RFC 9112 section 7.1.1).
    #[error("malformed chunk extension")]
    InvalidChunkExtension,
    /// A chunk line over `Limits::chunk_line`.
    #[error("chunk line too long")]
    ChunkLineTooLong,
    /// More needless framing bytes in a chunked body than its data justify (`Limits::chunk_overhead`).
    #[error("too many framing bytes in a chunked body")]
    ChunkOverhead,
    /// Chunk data that are not followed by CRLF (RFC 9112 section 7.1).
    #[error("chunk data without the closing line end")]
    MissingChunkEnd,
    /// A field that must not be a trailer (RFC 9110 section 6.5.1).
    #[error("field not allowed in a trailer section")]
    ForbiddenTrailer,
    /// A trailer section over `Limits::trailers` or with more lines than `Limits::fields`.
    #[error("trailer section too large")]
    TrailersTooLarge,
    /// An Expect field other than `100-continue` (RFC 9110 section 10.1.1).
    #[error("expectation not supported")]
    UnknownExpectation,
    /// The connection ended inside a message (RFC 9112 section 8).
    #[error("connection closed inside a message")]
    Truncated,
    /// More 1xx responses to one request than `Limits::informational`.
    #[error("too many informational responses")]
    TooManyInformational,
    /// Bytes from a server that answer no request.
    #[error("response without a request")]
    UnsolicitedResponse,
    /// A `101 Switching Protocols` to a request that offered no upgrade (RFC 9110 section 15.2.2), or to a protocol
    /// that it did not offer (section 7.8).
    #[error("protocol switch that was not asked for")]
    UnsolicitedUpgrade,
}
