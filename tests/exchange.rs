//! Requests in, answers out: what the peer sends, what the handler hears, what the peer gets, to the byte.

mod common;

use common::{HI, hello, ok, serve, serve_with, taken};
use http_actors::message::{Apply, Finish, Inspect};
use http_actors::{
    Headers, Limits, Payload, SessionContext, SessionOptions, StatusCode, TransferMode,
};

const HI_CLOSE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";

/// Field lines in any order: what stands before the blank line, sorted.
fn sorted(response: &str) -> String {
    let (head, body) = response.split_once("\r\n\r\n").expect("a whole head");
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    lines[1..].sort_unstable();
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

/// P97, P105: one request after the other on a kept connection.
#[actix::test]
async fn requests_follow_on_a_kept_connection() {
    let mut served = serve(hello);
    for round in 0..3 {
        served
            .peer
            .send(format!("GET /{round} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        served.peer.expect(HI).await;
        served
            .heard
            .expect(&[
                &format!("apply GET /{round} []"),
                "completed 200 in 0 out 2",
            ])
            .await;
    }
}

/// P98, B1: pipelined requests are answered in order, and each is delivered only after the one before it was answered.
#[actix::test]
async fn pipelined_requests_are_handled_one_at_a_time_in_order() {
    let mut served = serve(hello);
    let requests: Vec<_> = (0..40)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    served.peer.send(requests.concat()).await;
    for n in 0..40 {
        served.peer.expect(HI).await;
        served
            .heard
            .expect(&[&format!("apply GET /{n} []"), "completed 200 in 0 out 2"])
            .await;
    }
}

/// B6: the body of a request that waits is not delivered into the one that is going on.
#[actix::test]
async fn bodies_of_waiting_requests_wait_with_them() {
    let mut served = serve(|request, session: &mut SessionContext| {
        if request.path() == "/slow" {
            // Answered by the test.
            return;
        }
        session.respond(ok("hi"));
    });
    let chunked =
        "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    served
        .peer
        .send(format!("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n{chunked}"))
        .await;
    served.heard.expect(&["apply GET /slow []"]).await;
    // A whole round through the session's mailbox: the second request had every chance to be delivered wrongly.
    let info = served.session.send(Inspect).await.expect("alive");
    assert_eq!(info.phase, http_actors::SessionPhase::Handling);
    assert!(served.heard.so_far().is_empty());
    taken(&served.session, Apply(ok("hi"))).await;
    served.peer.expect(HI).await;
    served
        .heard
        .expect(&["completed 200 in 0 out 2", "apply POST /body chunked"])
        .await;
}

/// P50: the mode of an incoming body follows from its length. P10, P12: Oneshot comes whole, in one call.
#[actix::test]
async fn the_mode_of_a_body_follows_from_its_length() {
    for (length, mode) in [
        (10_000, TransferMode::Oneshot),
        (10_001, TransferMode::Stream),
    ] {
        let mut served = serve(move |request, session: &mut SessionContext| {
            assert_eq!(request.mode(), mode);
            if mode == TransferMode::Oneshot {
                assert_eq!(request.body_bytes().len(), length);
                session.respond(ok("hi"));
            }
        });
        let body = "x".repeat(length);
        served
            .peer
            .send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .await;
        let applied = served.heard.next().await;
        if mode == TransferMode::Oneshot {
            assert!(applied.starts_with("apply POST / [xxx"));
            assert_eq!(
                served.heard.next().await,
                format!("completed 200 in {length} out 2")
            );
        } else {
            assert_eq!(applied, "apply POST / stream 10001");
            let mut received = 0;
            loop {
                let heard = served.heard.next().await;
                match heard.strip_prefix("chunk ") {
                    Some(chunk) => received += chunk.len(),
                    None => break assert_eq!(heard, "finished"),
                }
            }
            assert_eq!(received, length);
        }
    }
}

/// P11, P22, P23: `apply chunk* trailers finished`, whatever the split; chunk by chunk if the peer waits between them.
#[actix::test]
async fn chunked_requests_with_trailers() {
    let mut served = serve(|_, _: &mut SessionContext| {});
    served
        .peer
        .send("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    served.heard.expect(&["apply POST /up chunked"]).await;
    served.peer.send("3\r\nabc\r\n").await;
    served.heard.expect(&["chunk abc"]).await;
    served
        .peer
        .send("2;ext=1\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")
        .await;
    served
        .heard
        .expect(&["chunk de", "trailers {\"X-Sum\": \"5\"}", "finished"])
        .await;
    taken(&served.session, Apply(ok("hi"))).await;
    served.peer.expect(HI).await;
    served.heard.expect(&["completed 200 in 5 out 2"]).await;
}

/// P37, P43, P44, P101: a chunked answer with trailers, pieces framed as they are sent; empty ones send nothing (B27).
#[actix::test]
async fn chunked_answers_with_trailers() {
    let mut served = serve(|_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).chunked());
        for piece in ["one", "", "twenty-two characters!"] {
            assert!(session.send_chunk(piece).is_ok());
        }
        let mut trailers = Headers::new();
        trailers.append("X-Sum", "25").expect("valid");
        session.finish_with(&trailers).expect("open");
    });
    served.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let expected = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n16\r\ntwenty-two characters!\r\n0\r\nX-Sum: 25\r\n\r\n";
    served.peer.expect(expected).await;
    served
        .heard
        .expect(&["apply GET / []", "need_body", "completed 200 in 0 out 25"])
        .await;
}

/// P38: a streamed answer of a known length.
#[actix::test]
async fn answers_of_a_known_length() {
    let mut served = serve(|_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).length(6));
        assert!(session.send_chunk("abc").is_ok());
        assert!(session.send_chunk("def").is_ok());
        session.finish().expect("open");
    });
    served.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served
        .peer
        .expect("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef")
        .await;
    served
        .heard
        .expect(&["apply GET / []", "need_body", "completed 200 in 0 out 6"])
        .await;
}

