//! A tower service as the service, for example an axum `Router`.

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use actix::Addr;
use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{Method, Request, Response, Version};
use http_body::{Body, Frame};
use tower_service::Service;

use super::receiver::{Bodies, Receiver, Serve};
use super::request::HttpRequest;
use super::response::{Reply as _, apology, no_answer};
use crate::error::UseError;
use crate::payload::{Headers, Payload, TransferMode, allows_body};
use crate::session::{BodySender, HttpSession, Incoming, Owed, Responder, SessionContext};

/// The largest complete body that is sent together with its head, in bytes.
const SMALL: u64 = 64 << 10;

/// The error of a service or a body.
type Failed = Box<dyn Error>;

/// What a body gave when it was polled, or its end.
type Gave<B> = Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>;

/// Makes handlers that pass each request to a clone of a tower service, for example an axum `Router`.
///
/// ```no_run
/// use axum::Router;
/// use axum::extract::Path;
/// use axum::routing::get;
/// use http_actors::{HttpServer, tower_handler};
///
/// #[actix::main]
/// async fn main() -> std::io::Result<()> {
///     let hello = get(async |Path(name): Path<String>| format!("Hello, {name}!"));
///     let router = Router::new().route("/{name}", hello);
///     HttpServer::new(tower_handler(router)).bind("127.0.0.1:8080")?.run().await
/// }
/// ```
///
/// The body of the request is an [`Incoming`], which is an `http_body::Body`, trailers included. While it is not read,
/// the peer is slowed down. The extensions of the request contain the [`Peer`](crate::Peer) and, with TLS, an `Arc` of
/// the [`TlsInfo`](crate::TlsInfo). The body of the response is polled when there is room. If its length is known, that
/// becomes the `Content-Length`. Otherwise its trailers are sent to HTTP/1.1 peers.
///
/// The future of the service and the body of its response run on the arbiter of the connection and need not be `Send`.
/// They are dropped when the exchange ends first: the peer has disconnected, a deadline has passed, or the session was
/// disposed. [`HalfClose`](crate::HalfClose) decides about a peer that only closes its sending side.
///
/// If the service fails or panics, the client gets a 500. If a body fails or panics, it is cut, so that the client sees
/// that it is incomplete. A body that is announced as empty, and is ready with data, makes the service fail. The service
/// cannot take over the connection: a 101 becomes a 500. So does an answer with a `Transfer-Encoding` other than
/// `chunked`.
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub fn tower_handler<S, B>(
    service: S,
) -> impl Fn(Addr<HttpSession>) -> Receiver<Tower<S>> + Clone + Send + 'static
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Failed>,
    B: Body + 'static,
    B::Error: Into<Failed>,
{
    move |_session| Receiver::new(Tower(service.clone()), Bodies::Streamed)
}

/// Calls the service.
#[allow(
    unnameable_types,
    reason = "what factories make, and nobody needs to name"
)]
#[derive(Debug)]
pub struct Tower<S>(S);

impl<S, B> Serve for Tower<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + 'static,
    S::Error: Into<Failed>,
    B: Body + 'static,
    B::Error: Into<Failed>,
{
    fn serve(&mut self, mut request: HttpRequest, session: &mut SessionContext) {
        let asked = Asked::of(&request.request);
        let body = request.take_body();
        let (peer, tls) = (request.peer, request.tls.take());
        let service = self.0.clone();
        session.spawn(async move {
            let called = async {
                let mut request = Request::<Bytes>::try_from(request.request)?.map(|_| body);
                request.extensions_mut().insert(peer);
                if let Some(tls) = tls {
                    request.extensions_mut().insert(tls);
                }
                call(service, request).await
            };
            match called.await {
                Ok(response) => answer(request.responder, response, asked).await,
                Err(error) => apology(&*error).answer(request.responder).await,
            }
        });
    }
}

async fn call<S>(mut service: S, request: Request<Incoming>) -> Result<S::Response, Failed>
where
    S: Service<Request<Incoming>>,
    S::Error: Into<Failed>,
{
    let ready = poll_fn(|cx| service.poll_ready(cx)).await;
    ready.map_err(Into::into)?;
    service.call(request).await.map_err(Into::into)
}

/// The facts about a request that its answer depends on.
#[derive(Debug, Clone, Copy)]
struct Asked {
    head: bool,
    trailers: bool,
}

impl Asked {
    fn of(request: &Payload) -> Self {
        Self {
            head: *request.method() == Method::HEAD,
            trailers: request.version() != Version::HTTP_10,
        }
    }
}

