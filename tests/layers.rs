//! The floors: imports point down only, and the pure ones know nothing of actors, tasks, clocks and sockets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each module. A module may import from its own floor's module and from lower floors.
const FLOORS: [(&str, u8); 10] = [
    ("error", 0),
    ("payload", 0),
    ("wire", 1),
    ("transport", 2),
    ("session", 3),
    ("server", 4),
    ("client", 4),
    ("sse", 4),
    ("log", 5),
    ("test_util", 5),
];

/// What the pure floors must not name.
const IMPURE: [&str; 7] = [
    "actix",
    "rustls",
    "tokio",
    "tokio_util",
    "socket2",
    "std::net::Tcp",
    "std::time::Instant",
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its module, its name and its text without comments and tests.
fn files() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let mut files = Vec::new();
    for path in paths {
        let name = path
            .strip_prefix(&root)
            .expect("below src")
            .to_string_lossy()
            .into_owned();
        let module = name.split(['/', '.']).next().expect("a name").to_owned();
        let text = fs::read_to_string(&path).expect("text");
        let code: Vec<&str> = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .expect("a first part")
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        if !name.contains("/tests") && module != "lib" {
            files.push((module, name, code.join("\n")));
        }
    }
    assert!(files.len() > 50, "the sources are found");
    files
}

/// The modules of the crate that a text names.
fn named(code: &str) -> Vec<&str> {
    code.split("crate::")
        .skip(1)
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
        .collect()
}

#[test]
fn imports_point_down() {
    let floors: BTreeMap<&str, u8> = FLOORS.into();
    let mut wrong = Vec::new();
    for (module, name, code) in files() {
        let floor = floors[module.as_str()];
        for target in named(&code) {
            // Names re-exported by the crate root begin with a capital; they are checked where they are defined.
            if let Some(&other) = floors.get(target)
                && target != module
                && other >= floor
                && (module.as_str(), target) != ("payload", "error")
            {
                wrong.push(format!("{name} imports {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_lower_floors_are_pure() {
    let mut wrong = Vec::new();
    for (module, name, code) in files() {
        if matches!(module.as_str(), "error" | "payload" | "wire") {
            for word in IMPURE {
                if code.contains(&format!("use {word}")) || code.contains(&format!(" {word}::")) {
                    wrong.push(format!("{name} names {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
