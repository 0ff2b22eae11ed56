//! Where a client connects to.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use http::Uri;

use super::Scheme;
use crate::error::UseError;

/// The server end of a client session: scheme, host and port (RFC 9110 section 4.3.1).
///
/// ```
/// use http_actors::Origin;
///
/// let origin = Origin::try_from("http://127.0.0.1:8080/ignored")?;
/// assert_eq!(origin.to_string(), "http://127.0.0.1:8080");
/// assert_eq!(Origin::try_from("https://example.test/")?.port(), 443);
/// assert_eq!(Origin::try_from("http://[::1]")?.host(), "::1");
/// assert!(Origin::try_from("gopher://example.test/").is_err());
/// assert!(Origin::try_from("http://example.test:65536/").is_err());
/// # Ok::<(), http_actors::error::UseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    /// The value of the Host field: without the port if that is the default of the scheme (P53).
    authority: String,
    /// Where the host is in it.
    host: Range<usize>,
    port: u16,
}

impl Origin {
    /// The scheme, which decides about TLS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host. An IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        self.authority.get(self.host.clone()).unwrap_or_default()
    }

    /// The port. If the URL names none, the default of the scheme.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port, even if the port is the default: the target of CONNECT.
    pub(crate) fn with_port(&self) -> String {
        if self.port == self.scheme.default_port() {
            format!("{}:{}", self.authority, self.port)
        } else {
            self.authority.clone()
        }
    }

    /// The value of the Host field.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The same target as a whole URL of this origin.
    pub(crate) fn at(&self, target: &Uri) -> Uri {
        let path = target.path_and_query().map_or("/", |path| path.as_str());
        Uri::builder()
            .scheme(self.scheme.as_str())
            .authority(self.authority())
            .path_and_query(path)
            .build()
            .unwrap_or_else(|_| target.clone())
    }

    /// Whether a request target belongs to this origin. One without an authority does.
    pub(crate) fn owns(&self, uri: &Uri) -> bool {
        uri.authority().is_none()
            || self.begins(uri)
            || parts(uri).is_ok_and(|(scheme, host, port)| {
                scheme == self.scheme && port == self.port && host.eq_ignore_ascii_case(self.host())
            })
    }

    /// Whether a URL is one of this origin, written in the same way. A quick look, before the URL is
    /// taken apart.
    pub(crate) fn begins(&self, uri: &Uri) -> bool {
        uri.scheme_str() == Some(self.scheme.as_str())
            && uri
                .authority()
                .is_some_and(|text| text.as_str() == self.authority)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

/// The origin of a URL. Path and query do not matter.
impl TryFrom<&Uri> for Origin {
    type Error = UseError;

    fn try_from(uri: &Uri) -> Result<Self, UseError> {
        let (scheme, host, port) = parts(uri)?;
        let bracketed = host.contains(':');
        let start = usize::from(bracketed);
        // Brackets, a colon and five digits.
        let mut authority = String::with_capacity(host.len() + 8);
        authority.push_str(if bracketed { "[" } else { "" });
        authority.push_str(host);
        authority.push_str(if bracketed { "]" } else { "" });
        authority.make_ascii_lowercase();
        if port != scheme.default_port() {
            authority.push(':');
            authority.push_str(itoa::Buffer::new().format(port));
        }
        Ok(Self {
            scheme,
            authority,
            host: start..start + host.len(),
            port,
        })
    }
}

/// Scheme, host and port of a URL, the host as it is written.
fn parts(uri: &Uri) -> Result<(Scheme, &str, u16), UseError> {
    let scheme = uri.scheme_str().ok_or(UseError::NotAbsolute)?;
    let scheme = Scheme::of(scheme).ok_or(UseError::UnsupportedScheme)?;
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let authority = authority.ok_or(UseError::NotAbsolute)?;
    if authority.as_bytes().contains(&b'@') {
        return Err(UseError::UserInfo);
    }
    let (host, port) = match authority.rsplit_once(':') {
        // A colon inside the brackets of an IPv6 address does not begin a port.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    let port = match port {
        "" => scheme.default_port(),
        digits => digits.parse().map_err(|_| UseError::InvalidUrl)?,
    };
    if host.is_empty() {
        return Err(UseError::NotAbsolute);
    }
    Ok((scheme, host, port))
}

/// The origin of a URL. Path and query do not matter.
impl TryFrom<Uri> for Origin {
    type Error = UseError;

    fn try_from(uri: Uri) -> Result<Self, UseError> {
        Self::try_from(&uri)
    }
}

/// The origin of a URL. Path and query do not matter.
impl TryFrom<&str> for Origin {
    type Error = UseError;

    fn try_from(url: &str) -> Result<Self, UseError> {
        url.parse()
    }
}

/// The origin of a URL. Path and query do not matter.
impl FromStr for Origin {
    type Err = UseError;

    fn from_str(url: &str) -> Result<Self, UseError> {
        Self::try_from(&url.parse::<Uri>().map_err(|_| UseError::InvalidUrl)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P53, P91: the parts of an origin, and which URLs belong to it.
    #[test]
    fn schemes_and_ports() {
        for (url, display, authority) in [
            ("http://A.test", "http://a.test", "a.test"),
            ("http://a.test:443", "http://a.test:443", "a.test:443"),
            ("HTTPS://a.test:443/x", "https://a.test", "a.test"),
            ("https://a.test:80", "https://a.test:80", "a.test:80"),
            ("https://[::1]:444", "https://[::1]:444", "[::1]:444"),
        ] {
            let origin = Origin::try_from(url).expect("a URL");
            assert_eq!(
                (origin.to_string().as_str(), origin.authority()),
                (display, authority)
            );
            for (other, owned) in [
                (url, true),
                ("/x", true),
                ("http://a.test:81", false),
                ("https://b.test", false),
            ] {
                let uri = other.parse().expect("a URI");
                assert_eq!(origin.owns(&uri), owned, "{url} {other}");
            }
            // The quick look never says yes wrongly, and may say no wrongly.
            let uri = display.parse().expect("a URI");
            assert!(origin.begins(&uri) && origin.owns(&uri), "{display}");
            let user = display.replace("://", "://user@");
            assert!(!origin.owns(&user.parse().expect("a URI")), "{user}");
        }
        let [plain, secure] =
            ["http://a.test", "https://a.test:80"].map(|url| Origin::try_from(url).expect("a URL"));
        assert_ne!(plain, secure);
    }
}
