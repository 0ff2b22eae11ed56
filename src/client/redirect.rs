//! Redirects (RFC 9110 section 15.4).

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use url::Url;

use crate::payload::{Headers, Payload, TransferMode};
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

/// The request that follows from a redirect. `None` if the response is no redirect, or one that is not followed:
/// without a usable Location, or from https to http. A body that is not inside the request must be made again by the
/// caller.
pub(super) fn next(mut request: Payload, response: &Payload) -> Option<Payload> {
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