/// RFC 9110 section 9.3.2: HEAD gets the head of GET. RFC 9110 section 6.4.1, B8: 204 and 304 have no body, 404 has.
#[actix::test]
async fn answers_without_a_body() {
    let rows = [
        (
            "HEAD",
            ok("hi"),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        ),
        (
            "HEAD",
            Payload::response(StatusCode::OK).length(9),
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        ),
        (
            "HEAD",
            Payload::response(StatusCode::OK).chunked(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "GET",
            Payload::response(StatusCode::NO_CONTENT),
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        (
            "GET",
            Payload::response(StatusCode::NOT_MODIFIED),
            "HTTP/1.1 304 Not Modified\r\n\r\n",
        ),
        (
            "GET",
            Payload::response(StatusCode::NOT_FOUND).body("no"),
            "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        ),
    ];
    for (method, answer, expected) in rows {
        let mut served =
            serve(move |_, session: &mut SessionContext| session.respond(answer.clone()));
        // Twice: the connection is where both ends think it is.
        for _ in 0..2 {
            served
                .peer
                .send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"))
                .await;
            served.peer.expect(expected).await;
            let heard = [served.heard.next().await, served.heard.next().await];
            assert!(
                heard[1].starts_with("completed"),
                "no need_body where there is no body: {heard:?}"
            );
        }
    }
}

/// P97, P170, B10, B25: who closes when, and that it is announced.
#[actix::test]
async fn the_end_of_a_connection_is_announced() {
    let keep = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi";
    let rows = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", HI, false),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            HI_CLOSE,
            true,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nconnection: foo, CLOSE\r\n\r\n",
            HI_CLOSE,
            true,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            HI_CLOSE,
            true,
        ),
        ("GET / HTTP/1.0\r\n\r\n", HI_CLOSE, true),
        (
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            keep,
            false,
        ),
    ];
    for (request, expected, closes) in rows {
        let mut served = serve(hello);
        served.peer.send(request).await;
        if closes {
            assert_eq!(
                sorted(&served.peer.rest().await),
                sorted(expected),
                "{request}"
            );
        } else {
            let head = served.peer.until("\r\n\r\n").await;
            served.peer.expect("hi").await;
            assert_eq!(sorted(&format!("{head}hi")), sorted(expected), "{request}");
            served
                .peer
                .send("GET /again HTTP/1.1\r\nHost: a\r\n\r\n")
                .await;
            served.peer.expect(HI).await;
        }
    }
}

/// P171: after a close was announced nothing of what follows is run.
#[actix::test]
async fn requests_after_a_close_are_not_run() {
    let mut served = serve(hello);
    served.peer.send("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(sorted(&served.peer.rest().await), sorted(HI_CLOSE));
    assert_eq!(
        served.heard.rest().await,
        ["apply GET /1 []", "completed 200 in 0 out 2"]
    );
}

/// B7: an error status is an answer like any other, and the connection goes on.
#[actix::test]
async fn an_error_status_does_not_end_the_connection() {
    let mut served = serve(|_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::INTERNAL_SERVER_ERROR).body("no"));
    });
    served
        .peer
        .send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    for _ in 0..2 {
        served
            .peer
            .expect("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno")
            .await;
    }
}

