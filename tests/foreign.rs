//! Foreign clients against the examples: curl, Python's http.client, netcat and openssl, over loopback TCP; and a
//! foreign server, nginx, behind one.
//!
//! The rows are in `foreign/*.txt`, the Python cases in `foreign/client.py`. A test starts one server, tries every row
//! and reports by name those that failed. If a client is not installed, the test names its package and leaves its rows
//! out; if `CI` is set, that is a failure. Nothing here waits for time to pass: the limits that the clients get only
//! end a test that hangs.
//!
//! The notation of the rows: cells are separated by `|`; `BASE`, `HOST` and `PORT` in arguments become the server's;
//! `\r`, `\n`, `\t`, `\0`, `\xNN` are bytes, `{5*ab}` repeats, `{noise 5}` is that many bytes without a pattern; and in
//! what is received `...` is anything within one line.

#[path = "common/example.rs"]
mod example;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use common::eventually_blocking;
use example::example;

mod common;
#[cfg(feature = "rustls")]
#[path = "foreign/tls.rs"]
mod tls;

#[test]
fn curl() {
    check(
        &Server::workload(&[]),
        table(CURL, include_str!("foreign/curl.txt")),
    );
}

#[test]
fn curl_on_hello() {
    let server = Server::start(Command::new(example("hello")).arg("127.0.0.1:0"));
    let twice = ["-w", "[%{num_connects}]", "BASE/", "BASE/"];
    let upload = ["-w", "[%{http_code}]", "--data-binary", "@-", "BASE/"];
    let rows = [
        Row::new(
            "twice",
            CURL,
            &twice,
            "",
            "Hello, World![1]Hello, World![0]",
        ),
        Row::new(
            "an upload that nobody reads",
            CURL,
            &upload,
            "{noise 2097152}",
            "Hello, World![200]",
        ),
    ];
    check(&server, rows);
}

/// An actor that was there before answers at once, later, and from another thread.
#[test]
fn curl_on_actor_service() {
    let server = Server::start(Command::new(example("actor_service")).arg("127.0.0.1:0"));
    let rows = [
        Row::new("at once", CURL, &["-d", "5", "BASE/add"], "", "5\n"),
        Row::new("from another thread", CURL, &["BASE/square"], "", "25\n"),
        Row::new("later", CURL, &["BASE/later"], "", "5\n"),
        Row::new(
            "not a number",
            CURL,
            &["-d", "x", "BASE/add"],
            "",
            "not a number\n",
        ),
        Row::new("nowhere", CURL, &["BASE/"], "", "no such route\n"),
    ];
    report(rows.map(|row| row.tried(&server)));
}

/// What one client says, another that listens gets while its answer goes on. The answer ends well when the server does.
#[test]
fn curl_on_chat_feed() {
    if !CURL.is_here() {
        return;
    }
    let mut server = Server::start(Command::new(example("chat_feed")).arg("127.0.0.1:0"));
    let mut listener = std::net::TcpStream::connect(format!("127.0.0.1:{}", server.port))
        .expect("the server listens");
    listener
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("written");
    let mut lines = BufReader::new(listener).lines();
    let head = lines.next().expect("an answer").expect("text");
    assert_eq!(head, "HTTP/1.1 200 OK");
    let say = ["-w", "[%{http_code}]", "-d", "hi there", "BASE/"];
    report([Row::new("says", CURL, &say, "", "[204]").tried(&server)]);
    let mut lines = lines.map(|line| line.expect("text"));
    let passed_on = lines.find(|line| line.contains("hi there"));
    assert_eq!(passed_on.expect("it is passed on"), "1 127.0.0.1: hi there");
    assert!(server.signal("-TERM").success());
    assert_eq!(lines.collect::<Vec<_>>(), ["", "0", ""]);
}

/// The relay in front of a server of ours. What the rows say about bytes and connections is true through it too. The
/// boundaries of chunks mean nothing, and may move.
#[test]
fn curl_by_relay() {
    let behind = Server::workload(&[]);
    let rows = table(CURL, include_str!("foreign/curl.txt"));
    let rows = rows.filter(|row| row.name != "chunks as sent");
    check(&Server::relay(&behind.port), rows);
}

