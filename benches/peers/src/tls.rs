//! The flags `--cert FILE --key FILE`, with rustls as `workload` has it.

use std::error::Error;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::load::flag;

/// The configuration, if there are the flags.
pub fn config() -> Result<Option<Arc<ServerConfig>>, Box<dyn Error>> {
    let (Some(cert), Some(key)) = (flag("--cert"), flag("--key")) else {
        return Ok(None);
    };
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Some(Arc::new(config)))
}
