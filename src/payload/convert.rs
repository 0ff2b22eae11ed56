//! To and from the types of the `http` crate.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use super::{Headers, Payload};
use crate::error::UseError;

impl<B: Into<Bytes>> TryFrom<Request<B>> for Payload {
    type Error = UseError;

    fn try_from(request: Request<B>) -> Result<Self, UseError> {
        let (parts, body) = request.into_parts();
        let mut payload = Self::request(parts.method, parts.uri)
            .with_version(parts.version)
            .body(body);
        *payload.headers_mut() = Headers::try_from(&parts.headers)?;
        Ok(payload)
    }
}

impl<B: Into<Bytes>> TryFrom<Response<B>> for Payload {
    type Error = UseError;

    fn try_from(response: Response<B>) -> Result<Self, UseError> {
        let (parts, body) = response.into_parts();
        let mut payload = Self::response(parts.status)
            .with_version(parts.version)
            .body(body);
        *payload.headers_mut() = Headers::try_from(&parts.headers)?;
        Ok(payload)
    }
}

/// The Oneshot body goes along; a body that follows by `chunk` does not.
impl TryFrom<Payload> for Request<Bytes> {
    type Error = UseError;

    fn try_from(mut payload: Payload) -> Result<Self, UseError> {
        if !payload.is_request() {
            return Err(UseError::WrongKind);
        }
        let headers = HeaderMap::try_from(payload.headers())?;
        let message = payload.message_mut();
        let mut request = Self::new(std::mem::take(&mut message.body));
        let line = message.start.line();
        *request.method_mut() = line.method.clone();
        *request.uri_mut() = line.uri.clone();
        *request.version_mut() = line.version;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// The Oneshot body goes along; a body that follows by `chunk` does not.
impl TryFrom<Payload> for Response<Bytes> {
    type Error = UseError;

    fn try_from(mut payload: Payload) -> Result<Self, UseError> {
        let status = payload.status().ok_or(UseError::WrongKind)?;
        let headers = HeaderMap::try_from(payload.headers())?;
        let message = payload.message_mut();
        let mut response = Self::new(std::mem::take(&mut message.body));
        *response.status_mut() = status;
        *response.version_mut() = message.start.line().version;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
