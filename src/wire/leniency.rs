//! Deviations from the RFC that can be allowed, each by its own switch.

/// What may be tolerated of peers that cannot be mended. Everything is off by default.
///
/// A leniency widens what is accepted; it never changes how long a message is, so none of them opens a way to smuggle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leniency {
    /// A line feed alone ends a line of a head (RFC 9112 section 2.2 allows a recipient to do so). Never in chunked framing.
    pub bare_lf: bool,
    /// A folded field line is read as one line, joined by spaces (RFC 9112 section 5.2).
    pub obs_fold: bool,
    /// An HTTP/1.1 request without Host is accepted.
    pub missing_host: bool,
}
