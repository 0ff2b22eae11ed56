//! The spans of sessions and exchanges, with the names of OpenTelemetry's semantic conventions for HTTP, which
//! `docs/observability.md` lists.
//!
//! Without a subscriber, a span costs a null pointer and one comparison.

use std::future::Future;

use http::uri::Authority;
use http::{Method, StatusCode, Version};
use tokio::task::AbortHandle;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Instrument as _, Span, span};

use super::exchange::Exchange;
use super::role::Role;
use crate::payload::Payload;
use crate::transport::{Origin, Peer, TlsInfo};

const SESSION: &str = "http_actors::session";
const EXCHANGE: &str = "http_actors::exchange";

/// The spans that a session holds besides those of its exchanges.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) session: Traced,
    /// The span of the exchange whose end is to be reported.
    pub(super) ended: Traced,
    /// The span of the caller whose request is about to begin an exchange.
    pub(super) caller: Traced,
}

impl Trace {
    /// The span of an exchange: a request is delivered at a server.
    #[inline]
    pub(super) fn delivered(&self, request: &Payload, peer: &Peer, secure: bool) -> Traced {
        if Traced::is_on() {
            Traced::of(serving(request, &self.session, peer, secure))
        } else {
            Traced(None)
        }
    }

    /// The span of an exchange: a request is accepted at a client.
    #[inline]
    pub(super) fn asked(
        &mut self,
        request: &Payload,
        origin: Option<&Origin>,
        peer: &Peer,
        secure: bool,
    ) -> Traced {
        if Traced::is_on() {
            let caller = std::mem::take(&mut self.caller);
            let parent = caller.or(&self.session);
            Traced::of(asking(request, origin, parent, peer, secure))
        } else {
            Traced(None)
        }
    }
}

/// A span, or nothing if it is disabled.
#[derive(Debug, Default)]
pub(crate) struct Traced(Option<Box<Span>>);

/// The absence of a span.
pub(super) const NOBODY: Traced = Traced(None);

impl Traced {
    /// Whether a subscriber may record the spans of exchanges.
    #[inline]
    pub(super) fn is_on() -> bool {
        LevelFilter::current() >= LevelFilter::INFO
    }

    fn of(span: Span) -> Self {
        Self((!span.is_disabled()).then(|| Box::new(span)))
    }

    /// The span in which this is called, as the parent of an exchange.
    #[inline]
    pub(super) fn current() -> Self {
        if Self::is_on() {
            Self::of(Span::current())
        } else {
            Self(None)
        }
    }

    /// A session begins.
    pub(super) fn session() -> Self {
        Self::of(span!(
            target: SESSION,
            parent: None,
            tracing::Level::DEBUG,
            "session",
            network.peer.address = Empty,
            network.peer.port = Empty,
            network.local.address = Empty,
            network.local.port = Empty,
            tls.protocol.version = Empty,
            http_actors.close_reason = Empty,
        ))
    }

    /// It has a connection.
    pub(super) fn connected(&self, peer: &Peer, tls: Option<&TlsInfo>) {
        let Self(Some(span)) = self else { return };
        if let Some(remote) = peer.remote {
            span.record("network.peer.address", tracing::field::display(remote.ip()));
            span.record("network.peer.port", remote.port());
        }
        if let Some(local) = peer.local {
            span.record("network.local.address", tracing::field::display(local.ip()));
            span.record("network.local.port", local.port());
        }
        if let Some(tls) = tls {
            span.record(
                "tls.protocol.version",
                tls.version.trim_start_matches("TLSv"),
            );
        }
    }

    /// The session is over.
    pub(super) fn closed(&self, reason: crate::error::CloseReason) {
        if let Self(Some(span)) = self {
            span.record("http_actors.close_reason", reason.name());
        }
    }

    /// The exchange is over. Its span is kept until the end was reported.
    #[inline]
    pub(super) fn end(&mut self, role: Role, exchange: &Exchange, trace: &mut Trace) {
        if let Some(span) = self.0.take() {
            end(&span, role, exchange);
            trace.ended = Self(Some(span));
        }
    }

    /// This span, or the other one.
    pub(super) fn or(&self, other: &Self) -> Option<Span> {
        let span = self.0.as_ref().or(other.0.as_ref())?;
        Some(Span::clone(span))
    }

    pub(super) fn id(&self) -> Option<span::Id> {
        self.0.as_ref()?.id()
    }