/// The relay in front of a server that others wrote.
#[test]
fn curl_by_relay_to_nginx() {
    if !NGINX.is_here() {
        return;
    }
    let nginx = Nginx::start();
    let upload = ["-w", "[%{http_code}]", "-T", "-", "BASE/file"];
    let again = ["-w", "[%{http_code} %{num_connects}]", "BASE/", "BASE/"];
    let rows = [
        Row::new("upload", CURL, &upload, "{noise 8388608}", "[201]"),
        Row::new("download", CURL, &["BASE/file"], "", "{noise 8388608}"),
        Row::new("a part", CURL, &["-r", "0-6", "BASE/file"], "", "{noise 7}"),
        Row::new(
            "nothing there",
            CURL,
            &["-o", "/dev/null", "-w", "[%{http_code}]", "BASE/nothing"],
            "",
            "[404]",
        ),
        Row::new("two of one", CURL, &again, "", "here[200 1]here[200 0]"),
    ];
    let server = Server::relay(&nginx.port);
    report(rows.map(|row| row.tried(&server)));
}

#[test]
fn python() {
    let cases = SCRIPT
        .lines()
        .filter_map(|line| line.strip_prefix("def case_")?.strip_suffix("():"));
    let rows: Vec<Row> = cases
        .map(|case| Row::new(case, PYTHON, &[case], "", ""))
        .collect();
    assert!(rows.len() > 10, "the cases are found by their names");
    check(&Server::workload(&[]), rows);
}

/// What netcat sends before it closes its sending side is answered to the last byte.
#[test]
fn netcat_that_closes_its_side() {
    check(
        &Server::workload(&[]),
        table(NETCAT, include_str!("foreign/netcat.txt")),
    );
}

/// One answer, and a close: whatever follows a refused message is not run.
#[test]
fn netcat_with_what_is_refused() {
    let rows = cells(include_str!("foreign/refusals.txt")).map(|[name, request, status]| {
        let requests = format!(r"{request}GET /204 HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = format!(
            r"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nDate: ...\r\n{}",
            r"Connection: close\r\nContent-Length: ...\r\n\r\n..."
        );
        Row::new(name, NETCAT, &["HOST", "PORT"], &requests, &answer)
    });
    check(&Server::workload(&[]), rows);
}

/// Uploads side by side, of two clients, each compared with what it sent.
#[test]
fn parallel_uploads() {
    let server = Server::workload(&["--workers", "2"]);
    let upload = ["-T", "-", "BASE/echo"];
    let rows: Vec<Row> = (0..4)
        .flat_map(|_| {
            [
                Row::new("curl", CURL, &upload, "{noise 2097152}", "{noise 2097152}"),
                Row::new("python", PYTHON, &["upload"], "", ""),
            ]
        })
        .collect();
    let server = &server;
    let tried: Vec<Tried> = std::thread::scope(|scope| {
        let all: Vec<_> = rows
            .iter()
            .map(|row| scope.spawn(|| row.tried(server)))
            .collect();
        all.into_iter()
            .map(|one| one.join().expect("no panic"))
            .collect()
    });
    report(tried);
}

#[test]
fn a_signal_ends_the_server_well() {
    for signal in ["-TERM", "-INT"] {
        let mut server = Server::workload(&[]);
        check(&server, []);
        assert_eq!(server.signal(signal).code(), Some(0), "{signal}");
    }
}

