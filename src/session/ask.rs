//! A request from the pool of a client, with the handler of its exchange.

use std::fmt;

use actix::Message;

use super::context::SessionContext;
use super::handler::HttpHandler;
use super::handoff::{Taker, Upgrade};
use super::trace::Traced;
use crate::error::{Refused, RefusedReason};
use crate::payload::Payload;

/// A request with its own handler, which replaces the session's handler from this exchange on. Only for a session that
/// nobody else sends requests to. If the message is dropped unhandled, the request is returned.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ask {
    content: Option<(Payload, Box<dyn Asker>)>,
    /// The span of the caller.
    caller: Traced,
}

/// An [`Ask`] whose request offers to change the protocol.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Offer {
    pub(super) ask: Ask,
    pub(super) taker: Taker,
}

impl Offer {
    /// The offer, and the connection that comes if the server switches.
    pub(crate) fn new(ask: Ask) -> (Self, Upgrade) {
        let (taker, upgrade) = Upgrade::new();
        (Self { ask, taker }, upgrade)
    }
}

/// The handler of one exchange.
pub(crate) trait Asker: HttpHandler + Send + fmt::Debug {
    /// The session refused the request. `session` is passed if this handler must return it to the pool.
    fn turned_away(
        self: Box<Self>,
        refused: Refused<Payload>,
        session: Option<&mut SessionContext>,
    );
}

impl Ask {
    pub(crate) fn new(request: Payload, asker: Box<dyn Asker>) -> Self {
        Self {
            content: Some((request, asker)),
            caller: Traced::current(),
        }
    }

    pub(crate) fn caller(&mut self) -> Traced {
        std::mem::take(&mut self.caller)
    }

    /// The request and its handler. `None` if they were taken out before.
    pub(crate) fn open(mut self) -> Option<(Payload, Box<dyn Asker>)> {
        self.content.take()
    }
}

impl Drop for Ask {
    fn drop(&mut self) {
        if let Some((request, asker)) = self.content.take() {
            asker.turned_away(Refused::new(RefusedReason::Closing, request), None);
        }
    }
}