    /// Runs a future in the span.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + 'static) -> AbortHandle {
        match &self.0 {
            Some(span) => actix_rt::spawn(future.instrument(Span::clone(span))),
            None => actix_rt::spawn(future),
        }
        .abort_handle()
    }
}

#[cold]
#[inline(never)]
fn serving(request: &Payload, session: &Traced, peer: &Peer, secure: bool) -> Span {
    let (name, method, original) = method(request.method());
    let (host, port) = server(request, peer, secure);
    span!(
        target: EXCHANGE,
        parent: session.id(),
        tracing::Level::INFO,
        "exchange",
        otel.kind = "server",
        otel.name = name,
        otel.status_code = Empty,
        http.request.method = method,
        http.request.method_original = original,
        http.route = Empty,
        url.scheme = if secure { "https" } else { "http" },
        url.path = request.uri().path(),
        url.query = request.uri().query(),
        network.protocol.version = version(request.version()),
        client.address = peer.remote.map(|remote| tracing::field::display(remote.ip())),
        server.address = host,
        server.port = port,
        user_agent.original = request.headers().text("user-agent"),
        http.response.status_code = Empty,
        http.request.body.size = Empty,
        http.response.body.size = Empty,
        "error.type" = Empty,
    )
}

#[cold]
#[inline(never)]
fn asking(
    request: &Payload,
    origin: Option<&Origin>,
    parent: Option<Span>,
    peer: &Peer,
    secure: bool,
) -> Span {
    let (name, method, original) = method(request.method());
    let (host, port) = match origin {
        Some(origin) => (Some(origin.host().to_owned()), Some(origin.port())),
        None => server(request, peer, secure),
    };
    let scheme = origin.map_or(if secure { "https" } else { "http" }, |origin| {
        origin.scheme().as_str()
    });
    let url = origin.map(|origin| tracing::field::display(origin.at(request.uri())));
    span!(
        target: EXCHANGE,
        parent: parent.and_then(|span| span.id()),
        tracing::Level::INFO,
        "exchange",
        otel.kind = "client",
        otel.name = name,
        otel.status_code = Empty,
        http.request.method = method,
        http.request.method_original = original,
        url.full = url,
        url.scheme = scheme,
        url.path = request.uri().path(),
        url.query = request.uri().query(),
        network.protocol.version = version(request.version()),
        server.address = host,
        server.port = port,
        user_agent.original = request.headers().text("user-agent"),
        http.response.status_code = Empty,
        http.request.body.size = Empty,
        http.response.body.size = Empty,
        "error.type" = Empty,
    )
}

#[cold]
fn end(span: &Span, role: Role, exchange: &Exchange) {
    let (request, response) = match role {
        Role::Server => (exchange.bytes_in, exchange.bytes_out),
        Role::Client => (exchange.bytes_out, exchange.bytes_in),
    };
    span.record("http.request.body.size", request);
    span.record("http.response.body.size", response);
    if let Some(status) = exchange.status {
        span.record("http.response.status_code", status.as_u16());
    }
    let status = role.error(exchange.status);
    if let Some(error) = exchange
        .outcome
        .cause()
        .or(status.as_ref().map(StatusCode::as_str))
    {
        span.record("error.type", error);
        span.record("otel.status_code", "ERROR");
    }
}

/// The name of the span, the method, and the method as it was sent if it is not a well-known one.
fn method(method: &Method) -> (&str, &str, Option<&str>) {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::CONNECT
        | Method::OPTIONS
        | Method::TRACE
        | Method::PATCH => (method.as_str(), method.as_str(), None),
        _ => ("HTTP", "_OTHER", Some(method.as_str())),
    }
}

fn version(version: Version) -> &'static str {
    if version == Version::HTTP_10 {
        "1.0"
    } else {
        "1.1"
    }
}

/// The host and the port that the client named, or else the address that it connected to.
fn server(request: &Payload, peer: &Peer, secure: bool) -> (Option<String>, Option<u16>) {
    let named = request
        .uri()
        .authority()
        .cloned()
        .or_else(|| Authority::try_from(request.headers().get("host")?).ok());
    let usual = if secure { 443 } else { 80 };
    match (named, peer.local) {
        (Some(named), _) => (
            Some(named.host().to_owned()),
            Some(named.port_u16().unwrap_or(usual)),
        ),
        (None, Some(local)) => (Some(local.ip().to_string()), Some(local.port())),
        (None, None) => (None, None),
    }
}
