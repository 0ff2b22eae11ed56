//! How exchanges and connections end: by the peer, by a clock, by this end, by a fault of the application.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use common::{
    GET, HI, Served, accept, ok, reset_on_drop, serve, serve_with, silent, streaming, taken,
    tcp_pair,
};
use http_actors::message::{Apply, Cancel, Dispose, Finish, Inspect, SendChunk};
use http_actors::{
    HalfClose, Payload, SessionContext, SessionOptions, SessionPhase, StatusCode, Timeouts,
};
use tokio::io::AsyncReadExt as _;

/// The peer closes between two requests: the ordinary end. Handler, session and builder are gone then (X5).
#[actix::test]
async fn a_peer_that_is_done_ends_the_session() {
    let mut served = serve(|_, session: &mut SessionContext| session.respond(ok("hi")));
    served.peer.send(GET).await;
    served.peer.expect(HI).await;
    served.peer.close().await;
    assert_eq!(served.peer.rest().await, "");
    assert_eq!(
        served.heard.rest().await,
        ["apply GET / []", "completed 200 in 0 out 2"]
    );
    assert!(!served.session.connected());
}

/// B17, N5: a reset while an answer is owed is told at once, although nothing is being written.
#[actix::test]
async fn a_reset_cancels_the_exchange_at_once() {
    for answers in [false, true] {
        let script = if answers { streaming } else { silent };
        let (near, far) = tcp_pair().await;
        let (_session, mut heard) = accept(near, SessionOptions::default(), script);
        let mut peer = common::Peer::new(far);
        peer.send(GET).await;
        heard.expect(&["apply GET / []"]).await;
        if answers {
            peer.until("\r\n\r\n").await;
        }
        reset_on_drop(&peer.io);
        drop(peer);
        let end = heard.rest().await.pop().expect("an end");
        assert!(end.starts_with("cancelled PeerReset"), "{end}");
    }
}

/// A half-closed peer gets its answer, and the handler knows.
#[actix::test]
async fn a_half_closed_peer_gets_its_answer() {
    let mut served = serve(silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    served.peer.close().await;
    served.heard.expect(&["half_closed"]).await;
    taken(&served.session, Apply(ok("hi"))).await;
    assert_eq!(served.peer.rest().await, HI);
    assert_eq!(served.heard.rest().await, ["completed 200 in 0 out 2"]);
}

/// Pipelined requests of a peer that then half-closes are all answered.
#[actix::test]
async fn all_that_a_half_closed_peer_asked_is_answered() {
    let mut served = serve(|_, session: &mut SessionContext| session.respond(ok("hi")));
    served.peer.send(GET.repeat(5)).await;
    served.peer.close().await;
    assert_eq!(served.peer.rest().await, HI.repeat(5));
}

/// Who says what a half-close means: the options, or the handler for one exchange, itself or by a responder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Options,
    Handler,
    Responder,
}

/// A request that waits for its answer, under this policy.
async fn asked_under(policy: HalfClose, said: By) -> Served {
    let other = match policy {
        HalfClose::Abort => HalfClose::Finish,
        _ => HalfClose::Abort,
    };
    let options = SessionOptions {
        half_close: if said == By::Options { policy } else { other },
        ..SessionOptions::default()
    };
    let mut served = serve_with(options, 1 << 16, move |_, session| match said {
        By::Options => {}
        By::Handler => session.on_half_close(policy),
        By::Responder => {
            let responder = session.responder();
            session.spawn(async move {
                responder.on_half_close(policy);
                std::future::pending::<()>().await;
            });
        }
    });
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    // Behind what the responder said.
    tokio::task::yield_now().await;
    served.session.send(Inspect).await.expect("alive");
    served
}

/// A policy that comes after the half-close does what it would have done before it.
#[actix::test]
async fn a_half_close_policy_that_comes_late() {
    tokio::time::pause();
    let within = |secs| HalfClose::FinishWithin(Duration::from_secs(secs));
    for (before, late, expected) in [
        (HalfClose::Finish, HalfClose::Abort, Some(3)),
        (HalfClose::Finish, within(5), Some(8)),
        (within(5), within(10), Some(13)),
        (within(5), HalfClose::Finish, None),
    ] {
        let asked = Rc::new(RefCell::new(None));
        let kept = Rc::clone(&asked);
        let options = SessionOptions {
            half_close: before,
            ..SessionOptions::default()
        };
        let mut served = serve_with(options, 1 << 16, move |_, session: &mut SessionContext| {
            kept.replace(Some(session.responder()));
        });
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []"]).await;
        served.peer.close().await;
        served.heard.expect(&["half_closed"]).await;
        let since = tokio::time::Instant::now();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let responder = asked.take().expect("a request");
        responder.on_half_close(late);
        let long = Duration::from_secs(20);
        let end = tokio::time::timeout(long, served.heard.next()).await;
        assert_eq!(end.is_ok(), expected.is_some(), "{before:?} {late:?}");
        if let (Ok(end), Some(secs)) = (end, expected) {
            assert_eq!(end, "cancelled PeerHalfClosed Waiting");
            let waited = since.elapsed();
            let about = Duration::from_secs(secs)..Duration::from_millis(secs * 1000 + 600);
            assert!(about.contains(&waited), "{before:?} {late:?}: {waited:?}");
        }
    }
}

