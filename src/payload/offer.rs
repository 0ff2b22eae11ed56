//! Offers to change the protocol (RFC 9110 section 7.8).
//!
//! ```text
//! Upgrade  = [ protocol *( OWS "," OWS protocol ) ]
//! protocol = protocol-name [ "/" protocol-version ]
//! ```

use http::Version;

use super::{Block, Known, Payload, members};

impl Payload {
    /// The protocols that this request offers to change to, as they were written, the preferred one first (RFC 9110
    /// section 7.8): `websocket` for example, or `IRC/6.9`.
    ///
    /// Most requests offer none. An Upgrade field alone is no offer: Connection has to name it, and HTTP/1.0 has none.
    /// A session accepts one by a 101 ([`HandOff`](crate::message::HandOff)), once the body of the request has come. An
    /// offer may be ignored, and is best ignored for a protocol that you do not know.
    ///
    /// ```
    /// use http_actors::Payload;
    ///
    /// let request = Payload::get("/feed")?.header("Connection", "Upgrade").header("Upgrade", "chat/2, WebSocket");
    /// assert!(request.upgrade_offers().eq(["chat/2", "WebSocket"]));
    /// assert!(request.offers_upgrade("websocket"));
    /// assert!(!Payload::get("/feed")?.header("Upgrade", "websocket").offers_upgrade("websocket"));
    /// # Ok::<(), http_actors::error::UseError>(())
    /// ```
    pub fn upgrade_offers(&self) -> impl Iterator<Item = &str> {
        let offers = self.is_request() && is_offer(self.headers().block(), self.version());
        let lines = offers.then(|| self.headers().known(Known::Upgrade));
        let offered = lines.into_iter().flatten().flat_map(members);
        offered.filter_map(|protocol| std::str::from_utf8(protocol).ok())
    }

    /// Whether this request offers to change to this protocol, without regard to case: see
    /// [`upgrade_offers`](Self::upgrade_offers).
    pub fn offers_upgrade(&self, protocol: &str) -> bool {
        self.upgrade_offers()
            .any(|offered| offered.eq_ignore_ascii_case(protocol))
    }
}

/// Whether Upgrade is offered by both fields that it needs. HTTP/1.0 does not have it.
pub(crate) fn is_offer(block: &Block, version: Version) -> bool {
    block.has(Known::Upgrade)
        && version != Version::HTTP_10
        && block.known_has(Known::Connection, b"upgrade")
}
