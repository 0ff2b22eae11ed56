//! Requests of a client that wait for a connection: how long, what they say, and what they leave behind.

mod common;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use common::events;
use futures_util::{poll, stream};
use http_actors::{
    Blame, Bytes, ClientBuilder, ClientError, ClientErrorKind, HttpClient, HttpServer, Payload,
    Running, StatusCode, handler_fn,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(300);

/// A server whose answers are let go one by one, by permits. `/at-once` needs none, `/away` sends elsewhere.
struct Gate {
    running: Running,
    open: Arc<Semaphore>,
}

impl Gate {
    fn new() -> Self {
        events::listen();
        let open = Arc::new(Semaphore::new(0));
        let gate = open.clone();
        let answer = handler_fn(async move |request: Payload| match request.path() {
            "/at-once" => Payload::response(StatusCode::OK).body("hi"),
            "/away" => Payload::response(StatusCode::TEMPORARY_REDIRECT).header("Location", "/"),
            _ => {
                gate.acquire().await.expect("open").forget();
                Payload::response(StatusCode::OK).body("hi")
            }
        });
        let server = HttpServer::new(answer).signals(false).workers(1);
        let running = server.bind("127.0.0.1:0").expect("a port").run();
        Self { running, open }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addresses()[0])
    }

    fn get(&self, path: &str) -> Payload {
        Payload::get(self.url(path)).expect("a url")
    }
}

fn one() -> ClientBuilder {
    HttpClient::builder().connections_per_origin(1)
}

fn assert_busy(error: &ClientError) {
    assert!(matches!(error.kind(), ClientErrorKind::Busy), "{error:?}");
    assert_eq!(error.blame(), Blame::Network);
    assert!(error.is_timeout() && !error.is_connect());
}

/// A request that got no connection in time was not sent, and comes back. The others do not suffer.
#[actix::test]
async fn a_wait_has_an_end() {
    let gate = Gate::new();
    let client = one().wait_timeout(Duration::from_millis(20)).build();
    let mut first = pin!(client.request(gate.get("/")));
    assert!(poll!(first.as_mut()).is_pending());
    let post = Payload::post(gate.url("/late")).expect("a url");
    let answered = timeout(LONG, client.request(post)).await.expect("a limit");
    let error = answered.expect_err("none is free");
    assert_busy(&error);
    assert!(error.is_retry_safe());
    let again = error.into_payload().expect("it was not sent");
    assert_eq!(again.path(), "/late");

    // The one that has a connection may take its time, and what was given up is not sent after it.
    gate.open.add_permits(2);
    first.await.expect("an answer");
    client.request(again).await.expect("an answer");
    assert_eq!(gate.open.available_permits(), 0);
}

/// It is asked for each connection, so also behind a redirect; there nothing comes back.
#[actix::test]
async fn a_wait_behind_a_redirect() {
    let mut wait = Duration::from_millis(20);
    let error = loop {
        match wait_behind_a_redirect(wait).await {
            Some(error) => break error,
            None => wait *= 4,
        }
        assert!(wait < LONG, "the redirect never came in time");
    };
    assert_busy(&error);
    assert!(error.is_retry_safe());
    assert!(error.into_payload().is_none());
}

/// `None` if the next request, which waits while the redirect comes, was given up before: the machine is busy.
async fn wait_behind_a_redirect(wait: Duration) -> Option<ClientError> {
    let gate = Gate::new();
    let client = one().redirects(1).wait_timeout(wait).build();
    let mut first = pin!(client.request(gate.get("/away")));
    let mut next = pin!(client.request(gate.get("/")));
    assert!(poll!(first.as_mut()).is_pending());
    assert!(poll!(next.as_mut()).is_pending());
    // The next one has the connection before the redirect asks for it.
    tokio::select! {
        biased;
        answered = next => {
            assert_busy(&answered.expect_err("the gate is closed"));
            None
        }
        answered = timeout(LONG, first) => Some(answered.expect("a limit").expect_err("none is free")),
    }
}

