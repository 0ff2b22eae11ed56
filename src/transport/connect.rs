//! Opening a client's connection.

use std::io;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use socket2::SockRef;
use thiserror::Error;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::sleep;

use super::route::To;
use super::{Halves, Origin, Patience, Route, Scheme, race, split};
use crate::error::{FailureReason, TlsError};

/// The pause between two attempts to connect to a Unix socket whose backlog is full.
const RETRY: Duration = Duration::from_millis(10);

/// Why no connection could be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum ConnectError {
    /// No peer answers, or the connection broke before it was usable.
    #[error("cannot connect: {0}")]
    Link(io::ErrorKind),
    /// A proxy refused to open the tunnel.
    #[error("the proxy answered {0} instead of making a tunnel")]
    Tunnel(StatusCode),
    /// The TLS handshake failed.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Link(error.kind())
    }
}

impl From<ConnectError> for FailureReason {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Link(kind) => Self::ConnectFailed(kind),
            ConnectError::Tunnel(status) => Self::NoTunnel(status),
            ConnectError::Tls(error) => Self::AuthFailed(error),
        }
    }
}

/// Opens a connection to an origin by a route, with TLS if the scheme of the origin is `https`.
pub(crate) async fn connect(
    origin: &Origin,
    route: &Route,
    patience: Option<Patience>,
) -> Result<Halves, ConnectError> {
    let stream = match route.to() {
        To::Path(path) => {
            let stream = connect_unix(path).await?;
            return secure(split(stream), origin, route).await;
        }
        To::Open(open) => return secure(open.open(origin).await?, origin, route).await,
        To::Address(address) => TcpStream::connect(address).await?,
        To::Host => {
            let found = lookup_host((origin.host(), origin.port())).await;
            // Only the error kind is reported, and the kind of a failed lookup is not specific.
            let addresses = found.map_err(|_| ConnectError::Link(io::ErrorKind::NotFound))?;
            race::first(race::interleaved(addresses.collect()), TcpStream::connect).await?
        }
    };
    stream.set_nodelay(true)?;
    if let Some(patience) = patience {
        patience.apply(&SockRef::from(&stream))?;
    }
    secure(split(stream), origin, route).await
}

/// Connects to a Unix socket. While its backlog is full, Linux refuses at once where TCP would wait, so the waiting is
/// done here. The caller limits it.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(RETRY).await,
            connected => return connected,
        }
    }
}

/// Adds TLS to a connection to the origin, if the scheme of the origin is `https`.
pub(crate) async fn secure(
    halves: Halves,
    origin: &Origin,
    route: &Route,
) -> Result<Halves, ConnectError> {
    match origin.scheme() {
        Scheme::Http => Ok(halves),
        Scheme::Https => route.connector.connect(halves, origin.host()).await,
    }
}
