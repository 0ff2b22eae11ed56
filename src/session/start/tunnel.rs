//! A tunnel through a proxy (RFC 9110 section 9.3.6).

use std::io;
use std::sync::Arc;

use actix::Addr;
use http::Method;

use super::given;
use crate::payload::Payload;
use crate::session::HttpSession;
use crate::session::client::Through;
use crate::session::context::SessionContext;
use crate::session::handler::HttpHandler;
use crate::session::handoff::NotUpgraded;
use crate::session::message::{Dispose, HandOff};
use crate::session::options::SessionOptions;
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
    let options = match options.tap {
        None => options.clone(),
        // The traffic in the tunnel is tapped later, as plain text.
        Some(_) => Arc::new(SessionOptions {
            tap: None,
            ..SessionOptions::clone(options)
        }),
    };
    let session = given(halves, String::new(), options, |_| Box::new(Deaf));
    let asking = Asking(session);
    match asking.0.send(HandOff(request)).await {
        Ok(Ok(tunnel)) => tunnel
            .into_halves(tls)
            // An HTTP or TLS server sends nothing before the client does, so unread bytes are an error.
            .ok_or(ConnectError::Link(io::ErrorKind::InvalidData)),
        Ok(Err(NotUpgraded::Declined(status))) => Err(ConnectError::Tunnel(status)),
        Ok(Err(NotUpgraded::Refused(_) | NotUpgraded::Ended)) | Err(_) => {
            Err(ConnectError::Link(io::ErrorKind::ConnectionAborted))
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

/// A handler that ignores everything: only the hand-off matters.
struct Deaf;

impl HttpHandler for Deaf {
    fn apply(&mut self, _response: Payload, _session: &mut SessionContext) {}
}
