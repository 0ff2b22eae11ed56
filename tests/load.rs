//! The example `load`, run against a server of ours: what it asks, what it says of it, and how it exits.

#[path = "common/example.rs"]
mod example;

use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::Addr;
use example::example;
use http_actors::{
    HttpHandler, HttpServer, HttpSession, Payload, Running, SessionContext, StatusCode,
};

/// Answers each request with five bytes; every tenth gets a 503.
struct Service(Arc<AtomicU64>);

impl HttpHandler for Service {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        let nth = self.0.fetch_add(1, Ordering::Relaxed);
        let status = if request.path() == "/some" && nth % 10 == 9 {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        session.respond(Payload::response(status).body("hello"));
    }
}

fn serve() -> (Running, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let server =
        HttpServer::new(move |_session: Addr<HttpSession>| Service(Arc::clone(&count))).workers(1);
    (server.bind("127.0.0.1:0").expect("binds").run(), asked)
}

async fn load(server: &Running, path: &str, flags: &[&str]) -> (Output, String) {
    let mut command = Command::new(example("load"));
    let url = format!("http://{}{path}", server.addresses()[0]);
    command
        .args(["--url", &url, "--requests", "500"])
        .args(flags);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("it runs");
    let line = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    (output, line)
}

/// The value of a key in one flat object.
fn value<'a>(line: &'a str, key: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!("\"{key}\":")).expect(key);
    rest.split([',', '}']).next().expect("a value")
}

#[actix::test]
async fn asks_as_often_as_it_is_told() {
    let (server, asked) = serve();
    let ways: [&[&str]; 4] = [
        &[],
        &["--concurrency", "3", "--warmup", "70"],
        &["--concurrency", "600"],
        &["--pipeline", "16", "--concurrency", "4"],
    ];
    for flags in ways {
        asked.store(0, Ordering::Relaxed);
        let (output, line) = load(&server, "/", flags).await;
        let warmup = if flags.contains(&"--warmup") { 70 } else { 0 };
        assert!(output.status.success(), "{flags:?}: {output:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 500 + warmup, "{flags:?}");
        assert_eq!(value(&line, "requests"), "500", "{flags:?}");
        assert_eq!(value(&line, "bytes"), "2500", "{flags:?}");
        assert_eq!(value(&line, "errors"), "0", "{flags:?}");
        let micros = |key| value(&line, key).parse::<u32>().expect("a number");
        assert!(micros("p50_us") <= micros("p99_us"), "{line}");
        for key in ["secs", "rps", "mib_s"] {
            let number = value(&line, key).parse::<f64>().expect("a number");
            assert!(number > 0.0, "{key} of {line}");
        }
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[actix::test]
async fn asks_through_a_client() {
    let (server, asked) = serve();
    let (output, line) = load(&server, "/", &["--client"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 500);
    assert_eq!(value(&line, "bytes"), "2500");
}

#[actix::test]
async fn counts_what_failed() {
    let (server, asked) = serve();
    for flags in [&["--concurrency", "5"][..], &["--client"]] {
        asked.store(0, Ordering::Relaxed);
        let (output, line) = load(&server, "/some", flags).await;
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 500, "{flags:?}");
        assert_eq!(value(&line, "errors"), "50", "{flags:?}");
        assert_eq!(value(&line, "bytes"), "2250", "{flags:?}");
    }
}

#[test]
fn counts_what_could_not_be_sent() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = nobody.local_addr().expect("an address").port();
    drop(nobody);
    let url = format!("http://127.0.0.1:{port}/");
    let output = Command::new(example("load"))
        .args(["--url", &url, "--requests", "40"])
        .output()
        .expect("it runs");
    let line = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(value(&line, "errors"), "40");
}
