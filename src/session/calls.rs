//! The calls of the handler, one after the other, and what follows if it panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::HttpSession;
use super::context::SessionContext;
use super::ended::Ended;
use super::exchange::{Cancelled, Exchange, Failure, Outcome};
use super::handler::{HttpHandler, Silent};
use super::step::{Event, Intake, Step};
use super::trace::Traced;
use crate::error::CloseReason;

impl HttpSession {
    /// Makes all calls of the handler that are due.
    pub(super) fn settle(&mut self) {
        while let Some(step) = self.context.next_step() {
            self.tell(step);
        }
        self.context.side.grant(&mut self.context.link);
    }

    /// Makes one call of the handler. A panic in it costs this connection and nothing else.
    fn tell(&mut self, step: Step) {
        let Self {
            handler, context, ..
        } = self;
        let apply = matches!(step, Step::Apply(_));
        let ended = match step {
            Step::Ended => context.side.take_ended(&mut context.link),
            _ => None,
        };
        let inside = Traced::is_on().then(|| context.enter(&step));
        let called = catch_unwind(AssertUnwindSafe(|| {
            let ended = ended.as_ref().map(Ended::exchange);
            step.call(&mut **handler, context, ended);
        }));
        // Dropped here, so that the usual empty case costs one check and no call.
        let _left = inside.map(drop);
        self.context.link.telling_refusal = false;
        if let Some(ended) = ended {
            ended.recycle();
        }
        if called.is_err() {
            self.replace_panicked();
        } else if apply {
            self.context.side.promise_continue(&mut self.context.link);
        }
    }

    /// The handler panicked. Its state is unknown, so it is never called again.
    #[cold]
    fn replace_panicked(&mut self) {
        let handler = std::mem::replace(&mut self.handler, Box::new(Silent));
        // Its drop may panic too, for example because of a poisoned lock.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(handler)));
        self.context.side.panicked(&mut self.context.link);
        self.context.link.close_and_linger(CloseReason::Aborted);
    }
}

impl SessionContext {
    /// The next call of the handler. `None` if there is nothing to call it for now.
    #[inline]
    fn next_step(&mut self) -> Option<Step> {
        loop {
            self.link.take_unheard_refusals();
            self.side.fail_if_piece_lost(&mut self.link);
            if let Some(event) = self.link.events.pop_front() {
                if let Event::NeedBody(message) = event {
                    self.side.unpark(&mut self.link, message);
                }
                return Some(Step::Event(event));
            }
            if self.side.has_ended() {
                return Some(Step::Ended);
            }
            if !self.link.is_open() || self.link.waits_for_sink() {
                return None;
            }
            match self.side.next_inbound(&mut self.link) {
                Intake::Step(step) => {
                    if let Some(step) = self.link.divert(step) {
                        return Some(step);
                    }
                }
                Intake::Again => {}
                Intake::Wait => return None,
            }
        }
    }

    /// Enters the span for this call of the handler.
    #[cold]
    #[inline(never)]
    fn enter(&mut self, step: &Step) -> tracing::span::EnteredSpan {
        let trace = &mut self.link.trace;
        let span = match step {
            Step::Ended => std::mem::take(&mut trace.ended).or(&trace.session),
            Step::Event(Event::NeedBody(message)) => {
                self.side.span(Some(*message)).or(&trace.session)
            }
            _ => self.side.span(None).or(&trace.session),
        };
        span.unwrap_or_else(tracing::Span::none).entered()
    }
}

impl Step {
    /// Calls the handler. `ended` is the exchange of [`Step::Ended`].
    #[inline]
    fn call(
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
