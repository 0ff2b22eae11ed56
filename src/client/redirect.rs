//! Redirects (RFC 9110 section 15.4).

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{Method, StatusCode, Uri, Version};
use url::Url;

use super::alarm::Alarm;
use super::ask::Reply;
use super::{ClientError, ClientErrorKind, HttpClient};
use crate::payload::{Headers, Known, Payload, TransferMode, is_idempotent};
use crate::transport::Origin;

/// Fields that must not be sent to another origin.
const SECRETS: [&str; 3] = ["Authorization", "Cookie", "Proxy-Authorization"];

/// Fields that describe a body that is not sent again.
const OF_THE_BODY: [&str; 8] = [
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Location",
    "Content-Type",
    "Expect",
    "Trailer",
    "Transfer-Encoding",
];

/// How much of the body of a redirect is read, and for how long, so that its connection can be used again.
const READ: usize = 64 << 10;
const READ_TIME: Duration = Duration::from_secs(1);

impl HttpClient {
    /// Follows redirects, from the response to this request on.
    pub(super) async fn follow<S, E>(
        &self,
        mut request: Payload,
        mut reply: Reply,
        mut again: impl FnMut() -> Option<S>,
        alarm: &mut Alarm,
    ) -> Result<Reply, ClientError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let idempotent = is_idempotent(request.method());
        let behind = |error: ClientError| error.behind_redirect(idempotent);
        for followed in 0.. {
            let Some(next) = next(request, &reply.head) else {
                break;
            };
            if followed == self.0.redirects {
                return Err(ClientError::new(ClientErrorKind::TooManyRedirects));
            }
            let upload = match next.mode() {
                TransferMode::Oneshot => None,
                TransferMode::Stream | TransferMode::Chunked => match again() {
                    Some(body) => Some(body),
                    None => break,
                },
            };
            if let Some(mut body) = reply.body
                && may_be_short(&reply.head)
            {
                // A body that is long, slow or cut costs its connection.
                let rest = pin!(async { body.bytes(READ).await.map_err(ClientError::new) });
                let late = || ClientErrorKind::TimedOut;
                let mut short = Alarm::set(Some(READ_TIME), &self.0.arbiter);
                let rest = pin!(short.within(late(), rest));
                // If there is no time left, the next request finds out.
                drop(alarm.within(late(), rest).await);
            }
            request = next.clone();
            reply = match upload {
                Some(body) => self.upload_once(next, body, alarm).await.map_err(behind)?,
                None => self.send_once(next, alarm).await.map_err(behind)?,
            };
        }
        Ok(reply)
    }
}

/// Whether to read the body of a redirect, so that its connection can be kept.
fn may_be_short(head: &Payload) -> bool {
    let headers = head.headers();
    let kept =
        head.version() == Version::HTTP_11 && !headers.known_has(Known::Connection, b"close");
    let framed = headers.has(Known::TransferEncoding)
        || head.body_size().is_some_and(|size| size <= READ as u64);
    kept && framed
}

/// The request that follows from a redirect. `None` if the response is no redirect, or one that is not followed:
/// without a usable Location, or from https to http. A body that is not inside the request must be made again by the
/// caller.
fn next(mut request: Payload, response: &Payload) -> Option<Payload> {
    let then = then(request.method(), response.status()?)?;
    let location = response.headers().text("location")?;
    let from = Url::parse(&request.uri().to_string()).ok()?;
    let mut to = from.join(location).ok()?;
    to.set_fragment(None);
    if from.scheme() == "https" && to.scheme() != "https" {
        return None;
    }
    let uri: Uri = to.as_str().parse().ok()?;
    // User information in a Location is not trusted.
    let crosses = Origin::try_from(&uri).ok()? != Origin::try_from(request.uri()).ok()?;
    let message = request.message_mut();
    match then {
        Then::Repeat => {}
        Then::Become(method) => {
            message.start.set_method(method);
            message.mode = TransferMode::Oneshot;
            message.body = Bytes::new();
            remove(&mut message.headers, &OF_THE_BODY);
        }
    }
    if crosses {
        remove(&mut message.headers, &SECRETS);
        remove(&mut message.headers, &["Host"]);
    }
    message.start.line_mut().uri = uri;
    Some(request)
}

/// What happens to the method, and with it to the body.
enum Then {
    Repeat,
    Become(Method),
}

/// `None`: no redirect.
fn then(method: &Method, status: StatusCode) -> Option<Then> {
    Some(match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if *method == Method::POST => {
            Then::Become(Method::GET)
        }
        StatusCode::SEE_OTHER if *method != Method::HEAD => Then::Become(Method::GET),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => Then::Repeat,
        _ => return None,
    })
}

fn remove(headers: &mut Headers, names: &[&str]) {
    for name in names {
        headers.remove(name);
    }
}