/// A reader that takes its time gets its answer whole after the signal, and only then the process ends.
#[test]
fn a_signal_lets_answers_finish() {
    const LENGTH: usize = 40_000_000;
    let mut server = Server::workload(&["--grace-ms", "60000"]);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port.parse::<u16>().expect("a port")))
        .expect("the server listens");
    write!(stream, "GET /bytes/{LENGTH} HTTP/1.1\r\nHost: a\r\n\r\n").expect("open");
    let mut first = [0; 1];
    stream.read_exact(&mut first).expect("an answer");
    let rest = std::thread::spawn(move || {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("no reset");
        rest
    });
    assert_eq!(server.signal("-TERM").code(), Some(0));
    let rest = rest.join().expect("no panic");
    let head = rest.windows(4).position(|window| window == b"\r\n\r\n");
    assert_eq!(rest.len() - head.expect("a head") - 4, LENGTH);
}

/// With more connections than descriptors the server keeps those that it has, and goes on when some are gone.
#[test]
fn out_of_descriptors() {
    const DESCRIPTORS: usize = 40;
    let limited = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" --max-connections 1000");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(limited).arg(example("workload"));
    let server = Server::start(&mut shell);
    let open = format!("/proc/{}/fd", server.process.id());
    let at = ("127.0.0.1", server.port.parse::<u16>().expect("a port"));
    let ask = |stream: &mut TcpStream| {
        write!(stream, "GET /204 HTTP/1.1\r\nHost: a\r\n\r\n").expect("open");
    };
    let answered = |stream: &mut TcpStream| {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            answer.extend(byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 204"));
    };
    let mut kept: Vec<_> = (0..60)
        .map(|_| {
            let mut stream = TcpStream::connect(at).expect("the backlog has room");
            let limit = Duration::from_secs(30);
            stream.set_read_timeout(Some(limit)).expect("a socket");
            ask(&mut stream);
            stream
        })
        .collect();
    let waiting = kept.split_off(20);
    kept.iter_mut().for_each(answered);
    eventually_blocking("a server without descriptors", || {
        std::fs::read_dir(&open).expect("it runs").count() >= DESCRIPTORS
    });
    for stream in &mut kept {
        ask(stream);
        answered(stream);
    }
    drop(kept);
    for mut stream in waiting {
        answered(&mut stream);
    }
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    for flags in [
        &["--unknown"][..],
        &["--port", "x"],
        &["--fallback-status", "500"],
    ] {
        let ended = workload(flags);
        assert_eq!(ended.status.code(), Some(2), "{flags:?}");
        assert!(
            ended.stdout.is_empty() && !ended.stderr.is_empty(),
            "{flags:?}"
        );
    }
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let server = Server::workload(&[]);
    let ended = workload(&["--port", &server.port]);
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && ended.stdout.is_empty(), "{told}");
    assert!(told.contains("AddrInUse"), "{told}");
}

/// A server that gets no descriptors for its workers ends with an error, and not by a panic.
#[test]
fn no_descriptors_for_the_workers() {
    let limited = "ulimit -n 40; exec \"$0\" --workers 12";
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(limited).arg(example("workload"));
    let ended = shell.output().expect("the example runs");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("Error: "), "{told}");
}

// Servers.

/// Runs workload with flags that end it.
fn workload(flags: &[&str]) -> Output {
    Command::new(example("workload"))
        .args(flags)
        .output()
        .expect("the example runs")
}

/// A server in a process of its own, killed when dropped.
struct Server {
    process: Child,
    scheme: &'static str,
    port: String,
    /// Open for as long as the server may print.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// A body that stops costs a failing row five seconds.
    fn workload(flags: &[&str]) -> Self {
        let always = ["--port", "0", "--body-timeout-ms", "5000"];
        Self::start(Command::new(example("workload")).args(always).args(flags))
    }

    /// Passes everything on to this port.
    fn relay(port: &str) -> Self {
        let behind = format!("http://127.0.0.1:{port}");
        Self::start(Command::new(example("relay")).args([&behind, "127.0.0.1:0"]))
    }

    /// Waits for the line that says where the server listens.
    fn start(command: &mut Command) -> Self {
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("text");
        let address = line
            .strip_prefix("listening on ")
            .expect("an address")
            .trim_end();
        let (_, port) = address
            .trim_end_matches('/')
            .rsplit_once(':')
            .expect("HOST:PORT");
        Self {
            process,
            scheme: "http",
            port: port.to_owned(),
            _stdout: stdout,
        }
    }

