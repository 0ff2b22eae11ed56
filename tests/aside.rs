//! What is rarely asked of an exchange: notes for its log, and how it ends.

mod common;

use std::sync::{Arc, Mutex};

use actix::Addr;
use common::{PATIENCE, Written, events};
use futures_util::stream;
use http_actors::error::CancelCause;
use http_actors::log::{CommonLog, Detail, JsonLog, Logger, Record};
use http_actors::test_util::{FarEnd, Pipe, Recorder};
use http_actors::{
    Bytes, ErrorResponse, HandlerFactory, HttpHandler, HttpRequest, HttpSession, Method, Outcome,
    Payload, Responder, SessionContext, SessionOptions, StatusCode, handler_fn,
};
use tokio::sync::mpsc;

/// What never comes fails the test.
async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let come = tokio::time::timeout(PATIENCE, coming).await;
    come.expect("it comes")
}

/// A connection of this service, and its access log.
fn serve_logged(factory: &impl HandlerFactory) -> (FarEnd, Written) {
    let json = Written::default();
    let options = SessionOptions {
        logger: Some(Arc::new(JsonLog::new(json.clone()))),
        ..SessionOptions::default()
    };
    let (client, _session) = FarEnd::serve_with(Pipe::new(), factory, options);
    (client, json)
}

