//! Messages to bytes (RFC 9112), for both ends of a connection, and the body of the message that is being sent.
//!
//! The encoder enforces what the caller announced: no body if none is allowed, exactly the announced length, and
//! correct framing fields. What cannot be sent is refused before a byte of it is written.

mod answering;
mod chunk;
mod fields;
mod memo;
mod plan;
mod request;
mod response;

use bytes::Bytes;

use super::{Output, trailer};
use crate::error::UseError;
use crate::payload::Headers;

pub(crate) use answering::{Answering, Asked};
pub(crate) use request::Target;

/// Writes the messages of one connection in one direction.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    body: Body,
    /// Renders every head without the memory of the last one.
    #[cfg(test)]
    forgetful: bool,
}

/// The outbound body that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Body {
    #[default]
    None,
    /// This many bytes are owed.
    Length(u64),
    Chunked,
    /// It ends with the connection: to an HTTP/1.0 peer.
    UntilClose,
}

/// The result of beginning a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// A 1xx other than 101: the answer is still owed.
    Interim,
    /// A head with a body: data may follow, and `finish` must.
    Open {
        /// Whether the connection persists after this message.
        keep_alive: bool,
    },
    /// A whole message.
    Whole {
        /// Whether the connection persists after this message.
        keep_alive: bool,
    },
    /// A 101, or a 2xx to CONNECT: what follows is not HTTP.
    Switch,
}

impl Begun {
    /// The head of a message with this body was written.
    fn with(body: Body, keep_alive: bool) -> Self {
        match body {
            Body::None => Self::Whole { keep_alive },
            Body::Length(_) | Body::Chunked | Body::UntilClose => Self::Open { keep_alive },
        }
    }

    pub(crate) fn needs_body(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Whether the connection goes on after this message, as HTTP or not.
    pub(crate) fn keep_alive(self) -> bool {
        match self {
            Self::Interim | Self::Switch => true,
            Self::Open { keep_alive } | Self::Whole { keep_alive } => keep_alive,
        }
    }
}

impl Encoder {
    /// Disables the memory of the last head.
    #[cfg(test)]
    pub(super) fn forgetful() -> Self {
        Self {
            forgetful: true,
            ..Self::default()
        }
    }

    /// Sends body data. Empty data change nothing: they never end a body (B27).
    ///
    /// # Errors
    /// [`UseError::BodyNotAllowed`] if no body is open, [`UseError::BodyTooLong`] past the announced length. Nothing is
    /// written then.
    pub(crate) fn data(&mut self, data: &Bytes, out: &mut impl Output) -> Result<(), UseError> {
        match &mut self.body {
            Body::None => Err(UseError::BodyNotAllowed),
            _ if data.is_empty() => Ok(()),
            Body::Length(left) => {
                *left = left
                    .checked_sub(data.len() as u64)
                    .ok_or(UseError::BodyTooLong)?;
                out.body(data);
                Ok(())
            }
            Body::Chunked => {
                chunk::write(data, out);
                Ok(())
            }
            Body::UntilClose => {
                out.body(data);
                Ok(())
            }
        }
    }

    /// Ends the body. Trailers to a peer that cannot take them are dropped.
    ///
    /// # Errors
    /// [`UseError::BodyTooShort`] if bytes are still owed, [`UseError::TrailersNotAllowed`] for trailers on a body of
    /// known length or with a forbidden name, [`UseError::BodyNotAllowed`] if no body is open. The body stays open
    /// then.
    pub(crate) fn finish(
        &mut self,
        trailers: Option<&Headers>,
        out: &mut impl Output,
    ) -> Result<(), UseError> {
        let trailers = trailers.filter(|trailers| !trailers.is_empty());
        match self.body {
            Body::None => return Err(UseError::BodyNotAllowed),
            Body::Length(_) if trailers.is_some() => return Err(UseError::TrailersNotAllowed),
            Body::Length(1..) => return Err(UseError::BodyTooShort),
            Body::Chunked | Body::UntilClose if trailers.is_some_and(has_forbidden) => {
                return Err(UseError::TrailersNotAllowed);
            }
            Body::Chunked => chunk::write_last(trailers, out.small()),
            Body::Length(0) | Body::UntilClose => {}
        }
        self.body = Body::None;
        Ok(())
    }

    /// Whether a body is open.
    pub(crate) fn is_open(&self) -> bool {
        self.body != Body::None
    }

    /// Whether the open body ends with the connection, so that only a reset tells the peer that it was cut short.
    #[cfg(test)]
    pub(crate) fn is_close_delimited(&self) -> bool {
        self.body == Body::UntilClose
    }

    /// Forgets the open body. The connection cannot be used for another message then.
    pub(crate) fn abort(&mut self) {
        self.body = Body::None;
    }
}

fn has_forbidden(trailers: &Headers) -> bool {
    trailers
        .iter()
        .any(|(name, _)| trailer::is_forbidden(name.as_bytes()))
}
