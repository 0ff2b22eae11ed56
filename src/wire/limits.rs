//! Limits on what a peer may send.

/// Limits on what a peer sends, each with the status that a server answers beyond it. At a client the exchange fails
/// instead.
///
/// The defaults are what comparable servers use, on the strict side; [`for_client`](Self::for_client) has those of a
/// client. `Limits` is plain data:
///
/// ```
/// use http_actors::Limits;
///
/// let limits = Limits { body: Some(64 << 20), ..Limits::default() };
/// assert_eq!(limits.fields, 100);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request or status line, without its end: 8 KiB. Beyond that: 414, or 431 if `head` is no larger.
    pub start_line: usize,
    /// Bytes of a whole head, the blank line included: 32 KiB, 64 KiB for a client. Beyond that: 431.
    pub head: usize,
    /// Field lines of a head or of a trailer section: 100, 128 for a client. Beyond that: 431 (400 in trailers).
    pub fields: usize,
    /// Bytes of a chunk line, extensions included, without its end: 256. Beyond that: 400.
    pub chunk_line: usize,
    /// Needless bytes of chunk lines (extensions, leading zeros), beyond a quarter of the data: 16 KiB. Beyond
    /// that: 400. The framing that every chunk needs is not counted, so that a feed can send small chunks for days.
    pub chunk_overhead: u64,
    /// Bytes of a trailer section: 8 KiB. Beyond that: 400.
    pub trailers: usize,
    /// Bytes up to which a body of known length is delivered whole, inside the payload: 10,000 (P50).
    pub oneshot: u64,
    /// Bytes of a body, inside the payload or delivered in pieces: no limit. Beyond that: 413.
    pub body: Option<u64>,
    /// 1xx responses to one request: 16. Beyond that the exchange fails.
    pub informational: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start_line: 8 << 10,
            head: 32 << 10,
            fields: 100,
            chunk_line: 256,
            chunk_overhead: 16 << 10,
            trailers: 8 << 10,
            oneshot: 10_000,
            body: None,
            informational: 16,
        }
    }
}

impl Limits {
    /// The defaults of a client: heads up to 64 KiB and 128 fields, because servers send more than clients do.
    #[must_use]
    pub fn for_client() -> Self {
        Self {
            head: 64 << 10,
            fields: 128,
            ..Self::default()
        }
    }
}
