//! Proxies: which one to use for which servers, with which credentials.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::error::UseError;
use crate::payload::basic_value;
use crate::session::Through;
use crate::transport::{Origin, Scheme};

/// The proxy that a client uses, and the servers that it reaches directly.
///
/// A proxy is given by its URL, in which `http://` may be omitted. The client speaks TLS with a proxy whose URL begins
/// with `https://`, and verifies its certificate. A user and password in the URL become `Proxy-Authorization: Basic`,
/// which is sent to the proxy only.
///
/// ```
/// use http_actors::Proxy;
///
/// let proxy = Proxy::http("http://user:secret@127.0.0.1:3128")?.except("localhost, .example.test");
/// # Ok::<(), http_actors::error::UseError>(())
/// ```
#[derive(Clone, Default)]
pub struct Proxy {
    http: Option<Through>,
    https: Option<Through>,
    except: Vec<Exempt>,
}

/// Servers that are reached without the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exempt {
    All,
    /// A host and its subdomains, on this port or any. The dot that ends a name from the root of the DNS is ignored.
    Host(String, Option<u16>),
    /// The addresses that begin with this many bits of this one.
    Network(IpAddr, u32, Option<u16>),
}

impl Proxy {
    /// A proxy for `http` URLs. Requests to it have absolute URLs (RFC 9112 section 3.2.2).
    ///
    /// # Errors
    /// [`UseError`] if the URL is malformed, or its scheme is neither `http` nor `https`.
    pub fn http(url: &str) -> Result<Self, UseError> {
        Ok(Self {
            http: Some(through(url)?),
            ..Self::default()
        })
    }

    /// A proxy for all URLs.
    ///
    /// # Errors
    /// As [`http`](Self::http).
    pub fn all(url: &str) -> Result<Self, UseError> {
        let through = through(url)?;
        Ok(Self {
            http: Some(through.clone()),
            https: Some(through),
            ..Self::default()
        })
    }

    /// The proxy that the environment names: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, or the same in
    /// capitals.
    ///
    /// `HTTP_PROXY` is ignored if `REQUEST_METHOD` is set: in a CGI program it holds a header field of the request.
    ///
    /// # Errors
    /// As [`http`](Self::http).
    pub fn from_env() -> Result<Self, UseError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Like [`from_env`](Self::from_env), from any source of variables.
    ///
    /// # Errors
    /// As [`http`](Self::http).
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, UseError> {
        let variable = |small: &str| {
            let capitals = || {
                let cgi = small == "http_proxy" && lookup("REQUEST_METHOD").is_some();
                (!cgi)
                    .then(|| lookup(&small.to_ascii_uppercase()))
                    .flatten()
            };
            lookup(small)
                .or_else(capitals)
                .filter(|value| !value.is_empty())
        };
        let all = variable("all_proxy");
        let one = |small: &str| {
            let url = variable(small).or_else(|| all.clone());
            url.map(|url| through(&url)).transpose()
        };
        let proxy = Self {
            http: one("http_proxy")?,
            https: one("https_proxy")?,
            except: Vec::new(),
        };
        Ok(proxy.except(&variable("no_proxy").unwrap_or_default()))
    }

    /// Lists servers that are reached without the proxy: host names, addresses and networks, separated by commas. A name
    /// includes its subdomains, with or without a leading dot; `10.0.0.0/8` covers the URLs with an address in that
    /// network, and no name is looked up for it; `name:port` covers only that port; `*` covers everything.
    #[must_use]
    pub fn except(mut self, list: &str) -> Self {
        let members = list.split(',').map(str::trim);
        self.except
            .extend(members.filter(|member| !member.is_empty()).map(exempt));
        self
    }

    /// The proxy for this origin.
    pub(super) fn of(&self, origin: &Origin) -> Option<&Through> {
        let through = match origin.scheme() {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
        };
        let exempt = self.except.iter().any(|exempt| exempt.covers(origin));
        through.as_ref().filter(|_| !exempt)
    }
}

