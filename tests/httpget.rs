//! The example `httpget`, run against a server of ours: what it writes where, and how it exits.

#[path = "common/example.rs"]
mod example;

use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use example::example;
use http_actors::{Headers, HttpRequest, HttpServer, Payload, Responder, Running, StatusCode};

/// Answers by path.
#[derive(Default)]
struct Service {
    /// Those that get no answer.
    waiting: Vec<Responder>,
}

impl Actor for Service {
    type Context = Context<Self>;
}

impl Handler<HttpRequest> for Service {
    type Result = ();

    fn handle(
        &mut self,
        HttpRequest {
            request, responder, ..
        }: HttpRequest,
        ctx: &mut Self::Context,
    ) {
        let ok = || Payload::response(StatusCode::OK).header("X-A", "b");
        let answer = match request.path() {
            "/hello" => ok().body("hello\n"),
            "/agent" => ok().body(
                request
                    .headers()
                    .text("user-agent")
                    .unwrap_or("none")
                    .to_owned(),
            ),
            "/echo" => {
                let chunked = request.headers().contains("transfer-encoding");
                let body = request.body_bytes().escape_ascii();
                ok().body(format!("{} {chunked} {body}\n", request.method()))
            }
            "/go" => Payload::response(StatusCode::FOUND)
                .header("Location", "/hello#there")
                .body("go\n"),
            "/again" => Payload::response(StatusCode::TEMPORARY_REDIRECT)
                .header("Location", "/echo")
                .body("again\n"),
            "/round" => Payload::response(StatusCode::FOUND).header("Location", "/round"),
            "/never" => return self.waiting.push(responder),
            "/cut" | "/trailers" => {
                let cut = request.path() == "/cut";
                let sending = async move {
                    responder.inform(
                        Payload::response(StatusCode::from_u16(103).expect("a status"))
                            .header("X-Early", "1"),
                    );
                    let mut body = responder.stream(ok().chunked()).await.expect("a head");
                    body.send("abc").await.expect("room");
                    if cut {
                        return;
                    }
                    let mut trailers = Headers::new();
                    trailers.append("X-Late", "1").expect("a field");
                    body.finish_with(trailers).await.expect("the end");
                };
                ctx.spawn(sending.into_actor(self));
                return;
            }
            "/endless" => {
                let sending = async move {
                    let mut body = responder.stream(ok().chunked()).await.expect("a head");
                    while body
                        .send(Bytes::from_static(&[b'x'; 1 << 14]))
                        .await
                        .is_ok()
                    {}
                };
                ctx.spawn(sending.into_actor(self));
                return;
            }
            _ => Payload::response(StatusCode::NOT_FOUND).body("not here\n"),
        };
        drop(responder.respond(answer));
    }
}

/// A server, and its URL.
fn serve() -> (Running, String) {
    let service = Service::default().start();
    let running = HttpServer::to_actor(service.recipient())
        .workers(1)
        .signals(false)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let base = format!("http://{}", running.addresses()[0]);
    (running, base)
}

/// `httpget` with these arguments, in which `BASE` is the URL of the server.
fn command(arguments: &str, base: &str) -> Command {
    let mut command = Command::new(example("httpget"));
    command
        .args(arguments.replace("BASE", base).split_whitespace())
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .env_remove("all_proxy")
        .env_remove("ALL_PROXY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn run(arguments: &str, base: &str, stdin: &'static str) -> Output {
    let mut command = command(arguments, base);
    actix_rt::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("it runs");
        let mut input = child.stdin.take().expect("piped");
        // It may not want to read it.
        drop(input.write_all(stdin.as_bytes()));
        drop(input);
        child.wait_with_output().expect("it ends")
    })
    .await
    .expect("no panic")
}

