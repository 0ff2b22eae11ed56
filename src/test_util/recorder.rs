//! A handler that records its calls.

use std::sync::{Arc, Mutex};

use actix::Addr;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::Heard;
use crate::error::Refused;
use crate::{
    Cancelled, Exchange, Failure, HandlerFactory, Headers, HttpHandler, HttpSession, MessageId,
    Payload, SessionContext, TransferMode, Unsent,
};

/// Wraps a handler and records its calls, one line for each:
///
/// | line | call |
/// | --- | --- |
/// | `apply GET /path [body]` | `apply` of a request; `stream 5` or `chunked` if the body comes in pieces |
/// | `apply 200 [body]` | `apply` of a response |
/// | `informational 103` | `informational` |
/// | `chunk abc`, `trailers {..}`, `finished` | the calls with these names |
/// | `need_body`, `throttled`, `unthrottled`, `half_closed`, `leaving` | the calls with these names |
/// | `completed 200 in 3 out 5` | `completed`, with the bytes of the bodies |
/// | `cancelled PeerReset Waiting` | `cancelled`, with the cause and the phase |
/// | `failed Unanswered Waiting` | `failed`, with the reason and the phase |
/// | `refused Busy` | `refused`, with the reason |
#[derive(Debug)]
pub struct Recorder<H> {
    handler: H,
    lines: mpsc::UnboundedSender<String>,
}

impl<H: HttpHandler> Recorder<H> {
    /// Records the handler that a factory makes. The returned factory serves one session only.
    ///
    /// # Panics
    /// When a second session asks the factory for a handler.
    pub fn of<F>(factory: F) -> (impl HandlerFactory<Handler = Self>, Heard)
    where
        F: HandlerFactory<Handler = H>,
    {
        let (sender, receiver) = mpsc::unbounded_channel();
        let factory = Recording {
            factory,
            lines: Mutex::new(Some(sender)),
        };
        (factory, Heard::new(receiver))
    }

    fn note(&self, line: impl Into<String>) {
        // The receiver is dropped when the test is over.
        let _ = self.lines.send(line.into());
    }
}

impl<F> Recorder<Scripted<F>>
where
    F: Fn(Payload, &mut SessionContext) + 'static,
{
    /// Records a handler that runs this closure at each `apply`, and does nothing else.
    pub fn script(apply: F) -> (impl HandlerFactory<Handler = Self>, Heard) {
        let apply = Arc::new(apply);
        Self::of(move |_: Addr<HttpSession>| Scripted(apply.clone()))
    }
}

/// A handler made of one closure; see [`Recorder::script`].
#[derive(Debug)]
pub struct Scripted<F>(Arc<F>);

impl<F> HttpHandler for Scripted<F>
where
    F: Fn(Payload, &mut SessionContext) + 'static,
{
    fn apply(&mut self, payload: Payload, session: &mut SessionContext) {
        (self.0)(payload, session);
    }
}

/// Makes one recorder. When it is dropped, the recording is complete.
struct Recording<F> {
    factory: F,
    lines: Mutex<Option<mpsc::UnboundedSender<String>>>,
}

impl<F: HandlerFactory> HandlerFactory for Recording<F> {
    type Handler = Recorder<F::Handler>;

    fn handler(&self, session: Addr<HttpSession>) -> Self::Handler {
        let lines = self.lines.lock().ok().and_then(|mut lines| lines.take());
        let Some(lines) = lines else {
            panic!("a recorder is good for one session")
        };
        Recorder {
            handler: self.factory.handler(session),
            lines,
        }
    }
}

impl<H: HttpHandler> HttpHandler for Recorder<H> {
    fn apply(&mut self, payload: Payload, session: &mut SessionContext) {
        let mode = match payload.mode() {
            TransferMode::Oneshot => format!("[{}]", payload.body_bytes().escape_ascii()),
            TransferMode::Stream => format!("stream {}", payload.body_size().unwrap_or_default()),
            TransferMode::Chunked => "chunked".to_owned(),
        };
        self.note(match payload.status() {
            Some(status) => format!("apply {} {mode}", status.as_u16()),
            None => format!("apply {} {} {mode}", payload.method(), payload.uri()),
        });
        self.handler.apply(payload, session);
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        self.note(format!("chunk {}", data.escape_ascii()));
        self.handler.chunk(data, session);
    }

    fn trailers(&mut self, trailers: Headers, session: &mut SessionContext) {
        self.note(format!("trailers {trailers:?}"));
        self.handler.trailers(trailers, session);
    }

    fn finished(&mut self, session: &mut SessionContext) {
        self.note("finished");
        self.handler.finished(session);
    }

    fn informational(&mut self, payload: Payload, session: &mut SessionContext) {
        let status = payload.status().map_or(0, |status| status.as_u16());
        self.note(format!("informational {status}"));
        self.handler.informational(payload, session);
    }

    fn need_body(&mut self, message: MessageId, session: &mut SessionContext) {
        self.note("need_body");
        self.handler.need_body(message, session);
    }

    fn throttled(&mut self, session: &mut SessionContext) {
        self.note("throttled");
        self.handler.throttled(session);
    }

    fn unthrottled(&mut self, session: &mut SessionContext) {
        self.note("unthrottled");
        self.handler.unthrottled(session);
    }

    fn half_closed(&mut self, session: &mut SessionContext) {
        self.note("half_closed");
        self.handler.half_closed(session);
    }

    fn leaving(&mut self, session: &mut SessionContext) {
        self.note("leaving");
        self.handler.leaving(session);
    }

    fn completed(&mut self, exchange: &Exchange, session: &mut SessionContext) {
        let status = exchange.status.map_or(0, |status| status.as_u16());
        self.note(format!(
            "completed {status} in {} out {}",
            exchange.bytes_in, exchange.bytes_out
        ));
        self.handler.completed(exchange, session);
    }

    fn cancelled(&mut self, cancelled: &Cancelled, session: &mut SessionContext) {
        self.note(format!(
            "cancelled {:?} {:?}",
            cancelled.cause, cancelled.exchange.phase
        ));
        self.handler.cancelled(cancelled, session);
    }

    fn failed(&mut self, failure: &Failure, session: &mut SessionContext) {
        self.note(format!(
            "failed {:?} {:?}",
            failure.reason, failure.exchange.phase
        ));
        self.handler.failed(failure, session);
    }

    fn refused(&mut self, refused: Refused<Unsent>, session: &mut SessionContext) {
        self.note(format!("refused {:?}", refused.reason));
        self.handler.refused(refused, session);
    }
}
