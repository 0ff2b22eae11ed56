//! Metrics, through the facade `metrics` (feature `metrics`). The names are listed in `docs/observability.md`.
//!
//! A gauge is an object that lives as long as the thing that it counts.

use http::{Method, StatusCode};
use metrics::{Gauge, Label, SharedString, counter, gauge, histogram};
use tokio::time::Instant;

use super::exchange::Exchange;
use super::role::Role;
use crate::error::{CancelCause, Deadline, WireError};
use crate::payload::Payload;

struct Names {
    active: &'static str,
    duration: &'static str,
    connections: &'static str,
    exchanges: &'static str,
    bytes_in: &'static str,
    bytes_out: &'static str,
}

const SERVER: Names = Names {
    active: "http.server.active_requests",
    duration: "http.server.request.duration",
    connections: "http_actors.server.open_connections",
    exchanges: "http_actors.server.exchanges",
    bytes_in: "http_actors.server.bytes_in",
    bytes_out: "http_actors.server.bytes_out",
};

const CLIENT: Names = Names {
    active: "http.client.active_requests",
    duration: "http.client.request.duration",
    connections: "http.client.open_connections",
    exchanges: "http_actors.client.exchanges",
    bytes_in: "http_actors.client.bytes_in",
    bytes_out: "http_actors.client.bytes_out",
};

impl Names {
    fn of(role: Role) -> &'static Self {
        match role {
            Role::Server => &SERVER,
            Role::Client => &CLIENT,
        }
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(super) struct ConnectionGauge(Gauge);

impl ConnectionGauge {
    pub(super) fn open(role: Role) -> Self {
        let open = gauge!(Names::of(role).connections);
        open.increment(1);
        Self(open)
    }
}

impl Drop for ConnectionGauge {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// An exchange in progress.
#[derive(Debug)]
pub(super) struct ExchangeGauge {
    role: Role,
    method: &'static str,
    scheme: &'static str,
    active: Gauge,
    /// A separate time, because the session reads the clock only once a turn, in which a handler may do all of its
    /// work.
    began: Instant,
}

impl ExchangeGauge {
    pub(super) fn begin(role: Role, request: &Payload, secure: bool) -> Self {
        let method = method(request.method());
        let scheme = if secure { "https" } else { "http" };
        let active = gauge!(
            Names::of(role).active,
            "http.request.method" => method,
            "url.scheme" => scheme
        );
        active.increment(1);
        Self {
            role,
            method,
            scheme,
            active,
            began: Instant::now(),
        }
    }

    /// The exchange is over.
    pub(super) fn end(&self, exchange: &Exchange) {
        let names = Names::of(self.role);
        let mut labels = vec![
            Label::from_static_parts("http.request.method", self.method),
            Label::from_static_parts("url.scheme", self.scheme),
        ];
        if let Some(status) = exchange.status {
            labels.push(Label::new("http.response.status_code", text(status)));
        }
        if let Some(error) = error(self.role, exchange) {
            labels.push(Label::new("error.type", error));
        }
        histogram!(names.duration, labels).record(self.began.elapsed());
        counter!(
            names.exchanges,
            "outcome" => exchange.outcome.name(),
            "cause" => exchange.outcome.cause().unwrap_or("none"),
            "status_class" => class(exchange.status)
        )
        .increment(1);
        counter!(names.bytes_in).increment(exchange.head_in + exchange.bytes_in);
        counter!(names.bytes_out).increment(exchange.head_out + exchange.bytes_out);
    }
}

impl Drop for ExchangeGauge {
    fn drop(&mut self) {
        self.active.decrement(1);
    }
}

/// When a message was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp(Instant);

impl Stamp {
    pub(super) fn now() -> Self {
        Self(Instant::now())
    }

    /// A request goes to its handler.
    pub(super) fn delivered(self) {
        histogram!("http_actors.server.queue_time").record(self.0.elapsed());
    }
}

/// A request that was accepted at that time is sent.
pub(super) fn sent(accepted: Instant) {
    histogram!("http_actors.client.queue_time").record(accepted.elapsed());
}

/// Output that was throttled since that time, if it was, no longer is.
pub(super) fn throttled(since: Option<Instant>) {
    if let Some(since) = since {
        histogram!("http_actors.throttled_time").record(since.elapsed());
    }
}

/// A request was refused before it became an exchange.
pub(super) fn refused(error: WireError) {
    let cause = SharedString::from(format!("{error:?}"));
    counter!("http_actors.server.refusals", "cause" => cause).increment(1);
}

/// A request was refused before it became an exchange, because it was late.
pub(super) fn late(deadline: Deadline) {
    let cause = CancelCause::Deadline(deadline).name();
    counter!("http_actors.server.refusals", "cause" => cause).increment(1);
}

/// What went wrong: the cause, or the status.
fn error(role: Role, exchange: &Exchange) -> Option<SharedString> {
    match exchange.outcome.cause() {
        Some(cause) => Some(SharedString::const_str(cause)),
        None => role.error(exchange.status).map(text),
    }
}

fn text(status: StatusCode) -> SharedString {
    status.as_str().to_owned().into()
}

fn class(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16() / 100) {
        None => "none",
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        Some(_) => "other",
    }
}

/// One of a few labels: methods that clients invent must not create new series.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}
