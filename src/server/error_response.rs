//! An error that says what the client gets.

use std::error::Error;
use std::fmt;

use actix::MailboxError;
use bytes::Bytes;
use http::StatusCode;

use crate::error::{BodyError, CancelCause, FailureReason};
use crate::payload::Payload;
use crate::wire::plain;

/// An error with an answer of its own.
///
/// If a function of [`handler_fn`](crate::handler_fn) or a tower service fails with it, or with an error that has it
/// among its sources, the client gets this answer instead of a 500. So `?` can choose the status.
///
/// It is made from a status and a text, from a [`StatusCode`] alone, or from a whole [`Payload`] with its own fields.
/// `?` also makes it from what reading a request and asking an actor fail with: a [`BodyError`] and an
/// [`actix::MailboxError`].
///
/// Some wrappers hide what they contain from [`Error::source`]: `#[error(transparent)]` of thiserror, and an
/// `anyhow::Error` without a context. Return the `ErrorResponse` itself there. A conversion `From<YourError>` is
/// applied by `?` in a function that returns `Result<_, ErrorResponse>`, and nowhere else.
///
/// ```
/// use http_actors::{ErrorResponse, Payload, StatusCode, handler_fn};
///
/// fn number(request: &Payload) -> Result<i32, ErrorResponse> {
///     let text = std::str::from_utf8(request.body_bytes()).ok();
///     let number = text.and_then(|text| text.trim().parse().ok());
///     number.ok_or_else(|| ErrorResponse::new(StatusCode::BAD_REQUEST, "not a number\n"))
/// }
///
/// let next = handler_fn(async |request: Payload| -> Result<Payload, ErrorResponse> {
///     let next = i64::from(number(&request)?) + 1;
///     Ok(Payload::response(StatusCode::OK).body(format!("{next}\n")))
/// });
/// # let _ = next;
/// ```
#[derive(Debug, Clone)]
pub struct ErrorResponse(Payload);

impl ErrorResponse {
    /// Answers with this status, and a plain text for the client.
    pub fn new(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self(plain(status, text))
    }

    /// The answer.
    pub fn payload(&self) -> &Payload {
        &self.0
    }

    /// Takes the answer out.
    pub fn into_payload(self) -> Payload {
        self.0
    }

    /// The answer of this error, or of one of its sources.
    pub(super) fn of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        sources(error).find_map(<dyn Error>::downcast_ref)
    }
}

/// This error, what caused it, what caused that, and so on.
pub(super) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Answers with this status, and its reason as the text.
impl From<StatusCode> for ErrorResponse {
    fn from(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("error");
        Self::new(status, format!("{reason}\n"))
    }
}

/// Answers with this payload, whose body is inside. Any status will do.
impl From<Payload> for ErrorResponse {
    fn from(payload: Payload) -> Self {
        Self(payload)
    }
}

/// Answers for the body of a request that could not be read: with a 413 if it is too large, with a 408 if it was too
/// slow, with a 400, or what else the error on the wire [says](crate::error::WireError::status), if the client broke it
/// off or malformed it, with a 503 if this end shut down, else with a 500.
///
/// A function hears only of a body that is too large: at every other of these errors the exchange is over, and the
/// function with it. An answer of another server that could not be read is no fault of the client: map its error, to a
/// [`StatusCode::BAD_GATEWAY`] say.
impl From<BodyError> for ErrorResponse {
    fn from(error: BodyError) -> Self {
        let status = match error {
            BodyError::TooLarge(_) => {
                return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body too large\n");
            }
            BodyError::Failed(FailureReason::Protocol(error)) => error.status(),
            BodyError::Failed(FailureReason::ConnectionClosed(_))
            | BodyError::Cancelled(CancelCause::PeerHalfClosed | CancelCause::PeerReset) => {
                StatusCode::BAD_REQUEST
            }
            BodyError::Cancelled(CancelCause::Deadline(_)) => StatusCode::REQUEST_TIMEOUT,
            BodyError::Cancelled(CancelCause::Shutdown | CancelCause::Memory) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            BodyError::Cancelled(CancelCause::Local) | BodyError::Failed(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        status.into()
    }
}

/// Answers with a 503 for an actor that has stopped, or took too long, and tells `tracing` so, at `WARN`: the answer
/// does not say which of the two it was.
impl From<MailboxError> for ErrorResponse {
    fn from(error: MailboxError) -> Self {
        tracing::warn!(%error, "an actor that a service asked did not answer: a request gets a 503");
        StatusCode::SERVICE_UNAVAILABLE.into()
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.status() {
            Some(status) => write!(f, "answered with {status}"),
            None => f.write_str("answered with a request"),
        }
    }
}

impl Error for ErrorResponse {}
