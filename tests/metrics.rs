//! What is counted, as a recorder of the facade `metrics` gets it.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Peer, Pipe, serve, serve_with};
use http_actors::message::{Apply, CancelCurrent};
use http_actors::{
    Buffers, HttpHandler, HttpSession, Payload, SessionContext, SessionOptions, StatusCode,
};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// Keeps what it gets: of counters and gauges the state, of histograms the values.
#[derive(Default)]
struct Board {
    numbers: Mutex<BTreeMap<String, Arc<Number>>>,
    values: Mutex<BTreeMap<String, Arc<Values>>>,
}

#[derive(Default)]
struct Number(AtomicU64);

#[derive(Default)]
struct Values(Mutex<Vec<f64>>);

impl CounterFn for Number {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, _: u64) {
        panic!("nothing is set");
    }
}

/// All gauges count whole things.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small whole numbers"
)]
impl GaugeFn for Number {
    fn increment(&self, value: f64) {
        self.0.fetch_add(value as u64, Ordering::Relaxed);
    }

    fn decrement(&self, value: f64) {
        let before = self.0.fetch_sub(value as u64, Ordering::Relaxed);
        assert!(before >= value as u64, "a gauge below zero");
    }

    fn set(&self, _: f64) {
        panic!("nothing is set");
    }
}

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.0.lock().expect("not poisoned").push(value);
    }
}

/// `name{label=value,label=value}`.
fn text(key: &Key) -> String {
    let labels: Vec<String> = key
        .labels()
        .map(|label| format!("{}={}", label.key(), label.value()))
        .collect();
    format!("{}{{{}}}", key.name(), labels.join(","))
}

impl Recorder for Board {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut numbers = self.numbers.lock().expect("not poisoned");
        Counter::from_arc(numbers.entry(text(key)).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut numbers = self.numbers.lock().expect("not poisoned");
        Gauge::from_arc(numbers.entry(text(key)).or_default().clone())
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut values = self.values.lock().expect("not poisoned");
        Histogram::from_arc(values.entry(text(key)).or_default().clone())
    }
}

impl Board {
    /// Counters and gauges, by name.
    fn numbers(&self) -> Vec<(String, u64)> {
        let numbers = self.numbers.lock().expect("not poisoned");
        let numbers = numbers
            .iter()
            .map(|(name, number)| (name.clone(), number.0.load(Ordering::Relaxed)));
        numbers.collect()
    }

    fn expect(&self, expected: &[(&str, u64)]) {
        let numbers = self.numbers();
        let numbers: Vec<_> = numbers.iter().map(|(name, at)| (&**name, *at)).collect();
        assert_eq!(numbers, expected);
    }

    /// The values of a histogram, in whole seconds: the clock of the test stands still otherwise.
    fn seconds(&self, name: &str) -> Vec<u64> {
        let values = self.values.lock().expect("not poisoned");
        let found = values.get(name).map(|values| {
            let values = values.0.lock().expect("not poisoned");
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a few seconds"
            )]
            values.iter().map(|value| value.round() as u64).collect()
        });
        found.unwrap_or_default()
    }
}

fn answer(_: Payload, session: &mut SessionContext) {
    let address = session.address();
    session.spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let _ = address
            .send(Apply(Payload::response(StatusCode::OK).body("hi")))
            .await;
    });
}

/// Two requests in one write: the second waits for the first, and both take two seconds.
#[actix::test]
async fn what_a_server_counts() {
    tokio::time::pause();
    let board = Board::default();
    let _guard = metrics::set_default_local_recorder(&board);
    let mut served = serve(answer);
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    served.peer.send([request, request].concat()).await;
    served.heard.expect(&["apply GET / []"]).await;
    board.expect(&[
        (
            "http.server.active_requests{http.request.method=GET,url.scheme=http}",
            1,
        ),
        ("http_actors.server.open_connections{}", 1),
    ]);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    served.peer.expect([answer, answer].concat()).await;
    served.peer.close().await;
    served.peer.rest().await;
    served.heard.rest().await;
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    board.expect(&[
        (
            "http.server.active_requests{http.request.method=GET,url.scheme=http}",
            0,
        ),
        ("http_actors.server.bytes_in{}", 2 * request.len() as u64),
        (
            "http_actors.server.bytes_out{}",
            2 * (answer.len() + date.len()) as u64,
        ),
        (
            "http_actors.server.exchanges{outcome=completed,cause=none,status_class=2xx}",
            2,
        ),
        ("http_actors.server.open_connections{}", 0),
    ]);
    let duration = "http.server.request.duration{http.request.method=GET,url.scheme=http,http.response.status_code=200}";
    assert_eq!(board.seconds(duration), [2, 2]);
    assert_eq!(board.seconds("http_actors.server.queue_time{}"), [0, 2]);
}

