//! Restarts under load: behind `HAProxy` and nginx, on an inherited socket, and on a shared port.
//!
//! Servers are processes of the example `workload`. The load is a number of clients, each with one request at a time,
//! GET and POST in turn. A request that was begun and has no answer 200 is lost. The configurations of the balancers
//! (`foreign/haproxy.cfg`, `foreign/nginx-balancer.conf`) are those in `docs/deploying.md`.
//!
//! The ignored tests print the figures of that page: `cargo test --test deploy -- --ignored --nocapture`.

#[path = "common/example.rs"]
mod example;

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use example::example;
use socket2::{Domain, Socket, Type};

/// Three servers drain in turn while requests and slow uploads go on: nothing is lost.
#[test]
fn rolling_restart_behind_haproxy() {
    if !is_here("haproxy") {
        return;
    }
    let rolled = roll(&HAPROXY, 1, 8, "-TERM");
    assert!(rolled.is_whole(), "{rolled}");
}

#[test]
fn rolling_restart_behind_nginx() {
    if !is_here("nginx") {
        return;
    }
    let rolled = roll(&NGINX, 1, 8, "-TERM");
    assert!(rolled.is_whole(), "{rolled}");
}

/// A client that connects when no server is there is served by the next one, and two servers at once lose nothing.
#[test]
fn the_next_process_takes_the_socket() {
    let passed = pass_on(20);
    assert!(passed.is_whole(), "{passed}");
}

/// A process that comes takes the port of one that goes.
#[test]
fn the_next_process_shares_the_port() {
    let shared = share(20, "-TERM");
    assert!(shared.is_whole(), "{shared}");
}

#[test]
#[ignore = "figures, for a machine with nothing else to do"]
fn measured_behind_balancers() {
    for signal in ["-TERM", "-KILL"] {
        println!("HAProxy, {signal}: {}", roll(&HAPROXY, 10, 32, signal));
        println!("nginx, {signal}: {}", roll(&NGINX, 5, 32, signal));
    }
}

#[test]
#[ignore = "figures, for a machine with nothing else to do"]
fn measured_on_one_port() {
    println!("inherited socket: {}", pass_on(100));
    for signal in ["-TERM", "-KILL"] {
        println!("shared port, {signal}: {}", share(100, signal));
    }
}

/// Restarts each of three servers so many times.
fn roll(balancer: &Balancer, rounds: usize, clients: usize, signal: &str) -> Totals {
    let ports: [Port; 4] = std::array::from_fn(|_| Port::hold());
    let [front, behind @ ..] = &ports;
    let mut servers = behind.each_ref().map(|port| Server::on(port.at, &[]));
    let balancer = balancer.start(front.at, behind);
    let mut totals = load(front.at, clients, Keep::Alive, |load| {
        for _ in 0..rounds {
            for server in &mut servers {
                let port = server.at;
                load.goes_on(100);
                // One for each server.
                let uploads = [(); 3].map(|()| Upload::begin(front.at));
                server.signal(signal);
                load.count(uploads.map(Upload::end));
                server.ended();
                load.goes_on(500);
                *server = Server::on(port, &[]);
                in_use(front.at, port);
            }
        }
        load.goes_on(100);
    });
    totals.sent_again = balancer.sent_again();
    totals
}

/// Returns when the balancer has had an answer of this server.
fn in_use(front: SocketAddr, server: SocketAddr) {
    let mut served_by = String::new();
    // After a connection that failed it names two.
    while !served_by.ends_with(&server.to_string()) {
        let mut connection = Connection::open(front).expect("the balancer listens");
        assert!(connection.exchange(false, Keep::Once) == Answer::Right);
        served_by = connection.served_by;
    }
}

/// Processes in turn on one socket that is never closed.
fn pass_on(rounds: usize) -> Totals {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let at = socket.local_addr().expect("an address");
    let early = Upload::begin(at);
    let mut server = Server::inherits(&socket);
    load(at, 4, Keep::Once, |load| {
        load.count([early.end()]);
        for _ in 0..rounds {
            load.goes_on(100);
            let next = Server::inherits(&socket);
            let mut before = std::mem::replace(&mut server, next);
            before.signal("-TERM");
            before.ended();
        }
        // No server is there for a moment.
        server.signal("-TERM");
        server.ended();
        let between = Upload::begin(at);
        server = Server::inherits(&socket);
        load.count([between.end()]);
        load.goes_on(100);
    })
}

/// Processes in turn on one port, each with a socket of its own.
fn share(rounds: usize, signal: &str) -> Totals {
    let port = Port::hold();
    let mut server = Server::on(port.at, &["--share-port"]);
    load(port.at, 4, Keep::Once, |load| {
        for _ in 0..rounds {
            load.goes_on(100);
            let next = Server::on(port.at, &["--share-port"]);
            let mut before = std::mem::replace(&mut server, next);
            before.signal(signal);
            before.ended();
        }
        load.goes_on(100);
    })
}

