//! Requests that a server refuses before they are exchanges, in its logs: each once, with what came of it.

mod common;

use std::sync::{Arc, Mutex};

use common::{HI, Peer, Pipe, Written, events};
use http_actors::error::{CancelCause, Deadline, FailureReason, WireError};
use http_actors::log::{CommonLog, ContentsLog, Detail, JsonLog, Logger, Record, RefusedRequest};
use http_actors::{Limits, Outcome, Payload, SessionOptions, StatusCode, handler_fn};

const GET: &str = "GET /first HTTP/1.1\r\nHost: a\r\n\r\n";

/// The lines of a log, each without its time.
fn lines_of(log: &Written) -> Vec<String> {
    let behind_time = |line: &str| {
        let (_, rest) = line.split_once("] ").unwrap_or_default();
        rest.to_owned()
    };
    log.text().lines().map(behind_time).collect()
}

fn serve(pipe: Pipe, logger: impl Logger) -> Peer {
    events::listen();
    let hi = handler_fn(async |_: Payload| Payload::response(StatusCode::OK).body("hi"));
    let options = SessionOptions {
        logger: Some(Arc::new(logger)),
        limits: Limits {
            body: Some(20_000),
            ..Limits::default()
        },
        ..SessionOptions::default()
    };
    Peer::serve_with(pipe, &hi, options).0
}

/// What is wrong with a request, with its line in the log up to the bytes. However it is cut, that is the same.
#[actix::test]
async fn each_has_a_line() {
    let long = format!("/{}", "a".repeat(9000));
    let cut = &long[..(8 << 10) - "GET ".len()];
    let many = "X: y\r\n".repeat(101);
    let rows = [
        ("GET /a HTTP/1.1\r\n\r\n", "GET /a HTTP/1.1\" 400"),
        (
            "G ET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "G ET / HTTP/1.1\" 400",
        ),
        ("\r\nGET / HTTP/1.1\r\nno\r\n\r\n", "GET / HTTP/1.1\" 400"),
        ("\r\n\r\n", "-\" 400"),
        (
            "\x16\x03\x01\0\x05hello\r\n\r\n",
            r#"\x16\x03\x01\x00\x05hello" 400"#,
        ),
        (
            "GET /\"\\ HTTP/2.0\r\nHost: a\r\n\r\n",
            r#"GET /\"\\ HTTP/2.0" 505"#,
        ),
        (
            &format!("GET {long} HTTP/1.1\r\n"),
            &format!("GET {cut}\" 414"),
        ),
        (
            &format!("GET / HTTP/1.1\r\n{many}\r\n"),
            "GET / HTTP/1.1\" 431",
        ),
        (
            "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 20001\r\n\r\n",
            "POST /p HTTP/1.1\" 413",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            "POST / HTTP/1.1\" 501",
        ),
        (
            "GET /e HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n",
            "GET /e HTTP/1.1\" 417",
        ),
    ];
    for (request, line) in rows {
        for seed in 0..5 {
            let log = Written::default();
            let mut peer = serve(Pipe::new().seed(seed), CommonLog::new(log.clone()));
            peer.send(GET).await;
            peer.expect(HI).await;
            peer.send(request).await;
            let refusal = peer.rest().await;
            let (_, body) = refusal.split_once("\r\n\r\n").expect("an answer");
            let expected = format!("\"{line} {} \"-\" \"-\"", body.len());
            let first = "\"GET /first HTTP/1.1\" 200 2 \"-\" \"-\"";
            assert_eq!(lines_of(&log), [first, &expected], "{request:.40}");
        }
    }
}

/// What came too slowly, or was cut off before it was whole.
#[actix::test]
async fn late_and_cut_ones_too() {
    tokio::time::pause();
    let head = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";
    for (sent, closes, line) in [
        ("GET /sl", false, "\"GET /sl\" 408 "),
        (
            "GET /slow HTTP/1.1\r\nHos",
            false,
            "\"GET /slow HTTP/1.1\" 408 ",
        ),
        (
            "GET /cut HTTP/1.1\r\nHos",
            true,
            "\"GET /cut HTTP/1.1\" 400 ",
        ),
        // Not delivered before it is whole.
        (&format!("{head}four"), false, "\"POST /p HTTP/1.1\" 408 "),
        (&format!("{head}four"), true, "\"POST /p HTTP/1.1\" 400 "),
    ] {
        let log = Written::default();
        let mut peer = serve(Pipe::new(), CommonLog::new(log.clone()));
        peer.send(sent).await;
        if closes {
            peer.close().await;
        }
        assert!(peer.rest().await.starts_with("HTTP/1.1 4"), "{sent}");
        let lines = lines_of(&log);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(line), "{lines:?}");
    }
    for part in ["head", "body"] {
        let text = format!("error=the request {part} came too slowly peer=-");
        let event = format!("DEBUG a request was refused {text}");
        assert!(events::take(&text).contains(&event), "{part}");
    }
}

