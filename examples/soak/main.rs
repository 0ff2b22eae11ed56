//! A server and its clients in one process, and everything that can go wrong between them, for as long as you like.
//! Look at `main` for what must be true when all is over. `cargo run --release --example soak -- --seconds 60 --seed 7`
//!
//! Bodies go both ways in every mode. Each byte that arrives is compared with what was sent there. A body may be cut,
//! but then it must not look whole. Exits with 1 if a row of the last table is not right.

mod clients;
mod plan;
mod server;

use std::fs;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use actix::{Addr, Arbiter};
use clap::Parser;
use http_actors::message::{Drain, Sessions};
use http_actors::{HttpClient, HttpServer, ServerActor, Timeouts};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use clients::{CLIENT, SOCKETS};
use plan::{Random, Tally};
use server::{LOGGED, Log, ON_PURPOSE, SERVER, Serve};

/// Everything that can go wrong, for a while.
#[derive(Debug, Clone, Parser)]
struct Flags {
    /// For how long
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// What is done; when threads meet is not in it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Clients at once
    #[arg(long, default_value_t = 64)]
    concurrency: u64,
}

/// Connections without a request when the server is drained.
const IDLE: usize = 8;

/// Nothing that a client does takes as long as this.
const STUCK: Duration = Duration::from_secs(60);

#[actix::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    hide_panics_on_purpose();
    let descriptors = descriptors();
    let resident = resident();

    let elsewhere = Arbiter::new();
    let handle = elsewhere.handle();
    let timeouts = Timeouts {
        head: Some(Duration::from_secs(1)),
        body: Some(Duration::from_secs(1)),
        write: Some(Duration::from_secs(2)),
        exchange: Some(Duration::from_secs(3)),
        ..Timeouts::default()
    };
    let running = HttpServer::new(move |_| Serve::new(handle.clone()))
        .signals(false)
        .workers(2)
        .timeouts(timeouts)
        .logger(Log)
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let (at, server) = (running.addresses()[0], running.handle());
    let running = actix::spawn(running);
    let client = HttpClient::builder()
        .options(clients::options(&mut Random::of(flags.seed)))
        .idle_timeout(Duration::from_millis(200))
        .build();
    let until = Instant::now() + Duration::from_secs(flags.seconds);
    let stuck = live(&flags, at, client, until).await;

    let sessions = settle(async || sessions(&server).await, 0).await;
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(TcpStream::connect(at).await.expect("it listens"));
    }
    settle(async || self::sessions(&server).await, IDLE).await;
    let report = server.send(Drain::default()).await.expect("alive");
    running.await.expect("no panic").expect("it listened");
    drop((idle, server));
    elsewhere.stop();
    elsewhere.join().expect("no panic");
    let left = settle(async || self::descriptors(), descriptors).await;

    println!("end     begun completed cancelled failed panicked MiB mismatches");
    print("server", &SERVER);
    print("client", &CLIENT);
    let read = |counter: &AtomicU64| counter.load(Relaxed);
    println!("{} plain sockets", read(&SOCKETS));
    println!("resident: {resident} KiB, then {} KiB", self::resident());
    let wrong = read(&SERVER.mismatches) + read(&CLIENT.mismatches);
    let (asked, answered) = (read(&CLIENT.begun), read(&SERVER.begun));
    let cut = report.cut.len() as u64;
    let mut held = true;
    for (what, is, must) in [
        ("other bytes, and ends that are lies", wrong, 0),
        ("server: exchanges ended", SERVER.ended(), answered),
        ("server: exchanges logged", read(&LOGGED), answered),
        ("client: exchanges ended", CLIENT.ended(), asked),
        ("server: handlers alive", read(&SERVER.handlers), 0),
        ("client: handlers alive", read(&CLIENT.handlers), 0),
        ("clients that were stuck", stuck, 0),
        ("sessions after the clients", sessions as u64, 0),
        ("sessions drained", report.sessions as u64, IDLE as u64),
        ("exchanges cut by the drain", cut, 0),
        ("open descriptors", left as u64, descriptors as u64),
    ] {
        let verdict = if is == must { "" } else { "  <- wrong" };
        held &= is == must;
        println!("{what:<36} {is:>8} of {must}{verdict}");
    }
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The clients, for as long as they shall. How many were stuck.
async fn live(flags: &Flags, at: SocketAddr, client: HttpClient, until: Instant) -> u64 {
    let lives: Vec<_> = (0..flags.concurrency)
        .map(|number| {
            let (client, mut random) = (client.clone(), Random::of(flags.seed << 32 | number));
            actix::spawn(async move {
                let mut stuck = 0;
                while Instant::now() < until {
                    let kind = random.below(4);
                    let life = async {
                        match kind {
                            0 => clients::by_pool(&client, at, &mut random).await,
                            1 => clients::by_hand(at, &mut random).await,
                            _ => clients::by_session(at, &mut random).await,
                        }
                    };
                    if timeout(STUCK, life).await.is_err() {
                        eprintln!("client {number} is stuck, kind {kind}");
                        stuck += 1;
                    }
                }
                stuck
            })
        })
        .collect();
    let mut stuck = 0;
    for life in lives {
        stuck += life.await.expect("no panic");
    }
    stuck
}

/// Waits until this is that, for 10 s. Returns what it is then.
async fn settle(mut is: impl AsyncFnMut() -> usize, that: usize) -> usize {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let now = is().await;
        if now == that || Instant::now() > until {
            return now;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn sessions(server: &Addr<ServerActor>) -> usize {
    server.send(Sessions).await.expect("alive").len()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Memory, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn print(end: &str, tally: &Tally) {
    let [
        begun,
        completed,
        cancelled,
        failed,
        panicked,
        bytes,
        mismatches,
    ] = [
        &tally.begun,
        &tally.completed,
        &tally.cancelled,
        &tally.failed,
        &tally.panicked,
        &tally.bytes,
        &tally.mismatches,
    ]
    .map(|counter| counter.load(Relaxed));
    let mib = bytes >> 20;
    println!(
        "{end} {begun:>6} {completed:>9} {cancelled:>9} {failed:>6} {panicked:>8} {mib:>6} {mismatches:>10}"
    );
}

fn hide_panics_on_purpose() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref() != Some(&ON_PURPOSE) {
            hook(info);
        }
    }));
}
