//! Response heads (RFC 9112 section 4, RFC 9110 sections 6.4.1, 8.6 and 15).
//!
//! The version is always HTTP/1.1 (RFC 9110 section 2.5), and the code is written once (B9). If the RFC allows no
//! framing field (1xx, 204 and a 2xx to CONNECT), one that the application set is left out: the message has the same
//! meaning without it.

use bytes::Bytes;
use http::{Method, StatusCode, Version};

use super::fields::{self, Announce, Persistence};
use super::memo::Key;
use super::{Begun, Body, Encoder};
use crate::error::UseError;
use crate::payload::{Known, Message, Payload, TransferMode};
use crate::wire::Output;

/// What a response must know about the request that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answering {
    pub(crate) asked: Asked,
    /// The version that the peer speaks.
    pub(crate) version: Version,
    /// Whether the request and the session let the connection persist.
    pub(crate) keep_alive: bool,
}

/// The methods whose responses are unlike others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Head,
    Connect,
    Other,
}

impl Asked {
    pub(crate) fn by(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }
}

impl Answering {
    /// The response to this request. `keep_alive`: whether the request lets the connection persist.
    pub(crate) fn to(request: &Payload, keep_alive: bool) -> Self {
        Self {
            asked: Asked::by(request.method()),
            version: request.version(),
            keep_alive,
        }
    }

    /// The last response of a connection, whatever the peer speaks.
    pub(crate) fn last(asked: Asked) -> Self {
        Self {
            asked,
            version: Version::HTTP_11,
            keep_alive: false,
        }
    }
}

/// A response as it will be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    body: Body,
    /// Whether the Oneshot body is written.
    inside: bool,
    announce: Announce,
    persistence: Persistence,
    begun: Begun,
}

impl Encoder {
    /// Begins a response, and completes it if its body is inside. `date` is the line of the Date field.
    ///
    /// # Errors
    /// What is wrong with the payload. Nothing is written then.
    pub(crate) fn response(
        &mut self,
        payload: &Payload,
        answering: Answering,
        date: &[u8],
        out: &mut impl Output,
    ) -> Result<Begun, UseError> {
        let message = payload.message();
        if let Some(mistake) = message.mistake() {
            return Err(mistake);
        }
        let status = message.status.ok_or(UseError::WrongKind)?;
        if self.is_open() {
            return Err(UseError::BodyTooShort);
        }
        let lines = message.headers.block().wire_form();
        let memo = Key::of(message, status, answering).zip(lines);
        #[cfg(test)]
        let memo = memo.filter(|_| !self.forgetful);
        let known = memo.and_then(|(key, lines)| key.recall(lines, date, out));
        let plan = if let Some(plan) = known {
            plan
        } else {
            let plan = plan(message, status, answering)?;
            let small = out.small();
            let start = small.len();
            head(message, status, date, plan, small);
            if let Some((key, lines)) = memo {
                key.remember(lines, date, plan, small.get(start..).unwrap_or_default());
            }
            plan
        };
        if plan.inside && !message.body.is_empty() {
            out.body(&message.body);
        }
        self.body = plan.body;
        Ok(plan.begun)
    }
}

fn head(message: &Message, status: StatusCode, date: &[u8], plan: Plan, out: &mut Vec<u8>) {
    status_line(status, message.reason.as_ref(), out);
    let date = (!status.is_informational()).then_some(date);
    fields::write(&message.headers, date, plan.persistence, plan.announce, out);
}

fn plan(message: &Message, status: StatusCode, answering: Answering) -> Result<Plan, UseError> {
    if status.is_informational() {
        informational(message, status, answering)
    } else if answering.asked == Asked::Connect && status.is_success() {
        no_body(message)?;
        Ok(switching())
    } else {
        last(message, status, answering)
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
        bodiless_announce(message, status, http10)?
    } else {
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
fn bodiless_announce(
    message: &Message,
    status: StatusCode,
    http10: bool,
) -> Result<Announce, UseError> {
    let chunked = fields::given_chunked(&message.headers)?;
    match (fields::given_length(&message.headers)?, message.mode) {
        (Some(_), TransferMode::Chunked) => Err(UseError::FramingMismatch),
        (Some(_), _) if chunked => Err(UseError::FramingMismatch),
        (Some(length), _) => Ok(Announce::Length(length)),
        (None, TransferMode::Oneshot | TransferMode::Stream) if chunked => {
            Err(UseError::FramingMismatch)
        }
        (None, _) if status == StatusCode::NOT_MODIFIED => Ok(Announce::Nothing),
        (None, TransferMode::Chunked) if http10 => Ok(Announce::Nothing),
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

/// `status-line = HTTP-version SP status-code SP [ reason-phrase ]`
fn status_line(status: StatusCode, reason: Option<&Bytes>, out: &mut Vec<u8>) {
    if status == StatusCode::OK && reason.is_none() {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    match reason {
        Some(reason) => out.extend_from_slice(reason),
        None => out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes()),
    }
    out.extend_from_slice(b"\r\n");
}
