//! The example `files`: what each request gets, which names lead nowhere, and what becomes of a file that shrinks.

#[path = "../examples/files/main.rs"]
#[allow(dead_code, reason = "it has a `main` of its own")]
mod example;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_actors::Running;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A folder beside a secret, both removed with it, and a server of it.
struct Served {
    above: PathBuf,
    root: PathBuf,
    _server: Running,
    address: SocketAddr,
}

impl Served {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("http-actors-files-{}-{next}", std::process::id());
        let above = std::env::temp_dir().join(name);
        let root = above.join("root");
        fs::create_dir_all(&root).expect("a folder");
        let server = example::files(&root).expect("a folder").signals(false);
        let server = server.workers(1).bind("127.0.0.1:0").expect("a port").run();
        let address = server.addresses()[0];
        Self {
            above,
            root,
            _server: server,
            address,
        }
    }

    /// A file that was changed at this time.
    fn write(&self, name: &str, data: impl AsRef<[u8]>, changed: SystemTime) -> File {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, data).expect("a file");
        let file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .expect("a file");
        file.set_modified(changed).expect("a time");
        file
    }

    /// Sends a head, in which a `\n` is a line end, and reads the answer to the end of the connection.
    async fn ask(&self, head: &str) -> (String, Vec<u8>) {
        let (target, fields) = head.split_once('\n').unwrap_or((head, "Accept: */*"));
        let fields = fields.replace('\n', "\r\n");
        let head = format!("{target} HTTP/1.1\r\nHost: f\r\nConnection: close\r\n{fields}\r\n\r\n");
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(head.as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an end");
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a head");
        let body = answer.split_off(end + 4);
        (String::from_utf8(answer).expect("text"), body)
    }

    /// Asks for each row, and names those that got something else: in the head each of these, and this body.
    async fn check(&self, rows: &[Row<'_>]) {
        let mut wrong = Vec::new();
        for &(request, expected, body) in rows {
            let (head, got) = self.ask(request).await;
            let seen = expected.split('|').all(|part| head.contains(part));
            if !seen || body.is_some_and(|body| body.as_bytes() != got) {
                let got = String::from_utf8_lossy(&got);
                wrong.push(format!(
                    "{request:?}: {expected}, {body:?}, but\n{head}{got}"
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.above);
    }
}

/// A request, parts of the head of the answer between `|`, and the body.
type Row<'a> = (&'a str, &'a str, Option<&'a str>);

/// Sun, 06 Nov 1994 08:49:37 GMT
fn long_ago() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

const TAG: &str = "ETag: \"a-2ebc98a1-0\"";

#[actix::test]
async fn names() {
    let served = Served::new();
    served.write("a.txt", "0123456789", long_ago());
    served.write("site/index.html", "<p>", long_ago());
    served.write("sub/data", "?", long_ago());
    served.write("sub/ünï & <b>.svg", "<svg/>", long_ago());
    served.write(".well-known/x", "known", long_ago());
    served.check(&[
        ("GET /a.txt", "HTTP/1.1 200 |Content-Type: text/plain; charset=utf-8\r\n|Content-Length: 10\r\n|Accept-Ranges: bytes|Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT|nosniff", Some("0123456789")),
        ("GET /a.txt", TAG, None),
        ("HEAD /a.txt", "HTTP/1.1 200 |Content-Length: 10\r\n|Content-Type: text/plain", Some("")),
        ("GET /a%2etxt?v=1", "HTTP/1.1 200 ", Some("0123456789")),
        ("GET /site/", "HTTP/1.1 200 |Content-Type: text/html; charset=utf-8", Some("<p>")),
        ("GET /sub", "HTTP/1.1 301 |Location: /sub/\r\n", None),
        ("GET /sub?x=1", "HTTP/1.1 301 |Location: /sub/?x=1\r\n", None),
        ("GET /sub/data", "Content-Type: application/octet-stream\r\n", Some("?")),
        ("GET /sub/%C3%BCn%c3%af%20%26%20%3Cb%3E.svg", "Content-Type: image/svg+xml\r\n", Some("<svg/>")),
        ("GET /.well-known/x", "HTTP/1.1 200 ", Some("known")),
        ("GET /b.txt", "HTTP/1.1 404 ", None),
        ("HEAD /b.txt", "HTTP/1.1 404 |Content-Length: 14\r\n", Some("")),
        ("POST /a.txt\nContent-Length: 0", "HTTP/1.1 405 |Allow: GET, HEAD\r\n", None),
        ("DELETE /b.txt", "HTTP/1.1 405 |Allow: GET, HEAD\r\n", None),
        ("OPTIONS *", "HTTP/1.1 405 |Allow: GET, HEAD\r\n", None),
    ]).await;
}

/// What is outside, hidden, a link or no file is not here, however it is written.
#[actix::test]
async fn ways_out() {
    let served = Served::new();
    fs::write(served.above.join("secret"), "secret").expect("a file");
    served.write("a.txt", "a", long_ago());
    served.write("sub/a.txt", "a", long_ago());
    served.write(".hidden", "secret", long_ago());
    served.write(".git/config", "secret", long_ago());
    for (name, to) in [
        ("out", "../secret"),
        ("up", ".."),
        ("link", "a.txt"),
        ("sub/index.html", "../../secret"),
    ] {
        symlink(to, served.root.join(name)).expect("a link");
    }
    let fifo = Command::new("mkfifo")
        .arg(served.root.join("fifo"))
        .status();
    assert!(fifo.expect("mkfifo is here").success());
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/.%2E/secret",
        "/%2e%2e%2fsecret",
        "/sub/../../secret",
        "/sub/%2e%2e/%2e%2e/secret",
        "/sub%2fa.txt",
        "/sub/./a.txt",
        "/..%5csecret",
        "/sub%5C..%5c..%5csecret",
        "/a.txt%00",
        "/%00",
        "/a.txt/",
        "/a.txt/..",
        "//a.txt",
        "/sub//a.txt",
        "//",
        "/out",
        "/up/secret",
        "/up/",
        "/link",
        "/.hidden",
        "/.git/config",
        "/.",
        "/..",
        "/fifo",
        "/%zz",
        "/%ff%fe",
        &format!("/{}", "x".repeat(300)),
    ] {
        let (head, body) = served.ask(&format!("GET {path}")).await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
        assert_eq!(body, b"404 Not Found\n", "{path}");
    }
    let (head, body) = served.ask("GET /sub\\..\\..\\secret").await;
    assert!(head.starts_with("HTTP/1.1 40"), "{head}");
    assert!(!body.ends_with(b"secret"));
    // The page that is a link is not the page of its folder, and nothing that is refused is listed.
    let (head, body) = served.ask("GET /sub/").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let body = String::from_utf8(body).expect("text");
    assert!(
        body.contains("a.txt") && !body.contains("index.html"),
        "{body}"
    );
    let (_, body) = served.ask("GET /").await;
    let body = String::from_utf8(body).expect("text");
    let links: Vec<&str> = body
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(links, ["sub/", "a.txt"]);
}

#[actix::test]
async fn folders() {
    let served = Served::new();
    served.write("b:c?#%.txt", vec![b'x'; 1536], long_ago());
    served.write("A \"quoted\" <script>&'.txt", "", long_ago());
    served.write("zoo/x", "", long_ago());
    let (head, body) = served.ask("GET /").await;
    assert!(
        head.contains("Content-Type: text/html; charset=utf-8\r\n"),
        "{head}"
    );
    let body = String::from_utf8(body).expect("text");
    let rows: Vec<&str> = body
        .lines()
        .filter(|line| line.starts_with("<tr>"))
        .collect();
    assert!(
        rows[0].starts_with("<tr><td><a href=\"zoo/\">zoo/</a>"),
        "{rows:?}"
    );
    assert_eq!(
        rows[1..],
        [
            "<tr><td><a href=\"A%20%22quoted%22%20%3Cscript%3E%26%27.txt\">A &quot;quoted&quot; &lt;script&gt;&amp;'.txt</a><td>0 B<td>06 Nov 1994 08:49",
            "<tr><td><a href=\"b%3Ac%3F%23%25.txt\">b:c?#%.txt</a><td>1.5 KiB<td>06 Nov 1994 08:49",
        ]
    );
    let (again, none) = served.ask("HEAD /").await;
    assert!(
        again.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{again}"
    );
    assert!(none.is_empty());
    let (_, body) = served.ask("GET /zoo/").await;
    assert!(String::from_utf8_lossy(&body).contains("<a href=\"../\">"));
    // Each link leads to its file.
    served
        .check(&[("GET /b%3Ac%3F%23%25.txt", "Content-Length: 1536\r\n", None)])
        .await;
    // No time of a file spoils the page. Some file systems store times after the year 9999, for example tmpfs.
    served.write("far", "", UNIX_EPOCH + Duration::from_secs(300_000_000_000));
    served
        .check(&[
            ("GET /", "HTTP/1.1 200 OK\r\n", None),
            ("GET /far", "HTTP/1.1 200 OK\r\n", None),
        ])
        .await;
}

/// RFC 9110 section 14.
#[actix::test]
async fn ranges() {
    let served = Served::new();
    served.write("a", "0123456789", long_ago());
    served.write("empty", "", long_ago());
    let ranges = [
        ("bytes=0-3", Some((0, 3))),
        ("bytes=0-0", Some((0, 0))),
        ("bytes=7-", Some((7, 9))),
        ("bytes=0-", Some((0, 9))),
        ("bytes=9-9", Some((9, 9))),
        ("bytes=5-99", Some((5, 9))),
        ("bytes=5-99999999999999999999999", Some((5, 9))),
        ("bytes=5-18446744073709551615", Some((5, 9))),
        ("bytes=-3", Some((7, 9))),
        ("bytes=-99", Some((0, 9))),
        ("BYTES=1-2", Some((1, 2))),
        ("bytes= 1-2 ,", Some((1, 2))),
        // Not understood, or not served: ignored.
        ("bytes=3-1", None),
        ("bytes=a-b", None),
        ("bytes=+1-2", None),
        ("bytes=1-2-3", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes", None),
        ("lines=1-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=1-2\nRange: bytes=3-4", None),
    ];
    for (range, expected) in ranges {
        let request = format!("GET /a\nRange: {range}");
        let (head, body) = match expected {
            None => (
                "HTTP/1.1 200 |Content-Length: 10\r\n".to_owned(),
                "0123456789",
            ),
            Some((first, last)) => (
                format!(
                    "HTTP/1.1 206 |Content-Range: bytes {first}-{last}/10\r\n|{TAG}|Content-Length: {}\r\n",
                    last - first + 1
                ),
                &"0123456789"[first..=last],
            ),
        };
        served.check(&[(&request, &head, Some(body))]).await;
    }
    for range in [
        "bytes=10-",
        "bytes=10-11",
        "bytes=-0",
        "bytes=99999999999999999999999-",
    ] {
        let request = format!("GET /a\nRange: {range}");
        served
            .check(&[(
                &request,
                "HTTP/1.1 416 |Content-Range: bytes */10\r\n",
                None,
            )])
            .await;
    }
    served
        .check(&[
            (
                "HEAD /a\nRange: bytes=0-3",
                "HTTP/1.1 200 |Content-Length: 10\r\n",
                Some(""),
            ),
            (
                "GET /empty\nRange: bytes=-5",
                "HTTP/1.1 200 |Content-Length: 0\r\n",
                Some(""),
            ),
            (
                "GET /empty\nRange: bytes=0-",
                "HTTP/1.1 416 |Content-Range: bytes */0\r\n",
                None,
            ),
            // RFC 9110 section 13.1.5: the part of another version is of no use.
            (
                "GET /a\nRange: bytes=0-3\nIf-Range: \"a-2ebc98a1-0\"",
                "HTTP/1.1 206 ",
                Some("0123"),
            ),
            (
                "GET /a\nRange: bytes=0-3\nIf-Range: W/\"a-2ebc98a1-0\"",
                "HTTP/1.1 200 ",
                None,
            ),
            (
                "GET /a\nRange: bytes=0-3\nIf-Range: \"other\"",
                "HTTP/1.1 200 ",
                None,
            ),
            (
                "GET /a\nRange: bytes=0-3\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT",
                "HTTP/1.1 206 ",
                Some("0123"),
            ),
            (
                "GET /a\nRange: bytes=0-3\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT",
                "HTTP/1.1 200 ",
                None,
            ),
            (
                "GET /a\nRange: bytes=99-\nIf-Range: \"other\"",
                "HTTP/1.1 200 ",
                None,
            ),
            (
                "GET /a\nRange: bytes=0-3\nIf-None-Match: *",
                "HTTP/1.1 304 ",
                Some(""),
            ),
        ])
        .await;
}

/// RFC 9110 section 13.
#[actix::test]
async fn preconditions() {
    let served = Served::new();
    served.write("a", "0123456789", long_ago());
    for (fields, status) in [
        ("If-None-Match: \"a-2ebc98a1-0\"", 304),
        ("If-None-Match: W/\"a-2ebc98a1-0\"", 304),
        ("If-None-Match: \"x,y\", \"a-2ebc98a1-0\"", 304),
        ("If-None-Match: \"x\"\nIf-None-Match: \"a-2ebc98a1-0\"", 304),
        ("If-None-Match: *", 304),
        ("If-None-Match: \"x\"", 200),
        ("If-None-Match: a-2ebc98a1-0", 200),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("If-Modified-Since: Sunday, 06-Nov-94 08:49:38 GMT", 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("If-Modified-Since: yesterday", 200),
        // The tag says more than the time.
        (
            "If-None-Match: \"x\"\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            200,
        ),
        ("If-Match: \"a-2ebc98a1-0\"", 200),
        ("If-Match: *", 200),
        ("If-Match: W/\"a-2ebc98a1-0\"", 412),
        ("If-Match: \"x\"\nIf-None-Match: \"a-2ebc98a1-0\"", 412),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 412),
        (
            "If-Match: *\nIf-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
            200,
        ),
    ] {
        for method in ["GET", "HEAD"] {
            let request = format!("{method} /a\n{fields}");
            let status = format!("HTTP/1.1 {status} ");
            served.check(&[(&request, &status, None)]).await;
        }
    }
    served
        .check(&[
            (
                "GET /a\nIf-None-Match: *",
                "HTTP/1.1 304 |ETag: \"a-2ebc98a1-0\"\r\n|Last-Modified: Sun, 06 Nov 1994",
                Some(""),
            ),
            ("GET /none\nIf-Match: *", "HTTP/1.1 404 ", None),
        ])
        .await;
    // Of a file that was changed just now, or will be, nothing is promised.
    let soon = SystemTime::now() + Duration::from_secs(3600);
    served.write("a", "0123456789", soon);
    let (head, _) = served.ask("GET /a").await;
    let field = |name| {
        head.lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("a field")
    };
    let (tag, date) = (field("ETag: "), field("Last-Modified: "));
    assert_eq!(date, field("Date: "));
    assert!(tag.starts_with("W/\""), "{tag}");
    let strong = tag.trim_start_matches("W/");
    for (fields, status) in [
        (format!("If-None-Match: {tag}"), 304),
        (format!("If-Match: {strong}"), 412),
        (format!("Range: bytes=0-3\nIf-Range: {strong}"), 200),
        (format!("Range: bytes=0-3\nIf-Range: {date}"), 200),
    ] {
        let status = format!("HTTP/1.1 {status} ");
        served
            .check(&[(&format!("GET /a\n{fields}"), &status, None)])
            .await;
    }
}

/// More than 4 GiB, most of it a hole.
#[actix::test]
async fn a_long_file() {
    let served = Served::new();
    let file = served.write("long", "", long_ago());
    file.set_len(5 << 30).expect("a hole");
    file.write_all_at(b"here", (9 << 29) + 1).expect("room");
    served
        .check(&[
            ("HEAD /long", "Content-Length: 5368709120\r\n", Some("")),
            (
                "GET /long\nRange: bytes=4831838209-4831838212",
                "Content-Range: bytes 4831838209-4831838212/5368709120\r\n",
                Some("here"),
            ),
            (
                "GET /long\nRange: bytes=-2",
                "Content-Range: bytes 5368709118-5368709119/5368709120\r\n",
                Some("\0\0"),
            ),
        ])
        .await;
}

/// A file that shrinks while it is sent, and one that grows.
#[actix::test]
async fn a_file_that_changes() {
    let served = Served::new();
    let length = 64 << 20;
    for (to, is_whole) in [(length / 2, false), (length + 1, true)] {
        let file = served.write("a", "", long_ago());
        file.set_len(length).expect("a hole");
        let mut stream = TcpStream::connect(served.address)
            .await
            .expect("it listens");
        stream
            .write_all(b"GET /a HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n")
            .await
            .expect("it reads");
        let mut answer = vec![0; 1000];
        stream.read_exact(&mut answer).await.expect("a beginning");
        file.set_len(to).expect("a length");
        let end = stream.read_to_end(&mut answer).await;
        let head = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a head")
            + 4;
        assert!(String::from_utf8_lossy(&answer[..head]).contains("Content-Length: 67108864\r\n"));
        assert_eq!((answer.len() - head) as u64 == length, is_whole, "{end:?}");
        assert_eq!(end.is_ok(), is_whole, "a reset: {end:?}");
    }
}

/// curl goes on where a download was cut, and what it then has is the file.
#[actix::test]
async fn curl_goes_on() {
    let served = Served::new();
    // Nothing repeats at the border of a piece.
    let data: Vec<u8> = (0..3_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    served.write("data", &data, long_ago());
    let part = served.above.join("part");
    let (_, begun) = served.ask("GET /data\nRange: bytes=0-1234567").await;
    fs::write(&part, &begun).expect("a file");
    let url = format!("http://{}/data", served.address);
    let curl = |flags: &'static [&str]| {
        let (url, part) = (url.clone(), part.clone());
        let run = move || {
            Command::new("curl")
                .args(["-sSf", "-m", "30"])
                .args(flags)
                .arg("-o")
                .arg(part)
                .arg(url)
                .status()
        };
        actix_rt::task::spawn_blocking(run)
    };
    let Ok(status) = curl(&["-C", "-"]).await.expect("no panic") else {
        assert!(std::env::var_os("CI").is_none(), "no curl");
        return eprintln!("left out for want of curl");
    };
    assert!(status.success());
    assert!(fs::read(&part).expect("a file") == data);
    let status = curl(&["--range", "999990-1000009"])
        .await
        .expect("no panic")
        .expect("it runs");
    assert!(status.success());
    assert_eq!(fs::read(&part).expect("a file"), data[999_990..1_000_010]);
}
