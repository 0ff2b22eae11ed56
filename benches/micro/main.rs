//! The time that parts of a request take.
//!
//! `cargo bench -p http-actors-micro`, in short `cargo bench -p http-actors-micro -- --max-time 0.1`; behind the two
//! dashes a part of a name chooses. A time is that of a sample, the rate below it that of an item. They tell two versions
//! apart on one quiet machine and no more: what a request costs is counted by `benches/cost/run`.

mod fields;
mod session;
mod wire;

fn main() {
    divan::main();
}