/// HTTP/1.0 knows no chunks: the end of the connection is the end of the body (RFC 9112 section 6.3).
#[actix::test]
async fn a_chunked_answer_to_http_1_0_ends_with_the_connection() {
    let mut served = serve(|_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).chunked());
        assert!(session.send_chunk("abc").is_ok());
        session.finish().expect("open");
    });
    served
        .peer
        .send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        .await;
    assert_eq!(
        served.peer.rest().await,
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"
    );
}

/// P70, B30: a refused request is answered, and nothing after it is read as one.
#[actix::test]
async fn refused_requests_are_answered_and_the_connection_closes() {
    let long = "a".repeat(9000);
    let many = "X: y\r\n".repeat(101);
    let large = format!("X: {}\r\n", "y".repeat(8000)).repeat(5);
    let rows = [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400 Bad Request"),
        (
            "G ET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "400 Bad Request",
        ),
        ("GET / HTTP/1.1\nHost: a\n\n".to_owned(), "400 Bad Request"),
        (
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(),
            "505 HTTP Version Not Supported",
        ),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
            "414 URI Too Long",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
            "431 Request Header Fields Too Large",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{large}\r\n"),
            "431 Request Header Fields Too Large",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                .to_owned(),
            "400 Bad Request",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
            "501 Not Implemented",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n".to_owned(),
            "417 Expectation Failed",
        ),
    ];
    for (request, status) in rows {
        let mut served = serve(hello);
        served
            .peer
            .send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        served.peer.send(&request).await;
        served
            .peer
            .send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        // P179: what was asked before is answered before.
        served.peer.expect(HI).await;
        let refusal = served.peer.rest().await;
        assert!(
            refusal.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{request:.60}: {refusal}"
        );
        assert!(refusal.contains("Connection: close\r\n"), "{refusal}");
        assert!(
            !refusal.ends_with("\r\n\r\n"),
            "a reason in the body: {refusal}"
        );
        assert_eq!(
            served.heard.rest().await,
            ["apply GET /first []", "completed 200 in 0 out 2"],
            "{request:.60}"
        );
    }
}

/// A body that breaks the rules fails its exchange, and is answered if no answer had begun.
#[actix::test]
async fn a_malformed_body_fails_its_exchange() {
    let mut served = serve(|_, _: &mut SessionContext| {});
    served
        .peer
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n")
        .await;
    let refusal = served.peer.rest().await;
    assert!(
        refusal.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{refusal}"
    );
    let heard = served.heard.rest().await;
    assert_eq!(
        heard,
        [
            "apply POST / chunked",
            "chunk abc",
            "failed Protocol(InvalidChunkSize) Receiving"
        ]
    );
}

/// The same, when the answer had begun: it is cut, so that the peer cannot take it for whole.
#[actix::test]
async fn a_malformed_body_cuts_an_answer_that_has_begun() {
    let mut served = serve(|_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).chunked());
    });
    served
        .peer
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    served
        .peer
        .expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    served.peer.send("xyz\r\n").await;
    assert_eq!(served.peer.rest().await, "");
    let heard = served.heard.rest().await;
    assert_eq!(
        heard,
        [
            "apply POST / chunked",
            "need_body",
            "failed Protocol(InvalidChunkSize) Answering"
        ]
    );
}

