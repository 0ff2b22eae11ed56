//! An offer to change the protocol, and what became of it.

use std::io;
use std::sync::Arc;

use actix::Addr;
use http::uri::Scheme;
use http::{Method, Uri};

use super::alarm::Alarm;
use super::ask::offer;
use super::error::{ClientError, ClientErrorKind};
use super::pool::Lease;
use crate::error::{FailureReason, UseError};
use crate::payload::Payload;
use crate::session::{HttpSession, Incoming, NotUpgraded, Upgraded, Way};

/// What a server answered to an offer to change the protocol: see [`HttpClient::upgrade`](crate::HttpClient::upgrade).
#[derive(Debug)]
pub enum Answered {
    /// It switched. The head, a 101 or a 2xx to CONNECT, and the connection.
    Switched(Payload, Upgraded),
    /// It did not, and answered in HTTP. The head, and the body as a stream.
    Declined(Payload, Incoming),
}

/// The URL of HTTP that the one of a WebSocket stands for (RFC 6455 section 3). `None` for any other URL.
pub(super) fn of_http(url: &Uri) -> Option<Uri> {
    let scheme = match url.scheme_str()? {
        name if name.eq_ignore_ascii_case("ws") => Scheme::HTTP,
        name if name.eq_ignore_ascii_case("wss") => Scheme::HTTPS,
        _ => return None,
    };
    let mut url = url.clone().into_parts();
    url.scheme = Some(scheme);
    Uri::from_parts(url).ok()
}

/// The URL of the server behind the tunnel that a CONNECT asks for, which has a port (RFC 9110 section 9.3.6).
pub(super) fn behind(target: &Uri) -> Result<Uri, UseError> {
    let authority = target.authority();
    let authority = authority.filter(|authority| authority.port_u16().is_some());
    let authority = authority.ok_or(UseError::InvalidUrl)?.clone();
    let url = Uri::builder().scheme("https").authority(authority);
    url.path_and_query("/")
        .build()
        .map_err(|_| UseError::InvalidUrl)
}

/// The lease for an offer by this method. Its connection may lead elsewhere than those of the pool, and is not kept.
pub(super) fn apart(lease: Lease, method: &Method) -> Lease {
    let way = lease.host.way.clone();
    let way = match &way.through {
        // Straight to the proxy, which gets its credentials.
        Some(through) if method == Method::CONNECT => Way {
            origin: through.proxy.clone(),
            tunnel: false,
            ..way
        },
        _ => Way {
            tunnel: true,
            ..way
        },
    };
    lease.apart(way)
}

/// Sends an offer, and waits for the answer, and for the connection if it is the switch.
pub(super) async fn upgrade(
    session: Arc<Addr<HttpSession>>,
    lease: Lease,
    request: Payload,
    alarm: &mut Alarm,
) -> Result<Answered, ClientError> {
    let (pending, upgrade) = offer(session, lease, request, alarm);
    let reply = pending.await?;
    // It is decided when the head is there: this waits for the other actor of the connection at most.
    match upgrade.await {
        Ok(connection) => Ok(Answered::Switched(reply.head, connection)),
        Err(NotUpgraded::Declined(_)) => {
            let (head, body) = reply.parts();
            Ok(Answered::Declined(head, body))
        }
        Err(NotUpgraded::Refused(_) | NotUpgraded::Ended) => {
            let reason = FailureReason::ConnectionClosed(io::ErrorKind::ConnectionAborted);
            Err(ClientError::new(ClientErrorKind::Failed(reason)))
        }
    }
}
