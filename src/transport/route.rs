//! How a client reaches its origin.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::tls::Connector;

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
}

impl Route {
    /// Connects to this address, without a lookup of the origin's host: to test one server of many, for example.
    pub fn address(address: SocketAddr) -> Self {
        Self {
            to: To::Address(address),
            ..Self::default()
        }
    }

    /// Connects through a Unix socket, without a lookup of the origin's host.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self {
            to: To::Path(path.into()),
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
