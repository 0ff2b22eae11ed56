//! The spans of sessions and exchanges, as a subscriber sees them.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use actix::Addr;
use common::{Peer, Pipe, eventually, taken};
use http_actors::message::{Apply, LocalAddrs};
use http_actors::{
    HttpClient, HttpHandler, HttpServer, HttpSession, Payload, SessionContext, SessionOptions,
    StatusCode,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

/// Writes down every span of this crate and the events in it.
#[derive(Clone)]
struct Spans {
    level: Level,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    spans: Vec<Span>,
    inside: Vec<Id>,
    metadata: HashMap<u64, &'static Metadata<'static>>,
}

#[derive(Default, Clone)]
struct Span {
    name: &'static str,
    target: &'static str,
    parent: Option<usize>,
    fields: BTreeMap<&'static str, String>,
    events: Vec<String>,
    handles: usize,
}

impl Visit for Span {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

fn at(id: &Id) -> usize {
    usize::try_from(id.into_u64()).expect("few spans") - 1
}

impl Spans {
    /// Listens on this thread for as long as the guard lives.
    fn listen(level: Level) -> (Self, DefaultGuard) {
        let spans = Self {
            level,
            state: Arc::default(),
        };
        let guard = tracing::subscriber::set_default(spans.clone());
        (spans, guard)
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("not poisoned"))
    }

    /// The spans with this name, in the order in which they began.
    fn named(&self, name: &str) -> Vec<Span> {
        self.with(|state| {
            let named = state.spans.iter().filter(|span| span.name == name);
            named.cloned().collect()
        })
    }

    /// The fields of the only span with this name.
    fn fields(&self, name: &str) -> BTreeMap<&'static str, String> {
        let mut named = self.named(name);
        assert_eq!(named.len(), 1, "one {name}");
        named.remove(0).fields
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let metadata = attributes.metadata();
        self.with(|state| {
            let parent = match attributes.parent() {
                Some(parent) => Some(at(parent)),
                None if attributes.is_contextual() => state.inside.last().map(at),
                None => None,
            };
            let mut span = Span {
                name: metadata.name(),
                target: metadata.target(),
                parent,
                handles: 1,
                ..Span::default()
            };
            attributes.record(&mut span);
            state.spans.push(span);
            let id = Id::from_u64(state.spans.len() as u64);
            state.metadata.insert(id.into_u64(), metadata);
            id
        })
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.with(|state| values.record(&mut state.spans[at(id)]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let target = event.metadata().target();
        if target != "spans" && !target.starts_with("http_actors") {
            return;
        }
        let mut text = Span::default();
        event.record(&mut text);
        self.with(|state| {
            if let Some(id) = event.parent().or(state.inside.last()) {
                let message = text.fields.remove("message").expect("a message");
                state.spans[at(id)].events.push(message);
            }
        });
    }

    fn enter(&self, id: &Id) {
        self.with(|state| state.inside.push(id.clone()));
    }

    fn exit(&self, _: &Id) {
        self.with(|state| state.inside.pop());
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.with(|state| state.spans[at(id)].handles += 1);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.with(|state| {
            let span = &mut state.spans[at(&id)];
            span.handles -= 1;
            span.handles == 0
        })
    }

    fn current_span(&self) -> Current {
        self.with(|state| match state.inside.last() {
            Some(id) => Current::new(id.clone(), state.metadata[&id.into_u64()]),
            None => Current::none(),
        })
    }
}

/// Says what it hears, and answers.
struct Says;

impl HttpHandler for Says {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        tracing::info!(target: "spans", "apply");
        session.spawn(async { tracing::info!(target: "spans", "spawned") });
        let address = session.address();
        session.spawn(async move {
            let status = match request.path() {
                "/teapot" => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::OK,
            };
            let answer = Payload::response(status).body("hi");
            let _ = address.send(Apply(answer)).await;
            std::future::pending::<()>().await;
        });
    }

    fn completed(&mut self, _: &http_actors::Exchange, _: &mut SessionContext) {
        tracing::info!(target: "spans", "completed");
    }

    fn cancelled(&mut self, _: &http_actors::Cancelled, _: &mut SessionContext) {
        tracing::info!(target: "spans", "cancelled");
    }
}

fn expect(fields: &BTreeMap<&'static str, String>, expected: &[(&str, &str)]) {
    let found: Vec<_> = fields.iter().map(|(name, text)| (*name, &**text)).collect();
    assert_eq!(found, expected);
}

#[actix::test]
async fn an_exchange_of_a_server() {
    let (spans, _guard) = Spans::listen(Level::INFO);
    let mut peer = Peer::serve(&|_| Says);
    peer.send("POST /a?b=1 HTTP/1.1\r\nHost: example.test:81\r\nUser-Agent: test/1\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    peer.expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        .await;
    peer.close().await;
    peer.rest().await;
    expect(
        &spans.fields("exchange"),
        &[
            ("http.request.body.size", "3"),
            ("http.request.method", "POST"),
            ("http.response.body.size", "2"),
            ("http.response.status_code", "200"),
            ("network.protocol.version", "1.1"),
            ("otel.kind", "server"),
            ("otel.name", "POST"),
            ("server.address", "example.test"),
            ("server.port", "81"),
            ("url.path", "/a"),
            ("url.query", "b=1"),
            ("url.scheme", "http"),
            ("user_agent.original", "test/1"),
        ],
    );
    let exchange = &spans.named("exchange")[0];
    assert_eq!(exchange.target, "http_actors::exchange");
    assert_eq!(exchange.events, ["apply", "spawned", "completed"]);
    assert_eq!((exchange.handles, exchange.parent), (0, None));
    assert!(spans.named("session").is_empty(), "below the level");
}

/// Each exchange of a session is its child, has the words for what went wrong, and is over when it is.
#[actix::test]
async fn a_session_and_its_exchanges() {
    let (spans, _guard) = Spans::listen(Level::DEBUG);
    let (near, far) = common::tcp_pair().await;
    let local = near.local_addr().expect("an address").port();
    let mut peer = Peer::new(far);
    HttpSession::accept(near, &|_| Says, SessionOptions::default());
    peer.send("BREW /teapot HTTP/1.1\r\nHost: a\r\n\r\n").await;
    peer.expect("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nhi")
        .await;
    peer.send("POST / HTTP/1.0\r\nContent-Length: 20000\r\n\r\nabc")
        .await;
    peer.expect("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
        .await;
    peer.rest().await;
    let session = spans.fields("session");
    assert_eq!(session["network.peer.address"], "127.0.0.1");
    assert_eq!(session["network.local.port"], local.to_string());
    assert_eq!(session["http_actors.close_reason"], "announced");
    let exchanges = spans.named("exchange");
    assert_eq!(exchanges.len(), 2);
    assert!(exchanges.iter().all(|each| each.parent == Some(0)));
    let first = &exchanges[0].fields;
    assert_eq!(first["http.request.method"], "_OTHER");
    assert_eq!(first["http.request.method_original"], "BREW");
    assert_eq!(first["otel.name"], "HTTP");
    assert_eq!(first["client.address"], "127.0.0.1");
    assert_eq!(first["error.type"], "503");
    assert_eq!(first["otel.status_code"], "ERROR");
    let second = &exchanges[1].fields;
    assert_eq!(second["network.protocol.version"], "1.0");
    assert_eq!(second["server.port"], local.to_string());
}

/// What never came to an answer names the cause.
#[actix::test]
async fn a_cut_exchange() {
    let (spans, _guard) = Spans::listen(Level::INFO);
    let (mut peer, session) = Peer::serve_with(Pipe::new(), &|_| Idle, SessionOptions::default());
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    eventually("an exchange", async || {
        let info = session.send(http_actors::message::Inspect).await;
        info.expect("alive").exchanges > 0
    })
    .await;
    session.do_send(http_actors::message::Dispose);
    peer.rest().await;
    let exchange = &spans.named("exchange")[0];
    assert_eq!(exchange.fields["error.type"], "local");
    assert!(!exchange.fields.contains_key("http.response.status_code"));
    assert_eq!(exchange.handles, 0);
}

/// What the crate says about an exchange is said in its span, whichever part noticed it.
#[actix::test]
async fn a_failed_exchange() {
    let (spans, _guard) = Spans::listen(Level::INFO);
    let (mut peer, near) = Peer::open(Pipe::new());
    let drops = |_: Payload, session: &mut SessionContext| drop(session.responder());
    common::accept(near, SessionOptions::default(), drops);
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 500 "));
    let exchange = &spans.named("exchange")[0];
    assert_eq!(exchange.events, ["an exchange failed on this end"]);
    assert_eq!(exchange.fields["error.type"], "unanswered");
}

struct Idle;

impl HttpHandler for Idle {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {}
}

/// The request of a client is a child of the span in which it was asked, and says where it went.
#[actix::test]
async fn an_exchange_of_a_client() {
    let (spans, _guard) = Spans::listen(Level::INFO);
    let running = HttpServer::new(|_: Addr<HttpSession>| Says)
        .workers(1)
        .bind("127.0.0.1:0")
        .expect("a port")
        .signals(false)
        .run();
    let address = running.handle().send(LocalAddrs).await.expect("alive")[0];
    let client = HttpClient::new();
    let asking = tracing::info_span!(target: "test", "asking");
    let request = Payload::get(format!("http://{address}/teapot?c")).expect("a URL");
    let response = tracing::Instrument::instrument(client.request(request), asking).await;
    assert_eq!(
        response.expect("answered").status(),
        Some(StatusCode::SERVICE_UNAVAILABLE)
    );
    let exchange = &spans.named("exchange")[0];
    assert_eq!(exchange.parent, Some(0), "the span that asked");
    expect(
        &exchange.fields,
        &[
            ("error.type", "503"),
            ("http.request.body.size", "0"),
            ("http.request.method", "GET"),
            ("http.response.body.size", "2"),
            ("http.response.status_code", "503"),
            ("network.protocol.version", "1.1"),
            ("otel.kind", "client"),
            ("otel.name", "GET"),
            ("otel.status_code", "ERROR"),
            ("server.address", "127.0.0.1"),
            ("server.port", &address.port().to_string()),
            ("url.full", &format!("http://{address}/teapot?c")),
            ("url.path", "/teapot"),
            ("url.query", "c"),
            ("url.scheme", "http"),
        ],
    );
}

/// Pipelined requests of a client session: each response is told in the span of its own request.
#[actix::test]
async fn each_response_is_told_in_its_span() {
    let (spans, _guard) = Spans::listen(Level::INFO);
    let (mut peer, near) = Peer::open(Pipe::new());
    let options = SessionOptions {
        pipeline: true,
        ..SessionOptions::for_client()
    };
    let session = HttpSession::over(near, "a", &|_| Tells, options);
    for path in ["/1", "/2"] {
        let request = Payload::get(path).expect("a path");
        taken(&session, Apply(request)).await;
    }
    for path in ["/1", "/2"] {
        peer.expect(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
    }
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
        .await;
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\n\r\n")
        .await;
    peer.close().await;
    peer.rest().await;
    let exchanges = spans.named("exchange");
    assert_eq!(exchanges[0].events, ["apply", "completed"]);
    assert_eq!(
        exchanges[1].events,
        ["apply", "chunk", "finished", "completed"]
    );
    assert!(exchanges.iter().all(|exchange| exchange.handles == 0));
}

struct Tells;

impl HttpHandler for Tells {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {
        tracing::info!(target: "spans", "apply");
    }

    fn chunk(&mut self, _: bytes::Bytes, _: &mut SessionContext) {
        tracing::info!(target: "spans", "chunk");
    }

    fn finished(&mut self, _: &mut SessionContext) {
        tracing::info!(target: "spans", "finished");
    }

    fn completed(&mut self, _: &http_actors::Exchange, _: &mut SessionContext) {
        tracing::info!(target: "spans", "completed");
    }
}
