//! A target without libFuzzer: every seed, then mutations of seeds for a while. The same seed of the random numbers
//! tries the same inputs in the same order.
//!
//! `FUZZ_SECONDS` (10) says for how long, `FUZZ_SEED` (1) from which number on. Files given as arguments are tried instead.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

use http_actors::test_util::Random;

/// Longer inputs find nothing that these do not.
const LONGEST: usize = 4096;

pub fn run(target: &str, run: fn(&[u8])) -> ExitCode {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let mut seeds = if files.is_empty() {
        in_folder(&here.join("seeds").join(target))
    } else {
        read(files.clone())
    };
    for seed in &seeds {
        if !holds(run, seed) {
            return ExitCode::FAILURE;
        }
    }
    if !files.is_empty() {
        return ExitCode::SUCCESS;
    }
    if !here.join("seeds").exists() {
        eprintln!("there are no seeds: `bash .ci/run fuzz` writes them");
        return ExitCode::FAILURE;
    }
    let words = words(&here.join("http.dict"));
    let mut random = Random::of(number("FUZZ_SEED", 1));
    let until = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS", 10));
    let (from, mut tried) = (seeds.len(), 0_u64);
    seeds.push(Vec::new());
    while Instant::now() < until {
        let mut input = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut input, &seeds, &words, &mut random);
        }
        input.truncate(LONGEST);
        if !holds(run, &input) {
            return ExitCode::FAILURE;
        }
        tried += 1;
    }
    println!("{target}: {from} seeds and {tried} mutations of them hold");
    ExitCode::SUCCESS
}

/// Runs the target; an input that fails is left beside the seeds.
fn holds(run: fn(&[u8]), input: &[u8]) -> bool {
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_ok() {
        return true;
    }
    let file = env::temp_dir().join("http-actors-fuzz-failure");
    eprintln!("the input was {}", input.escape_ascii());
    if fs::write(&file, input).is_ok() {
        eprintln!("and is kept in {}", file.display());
    }
    false
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let some = random.below(8).min(input.len() - at);
    match random.below(7) {
        0 if at < input.len() => input[at] = random.below(256) as u8,
        1 if at < input.len() => input[at] ^= 1 << random.below(8),
        2 => input.insert(at, random.below(256) as u8),
        3 => drop(input.drain(at..at + some)),
        4 => {
            let again = input[at..at + some].to_vec();
            input.splice(at..at, again);
        }
        5 if !words.is_empty() => {
            let word = words[random.below(words.len())].clone();
            input.splice(at..at + some, word);
        }
        _ => {
            let other = &seeds[random.below(seeds.len())];
            input.truncate(at);
            input.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
    }
}

fn in_folder(folder: &Path) -> Vec<Vec<u8>> {
    // A target without rows begins with nothing.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    read(files)
}

fn read(files: Vec<PathBuf>) -> Vec<Vec<u8>> {
    let read =
        |file: PathBuf| fs::read(&file).unwrap_or_else(|err| panic!("{}: {err}", file.display()));
    files.into_iter().map(read).collect()
}

/// The words of a libFuzzer dictionary: a quoted word a line, with `\xAB` for other bytes.
fn words(file: &Path) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(file).expect("the dictionary");
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    lines.map(unescaped).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut word = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        word.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
        word.extend_from_slice(rest.as_bytes());
    }
    word
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number"))
    })
}
