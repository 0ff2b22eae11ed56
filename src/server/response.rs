//! What a function may answer with.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;

use super::error_response::{ErrorResponse, sources};
use crate::error::{BodyError, UseError};
use crate::payload::{Payload, TransferMode, allows_body};
use crate::session::{Answer, BodySender, Owed, Responder, ServiceFailed};
use crate::wire::{COULD_NOT_ANSWER, plain};

/// What a function of [`handler_fn`](crate::handler_fn) may return. There are no other implementations.
///
/// | type | what the client gets |
/// | --- | --- |
/// | [`Payload`] with its body inside, or without one | that |
/// | [`Payload`] that announces a body, chunked or with a length, where one would have to follow | a 500: nobody could send that body |
/// | [`Payload`] with a 1xx status | a 500: the final answer would be missing |
/// | `(Payload, S)`, where `S` is a `Stream` of `Result<Bytes, E>`, for example [`Incoming`](crate::Incoming) | the head and the stream as its body, chunked if the head has no [`length`](Payload::length) |
/// | `Ok` of one of these | what it says |
/// | `Err` of an [`ErrorResponse`], or of an error that has one among its sources | the answer in it |
/// | `Err` of [`BodyError::TooLarge`], or of an error that has it among its sources | a 413 |
/// | `Err` of anything else that converts into a `Box<dyn Error>`, also a `String` | a 500 that does not tell what it was; the error is logged |
/// | `()`, if the function takes the whole [`HttpRequest`](crate::HttpRequest) | what the function sends by the responder; a 500 and the end of the connection if it drops that |
/// | `Result<(), E>`, if the function takes the whole [`HttpRequest`](crate::HttpRequest) | the same; an `Err` is answered as above, if no answer has begun |
///
/// * After an `Err` the connection goes on.
/// * A body inside the head of a stream is sent first. The stream is polled when there is room for more, and not at all
///   if the status allows no body. A body that has come to its length is over, whether its stream has ended or says no
///   more. An error in it cuts the answer, so that the client sees that it is not whole. A body of length 0 that is ready
///   with data, or with an error, is answered like an `Err`.
/// * `Result<Payload, StatusCode>` is not among them: a status is no error. Return a `Result<Payload, ErrorResponse>`,
///   into which `?` converts a status, as does `.into()`. A status alone is `Payload::response(status)`.
///
/// ```
/// use http_actors::{Payload, StatusCode, handler_fn};
///
/// let square = handler_fn(async |request: Payload| -> Result<Payload, Box<dyn std::error::Error>> {
///     let number: f64 = std::str::from_utf8(request.body_bytes())?.parse()?;
///     Ok(Payload::response(StatusCode::OK).body((number * number).to_string()))
/// });
/// # let _ = square;
/// ```
///
/// A status as an error:
///
/// ```
/// use http_actors::{ErrorResponse, Payload, StatusCode, handler_fn};
///
/// fn user(request: &Payload) -> Result<&str, StatusCode> {
///     request.headers().text("X-User").ok_or(StatusCode::UNAUTHORIZED)
/// }
///
/// let greet = handler_fn(async |request: Payload| -> Result<Payload, ErrorResponse> {
///     if request.path() != "/" {
///         return Err(StatusCode::NOT_FOUND.into());
///     }
///     Ok(Payload::response(StatusCode::OK).body(format!("Hello, {}!\n", user(&request)?)))
/// });
/// # let _ = greet;
/// ```
///
/// and not:
///
/// ```compile_fail
/// # use http_actors::{Payload, StatusCode, handler_fn};
/// let missing = handler_fn(async |_: Payload| -> Result<Payload, StatusCode> { Err(StatusCode::NOT_FOUND) });
/// ```
#[diagnostic::on_unimplemented(
    message = "a function of `handler_fn` cannot answer with `{Self}`",
    note = "it returns a `Payload`, a `Payload` and a stream, or a `Result` of either",
    note = "if it takes the whole `HttpRequest`, it answers by the `responder` and returns `()` or a `Result` of it"
)]
pub trait IntoResponse<Right>: Reply<Right> {}

