//! Where a client connects to.

use std::fmt;
use std::io;

use http::Uri;
use tokio::net::TcpStream;

use super::{Halves, split};
use crate::error::UseError;

/// The server end of a client session: scheme, host and port (RFC 9110 section 4.3.1).
///
/// ```
/// use http_actors::Origin;
///
/// let origin = Origin::try_from("http://127.0.0.1:8080/ignored")?;
/// assert_eq!(origin.to_string(), "http://127.0.0.1:8080");
/// assert!(Origin::try_from("gopher://example.test/").is_err());
/// # Ok::<(), http_actors::UseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    host: String,
    port: u16,
}

impl Origin {
    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; the scheme's own if the URL names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What stands in the Host field: without the port if that is the scheme's own (P53).
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == 80 {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Opens a connection to the first of its addresses that answers.
    pub(crate) async fn connect(self) -> io::Result<Halves> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(split(stream))
    }

    /// Whether a request target belongs to this origin: one without an authority does.
    pub(crate) fn owns(&self, uri: &Uri) -> bool {
        uri.authority().is_none() || Self::try_from(uri).is_ok_and(|other| other == *self)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

/// The origin of a URL. Path and query do not matter.
impl TryFrom<&Uri> for Origin {
    type Error = UseError;

    fn try_from(uri: &Uri) -> Result<Self, UseError> {
        let http = uri
            .scheme_str()
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
        let authority = uri
            .authority()
            .filter(|authority| http && !authority.as_str().contains('@'));
        let authority = authority.ok_or(UseError::InvalidUrl)?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        if host.is_empty() {
            return Err(UseError::InvalidUrl);
        }
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(80),
        })
    }
}

impl TryFrom<&str> for Origin {
    type Error = UseError;

    fn try_from(url: &str) -> Result<Self, UseError> {
        Self::try_from(&url.parse::<Uri>().map_err(|_| UseError::InvalidUrl)?)
    }
}
