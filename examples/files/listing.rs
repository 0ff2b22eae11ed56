//! A folder as a page: folders first, then files by name, each with its size and the time of its last change.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, UNIX_EPOCH};

use http_actors::{Payload, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use rustix::fs::{AtFlags, Dir, FileType, Stat, statat};

use super::tree::is_served;

/// What may stand in a segment of a path as it is: RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

const STYLE: &str = "
:root { color-scheme: light dark; --line: light-dark(#0002, #fff2); --faint: light-dark(#666, #999);
  --link: light-dark(#0550ae, #79b8ff); background: light-dark(#fff, #16181c); color: light-dark(#1c1c1c, #ddd); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2.5rem auto; padding: 0 1rem; }
h1 { padding: 0 .5rem; font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
td { padding: .35rem .5rem; vertical-align: baseline; border-top: 1px solid var(--line); white-space: nowrap; color: var(--faint); }
td:first-child { width: 100%; white-space: normal; overflow-wrap: anywhere; }
td + td { text-align: right; font-variant-numeric: tabular-nums; }
tr:hover { background: var(--line); }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
@media (max-width: 32rem) { td:last-child { display: none; } }
";

pub(crate) fn page(folder: &OwnedFd, path: &str) -> io::Result<Payload> {
    let mut entries = read(folder)?;
    entries.sort_by_cached_key(|(name, stat)| (!is_folder(stat), name.to_ascii_lowercase()));
    let title = escape(&percent_decode_str(path).decode_utf8_lossy());
    let mut rows = String::new();
    if path != "/" {
        rows += "<tr><td><a href=\"../\">../</a><td><td>\n";
    }
    for (name, stat) in &entries {
        rows += &row(name, stat);
    }
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n<table>\n{rows}</table>\n</html>\n"
    );
    Ok(Payload::response(StatusCode::OK)
        .header("Content-Type", "text/html; charset=utf-8")
        .header(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'",
        )
        .body(page))
}

/// What can be asked for.
fn read(folder: &OwnedFd) -> io::Result<Vec<(Vec<u8>, Stat)>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // One that is gone by now is left out.
        if let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            && is_served(name.to_bytes())
            && (is_folder(&stat) || is(&stat, FileType::RegularFile))
        {
            entries.push((name.to_bytes().to_vec(), stat));
        }
    }
    Ok(entries)
}

fn is(stat: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind
}

fn is_folder(stat: &Stat) -> bool {
    is(stat, FileType::Directory)
}

fn row(name: &[u8], stat: &Stat) -> String {
    let (slash, size) = if is_folder(stat) {
        ("/", String::new())
    } else {
        ("", human(stat.st_size.try_into().unwrap_or(0)))
    };
    let link = percent_encode(name, RESERVED);
    let name = escape(&String::from_utf8_lossy(name));
    // A date has four digits for the year, and a file may have any time.
    let seconds = stat.st_mtime.try_into().unwrap_or(0).min(LAST_SECOND);
    let changed = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    // Sun, 06 Nov 1994 08:49:37 GMT
    let changed = changed.get(5..22).unwrap_or_default();
    format!("<tr><td><a href=\"{link}{slash}\">{name}{slash}</a><td>{size}<td>{changed}\n")
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
fn human(size: u64) -> String {
    let mut scaled = size as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if scaled < 1000.0 {
            let digits = usize::from(unit != "B" && scaled < 100.0);
            return format!("{scaled:.digits$} {unit}");
        }
        scaled /= 1024.0;
    }
    format!("{scaled:.1} TiB")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
