//! A tunnel through a proxy (RFC 9110 section 9.3.6).

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use http::Method;

use super::given;
use crate::error::{CancelCause, FailureReason};
use crate::payload::Payload;
use crate::session::HttpSession;
use crate::session::client::Through;
use crate::session::context::SessionContext;
use crate::session::exchange::{Cancelled, Failure};
use crate::session::handler::HttpHandler;
use crate::session::handoff::NotUpgraded;
use crate::session::message::{Dispose, HandOff};
use crate::session::options::{SessionOptions, Timeouts};
use crate::transport::{ConnectError, Halves, Origin};

/// Asks a proxy for a tunnel to an origin, over an open connection to the proxy. A separate session sends the CONNECT,
/// and hands the connection over.
pub(super) async fn tunnel(
    halves: Halves,
    origin: &Origin,
    through: &Through,
    options: &Arc<SessionOptions>,
) -> Result<Halves, ConnectError> {
    let tls = halves.tls.clone();
    let target = origin
        .with_port()
        .parse()
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut request = Payload::request(Method::CONNECT, target);
    through.authorize(&mut request);
    let options = Arc::new(SessionOptions {
        // The traffic in the tunnel is tapped later, as plain text.
        tap: None,
        // The caller limits the time to connect, and the wait for a proxy is a part of it.
        timeouts: Timeouts {
            head: None,
            response: None,
            exchange: None,
            ..options.timeouts
        },
        ..SessionOptions::clone(options)
    });
    let end = Rc::new(Cell::new(io::ErrorKind::ConnectionAborted));
    let handler = Deaf { end: end.clone() };
    let session = given(halves, String::new(), options, |_| Box::new(handler));
    let asking = Asking(session);
    match asking.0.send(HandOff(request)).await {
        Ok(Ok(tunnel)) => tunnel
            .into_halves(tls)
            // An HTTP or TLS server sends nothing before the client does, so unread bytes are an error.
            .ok_or(ConnectError::Link(io::ErrorKind::InvalidData)),
        Ok(Err(NotUpgraded::Declined(status))) => Err(ConnectError::Tunnel(status)),
        Ok(Err(NotUpgraded::Refused(_) | NotUpgraded::Ended)) | Err(_) => {
            Err(ConnectError::Link(end.get()))
        }
    }
}

/// The session that sends the CONNECT. It is disposed on drop: if there is no tunnel, or nobody waits for it, its
/// connection cannot be used.
struct Asking(Addr<HttpSession>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.do_send(Dispose);
    }
}

/// A handler that ignores what the proxy says: only the hand-off matters, or why there is none.
struct Deaf {
    end: Rc<Cell<io::ErrorKind>>,
}

impl HttpHandler for Deaf {
    fn apply(&mut self, _response: Payload, _session: &mut SessionContext) {}

    fn cancelled(&mut self, cancelled: &Cancelled, _session: &mut SessionContext) {
        if let CancelCause::Deadline(_) = cancelled.cause {
            self.end.set(io::ErrorKind::TimedOut);
        }
    }

    fn failed(&mut self, failure: &Failure, _session: &mut SessionContext) {
        match failure.reason {
            FailureReason::ConnectionClosed(kind) => self.end.set(kind),
            FailureReason::Protocol(_) => self.end.set(io::ErrorKind::InvalidData),
            _ => {}
        }
    }
}
