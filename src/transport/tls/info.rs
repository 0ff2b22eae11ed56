//! What a handshake agreed on, in our own types.

use std::sync::Arc;

use bytes::Bytes;
use rustls::{CommonState, ProtocolVersion};

use crate::transport::TlsInfo;

pub(super) fn of(session: &CommonState, sni: Option<String>) -> Arc<TlsInfo> {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "unknown",
    };
    let suite = session
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str())
        .unwrap_or("unknown");
    let certificates = session.peer_certificates().unwrap_or_default();
    Arc::new(TlsInfo {
        version,
        // rustls puts the version into the names of TLS 1.3.
        cipher_suite: suite.replacen("TLS13_", "TLS_", 1),
        sni,
        alpn: session
            .alpn_protocol()
            .map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
        peer_certificates: certificates
            .iter()
            .map(|certificate| Bytes::copy_from_slice(certificate))
            .collect(),
    })
}
