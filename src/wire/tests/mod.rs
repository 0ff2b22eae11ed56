//! Tests of the wire floor: tables of bytes and outcomes, fed whole, byte by byte and in any other pieces.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails is meant to panic"
)]

mod coverage;
mod drip;
mod encoding;
mod harness;
mod memory;
mod parity;
mod requests;
mod responses;
mod round_trip;
mod seeds;
mod splits;
