//! A ceiling for what all sessions of a server hold together (N15).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What all sessions together may hold, and do.
#[derive(Debug)]
pub(crate) struct Ceiling {
    limit: usize,
    held: AtomicUsize,
    passed: Notify,
}

/// What one session holds of it, for whoever looks for the largest.
pub(crate) type Holding = Arc<AtomicUsize>;

/// One session's part in a ceiling.
#[derive(Debug)]
pub(crate) struct Stake {
    ceiling: Arc<Ceiling>,
    holding: Holding,
}

impl Ceiling {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
            passed: Notify::new(),
        }
    }

    pub(crate) fn is_passed(&self) -> bool {
        self.held.load(Ordering::Relaxed) > self.limit
    }

    /// Ends when the ceiling was passed. It may be kept again by then.
    pub(crate) async fn passed(&self) {
        self.passed.notified().await;
    }
}

impl Stake {
    pub(crate) fn new(ceiling: Arc<Ceiling>) -> Self {
        Self {
            ceiling,
            holding: Holding::default(),
        }
    }

    pub(crate) fn holding(&self) -> Holding {
        self.holding.clone()
    }

    /// The session holds so much now.
    pub(crate) fn hold(&self, bytes: usize) {
        let before = self.holding.swap(bytes, Ordering::Relaxed);
        if bytes > before {
            self.ceiling
                .held
                .fetch_add(bytes - before, Ordering::Relaxed);
            if self.ceiling.is_passed() {
                self.ceiling.passed.notify_one();
            }
        } else if bytes < before {
            self.ceiling
                .held
                .fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }
}

/// What is held for a session outside of it, by a service of this crate. Counted only where there is a ceiling.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    all: Option<Holding>,
    bytes: usize,
}

impl Keeping {
    /// A part of all that is held for a session.
    pub(crate) fn of(all: Option<Holding>) -> Self {
        Self { all, bytes: 0 }
    }

    /// It is so much now.
    pub(crate) fn hold(&mut self, bytes: usize) {
        if let Some(all) = &self.all {
            // ORDER: more before less, so that the sum is never below zero.
            all.fetch_add(bytes, Ordering::Relaxed);
            all.fetch_sub(self.bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.hold(0);
    }
}

impl Drop for Stake {
    fn drop(&mut self) {
        self.hold(0);
    }
}
