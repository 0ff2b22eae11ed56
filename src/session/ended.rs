//! An exchange that ended, on its way to being told.

use super::exchange::Exchange;
use super::server::Active;
use super::spare::Spare;

/// An exchange that ended, as a pointer.
pub(super) enum Ended {
    Server(Box<Active>),
    Client(Box<Exchange>),
}

thread_local! {
    static EXCHANGES: Spare<Box<Exchange>> = const { Spare::new(64) };
}

impl Ended {
    pub(super) fn exchange(&self) -> &Exchange {
        match self {
            Self::Server(active) => active.exchange(),
            Self::Client(exchange) => exchange,
        }
    }

    pub(super) fn of_client(exchange: Exchange) -> Self {
        Self::Client(match EXCHANGES.try_with(Spare::take).ok().flatten() {
            Some(mut spare) => {
                *spare = exchange;
                spare
            }
            None => Box::new(exchange),
        })
    }

    /// It was told.
    pub(super) fn recycle(self) {
        match self {
            Self::Server(active) => active.recycle(),
            // The thread may be ending: then the box is simply dropped.
            Self::Client(exchange) => {
                let _ = EXCHANGES.try_with(|exchanges| exchanges.give(exchange));
            }
        }
    }
}
