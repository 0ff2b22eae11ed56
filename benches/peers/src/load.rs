//! The flags `--url`, `--requests`, `--warmup` and `--concurrency` of the example `load`, and what it prints.

use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::rc::Rc;
use std::time::Instant;

use tokio::task::{JoinSet, LocalSet};

/// The value of a flag.
pub fn flag(name: &str) -> Option<String> {
    let mut flags = std::env::args().skip_while(|flag| flag != name);
    flags.nth(1)
}

fn number(name: &str, default: u64) -> u64 {
    let number = |text: String| text.parse().expect("a number");
    flag(name).map_or(default, number)
}

/// What is asked.
pub fn url() -> String {
    flag("--url").expect("--url URL")
}

/// Requests under way at once.
pub fn concurrency() -> usize {
    number("--concurrency", 64) as usize
}

/// Has a client ask, which returns the length of the body, and prints what that took.
pub async fn measure<A>(ask: A)
where
    A: AsyncFn() -> Result<usize, Box<dyn Error>> + Clone + 'static,
{
    let local = LocalSet::new();
    let requests = number("--requests", 100_000);
    local
        .run_until(async {
            run(&ask, number("--warmup", 0)).await;
            let (before, began) = (ticks(), Instant::now());
            let (bytes, errors) = run(&ask, requests).await;
            let secs = began.elapsed().as_secs_f64();
            let after = ticks();
            let micros = |ticks: u32| f64::from(ticks) * 10_000.0 / requests as f64;
            let (user, system) = (after.0 - before.0, after.1 - before.1);
            println!(
                "{{\"requests\":{requests},\"secs\":{secs:.6},\"user_us\":{:.3},\"sys_us\":{:.3},\"bytes\":{bytes},\
                 \"errors\":{errors}}}",
                micros(user),
                micros(system),
            );
        })
        .await;
}

/// Bytes and errors of so many requests.
async fn run<A>(ask: &A, requests: u64) -> (usize, u64)
where
    A: AsyncFn() -> Result<usize, Box<dyn Error>> + Clone + 'static,
{
    let left = Rc::new(Cell::new(requests));
    let mut askers = JoinSet::new();
    for _ in 0..concurrency() {
        let (ask, left) = (ask.clone(), Rc::clone(&left));
        askers.spawn_local(async move {
            let (mut bytes, mut errors) = (0, 0);
            while let Some(fewer) = left.get().checked_sub(1) {
                left.set(fewer);
                match ask().await {
                    Ok(length) => bytes += length,
                    Err(_) => errors += 1,
                }
            }
            (bytes, errors)
        });
    }
    let sum = |(bytes, errors), (more, failed)| (bytes + more, errors + failed);
    askers.join_all().await.into_iter().fold((0, 0), sum)
}

/// Ticks of processor time that this program has taken, user and system; they last 10 ms.
fn ticks() -> (u32, u32) {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next().and_then(|field| field.parse().ok());
    next().zip(next()).expect("two numbers")
}
