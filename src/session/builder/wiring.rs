//! What a builder needs at a server and at a client.

use std::cell::RefCell;
use std::sync::Arc;

use crate::session::options::SessionOptions;
use crate::transport;
use crate::wire::Rules;

/// What a builder needs at a server and at a client.
pub(in crate::session) struct Wiring {
    pub(super) read: transport::ReadHalf,
    pub(super) rules: Arc<Rules>,
    pub(super) options: Arc<SessionOptions>,
}

impl Wiring {
    pub(in crate::session) fn new(
        read: transport::ReadHalf,
        options: &Arc<SessionOptions>,
    ) -> Self {
        Self {
            read,
            rules: rules(options),
            options: options.clone(),
        }
    }
}

/// The decoding rules of a connection, shared with the last connection on this thread if they are equal. That saves a
/// hundred bytes.
fn rules(options: &SessionOptions) -> Arc<Rules> {
    thread_local! {
        static LAST: RefCell<Arc<Rules>> = RefCell::default();
    }
    let rules = Rules {
        limits: options.limits.clone(),
        leniency: options.leniency,
    };
    LAST.with_borrow_mut(|last| {
        if **last != rules {
            *last = Arc::new(rules);
        }
        last.clone()
    })
}