/// Nothing was asked, or what was asked became an exchange: that has its record, and no other.
#[actix::test]
async fn nothing_else_has_one() {
    tokio::time::pause();
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n";
    for (sent, closes, lines) in [
        ("", false, &[][..]),
        ("", true, &[]),
        ("\r\n", true, &[]),
        (chunked, false, &["\"POST / HTTP/1.1\" 400 "]),
    ] {
        let log = Written::default();
        let mut peer = serve(Pipe::new(), CommonLog::new(log.clone()));
        peer.send(sent).await;
        if closes {
            peer.close().await;
        }
        peer.rest().await;
        let logged = lines_of(&log);
        assert_eq!(logged.len(), lines.len(), "{sent}: {logged:?}");
        for (line, begin) in logged.iter().zip(lines) {
            assert!(line.starts_with(begin), "{logged:?}");
        }
    }
    let event = "DEBUG a request was refused error=malformed chunk size peer=-";
    assert_eq!(events::take("malformed chunk size"), [event]);
}

#[actix::test]
async fn in_the_other_forms() {
    let wrong = "GET /x HTTP/1.1\r\nHost : a\r\n\r\n";
    let log = Written::default();
    let mut peer = serve(Pipe::new(), JsonLog::new(log.clone()));
    peer.send(GET).await;
    peer.expect(HI).await;
    peer.send(wrong).await;
    peer.rest().await;
    let text = log.text();
    let entry = text.lines().nth(1).expect("two entries");
    for part in [
        r#""method":"GET","target":"/x","version":"HTTP/1.1","status":400,"#,
        r#""outcome":"failed","cause":"protocol","head_in":null,"#,
        r#""duration_us":null,"reused":true,"#,
    ] {
        assert!(entry.contains(part), "{entry}");
    }

    let log = Written::default();
    let mut peer = serve(Pipe::new(), ContentsLog::new(log.clone()));
    peer.send(wrong).await;
    peer.rest().await;
    assert_eq!(
        log.text(),
        "REQUEST\nGET /x HTTP/1.1\nRESPONSE\n400 Bad Request\nFailed(Protocol(WhitespaceBeforeColon))\n\n"
    );
}

/// What a logger of its own hears: the line only if it wants heads, and the cause.
#[actix::test]
async fn a_logger_of_its_own() {
    struct Told(Detail, Arc<Mutex<Vec<(String, Outcome, bool)>>>);
    impl Logger for Told {
        fn detail(&self) -> Detail {
            self.0
        }

        fn log(&self, _: &Record<'_>) {}

        fn refused(&self, refused: &RefusedRequest<'_>) {
            let line = refused.request_line.escape_ascii().to_string();
            let told = (line, refused.outcome, refused.reused);
            self.1.lock().expect("no panic").push(told);
            panic!("on purpose: the client is answered all the same");
        }
    }
    tokio::time::pause();
    let late = Outcome::Cancelled(CancelCause::Deadline(Deadline::Head));
    let wrong = |error| Outcome::Failed(FailureReason::Protocol(error));
    let line = |detail, line: &str| match detail {
        Detail::Exchange => String::new(),
        _ => line.to_owned(),
    };
    for detail in [Detail::Exchange, Detail::Heads] {
        let told = Arc::<Mutex<Vec<_>>>::default();
        for (sent, status) in [
            ("GET / HTTP/1.1\r\n", "408 Request Timeout"),
            ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
                "417 Expectation Failed",
            ),
        ] {
            let mut peer = serve(Pipe::new(), Told(detail, told.clone()));
            peer.send(sent).await;
            let rest = peer.rest().await;
            assert!(
                rest.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{rest}"
            );
        }
        let line = line(detail, "GET / HTTP/1.1");
        assert_eq!(
            *told.lock().expect("no panic"),
            [
                (line.clone(), late, false),
                (line.clone(), wrong(WireError::MissingHost), false),
                (line, wrong(WireError::UnknownExpectation), false),
            ]
        );
    }
}

/// A logger that is written for exchanges alone hears of them alone.
#[actix::test]
async fn a_logger_of_exchanges_hears_of_them_alone() {
    struct Old(Arc<Mutex<u32>>);
    impl Logger for Old {
        fn log(&self, _: &Record<'_>) {
            *self.0.lock().expect("no panic") += 1;
        }
    }
    let count = Arc::default();
    let mut peer = serve(Pipe::new(), Old(Arc::clone(&count)));
    peer.send(GET).await;
    peer.expect(HI).await;
    peer.send("no\r\n\r\n").await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 400 "));
    assert_eq!(*count.lock().expect("no panic"), 1);
}
