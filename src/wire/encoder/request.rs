//! Request heads (RFC 9112 section 3, RFC 9110 sections 7.2, 8.6 and 9.3).
//!
//! A fragment is never sent (B28), user information neither. Host comes first.

use http::{Method, Uri, Version};

use super::fields::{self, Announce, Persistence};
use super::{Begun, Body, Encoder};
use crate::error::UseError;
use crate::payload::{Headers, Known, Message, Payload, TransferMode};
use crate::wire::Output;
use crate::wire::host::HostPort;

/// The form of the request target (RFC 9112 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// To the origin server: the path and the query. CONNECT gets `host:port`, OPTIONS may ask for `*`.
    Origin,
    /// To a proxy: the whole URL. CONNECT gets `host:port` here too.
    Absolute,
}

impl Encoder {
    /// Begins a request, and completes it if its body is inside. `host` is the Host value unless the payload has one.
    ///
    /// # Errors
    /// What is wrong with the payload. Nothing is written then.
    pub(crate) fn request(
        &mut self,
        payload: &Payload,
        target: Target,
        host: &[u8],
        out: &mut impl Output,
    ) -> Result<Begun, UseError> {
        let message = payload.message();
        if let Some(mistake) = message.mistake() {
            return Err(mistake);
        }
        if message.status.is_some() {
            return Err(UseError::WrongKind);
        }
        if self.is_open() {
            return Err(UseError::BodyTooShort);
        }
        let http10 = message.start.line().version == Version::HTTP_10;
        let announce = announce(message, http10)?;
        check_host(&message.headers)?;
        // The Host of a CONNECT names the end of the tunnel, not the proxy (RFC 9112 section 3.2).
        let host = match message.start.line().method {
            Method::CONNECT => authority(&message.start.line().uri)?,
            _ => host,
        };
        let keep_alive = !(message.headers.has(Known::Connection)
            && message.headers.known_has(Known::Connection, b"close"));
        let small = out.small();
        let start = small.len();
        if let Err(error) = request_line(message, target, small) {
            small.truncate(start);
            return Err(error);
        }
        if !message.headers.has(Known::Host) {
            small.extend_from_slice(b"Host: ");
            small.extend_from_slice(host);
            small.extend_from_slice(b"\r\n");
        }
        fields::write(
            &message.headers,
            None,
            Persistence::announce(keep_alive, http10),
            announce,
            small,
        );
        if !message.body.is_empty() {
            out.body(&message.body);
        }
        self.body = match message.mode {
            TransferMode::Oneshot => Body::None,
            TransferMode::Stream => Body::Length(message.length),
            TransferMode::Chunked => Body::Chunked,
        };
        Ok(Begun::with(self.body, keep_alive))
    }
}

/// How the body is announced. A method that usually has one announces it even if it is empty (RFC 9110 section 8.6).
fn announce(message: &Message, http10: bool) -> Result<Announce, UseError> {
    let length = message.body_size();
    let takes_none = matches!(message.start.line().method, Method::CONNECT | Method::TRACE);
    if takes_none && length != Some(0) {
        return Err(UseError::BodyNotAllowed);
    }
    let anticipates = matches!(
        message.start.line().method,
        Method::POST | Method::PUT | Method::PATCH
    ) || message.mode == TransferMode::Stream
        || message.headers.has(Known::ContentLength);
    let announce = match length {
        None if http10 => return Err(UseError::ChunkedNotPossible),
        None => Announce::Chunked,
        Some(0) if takes_none || !anticipates => Announce::Nothing,
        Some(length) => Announce::Length(length),
    };
    fields::check_given(&message.headers, announce)?;
    Ok(announce)
}

/// Checks a Host that the application set: only one, and within the grammar.
fn check_host(headers: &Headers) -> Result<(), UseError> {
    let mut hosts = headers.known(Known::Host);
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(()),
        (Some(host), None) if HostPort::parse(host).is_some() => Ok(()),
        (Some(_), _) => Err(UseError::InvalidHost),
    }
}

/// `request-line = method SP request-target SP HTTP-version`
fn request_line(message: &Message, target: Target, out: &mut Vec<u8>) -> Result<(), UseError> {
    let uri = &message.start.line().uri;
    out.extend_from_slice(message.start.line().method.as_str().as_bytes());
    out.push(b' ');
    let start = out.len();
    if message.start.line().method == Method::CONNECT {
        let authority = authority(uri)?;
        // Without a port an authority is complete only for readers that know the scheme, which a proxy does not.
        if HostPort::parse(authority).is_none_or(|host| host.port.is_none()) {
            return Err(UseError::InvalidUrl);
        }
        out.extend_from_slice(authority);
    } else {
        let asterisk = uri.path() == "*";
        if asterisk && message.start.line().method != Method::OPTIONS {
            return Err(UseError::InvalidUrl);
        }
        if target == Target::Absolute {
            let scheme = uri.scheme_str().ok_or(UseError::NotAbsolute)?;
            out.extend_from_slice(scheme.as_bytes());
            out.extend_from_slice(b"://");
            out.extend_from_slice(authority(uri)?);
        }
        match target {
            // To a proxy, `*` is expressed by the lack of a path (RFC 9112 section 3.2.4).
            Target::Absolute if asterisk => {}
            Target::Origin if asterisk => out.push(b'*'),
            Target::Absolute | Target::Origin => path(uri, out),
        }
    }
    // `Uri` allows characters that the wire does not.
    let written = out.get(start..).unwrap_or_default();
    // Scans to the end without an early exit: without a branch for each byte the compiler vectorises the loop.
    let stray =
        |found, byte: &u8| found | u8::from(!byte.is_ascii_graphic()) | u8::from(*byte == b'#');
    if written.iter().fold(0, stray) > 0 {
        return Err(UseError::InvalidUrl);
    }
    out.extend_from_slice(if message.start.line().version == Version::HTTP_10 {
        b" HTTP/1.0\r\n"
    } else {
        b" HTTP/1.1\r\n"
    });
    Ok(())
}

fn path(uri: &Uri, out: &mut Vec<u8>) {
    let text = uri.path_and_query().map_or("/", |path| path.as_str());
    if !text.starts_with('/') {
        out.push(b'/');
    }
    out.extend_from_slice(text.as_bytes());
}

fn authority(uri: &Uri) -> Result<&[u8], UseError> {
    match uri.authority().map(http::uri::Authority::as_str) {
        Some(text) if text.contains('@') => Err(UseError::UserInfo),
        Some(text) => Ok(text.as_bytes()),
        None => Err(UseError::NotAbsolute),
    }
}
