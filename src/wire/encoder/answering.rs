//! What a response answers.

use http::{Method, Version};

use crate::payload::Payload;

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
