//! How a worker is drained: it accepts what is in the backlog, and asks every session to leave.

use std::time::Duration;

use actix::{Addr, Handler, Message, ResponseFuture};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

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
pub(super) async fn outstayed(mut leaving: watch::Receiver<Option<Retire>>) {
    drained(leaving.clone()).await;
    let since = Instant::now();
    loop {
        let window = leaving.borrow_and_update().map(|retire| retire.window);
        // The time would overflow `Instant`: it never passes.
        let Some(end) = since.checked_add(window.unwrap_or_default()) else {
            return std::future::pending().await;
        };
        if !matches!(timeout_at(end, leaving.changed()).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Resolves at the time of the cut, which a later request may bring forward.
async fn cut(mut leaving: watch::Receiver<Option<Retire>>) {
    loop {
        let retire = *leaving.borrow_and_update();
        let Some(Retire { cut, .. }) = retire else {
            return;
        };
        if !matches!(timeout_at(cut, leaving.changed()).await, Ok(Ok(()))) {
            return;
        }
    }
}
