//! The `Date` field, rendered once a second by whoever needs it.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

struct Rendered {
    until: Option<Instant>,
    text: [u8; 29],
}

thread_local! {
    static DATE: RefCell<Rendered> = const { RefCell::new(Rendered { until: None, text: [0; 29] }) };
}

/// The date of the second in which `now` is, as an IMF-fixdate (RFC 9110 section 5.6.7).
///
/// The caller has a monotonic time at hand; the wall clock is read only when the second that is rendered is over.
pub(super) fn date(now: Instant) -> [u8; 29] {
    DATE.with_borrow_mut(|date| {
        if date.until.is_none_or(|until| now >= until) {
            let wall = SystemTime::now();
            let text = httpdate::fmt_http_date(wall);
            if text.len() == date.text.len() {
                date.text.copy_from_slice(text.as_bytes());
            }
            let past = wall
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .subsec_nanos();
            date.until = Some(now + Duration::from_nanos(u64::from(1_000_000_000 - past)));
        }
        date.text
    })
}
