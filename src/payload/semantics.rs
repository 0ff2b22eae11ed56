//! The semantics of methods and statuses (RFC 9110 sections 9.2 and 6.4.1).

use http::{Method, StatusCode};

/// Whether a request with this method changes nothing at the server (P36). TRACE is safe too, but is not counted here.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether repeating a request with this method does no harm (RFC 9110 section 9.2.2).
pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// Whether a response with this status may have a body (RFC 9110 section 6.4.1).
pub(crate) fn allows_body(status: StatusCode) -> bool {
    !status.is_informational()
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what does no harm twice is sent again.
    #[test]
    fn what_methods_promise() {
        for (method, safe, idempotent) in [
            ("GET", true, true),
            ("HEAD", true, true),
            ("OPTIONS", true, true),
            ("TRACE", false, true),
            ("PUT", false, true),
            ("DELETE", false, true),
            ("POST", false, false),
            ("PATCH", false, false),
            ("CONNECT", false, false),
            ("get", false, false),
            ("M-SEARCH", false, false),
        ] {
            let parsed = Method::from_bytes(method.as_bytes()).expect("a token");
            let promises = (is_safe(&parsed), is_idempotent(&parsed));
            assert_eq!(promises, (safe, idempotent), "{method}");
        }
    }
}
