//! The far end of a session, driven by the input.

use std::time::Duration;

use actix::SystemRunner;
use http_actors::test_util::FarEnd;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

/// Runs a future where actors can live, with a clock that jumps.
pub fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        // Never dropped: the end of a thread is too late for that.
        static SYSTEM: &'static SystemRunner = Box::leak(Box::new(paused()));
    }
    SYSTEM.with(|system| system.block_on(future))
}

fn paused() -> SystemRunner {
    let system = actix::System::new();
    system.block_on(async { tokio::time::pause() });
    system
}

/// What the peer does: so many steps, a byte each with the number of them before, then the rest of the input is sent.
#[derive(Debug, Clone, Copy)]
pub struct Talk<'a> {
    steps: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Talk<'a> {
    pub fn of(data: &'a [u8]) -> Self {
        let (count, rest) = data.split_first().unwrap_or((&0, &[]));
        let (steps, bytes) = rest.split_at(usize::from(count & 15).min(rest.len()));
        Self { steps, bytes }
    }

    /// Whether all is sent at once.
    pub fn is_plain(&self) -> bool {
        self.steps.is_empty()
    }

    /// Says it, closes, and reads to the end.
    pub async fn speak(mut self, peer: &mut FarEnd) {
        for step in self.steps {
            let much = step >> 3;
            match step & 7 {
                0..=3 => self.send(usize::from(much) * 4 + 1, peer).await,
                4 => {
                    peer.stall();
                    sleep(Duration::from_secs(much.into())).await;
                    peer.resume();
                }
                5 => sleep(Duration::from_secs(much.into())).await,
                6 => drop(peer.io.shutdown().await),
                _ => peer.reset(),
            }
        }
        self.send(self.bytes.len(), peer).await;
        // The session may have ended.
        let _ = peer.io.shutdown().await;
        peer.rest().await;
    }

    async fn send(&mut self, len: usize, peer: &mut FarEnd) {
        let (piece, rest) = self.bytes.split_at(len.min(self.bytes.len()));
        self.bytes = rest;
        let _ = peer.io.write_all(piece).await;
    }
}
