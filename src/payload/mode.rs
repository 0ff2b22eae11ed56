//! How a body is sent.

/// The three ways to send and receive a body (P37 to P39).
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
