//! How a worker is drained: it accepts what is in the backlog, and asks every session to leave.

use std::future::pending;
use std::time::Duration;

use actix::{Addr, Handler, Message, ResponseFuture};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Shared, Worker};
use crate::server::drain::DrainReport;
use crate::session::{HttpSession, Leave};

/// Stop accepting when the backlog is empty, ask every session to leave, and answer when all have left, or at the time
/// of the cut. If the worker is asked again, it passes the new times on to the sessions, and gives no second report.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<DrainReport>")]
pub(in crate::server) struct Retire {
    pub(in crate::server) window: Duration,
    pub(in crate::server) cut: Instant,
}

impl Retire {
    /// A repeated request: the earlier times count.
    fn hasten(self, other: Self) -> Self {
        Self {
            window: self.window.min(other.window),
            cut: self.cut.min(other.cut),
        }
    }

    fn leave(self) -> Leave {
        Leave {
            window: self.window,
            deadline: self.cut.saturating_duration_since(Instant::now()),
        }
    }
}

impl Handler<Retire> for Worker {
    type Result = ResponseFuture<Option<DrainReport>>;

    fn handle(&mut self, retire: Retire, _: &mut Self::Context) -> Self::Result {
        let leaving = &self.shared.leaving;
        let before = *leaving.borrow();
        let retire = before.map_or(retire, |before| before.hasten(retire));
        let again = leaving.send_replace(Some(retire)).is_some();
        for session in self.shared.registry.sessions() {
            if again {
                session.do_send(retire.leave());
            } else {
                self.shared.part(&session, retire);
            }
        }
        if again {
            return Box::pin(async { None });
        }
        self.shared.tracker.close();
        let shared = self.shared.clone();
        Box::pin(async move {
            // At the cut the sessions report what they cut. What is still running then, handshakes and closes, belongs
            // to no exchange.
            tokio::select! {
                () = shared.tracker.wait() => {}
                () = cut(shared.leaving.subscribe()) => {}
            }
            let mut parting = shared.parting.take();
            let mut report = DrainReport::default();
            while let Some(left) = parting.join_next().await {
                report.note(left.unwrap_or_default());
            }
            Some(report)
        })
    }
}

impl Shared {
    /// Asks a session to leave.
    pub(super) fn part(&self, session: &Addr<HttpSession>, retire: Retire) {
        let left = session.send(retire.leave());
        self.parting
            .borrow_mut()
            // A session that has already ended cut nothing.
            .spawn_local(async { left.await.unwrap_or_default() });
    }
}

/// Resolves when the server is being drained.
pub(super) async fn drained(mut leaving: watch::Receiver<Option<Retire>>) {
    // The sender lives as long as the worker.
    let _ = leaving.wait_for(Option::is_some).await;
}

/// Resolves when a server that is being drained no longer waits for connections without a request.
pub(super) async fn outstayed(leaving: watch::Receiver<Option<Retire>>) {
    drained(leaving.clone()).await;
    let since = Instant::now();
    passed(leaving, |retire| since.checked_add(retire.window)).await;
}

/// Resolves at the time of the cut.
async fn cut(leaving: watch::Receiver<Option<Retire>>) {
    passed(leaving, |retire| Some(retire.cut)).await;
}

/// Resolves at this time of a drain, which a later request may bring forward. `None`: never.
async fn passed(
    mut leaving: watch::Receiver<Option<Retire>>,
    time: impl Fn(Retire) -> Option<Instant>,
) {
    loop {
        let time = leaving.borrow_and_update().and_then(&time);
        tokio::select! {
            () = at(time) => return,
            Ok(()) = leaving.changed() => {}
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The window of the last request counts, from the beginning of the drain.
    #[actix::test]
    async fn a_window_can_be_shortened() {
        tokio::time::pause();
        for (first, second, expected) in
            [(5, 5, 5), (5, 3, 3), (5, 0, 2), (0, 0, 0), (u64::MAX, 3, 3)]
        {
            let leaving = watch::Sender::new(None);
            let ask = |window| {
                let (window, cut) = (seconds(window), Instant::now());
                leaving.send_replace(Some(Retire { window, cut }))
            };
            let drain = async {
                tokio::time::sleep(seconds(9)).await;
                let since = Instant::now();
                ask(first);
                tokio::time::sleep(seconds(2)).await;
                ask(second);
                since
            };
            let outstayed = async {
                outstayed(leaving.subscribe()).await;
                Instant::now()
            };
            let (since, ended) = tokio::join!(drain, outstayed);
            let after = (ended - since).as_secs();
            assert_eq!(after, expected, "{first} {second}");
        }
    }
}