/// B24, P69: a body cut short is a failure, never an end.
#[actix::test]
async fn a_truncated_body_is_a_failure() {
    let mut served = serve(|_, _: &mut SessionContext| {});
    served
        .peer
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .await;
    served.peer.close().await;
    let refusal = served.peer.rest().await;
    assert!(
        refusal.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{refusal}"
    );
    assert_eq!(
        served.heard.rest().await,
        [
            "apply POST / chunked",
            "chunk abc",
            "failed Protocol(Truncated) Receiving"
        ]
    );
}

/// An early answer to a short body of known length: the rest is drained and the connection kept.
#[actix::test]
async fn an_early_answer_drains_a_short_body() {
    let mut served = serve(hello);
    served
        .peer
        .send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
        .await;
    served.peer.expect(HI).await;
    served.peer.send("x".repeat(20_000)).await;
    served.peer.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.peer.expect(HI).await;
    served.heard.expect(&["apply POST /1 stream 20000"]).await;
    let heard = served.heard.next().await;
    assert_eq!(
        heard, "completed 200 in 0 out 2",
        "nothing of the body is told after the end"
    );
    served
        .heard
        .expect(&["apply GET /2 []", "completed 200 in 0 out 2"])
        .await;
}

/// An early answer to a long body, or one of unknown length: the close is announced, and the answer arrives although
/// the body is not read.
#[actix::test]
async fn an_early_answer_to_a_long_body_closes() {
    for framing in ["Content-Length: 100000000", "Transfer-Encoding: chunked"] {
        let mut served = serve(hello);
        served
            .peer
            .send(format!("POST /1 HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"))
            .await;
        let answer = served.peer.until("hi").await;
        assert_eq!(sorted(&answer), sorted(HI_CLOSE), "{framing}");
        served.peer.send("x".repeat(1000)).await;
        served.peer.close().await;
        assert_eq!(served.peer.rest().await, "");
        let heard = served.heard.rest().await;
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert_eq!(heard[1], "completed 200 in 0 out 2");
    }
}

/// 413 for a body over the limit: at once if it was announced, when it passes the limit if not.
#[actix::test]
async fn bodies_over_the_limit() {
    for (head, applied) in [
        ("Content-Length: 20001\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n", true),
    ] {
        let options = SessionOptions {
            limits: Limits {
                body: Some(20_000),
                ..Limits::default()
            },
            ..SessionOptions::default()
        };
        let mut served = serve_with(options, 1 << 20, |_, _: &mut SessionContext| {});
        served
            .peer
            .send(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}"))
            .await;
        if applied {
            served
                .peer
                .send(format!("4e20\r\n{}\r\n1\r\nx\r\n", "x".repeat(20_000)))
                .await;
        }
        let refusal = served.peer.rest().await;
        assert!(refusal.starts_with("HTTP/1.1 413 "), "{refusal}");
        let heard = served.heard.rest().await;
        assert_eq!(heard.is_empty(), !applied);
        assert!(heard.iter().all(|heard| heard != "finished"));
    }
}

mod expect_continue {
    //! RFC 9110 section 10.1.1 and its many ways to go wrong.

    use super::*;
    use http_actors::{MuteGuard, Responder, Version};
    use std::sync::Mutex;

    const ASK: &str =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

    /// The 100 is sent when `apply` has returned, and the body is never Oneshot.
    #[actix::test]
    async fn is_granted_by_a_handler_that_waits_for_the_body() {
        let mut served = serve(|_, _: &mut SessionContext| {});
        served.peer.send(ASK).await;
        served.peer.expect(CONTINUE).await;
        served.heard.expect(&["apply POST / stream 3"]).await;
        served.peer.send("abc").await;
        served.heard.expect(&["chunk abc", "finished"]).await;
        taken(&served.session, Apply(ok("hi"))).await;
        served.peer.expect(HI).await;
    }

    /// A final answer instead of the 100: the body may never come, so the connection closes.
    #[actix::test]
    async fn is_denied_by_a_final_answer() {
        let mut served = serve(hello);
        served.peer.send(ASK).await;
        assert_eq!(sorted(&served.peer.until("hi").await), sorted(HI_CLOSE));
        served.peer.close().await;
        assert_eq!(served.peer.rest().await, "");
    }