/// What a service notes about an exchange is in its record, whichever way it answers. A later note replaces an earlier
/// one, and what comes when the exchange is over is dropped.
#[actix::test]
async fn notes_are_in_the_log() {
    struct Notes(Arc<Mutex<Vec<String>>>);
    impl Logger for Notes {
        // Notes come without the heads, too.
        fn detail(&self) -> Detail {
            Detail::Exchange
        }

        fn log(&self, record: &Record<'_>) {
            let notes = record
                .notes
                .iter()
                .map(|note| format!("{}={}", note.name, note.value));
            let notes: Vec<_> = notes.collect();
            self.0.lock().expect("no panic").push(notes.join(" "));
        }
    }

    struct Noting(Option<Responder>);
    impl HttpHandler for Noting {
        fn apply(&mut self, request: Payload, session: &mut SessionContext) {
            if let Some(earlier) = self.0.take() {
                earlier.note("late", "dropped");
            }
            session.note("route", "/first");
            session.note("user", format!("ann of {}", request.path()));
            let responder = session.responder();
            responder.note("route", "/second\n\"");
            self.0 = Some(session.responder());
            responder.respond(Payload::response(StatusCode::OK));
        }
    }

    tokio::time::pause();
    let factory = |_session: Addr<HttpSession>| Noting(None);
    let get = "GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Basic am9lOng=\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let own = Arc::<Mutex<Vec<String>>>::default();
    let (common, json) = (Written::default(), Written::default());
    let loggers: [Arc<dyn Logger>; 3] = [
        Arc::new(Notes(own.clone())),
        Arc::new(CommonLog::new(common.clone())),
        Arc::new(JsonLog::new(json.clone())),
    ];
    for logger in loggers {
        let options = SessionOptions {
            logger: Some(logger),
            ..SessionOptions::default()
        };
        let (mut client, _session) = FarEnd::serve_with(Pipe::new(), &factory, options);
        for _ in 0..2 {
            client.send(get).await;
            client.expect(ok).await;
        }
        client.close().await;
        client.rest().await;
    }
    assert_eq!(
        *own.lock().expect("no panic"),
        ["route=/second\n\" user=ann of /a"; 2]
    );
    for line in common.text().lines() {
        assert!(line.starts_with("- - ann_of_/a ["), "{line}");
    }
    assert_eq!(common.text().lines().count(), 2);
    for line in json.text().lines() {
        assert!(line.contains(r#""user":"ann of /a","#), "{line}");
        assert!(
            line.ends_with(r#","notes":{"route":"/second\u000a\""}}"#),
            "{line}"
        );
    }
    assert_eq!(json.text().lines().count(), 2);
}

/// Who answers can know whether the whole answer was sent.
#[actix::test]
async fn the_end_of_an_exchange_is_told_to_who_asked() {
    tokio::time::pause();
    let (tell, mut told) = mpsc::unbounded_channel();
    let service = handler_fn(
        async move |HttpRequest {
                        request, responder, ..
                    }: HttpRequest| {
            let ended = responder.ended();
            let tell = tell.clone();
            actix::spawn(async move {
                let _ = tell.send(ended.await);
            });
            let size = if request.path() == "/long" {
                1 << 20
            } else {
                2
            };
            match request.path() {
                "/never" => std::future::pending().await,
                "/none" => drop(responder),
                _ => drop(
                    responder.respond(Payload::response(StatusCode::OK).body(vec![b'x'; size])),
                ),
            }
        },
    );
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let small = Pipe::new().capacity(4 << 10);
    let (mut client, _session) = FarEnd::serve_with(small, &service, SessionOptions::default());
    client.send(ask("/short")).await;
    client.response(Method::GET).await;
    assert_eq!(soon(told.recv()).await, Some(Some(Outcome::Completed)));
    // The answer was accepted, and a part of it is on its way.
    client.send(ask("/long")).await;
    client.response_head(Method::GET).await;
    client.reset();
    let reset = Outcome::Cancelled(CancelCause::PeerReset);
    assert_eq!(soon(told.recv()).await, Some(Some(reset)));

    let mut client = FarEnd::serve(&service);
    client.send(ask("/never")).await;
    client.close().await;
    let gone = Outcome::Cancelled(CancelCause::PeerHalfClosed);
    assert_eq!(soon(told.recv()).await, Some(Some(gone)));

    let mut client = FarEnd::serve(&service);
    client.send(ask("/none")).await;
    client.response(Method::GET).await;
    let end = soon(told.recv()).await.flatten();
    assert!(matches!(end, Some(Outcome::Failed(_))), "{end:?}");
}

/// An exchange that is over has no end to wait for, and neither has one whose session is gone.
#[actix::test]
async fn the_end_of_an_exchange_that_is_over() {
    tokio::time::pause();
    let (tell, mut told) = mpsc::unbounded_channel();
    let service = handler_fn(async move |HttpRequest { responder, .. }: HttpRequest| {
        drop(tell.send(responder));
    });
    let mut client = FarEnd::serve(&service);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let responder = soon(told.recv()).await.expect("a request");
    let asked = responder.ended();
    client.reset();
    let reset = Outcome::Cancelled(CancelCause::PeerReset);
    assert_eq!(soon(asked).await, Some(reset));
    assert_eq!(soon(responder.ended()).await, None);
}

/// Who asks about an exchange that is over is not told how the next one on its connection ends.
#[actix::test]
async fn the_end_of_an_exchange_is_not_that_of_the_next() {
    struct Late(Option<Responder>, mpsc::UnboundedSender<Option<Outcome>>);
    impl HttpHandler for Late {
        fn apply(&mut self, _: Payload, session: &mut SessionContext) {
            if let Some(earlier) = self.0.replace(session.responder()) {
                let (ended, told) = (earlier.ended(), self.1.clone());
                actix::spawn(async move { told.send(ended.await) });
            }
            let ok = Payload::response(StatusCode::OK);
            drop(session.responder().respond(ok));
        }
    }

    tokio::time::pause();
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut client = FarEnd::serve(&move |_: Addr<HttpSession>| Late(None, tell.clone()));
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.response(Method::GET).await;
    }
    assert_eq!(soon(told.recv()).await, Some(None));
}

/// A handler that answers by its context notes by it, too: then no request that waits already comes first. A note by a
/// responder is a message, and comes too late there.
#[actix::test]
async fn notes_before_an_answer_by_the_context() {
    struct Noting;
    impl HttpHandler for Noting {
        fn apply(&mut self, _: Payload, session: &mut SessionContext) {
            session.note("route", "/a");
            session.respond(Payload::response(StatusCode::OK));
        }
    }

    tokio::time::pause();
    let (mut client, json) = serve_logged(&|_: Addr<HttpSession>| Noting);
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(get.repeat(3)).await;
    for _ in 0..3 {
        client.response(Method::GET).await;
    }
    client.close().await;
    client.rest().await;
    let lines = json.text();
    let noted = |line: &&str| line.ends_with(r#""notes":{"route":"/a"}}"#);
    assert_eq!(lines.lines().filter(noted).count(), 3, "{lines}");
}

/// What has no room among the notes of an exchange is not logged. That is told once for each exchange.
#[actix::test]
async fn notes_that_are_too_long() {
    struct Noting;
    impl HttpHandler for Noting {
        fn apply(&mut self, _: Payload, session: &mut SessionContext) {
            session.note("route", "/a");
            for name in ["body", "head", "body"] {
                session.note(name, "x".repeat(16 << 10));
            }
            session.respond(Payload::response(StatusCode::OK));
        }
    }

    tokio::time::pause();
    events::listen();
    let (mut client, json) = serve_logged(&|_: Addr<HttpSession>| Noting);
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.response(Method::GET).await;
    }
    client.close().await;
    client.rest().await;
    for line in json.text().lines() {
        assert!(line.ends_with(r#""notes":{"route":"/a"}}"#), "{line}");
    }
    assert_eq!(json.text().lines().count(), 2);
    let told = "WARN the notes of an exchange are too long: some are not logged";
    assert_eq!(events::take("the notes of an exchange"), [told; 2]);
}

/// A service that fails within its answer is one warning, which says why.
#[actix::test]
async fn a_cut_answer_is_one_warning() {
    async fn warnings(factory: impl HandlerFactory, path: &str) -> Vec<String> {
        let (factory, mut heard) = Recorder::of(factory);
        let mut client = FarEnd::serve(&factory);
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        client.rest().await;
        let all = heard.rest().await;
        let end = all.last().expect("an end");
        assert_eq!(end, "failed ServiceFailed Answering", "{path}");
        let mut told = events::take("service failed");
        told.retain(|event| event.starts_with("WARN"));
        told
    }

    events::listen();
    let ok = || Payload::response(StatusCode::OK).chunked();
    let streamed = handler_fn(async move |_: Payload| {
        let pieces = [Ok("ab"), Err("the disk is full")];
        let pieces = pieces.map(|piece| piece.map(Bytes::from));
        (ok(), stream::iter(pieces))
    });
    let itself = handler_fn(async move |all: HttpRequest| {
        let path = all.request.path().to_owned();
        let body = all.responder.stream(ok()).await;
        let mut body = body.expect("taken");
        let _ = body.send("ab").await;
        match path.as_str() {
            "/text" => Err::<(), Box<dyn std::error::Error>>("the disk is full".into()),
            "/own" => Err(ErrorResponse::from(StatusCode::BAD_GATEWAY).into()),
            _ => panic!("on purpose"),
        }
    });
    let itself = |path| {
        let itself = itself.clone();
        async move { warnings(itself, path).await }
    };
    let cut = "WARN a service failed, and its answer is cut error=";
    let told = warnings(streamed, "/").await;
    assert_eq!(told, [format!("{cut}the disk is full")]);
    let told = itself("/text").await;
    assert_eq!(told, ["WARN a service failed error=the disk is full"]);
    let told = itself("/own").await;
    assert_eq!(told, [format!("{cut}answered with 502 Bad Gateway")]);
    let told = itself("/panics").await;
    assert_eq!(told, [format!("{cut}it panicked")]);
}