impl<Right, T: Reply<Right>> IntoResponse<Right> for T {}

impl Responder {
    /// Answers by anything that a function of [`handler_fn`](crate::handler_fn) may return, and resolves when it was
    /// sent: a head and a stream, for example, or a `Result`. See [`IntoResponse`].
    ///
    /// When the exchange is over before that, because the client has left for example, the stream is dropped. So is it,
    /// and the answer is cut, if you drop the future. To learn how it went, ask [`ended`](Self::ended) before.
    ///
    /// ```
    /// use actix::prelude::*;
    /// use http_actors::{ErrorResponse, HttpClient, HttpRequest, Incoming, Payload, StatusCode};
    ///
    /// /// Passes on what another server says.
    /// struct Mirror(HttpClient);
    ///
    /// impl Actor for Mirror {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<HttpRequest> for Mirror {
    ///     type Result = ResponseFuture<()>; // a task for each answer
    ///
    ///     fn handle(&mut self, HttpRequest { responder, .. }: HttpRequest, _: &mut Self::Context) -> Self::Result {
    ///         let feed = fetch(self.0.clone());
    ///         Box::pin(async move { responder.reply(feed.await).await })
    ///     }
    /// }
    ///
    /// async fn fetch(client: HttpClient) -> Result<(Payload, Incoming), ErrorResponse> {
    ///     let request = Payload::get("http://127.0.0.1:8080/feed").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    ///     let (head, body) = client.stream(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    ///     Ok((head.forward(), body))
    /// }
    /// ```
    pub async fn reply(self, answer: impl IntoResponse<Self>) {
        let closed = self.closed();
        tokio::select! {
            biased;
            () = answer.answer(self) => {}
            () = closed => {}
        }
    }
}

/// The private part of [`IntoResponse`].
#[diagnostic::on_unimplemented(
    message = "a function of `handler_fn` cannot answer with `{Self}`",
    note = "it returns a `Payload`, a `Payload` and a stream, or a `Result` of either",
    note = "if it takes the whole `HttpRequest`, it answers by the `responder` and returns `()` or a `Result` of it"
)]
#[allow(unnameable_types, reason = "it seals a trait")]
pub trait Reply<Right> {
    #[doc(hidden)]
    fn answer(self, right: Right) -> impl Future<Output = ()>;
}

/// The right to answer that is kept for a function which has one itself, in case that it fails.
#[allow(unnameable_types, reason = "it is in a private trait's impls")]
#[derive(Debug)]
pub struct Second(pub(super) Responder);

impl Reply<Second> for () {
    async fn answer(self, _: Second) {}
}

impl Reply<Responder> for Payload {
    async fn answer(self, responder: Responder) {
        drop(respond(self, responder));
    }
}

/// What the responder would refuse becomes another answer, so that the connection goes on.
fn respond(answer: Payload, responder: Responder) -> Answer {
    let answer = if let Some(mistake) = answer.status().and_then(no_answer) {
        apology(&mistake)
    } else if responder.needs_body(&answer) {
        apology(&UseError::NoWriter)
    } else {
        answer
    };
    responder.respond(answer)
}

/// Why a status cannot be that of an answer.
pub(super) fn no_answer(status: StatusCode) -> Option<UseError> {
    match status {
        StatusCode::SWITCHING_PROTOCOLS => Some(UseError::SwitchNeedsHandOff),
        _ => status.is_informational().then_some(UseError::InterimStatus),
    }
}

impl<S, E> Reply<Responder> for (Payload, S)
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn Error>>,
{
    async fn answer(self, responder: Responder) {
        let (mut head, body) = self;
        let mut first = Bytes::new();
        if head.mode() == TransferMode::Oneshot {
            if !head.status().is_some_and(allows_body) {
                return head.answer(responder).await;
            }
            first = std::mem::take(&mut head.message_mut().body);
            head.set_length(None);
        }
        let mut body = pin!(body);
        if responder.expects_nothing(&head) {
            let answer = match check_empty(body.as_mut()).await {
                Ok(()) => head,
                Err(error) => apology(&*error),
            };
            return drop(responder.respond(answer));
        }
        if let Err(error) = stream(responder, head, first, body).await {
            tracing::debug!(%error, "a streamed answer was cut");
        }
    }
}