    /// A body that came already needs no 100.
    #[actix::test]
    async fn is_moot_once_the_body_came() {
        let mut served = serve(|request, session: &mut SessionContext| {
            if request.path() == "/second" {
                session.respond(ok("hi"));
            }
        });
        served.peer.send(format!("{ASK}abc")).await;
        served
            .heard
            .expect(&["apply POST / stream 3", "chunk abc", "finished"])
            .await;
        taken(&served.session, Apply(ok("hi"))).await;
        served.peer.expect(HI).await;
    }

    /// The clock of the body runs from the leave on, whoever gives it, and once a part of the body came without; a body
    /// that is over leaves the other clocks running.
    #[actix::test]
    async fn begins_the_clock_of_the_body() {
        tokio::time::pause();
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
        let late = "cancelled Deadline(Body) Receiving";
        for (grants, sent, rest) in [
            // The handler gives the leave.
            (true, ASK.to_owned(), "HTTP/1.1 408 "),
            // It waits, but of the body there is a beginning.
            (false, format!("{chunked}1"), "HTTP/1.1 408 "),
            (false, format!("{ASK}a"), "HTTP/1.1 408 "),
        ] {
            let mut served = serve(move |_, session: &mut SessionContext| {
                if grants {
                    session.respond(Payload::response(StatusCode::CONTINUE));
                } else {
                    let responder = session.responder();
                    session.spawn(async move {
                        let _held = responder;
                        std::future::pending::<()>().await;
                    });
                }
            });
            served.peer.send(&sent).await;
            if grants {
                served.peer.expect(CONTINUE).await;
            }
            while served.heard.next().await != late {}
            let end = served.peer.rest().await;
            assert!(end.starts_with(rest), "behind {sent:?}: {end}");
        }
        for (then, end) in [("", ""), ("GET / HT", "HTTP/1.1 408 ")] {
            let mut served = serve(|_, _: &mut SessionContext| {});
            served.peer.send(format!("{chunked}0\r\n\r\n")).await;
            served
                .heard
                .expect(&["apply POST / chunked", "finished"])
                .await;
            let answer = Apply(ok("hi"));
            let answered = served.session.send(answer).await.expect("alive");
            answered.expect("accepted");
            served.peer.expect(HI).await;
            served.peer.send(then).await;
            let rest = served.peer.rest().await;
            assert!(
                rest.starts_with(end) && rest.is_empty() == end.is_empty(),
                "{rest}"
            );
        }
    }

    /// The leave for a body that has come is none for the next one, whose peer waits for its 100.
    #[actix::test]
    async fn is_not_for_the_next_request() {
        tokio::time::pause();
        let mut served = serve(|_, _: &mut SessionContext| {});
        served.peer.send(format!("{ASK}abc{ASK}")).await;
        for _ in 0..2 {
            // Longer than a body may take, and than a connection may be idle.
            tokio::time::sleep(std::time::Duration::from_secs(100)).await;
            let answered = served.session.send(Apply(ok("hi"))).await;
            answered.expect("alive").expect("accepted");
            served.peer.expect(HI).await;
            served.peer.expect(CONTINUE).await;
            served.peer.send(format!("abc{ASK}")).await;
        }
    }

    /// HTTP/1.0 has no interim responses.
    #[actix::test]
    async fn is_ignored_for_http_1_0() {
        let mut served = serve(|request, session: &mut SessionContext| {
            assert_eq!(request.version(), Version::HTTP_10);
            session.respond(ok("hi"));
        });
        served
            .peer
            .send("POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc")
            .await;
        assert_eq!(sorted(&served.peer.rest().await), sorted(HI_CLOSE));
    }

    /// If a responder was given away, it decides about the body too.
    #[actix::test]
    async fn waits_for_the_responder() {
        let taken: &'static Mutex<Option<Responder>> = Box::leak(Box::default());
        let mut served = serve(move |_, session: &mut SessionContext| {
            taken.lock().expect("no panic").replace(session.responder());
        });
        served.peer.send(ASK).await;
        served.heard.expect(&["apply POST / stream 3"]).await;
        served.session.send(Inspect).await.expect("alive");
        let responder = taken
            .lock()
            .expect("no panic")
            .take()
            .expect("taken in apply");
        responder.inform(Payload::response(StatusCode::PROCESSING));
        responder.continue_();
        served.peer.expect("HTTP/1.1 102 Processing\r\n\r\n").await;
        served.peer.expect(CONTINUE).await;
        served.peer.send("abc").await;
        served.heard.expect(&["chunk abc", "finished"]).await;
        responder.respond(ok("hi")).await.expect("accepted");
        served.peer.expect(HI).await;
    }

