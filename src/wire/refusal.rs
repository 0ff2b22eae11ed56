//! The answer to a violation by the peer: the one mapping from cause to status.

use bytes::Bytes;
use http::StatusCode;

use crate::error::WireError;
use crate::payload::Payload;

impl WireError {
    /// The status with which a server answers this violation. Causes that only a client can meet count as 400.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::StartLineTooLong => StatusCode::URI_TOO_LONG,
            Self::UnknownExpectation => StatusCode::EXPECTATION_FAILED,
            Self::HeadTooLarge | Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UnsupportedTransferEncoding => StatusCode::NOT_IMPLEMENTED,
            Self::UnsupportedVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::InvalidRequestLine
            | Self::InvalidMethod
            | Self::InvalidTarget
            | Self::UserinfoInTarget
            | Self::FragmentInTarget
            | Self::MissingConnectPort
            | Self::InvalidVersion
            | Self::InvalidStatusLine
            | Self::BareCr
            | Self::BareLf
            | Self::ObsFold
            | Self::MissingColon
            | Self::WhitespaceBeforeColon
            | Self::InvalidFieldName
            | Self::InvalidFieldValue
            | Self::MissingHost
            | Self::RepeatedHost
            | Self::InvalidHost
            | Self::MismatchedHost
            | Self::InvalidContentLength
            | Self::ConflictingContentLength
            | Self::ContentLengthWithTransferEncoding
            | Self::InvalidTransferEncoding
            | Self::TransferEncodingOnHttp10
            | Self::InvalidChunkSize
            | Self::InvalidChunkExtension
            | Self::ChunkLineTooLong
            | Self::ChunkOverhead
            | Self::MissingChunkEnd
            | Self::ForbiddenTrailer
            | Self::TrailersTooLarge
            | Self::Truncated
            | Self::TooManyInformational
            | Self::UnsolicitedResponse
            | Self::UnsolicitedUpgrade => StatusCode::BAD_REQUEST,
        }
    }
}

/// What a client is told when this end could not answer: nothing of the cause, which is in the log.
pub(crate) const COULD_NOT_ANSWER: &str = "the server could not answer\n";

/// An answer that is a text.
pub(crate) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Payload {
    Payload::response(status)
        .header("Content-Type", "text/plain; charset=utf-8")
        .body(text)
}

/// A short answer after which the connection closes.
pub(crate) fn refusal(status: StatusCode, text: &str) -> Payload {
    plain(status, text.to_owned()).close()
}
