//! HTTP/1.1 on the wire (RFC 9112): bytes to messages and back. Floor 1.
//!
//! Pure: no actor, no task, no clock, no socket. Nothing here panics, whatever the bytes are. The same bytes give the same
//! items, however they are split.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod leniency;
mod limits;

pub use leniency::Leniency;
pub use limits::Limits;
