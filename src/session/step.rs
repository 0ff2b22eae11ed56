//! The next call of the handler.

use bytes::Bytes;

use super::context::SessionContext;
use super::exchange::{Cancelled, Exchange, Failure, Outcome};
use super::handler::HttpHandler;
use super::link::Event;
use crate::payload::Payload;
use crate::wire::Trailers;

/// The next call of the handler.
#[derive(Debug)]
pub(super) enum Step {
    Event(Event),
    Apply(Payload),
    Informational(Payload),
    Chunk(Bytes),
    Finished(Option<Trailers>),
    /// An exchange ended, and its end is to be reported.
    Ended,
}

impl Step {
    /// Calls the handler. `ended` is the exchange of [`Step::Ended`].
    #[inline]
    pub(super) fn call(
        self,
        handler: &mut dyn HttpHandler,
        context: &mut SessionContext,
        ended: Option<&Exchange>,
    ) {
        match self {
            Self::Apply(payload) => handler.apply(payload, context),
            Self::Informational(payload) => handler.informational(payload, context),
            Self::Chunk(data) => handler.chunk(data, context),
            Self::Finished(trailers) => {
                if let Some(trailers) = trailers {
                    handler.trailers(*trailers, context);
                }
                handler.finished(context);
            }
            Self::Event(Event::NeedBody(message)) => handler.need_body(message, context),
            Self::Event(Event::Throttled) => handler.throttled(context),
            Self::Event(Event::Unthrottled) => handler.unthrottled(context),
            Self::Event(Event::HalfClosed) => {
                handler.half_closed(context);
                context.side.told_half_close(&mut context.link);
            }
            Self::Event(Event::Leaving) => handler.leaving(context),
            Self::Event(Event::Refused(refused)) => {
                context.link.telling_refusal = true;
                handler.refused(*refused, context);
            }
            Self::Ended => {
                if let Some(exchange) = ended {
                    call_end(handler, context, exchange);
                }
            }
        }
    }
}

/// Reports the end of an exchange.
fn call_end(handler: &mut dyn HttpHandler, context: &mut SessionContext, exchange: &Exchange) {
    match exchange.outcome {
        Outcome::Completed => handler.completed(exchange, context),
        Outcome::Cancelled(cause) => {
            let exchange = exchange.clone();
            handler.cancelled(&Cancelled { cause, exchange }, context);
        }
        Outcome::Failed(reason) => {
            let exchange = exchange.clone();
            handler.failed(&Failure { reason, exchange }, context);
        }
    }
}

/// The result of a look at the inbound queue.
#[derive(Debug)]
pub(super) enum Intake {
    Step(Step),
    Again,
    Wait,
}
