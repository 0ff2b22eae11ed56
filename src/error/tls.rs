//! Why there is no secure connection.

use thiserror::Error;

/// What went wrong in a TLS handshake. After that, no request and no plain text is ever sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate is not signed by a trusted issuer.
    #[error("the certificate is not signed by a trusted issuer")]
    UnknownIssuer,
    /// The certificate is for another name, or the host is not one that a certificate can be for.
    #[error("the certificate is not valid for this host")]
    WrongName,
    /// The certificate is not valid any more, or not yet.
    #[error("the certificate is not valid at this time")]
    Expired,
    /// Anything else that is wrong with the certificate.
    #[error("the certificate cannot be used: malformed, revoked, or for another purpose")]
    BadCertificate,
    /// The peer ended the handshake with an alert.
    #[error("the peer refused the handshake, perhaps because of a certificate or a version")]
    Refused,
    /// The peer did not send TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// The peer chose a protocol other than HTTP/1.1.
    #[error("the peer wants a protocol other than HTTP/1.1")]
    OtherProtocol,
    /// The platform has no certificates to verify with.
    #[error("the platform has no trusted certificates: install them, or set `Route::tls`")]
    NoRoots,
    /// The program has installed no crypto provider, and the crate was built without one.
    #[error(
        "no crypto provider: install one (`CryptoProvider::install_default`), or use the feature `rustls`"
    )]
    NoProvider,
    /// The crate was built without its features `rustls` and `rustls-no-provider`.
    #[error("the crate was built without its feature `rustls`")]
    Unsupported,
    /// Anything else: no version or cipher in common, for example.
    #[error("the handshake failed: no version or cipher in common, or the connection ended")]
    Other,
}