impl Exempt {
    fn covers(&self, origin: &Origin) -> bool {
        let host = origin.host().trim_end_matches('.');
        let (covered, port) = match self {
            Self::All => return true,
            Self::Host(name, port) => {
                let below = host
                    .strip_suffix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                // The last bytes of an address are no domain above it.
                (below && address(host).is_none(), port)
            }
            Self::Network(network, bits, port) => {
                let same = address(host).and_then(|host| common_bits(host, *network));
                (same.is_some_and(|same| same >= *bits), port)
            }
        };
        covered && port.is_none_or(|port| port == origin.port())
    }
}

/// An address. One of IPv4 that is written in IPv6 is the same.
fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

/// How many bits two addresses of one family have in common at the beginning.
fn common_bits(one: IpAddr, other: IpAddr) -> Option<u32> {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            Some((u32::from(one) ^ u32::from(other)).leading_zeros())
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            Some((u128::from(one) ^ u128::from(other)).leading_zeros())
        }
        _ => None,
    }
}

/// An address, or a network: an address and how many of its bits count.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (text, bits) = match text.split_once('/') {
        Some((text, bits)) => (text, Some(bits.parse().ok()?)),
        None => (text, None),
    };
    let address = address(text)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some((address, bits))
}

fn exempt(member: &str) -> Exempt {
    if member == "*" {
        return Exempt::All;
    }
    let (name, port) = match member.rsplit_once(':') {
        // With more than one colon this is an IPv6 address without brackets, which has no port.
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            // Not a port, so this entry matches no server.
            Err(_) => (member, None),
        },
        _ => (member, None),
    };
    let name = name.trim_start_matches('*').trim_matches('.');
    let name = name.trim_start_matches('[').trim_end_matches(']');
    match network(name) {
        Some((address, bits)) => Exempt::Network(address, bits, port),
        None => Exempt::Host(name.to_ascii_lowercase(), port),
    }
}

fn through(url: &str) -> Result<Through, UseError> {
    let whole = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let mut url = Url::parse(&whole).map_err(|_| UseError::InvalidUrl)?;
    let decoded = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| UseError::InvalidUrl)
    };
    let authorization = if url.username().is_empty() && url.password().is_none() {
        None
    } else {
        let password = decoded(url.password().unwrap_or_default())?;
        let value = basic_value(&decoded(url.username())?, &password);
        Some(value.ok_or(UseError::InvalidUrl)?)
    };
    // Both fail only for a URL that cannot have user information.
    let _ = (url.set_username(""), url.set_password(None));
    Ok(Through {
        proxy: Origin::try_from(url.as_str())?,
        authorization,
    })
}

