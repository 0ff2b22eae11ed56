//! The `tracing` events of the crate, as a subscriber of the whole process sees them.

use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Listens from now on. Every test of a file that looks at events begins with this: what is cached about an event must
/// not be decided by a test that does not listen.
pub(crate) fn listen() {
    static LISTENING: LazyLock<()> = LazyLock::new(|| {
        tracing::subscriber::set_global_default(Listener).expect("the only one");
    });
    LazyLock::force(&LISTENING);
}

/// Takes the events that contain this text: `LEVEL message field=value ..`. Those of other tests are among them, unless
/// the text is of this test alone.
pub(crate) fn take(text: &str) -> Vec<String> {
    let mut events = EVENTS.lock().unwrap_or_else(PoisonError::into_inner);
    events
        .extract_if(.., |event| event.contains(text))
        .collect()
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= Level::DEBUG
            && metadata.target().starts_with("http_actors")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let text = format!(
            "{} {}{}",
            event.metadata().level(),
            text.message,
            text.fields
        );
        let mut events = EVENTS.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => write!(self.fields, " {name}={value:?}").expect("a string"),
        }
    }
}
