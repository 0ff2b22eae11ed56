//! What an application writes: one handler for each connection.

use actix::Addr;
use bytes::Bytes;

use super::HttpSession;
use super::context::SessionContext;
use super::exchange::{Cancelled, Exchange, Failure};
use super::unsent::Unsent;
use crate::error::Refused;
use crate::payload::{Headers, MessageId, Payload};

/// Handles the incoming messages of one connection, at a server or a client (P1, P18).
///
/// Calls are made in the session actor, one at a time (P19), so they must not block. If an answer takes long, send it
/// later, through a [`Responder`](crate::Responder) or by messages to the session. A call on the [`SessionContext`]
/// never calls the handler back before the current call has returned.
///
/// The order of calls for one message is `apply chunk* trailers? finished`, or `apply` alone if the body is inside the
/// payload (P30). Messages do not interleave. An exchange ends in exactly one call of `completed`, `cancelled` or
/// `failed`, after all its other calls. The one exception is a handler that panicked: it is never called again.
///
/// ```
/// use http_actors::{HttpHandler, Payload, SessionContext, StatusCode};
///
/// struct Hello;
///
/// impl HttpHandler for Hello {
///     fn apply(&mut self, _request: Payload, session: &mut SessionContext) {
///         session.respond(Payload::response(StatusCode::OK).body("Hello, World!"));
///     }
/// }
/// ```
#[allow(
    unused_variables,
    reason = "most defaults do nothing, and named arguments are documentation"
)]
pub trait HttpHandler: 'static {
    /// A message came in: its head, and its body if the mode is Oneshot (P20).
    fn apply(&mut self, payload: Payload, session: &mut SessionContext);

    /// A piece of the body of the message last applied (P22). Pieces are passed on as they arrive; their boundaries
    /// mean nothing.
    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {}

    /// The trailer fields of the message last applied, if it had any.
    fn trailers(&mut self, trailers: Headers, session: &mut SessionContext) {}

    /// The body of the message last applied is complete (P23). Not called for Oneshot messages.
    fn finished(&mut self, session: &mut SessionContext) {}

    /// An informational (1xx) response came; the final one follows. Client only.
    fn informational(&mut self, payload: Payload, session: &mut SessionContext) {}

    /// The session is ready for the body of this message (P28). Called once for each message that was applied in Stream
    /// or Chunked mode, unless it can have no body, like an answer to HEAD.
    fn need_body(&mut self, message: MessageId, session: &mut SessionContext) {}

    /// More output waits for the socket than the high-water mark: send no more for now (P27).
    fn throttled(&mut self, session: &mut SessionContext) {}

    /// The output has drained: you may send again (P27). Follows every `throttled`, unless the session ends.
    fn unthrottled(&mut self, session: &mut SessionContext) {}

    /// The peer closed its sending side while an exchange is going on. This is not an end: the
    /// [`half_close`](crate::HalfClose) policy decides what happens to the exchange.
    fn half_closed(&mut self, session: &mut SessionContext) {}

    /// The session was asked to [`Leave`](crate::message::Leave). Finish what does not end by itself, such as an event
    /// feed.
    fn leaving(&mut self, session: &mut SessionContext) {}

    /// The exchange ended successfully.
    fn completed(&mut self, exchange: &Exchange, session: &mut SessionContext) {}

    /// The exchange ended because somebody no longer wanted it, or its time was up.
    fn cancelled(&mut self, cancelled: &Cancelled, session: &mut SessionContext) {}

    /// The exchange ended because something went wrong.
    fn failed(&mut self, failure: &Failure, session: &mut SessionContext) {}

    /// A message of yours or of another sender was refused, and nobody awaits the answer.
    ///
    /// By default, if a final response was refused as `Unusable` and nobody else may still answer, the exchange fails:
    /// the client gets a 500 and `failed` is called with `Usage`. If you override this, you must answer. (A refused
    /// answer of a [`Responder`](crate::Responder) has used that up: if it was the last one, `failed` is called with
    /// `Unanswered` in any case.)
    fn refused(&mut self, refused: Refused<Unsent>, session: &mut SessionContext) {
        session.fail_if_unusable(&refused);
    }
}

/// Makes the handler of a session, once, when the session starts (P17).
///
/// Closures `Fn(Addr<HttpSession>) -> impl HttpHandler` are factories.
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no handlers",
    label = "a handler is made for each connection: by a closure `|session| handler`, or by `handler_fn`"
)]
pub trait HandlerFactory {
    /// The handler type.
    type Handler: HttpHandler;

    /// Makes a handler. You may keep the address and use it from anywhere.
    fn handler(&self, session: Addr<HttpSession>) -> Self::Handler;
}

impl<F, H> HandlerFactory for F
where
    F: Fn(Addr<HttpSession>) -> H,
    H: HttpHandler,
{
    type Handler = H;

    fn handler(&self, session: Addr<HttpSession>) -> H {
        self(session)
    }
}

/// Hears nothing: the handler of a session that has none of its own yet, or none any more.
pub(crate) struct Silent;

impl HttpHandler for Silent {
    fn apply(&mut self, _payload: Payload, _session: &mut SessionContext) {}
}
