//! How a client reaches its origin.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::tcp::set_keepalive;
use super::tls::Connector;

/// The way to an origin: by default to the addresses of its host, and for `https` with the platform's trusted
/// certificates.
///
/// It changes only how the connection is opened. Host, and the name in the server's certificate, are still those of the
/// origin.
#[derive(Debug, Clone, Default)]
pub struct Route {
    to: To,
    keepalive: Option<Duration>,
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

    /// Sets TCP keep-alive: a connection that was silent for this long is probed (P89). Off by default. Linux
    /// counts whole seconds, from 1 to 32,767: any other time is rounded up, or becomes the nearest of these.
    #[must_use]
    pub fn keepalive(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.keepalive = after.into();
        self
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

    /// Applies the options to a TCP connection.
    pub(super) fn tune(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        if let Some(after) = self.keepalive {
            set_keepalive(&SockRef::from(stream), after)?;
        }
        Ok(())
    }

    pub(super) fn to(&self) -> &To {
        &self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P89: keep-alive is set where it was asked for, and nowhere else.
    #[tokio::test]
    async fn p89_keepalive() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        Route::default().tune(&stream).unwrap();
        assert!(!SockRef::from(&stream).keepalive().unwrap());
        for (after, seconds) in [
            (Duration::from_secs(42), 42),
            (Duration::from_millis(1500), 2),
            (Duration::ZERO, 1),
            (Duration::MAX, 32_767),
        ] {
            Route::default().keepalive(after).tune(&stream).unwrap();
            let socket = SockRef::from(&stream);
            assert!(socket.keepalive().unwrap());
            let set = socket.tcp_keepalive_time().unwrap();
            assert_eq!(set, Duration::from_secs(seconds));
        }
    }
}
