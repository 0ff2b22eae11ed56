//! How a client reaches its origin.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::tls::Connector;
use super::{Halves, Origin, split};

/// The way to an origin: by default to the addresses of its host, and for `https` with the platform's trusted
/// certificates.
///
/// It changes only how the connection is opened. Host, and the name in the server's certificate, are still those of the
/// origin.
#[derive(Debug, Clone, Default)]
pub struct Route {
    to: To,
    pub(super) connector: Connector,
}

/// Where to connect to.
#[derive(Debug, Clone, Default)]
pub(super) enum To {
    /// The addresses of the origin's host.
    #[default]
    Host,
    Address(SocketAddr),
    Path(PathBuf),
    Open(Open),
}

type Opening = Pin<Box<dyn Future<Output = io::Result<Halves>> + Send>>;

/// A function that opens connections.
#[derive(Clone)]
pub(super) struct Open(Arc<dyn Fn(&Origin) -> Opening + Send + Sync>);

impl Open {
    pub(super) fn open(&self, origin: &Origin) -> Opening {
        self.0(origin)
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Open(..)")
    }
}

impl Route {
    /// Connects to this address, without a lookup of the origin's host: to test one server of many, for example.
    pub fn address(address: SocketAddr) -> Self {
        Self {
            to: To::Address(address),
            ..Self::default()
        }
    }

    /// Connects through a Unix socket, without a lookup of the origin's host. While the backlog of the socket is full,
    /// it waits, as TCP does.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self {
            to: To::Path(path.into()),
            ..Self::default()
        }
    }

    /// Connects by a function of yours: through a tunnel of another protocol, to addresses that you looked up and
    /// checked, or, in a test, to a pipe in memory (see `test_util::route_to`). With a [`Proxy`](crate::Proxy), the
    /// function gets the origin of the proxy.
    ///
    /// TLS is added for `https`. [`Timeouts::connect`](crate::Timeouts::connect) limits this too, and drops the future
    /// when it has passed. The kind of an error is reported, as
    /// [`ConnectFailed`](crate::error::FailureReason::ConnectFailed). Options of a socket are set by the function
    /// itself, those for [`Timeouts::unreachable`](crate::Timeouts::unreachable) among them. A panic in it ends the
    /// session that connects, and cancels its requests ([`Shutdown`](crate::error::CancelCause::Shutdown)). So does one
    /// in a write to the stream; one in a read breaks the connection.
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// use http_actors::{HttpClient, Origin, Route};
    /// use tokio::net::{TcpStream, lookup_host};
    ///
    /// /// A client for URLs that others choose: it reaches nothing that listens for this machine only. What else they
    /// /// must not reach, as private networks, depends on where it runs.
    /// fn careful() -> HttpClient {
    ///     let route = Route::through(|origin: &Origin| {
    ///         let (host, port) = (origin.host().to_owned(), origin.port());
    ///         async move {
    ///             let mut found = lookup_host((host, port)).await?.filter(|address| {
    ///                 // `[::ffff:127.0.0.1]` is 127.0.0.1, and 0.0.0.0 leads there too.
    ///                 let ip = address.ip().to_canonical();
    ///                 !ip.is_loopback() && !ip.is_unspecified()
    ///             });
    ///             TcpStream::connect(found.next().ok_or(ErrorKind::PermissionDenied)?).await
    ///         }
    ///     });
    ///     HttpClient::builder().route(route).build()
    /// }
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// #     use http_actors::{ClientErrorKind, Payload};
    /// #     use http_actors::error::FailureReason;
    /// #     for host in ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]"] {
    /// #         let error = careful().request(Payload::get(format!("http://{host}:1/"))?).await.unwrap_err();
    /// #         let refused = FailureReason::ConnectFailed(ErrorKind::PermissionDenied);
    /// #         assert!(matches!(error.kind(), ClientErrorKind::Failed(reason) if *reason == refused), "{host}");
    /// #     }
    /// #     Ok(())
    /// # }
    /// ```
    pub fn through<F, T>(open: impl Fn(&Origin) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let open = move |origin: &Origin| -> Opening {
            let opening = open(origin);
            Box::pin(async move { opening.await.map(split) })
        };
        Self {
            to: To::Open(Open(Arc::new(open))),
            ..Self::default()
        }
    }

    /// Sets a TLS configuration of your own for `https`: other trusted certificates, a client certificate, or a weaker
    /// verification, which you have to write yourself. If the configuration names no protocol, `http/1.1` is offered by
    /// ALPN.
    #[cfg(feature = "rustls-no-provider")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    #[must_use]
    pub fn tls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.connector = Connector::new(config);
        self
    }

    pub(super) fn to(&self) -> &To {
        &self.to
    }
}
