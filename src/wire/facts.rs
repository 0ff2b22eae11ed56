//! What a head says about the connection (RFC 9112 section 9.3, RFC 9110 section 10.1.1).

use http::{StatusCode, Version};

use crate::payload::{Block, Known, members};

/// What the session must know about a message besides the message itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts, none of them a state"
)]
pub(crate) struct Facts {
    /// Whether the message lets the connection persist (P97, P170). Never after a close-delimited body.
    pub(crate) keep_alive: bool,
    /// An HTTP/1.1 request whose sender waits for `100 Continue` before it sends the body.
    pub(crate) expect_continue: bool,
    /// An HTTP/1.1 request with another expectation: 417.
    pub(crate) unknown_expectation: bool,
    /// A request that offers an upgrade, or CONNECT; a 101 response, or a 2xx to CONNECT.
    pub(crate) upgrade: bool,
    /// Bytes of the head.
    pub(crate) head_bytes: usize,
}

impl Facts {
    /// Whether a response with this status is not the answer yet.
    pub(crate) fn is_interim(&self, status: StatusCode) -> bool {
        status.is_informational() && !self.upgrade
    }
}

/// `close` wins, then `keep-alive`, then the version. All lines count, without regard to case (P170).
pub(super) fn keep_alive(block: &Block, version: Version) -> bool {
    if !block.has(Known::Connection) {
        return version != Version::HTTP_10;
    }
    !block.known_has(Known::Connection, b"close")
        && (version != Version::HTTP_10 || block.known_has(Known::Connection, b"keep-alive"))
}

/// Whether `100-continue` is expected, and whether anything else is. HTTP/1.0 expects nothing.
pub(super) fn expectations(block: &Block, version: Version) -> (bool, bool) {
    if !block.has(Known::Expect) || version == Version::HTTP_10 {
        return (false, false);
    }
    let is_continue = |member: &[u8]| member.eq_ignore_ascii_case(b"100-continue");
    let mut all = block.known(Known::Expect).flat_map(members);
    let unknown = all.any(|member| !is_continue(member));
    (block.known_has(Known::Expect, b"100-continue"), unknown)
}