/// A port that nobody else is given.
struct Port {
    at: SocketAddr,
    /// Bound, and never listening.
    _socket: Socket,
}

impl Port {
    fn hold() -> Self {
        let hold = || -> io::Result<Self> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.set_reuse_port(true)?;
            socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
            let at = socket.local_addr()?.as_socket().expect("an IP address");
            Ok(Self {
                at,
                _socket: socket,
            })
        };
        hold().expect("a port")
    }
}

// Servers.

/// A process of `workload`, killed when dropped.
struct Server {
    process: Child,
    at: SocketAddr,
}

impl Server {
    fn on(at: SocketAddr, flags: &[&str]) -> Self {
        let mut command = Command::new(example("workload"));
        command.args(["--port", &at.port().to_string()]);
        Self::start(command.args(flags))
    }

    /// Passes it a listening socket as descriptor 3, as a service manager does.
    fn inherits(socket: &TcpListener) -> Self {
        let socket = socket.try_clone().expect("a descriptor");
        let pass = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --listen-fds";
        let mut command = Command::new("sh");
        command.args(["-c", pass]).arg(example("workload"));
        Self::start(command.stdin(OwnedFd::from(socket)))
    }

    /// Returns when it listens.
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("text");
        let at = line.strip_prefix("listening on ").expect("an address");
        let at = at.trim_end().parse().expect("an address");
        Self { process, at }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.process.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    fn ended(&mut self) {
        self.process.wait().expect("a child");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

// Balancers.

/// A balancer, and how it is started in a folder as a daemon.
struct Balancer {
    program: &'static str,
    settings: &'static str,
    args: &'static [&'static str],
}

const HAPROXY: Balancer = Balancer {
    program: "haproxy",
    settings: include_str!("foreign/haproxy.cfg"),
    args: &["-D", "-f", "settings", "-C"],
};
const NGINX: Balancer = Balancer {
    program: "nginx",
    settings: include_str!("foreign/nginx-balancer.conf"),
    args: &["-e", "stderr", "-c", "settings", "-p"],
};

/// A daemon that runs in a folder of its own, stopped when dropped.
struct Balancing {
    folder: PathBuf,
    program: &'static str,
}

impl Balancer {
    /// Returns when it listens: that is when the first process of a daemon ends.
    fn start(&self, front: SocketAddr, behind: &[Port; 3]) -> Balancing {
        let Self { program, args, .. } = *self;
        // Short, for the path of a Unix socket is.
        let name = format!(
            "http-actors-{program}-{}-{}",
            std::process::id(),
            front.port()
        );
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let mut settings = self.settings.replace("PORT", &front.port().to_string());
        for (name, port) in ["FIRST", "SECOND", "THIRD"].iter().zip(behind) {
            settings = settings.replace(name, &port.at.port().to_string());
        }
        fs::write(folder.join("settings"), settings).expect("a file");
        let balancing = Balancing { folder, program };
        let started = Command::new(program)
            .args(args)
            .arg(&balancing.folder)
            .current_dir(&balancing.folder)
            .status();
        assert!(started.expect("it runs").success());
        balancing
    }
}

impl Balancing {
    /// A column of the statistics of `HAProxy`: a value for each server.
    fn columns(&self, name: &str) -> Vec<String> {
        let ask = || -> io::Result<String> {
            let mut socket = UnixStream::connect(self.folder.join("haproxy.sock"))?;
            socket.write_all(b"show stat\n")?;
            io::read_to_string(socket)
        };
        let table = ask().expect("HAProxy answers");
        let mut rows = table.lines().map(|row| row.split(',').collect::<Vec<_>>());
        let head = rows.next().expect("a head");
        let column = head
            .iter()
            .position(|head| *head == name)
            .expect("a column");
        rows.filter(|row| ["first", "second", "third"].contains(row.get(1).unwrap_or(&"")))
            .map(|row| row[column].to_owned())
            .collect()
    }

    /// Connections that `HAProxy` tried again, at the same server and at others.
    fn sent_again(&self) -> u64 {
        if self.program != "haproxy" {
            return 0;
        }
        ["wretr", "wredis"]
            .iter()
            .flat_map(|name| self.columns(name))
            .map(|count| count.parse::<u64>().expect("a number"))
            .sum()
    }
}

impl Drop for Balancing {
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.folder.join(self.program).with_extension("pid"));
        for pid in pid.unwrap_or_default().lines() {
            let _ = Command::new("kill").args(["-TERM", pid]).status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether a program can be run. On a machine that checks changes it must be.
fn is_here(program: &str) -> bool {
    let started = Command::new(program).arg("-v").output().is_ok();
    if !started {
        assert!(
            std::env::var_os("CI").is_none(),
            "no {program}: install the Debian package of that name"
        );
        eprintln!("left out for want of {program}, which the Debian package of that name has");
    }
    started
}

// Clients.

/// Whether a client keeps its connection.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    Alive,
    Once,
}

/// What became of the requests.
#[derive(Debug, Default)]
struct Totals {
    answered: u64,
    /// Answered by a status other than 200.
    refused: u64,
    /// Connections that could not be made.
    unconnected: u64,
    /// Begun, and not answered.
    lost: u64,
    sent_again: u64,
}

impl Totals {
    /// Everything was answered, and there was something.
    fn is_whole(&self) -> bool {
        self.answered > 0 && self.refused + self.unconnected + self.lost == 0
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            answered,
            refused,
            unconnected,
            lost,
            sent_again,
        } = self;
        write!(
            f,
            "{answered} answered, {refused} refused, {unconnected} unconnected, {lost} lost; \
             {sent_again} connections tried again"
        )
    }
}

