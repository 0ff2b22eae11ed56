//! The rows as seeds for the fuzz targets, so that no row stands anywhere twice.

use std::fs;
use std::path::Path;

use super::harness::Row;
use super::{requests, responses};

/// Writes a file for each row and target in `fuzz/seeds`: what that target begins with (flags for small limits and, for
/// responses, the method that was asked), then the bytes of the row.
#[test]
#[ignore = "writes files; `.ci/run fuzz` runs it"]
fn write_seeds() {
    let requests = [
        requests::start_lines(),
        requests::lines(),
        requests::fields(),
        requests::hosts(),
        requests::framing(),
        requests::codings(),
        requests::limits(),
        requests::connections(),
    ]
    .concat();
    let chunks = requests::chunks();
    let responses = [responses::to_get(), responses::to_nothing()].concat();
    let body = |row: &Row| {
        let end = row.bytes.windows(4).position(|four| four == b"\r\n\r\n");
        row.bytes[end.expect("a head") + 4..].to_vec()
    };
    let whole = |row: &Row| row.bytes.clone();
    // To sessions: which end, the ways to answer, the seed of the pipe, no steps.
    let served = requests
        .iter()
        .chain(&chunks)
        .map(|row| after(&[0, 0x24, 1, 0], row));
    let asked = responses.iter().map(|row| after(&[1, 0, 1, 0], row));
    write("session", &[&[]], served.chain(asked));
    write(
        "request",
        &[&[1]],
        requests.iter().chain(&chunks).map(whole),
    );
    write("chunk", &[&[1]], chunks.iter().map(body));
    let flags: [&[u8]; 4] = [&[0], &[0x10], &[0x20], &[0x30]];
    write("response", &flags, responses.iter().map(whole));
}

fn after(start: &[u8], row: &Row) -> Vec<u8> {
    [start, &row.bytes].concat()
}

fn write(target: &str, starts: &[&[u8]], seeds: impl Iterator<Item = Vec<u8>>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("fuzz/seeds").join(target);
    fs::create_dir_all(&folder).unwrap();
    for (at, seed) in seeds.enumerate() {
        for (way, start) in starts.iter().enumerate() {
            fs::write(
                folder.join(format!("{at}-{way}")),
                [start, &seed[..]].concat(),
            )
            .unwrap();
        }
    }
}