/// Omits the credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |through: &Option<Through>| Some(through.as_ref()?.proxy.to_string());
        f.debug_struct("Proxy")
            .field("http", &name(&self.http))
            .field("https", &name(&self.https))
            .field("except", &self.except)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );

    /// The environment, the URL that is requested, and the expected proxy with its credentials.
    #[test]
    fn the_environment() {
        let told = |variables: &[(&str, &str)], origin: &str| {
            let lookup = |name: &str| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let proxy = Proxy::from_lookup(lookup).expect("urls");
            let origin = Origin::try_from(origin).expect("an origin");
            proxy.of(&origin).map_or("none".to_owned(), |through| {
                let authorization = through.authorization.as_deref().unwrap_or_default();
                let text = format!("{} {authorization}", through.proxy);
                text.trim_end().to_owned()
            })
        };
        let a = "http://a.test/";
        #[rustfmt::skip]
        let rows: &[Row] = &[
            (&[], a, "none"),
            (&[("http_proxy", "")], a, "none"),
            (&[("http_proxy", "p.test:3128")], a, "http://p.test:3128"),
            (&[("HTTP_PROXY", "http://p.test")], a, "http://p.test"),
            (&[("HTTP_PROXY", "http://p.test"), ("REQUEST_METHOD", "GET")], a, "none"),
            (&[("http_proxy", "http://p.test"), ("REQUEST_METHOD", "GET")], a, "http://p.test"),
            (&[("https_proxy", "http://p.test")], a, "none"),
            (&[("ALL_PROXY", "http://p.test")], a, "http://p.test"),
            (&[("ALL_PROXY", "http://p.test"), ("http_proxy", "http://q.test")], a, "http://q.test"),
            (&[("http_proxy", "http://u:p%40x@p.test")], a, "http://p.test Basic dTpwQHg="),
            (&[("http_proxy", "p"), ("NO_PROXY", "*")], a, "none"),
            (&[("http_proxy", "p"), ("NO_PROXY", "a.test")], a, "none"),
            (&[("http_proxy", "p"), ("no_proxy", "x, .TEST")], a, "none"),
            (&[("http_proxy", "p"), ("no_proxy", "*.test")], a, "none"),
            (&[("http_proxy", "p"), ("no_proxy", "a.test:80")], a, "none"),
            (&[("http_proxy", "p"), ("no_proxy", "a.test:81")], a, "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "est")], a, "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "[::1]:8080")], "http://[::1]:8080/", "none"),
            (&[("http_proxy", "p"), ("no_proxy", "a.test:99999,a.test:x")], a, "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "test")], "http://a.test./", "none"),
            (&[("http_proxy", "p"), ("no_proxy", "a.test.")], a, "none"),
            (&[("http_proxy", "p"), ("no_proxy", ".")], a, "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", ".")], "http://a.test./", "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "::1")], "http://[::1]:8080/", "none"),
            (&[("http_proxy", "p"), ("no_proxy", "0:0::0:1")], "http://[::1]:8080/", "none"),
            (&[("http_proxy", "p"), ("no_proxy", "a.test, 10.0.0.0/8")], "http://10.1.2.3/", "none"),
            (&[("http_proxy", "p"), ("no_proxy", "10.0.0.0/8")], "http://11.1.2.3/", "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "10.0.0.0/8")], "http://[::ffff:10.1.2.3]/", "none"),
            (&[("http_proxy", "p"), ("no_proxy", "10.0.0.0/8")], "http://[a00::1]/", "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "10.0.0.0/8:81")], "http://10.1.2.3/", "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "10.0.0.0/8:81")], "http://10.1.2.3:81/", "none"),
            (&[("http_proxy", "p"), ("no_proxy", "10.0.0.0/33,10.0.0.0/x")], "http://10.0.0.0/", "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "0.0.0.0/0")], "http://10.1.2.3/", "none"),
            (&[("http_proxy", "p"), ("no_proxy", "0.0.0.0/0")], a, "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "fd00::/8")], "http://[fd12::1]/", "none"),
            (&[("http_proxy", "p"), ("no_proxy", "fd00::/8")], "http://[fe80::1]/", "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "0.0.1")], "http://127.0.0.1/", "http://p"),
            (&[("http_proxy", "p"), ("no_proxy", "127.0.0.1")], "http://127.0.0.1:81/", "none"),
        ];
        for (variables, origin, expected) in rows {
            assert_eq!(told(variables, origin), *expected, "{variables:?}");
        }
        let https = [
            ("https_proxy", "http://s.test"),
            ("http_proxy", "http://p.test"),
        ];
        assert_eq!(told(&https, "https://a.test/"), "http://s.test");
    }

    #[test]
    fn what_is_no_proxy() {
        for (url, mistake) in [
            ("", UseError::InvalidUrl),
            ("http://", UseError::InvalidUrl),
            ("http://us%00er@p.test", UseError::InvalidUrl),
            ("ftp://p.test", UseError::UnsupportedScheme),
            ("socks5://p.test", UseError::UnsupportedScheme),
        ] {
            assert_eq!(Proxy::http(url).err(), Some(mistake), "{url}");
        }
        let proxy = Proxy::http("http://user:secret@p.test").expect("a url");
        assert!(!format!("{proxy:?}").contains("secret"));
    }
}