impl Totals {
    fn count(&mut self, answer: Answer) {
        match answer {
            Answer::Right => self.answered += 1,
            Answer::Refused => self.refused += 1,
            Answer::Unconnected => self.unconnected += 1,
            Answer::Lost => self.lost += 1,
        }
    }
}

/// What became of one request.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Right,
    Refused,
    Unconnected,
    Lost,
}

/// Clients that ask until this is dropped.
struct Load {
    answers: Receiver<Answer>,
    totals: Totals,
}

/// Runs so many clients while this goes on.
fn load(at: SocketAddr, clients: usize, keep: Keep, during: impl FnOnce(&mut Load)) -> Totals {
    std::thread::scope(|scope| {
        let (sender, answers) = mpsc::channel();
        for _ in 0..clients {
            let sender = sender.clone();
            scope.spawn(move || ask(at, keep, &sender));
        }
        let totals = Totals::default();
        let mut load = Load { answers, totals };
        during(&mut load);
        load.answers
            .try_iter()
            .for_each(|answer| load.totals.count(answer));
        load.totals
    })
}

impl Load {
    /// Returns when so many more were answered.
    fn goes_on(&mut self, requests: usize) {
        for answer in self.answers.try_iter() {
            self.totals.count(answer);
        }
        let enough = self.totals.answered + requests as u64;
        while self.totals.answered < enough {
            let answer = self.answers.recv_timeout(PATIENCE).expect("it goes on");
            self.totals.count(answer);
        }
    }

    fn count(&mut self, answers: impl IntoIterator<Item = Answer>) {
        answers
            .into_iter()
            .for_each(|answer| self.totals.count(answer));
    }
}

/// Asks for as long as somebody wants to know.
fn ask(at: SocketAddr, keep: Keep, answers: &Sender<Answer>) {
    let mut kept = None;
    let mut post = false;
    loop {
        post = !post;
        let answer = match kept.take().or_else(|| Connection::open(at).ok()) {
            None => Answer::Unconnected,
            Some(mut connection) => {
                let answer = connection.exchange(post, keep);
                if keep == Keep::Alive && answer != Answer::Lost {
                    kept = Some(connection);
                }
                answer
            }
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

/// What ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(40);

struct Connection {
    io: BufReader<TcpStream>,
    /// The server that answered last, according to the balancer.
    served_by: String,
}

impl Connection {
    fn open(at: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(at)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            io: BufReader::new(stream),
            served_by: String::new(),
        })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.get_mut().write_all(bytes)
    }

    fn exchange(&mut self, post: bool, keep: Keep) -> Answer {
        let close = match keep {
            Keep::Alive => "",
            Keep::Once => "Connection: close\r\n",
        };
        let request = if post {
            format!("POST /sink HTTP/1.1\r\nHost: a\r\n{close}Content-Length: 2\r\n\r\nhi")
        } else {
            format!("GET /plaintext HTTP/1.1\r\nHost: a\r\n{close}\r\n")
        };
        let body = if post { "2\n" } else { "Hello, World!" };
        self.send(request.as_bytes())
            .and_then(|()| self.answer(body))
            .unwrap_or(Answer::Lost)
    }

    fn answer(&mut self, expected: &str) -> io::Result<Answer> {
        let status = self.line()?;
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            } else if let Some(value) = line.strip_prefix("served-by:") {
                value.trim().clone_into(&mut self.served_by);
            }
        }
        let mut body = vec![0; length];
        self.io.read_exact(&mut body)?;
        let right = status == "HTTP/1.1 200 OK" && body == expected.as_bytes();
        Ok(if right {
            Answer::Right
        } else {
            Answer::Refused
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.io.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A request that is on its way while a server goes.
struct Upload(io::Result<Connection>);

impl Upload {
    fn begin(at: SocketAddr) -> Self {
        let begin = || {
            let mut connection = Connection::open(at)?;
            connection.send(b"POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh")?;
            Ok(connection)
        };
        Self(begin())
    }

    fn end(self) -> Answer {
        let end = |mut connection: Connection| {
            connection.send(b"i")?;
            connection.answer("2\n")
        };
        self.0.and_then(end).unwrap_or(Answer::Lost)
    }
}
