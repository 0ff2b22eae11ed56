//! The floors, and the layers of the session: imports point down only. The pure floors know nothing of actors, tasks,
//! clocks and sockets. What the crate exports is what its documentation lists, and its code map has every file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each module. A module may import from itself and from lower floors, by any path: that of the module, one
/// from the crate root, one from the parents, alone or in a group.
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

/// The layers of the session, from the bottom. A file or folder of `session/` may import what is before it here, and the
/// actor, whose address all may hold. `session/mod.rs` is above all.
const SESSION: [&str; 10] = [
    // Values.
    "clock deadline exchange info memory owed pieces place record options role tenure",
    // Spans and counts.
    "meter no_meter trace",
    // Messages.
    "parcel handoff leave watch message inbound",
    // Queues, and what waits in them.
    "unsent waiter outbuf outbound awaited credit lists inbox sink step",
    // The receiving actor.
    "builder",
    // The connection.
    "link",
    // The sides.
    "server client ended side",
    // What the handler gets.
    "body responder reply context incoming",
    // The handler.
    "handler ask",
    // The actor, and its start.
    "calls io behaviours handles private start codec",
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

/// What the crate exports, by the path that a user knows: the module where it is.
type Exports = BTreeMap<String, String>;

/// A path of the code, and the name by which it is known from there on.
struct Named {
    path: Vec<String>,
    name: String,
}

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

/// Every source file but the root and those of tests: its name, and its text.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let mut files = Vec::new();
    for path in paths {
        let name = path.strip_prefix(&root).expect("below src");
        let name = name.to_string_lossy().into_owned();
        if !name.contains("/tests") && name != "lib.rs" {
            files.push((name, fs::read_to_string(&path).expect("text")));
        }
    }
    assert!(files.len() > 50, "the sources are found");
    files
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphanumeric() || first == '_')
}

/// What begins here and is no code: a comment, or what is in quotes. Returns its length.
fn without_code(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    let raw = text.trim_start_matches(['b', 'c']);
    if let Some(raw) = raw.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = text.len() - raw.len() + hashes + 1;
            let length = text[begin..].find(&end).expect("an end");
            return Some(begin + length + end.len());
        }
    }
    let quote = text.chars().next().filter(|first| "\"'".contains(*first))?;
    let mut escaped = false;
    for (at, each) in text.char_indices().skip(1) {
        if quote == '\'' && at > 1 && each != '\'' && !text.starts_with("'\\") {
            return Some(1); // a lifetime
        }
        if each == quote && !escaped && at > 0 {
            return Some(at + 1);
        }
        escaped = each == '\\' && !escaped;
    }
    Some(text.len())
}

/// The code: names, `::`, and any other character alone.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(length) = without_code(rest) {
            rest = &rest[length..];
            continue;
        }
        let length = if is_name(rest) {
            rest.find(|each: char| !each.is_alphanumeric() && each != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, behind) = rest.split_at(length);
        if !first.is_whitespace() {
            tokens.push(token);
        }
        rest = behind;
    }
    tokens
}

/// The code without its modules of tests.
fn without_tests<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    const BEGIN: [&str; 8] = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some(first) = rest.first() {
        if rest.starts_with(&BEGIN) && rest.get(9) == Some(&"{") {
            let mut depth = 0;
            let end = rest.iter().position(|token| {
                depth += i32::from(*token == "{") - i32::from(*token == "}");
                depth == 0 && *token == "}"
            });
            rest = &rest[end.expect("an end") + 1..];
        } else {
            kept.push(*first);
            rest = &rest[1..];
        }
    }
    kept
}

