//! Every cause of refusal is provoked by a row, and has its status.

use http::StatusCode;

use super::harness::refused;
use super::{requests, responses};
use crate::error::WireError;
use crate::wire::refusal;

/// The list and a match from the same names: a new variant does not compile until it stands here.
macro_rules! every {
    ($($name:ident)*) => {
        const EVERY: &[WireError] = &[$(WireError::$name),*];

        fn name(error: WireError) -> &'static str {
            match error {
                $(WireError::$name => stringify!($name),)*
            }
        }
    };
}

every! {
    InvalidRequestLine InvalidMethod InvalidTarget UserinfoInTarget FragmentInTarget MissingConnectPort InvalidVersion
    UnsupportedVersion InvalidStatusLine BareCr BareLf ObsFold MissingColon WhitespaceBeforeColon InvalidFieldName
    InvalidFieldValue StartLineTooLong HeadTooLarge TooManyFields MissingHost RepeatedHost InvalidHost MismatchedHost
    InvalidContentLength ConflictingContentLength ContentLengthWithTransferEncoding InvalidTransferEncoding
    UnsupportedTransferEncoding TransferEncodingOnHttp10 BodyTooLarge InvalidChunkSize InvalidChunkExtension
    ChunkLineTooLong ChunkOverhead MissingChunkEnd ForbiddenTrailer TrailersTooLarge UnknownExpectation Truncated
    TooManyInformational UnsolicitedResponse UnsolicitedUpgrade
}

#[test]
fn every_refusal_has_a_row() {
    let tables = [
        requests::start_lines(),
        requests::lines(),
        requests::fields(),
        requests::hosts(),
        requests::framing(),
        requests::codings(),
        requests::chunks(),
        requests::limits(),
        requests::connections(),
        responses::to_get(),
        responses::to_nothing(),
    ];
    let provoked: Vec<_> = tables.iter().flat_map(|rows| refused(rows)).collect();
    let missing: Vec<_> = EVERY
        .iter()
        // The decoder reports it as a fact, because the answer is the session's to give.
        .filter(|error| **error != WireError::UnknownExpectation)
        .filter(|error| !provoked.contains(error))
        .map(|error| name(*error))
        .collect();
    assert!(missing.is_empty(), "no row provokes {missing:?}");
}

#[test]
fn statuses() {
    for error in EVERY {
        let expected = match name(*error) {
            "BodyTooLarge" => 413,
            "StartLineTooLong" => 414,
            "UnknownExpectation" => 417,
            "HeadTooLarge" | "TooManyFields" => 431,
            "UnsupportedTransferEncoding" => 501,
            "UnsupportedVersion" => 505,
            _ => 400,
        };
        assert_eq!(error.status().as_u16(), expected, "{error:?}");
    }
}

#[test]
fn texts() {
    for error in EVERY {
        let text = error.to_string();
        assert_eq!(text, text.to_lowercase(), "{error:?}");
        assert!(!text.ends_with('.'), "{error:?}");
    }
}

#[test]
fn refusals_announce_the_close() {
    let payload = refusal(StatusCode::BAD_REQUEST, &WireError::BareCr.to_string());
    assert_eq!(payload.mistake(), None);
    assert_eq!(payload.headers().text("connection"), Some("close"));
    assert_eq!(
        payload.body_bytes(),
        "bare carriage return in a protocol line"
    );
}
