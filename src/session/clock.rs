//! The `Date` field, rendered at most once a second.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// `Date: `, an IMF-fixdate (RFC 9110 section 5.6.7), and the line end.
pub(super) type DateLine = [u8; 37];

struct Rendered {
    until: Option<Instant>,
    line: DateLine,
}

thread_local! {
    static DATE: RefCell<Rendered> = const {
        RefCell::new(Rendered { until: None, line: *b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" })
    };
}

/// The `Date` line for the second that contains `now`.
///
/// The caller already has a monotonic time. The wall clock is read only when the rendered second is over.
pub(super) fn date_line(now: Instant) -> DateLine {
    DATE.with_borrow_mut(|date| {
        if date.until.is_none_or(|until| now >= until) {
            let wall = SystemTime::now();
            for (place, byte) in date
                .line
                .iter_mut()
                .skip(6)
                .zip(httpdate::fmt_http_date(wall).bytes())
            {
                *place = byte;
            }
            let past = wall
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .subsec_nanos();
            date.until = Some(now + Duration::from_nanos(u64::from(1_000_000_000 - past)));
        }
        date.line
    })
}
