//! How a response is sent: which body it may have, and what its head says of that and of the connection (RFC 9110
//! sections 6.4.1, 8.6 and 15).
//!
//! The version is always HTTP/1.1 (RFC 9110 section 2.5). If the RFC allows no framing field (1xx, 204 and a 2xx to
//! CONNECT), one that the application set is left out: the message has the same meaning without it.

use http::{StatusCode, Version};

use super::answering::{Answering, Asked};
use super::fields::{self, Announce, Persistence};
use super::{Begun, Body};
use crate::error::UseError;
use crate::payload::{Known, Message, TransferMode};

/// A response as it will be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) body: Body,
    /// Whether the Oneshot body is written.
    pub(super) inside: bool,
    pub(super) announce: Announce,
    pub(super) persistence: Persistence,
    pub(super) begun: Begun,
}

impl Plan {
    /// How this response is sent, or why it cannot be.
    pub(super) fn of(
        message: &Message,
        status: StatusCode,
        answering: Answering,
    ) -> Result<Self, UseError> {
        if status.is_informational() {
            informational(message, status, answering)
        } else if answering.asked == Asked::Connect && status.is_success() {
            no_body(message)?;
            Ok(switching())
        } else {
            last(message, status, answering)
        }
    }
}

/// A 1xx. It says nothing about the connection, and must not be sent to an HTTP/1.0 peer (RFC 9110 section 15.2).
fn informational(
    message: &Message,
    status: StatusCode,
    answering: Answering,
) -> Result<Plan, UseError> {
    if answering.version == Version::HTTP_10 {
        return Err(UseError::InterimStatus);
    }
    no_body(message)?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(switching());
    }
    Ok(Plan {
        begun: Begun::Interim,
        ..switching()
    })
}

/// A final response.
fn last(message: &Message, status: StatusCode, answering: Answering) -> Result<Plan, UseError> {
    let http10 = answering.version == Version::HTTP_10;
    let bodiless = answering.asked == Asked::Head || status == StatusCode::NOT_MODIFIED;
    let announce = if status == StatusCode::NO_CONTENT {
        no_body(message)?;
        Announce::Nothing
    } else if bodiless {
        bodiless_announce(message, status)?
    } else {
        // A chunked one may turn out to be empty.
        if status == StatusCode::RESET_CONTENT && message.body_size().is_some() {
            no_body(message)?;
        }
        let announce = Announce::of(message);
        fields::check_given(&message.headers, announce)?;
        announce
    };
    let body = match message.mode {
        _ if bodiless || status == StatusCode::NO_CONTENT => Body::None,
        TransferMode::Oneshot => Body::None,
        TransferMode::Stream => Body::Length(message.length),
        TransferMode::Chunked if http10 => Body::UntilClose,
        TransferMode::Chunked => Body::Chunked,
    };
    let keep_alive = answering.keep_alive
        && body != Body::UntilClose
        && !message.headers.known_has(Known::Connection, b"close");
    Ok(Plan {
        body,
        inside: !bodiless,
        announce: match announce {
            Announce::Chunked if http10 => Announce::Nothing,
            announce => announce,
        },
        persistence: Persistence::announce(keep_alive, http10),
        begun: Begun::with(body, keep_alive),
    })
}

/// How an answer to HEAD, or a 304, describes the body that a GET would have had (RFC 9110 section 8.6). A length that
/// the application set is kept: it knows that body, we do not.
fn bodiless_announce(message: &Message, status: StatusCode) -> Result<Announce, UseError> {
    let chunked = fields::given_chunked(&message.headers)?;
    match (fields::given_length(&message.headers)?, message.mode) {
        (Some(_), TransferMode::Chunked) => Err(UseError::FramingMismatch),
        (Some(_), _) if chunked => Err(UseError::FramingMismatch),
        (Some(length), _) => Ok(Announce::Length(length)),
        (None, TransferMode::Oneshot | TransferMode::Stream) if chunked => {
            Err(UseError::FramingMismatch)
        }
        (None, _) if status == StatusCode::NOT_MODIFIED => Ok(Announce::Nothing),
        (None, _) => Ok(Announce::of(message)),
    }
}

/// A head after which the protocol changes.
fn switching() -> Plan {
    Plan {
        body: Body::None,
        inside: false,
        announce: Announce::Nothing,
        persistence: Persistence::Implied,
        begun: Begun::Switch,
    }
}

/// If no body is allowed, none may have been given either.
fn no_body(message: &Message) -> Result<(), UseError> {
    if message.body_size() == Some(0) {
        Ok(())
    } else {
        Err(UseError::BodyNotAllowed)
    }
}
