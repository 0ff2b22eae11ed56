//! An async function as the service.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use actix::Addr;

use super::receiver::{Bodies, COLLECTED, Receiver, Serve};
use super::request::HttpRequest;
use super::response::{IntoResponse, Second};
use crate::payload::Payload;
use crate::session::{HttpSession, Incoming, Responder, SessionContext};
use crate::transport::Peer;

/// Makes handlers that call an async function for each request.
///
/// What the function takes decides how it gets the body, and what it returns is the answer:
///
/// | takes one argument | the body | returns |
/// | --- | --- | --- |
/// | [`Payload`] | is inside, up to 1 MiB; larger bodies are answered with a 413 | the answer, see [`IntoResponse`] |
/// | `(Payload, Incoming)` | is streamed; the peer waits while it is not read | the same |
/// | `(Payload, Peer)`, `(Payload, Incoming, Peer)` | the same, with the addresses of the connection: [`Peer`] | the same |
/// | [`HttpRequest`] | is streamed, or inside if it is short: [`take_body`](HttpRequest::take_body) returns either | `()`, or a `Result` of it: the function answers by the `responder`; an `Err` is answered for it if it has not |
///
/// ```no_run
/// use http_actors::{HttpServer, Incoming, Payload, StatusCode, handler_fn};
///
/// #[actix::main]
/// async fn main() -> std::io::Result<()> {
///     let echo = handler_fn(async |(request, body): (Payload, Incoming)| {
///         println!("{} {}", request.method(), request.path());
///         (Payload::response(StatusCode::OK), body)
///     });
///     HttpServer::new(echo).bind("127.0.0.1:8080")?.run().await
/// }
/// ```
///
/// For another limit than 1 MiB take `(Payload, mut body: Incoming)` and call
/// [`body.bytes(limit).await?`](Incoming::bytes): a body that is longer is answered with a 413 then, too.
///
/// The function, with what it captures, is cloned for every connection. Its future runs on the arbiter of the
/// connection, so it need not be `Send`. If it blocks, it blocks all connections of that arbiter.
///
/// The future is dropped at its current await point when the exchange ends first: the peer has disconnected, the
/// session was disposed, or a deadline has passed. [`HalfClose`](crate::HalfClose) decides about a peer that only
/// closes its sending side. Work that must not be cut short needs its own task; that of `actix::spawn` ends with the
/// server. If the exchange ends before the future was polled at all, as for a client that resets its connection right
/// behind its request, nothing of the function runs.
///
/// If the function panics, the client gets a 500, and its connection closes.
pub fn handler_fn<F, A, R>(
    function: F,
) -> impl Fn(Addr<HttpSession>) -> Receiver<Function<F, A>> + Clone + Send + 'static
where
    F: AsyncFn(A) -> R + Clone + Send + 'static,
    A: FromRequest,
    R: IntoResponse<A::Right> + 'static,
{
    move |_session| {
        let function = Function {
            function: Rc::new(function.clone()),
            argument: PhantomData,
        };
        Receiver::new(function, A::BODIES)
    }
}

/// What a function of [`handler_fn`] may take. There are no other implementations.
///
/// | type | when the function is called | the body of the request | the function returns |
/// | --- | --- | --- | --- |
/// | [`Payload`] | when the whole request has come | is inside, with its [`trailers`](Payload::trailers); one over 1 MiB is answered with a 413, and the function is not called | the answer |
/// | `(Payload, Incoming)` | when the head has come; with a short body (up to [`Limits::oneshot`](crate::Limits::oneshot)), when that has come too | is the [`Incoming`], however short it is | the answer |
/// | `(Payload, Peer)` | as for [`Payload`] | as for [`Payload`] | the answer |
/// | `(Payload, Incoming, Peer)` | as for `(Payload, Incoming)` | as for `(Payload, Incoming)` | the answer |
/// | [`HttpRequest`] | as for `(Payload, Incoming)` | is its [`body`](HttpRequest::body), or inside its [`request`](HttpRequest::request) if it is short; [`take_body`](HttpRequest::take_body) returns either | nothing, or the error that is to be answered: it answers by its [`responder`](HttpRequest::responder) |
///
/// The addresses of the connection come as the [`Peer`], or with the [`HttpRequest`]; what is known of TLS comes with
/// the [`HttpRequest`] only. [`IntoResponse`] lists what may be returned.
#[diagnostic::on_unimplemented(
    message = "a function of `handler_fn` cannot take `{Self}`",
    label = "it takes `Payload`, `(Payload, Incoming)`, either with a `Peer` as the last, or `HttpRequest`"
)]
pub trait FromRequest: Request {}

impl<A: Request> FromRequest for A {}

/// The private part of [`FromRequest`].
#[diagnostic::on_unimplemented(
    message = "a function of `handler_fn` cannot take `{Self}`",
    label = "it takes `Payload`, `(Payload, Incoming)`, either with a `Peer` as the last, or `HttpRequest`"
)]
#[allow(unnameable_types, reason = "it seals a trait")]
pub trait Request: Sized + 'static {
    /// The responder, or `()` if it was passed to the function.
    type Right: 'static;

    #[doc(hidden)]
    const BODIES: Bodies;

    #[doc(hidden)]
    fn take(request: HttpRequest, session: &mut SessionContext) -> (Self, Self::Right);
}

impl Request for Payload {
    type Right = Responder;
    const BODIES: Bodies = Bodies::Collected(COLLECTED);

    fn take(request: HttpRequest, _: &mut SessionContext) -> (Self, Responder) {
        (request.request, request.responder)
    }
}

impl Request for (Payload, Incoming) {
    type Right = Responder;
    const BODIES: Bodies = Bodies::Streamed;

    fn take(mut request: HttpRequest, _: &mut SessionContext) -> (Self, Responder) {
        let body = request.take_body();
        ((request.request, body), request.responder)
    }
}

impl Request for (Payload, Peer) {
    type Right = Responder;
    const BODIES: Bodies = Payload::BODIES;

    fn take(request: HttpRequest, session: &mut SessionContext) -> (Self, Responder) {
        let peer = request.peer;
        let (request, responder) = Payload::take(request, session);
        ((request, peer), responder)
    }
}

impl Request for (Payload, Incoming, Peer) {
    type Right = Responder;
    const BODIES: Bodies = <(Payload, Incoming)>::BODIES;

    fn take(request: HttpRequest, session: &mut SessionContext) -> (Self, Responder) {
        let peer = request.peer;
        let ((request, body), responder) = <(Payload, Incoming)>::take(request, session);
        ((request, body, peer), responder)
    }
}

impl Request for HttpRequest {
    type Right = Second;
    const BODIES: Bodies = Bodies::Streamed;

    fn take(request: HttpRequest, session: &mut SessionContext) -> (Self, Second) {
        (request, Second(session.responder()))
    }
}

/// Calls the function.
#[allow(
    unnameable_types,
    reason = "what factories make, and nobody needs to name"
)]
pub struct Function<F, A> {
    function: Rc<F>,
    argument: PhantomData<fn(A)>,
}

impl<F, A, R> Serve for Function<F, A>
where
    F: AsyncFn(A) -> R + 'static,
    A: FromRequest,
    R: IntoResponse<A::Right> + 'static,
{
    fn serve(&mut self, request: HttpRequest, session: &mut SessionContext) {
        let function = self.function.clone();
        let (argument, right) = A::take(request, session);
        session.spawn(async move {
            function(argument).await.answer(right).await;
        });
    }
}

impl<F, A> fmt::Debug for Function<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Function")
    }
}
