//! Looks at the sessions of a server once a second, for as long as anybody watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::Addr;
use futures_util::{StreamExt as _, stream};
use http_actors::log::{Detail, Logger, Record};
use http_actors::message::{Inspect, Sessions};
use http_actors::{HttpSession, ServerActor};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::view::{Answer, View};

const PERIOD: Duration = Duration::from_secs(1);

/// How long a session, or the server, has to answer.
const PATIENCE: Duration = Duration::from_millis(250);

/// How many sessions are asked at once.
const ASKED: usize = 64;

/// Counts the exchanges of a server, those of sessions too that came and went between two looks.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<AtomicU64>);

impl Logger for Tally {
    fn detail(&self) -> Detail {
        Detail::Exchange
    }

    fn log(&self, _: &Record<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) struct Monitor {
    server: Addr<ServerActor>,
    tally: Tally,
    /// What was seen last; nothing while nobody watches.
    seen: watch::Sender<Option<Arc<View>>>,
    wanted: Notify,
}

impl Monitor {
    pub(crate) fn new(server: Addr<ServerActor>, tally: Tally) -> Self {
        Self {
            server,
            tally,
            seen: watch::Sender::new(None),
            wanted: Notify::new(),
        }
    }

    /// The views from now on. The first is there at once, or soon.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Arc<View>>> {
        let mut views = self.seen.subscribe();
        views.mark_changed();
        self.wanted.notify_one();
        views
    }

    /// A session that the pages show.
    pub(crate) fn session(&self, id: u64) -> Option<Addr<HttpSession>> {
        self.seen.borrow().as_ref()?.session(id).cloned()
    }

    /// Never ends.
    pub(crate) async fn run(self: Arc<Self>) {
        let began = Instant::now();
        let mut clock = interval(PERIOD);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Arc::new(View::default());
        loop {
            tokio::select! {
                _ = clock.tick() => {}
                // The first watcher does not wait for the clock.
                () = self.wanted.notified(), if self.seen.borrow().is_none() => clock.reset(),
            }
            let watched = self.seen.receiver_count() > 0;
            let answers = if watched {
                self.look(&last).await
            } else {
                // A watcher that comes back finds the same numbers as before.
                last.open()
            };
            let done = self.tally.0.load(Ordering::Relaxed);
            last = Arc::new(last.next(began.elapsed(), done, answers));
            self.seen.send_replace(watched.then(|| last.clone()));
        }
    }

    /// Asks every session, a few at a time and none for long: the server has other things to do, and a session that
    /// hangs must not hide the others.
    async fn look(&self, last: &View) -> Vec<Answer> {
        let sessions = match timeout(PATIENCE, self.server.send(Sessions)).await {
            Ok(listed) => listed.unwrap_or_default(),
            // A worker hangs. The sessions of the last look will do.
            Err(_late) => last
                .open()
                .into_iter()
                .map(|(session, _)| session)
                .collect(),
        };
        let asked = stream::iter(sessions).map(async |session| {
            match timeout(PATIENCE, session.send(Inspect)).await {
                Ok(info) => Some((session, Some(info.ok()?))),
                Err(_late) => Some((session, None)),
            }
        });
        let answers = asked.buffer_unordered(ASKED);
        answers.filter_map(std::future::ready).collect().await
    }
}