/// Reads a path, or a tree of paths, behind a prefix. Returns what is behind it.
fn tree<'a>(mut rest: &'a [&'a str], prefix: &[&str], found: &mut Vec<Named>) -> &'a [&'a str] {
    let mut path = prefix.to_vec();
    loop {
        match rest {
            ["{", inside @ ..] => {
                rest = inside;
                while !rest.is_empty() && rest[0] != "}" {
                    let behind = tree(rest, &path, found);
                    assert!(behind.len() < rest.len(), "no group: {rest:?}");
                    rest = behind.strip_prefix(&[","]).unwrap_or(behind);
                }
                return rest.get(1..).unwrap_or_default();
            }
            ["::", behind @ ..] => rest = behind,
            [name, behind @ ..] if is_name(name) || *name == "*" => {
                path.push(name);
                rest = behind;
                if rest.first() != Some(&"::") {
                    break;
                }
            }
            _ => break,
        }
    }
    let mut name = *path.last().unwrap_or(&"");
    if let ["as", other, behind @ ..] = rest {
        name = other;
        rest = behind;
    }
    found.push(Named {
        path: path.iter().map(|each| (*each).to_owned()).collect(),
        name: name.to_owned(),
    });
    rest
}

/// Every path, imported or used.
fn paths(text: &str) -> Vec<Named> {
    let tokens = without_tests(&tokens(text));
    let mut found = Vec::new();
    let mut rest = &tokens[..];
    while let [first, behind @ ..] = rest {
        rest = match behind {
            _ if *first == "use" => tree(behind, &[], &mut found),
            ["::", ..] if is_name(first) => tree(rest, &[], &mut found),
            _ => behind,
        };
    }
    found
}

/// What is behind the end of a block that was opened.
fn behind_block<'a>(rest: &'a [&'a str]) -> &'a [&'a str] {
    let mut depth = 1;
    let end = rest.iter().position(|token| {
        depth += i32::from(*token == "{") - i32::from(*token == "}");
        depth == 0
    });
    &rest[end.expect("an end") + 1..]
}

/// Finds what a module exports, which is `inside` for a user. What a module of the crate root exports of others is at
/// `home`; what the root does, in the module that it names.
fn exports<'a>(mut rest: &'a [&'a str], inside: &str, home: Option<&str>, found: &mut Exports) {
    let path = |name: &str| format!("{inside}{name}");
    while let [first, behind @ ..] = rest {
        rest = match rest {
            ["pub", "mod", name, "{", within @ ..] => {
                let behind = behind_block(within);
                let within = &within[..within.len() - behind.len() - 1];
                exports(within, &path(&format!("{name}::")), home, found);
                behind
            }
            ["pub", "mod", name, ";", behind @ ..] => {
                let file = format!("{}/src/{name}/mod.rs", env!("CARGO_MANIFEST_DIR"));
                let text = fs::read_to_string(file).expect("text");
                let tokens = without_tests(&tokens(&text));
                exports(&tokens, &path(&format!("{name}::")), Some(name), found);
                behind
            }
            ["pub", "use", behind @ ..] => {
                let mut named = Vec::new();
                let behind = tree(behind, &[], &mut named);
                for Named { path: from, name } in named {
                    let from = from.iter().find(|each| *each != "crate").expect("a path");
                    found.insert(path(&name), home.unwrap_or(from).to_owned());
                }
                behind
            }
            [
                "pub",
                "struct" | "enum" | "trait" | "fn" | "type",
                name,
                behind @ ..,
            ] => {
                found.insert(path(name), home.expect("a module").to_owned());
                behind
            }
            ["{", within @ ..] => behind_block(within),
            _ if *first == "use" => tree(behind, &[], &mut Vec::new()),
            _ => behind,
        };
    }
}

/// The exports of this crate.
fn our_exports() -> Exports {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let root = fs::read_to_string(root).expect("text");
    let mut found = Exports::new();
    exports(&without_tests(&tokens(&root)), "", None, &mut found);
    assert!(found.len() > 90, "the exports are found");
    found
}

/// How far below the crate root the module of a file is.
fn depth(file: &str) -> usize {
    let path = file.strip_suffix("/mod.rs").unwrap_or(file);
    path.split('/').count()
}

/// What a path names below the crate root, if it leads there.
fn below_root(path: &[String], depth: usize) -> Option<&[String]> {
    let path = path.strip_prefix(&["self".to_owned()]).unwrap_or(path);
    if let [first, rest @ ..] = path
        && first == "crate"
    {
        return Some(rest);
    }
    let up = path.iter().take_while(|each| *each == "super").count();
    (up >= depth).then(|| &path[up..])
}

/// What a file imports and must not.
fn wrong_imports(file: &str, text: &str, exports: &Exports) -> Vec<String> {
    let floors: BTreeMap<&str, u8> = FLOORS.into();
    let module = file.split(['/', '.']).next().expect("a name");
    let floor = *floors.get(module).expect("every module has its floor");
    let mut wrong = Vec::new();
    for Named { path, .. } in paths(text) {
        let Some(named) = below_root(&path, depth(file)) else {
            continue;
        };
        let path = path.join("::");
        let Some(first) = named.first() else {
            wrong.push(format!("{file} names the crate root: {path}"));
            continue;
        };
        let facade = named.get(1).map(|second| format!("{first}::{second}"));
        let facade = facade.filter(|_| !floors.contains_key(first.as_str()));
        let export = exports.get(facade.as_ref().unwrap_or(first));
        let target = export.unwrap_or(first).as_str();
        match floors.get(target) {
            Some(&other) => {
                let beside = (module, target) == ("payload", "error");
                if target != module && other >= floor && !beside {
                    wrong.push(format!("{file} imports {target}: {path}"));
                }
            }
            // What the crate exports of others.
            None if export.is_some() => {}
            None => wrong.push(format!("{file} imports what has no floor: {path}")),
        }
    }
    wrong
}

/// Where a path leads from the crate root, if it begins there or at a parent of the file.
fn from_root(path: &[String], file: &str) -> Option<Vec<String>> {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let mut at: Vec<String> = module.split('/').map(str::to_owned).collect();
    let (first, mut rest) = path.split_first()?;
    match first.as_str() {
        "crate" => at.clear(),
        "super" => at.truncate(at.len() - 1),
        "self" => {}
        _ => return None,
    }
    while let Some((first, behind)) = rest.split_first()
        && first == "super"
    {
        at.pop();
        rest = behind;
    }
    at.extend(rest.iter().cloned());
    Some(at)
}

/// The files and folders of the session, from the bottom.
fn session_order() -> Vec<&'static str> {
    SESSION.iter().flat_map(|layer| layer.split(' ')).collect()
}

/// What a file of the session imports from a layer that is not below it. The two sides do not name each other.
fn wrong_layers(file: &str, text: &str) -> Vec<String> {
    let order = session_order();
    let place = |name: &str| order.iter().position(|each| *each == name);
    let own_name = file
        .split(['/', '.'])
        .nth(1)
        .expect("a file of the session");
    let own = place(own_name).expect("every file of the session has its layer");
    let mut wrong = Vec::new();
    for Named { path, .. } in paths(text) {
        let Some(named) = from_root(&path, file) else {
            continue;
        };
        let [module, name, ..] = &named[..] else {
            continue;
        };
        let below = place(name).map_or(name == "HttpSession", |other| other <= own);
        let apart = (own_name, name.as_str()) == ("client", "server");
        if module == "session" && (apart || !below) {
            wrong.push(format!("{file} imports {}", path.join("::")));
        }
    }
    wrong
}

/// What a file of a pure floor names and must not.
fn impure(file: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for Named { path, .. } in paths(text) {
        let path = path.join("::");
        // A whole module, which may hold one.
        let module = path.strip_suffix("::*").unwrap_or(&path);
        let module = format!("{}::", module.strip_suffix("::self").unwrap_or(module));
        for word in IMPURE {
            let within = word.strip_suffix("Tcp").unwrap_or(word);
            let named = if within == word {
                path == word || path.starts_with(&format!("{word}::"))
            } else {
                path.starts_with(word)
            };
            if named || word.starts_with(&module) {
                wrong.push(format!("{file} names {word}: {path}"));
            }
        }
    }
    wrong
}

/// The paths of what `docs/public-api.txt` lists, without modules and what is in types.
fn listed(list: &str) -> BTreeSet<&str> {
    list.lines()
        .map(|line| line.strip_prefix("#[non_exhaustive] ").unwrap_or(line))
        .filter(|line| line.starts_with("pub ") && !line.starts_with("pub mod "))
        .filter_map(|line| {
            let (_, path) = line.split_once("http_actors::")?;
            let end = path.find(|each: char| !each.is_alphanumeric() && !"_:".contains(each));
            let path = path[..end.unwrap_or(path.len())].trim_end_matches(':');
            let (inside, _) = path.rsplit_once("::").unwrap_or_default();
            let is_type = inside.contains("::") || inside.starts_with(char::is_uppercase);
            (!is_type).then_some(path)
        })
        .collect()
}

/// What the crate exports is in the list of what is public, and the other way round. `.ci/run api` compares the rest of
/// it, with tools that are not everywhere.
#[test]
fn the_public_api_is_listed() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/public-api.txt");
    let list = fs::read_to_string(list).expect("text");
    let listed = listed(&list);
    let exports = our_exports();
    let exported: BTreeSet<&str> = exports.keys().map(String::as_str).collect();
    let unlisted: Vec<_> = exported.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&exported).collect();
    assert!(
        unlisted.is_empty() && gone.is_empty(),
        "docs/public-api.txt lacks {unlisted:?}, and lists {gone:?}: its header says how to make it anew"
    );
}