/// What ends otherwise than well says why, and what is refused is no exchange.
#[actix::test]
async fn every_end_counts_its_cause() {
    tokio::time::pause();
    let board = Board::default();
    let _guard = metrics::set_default_local_recorder(&board);

    let mut cancelled = serve(|_, _| {});
    cancelled
        .peer
        .send("BREW / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    cancelled.heard.expect(&["apply BREW / []"]).await;
    cancelled.session.do_send(CancelCurrent);
    cancelled.heard.rest().await;

    let mut refused = serve(|_, _| {});
    refused.peer.send("GET / HTTP/1.1\r\n\r\n").await;
    refused.peer.rest().await;
    refused.heard.rest().await;

    let mut late = serve(|_, _| {});
    late.peer.send("GET /").await;
    late.peer.rest().await;
    late.heard.rest().await;

    board.expect(&[
        (
            "http.server.active_requests{http.request.method=_OTHER,url.scheme=http}",
            0,
        ),
        ("http_actors.server.bytes_in{}", 28),
        ("http_actors.server.bytes_out{}", 0),
        (
            "http_actors.server.exchanges{outcome=cancelled,cause=local,status_class=none}",
            1,
        ),
        ("http_actors.server.open_connections{}", 0),
        ("http_actors.server.refusals{cause=MissingHost}", 1),
        ("http_actors.server.refusals{cause=timeout_head}", 1),
    ]);
    let duration =
        "http.server.request.duration{http.request.method=_OTHER,url.scheme=http,error.type=local}";
    assert_eq!(board.seconds(duration), [0]);
}

/// Output that waits above its mark, once until the peer takes it, once until the end.
#[actix::test]
async fn time_above_the_mark_is_measured() {
    tokio::time::pause();
    let board = Board::default();
    let _guard = metrics::set_default_local_recorder(&board);
    let options = || SessionOptions {
        buffers: Buffers {
            high_water: 1000,
            low_water: 100,
            ..Buffers::default()
        },
        ..SessionOptions::default()
    };
    let large = |_: Payload, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).body(vec![b'x'; 5000]));
    };

    let mut served = serve_with(options(), 512, large);
    served.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.heard.expect(&["apply GET / []"]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    served.peer.close().await;
    served.peer.rest().await;
    served.heard.rest().await;
    assert_eq!(board.seconds("http_actors.throttled_time{}"), [5]);

    let mut served = serve_with(options(), 512, large);
    served.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.heard.expect(&["apply GET / []"]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    served.session.do_send(http_actors::message::Dispose);
    served.heard.rest().await;
    assert_eq!(board.seconds("http_actors.throttled_time{}"), [5, 3]);
}

struct Deaf;

impl HttpHandler for Deaf {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {}
}

/// Two requests at a client: the second waits for three seconds to be sent.
#[actix::test]
async fn what_a_client_counts() {
    tokio::time::pause();
    let board = Board::default();
    let _guard = metrics::set_default_local_recorder(&board);
    let (mut peer, near) = Peer::open(Pipe::new());
    let session = HttpSession::over(near, "a", &|_| Deaf, SessionOptions::for_client());
    for _ in 0..2 {
        let request = Payload::get("/").expect("a path");
        let taken = session.send(Apply(request)).await;
        taken.expect("alive").expect("taken");
    }
    peer.expect("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    board.expect(&[
        (
            "http.client.active_requests{http.request.method=GET,url.scheme=http}",
            2,
        ),
        ("http.client.open_connections{}", 1),
    ]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let response = "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n1";
    peer.send(response).await;
    peer.expect("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    peer.send(response).await;
    peer.close().await;
    peer.rest().await;
    board.expect(&[
        (
            "http.client.active_requests{http.request.method=GET,url.scheme=http}",
            0,
        ),
        ("http.client.open_connections{}", 0),
        ("http_actors.client.bytes_in{}", 2 * response.len() as u64),
        ("http_actors.client.bytes_out{}", 2 * 27),
        (
            "http_actors.client.exchanges{outcome=completed,cause=none,status_class=4xx}",
            2,
        ),
    ]);
    let duration = "http.client.request.duration{http.request.method=GET,url.scheme=http,http.response.status_code=404,error.type=404}";
    assert_eq!(board.seconds(duration), [3, 3]);
    assert_eq!(board.seconds("http_actors.client.queue_time{}"), [0, 3]);
}
