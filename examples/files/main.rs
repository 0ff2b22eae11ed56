//! A file server. Look at `send`: a piece is read from the disk when there is room for it, so a slow reader holds one
//! piece, however long the file. A file that turns out shorter than was announced is cut, and never looks whole.
//! `cargo run --example files -- FOLDER [LISTEN]`
//!
//! `tree.rs` says which names are served, `judge.rs` which requests get 206, 304, 412 and 416. A folder is its
//! `index.html`, else a list.

mod judge;
mod listing;
mod tree;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;

use http_actors::{
    HttpHandler, HttpServer, Method, Payload, Responder, SessionContext, StatusCode,
};
use rustix::io::Errno;
use tokio::task::spawn_blocking;

use judge::{Validators, Verdict};
use tree::{Found, Tree};

/// How much of a file is in memory for each of its readers, in bytes.
const PIECE: u64 = 128 << 10;

/// Hears one client.
struct Files {
    tree: Arc<Tree>,
}

impl HttpHandler for Files {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        let (tree, responder) = (Arc::clone(&self.tree), session.responder());
        // It ends with the exchange: nobody reads for a client that left.
        session.spawn(async move {
            // Disks are slow, and this thread serves others. Of a panic, the dropped responder makes a 500.
            match spawn_blocking(move || answer(&tree, &request)).await {
                Ok((head, Some((file, part)))) => send(responder, head, file, part).await,
                Ok((head, None)) => drop(responder.respond(head)),
                Err(_) => {}
            }
        });
    }
}

/// A message, or its head and what follows.
type Answer = (Payload, Option<(File, Range<u64>)>);

fn answer(tree: &Tree, request: &Payload) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allowed = text(StatusCode::METHOD_NOT_ALLOWED).header("Allow", "GET, HEAD");
        return (allowed, None); // RFC 9110 section 15.5.6
    }
    let path = request.path();
    let answer = match tree.find(path) {
        Ok(Found::File(file, name)) => file_answer(request, file, &name),
        Ok(Found::Folder(folder)) => listing::page(&folder, path).map(|page| (page, None)),
        Ok(Found::FolderWithoutSlash) => {
            let query = request.query().map(|query| format!("?{query}"));
            let to = format!("{path}/{}", query.unwrap_or_default());
            let moved = text(StatusCode::MOVED_PERMANENTLY).header("Location", to);
            Ok((moved, None))
        }
        Err(err) => Err(err),
    };
    answer.unwrap_or_else(|err| (text(status(&err)), None))
}

fn file_answer(request: &Payload, file: File, name: &Path) -> io::Result<Answer> {
    let metadata = file.metadata()?;
    let length = metadata.len();
    let version = Validators::of(length, metadata.mtime(), metadata.mtime_nsec());
    let (head, part) = match judge::judge(request, length, &version) {
        Verdict::Whole => (Payload::response(StatusCode::OK), 0..length),
        Verdict::Part(part) => {
            let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            let head = Payload::response(StatusCode::PARTIAL_CONTENT);
            (head.header("Content-Range", range), part)
        }
        Verdict::NotModified => {
            let head = Payload::response(StatusCode::NOT_MODIFIED);
            return Ok((version.describe(head), None));
        }
        Verdict::Failed => return Ok((text(StatusCode::PRECONDITION_FAILED), None)),
        Verdict::OutOfRange => {
            let size = format!("bytes */{length}"); // RFC 9110 section 15.5.17
            let head = text(StatusCode::RANGE_NOT_SATISFIABLE).header("Content-Range", size);
            return Ok((head, None));
        }
    };
    let head = version
        .describe(head)
        .header("Accept-Ranges", "bytes")
        .header("Content-Type", media_type(name))
        .header("X-Content-Type-Options", "nosniff")
        .length(part.end - part.start);
    let body = (*request.method() == Method::GET).then_some((file, part));
    Ok((head, body))
}

async fn send(responder: Responder, head: Payload, file: File, part: Range<u64>) {
    let Ok(mut body) = responder.stream(head).await else {
        return;
    };
    let file = Arc::new(file);
    let mut at = part.start;
    while at < part.end {
        let (file, size) = (Arc::clone(&file), PIECE.min(part.end - at));
        let Ok(Ok(piece)) = spawn_blocking(move || read(&file, at, size)).await else {
            return; // Too short, or the disk failed. What drops the writer cuts the body.
        };
        if body.send(piece).await.is_err() {
            return;
        }
        at += size;
    }
    let _ = body.finish().await;
}

fn read(file: &File, at: u64, size: u64) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut piece, at)?;
    Ok(piece)
}

/// The type by the name. Text is taken to be UTF-8.
fn media_type(name: &Path) -> String {
    let guess = mime_guess::from_path(name).first_or_octet_stream();
    match guess.type_() {
        mime_guess::mime::TEXT => format!("{guess}; charset=utf-8"),
        _ => guess.to_string(),
    }
}

/// What is not here, what is not served and what may not be read look the same.
fn status(err: &io::Error) -> StatusCode {
    match Errno::from_io_error(err) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => StatusCode::SERVICE_UNAVAILABLE,
        Some(Errno::IO) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::NOT_FOUND,
    }
}

fn text(status: StatusCode) -> Payload {
    Payload::response(status)
        .header("Content-Type", "text/plain; charset=utf-8")
        .body(format!("{status}\n"))
}

/// A server of what is in this folder.
pub(crate) fn files(folder: &Path) -> io::Result<HttpServer> {
    let tree = Arc::new(Tree::open(folder)?);
    Ok(HttpServer::new(move |_session| Files {
        tree: Arc::clone(&tree),
    }))
}

#[actix::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut flags = std::env::args().skip(1);
    let folder = flags.next().ok_or("usage: files FOLDER [LISTEN]")?;
    let listen = flags.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = files(folder.as_ref())?.bind(listen)?.run();
    println!("listening on http://{}/", server.addresses()[0]);
    Ok(server.await?)
}
