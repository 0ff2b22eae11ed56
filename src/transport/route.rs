//! How a client gets to its origin.

use std::path::{Path, PathBuf};

use super::tls::Connector;

/// The way to an origin: by default to the addresses of its host, and for `https` with the platform's trusted
/// certificates.
///
/// It changes how the connection is opened and nothing about the requests: Host, and the name in the server's
/// certificate, are those of the origin.
#[derive(Debug, Clone, Default)]
pub struct Route {
    path: Option<PathBuf>,
    pub(super) connector: Connector,
}

impl Route {
    /// Through a Unix socket. Host and port of the origin are not connected to.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
            ..Self::default()
        }
    }

    /// With a TLS configuration of your own for `https`: other trusted certificates, a certificate of the client, or a
    /// verification that is weaker, which is for you to write. `http/1.1` is offered by ALPN if the configuration names
    /// no protocol.
    #[cfg(feature = "rustls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    #[must_use]
    pub fn tls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.connector = Connector::new(config);
        self
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}