/// Arguments and stdin; stdout, stderr (`*` is the rest of a line) and exit code. BASE is the server, FILE the name of
/// a file, REPORT how a report begins, and WHOLE the report of `/hello`.
#[rustfmt::skip]
const RUNS: [(&str, &str, &str, &str, i32); 27] = [
    ("BASE/hello", "", "hello\n", "", 0),
    ("BASE/agent", "", concat!("httpget/", env!("CARGO_PKG_VERSION")), "", 0),
    ("BASE/hello BASE/nowhere BASE/hello", "", "hello\nnot here\nhello\n", "", 0),
    ("--report BASE/hello", "", "hello\n", "WHOLE", 0),
    ("--report BASE/trailers", "", "abc", "REPORTheader: Transfer-Encoding: chunked\n", 0),
    ("--report BASE/cut BASE/hello", "", "hello\n", "status: error\n*\nWHOLE", 1),
    ("BASE/cut", "", "", "httpget: BASE/cut: *\n", 1),
    ("--report http://127.0.0.1:1/ BASE/hello", "", "hello\n", "status: error\n*\nWHOLE", 1),
    ("--report nonsense", "", "", "status: error\n*\n", 1),
    ("--report https://127.0.0.1/", "", "", "status: error\n*\n", 1),
    ("--report --timeout 0.05 BASE/never", "", "", "status: error\n*timed out\n", 1),
    ("--timeout 20.5 BASE/hello", "", "hello\n", "", 0),
    ("-X PUT BASE/echo BASE/echo", "", "PUT false \nGET false \n", "", 0),
    ("-X HEAD BASE/hello -X POST BASE/echo", "", "POST false \n", "", 0),
    ("--data-file FILE -X GET BASE/echo BASE/echo", "", "GET false \nPOST false from a file\n", "", 0),
    ("--data-file FILE -X DELETE BASE/echo -X PUT BASE/echo", "",
     "DELETE false from a file\nPUT false from a file\n", "", 0),
    ("--data-file - BASE/echo", "piped", "POST true piped\n", "", 0),
    ("--data-file - BASE/echo BASE/echo", "piped",
     "POST true piped\n", "httpget: BASE/echo: stdin was sent already\n", 1),
    ("--data-file /nowhere/at/all BASE/echo BASE/hello", "", "", "httpget: *\nhttpget: *\n", 1),
    ("BASE/go", "", "go\n", "", 0),
    ("-L BASE/go", "", "hello\n", "", 0),
    ("-L --data-file FILE -X PUT BASE/again BASE/go", "", "PUT false from a file\nhello\n", "", 0),
    ("-L --data-file - BASE/again", "piped", "again\n", "", 0),
    ("-L BASE/round", "", "", "httpget: BASE/round: more redirects than `ClientBuilder::redirects` allows\n", 1),
    ("--delay-ms 10 BASE/hello BASE/hello", "", "hello\nhello\n", "", 0),
    ("-o FILE.out BASE/hello BASE/hello", "", "", "", 0),
    ("--proxy BASE http://a.test/hello", "", "hello\n", "", 0),
];

#[actix::test]
async fn what_it_writes_and_how_it_exits() {
    let (_running, base) = serve();
    let file = std::env::temp_dir().join(format!("httpget-{}", std::process::id()));
    std::fs::write(&file, "from a file").expect("written");
    let name = file.to_str().expect("a name").to_owned();
    let named = |text: &str| {
        text.replace("WHOLE", "REPORTheader: Content-Length: 6\n")
            .replace("REPORT", "status: 200\nheader: X-A: b\nheader: Date: *\n")
            .replace("BASE", &base)
            .replace("FILE", &name)
    };
    for (arguments, stdin, stdout, stderr, code) in RUNS {
        let arguments = named(arguments);
        let output = run(&arguments, &base, stdin).await;
        let told = String::from_utf8_lossy(&output.stderr);
        let mut written = String::from_utf8_lossy(&output.stdout).into_owned();
        if arguments.contains("/cut") {
            // The reset may overtake what was sent before it.
            written = written.replace("abc", "");
        }
        assert_eq!(written, stdout, "{arguments}: {told}");
        assert!(matches(&named(stderr), &told), "{arguments}: {told}");
        assert_eq!(output.status.code(), Some(code), "{arguments}: {told}");
    }
    let written = std::fs::read_to_string(format!("{name}.out")).expect("it was written");
    assert_eq!(written, "hello\nhello\n");
    for file in [name.clone(), name + ".out"] {
        std::fs::remove_file(file).expect("it is there");
    }
}

/// Line by line; the rest of a line after `*` is looked for at its end.
fn matches(pattern: &str, text: &str) -> bool {
    let line = |(pattern, text): (&str, &str)| match pattern.split_once('*') {
        Some((start, end)) => text.starts_with(start) && text.ends_with(end),
        None => pattern == text,
    };
    pattern.lines().count() == text.lines().count() && pattern.lines().zip(text.lines()).all(line)
}

#[actix::test]
async fn wrong_usage() {
    for arguments in [
        "",
        "-X GET -X GET BASE/hello",
        "-X G,T BASE/hello",
        "--timeout soon BASE/hello",
        "--timeout -1 BASE/hello",
        "--proxy gopher://a BASE/hello",
        "--cacert /nowhere/at/all BASE/hello",
        "-o /nowhere/at/all BASE/hello",
    ] {
        let output = run(arguments, "http://127.0.0.1:1", "").await;
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{arguments}"
        );
    }
}

/// Bodies are there as they arrive; a reader that goes ends it, without a panic.
#[actix::test]
async fn a_broken_pipe() {
    let (_running, base) = serve();
    let mut command = command("BASE/endless BASE/hello", &base);
    let (code, told) = actix_rt::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("it runs");
        let mut stdout = child.stdout.take().expect("piped");
        stdout.read_exact(&mut [0; 1000]).expect("as it arrives");
        drop(stdout);
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), told)
    })
    .await
    .expect("no panic");
    assert_eq!(code, Some(1), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}

/// The time of an exchange runs out also where nobody reads the body.
#[actix::test]
async fn a_body_that_nobody_reads() {
    let (_running, base) = serve();
    let mut command = command("--timeout 0.2 --report BASE/endless", &base);
    let mut child = command.spawn().expect("it runs");
    let unread = child.stdout.take();
    let ended = actix_rt::task::spawn_blocking(move || child.wait_with_output());
    let output = tokio::time::timeout(Duration::from_secs(20), ended).await;
    drop(unread);
    let output = output.expect("in time").expect("no panic").expect("it ran");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(matches("status: error\n*timed out", &told), "{told}");
    assert_eq!(output.status.code(), Some(1));
}
