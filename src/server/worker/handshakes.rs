//! The TLS handshakes of a worker: how many may be in progress, and which one makes way for a connection that waits.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How many TLS handshakes may be in progress at once: they are expensive, and their peers are not trusted yet.
const TLS_SEATS: usize = 256;

/// How long a handshake may take if another connection waits for its seat. Without that, 26 silent connections a second
/// would keep everybody else out.
const TLS_LEAST: Duration = Duration::from_secs(1);

/// The TLS handshakes in progress.
pub(super) struct Handshakes {
    seats: Arc<Semaphore>,
    /// Connections that wait for a seat: at most one for each listener.
    waiting: Cell<usize>,
    /// Asks the oldest handshake for its seat.
    wanted: Notify,
    tasks: RefCell<JoinSet<()>>,
}

impl Default for Handshakes {
    fn default() -> Self {
        Self::new(TLS_SEATS)
    }
}

impl Handshakes {
    fn new(seats: usize) -> Self {
        Self {
            seats: Arc::new(Semaphore::new(seats)),
            waiting: Cell::new(0),
            wanted: Notify::new(),
            tasks: RefCell::default(),
        }
    }

    /// Takes a seat, from the oldest handshake if there is none.
    pub(super) async fn seat(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(seat) = self.seats.clone().try_acquire_owned() {
            return Some(seat);
        }
        self.waiting.set(self.waiting.get() + 1);
        self.wanted.notify_one();
        let seat = self.seats.clone().acquire_owned().await.ok();
        self.waiting.set(self.waiting.get() - 1);
        // For the next one that waits, if there is one.
        self.wanted.notify_one();
        seat
    }

    /// Runs a handshake that has a seat, with the rest of what its connection needs, as a task.
    pub(super) fn spawn(&self, handshake: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_local(handshake);
    }

    pub(super) fn abort_all(&self) {
        self.tasks.borrow_mut().abort_all();
    }

    /// Waits for a handshake, for this time at most, and until it is outdone.
    pub(super) async fn within<T>(
        &self,
        patience: Option<Duration>,
        handshake: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let handshake = async {
            match patience {
                Some(patience) => timeout(patience, handshake)
                    .await
                    .unwrap_or_else(|elapsed| Err(elapsed.into())),
                None => handshake.await,
            }
        };
        tokio::select! {
            // ORDER: first of all what the peer has sent is read. So a handshake that waits for us is not outdone.
            biased;
            done = handshake => done,
            () = self.outdone() => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Ready when the handshake that asks has had its least time since it was first polled, and is the oldest of those,
    /// and another connection waits.
    async fn outdone(&self) {
        tokio::time::sleep(TLS_LEAST).await;
        loop {
            self.wanted.notified().await;
            // Another seat may have become free before.
            if self.waiting.get() > 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;

    /// A handshake that never comes to an end, in its seat, for this long at most. Returns when it was outdone.
    async fn silent(handshakes: &Handshakes, most: Duration) -> Option<Instant> {
        let seat = handshakes.seat().await;
        let outdone = timeout(most, handshakes.outdone()).await;
        drop(seat);
        outdone.ok().map(|()| Instant::now())
    }

    /// Nobody is outdone before its least time, nor for a connection that has found another seat.
    #[actix::test]
    async fn a_handshake_has_its_time() {
        tokio::time::pause();
        let handshakes = &Handshakes::new(1);
        let short = Duration::from_millis(999);
        let began = Instant::now();
        let (first, second, ()) = tokio::join!(
            silent(handshakes, short),
            silent(handshakes, TLS_LEAST * 9),
            async {
                tokio::time::sleep(TLS_LEAST * 5).await;
                drop(handshakes.seat().await);
            }
        );
        assert_eq!(first, None, "it ended by itself, while the second waited");
        let second = second.map(|at| (at - began).as_secs());
        assert_eq!(second, Some(5), "when the third came");
        let alone = silent(handshakes, TLS_LEAST * 9).await;
        assert_eq!(alone, None, "nobody waits");
    }

    /// A handshake that is done is not outdone, though another connection waits since the same moment.
    #[actix::test]
    async fn what_is_done_is_not_outdone() {
        tokio::time::pause();
        let handshakes = &Handshakes::new(1);
        let (said, all) = oneshot::channel();
        let handshake = async {
            let seat = handshakes.seat().await;
            let said = async { all.await.map_err(io::Error::other) };
            let done = handshakes.within(None, said).await;
            drop(seat);
            done.map_err(|error| error.kind())
        };
        let (done, ()) = tokio::join!(handshake, async {
            tokio::time::sleep(TLS_LEAST * 5).await;
            said.send("done").expect("it waits");
            drop(handshakes.seat().await);
        });
        assert_eq!(done, Ok("done"));
    }

    /// For each that waits one makes way, the oldest first.
    #[actix::test]
    async fn each_that_waits_gets_a_seat() {
        tokio::time::pause();
        let handshakes = &Handshakes::new(3);
        let most = TLS_LEAST * 9;
        let after = |millis| tokio::time::sleep(Duration::from_millis(millis));
        let handshake = async |begins| {
            after(begins).await;
            silent(handshakes, most).await.is_some()
        };
        let wait = async || {
            after(4).await;
            let seat = timeout(TLS_LEAST, handshakes.seat()).await;
            after(20_000).await;
            seat.is_ok()
        };
        let outcome = tokio::join!(handshake(3), handshake(1), handshake(2), wait(), wait());
        assert_eq!(outcome, (false, true, true, true, true));
    }
}
