//! An error that says what the client gets.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::StatusCode;

use super::response::plain;
use crate::payload::Payload;

/// An error with an answer of its own.
///
/// If a function of [`handler_fn`](crate::handler_fn) or a tower service fails with it, or with an error that has it
/// among its sources, the client gets this answer instead of a 500. So `?` can choose the status.
///
/// It is made from a status and a text, from a [`StatusCode`] alone, or from a whole [`Payload`] with its own fields.
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

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.status() {
            Some(status) => write!(f, "answered with {status}"),
            None => f.write_str("answered with a request"),
        }
    }
}

impl Error for ErrorResponse {}
