//! The rows as seeds for the fuzz targets, so that no row stands anywhere twice.

use std::fs;
use std::path::Path;

use super::harness::Row;
use super::{requests, responses};

/// Writes `fuzz/seeds/<target>/<number>`: the byte of flags that each target begins with (small limits, and for
/// responses the method that was asked), then the bytes of the row.
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
    write("request", &[1], requests.iter().chain(&chunks).map(whole));
    write("chunk", &[1], chunks.iter().map(body));
    write(
        "response",
        &[0, 0x10, 0x20, 0x30],
        responses.iter().map(whole),
    );
}

fn write(target: &str, flags: &[u8], seeds: impl Iterator<Item = Vec<u8>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    fs::create_dir_all(&folder).unwrap();
    for (at, seed) in seeds.enumerate() {
        for flags in flags {
            fs::write(
                folder.join(format!("{at}-{flags}")),
                [&[*flags], &seed[..]].concat(),
            )
            .unwrap();
        }
    }
}
