//! How a body travels.

/// The three ways in which a body passes through a session (P37 to P39).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TransferMode {
    /// The whole body is inside the payload; there are no `chunk` calls.
    #[default]
    Oneshot,
    /// A body of known length that follows in pieces.
    Stream,
    /// A body of unknown length that follows in pieces, possibly with trailers.
    Chunked,
}