/// Checks a body that was announced as empty. One that says nothing is not waited for.
async fn check_empty<S, E>(mut body: Pin<&mut S>) -> Result<(), Box<dyn Error>>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn Error>>,
{
    match poll_fn(|cx| Poll::Ready(body.as_mut().poll_next(cx))).await {
        Poll::Ready(Some(Ok(piece))) if !piece.is_empty() => Err(UseError::BodyTooLong.into()),
        Poll::Ready(Some(Err(error))) => Err(error.into()),
        _ => Ok(()),
    }
}

/// An error cuts the answer.
async fn stream<S, E>(
    responder: Responder,
    head: Payload,
    first: Bytes,
    body: Pin<&mut S>,
) -> Result<(), Box<dyn Error>>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn Error>>,
{
    let owed = Owed::new(head.body_size());
    let mut sender = responder.stream(head).await?;
    if let Err(error) = pour(&mut sender, owed, first, body).await {
        sender.fail(&*error);
        return Err(error);
    }
    Ok(sender.finish().await?)
}

/// Sends all pieces of a body.
async fn pour<S, E>(
    sender: &mut BodySender,
    mut owed: Owed,
    first: Bytes,
    mut body: Pin<&mut S>,
) -> Result<(), Box<dyn Error>>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn Error>>,
{
    if !first.is_empty() {
        sender.send(first).await?;
    }
    while let Some(piece) = poll_fn(|cx| owed.or_end(body.as_mut().poll_next(cx))).await {
        let piece = piece.map_err(Into::into)?;
        owed.pay(piece.len());
        sender.send(piece).await?;
    }
    Ok(())
}

impl<T, E> Reply<Responder> for Result<T, E>
where
    T: Reply<Responder>,
    E: Into<Box<dyn Error>>,
{
    async fn answer(self, responder: Responder) {
        match self {
            Ok(answer) => answer.answer(responder).await,
            Err(error) => apology(&*error.into()).answer(responder).await,
        }
    }
}

impl<E> Reply<Second> for Result<(), E>
where
    E: Into<Box<dyn Error>>,
{
    async fn answer(self, Second(responder): Second) {
        if let Err(error) = self {
            let (session, message) = (responder.session().clone(), responder.exchange());
            let error = error.into();
            let (answer, why) = match own_answer(&*error) {
                Some(answer) => (answer, Some(error.to_string())),
                None => (apology(&*error), None),
            };
            // Refused if the function has answered, or begun to.
            let answer = respond(answer, responder);
            session.do_send(ServiceFailed { message, why });
            let _ = answer.await;
        }
    }
}

/// The answer of a service that failed.
pub(super) fn apology(error: &(dyn Error + 'static)) -> Payload {
    own_answer(error).unwrap_or_else(|| {
        tracing::warn!(%error, "a service failed");
        plain(StatusCode::INTERNAL_SERVER_ERROR, COULD_NOT_ANSWER)
    })
}

/// The answer that an error has itself.
fn own_answer(error: &(dyn Error + 'static)) -> Option<Payload> {
    if let Some(own) = ErrorResponse::of(error) {
        tracing::debug!(%error, "a service answered with an error");
        return Some(own.payload().clone());
    }
    let body = sources(error).find_map(<dyn Error>::downcast_ref);
    match body {
        Some(large @ BodyError::TooLarge(_)) => Some(ErrorResponse::from(*large).into_payload()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is logged names the way that there is.
    #[test]
    fn what_is_no_answer() {
        for (status, mistake) in [
            (100, Some(UseError::InterimStatus)),
            (101, Some(UseError::SwitchNeedsHandOff)),
            (103, Some(UseError::InterimStatus)),
            (200, None),
            (600, None),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(no_answer(status), mistake, "{status}");
        }
    }
}
