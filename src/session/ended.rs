//! An exchange whose end is to be reported.

use super::exchange::Exchange;
use super::server::Active;
use crate::payload::Spare;

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
        Self::Client(match Spare::take_from(&EXCHANGES) {
            Some(mut spare) => {
                *spare = exchange;
                spare
            }
            None => Box::new(exchange),
        })
    }

    /// Its end was reported: the box goes back to the thread.
    pub(super) fn recycle(self) {
        match self {
            Self::Server(active) => active.recycle(),
            Self::Client(exchange) => Spare::give_to(&EXCHANGES, exchange),
        }
    }
}
