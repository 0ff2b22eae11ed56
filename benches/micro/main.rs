//! The time that parts of a request take.
//!
//! `cargo bench -p http-actors-micro`, in short `cargo bench -p http-actors-micro -- --max-time 0.1`. After the two
//! dashes a part of a name selects benchmarks. A time is that of a sample, the rate below it that of an item. They
//! compare two versions on one quiet machine and nothing more: `benches/cost/run` counts what a request costs.

mod fields;
mod session;
mod wire;

fn main() {
    divan::main();
}
