//! Tells a wake of a builder from other wakes of its session.
//!
//! Both are in one task, and a builder that is polled for nothing costs 400 instructions: a tenth of an event that is
//! sent to a browser. So it gets a waker of its own if that happens time and again, and until it has a message. A
//! builder that is asked for something all the time, as by most connections, never has one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// After so many turns in a row that had nothing for it, a builder gets an alarm.
const VAIN: u8 = 16;

/// Whether a builder has an alarm, or how close it is to one.
#[derive(Debug)]
pub(super) enum Watch {
    /// It was polled for nothing so many times in a row.
    Open(u8),
    Alarm(Arc<Alarm>),
}

/// The waker of a builder. It wakes the session too.
#[derive(Debug)]
pub(super) struct Alarm {
    rung: AtomicBool,
    session: Waker,
}

impl Watch {
    /// Whether the builder may have been woken.
    #[inline]
    pub(super) fn is_woken(&self) -> bool {
        match self {
            Self::Open(_) => true,
            Self::Alarm(alarm) => alarm.rung.load(Ordering::Acquire),
        }
    }

    /// The waker to poll the builder with. `None` if it is that of the session.
    #[inline]
    pub(super) fn waker(&self) -> Option<Waker> {
        match self {
            Self::Open(_) => None,
            Self::Alarm(alarm) => {
                // ORDER: before the poll. What happens from now on rings again.
                alarm.rung.swap(false, Ordering::AcqRel);
                Some(alarm.clone().into())
            }
        }
    }

    /// The builder was polled for nothing. True if it has an alarm from now on, and must be polled with it.
    #[inline]
    pub(super) fn in_vain(&mut self, session: &Waker) -> bool {
        match self {
            Self::Open(VAIN) => {
                *self = Self::Alarm(Arc::new(Alarm {
                    rung: AtomicBool::new(false),
                    session: session.clone(),
                }));
                true
            }
            Self::Open(times) => {
                *times += 1;
                false
            }
            Self::Alarm(_) => false,
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::Open(0)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.session.wake_by_ref();
    }
}