async fn answer<B>(responder: Responder, response: Response<B>, asked: Asked)
where
    B: Body,
    B::Error: Into<Failed>,
{
    let (parts, body) = response.into_parts();
    let exact = body.size_hint().exact();
    let head = match head(&parts, exact, asked) {
        Ok(head) => head,
        Err(mistake) => return drop(responder.respond(apology(&mistake))),
    };
    let answered = if asked.head || head.mode() == TransferMode::Oneshot {
        let said_empty = !asked.head && allows_body(parts.status);
        if said_empty
            && !body.is_end_stream()
            && let Err(error) = check_empty(Box::pin(body)).await
        {
            return drop(responder.respond(apology(&*error)));
        }
        responder.respond(head).await.map(drop).map_err(Into::into)
    } else {
        send(responder, head, Box::pin(body), asked).await
    };
    if let Err(error) = answered {
        tracing::debug!(%error, "the answer of a service was cut");
    }
}

/// Makes the head. The length is that of the body if it is exact, and otherwise the one that the service set.
fn head(parts: &Parts, exact: Option<u64>, asked: Asked) -> Result<Payload, UseError> {
    if let Some(mistake) = no_answer(parts.status) {
        return Err(mistake);
    }
    let mut head = Payload::response(parts.status);
    *head.headers_mut() = Headers::try_from(&parts.headers)?;
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        head.headers_mut().remove(TRANSFER_ENCODING.as_str());
    }
    if !allows_body(parts.status) {
        return Ok(head);
    }
    // A body in another coding, sent without its name, would be taken for what it is not.
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(UseError::FramingMismatch);
    }
    let given = parts.headers.get(CONTENT_LENGTH);
    let given = given.and_then(|length| length.to_str().ok()?.parse().ok());
    Ok(match (exact, given) {
        // For HEAD the length of the service is kept: the body that a GET would have had is not available.
        (_, Some(_)) if asked.head => head,
        (Some(0), None) if asked.head => head.chunked(),
        (Some(0), _) | (None, Some(0)) => head,
        (Some(length), _) | (None, Some(length)) => head.length(length),
        (None, None) => head.chunked(),
    })
}

/// Checks a body that was announced as empty. One that says nothing is not waited for.
async fn check_empty<B>(mut body: Pin<Box<B>>) -> Result<(), Failed>
where
    B: Body,
    B::Error: Into<Failed>,
{
    match ready_frame(body.as_mut()).await {
        Some(Some(Ok(frame))) if frame.data_ref().is_some_and(Buf::has_remaining) => {
            Err(UseError::BodyTooLong.into())
        }
        Some(Some(Err(error))) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Sends a body piece by piece, or together with its head if it is complete and small.
async fn send<B>(
    responder: Responder,
    mut head: Payload,
    mut body: Pin<Box<B>>,
    asked: Asked,
) -> Result<(), Failed>
where
    B: Body,
    B::Error: Into<Failed>,
{
    let mut first = None;
    if let Some(length) = head.body_size().filter(|length| *length <= SMALL) {
        first = ready_frame(body.as_mut()).await;
        if let Some(Some(Ok(frame))) = &mut first
            && let Some(data) = frame.data_mut()
            && data.remaining() as u64 == length
            && body.is_end_stream()
        {
            let message = head.message_mut();
            message.mode = TransferMode::Oneshot;
            message.body = data.copy_to_bytes(data.remaining());
            responder.respond(head).await?;
            return Ok(());
        }
    }
    let trailers = asked.trailers && head.mode() == TransferMode::Chunked;
    let owed = Owed::new(head.body_size());
    let mut sender = responder.stream(head).await?;
    match pour(&mut sender, owed, first, body).await {
        Ok(None) => Ok(sender.finish().await?),
        Ok(Some(frame)) => finish(sender, frame, trailers).await,
        Err(error) => {
            sender.fail(&*error);
            Err(error)
        }
    }
}

/// Sends all data of a body. Returns the frame that follows them, if there is one.
async fn pour<B>(
    sender: &mut BodySender,
    mut owed: Owed,
    mut first: Option<Gave<B>>,
    mut body: Pin<Box<B>>,
) -> Result<Option<Frame<B::Data>>, Failed>
where
    B: Body,
    B::Error: Into<Failed>,
{
    loop {
        let frame = match first.take() {
            Some(frame) => frame,
            None => poll_fn(|cx| owed.or_end(body.as_mut().poll_frame(cx))).await,
        };
        let Some(frame) = frame else {
            return Ok(None);
        };
        match frame.map_err(Into::into)?.into_data() {
            Ok(mut data) => {
                owed.pay(data.remaining());
                sender.send(data.copy_to_bytes(data.remaining())).await?;
            }
            Err(frame) => return Ok(Some(frame)),
        }
    }
}

/// The next frame if it is ready, without waiting. The outer `None` means that it is not ready.
async fn ready_frame<B: Body>(mut body: Pin<&mut B>) -> Option<Gave<B>> {
    poll_fn(|cx| {
        Poll::Ready(match body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => Some(frame),
            Poll::Pending => None,
        })
    })
    .await
}

/// Ends a body with its trailers.
async fn finish<D>(sender: BodySender, frame: Frame<D>, allowed: bool) -> Result<(), Failed> {
    match frame.into_trailers() {
        Ok(trailers) if allowed => Ok(sender.finish_with(Headers::try_from(&trailers)?).await?),
        _ => Ok(sender.finish().await?),
    }
}
