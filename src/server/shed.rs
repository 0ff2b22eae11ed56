//! Enforces the memory ceiling of a server: the sessions that hold the most are cut (N15).

use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Handler, Message};
use tokio::time::{Instant, timeout, timeout_at};

use super::worker::Worker;
use crate::session::{Ceiling, HttpSession, Shed};

/// Asks for the session that holds the most memory, and how much.
#[derive(Message)]
#[rtype(result = "Option<(usize, Addr<HttpSession>)>")]
struct Largest;

impl Handler<Largest> for Worker {
    type Result = Option<(usize, Addr<HttpSession>)>;

    fn handle(&mut self, _: Largest, _: &mut Self::Context) -> Self::Result {
        self.registry().largest()
    }
}

/// How long the others wait for a worker or a session whose thread is blocked.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long they wait once a worker did not answer in time.
const IMPATIENCE: Duration = Duration::from_millis(100);

/// Enforces the ceiling forever.
pub(super) async fn keep(ceiling: Arc<Ceiling>, workers: Vec<Addr<Worker>>) {
    loop {
        ceiling.passed().await;
        shed(&ceiling, &workers).await;
    }
}

/// The largest session is cut, then the next, until the total is below the ceiling.
async fn shed(ceiling: &Ceiling, workers: &[Addr<Worker>]) {
    let mut patience = PATIENCE;
    loop {
        let (largest, blocked) = largest(workers, patience).await;
        if blocked {
            patience = IMPATIENCE;
        }
        // ORDER: checked last, because the total may fall below it while the workers are asked.
        if !ceiling.is_passed() {
            return;
        }
        if let Some((held, session)) = largest {
            tracing::warn!(held, "memory ceiling passed: the largest session is cut");
            // Answered when the session holds nothing any more. An error means that it has ended, and so holds nothing
            // either, or that it is blocked, and is cut when it no longer is.
            let _ = timeout(patience, session.send(Shed)).await;
        } else if !blocked {
            return;
        }
    }
}

/// The largest session of all workers that answer, and whether one did not. They are asked at the same time.
async fn largest(
    workers: &[Addr<Worker>],
    patience: Duration,
) -> (Option<(usize, Addr<HttpSession>)>, bool) {
    let until = Instant::now() + patience;
    let asked: Vec<_> = workers.iter().map(|worker| worker.send(Largest)).collect();
    let (mut all, mut blocked) = (Vec::new(), false);
    for answer in asked {
        match timeout_at(until, answer).await {
            Ok(answer) => all.extend(answer.ok().flatten()),
            Err(_) => blocked = true,
        }
    }
    (all.into_iter().max_by_key(|(held, _)| *held), blocked)
}
