//! Deviations from the RFC that can be allowed, each by its own switch.

/// What to tolerate from non-conforming peers that you cannot fix. Everything is off by default.
///
/// A leniency widens what is accepted. It never changes the length of a message, so it does not enable request
/// smuggling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leniency {
    /// Accept a line feed alone as the end of a line of a head (RFC 9112 section 2.2 allows it). Never in chunked
    /// framing.
    pub bare_lf: bool,
    /// Read a folded field line as one line, joined by spaces (RFC 9112 section 5.2).
    pub obs_fold: bool,
    /// Accept an HTTP/1.1 request without Host.
    pub missing_host: bool,
}
