//! What a request to a server behind a proxy needs.

use std::fmt;

use crate::payload::Payload;
use crate::transport::Origin;

/// The field of a request that carries the credentials for a proxy.
const PROXY_AUTHORIZATION: &str = "Proxy-Authorization";

/// A proxy between a client and its server.
#[derive(Clone)]
pub(crate) struct Through {
    /// Where the proxy is.
    pub(crate) proxy: Origin,
    /// The value of `Proxy-Authorization` for the proxy. The server never gets it.
    pub(crate) authorization: Option<String>,
}

/// Credentials stay out of logs.
impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Through")
    }
}

impl Through {
    /// Addresses a request to the proxy: an absolute URL, and the credentials (RFC 9112 section 3.2.2).
    pub(super) fn address(&self, request: &mut Payload, origin: Option<&Origin>) {
        let message = request.message_mut();
        let uri = &message.start.line().uri;
        if uri.authority().is_none()
            && let Some(origin) = origin
        {
            message.start.line_mut().uri = origin.at(uri);
        }
        self.authorize(request);
    }

    /// Adds the credentials to a request to the proxy.
    pub(in crate::session) fn authorize(&self, request: &mut Payload) {
        let message = request.message_mut();
        if let Some(authorization) = &self.authorization
            && let Err(mistake) = message.headers.insert(PROXY_AUTHORIZATION, authorization)
        {
            message.mistake.get_or_insert(mistake);
        }
    }

    /// Removes the credentials from a request that is returned to its sender.
    pub(super) fn forget(&self, request: &mut Payload) {
        if self.authorization.is_some() {
            request.headers_mut().remove(PROXY_AUTHORIZATION);
        }
    }
}
