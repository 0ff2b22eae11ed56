//! The signals that end a server.

use actix::WeakAddr;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::actor::ServerActor;
use super::drain::Drain;
use crate::session::Dispose;

/// SIGTERM and SIGINT. They are watched from construction on, not from the first wait on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// `None` if they cannot be watched.
    pub(super) fn watch() -> Option<Self> {
        let watch = || {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            })
        };
        watch()
            .inspect_err(|error: &std::io::Error| {
                tracing::warn!(%error, "signals cannot be watched");
            })
            .ok()
    }

    /// Drains the server at the first signal, and stops it at the second.
    pub(super) async fn stop(mut self, server: WeakAddr<ServerActor>, drain: Drain) {
        let name = self.next().await;
        tracing::info!(name, "draining");
        if let Some(server) = server.upgrade() {
            server.do_send(drain);
        }
        let name = self.next().await;
        tracing::info!(name, "stopping");
        if let Some(server) = server.upgrade() {
            server.do_send(Dispose);
        }
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
