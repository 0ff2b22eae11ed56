//! What the fuzz targets share.
//!
//! A target is a function from bytes to nothing that panics when its invariant, the first line of its file, does not
//! hold. On stable Rust it is a program that tries seeds and random mutations of them ([`smoke`]):
//!
//! ```sh
//! bash .ci/run fuzz                                             # writes the seeds, then 10 s for each target
//! cd fuzz && FUZZ_SECONDS=600 FUZZ_SEED=7 cargo run --release --bin session
//! ```
//!
//! With nightly Rust and cargo-fuzz it is driven by libFuzzer:
//!
//! ```sh
//! mkdir -p fuzz/corpus/session
//! cargo +nightly fuzz run session fuzz/corpus/session fuzz/seeds/session -- -dict=fuzz/http.dict -max_len=1024
//! ```

mod handlers;
mod judge;
mod reading;
pub mod smoke;
mod talk;

pub use handlers::{Answers, Asks};
pub use judge::{Answer, answers, each_ends_once, is_end};
#[cfg(fuzzing)]
pub use libfuzzer_sys;
pub use reading::{Event, is_clean, read, read_in_any_pieces};
pub use talk::{Talk, block_on};

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
