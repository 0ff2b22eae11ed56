//! A load generator. Look at `Asker`: a handler that sends the next request when it hears that an exchange has ended,
//! so that the number of requests under way stays the same.
//!
//! It sends GET requests, one at a time on each connection, or `--pipeline` of them. With `--client` they go through
//! one `HttpClient` instead of a session for each connection. The measurements go to stdout, as one line of JSON:
//! `requests`, `secs`, `rps`, `user_us` and `sys_us` (processor time of this program for each request), `bytes` of
//! bodies, `mib_s`, `errors` (exchanges that failed or whose status is not 2xx; none is repeated), `p50_us` and
//! `p99_us` (from the beginning of an exchange to its end, within 2 %), `rss_kib`. The exit code is 0 if there was no
//! error.

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Addr;
use clap::Parser;
use http_actors::error::Refused;
use http_actors::message::Apply;
use http_actors::{
    Cancelled, Exchange, Failure, HttpClient, HttpHandler, HttpSession, Method, Origin, Payload,
    SessionContext, SessionOptions, Unsent, Uri,
};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::Notify;

/// Asks the same thing over and over.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Flags {
    /// What to get
    #[arg(long, value_parser = url)]
    url: Uri,
    /// Requests that are measured, in all
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Connections
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Requests before those that are measured
    #[arg(long, default_value_t = 0)]
    warmup: u64,
    /// Requests under way on each connection
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=128))]
    pipeline: u16,
    /// Ask through one `HttpClient`
    #[arg(long, conflicts_with = "pipeline")]
    client: bool,
}

fn url(text: &str) -> Result<Uri, String> {
    let url = text.parse::<Uri>().map_err(|error| error.to_string())?;
    Origin::try_from(&url).map_err(|error| error.to_string())?;
    Ok(url)
}

/// What all askers share.
struct Run {
    url: Uri,
    tally: RefCell<Tally>,
    /// Notified when nothing is under way.
    idle: Notify,
}

#[derive(Default)]
struct Tally {
    to_begin: u64,
    under_way: u64,
    ended: u64,
    errors: u64,
    bytes: u64,
    times: Times,
}

impl Run {
    /// The next request, while there is one.
    fn begin(&self) -> Option<Payload> {
        let tally = &mut *self.tally.borrow_mut();
        tally.to_begin = tally.to_begin.checked_sub(1)?;
        tally.under_way += 1;
        Some(Payload::request(Method::GET, self.url.clone()))
    }

    /// An exchange ended: whole, in this time and with this many bytes, or by an error.
    fn end(&self, result: Option<(Duration, u64)>) {
        let tally = &mut *self.tally.borrow_mut();
        match result {
            Some((time, bytes)) => {
                tally.bytes += bytes;
                tally.times.add(time);
            }
            None => tally.errors += 1,
        }
        tally.ended += 1;
        tally.under_way -= 1;
        if tally.to_begin == 0 && tally.under_way == 0 {
            self.idle.notify_one();
        }
    }
}

/// Asks on one connection.
struct Asker(Rc<Run>);

impl Asker {
    fn next(&self, session: &mut SessionContext) {
        if let Some(request) = self.0.begin() {
            session.respond(request);
        }
    }
}

impl HttpHandler for Asker {
    fn apply(&mut self, _response: Payload, _session: &mut SessionContext) {}

    fn completed(&mut self, exchange: &Exchange, session: &mut SessionContext) {
        let success = exchange.status.is_some_and(|status| status.is_success());
        self.0
            .end(success.then(|| (exchange.duration(), exchange.bytes_in)));
        self.next(session);
    }

    fn cancelled(&mut self, _cancelled: &Cancelled, session: &mut SessionContext) {
        self.0.end(None);
        self.next(session);
    }

    fn failed(&mut self, _failure: &Failure, session: &mut SessionContext) {
        self.0.end(None);
        self.next(session);
    }

    fn refused(&mut self, _refused: Refused<Unsent>, session: &mut SessionContext) {
        self.0.end(None);
        self.next(session);
    }
}

/// The askers: sessions, or one client.
enum Askers {
    Sessions {
        sessions: Vec<Addr<HttpSession>>,
        pipeline: u16,
    },
    Client {
        client: HttpClient,
        concurrency: u16,
    },
}

impl Askers {
    fn new(flags: &Flags, run: &Rc<Run>) -> Self {
        let concurrency = flags.concurrency;
        if flags.client {
            let client = HttpClient::builder()
                .connections_per_origin(concurrency.into())
                .max_idle(concurrency.into())
                .build();
            return Self::Client {
                client,
                concurrency,
            };
        }
        let pipeline = flags.pipeline;
        let options = Arc::new(SessionOptions {
            pipeline: pipeline > 1,
            ..SessionOptions::for_client()
        });
        let origin = Origin::try_from(&flags.url).expect("it was tried");
        let asker = |_session| Asker(Rc::clone(run));
        let sessions = (0..concurrency)
            .map(|_| HttpSession::connect(origin.clone(), &asker, Arc::clone(&options)))
            .collect();
        Self::Sessions { sessions, pipeline }
    }