    fn signal(&mut self, signal: &str) -> ExitStatus {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill")
            .args([signal, &pid])
            .status()
            .expect("kill runs");
        assert!(sent.success());
        self.process.wait().expect("a child")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// nginx in a folder of its own, stopped when dropped.
struct Nginx {
    folder: PathBuf,
    port: String,
}

impl Nginx {
    /// Returns when it listens: that is when the first process of a daemon ends.
    fn start() -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("nginx-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("www")).expect("a folder");
        std::fs::write(folder.join("www/index.html"), "here").expect("a file");
        // It cannot pick a port by itself: this one was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port().to_string();
        drop(free);
        let settings = include_str!("foreign/nginx.conf").replace("PORT", &port);
        std::fs::write(folder.join("nginx.conf"), settings).expect("a file");
        let nginx = Self { folder, port };
        assert!(nginx.run(&[]).success());
        nginx
    }

    fn run(&self, args: &[&str]) -> ExitStatus {
        Command::new("nginx")
            .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(&self.folder)
            .args(args)
            .status()
            .expect("nginx runs")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.run(&["-s", "stop"]);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

// Clients.

/// A client program, the Debian package that has it, and what it is always told.
#[derive(Clone, Copy)]
struct Client {
    program: &'static str,
    package: &'static str,
    always: &'static [&'static str],
}

const CURL: Client = Client {
    program: "curl",
    package: "curl",
    always: &["--silent", "--show-error", "--max-time", "60"],
};
const PYTHON: Client = Client {
    program: "python3",
    package: "python3",
    always: &["-c", SCRIPT, "PORT"],
};
const NETCAT: Client = Client {
    program: "nc",
    package: "netcat-openbsd",
    always: &["-w", "60"],
};
/// Not a client, but missed in the same way.
const NGINX: Client = Client {
    program: "nginx",
    package: "nginx",
    always: &[],
};

const SCRIPT: &str = include_str!("foreign/client.py");

impl Client {
    /// Whether it can be run. On a machine that checks changes it must be.
    fn is_here(self) -> bool {
        let Self {
            program, package, ..
        } = self;
        let started = Command::new(program)
            .arg("-h")
            .stdin(Stdio::null())
            .output();
        let usable = started.is_ok_and(|help| program != "nc" || is_openbsd(&help));
        if !usable {
            assert!(
                std::env::var_os("CI").is_none(),
                "no usable {program}: install the Debian package {package}"
            );
            eprintln!("left out for want of {program}, which the Debian package {package} has");
        }
        usable
    }

    /// Runs it to its end, with this on its standard input.
    fn run(self, args: impl IntoIterator<Item = String>, stdin: &[u8]) -> Output {
        let Self {
            program, package, ..
        } = self;
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| {
            panic!("{program}: {error}; the Debian package {package} has it")
        });
        let mut pipe = process.stdin.take().expect("piped");
        std::thread::scope(|scope| {
            // A client that has heard enough closes its input early.
            scope.spawn(move || drop(pipe.write_all(stdin)));
            process.wait_with_output().expect("a child")
        })
    }
}

/// Another netcat cannot close its sending side alone.
fn is_openbsd(help: &Output) -> bool {
    String::from_utf8_lossy(&help.stderr).contains("OpenBSD")
}

// Rows.

/// One run of a client, which must end well.
struct Row {
    name: String,
    client: Client,
    args: Vec<String>,
    stdin: Vec<u8>,
    /// What is printed, in pieces around the places where anything may stand.
    stdout: Vec<Vec<u8>>,
}

/// What was wrong with a row.
type Tried = Result<(), String>;

impl Row {
    fn new(name: &str, client: Client, args: &[&str], stdin: &str, stdout: &str) -> Self {
        let args = client
            .always
            .iter()
            .chain(args)
            .map(ToString::to_string)
            .collect();
        let stdout = stdout.split("...").map(bytes).collect();
        Self {
            name: name.to_owned(),
            client,
            args,
            stdin: bytes(stdin),
            stdout,
        }
    }

    fn tried(&self, server: &Server) -> Tried {
        if !self.client.is_here() {
            return Ok(());
        }
        let base = format!("{}://127.0.0.1:{}", server.scheme, server.port);
        let args = self.args.iter().map(|arg| match arg.as_str() {
            "HOST" => "127.0.0.1".to_owned(),
            "PORT" => server.port.clone(),
            arg => arg.replace("BASE/", &format!("{base}/")),
        });
        let ended = self.client.run(args, &self.stdin);
        if ended.status.success() && matches(&self.stdout, &ended.stdout) {
            return Ok(());
        }
        let [stdout, stderr] = [&ended.stdout, &ended.stderr].map(|text| beginning(text));
        Err(format!(
            "{}: {}\n    stdout: {stdout}\n    stderr: {stderr}",
            self.name, ended.status
        ))
    }
}

fn beginning(text: &[u8]) -> String {
    let shown = text.len().min(250);
    format!("{} ({} bytes)", text[..shown].escape_ascii(), text.len())
}

/// Whether these are the pieces in order, with less than a line between one and the next.
fn matches(pieces: &[Vec<u8>], text: &[u8]) -> bool {
    let Some((first, pieces)) = pieces.split_first() else {
        return text.is_empty();
    };
    let Some(mut rest) = text.strip_prefix(&first[..]) else {
        return false;
    };
    for piece in pieces {
        let line = rest
            .iter()
            .position(|byte| b"\r\n".contains(byte))
            .unwrap_or(rest.len());
        let Some(behind) = rest[line..].strip_prefix(&piece[..]) else {
            return false;
        };
        rest = behind;
    }
    rest.is_empty()
}

/// Tries all rows on one server. That it still serves afterwards is one more.
fn check(server: &Server, rows: impl IntoIterator<Item = Row>) {
    report(
        rows.into_iter()
            .chain([goes_on(CURL)])
            .map(|row| row.tried(server)),
    );
}

fn goes_on(curl: Client) -> Row {
    Row::new(
        "the server goes on",
        curl,
        &["BASE/plaintext"],
        "",
        "Hello, World!",
    )
}

fn report(tried: impl IntoIterator<Item = Tried>) {
    let failed: Vec<String> = tried.into_iter().filter_map(Result::err).collect();
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

fn table(client: Client, text: &str) -> impl Iterator<Item = Row> {
    cells(text).map(move |[name, args, stdin, stdout]| {
        let args: Vec<&str> = args.split_whitespace().collect();
        Row::new(name, client, &args, stdin, stdout)
    })
}

fn cells<const N: usize>(text: &str) -> impl Iterator<Item = [&str; N]> {
    let rows = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        cells
            .try_into()
            .unwrap_or_else(|_| panic!("{line}: not {N} cells"))
    })
}

/// The bytes that a cell stands for.
fn bytes(cell: &str) -> Vec<u8> {
    let Some((before, rest)) = cell.split_once('{') else {
        return unescaped(cell);
    };
    let (inside, behind) = rest.split_once('}').expect("a closing brace");
    let middle = match inside.split_once('*') {
        Some((count, text)) => unescaped(text).repeat(count.parse().expect("a count")),
        None => noise(
            inside
                .strip_prefix("noise ")
                .and_then(|n| n.parse().ok())
                .expect("a length"),
        ),
    };
    [unescaped(before), middle, bytes(behind)].concat()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (byte, length) = match part.as_bytes().first() {
            Some(b'r') => (b'\r', 1),
            Some(b'n') => (b'\n', 1),
            Some(b't') => (b'\t', 1),
            Some(b'0') => (0, 1),
            Some(b'x') => (u8::from_str_radix(&part[1..3], 16).expect("two digits"), 3),
            _ => panic!("{part}: not an escape"),
        };
        bytes.push(byte);
        bytes.extend_from_slice(&part.as_bytes()[length..]);
    }
    bytes
}

/// The same in every run (xorshift64).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}
