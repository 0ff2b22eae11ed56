//! A request, an answer to it, and what simple handlers do.

use http_actors::{Payload, SessionContext, StatusCode};

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// What is sent for [`ok`]`("hi")`, without its date.
pub(crate) const HI: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

pub(crate) fn ok(text: &'static str) -> Payload {
    Payload::response(StatusCode::OK).body(text)
}

/// Answers each request with [`HI`].
pub(crate) fn hello(_: Payload, session: &mut SessionContext) {
    session.respond(ok("hi"));
}

/// Answers nothing.
pub(crate) fn silent(_: Payload, _: &mut SessionContext) {}

/// Begins an answer, whose body is up to the test.
pub(crate) fn streaming(_: Payload, session: &mut SessionContext) {
    session.respond(Payload::response(StatusCode::OK).chunked());
}
