//! Enforces the memory ceiling of a server: the sessions that hold the most are cut (N15).

use std::sync::Arc;

use actix::{Addr, Handler, Message};

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

/// Enforces the ceiling forever: when it is exceeded, the largest session is cut, then the next, until the total is
/// below it.
pub(super) async fn keep(ceiling: Arc<Ceiling>, workers: Vec<Addr<Worker>>) {
    loop {
        ceiling.passed().await;
        // ORDER: checked last, because the total may fall below it while the workers are asked.
        while let Some((held, session)) = largest(&workers).await
            && ceiling.is_passed()
        {
            tracing::warn!(held, "memory ceiling passed: the largest session is cut");
            // Answered when the session holds nothing any more. An error means that it has ended, and so holds nothing
            // either.
            let _ = session.send(Shed).await;
        }
    }
}

/// The largest session of all workers.
async fn largest(workers: &[Addr<Worker>]) -> Option<(usize, Addr<HttpSession>)> {
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.send(Largest).await.ok().flatten());
    }
    all.into_iter().max_by_key(|(held, _)| *held)
}