#[test]
fn imports_point_down() {
    let exports = our_exports();
    let wrong: Vec<String> = files()
        .iter()
        .flat_map(|(file, text)| wrong_imports(file, text, &exports))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_of_the_session_point_down() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, text) in files() {
        if let Some(inside) = file.strip_prefix("session/")
            && inside != "mod.rs"
        {
            wrong.extend(wrong_layers(&file, &text));
            seen.extend(inside.split(['/', '.']).next().map(str::to_owned));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let order = session_order();
    let gone: Vec<_> = order.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(gone.is_empty(), "no files of the session: {gone:?}");
}

/// The code map of docs/ARCHITECTURE.md has every file, and none that is gone.
#[test]
fn the_code_map_has_every_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = fs::read_to_string(root.join("docs/ARCHITECTURE.md")).expect("text");
    let quoted: BTreeSet<&str> = map.split('`').skip(1).step_by(2).collect();
    let is_quoted = |name: &str| {
        let inside = format!("/{name}");
        quoted
            .iter()
            .any(|each| *each == name || each.ends_with(&inside))
    };
    let mut paths = Vec::new();
    for folder in ["src", "tests", "examples", "fuzz/src"] {
        sources(&root.join(folder), &mut paths);
    }
    let gone: Vec<_> = quoted
        .iter()
        .filter(|each| Path::new(each).extension().is_some_and(|end| end == "rs"))
        .filter(|each| !paths.iter().any(|path| path.ends_with(each)))
        .collect();
    assert!(gone.is_empty(), "the code map has {gone:?}");
    let lacking: Vec<_> = files()
        .into_iter()
        .map(|(file, _)| file)
        .filter(|file| match file.strip_suffix("/mod.rs") {
            Some(folder) => !is_quoted(&format!("{}/", folder.rsplit('/').next().expect("a name"))),
            None => !is_quoted(file.rsplit('/').next().expect("a name")),
        })
        .collect();
    assert!(lacking.is_empty(), "the code map lacks {lacking:?}");
}

