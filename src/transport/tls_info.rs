//! What was agreed in a TLS handshake.

use bytes::Bytes;

/// The TLS side of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The protocol version, for example `TLSv1.3`.
    pub version: &'static str,
    /// The IANA name of the cipher suite, for example `TLS_AES_256_GCM_SHA384`.
    pub cipher_suite: String,
    /// The host that the client named (SNI). `None` if it named none, as for IP addresses.
    pub sni: Option<String>,
    /// The protocol that was agreed on by ALPN.
    pub alpn: Option<String>,
    /// The certificates that the peer sent, in DER, its own first. A client sends them only if the server asked for
    /// them.
    pub peer_certificates: Vec<Bytes>,
}