    /// A muted exchange asks for the body when the last mute is taken back, even if a responder was given away.
    #[actix::test]
    async fn waits_for_the_unmute() {
        let taken: &'static Mutex<Option<(Responder, MuteGuard, MuteGuard)>> =
            Box::leak(Box::default());
        let mut served = serve(move |_, session: &mut SessionContext| {
            let responder = session.responder();
            let guards = (responder.hold(), responder.hold());
            taken
                .lock()
                .expect("no panic")
                .replace((responder, guards.0, guards.1));
        });
        served.peer.send(ASK).await;
        served.heard.expect(&["apply POST / stream 3"]).await;
        let (responder, first, second) = taken
            .lock()
            .expect("no panic")
            .take()
            .expect("taken in apply");
        drop(first);
        assert!(
            served.session.send(Inspect).await.expect("alive").muted,
            "one mute is left"
        );
        drop(second);
        served.peer.expect(CONTINUE).await;
        served.peer.send("abc").await;
        served.heard.expect(&["chunk abc", "finished"]).await;
        responder.respond(ok("hi")).await.expect("accepted");
        served.peer.expect(HI).await;
    }

    /// A streamed answer by a responder asks for the body too.
    #[actix::test]
    async fn is_granted_before_a_responder_streams() {
        let mut served = serve(|_, session: &mut SessionContext| {
            let responder = session.responder();
            session.spawn(async move {
                let head = Payload::response(StatusCode::OK).chunked();
                let body = responder.stream(head).await.expect("accepted");
                std::future::pending::<()>().await;
                drop(body);
            });
        });
        served.peer.send(ASK).await;
        served.peer.expect(CONTINUE).await;
        served
            .peer
            .expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
    }

    /// A streamed answer that refuses does not ask for the body. The peer may send it or not, so the connection closes.
    #[actix::test]
    async fn is_not_granted_before_a_streamed_refusal() {
        let mut served = serve(|_, session: &mut SessionContext| {
            let head = Payload::response(StatusCode::FORBIDDEN).length(2);
            session.respond(head);
            let _ = session.send_chunk("no").expect("taken");
            session.finish().expect("taken");
        });
        served.peer.send(ASK).await;
        let refusal = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
        served.peer.expect(refusal).await;
        served.peer.close().await;
        assert_eq!(served.peer.rest().await, "");
    }

    /// A streamed answer does not end the exchange: the body is still wanted, and the 100 comes before the head.
    #[actix::test]
    async fn is_granted_before_a_streamed_answer() {
        let mut served = serve(|_, session: &mut SessionContext| {
            session.respond(Payload::response(StatusCode::OK).chunked());
        });
        served.peer.send(ASK).await;
        served.peer.expect(CONTINUE).await;
        served
            .peer
            .expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
    }
}

/// A body whose last piece uses up the credit to the byte still gets its end.
#[actix::test]
async fn the_end_of_a_body_needs_no_further_byte() {
    for length in [65_400, 65_472, 65_536, 131_072, 1 << 20] {
        let mut served = serve(|_, _: &mut SessionContext| {});
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        served.peer.send(head).await;
        served
            .heard
            .expect(&[&format!("apply POST / stream {length}")])
            .await;
        served.peer.send("x".repeat(length)).await;
        while served.heard.next().await != "finished" {}
    }
}

/// A request that offers an upgrade and is answered early, otherwise than by one: what follows it is served.
#[actix::test]
async fn requests_go_on_after_an_upgrade_that_was_not_taken() {
    let mut served = serve(hello);
    let offer = "Connection: upgrade\r\nUpgrade: x\r\n";
    served
        .peer
        .send(format!(
            "POST /1 HTTP/1.1\r\nHost: a\r\n{offer}Content-Length: 20000\r\n\r\n"
        ))
        .await;
    served.peer.expect(HI).await;
    served.peer.send("x".repeat(20_000)).await;
    served
        .peer
        .send(format!(
            "GET /2 HTTP/1.1\r\nHost: a\r\n{offer}\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n"
        ))
        .await;
    served.peer.expect(HI).await;
    served.peer.expect(HI).await;
}

