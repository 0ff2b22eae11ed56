//! TLS, by rustls.

mod info;
mod stream;

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig};
use tokio::sync::OnceCell;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{ConnectError, Halves};
use crate::error::TlsError;

/// The protocols that are spoken here; a client offers the first.
const ALPN: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// Makes the client's side of TLS, by default with the platform's trusted certificates.
#[derive(Clone, Default)]
pub(super) struct Connector(Option<Arc<ClientConfig>>);

impl Connector {
    pub(super) fn new(mut config: Arc<ClientConfig>) -> Self {
        if config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = vec![ALPN[0].to_vec()];
        }
        Self(Some(config))
    }

    /// Does a TLS handshake over any connection, as with this host.
    pub(super) async fn connect(&self, io: Halves, host: &str) -> Result<Halves, ConnectError> {
        let config = match &self.0 {
            Some(config) => config.clone(),
            None => platform().await?,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::WrongName)?;
        let sni = match &name {
            ServerName::DnsName(name) if config.enable_sni => Some(name.as_ref().to_owned()),
            _ => None,
        };
        let peer = io.peer;
        let connecting = TlsConnector::from(config).connect(name, stream::Joined::new(io));
        let stream = connecting.await.map_err(|error| {
            tracing::debug!(%error, host, "a TLS handshake failed");
            cause(&error)
        })?;
        if !speaks_http1(stream.get_ref().1.alpn_protocol()) {
            return Err(TlsError::OtherProtocol.into());
        }
        let tls = info::of(stream.get_ref().1, sni);
        Ok(stream::split(stream.into(), peer, tls))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Given",
            None => "Platform",
        })
    }
}

/// Makes the server's side of TLS.
#[derive(Debug, Clone)]
pub(crate) struct Acceptor(Arc<ServerConfig>);

impl Acceptor {
    pub(crate) fn new(mut config: Arc<ServerConfig>) -> Self {
        if config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
        }
        Self(config)
    }

    /// Does a TLS handshake.
    pub(crate) async fn accept(&self, io: Halves) -> io::Result<Halves> {
        let peer = io.peer;
        let stream = TlsAcceptor::from(self.0.clone())
            .accept(stream::Joined::new(io))
            .await?;
        let session = stream.get_ref().1;
        if !speaks_http1(session.alpn_protocol()) {
            return Err(io::Error::other(TlsError::OtherProtocol));
        }
        let tls = info::of(session, session.server_name().map(str::to_owned));
        Ok(stream::split(stream.into(), peer, tls))
    }
}

/// A peer that agreed on nothing speaks HTTP/1, as everybody did before ALPN.
fn speaks_http1(alpn: Option<&[u8]>) -> bool {
    alpn.is_none_or(|protocol| ALPN.contains(&protocol))
}

/// The configuration with the platform's trusted certificates, read once. The reading is file I/O.
async fn platform() -> Result<Arc<ClientConfig>, TlsError> {
    static PLATFORM: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
    let read = || async {
        let read = tokio::task::spawn_blocking(read_platform).await;
        read.unwrap_or(Err(TlsError::NoRoots))
    };
    PLATFORM.get_or_try_init(read).await.cloned()
}

fn read_platform() -> Result<Arc<ClientConfig>, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "trusted certificates could not be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "trusted certificates read");
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let provider = provider().ok_or(TlsError::NoProvider)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| TlsError::Other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN[0].to_vec()];
    Ok(Arc::new(config))
}

/// The provider that the program has installed, or else ring. It is named, because rustls would panic in a program that
/// was built with two and has installed none.
fn provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "rustls")]
    let built_in = || Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(feature = "rustls"))]
    let built_in = || None;
    CryptoProvider::get_default().cloned().or_else(built_in)
}

/// The cause of a failed handshake. If nothing was said in TLS, the link failed.
fn cause(error: &io::Error) -> ConnectError {
    let Some(error) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    else {
        return ConnectError::Link(error.kind());
    };
    ConnectError::Tls(match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => TlsError::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsError::WrongName
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsError::Expired,
            _ => TlsError::BadCertificate,
        },
        rustls::Error::NoCertificatesPresented => TlsError::BadCertificate,
        rustls::Error::AlertReceived(_) => TlsError::Refused,
        rustls::Error::InvalidMessage(_) => TlsError::NotTls,
        rustls::Error::NoApplicationProtocol => TlsError::OtherProtocol,
        _ => TlsError::Other,
    })
}

#[cfg(all(test, not(feature = "rustls")))]
mod tests {
    use super::*;

    /// In a program that has installed none, which the other tests of this build do not either.
    #[test]
    fn without_a_provider_there_is_no_tls() {
        assert!(provider().is_none());
        let none = read_platform().err();
        assert!(matches!(
            none,
            Some(TlsError::NoProvider | TlsError::NoRoots)
        ));
    }
}
