//! What the fuzz targets share.
//!
//! A target is a function from bytes to nothing that panics when its invariant, the first line of its file, does not
//! hold. `cargo +nightly fuzz run request` drives it by libFuzzer. `cargo run --release --bin request` needs stable Rust
//! only and drives it by seeds and random mutations of them ([`smoke`]).

mod random;
mod reading;
pub mod smoke;

#[cfg(fuzzing)]
pub use libfuzzer_sys;
pub use random::Random;
pub use reading::{Event, is_clean, read, read_in_any_pieces};

use http_actors::{Leniency, Limits};

/// Makes a program of a target: `target!(run)`, where `run` is `fn(&[u8])`.
#[macro_export]
macro_rules! target {
    ($run:path) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $run(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::smoke::run(env!("CARGO_BIN_NAME"), $run)
        }
    };
}

/// The first byte of an input says under which rules the rest is read: small limits, and each leniency.
pub fn rules(flags: u8) -> (Limits, Leniency) {
    let limits = if flags & 1 == 0 {
        Limits::default()
    } else {
        Limits {
            start_line: 40,
            head: 120,
            fields: 4,
            chunk_line: 20,
            chunk_overhead: 24,
            trailers: 40,
            oneshot: 10,
            body: Some(40),
            informational: 1,
        }
    };
    let leniency = Leniency {
        bare_lf: flags & 2 != 0,
        obs_fold: flags & 4 != 0,
        missing_host: flags & 8 != 0,
    };
    (limits, leniency)
}