/// `Abort`, for exchanges that begin after the half-close: they are cancelled, unless their handler wants otherwise.
#[actix::test]
async fn what_begins_after_a_half_close_is_under_its_policy() {
    tokio::time::pause();
    for own in [None, Some(HalfClose::Finish)] {
        let options = SessionOptions {
            half_close: HalfClose::Abort,
            ..SessionOptions::default()
        };
        let first = Cell::new(true);
        let mut served = serve_with(options, 1 << 16, move |_, session: &mut SessionContext| {
            if first.replace(false) {
                session.on_half_close(HalfClose::Finish);
            } else if let Some(own) = own {
                session.on_half_close(own);
            }
        });
        served.peer.send(GET.repeat(2)).await;
        served.peer.close().await;
        served
            .heard
            .expect(&["apply GET / []", "half_closed"])
            .await;
        let answer = || served.session.send(Apply(ok("hi")));
        answer().await.expect("alive").expect("accepted");
        let begun = ["completed 200 in 0 out 2", "apply GET / []", "half_closed"];
        served.heard.expect(&begun).await;
        if own.is_some() {
            answer().await.expect("alive").expect("accepted");
            assert_eq!(served.peer.rest().await, HI.repeat(2));
        } else {
            assert_eq!(
                served.heard.next().await,
                "cancelled PeerHalfClosed Waiting"
            );
        }
    }
}

/// The time of `FinishWithin` is that of the exchange which goes on, and not of the one before.
#[actix::test]
async fn each_exchange_has_its_own_time_after_a_half_close() {
    tokio::time::pause();
    for own in [200, 1] {
        let first = Cell::new(true);
        let options = SessionOptions::default();
        let mut served = serve_with(options, 1 << 16, move |_, session: &mut SessionContext| {
            if first.replace(false) {
                session.on_half_close(HalfClose::FinishWithin(Duration::from_secs(own)));
                session.respond(Payload::response(StatusCode::OK).length(2));
                session.send_chunk("hi").map(drop).expect("taken");
            }
        });
        served.peer.send(GET).await;
        served.peer.until("hi").await;
        served.peer.send(GET).await;
        served.peer.close().await;
        tokio::time::sleep(Duration::from_millis(900)).await;
        let ended = served.session.send(Finish).await;
        ended.expect("alive").expect("whole");
        let begun = tokio::time::Instant::now();
        let heard = served.heard.rest().await;
        assert_eq!(
            heard.last().expect("an end"),
            "cancelled PeerHalfClosed Waiting"
        );
        let waited = begun.elapsed();
        let about = Duration::from_secs(5)..Duration::from_millis(5600);
        assert!(about.contains(&waited), "{own}: {waited:?}");
    }
}

/// The policies: `Abort` cancels at once, `FinishWithin` when the time has passed, `Finish` never.
#[actix::test]
async fn the_half_close_policy_decides() {
    tokio::time::pause();
    let within = HalfClose::FinishWithin(Duration::from_secs(5));
    for said in [By::Options, By::Handler, By::Responder] {
        for (policy, expected) in [
            (HalfClose::Abort, Some(Duration::ZERO)),
            (within, Some(Duration::from_secs(5))),
            (HalfClose::Finish, None),
        ] {
            let mut served = asked_under(policy, said).await;
            served.peer.close().await;
            served.heard.expect(&["half_closed"]).await;
            let before = tokio::time::Instant::now();
            if let Some(expected) = expected {
                let end = ["cancelled PeerHalfClosed Waiting"];
                served.heard.expect(&end).await;
                let waited = before.elapsed();
                assert!(
                    waited >= expected && waited < expected + Duration::from_millis(600),
                    "{said:?}: {waited:?}"
                );
            } else {
                tokio::time::advance(Duration::from_secs(50)).await;
                let answered = served.session.send(Apply(ok("hi"))).await;
                answered.expect("alive").expect("accepted");
                assert_eq!(served.peer.rest().await, HI);
            }
        }
    }
}

