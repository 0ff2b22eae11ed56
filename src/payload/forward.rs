//! Forwarding a message through an intermediary (RFC 9110 section 7.6).

use http::{Method, Uri};

use super::{Known, Names, Payload, TransferMode, allows_body, members};

/// Fields about one connection, besides Connection and what it names (RFC 9110 section 7.6.1), and those by which a
/// client and this intermediary authenticate each other (section 11.7). Transfer-Encoding is one of them: the next
/// connection frames the body by the mode of the payload.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

impl Payload {
    /// Returns the message as an intermediary passes it on (RFC 9110 section 7.6).
    ///
    /// This is another message, with the same method or status, the end-to-end fields in their order, and a body of the
    /// same mode, which is shared if it is inside. An answer to HEAD without a length still has none. Fields that
    /// authenticate the client to this intermediary are left out. If you send the message to another proxy, set
    /// `Proxy-Authorization` again.
    ///
    /// The target of a request becomes path and query, so an OPTIONS of `http://host` becomes one of `/`, not of `*`.
    /// Host is left out, and the session that sends the request adds its own. An [`HttpClient`](crate::HttpClient)
    /// needs a whole URL: set it by [`with_uri`](Self::with_uri). Add Via yourself, because only you know the name of
    /// the intermediary.
    ///
    /// ```
    /// use http_actors::{Payload, TransferMode};
    ///
    /// let received = Payload::get("http://a.test/x?y")?
    ///     .header("Connection", "close, X-Hop")
    ///     .header("X-Hop", "1")
    ///     .header("X-End", "2")
    ///     .chunked();
    /// let forward = received.forward().header("Via", "1.1 gateway");
    /// assert_eq!(forward.uri(), "/x?y");
    /// assert_eq!(forward.headers().len(), 2);
    /// assert_eq!(forward.headers().text("X-End"), Some("2"));
    /// assert_eq!(forward.mode(), TransferMode::Chunked);
    /// let elsewhere = received.forward().with_uri("http://b.test/x?y".parse().expect("a URL"));
    /// assert_eq!(elsewhere.uri().host(), Some("b.test"));
    /// # Ok::<(), http_actors::error::UseError>(())
    /// ```
    #[must_use]
    pub fn forward(&self) -> Self {
        let mut forward = match self.status() {
            Some(status) => Self::response(status),
            None => Self::request(self.method().clone(), target(self.uri())),
        };
        let named = self.named_by_connection();
        for (name, value) in self.headers().iter() {
            let host = self.is_request() && name.eq_ignore_ascii_case("host");
            if !host && !is_hop_by_hop(name.as_bytes()) && !named.contains(name.as_bytes()) {
                forward = forward.header(name, value);
            }
        }
        match self.mode() {
            // An answer to HEAD without a length does not mean an empty body; its length may have been left out.
            _ if self.answers_head() && !has_length(&forward) => forward.chunked(),
            TransferMode::Oneshot => forward.body(self.body_bytes().clone()),
            TransferMode::Stream => forward.length(self.body_size().unwrap_or_default()),
            TransferMode::Chunked => forward.chunked(),
        }
    }

    /// The fields that Connection names, except for those that are left out anyway. In a set, because it may name
    /// thousands, and each field is looked up.
    fn named_by_connection(&self) -> Names<'_> {
        let mut named = Names::default();
        for name in self.headers().known(Known::Connection).flat_map(members) {
            if !is_hop_by_hop(name) {
                named.insert(name);
            }
        }
        named
    }

    /// Whether this answers a HEAD without a body length.
    pub(crate) fn is_reticent(&self) -> bool {
        self.answers_head() && !has_length(self)
    }

    fn answers_head(&self) -> bool {
        self.status().is_some_and(allows_body) && *self.method() == Method::HEAD
    }
}

fn has_length(message: &Payload) -> bool {
    message.headers().has(Known::ContentLength)
}

/// The target without the parts that only a proxy needs. A target in authority form is unchanged, because it has
/// nothing else.
fn target(uri: &Uri) -> Uri {
    uri.path_and_query()
        .map_or_else(|| uri.clone(), |target| Uri::from(target.clone()))
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    HOP_BY_HOP
        .iter()
        .any(|hop| name.eq_ignore_ascii_case(hop.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::grammar::tests::{LOOKED, long_list};
    use super::*;

    /// However many fields there are, and however many are named by Connection, each name is looked at once.
    #[test]
    fn what_connection_names_is_read_once() {
        let named = long_list();
        let mut received = Payload::get("/")
            .expect("a target")
            .header("Connection", &named);
        for name in 4950..5050 {
            received = received.header(format!("{name:X}"), "");
        }
        let before = LOOKED.get();
        let forward = received.forward();
        assert_eq!(forward.headers().len(), 50);
        assert_eq!(LOOKED.get() - before, named.len());
    }
}