    /// Makes this many requests, and waits for the last.
    async fn ask(&self, run: &Rc<Run>, requests: u64) {
        if requests == 0 {
            return;
        }
        *run.tally.borrow_mut() = Tally {
            to_begin: requests,
            ..Tally::default()
        };
        match self {
            Self::Sessions { sessions, pipeline } => {
                for _ in 0..*pipeline {
                    for session in sessions {
                        if let Some(request) = run.begin() {
                            session.do_send(Apply(request));
                        }
                    }
                }
            }
            Self::Client {
                client,
                concurrency,
            } => {
                for _ in 0..*concurrency {
                    actix::spawn(ask_client(client.clone(), Rc::clone(run)));
                }
            }
        }
        run.idle.notified().await;
    }
}

async fn ask_client(client: HttpClient, run: Rc<Run>) {
    while let Some(request) = run.begin() {
        let began = Instant::now();
        let result = client
            .request(request)
            .await
            .ok()
            .filter(|response| response.status().is_some_and(|status| status.is_success()));
        run.end(result.map(|response| (began.elapsed(), response.body_bytes().len() as u64)));
    }
}

/// How many exchanges took how long: a count for each range of microseconds that is 1/64 of its lower end wide.
struct Times(Vec<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(vec![0; Self::range(u32::MAX) + 1])
    }
}

impl Times {
    /// Up to 127 each number is a range; above, the first seven bits name it.
    fn range(micros: u32) -> usize {
        let shift = (u32::BITS - micros.leading_zeros()).saturating_sub(7);
        (64 * shift + (micros >> shift)) as usize
    }

    fn add(&mut self, time: Duration) {
        self.0[Self::range(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))] += 1;
    }

    /// The time in microseconds that this many of a hundred exchanges took at most.
    fn percentile(&self, percent: u64) -> u32 {
        let mut left = (self.0.iter().sum::<u64>() * percent).div_ceil(100);
        for (range, count) in (0..).zip(&self.0) {
            left = left.saturating_sub(*count);
            if left == 0 {
                let shift = (range / 64_u32).saturating_sub(1);
                return (range - 64 * shift) << shift;
            }
        }
        0
    }
}

/// Ticks of processor time that this program has taken, user and system. They last 10 ms on Linux; nothing elsewhere.
fn ticks() -> Option<(u32, u32)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Memory in use, in KiB. `None` without `/proc`.
fn rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Drawn ten times a second, if stderr is a terminal.
async fn draw(bar: ProgressBar, run: Rc<Run>) {
    let form = "{bar:30} {pos}/{len} {per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(form).expect("a constant"));
    while !bar.is_hidden() {
        bar.set_position(run.tally.borrow().ended);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[allow(clippy::cast_precision_loss, reason = "six digits are enough")]
fn report(requests: u64, secs: f64, cpu: Option<(u32, u32)>, tally: &Tally) -> String {
    let or_null = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
    let count = requests as f64;
    let micros = |ticks: u32| format!("{:.3}", f64::from(ticks) * 10_000.0 / count);
    format!(
        "{{\"requests\":{requests},\"secs\":{secs:.6},\"rps\":{:.1},\"user_us\":{},\"sys_us\":{},\"bytes\":{},\
         \"mib_s\":{:.3},\"errors\":{},\"p50_us\":{},\"p99_us\":{},\"rss_kib\":{}}}",
        count / secs,
        or_null(cpu.map(|(user, _)| micros(user))),
        or_null(cpu.map(|(_, system)| micros(system))),
        tally.bytes,
        tally.bytes as f64 / secs / f64::from(1 << 20),
        tally.errors,
        tally.times.percentile(50),
        tally.times.percentile(99),
        or_null(rss().map(|kib| kib.to_string())),
    )
}

#[actix::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    let run = Rc::new(Run {
        url: flags.url.clone(),
        tally: RefCell::default(),
        idle: Notify::new(),
    });
    let askers = Askers::new(&flags, &run);
    askers.ask(&run, flags.warmup).await;

    let bar = ProgressBar::new(flags.requests);
    let drawing = actix::spawn(draw(bar.clone(), Rc::clone(&run)));
    let (before, began) = (ticks(), Instant::now());
    askers.ask(&run, flags.requests).await;
    let secs = began.elapsed().as_secs_f64();
    let cpu = before
        .zip(ticks())
        .map(|(before, after)| (after.0 - before.0, after.1 - before.1));
    drawing.abort();
    bar.finish_and_clear();

    let tally = run.tally.borrow();
    println!("{}", report(flags.requests, secs, cpu, &tally));
    ExitCode::from(u8::from(tally.errors > 0))
}
