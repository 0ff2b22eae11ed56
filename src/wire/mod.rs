//! HTTP/1.1 on the wire (RFC 9112): bytes to messages and back. Floor 1.
//!
//! Pure: no actor, no task, no clock, no socket. Nothing here panics, whatever the bytes are. The same bytes give the
//! same items, however they are split.
//!
//! Inbound, one file for each rule: `line` finds the lines, `field` reads field lines, `request_head` and
//! `response_head` the start line with `target`, `host`, `framing` and `facts`, `head` puts them together, `last`
//! remembers the previous one, `chunk` and `trailer` read the chunked coding, `cycle` matches responses to requests,
//! and `decoder` drives them. Outbound is `encoder`.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod chunk;
mod cycle;
mod decoder;
mod encoder;
mod facts;
mod field;
mod framing;
mod head;
mod host;
mod item;
mod last;
mod leniency;
mod limits;
mod line;
mod output;
mod refusal;
mod request_head;
mod response_head;
mod rules;
mod target;
mod token;
mod trailer;

#[cfg(test)]
mod tests;

pub(crate) use cycle::Expected;
pub(crate) use decoder::Decoder;
pub(crate) use encoder::{Answering, Asked, Begun, Encoder, Target};
pub(crate) use facts::Facts;
pub(crate) use item::{Item, Step, Trailers};
pub use leniency::Leniency;
pub use limits::Limits;
pub(crate) use output::Output;
pub(crate) use refusal::{COULD_NOT_ANSWER, plain, refusal};
pub(crate) use rules::Rules;