/// A complete answer is sent although the rest of its request turns out to be malformed, in whatever pieces it comes.
#[actix::test]
async fn a_bad_body_does_not_take_back_a_complete_answer() {
    let mut served = serve(hello);
    served
        .peer
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
        .await;
    assert_eq!(sorted(&served.peer.rest().await), sorted(HI_CLOSE));
    assert_eq!(
        served.heard.rest().await,
        ["apply POST / chunked", "completed 200 in 0 out 2"]
    );
}

/// An interim response is no answer: a responder that is spent on one gives a 500, and no client that waits.
#[actix::test]
async fn a_responder_does_not_answer_by_an_interim_response() {
    let mut served = serve(|_, session: &mut SessionContext| {
        drop(
            session
                .responder()
                .respond(Payload::response(StatusCode::EARLY_HINTS)),
        );
    });
    served.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = served.peer.rest().await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    served.heard.next().await;
    let told = [served.heard.next().await, served.heard.next().await].concat();
    assert!(
        told.contains("failed") && told.contains("refused"),
        "{told}"
    );
}

/// What the session answers by itself has no body for HEAD either, and what is not sent is not counted.
#[actix::test]
async fn bodies_that_are_not_sent() {
    let mut served = serve(|_, session: &mut SessionContext| drop(session.responder()));
    served.peer.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let refusal = served.peer.rest().await;
    assert!(
        refusal.starts_with("HTTP/1.1 500 ") && refusal.ends_with("\r\n\r\n"),
        "{refusal}"
    );
    let mut served = serve(hello);
    served
        .peer
        .send("HEAD / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n")
        .await;
    let refusal = served.peer.rest().await;
    assert!(
        refusal.starts_with("HTTP/1.1 417 ") && refusal.ends_with("\r\n\r\n"),
        "{refusal}"
    );
    let mut served = serve(|_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::NOT_MODIFIED).body("not sent"));
    });
    served.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served
        .heard
        .expect(&["apply GET / []", "completed 304 in 0 out 0"])
        .await;
}

/// An answer of a known length may be complete before its end is said: then saying so ends the exchange.
#[actix::test]
async fn an_end_that_brings_no_byte_ends_the_exchange() {
    let mut served = serve(|_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).length(3));
        assert!(session.send_chunk("abc").is_ok());
    });
    served.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served
        .peer
        .expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    served.heard.expect(&["apply GET / []", "need_body"]).await;
    served.session.do_send(Finish);
    served.heard.expect(&["completed 200 in 0 out 3"]).await;
}

/// An answer that is streamed and complete before its request: what comes behind the request is answered, if little of
/// the request is still to come.
#[actix::test]
async fn a_request_behind_an_early_streamed_answer() {
    const ANSWER: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    const GET: &str = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    const HEAD: &str = "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let early = |_: Payload, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).chunked());
        session.send_chunk("hi").map(drop).expect("open");
        session.finish().expect("open");
    };
    let chunk = |len: usize| format!("{len:x}\r\n{}\r\n", "x".repeat(len));
    // All at once, and the rest only when the answer was read.
    for (first, rest, kept) in [
        (chunk(100_000) + "0\r\n\r\n" + GET, String::new(), true),
        (chunk(10), chunk(60_000) + "0\r\n\r\n" + GET, true),
        (
            chunk(10),
            chunk(40_000) + &chunk(40_000) + "0\r\n\r\n" + GET,
            false,
        ),
        (chunk(10), format!("no size\r\n{GET}"), false),
        (
            chunk(10),
            format!("0\r\nContent-Length: 3\r\n\r\n{GET}"),
            false,
        ),
    ] {
        let mut served = serve(early);
        served.peer.send(format!("{HEAD}{first}")).await;
        served.peer.expect(ANSWER).await;
        served.peer.send(rest).await;
        if kept {
            served.peer.expect(ANSWER).await;
        } else {
            // One answer, and no 400 behind it.
            assert_eq!(served.peer.rest().await, "");
            let heard = served.heard.rest().await;
            let begun = heard.iter().filter(|heard| heard.starts_with("apply"));
            assert_eq!(begun.count(), 1, "{heard:?}");
        }
    }
}
