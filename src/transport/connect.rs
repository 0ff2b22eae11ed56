//! The opening of a client's connection.

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::{Halves, Origin, Route, Scheme, race, split};
use crate::error::{FailureReason, TlsError};

/// Why no connection could be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum ConnectError {
    /// Nobody answers, or the connection broke before it was usable.
    #[error("cannot connect: {0:?}")]
    Link(io::ErrorKind),
    /// Somebody answers, and cannot be trusted or understood.
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
            ConnectError::Tls(error) => Self::AuthFailed(error),
        }
    }
}

/// Opens a connection to an origin by a route, secured if the origin's scheme asks for it.
pub(crate) async fn connect(origin: &Origin, route: &Route) -> Result<Halves, ConnectError> {
    if let Some(path) = route.path() {
        return over(UnixStream::connect(path).await?, origin, route).await;
    }
    let addresses = lookup_host((origin.host(), origin.port())).await?.collect();
    let stream = race::first(race::interleaved(addresses), TcpStream::connect).await?;
    stream.set_nodelay(true)?;
    over(stream, origin, route).await
}

/// The same on a stream that leads to the origin already.
pub(crate) async fn over<T>(io: T, origin: &Origin, route: &Route) -> Result<Halves, ConnectError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let halves = split(io);
    match origin.scheme() {
        Scheme::Http => Ok(halves),
        Scheme::Https => route.connector.connect(halves, origin.host()).await,
    }
}