#[test]
fn the_lower_floors_are_pure() {
    let pure = |file: &str| ["error/", "payload/", "wire/"].map(|floor| file.starts_with(floor));
    let wrong: Vec<String> = files()
        .iter()
        .filter(|(file, _)| pure(file).contains(&true))
        .flat_map(|(file, text)| impure(file, text))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The check itself: each way to import from above is found.
#[test]
fn no_import_from_above_is_overlooked() {
    let exports = our_exports();
    for (file, text) in [
        ("wire/mod.rs", "use crate::session::HttpSession;"),
        ("wire/mod.rs", "use crate::{session::HttpSession};"),
        (
            "wire/mod.rs",
            "use crate::{\n    error::WireError,\n    payload::{Headers, Payload}, session::{Apply},\n};",
        ),
        ("wire/mod.rs", "use {std::io, crate::{session}};"),
        ("wire/mod.rs", "use crate::HttpSession;"),
        ("wire/mod.rs", "use crate::HttpSession as Payload;"),
        ("wire/mod.rs", "use crate::{Payload, HttpSession};"),
        (
            "wire/mod.rs",
            "fn f() { drop(crate::HttpServer::new(handler)) }",
        ),
        ("wire/mod.rs", "fn f(_: &'static crate::HttpSession) {}"),
        (
            "wire/mod.rs",
            "#[cfg(test)]\nmod tests { mod a {} }\nuse crate::HttpSession;",
        ),
        ("wire/mod.rs", "use crate::*;"),
        ("wire/mod.rs", "use crate as everything;"),
        ("wire/mod.rs", "use crate::{self as everything};"),
        ("wire/mod.rs", "use crate::unknown::Thing;"),
        ("wire/mod.rs", "use super::session::Apply;"),
        ("wire/encoder/chunk.rs", "use super::super::super::Apply;"),
        ("payload/mod.rs", "use crate::wire::Limits;"),
        ("error/mod.rs", "use crate::payload::Payload;"),
        ("client/mod.rs", "use crate::HttpServer;"),
        ("session/mod.rs", "/* no */ use crate::log::CommonLog;"),
        ("session/mod.rs", "use crate::message::Drain;"),
        ("session/mod.rs", "use crate::message;"),
    ] {
        let wrong = wrong_imports(file, text, &exports);
        assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
    }
    for (file, text) in [
        ("session/step.rs", "use super::side::Side;"),
        ("session/step.rs", "use super::{inbox::Inbox, side};"),
        (
            "session/step.rs",
            "use crate::session::context::SessionContext;",
        ),
        ("session/step.rs", "fn f(_: super::server::Server) {}"),
        ("session/step.rs", "use super::SessionContext;"),
        ("session/server/mod.rs", "use super::client::Client;"),
        ("session/client/mod.rs", "use super::server::Server;"),
        ("session/server/mod.rs", "use crate::session::side::Side;"),
        ("session/server/ends.rs", "use super::super::side::Side;"),
    ] {
        let wrong = wrong_layers(file, text);
        assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
    }
    for text in [
        "use tokio::time;",
        "use {std::{io, net::TcpStream}};",
        "fn f(_: &actix::System) {}",
        "use ::tokio_util as codec;",
        "use std::time::{self, Duration};",
        "use std::time::*;",
    ] {
        assert_eq!(impure("wire/mod.rs", text).len(), 1, "{text}");
    }
}

/// The check itself: it refuses nothing else.
#[test]
fn what_is_no_import_from_above() {
    let exports = our_exports();
    for (file, text) in [
        (
            "wire/mod.rs",
            "/// As [`crate::HttpSession`] does.\nfn f() {}",
        ),
        ("wire/mod.rs", "const A: &str = \"crate::HttpSession\";"),
        (
            "wire/mod.rs",
            "const A: &str = r#\"\" use crate::HttpSession;\"#;",
        ),
        (
            "wire/mod.rs",
            "const A: [char; 3] = ['\"', '\\'', 'a']; // use crate::HttpSession;",
        ),
        ("wire/mod.rs", "pub(crate) fn f<'a>() {}"),
        (
            "wire/mod.rs",
            "pub(in crate::wire) use crate::{Payload, StatusCode};",
        ),
        (
            "wire/mod.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::HttpSession;\n}",
        ),
        ("wire/encoder/chunk.rs", "use super::super::session::Apply;"),
        ("payload/mod.rs", "use crate::error::WireError;"),
        ("session/mod.rs", "use crate::{Limits, payload::*};"),
        ("server/mod.rs", "use crate::message::Apply;"),
        ("client/mod.rs", "use crate::{Payload, HttpSession};"),
    ] {
        let wrong = wrong_imports(file, text, &exports);
        assert!(wrong.is_empty(), "{text}: {wrong:?}");
    }
    for (file, text) in [
        ("session/step.rs", "use super::{HttpSession, inbox::Inbox};"),
        ("session/step.rs", "use crate::payload::Payload;"),
        ("session/side/mod.rs", "use crate::session::server::Server;"),
        ("session/server/mod.rs", "use super::link::Link;"),
        ("session/server/mod.rs", "use active::Active;"),
        (
            "session/server/ends.rs",
            "use super::{AnswerState, Server};",
        ),
        ("session/server/ends.rs", "use crate::session::link::Link;"),
        ("session/server/ends.rs", "use super::super::link::Link;"),
    ] {
        let wrong = wrong_layers(file, text);
        assert!(wrong.is_empty(), "{text}: {wrong:?}");
    }
    for text in [
        "use std::net::SocketAddr;",
        "use std::time::Duration;",
        "fn f(tokio: u8) -> u8 { tokio + 1 } // tokio::spawn",
    ] {
        assert!(impure("wire/mod.rs", text).is_empty(), "{text}");
    }
}