/// Without a limit a request waits for as long as it takes, and one that finds a connection does not wait at all.
#[actix::test]
async fn no_limit_and_no_wait() {
    let gate = Gate::new();
    let patient = one().build();
    let mut first = pin!(patient.request(gate.get("/")));
    let mut second = pin!(patient.request(gate.get("/at-once")));
    assert!(poll!(first.as_mut()).is_pending());
    assert!(poll!(second.as_mut()).is_pending());
    gate.open.add_permits(1);
    let (first, second) = tokio::join!(first, second);
    first.expect("an answer");
    second.expect("an answer");

    let hasty = one().wait_timeout(Duration::ZERO).build();
    for _ in 0..3 {
        let answer = hasty.request(gate.get("/at-once")).await;
        answer.expect("a free connection is not waited for");
    }
    let mut first = pin!(hasty.request(gate.get("/")));
    assert!(poll!(first.as_mut()).is_pending());
    let asked = Arc::new(AtomicBool::new(false));
    let asks = asked.clone();
    let body = stream::poll_fn(move |_| {
        asks.store(true, Ordering::Relaxed);
        Poll::Ready(None::<Result<Bytes, Infallible>>)
    });
    let put = Payload::put(gate.url("/at-once")).expect("a url");
    assert_busy(&hasty.upload(put, body).await.expect_err("busy"));
    assert!(!asked.load(Ordering::Relaxed));
    gate.open.add_permits(1);
    first.await.expect("an answer");
}

/// Wherever a request that waits is given up, the connection goes to the next: in the queue, and when its turn has come
/// and it has not noticed.
#[actix::test]
async fn waits_that_are_given_up_keep_nothing() {
    let gate = Gate::new();
    let client = one().wait_timeout(LONG).build();
    for its_turn in [false, true] {
        let mut first = Box::pin(client.request(gate.get("/")));
        let mut given_up: Vec<_> = (0..3)
            .map(|_| Box::pin(client.request(gate.get("/"))))
            .collect();
        assert!(poll!(first.as_mut()).is_pending());
        for each in &mut given_up {
            assert!(poll!(each.as_mut()).is_pending());
        }
        let mut last = Box::pin(client.request(gate.get("/at-once")));
        assert!(poll!(last.as_mut()).is_pending());
        gate.open.add_permits(1);
        if its_turn {
            // The answer ends the lease, and the first in the queue, which nobody polls, has the connection.
            first.await.expect("an answer");
            given_up.clear();
        } else {
            given_up.clear();
            first.await.expect("an answer");
        }
        last.await.expect("an answer");
    }
    assert_eq!(gate.open.available_permits(), 0);
    let request = client.request(gate.get("/at-once"));
    request.await.expect("the connection is there");
}

/// The first to wait warns, the others join it, and the next one warns when the queue was empty.
#[actix::test]
async fn the_first_one_warns() {
    let gate = Gate::new();
    let client = one().build();
    for round in 1..=2 {
        let mut first = pin!(client.request(gate.get("/")));
        assert!(poll!(first.as_mut()).is_pending());
        assert_eq!(warnings(&gate).len(), 0, "nobody waits");
        let mut second = Box::pin(client.request(gate.get("/at-once")));
        let mut third = Box::pin(client.request(gate.get("/at-once")));
        assert!(poll!(second.as_mut()).is_pending());
        assert!(poll!(third.as_mut()).is_pending());
        let text = format!(
            "WARN all connections to an origin are in use: requests wait origin={} connections=1",
            gate.url("")
        );
        assert_eq!(warnings(&gate), [text], "round {round}");
        // One leaves the queue, and it is not empty yet.
        drop(second);
        let mut fourth = Box::pin(client.request(gate.get("/at-once")));
        assert!(poll!(fourth.as_mut()).is_pending());
        assert_eq!(warnings(&gate).len(), 0);
        gate.open.add_permits(1);
        first.await.expect("an answer");
        third.await.expect("an answer");
        fourth.await.expect("an answer");
    }
}

/// Takes the warnings about this server.
fn warnings(gate: &Gate) -> Vec<String> {
    let mut events = events::take(&format!("origin={} ", gate.url("")));
    events.retain(|text| text.starts_with("WARN "));
    events
}