/// P5: dispose flushes nothing more and cancels what is going on.
#[actix::test]
async fn dispose_closes_at_once() {
    let mut served = serve(streaming);
    served.peer.send(GET).await;
    served.peer.until("\r\n\r\n").await;
    served.session.send(Dispose).await.expect("alive");
    assert_eq!(
        served.peer.rest().await,
        "",
        "no last chunk: the answer is not whole"
    );
    assert_eq!(
        served.heard.rest().await,
        ["apply GET / []", "need_body", "cancelled Local Answering"]
    );
    assert!(
        served.session.send(Inspect).await.is_err(),
        "the session has ended"
    );
}

/// P5: the same without anything going on.
#[actix::test]
async fn dispose_of_an_idle_session() {
    let mut served = serve(silent);
    served.session.send(Dispose).await.expect("alive");
    assert_eq!(served.peer.rest().await, "");
    assert!(served.heard.rest().await.is_empty());
}

/// P7, P82, P83: what cancelling does in each phase.
#[actix::test]
async fn cancel_by_phase() {
    // Nothing goes on, or the id is not in use: no effect.
    let mut served = serve(silent);
    served.session.send(Cancel::current()).await.expect("alive");
    served.session.send(Cancel::all()).await.expect("alive");
    let unknown = Payload::response(StatusCode::OK).id();
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    served.session.send(Cancel(unknown)).await.expect("alive");
    assert_eq!(
        served.session.send(Inspect).await.expect("alive").phase,
        SessionPhase::Handling
    );
    // Not answered yet.
    served.session.send(Cancel::current()).await.expect("alive");
    assert_eq!(served.peer.rest().await, "");
    assert_eq!(served.heard.rest().await, ["cancelled Local Waiting"]);
    // The answer has begun; named by its id.
    let mut served = serve(silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let answer = Payload::response(StatusCode::OK).chunked();
    let id = answer.id();
    assert_eq!(taken(&served.session, Apply(answer)).await, id);
    served.session.send(Cancel(id)).await.expect("alive");
    assert!(!served.peer.rest().await.contains("0\r\n\r\n"));
    assert_eq!(
        served.heard.rest().await,
        ["need_body", "cancelled Local Answering"]
    );
}

/// P82: an answer that is complete, but not yet gone, is in flight too.
#[actix::test]
async fn cancel_of_an_answer_that_is_on_its_way() {
    let mut served = serve_with(SessionOptions::default(), 1000, silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let answer = ok("").body(vec![b'x'; 100_000]);
    let id = answer.id();
    taken(&served.session, Apply(answer)).await;
    served.session.send(Cancel(id)).await.expect("alive");
    assert!(served.peer.rest().await.len() < 100_000);
    let heard = served.heard.rest().await;
    assert_eq!(heard.last().expect("an end"), "cancelled Local Answered");
}

/// A close-delimited answer that is aborted ends in a reset: a FIN would be its well-formed end.
#[actix::test]
async fn an_aborted_close_delimited_answer_ends_in_a_reset() {
    let (near, mut far) = tcp_pair().await;
    let (session, mut heard) = accept(near, SessionOptions::default(), streaming);
    tokio::io::AsyncWriteExt::write_all(&mut far, b"GET / HTTP/1.0\r\n\r\n")
        .await
        .expect("written");
    heard.expect(&["apply GET / []", "need_body"]).await;
    taken(&session, SendChunk("abc".into())).await;
    let mut head = [0; 16];
    far.read_exact(&mut head).await.expect("the head");
    session.send(Cancel::current()).await.expect("alive");
    let mut rest = Vec::new();
    let error = far
        .read_to_end(&mut rest)
        .await
        .expect_err("no end of stream");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// A refusal reaches a peer that is still sending: the session reads on for a while instead of resetting.
#[actix::test]
async fn a_refusal_survives_unread_bytes() {
    let (near, far) = tcp_pair().await;
    let (_session, _heard) = accept(near, SessionOptions::default(), silent);
    let mut peer = common::Peer::new(far);
    peer.send(format!("BAD\r\n\r\n{}", "x".repeat(100_000)))
        .await;
    let refusal = peer.until("\r\n\r\n").await;
    assert!(refusal.starts_with("HTTP/1.1 400 "), "{refusal}");
    peer.send("x".repeat(10_000)).await;
    peer.close().await;
    peer.rest().await;
}

mod deadlines {
    //! Paused time: a deadline that passes costs nothing, and one that is missing hangs the test.

    use super::*;
    use http_actors::message::Part;
    use http_actors::test_util::FarEnd;
    use http_actors::{HttpRequest, Method, handler_fn};
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::time::Instant;

    fn options(timeouts: Timeouts) -> SessionOptions {
        SessionOptions {
            timeouts,
            ..SessionOptions::default()
        }
    }

    /// Whether this much time has passed, with the promised resolution.
    fn assert_passed(since: Instant, expected: Duration) {
        let passed = since.elapsed();
        assert!(
            passed >= expected && passed <= expected + expected / 10 + Duration::from_millis(100),
            "{passed:?}"
        );
    }

    /// No byte at all: closed without a word.
    #[actix::test]
    async fn a_silent_peer_is_dropped_silently() {
        tokio::time::pause();
        let since = Instant::now();
        let mut served = serve(silent);
        assert_eq!(served.peer.rest().await, "");
        assert_passed(since, Duration::from_secs(10));
    }

    /// The first head has ten seconds from accept on, and bytes do not refresh them.
    #[actix::test]
    async fn a_slow_first_head_gets_408() {
        tokio::time::pause();
        let since = Instant::now();
        let mut served = serve(silent);
        for byte in "GET / HTTP/1".bytes() {
            served.peer.send([byte]).await;
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        let answer = served.peer.rest().await;
        assert!(
            answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
            "{answer}"
        );
        assert_passed(since, Duration::from_secs(10));
    }

    /// A later head has ten seconds from its first byte on (the peers forget this one).
    #[actix::test]
    async fn a_slow_second_head_gets_408() {
        tokio::time::pause();
        let mut served = serve(|_, session: &mut SessionContext| session.respond(ok("hi")));
        served.peer.send(GET).await;
        served.peer.expect(HI).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        let since = Instant::now();
        served.peer.send("GET /").await;
        let answer = served.peer.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_passed(since, Duration::from_secs(10));
    }

    /// A client that always has the next head half sent is not cut: each head has a time of its own.
    #[actix::test]
    async fn each_head_has_a_time_of_its_own() {
        tokio::time::pause();
        let mut served = serve(|_, session: &mut SessionContext| session.respond(ok("hi")));
        let (first, second) = GET.split_at(10);
        served.peer.send(first).await;
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(6)).await;
            served.peer.send(format!("{second}{first}")).await;
            served.peer.expect(HI).await;
        }
    }

    /// An idle connection is closed without a word, from the end of the last exchange on.
    #[actix::test]
    async fn an_idle_connection_is_closed() {
        tokio::time::pause();
        let mut served = serve(|_, session: &mut SessionContext| session.respond(ok("hi")));
        for _ in 0..3 {
            served.peer.send(GET).await;
            served.peer.expect(HI).await;
            tokio::time::sleep(Duration::from_secs(50)).await;
        }
        served.peer.send(GET).await;
        served.peer.expect(HI).await;
        let since = Instant::now();
        assert_eq!(served.peer.rest().await, "");
        assert_passed(since, Duration::from_secs(75));
    }

    /// A connection whose answer takes long is not idle.
    #[actix::test]
    async fn a_connection_that_waits_for_its_answer_is_not_idle() {
        tokio::time::pause();
        let mut served = serve(silent);
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []"]).await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        taken(&served.session, Apply(ok("hi"))).await;
        served.peer.expect(HI).await;
        let since = Instant::now();
        assert_eq!(served.peer.rest().await, "");
        assert_passed(since, Duration::from_secs(75));
    }

    /// Without time to be idle, a connection ends behind its answer, however long that takes.
    #[actix::test]
    async fn no_time_to_be_idle() {
        tokio::time::pause();
        let mut options = SessionOptions::default();
        options.timeouts.idle = Some(Duration::ZERO);
        let mut served = serve_with(options, 1 << 16, silent);
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []"]).await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let answered = served.session.send(Apply(ok("hi"))).await.expect("alive");
        answered.expect("accepted");
        served.peer.expect(HI).await;
        assert_eq!(served.peer.rest().await, "");
        assert_eq!(served.heard.rest().await, ["completed 200 in 0 out 2"]);
    }

    /// Buffers of nothing hold one message after the other, and its clocks run.
    #[actix::test]
    async fn buffers_of_nothing() {
        tokio::time::pause();
        for (inbound, inbound_messages) in [(0, 32), (64 << 10, 0)] {
            let mut options = SessionOptions::default();
            options.buffers.inbound = inbound;
            options.buffers.inbound_messages = inbound_messages;
            let mut served = serve_with(options, 1 << 16, |_, session| session.respond(ok("hi")));
            served.peer.send(GET.repeat(3)).await;
            served.peer.expect(HI.repeat(3)).await;
            let since = Instant::now();
            assert_eq!(served.peer.rest().await, "");
            assert_passed(since, Duration::from_secs(75));
        }
    }

    /// N6: a body that drips: each byte earns what it takes at the least rate, so one byte at a time is no way to stay.
    #[actix::test]
    async fn a_dripping_body_gets_408() {
        tokio::time::pause();
        let since = Instant::now();
        let mut served = serve(silent);
        served
            .peer
            .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
            .await;
        // 240 bytes in 25 seconds: one second earned.
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            served.peer.send([b'x'; 48]).await;
        }
        let answer = served.peer.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_passed(since, Duration::from_secs(31));
    }

    /// A body at the least rate stays for as long as it takes, and a burst saves up no more than the full time.
    #[actix::test]
    async fn a_slow_body_may_take_its_time() {
        tokio::time::pause();
        let mut served = serve(silent);
        served
            .peer
            .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            .await;
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            served.peer.send([b'x'; 240]).await;
        }
        served.peer.send(vec![b'x'; 50_000]).await;
        let since = Instant::now();
        let answer = served.peer.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_passed(since, Duration::from_secs(30));
    }

    /// The clock of a whole exchange, off by default: the answer says which side was slow, and an answer that had begun
    /// is cut.
    #[actix::test]
    async fn an_exchange_has_its_time() {
        const BODY: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        type Script = fn(Payload, &mut SessionContext);
        let rows: [(&str, &str, Script, &str, &str); 3] = [
            ("a slow handler", GET, silent, "HTTP/1.1 503 ", "Waiting"),
            ("a slow body", BODY, silent, "HTTP/1.1 408 ", "Receiving"),
            (
                "a slow answer",
                GET,
                streaming,
                "HTTP/1.1 200 ",
                "Answering",
            ),
        ];
        tokio::time::pause();
        for (name, request, script, status, phase) in rows {
            let mut options = SessionOptions::default();
            options.timeouts.exchange = Some(Duration::from_secs(20));
            let mut served = serve_with(options, 1 << 16, script);
            // The time is that of the exchange, not of the connection.
            tokio::time::sleep(Duration::from_secs(5)).await;
            let since = Instant::now();
            served.peer.send(request).await;
            let answer = served.peer.rest().await;
            assert!(answer.starts_with(status), "{name}: {answer}");
            assert!(!answer.ends_with("0\r\n\r\n"), "{name}: {answer}");
            assert_passed(since, Duration::from_secs(20));
            let heard = served.heard.rest().await;
            let end = format!("cancelled Deadline(Exchange) {phase}");
            assert_eq!(heard.last(), Some(&end), "{name}");
        }
    }

    /// Silence in a body: 408 if no answer had begun; without a least rate each byte renews the time.
    #[actix::test]
    async fn a_silent_body_gets_408() {
        tokio::time::pause();
        let mut options = SessionOptions::default();
        options.timeouts.body_rate = None;
        let mut served = serve_with(options, 1 << 16, silent);
        served
            .peer
            .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
            .await;
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            served.peer.send("x").await;
        }
        let since = Instant::now();
        let answer = served.peer.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_passed(since, Duration::from_secs(30));
        let end = served.heard.rest().await.pop().expect("an end");
        assert_eq!(end, "cancelled Deadline(Body) Receiving");
    }

    /// A body with a time of its own: no least rate, and it ends with the answer. The next request has the usual time.
    #[actix::test]
    async fn a_conversation_may_pause() {
        async fn converse(mut all: HttpRequest) -> Result<(), Box<dyn std::error::Error>> {
            let mut asked = all.take_body();
            all.responder.body_timeout(None);
            let head = Payload::response(StatusCode::OK).chunked();
            let mut body = all.responder.stream(head).await?;
            while let Some(piece) = asked.next().await {
                let piece = piece?;
                body.send(piece.clone()).await?;
                if piece == "bye" {
                    break;
                }
            }
            Ok(body.finish().await?)
        }
        const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        tokio::time::pause();
        let mut peer = FarEnd::serve(&handler_fn(converse));
        for _ in 0..2 {
            peer.send(HEAD).await;
            peer.response_head(Method::POST).await;
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(200)).await;
                peer.send("4\r\nping\r\n").await;
                assert_eq!(peer.part().await, Part::Data("ping".into()));
            }
            peer.send("0\r\n\r\n").await;
            assert_eq!(peer.part().await, Part::End(None));
        }
        // The service ends it, and the peer does not.
        peer.send(HEAD).await;
        peer.response_head(Method::POST).await;
        tokio::time::sleep(Duration::from_secs(200)).await;
        peer.send("3\r\nbye\r\n").await;
        assert_eq!(peer.part().await, Part::Data("bye".into()));
        assert_eq!(peer.part().await, Part::End(None));
        let since = Instant::now();
        assert_eq!(peer.rest().await, "");
        assert_passed(since, Duration::from_secs(30));
    }

    /// A time of its own is that of one body, at any rate.
    #[actix::test]
    async fn a_body_has_its_own_time() {
        async fn count(mut all: HttpRequest) -> Result<(), Box<dyn std::error::Error>> {
            if all.request.path() == "/slow" {
                all.responder.body_timeout(Duration::from_secs(40));
            }
            let body = all.take_body().bytes(20_000).await?;
            let counted = Payload::response(StatusCode::OK).body(body.len().to_string());
            all.responder.respond(counted);
            Ok(())
        }
        const SLOW: &str = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n";
        const USUAL: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n";
        tokio::time::pause();
        let mut peer = FarEnd::serve(&handler_fn(count));
        peer.send(SLOW).await;
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(35)).await;
            peer.send("x").await;
        }
        peer.send(vec![b'x'; 19_997]).await;
        assert_eq!(peer.response(Method::POST).await.body_bytes(), "20000");
        for (request, seconds) in [(USUAL, 30), (SLOW, 40)] {
            let since = Instant::now();
            peer.send(request).await;
            peer.until("HTTP/1.1 408 ").await;
            assert_passed(since, Duration::from_secs(seconds));
            peer = FarEnd::serve(&handler_fn(count));
        }
    }

    /// The same for a short body, whose request was not delivered yet.
    #[actix::test]
    async fn a_silent_short_body_gets_408() {
        tokio::time::pause();
        let mut served = serve(silent);
        served
            .peer
            .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx")
            .await;
        let since = Instant::now();
        let answer = served.peer.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_passed(since, Duration::from_secs(30));
        assert!(served.heard.rest().await.is_empty());
    }

    /// A transport that takes bytes and never passes them on, as a TLS stream may, or never shuts: cut too.
    #[actix::test]
    async fn a_transport_that_stalls_is_cut() {
        tokio::time::pause();
        for stall in [Stall::Flush, Stall::Shutdown] {
            let (near, far) = tokio::io::duplex(1 << 16);
            let (session, mut heard) = accept(
                Stalling(near, stall),
                SessionOptions::default(),
                |_, session| {
                    session.respond(ok("hi"));
                },
            );
            let mut peer = common::Peer::new(far);
            let since = Instant::now();
            peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .await;
            heard.rest().await;
            assert!(!session.connected());
            assert_passed(since, Duration::from_secs(30));
        }
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Stall {
        Flush,
        Shutdown,
    }

    struct Stalling(tokio::io::DuplexStream, Stall);

    impl tokio::io::AsyncRead for Stalling {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }

    impl tokio::io::AsyncWrite for Stalling {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            data: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, data)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            if self.1 == Stall::Flush {
                Poll::Pending
            } else {
                Poll::Ready(Ok(()))
            }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Pending
        }
    }

    /// While the handler holds delivery the peer is not to blame: the clock stands still.
    #[actix::test]
    async fn a_muted_body_is_not_timed() {
        tokio::time::pause();
        let mut served = serve(|_, session: &mut SessionContext| session.mute());
        served
            .peer
            .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
            .await;
        served.heard.expect(&["apply POST / stream 20000"]).await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        assert_eq!(
            served.session.send(Inspect).await.expect("alive").phase,
            SessionPhase::Handling
        );
        assert!(served.heard.so_far().is_empty());
    }

    /// Output that the socket does not take: cut, and told.
    #[actix::test]
    async fn a_peer_that_never_reads_is_cut() {
        tokio::time::pause();
        let since = Instant::now();
        let mut served = serve_with(
            SessionOptions::default(),
            1000,
            |_, session: &mut SessionContext| {
                session.respond(ok("hi").body(vec![0; 100_000]));
            },
        );
        served.peer.send(GET).await;
        let heard = served.heard.rest().await;
        assert_eq!(
            heard.last().expect("an end"),
            "cancelled Deadline(Write) Answered"
        );
        assert_passed(since, Duration::from_secs(30));
    }

    /// A slow reader that takes a byte now and then is not cut.
    #[actix::test]
    async fn progress_renews_the_write_deadline() {
        tokio::time::pause();
        let mut served = serve_with(
            SessionOptions::default(),
            1000,
            |_, session: &mut SessionContext| {
                session.respond(ok("hi").body(vec![b'x'; 5000]));
            },
        );
        served.peer.send(GET).await;
        let mut received = 0;
        while received < 5000 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            let mut some = [0; 500];
            received += served.peer.io.read(&mut some).await.expect("more");
        }
        let heard = served.heard.so_far();
        assert!(
            heard.iter().all(|heard| !heard.starts_with("cancelled")),
            "{heard:?}"
        );
    }

    /// N6, X2: deadlines hold while another thread floods the session with messages.
    #[actix::test]
    async fn a_flood_of_messages_does_not_starve_deadlines() {
        let timeouts = Timeouts {
            write: Some(Duration::from_millis(200)),
            ..Timeouts::default()
        };
        let mut served = serve_with(
            options(timeouts),
            1000,
            |_, session: &mut SessionContext| {
                session.respond(ok("hi").body(vec![0; 100_000]));
            },
        );
        served.peer.send(GET).await;
        let session = served.session.clone();
        let flood = std::thread::spawn(move || {
            let mut sent = 0_u64;
            while session.connected() {
                session.do_send(Inspect);
                sent += 1;
                if sent.is_multiple_of(1000) {
                    std::thread::yield_now();
                }
            }
        });
        let heard = served.heard.rest().await;
        assert_eq!(
            heard.last().expect("an end"),
            "cancelled Deadline(Write) Answered"
        );
        flood.join().expect("the flood ends with the session");
    }
}

mod faults {
    //! Faults of the application cost one exchange, and are told.

    use super::*;
    use common::Peer;
    use http_actors::{HttpHandler, Responder};
    use std::sync::Mutex;

    const ERROR: &str = "HTTP/1.1 500 Internal Server Error\r\n";

    /// A panic costs its connection and nothing else; the handler is not called again.
    #[actix::test]
    async fn a_panicking_handler_is_answered_for() {
        let mut served = serve(|_, _: &mut SessionContext| panic!("on purpose"));
        served.peer.send(GET.repeat(2)).await;
        let answer = served.peer.rest().await;
        assert!(answer.starts_with(ERROR), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert_eq!(served.heard.rest().await, ["apply GET / []"]);
    }

    /// A handler may panic once more when it is dropped, for example because of a lock that is poisoned by then.
    #[actix::test]
    async fn a_handler_that_panics_twice_is_answered_for() {
        struct Twice;
        impl HttpHandler for Twice {
            fn apply(&mut self, _: Payload, _: &mut SessionContext) {
                panic!("on purpose");
            }
        }
        impl Drop for Twice {
            fn drop(&mut self) {
                panic!("on purpose, again");
            }
        }
        let mut peer = Peer::serve(&|_| Twice);
        peer.send(GET).await;
        let answer = peer.rest().await;
        assert!(answer.starts_with(ERROR), "{answer}");
    }

    /// N4: a responder that is dropped answers by a 500, never by a hang.
    #[actix::test]
    async fn a_dropped_responder_is_answered_for() {
        let mut served = serve(|_, session: &mut SessionContext| drop(session.responder()));
        served.peer.send(GET).await;
        assert!(served.peer.rest().await.starts_with(ERROR));
        assert_eq!(
            served.heard.rest().await,
            ["apply GET / []", "failed Unanswered Waiting"]
        );
    }

    /// N4: an answer that cannot be sent spends the right to answer, and the client is not left waiting.
    #[actix::test]
    async fn a_refused_answer_is_answered_for() {
        let mut served = serve(|_, session: &mut SessionContext| {
            let responder = session.responder();
            session.spawn(async move {
                let refused = responder
                    .respond(ok("hi").header("X", "a\nb"))
                    .await
                    .expect_err("unusable");
                assert_eq!(
                    refused.reason,
                    http_actors::error::UseError::InvalidValue.into()
                );
            });
        });
        served.peer.send(GET).await;
        assert!(served.peer.rest().await.starts_with(ERROR));
        assert_eq!(
            served.heard.rest().await,
            ["apply GET / []", "failed Unanswered Waiting"]
        );
    }

    /// N4: only the last of several responders counts.
    #[actix::test]
    async fn one_of_several_responders_may_go() {
        let mut served = serve(|_, session: &mut SessionContext| {
            let (first, second) = (session.responder(), session.responder());
            drop(first);
            session.spawn(async move {
                second.respond(ok("hi")).await.expect("accepted");
            });
        });
        served.peer.send(GET).await;
        served.peer.expect(HI).await;
    }

    /// N4: nothing happens if the exchange is over by then.
    #[actix::test]
    async fn a_responder_dropped_too_late_does_nothing() {
        let mut served = serve(|_, session: &mut SessionContext| {
            let late = session.responder();
            session.respond(ok("hi"));
            drop(late);
        });
        for _ in 0..2 {
            served.peer.send(GET).await;
            served.peer.expect(HI).await;
        }
    }

    /// N4: a late or second answer comes back, whole; also when the session is gone.
    #[actix::test]
    async fn late_answers_come_back() {
        let kept: &'static Mutex<Vec<Responder>> = Box::leak(Box::default());
        let mut served = serve(move |_, session: &mut SessionContext| {
            kept.lock().expect("no panic").extend([
                session.responder(),
                session.responder(),
                session.responder(),
            ]);
        });
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []"]).await;
        let mut responders = std::mem::take(&mut *kept.lock().expect("no panic"));
        let (first, second, third) = (
            responders.remove(0),
            responders.remove(0),
            responders.remove(0),
        );
        first.respond(ok("hi")).await.expect("accepted");
        let refused = second
            .respond(ok("second"))
            .await
            .expect_err("answered already");
        assert_eq!(refused.message.body_bytes(), "second");
        served.session.send(Dispose).await.expect("alive");
        served.heard.rest().await;
        let refused = third.respond(ok("third")).await.expect_err("closed");
        assert_eq!(refused.reason, http_actors::error::RefusedReason::Closing);
        assert_eq!(refused.message.body_bytes(), "third");
    }

    /// B27: a body shorter than announced is aborted, so that the peer notices.
    #[actix::test]
    async fn a_short_body_is_aborted() {
        let mut served = serve(|_, session: &mut SessionContext| {
            session.respond(Payload::response(StatusCode::OK).length(6));
        });
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []", "need_body"]).await;
        taken(&served.session, SendChunk("abc".into())).await;
        let refused = served
            .session
            .send(Finish)
            .await
            .expect("alive")
            .expect_err("too short");
        assert_eq!(
            refused.reason,
            http_actors::error::UseError::BodyTooShort.into()
        );
        assert!(!served.peer.rest().await.contains("abcd"));
        assert_eq!(
            served.heard.rest().await,
            ["failed Usage(BodyTooShort) Answering"]
        );
    }

    /// B27: what goes past the announced length comes back, and the message can still be finished.
    #[actix::test]
    async fn a_long_body_is_refused() {
        let mut served = serve(|_, session: &mut SessionContext| {
            session.respond(Payload::response(StatusCode::OK).length(3));
            let refused = session.send_chunk("abcd").expect_err("too long");
            assert_eq!(refused.reason, http_actors::error::RefusedReason::TooLong);
            assert_eq!(refused.message, "abcd");
            assert!(session.send_chunk("abc").is_ok());
            session.finish().expect("whole");
        });
        served.peer.send(GET).await;
        served
            .peer
            .expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
            .await;
    }

    /// A body writer that is dropped before its end cancels the message.
    #[actix::test]
    async fn a_dropped_body_writer_cancels() {
        let mut served = serve(|_, session: &mut SessionContext| {
            let responder = session.responder();
            session.spawn(async move {
                let mut body = responder
                    .stream(Payload::response(StatusCode::OK).chunked())
                    .await
                    .expect("accepted");
                body.send("abc").await.expect("taken");
            });
        });
        served.peer.send(GET).await;
        assert!(!served.peer.rest().await.contains("0\r\n\r\n"));
        let heard = served.heard.rest().await;
        assert_eq!(
            heard,
            ["apply GET / []", "need_body", "cancelled Local Answering"]
        );
    }

    /// Futures spawned for an exchange are dropped when it ends.
    #[actix::test]
    async fn futures_end_with_their_exchange() {
        let (alive, mut ended) = tokio::sync::mpsc::channel::<()>(1);
        let mut served = serve(move |_, session: &mut SessionContext| {
            let alive = alive.clone();
            session.spawn(async move {
                std::future::pending::<()>().await;
                drop(alive);
            });
        });
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []"]).await;
        served.session.send(Cancel::current()).await.expect("alive");
        served.heard.rest().await;
        drop(served);
        assert!(
            ended.recv().await.is_none(),
            "the future and all that it held are gone"
        );
    }
}
