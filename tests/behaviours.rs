//! Every public message in every state of a session, and backpressure.

mod common;

use bytes::Bytes;
use common::{GET, Served, ok, serve, serve_with, silent, taken};
use http_actors::error::{RefusedReason, UseError};
use http_actors::message::{Apply, Cancel, Finish, FinishWith, Inspect, SendChunk, Write};
use http_actors::{
    BodySender, Buffers, Headers, Payload, Responder, Room, SessionContext, SessionOptions,
    SessionPhase, StatusCode,
};

/// The states of a session, made by the messages that lead there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Fresh,
    Handling,
    AnsweringChunked,
    AnsweringRaw,
    /// The answer is complete, the socket has not taken it.
    Answered,
    /// The last answer had a streamed body, and the connection waits for the next request.
    IdleAfterStream,
    /// The last answer had its body inside.
    IdleAfterOneshot,
}

async fn in_state(state: State) -> Served {
    let mut served = serve_with(SessionOptions::default(), 1000, silent);
    if state == State::Fresh {
        return served;
    }
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let apply = |payload| served.session.send(Apply(payload));
    let chunked = Payload::response(StatusCode::OK).chunked();
    match state {
        State::Fresh | State::Handling => {}
        State::AnsweringChunked => drop(apply(chunked).await.expect("alive").expect("accepted")),
        State::AnsweringRaw => {
            taken(&served.session, Write("HTTP/1.1 200 OK\r\n".into())).await;
        }
        State::Answered => drop(
            apply(ok("").body(vec![0; 50_000]))
                .await
                .expect("alive")
                .expect("accepted"),
        ),
        State::IdleAfterStream => {
            apply(chunked).await.expect("alive").expect("accepted");
            taken(&served.session, Finish).await;
            served
                .heard
                .expect(&["need_body", "completed 200 in 0 out 0"])
                .await;
        }
        State::IdleAfterOneshot => {
            apply(ok("hi")).await.expect("alive").expect("accepted");
            served.heard.expect(&["completed 200 in 0 out 2"]).await;
        }
    }
    served
}

/// `Ok`, or the reason.
fn verdict<T, M>(result: Result<T, http_actors::error::Refused<M>>) -> Option<RefusedReason> {
    result.err().map(|refused| refused.reason)
}

/// The whole grid: what each message is answered in each state. `None` is "taken".
#[actix::test]
async fn every_message_in_every_state() {
    use RefusedReason::{AlreadyAnswered, Busy, NoBody, NotOpen, NotYourTurn};
    let rows = [
        (
            State::Fresh,
            [Some(NotOpen), Some(NotOpen), Some(NotOpen), Some(NotOpen)],
        ),
        (State::Handling, [None, Some(NotOpen), Some(NotOpen), None]),
        (
            State::AnsweringChunked,
            [Some(AlreadyAnswered), None, None, Some(Busy)],
        ),
        (
            State::AnsweringRaw,
            [Some(AlreadyAnswered), Some(Busy), None, None],
        ),
        (
            State::Answered,
            [
                Some(AlreadyAnswered),
                Some(NoBody),
                Some(NoBody),
                Some(AlreadyAnswered),
            ],
        ),
        (
            State::IdleAfterStream,
            [
                Some(NotOpen),
                Some(NotYourTurn),
                Some(NotYourTurn),
                Some(NotOpen),
            ],
        ),
        (
            State::IdleAfterOneshot,
            [Some(NotOpen), Some(NoBody), Some(NoBody), Some(NotOpen)],
        ),
    ];
    for (state, expected) in rows {
        for (column, expected) in expected.into_iter().enumerate() {
            let served = in_state(state).await;
            let session = &served.session;
            let answer = match column {
                0 => verdict(session.send(Apply(ok("hi"))).await.expect("alive")),
                1 => verdict(session.send(SendChunk("x".into())).await.expect("alive")),
                2 => verdict(session.send(Finish).await.expect("alive")),
                _ => verdict(session.send(Write("x".into())).await.expect("alive")),
            };
            assert_eq!(answer, expected, "{state:?}, column {column}");
        }
    }
}

/// A session that is closing refuses everything and says so; what was accepted before is still sent.
#[actix::test]
async fn a_closing_session_refuses() {
    let mut served = serve_with(SessionOptions::default(), 100, silent);
    served.peer.send("GET / HTTP/1.0\r\n\r\n").await;
    served.heard.expect(&["apply GET / []"]).await;
    let session = &served.session;
    taken(session, Apply(ok("").body(vec![b'x'; 5000]))).await;
    assert_eq!(
        verdict(session.send(SendChunk("x".into())).await.expect("alive")),
        Some(RefusedReason::NoBody)
    );
    served.peer.send("GARBAGE\r\n\r\n").await;
    assert!(served.peer.rest().await.ends_with(&"x".repeat(5000)));
}

/// P87, B15: a refusal that nobody awaits is told to the handler; nothing vanishes.
#[actix::test]
async fn unheard_refusals_reach_the_handler() {
    let mut served = serve(silent);
    served.session.do_send(SendChunk("x".into()));
    served.session.do_send(Apply(ok("hi")));
    served.session.do_send(Finish);
    served
        .heard
        .expect(&["refused NotOpen", "refused NotOpen", "refused NotOpen"])
        .await;
    // Awaited ones are the caller's alone.
    served
        .session
        .send(Finish)
        .await
        .expect("alive")
        .expect_err("nothing is open");
    served.session.send(Inspect).await.expect("alive");
    assert!(served.heard.so_far().is_empty());
}

/// What cannot be sent comes back with the reason, and another answer can be given.
#[actix::test]
async fn unusable_payloads_come_back() {
    let mut served = serve(silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let rows = [
        (Payload::get("/").expect("a path"), UseError::WrongKind),
        (
            ok("hi").header("X", "split\r\nhere"),
            UseError::InvalidValue,
        ),
        (ok("hi").header("a b", "c"), UseError::InvalidName),
        (
            ok("hi").header("Content-Length", "3"),
            UseError::FramingMismatch,
        ),
        (
            Payload::response(StatusCode::SWITCHING_PROTOCOLS),
            UseError::SwitchNeedsHandOff,
        ),
    ];
    for (payload, mistake) in rows {
        let refused = served
            .session
            .send(Apply(payload))
            .await
            .expect("alive")
            .expect_err("unusable");
        assert_eq!(refused.reason, RefusedReason::Unusable(mistake));
    }
    taken(&served.session, Apply(ok("hi"))).await;
    served
        .peer
        .expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        .await;
}

/// P14: from one sender, messages of different types keep their order.
#[actix::test]
async fn messages_of_one_sender_keep_their_order() {
    let mut served = serve(silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let session = served.session.clone();
    std::thread::spawn(move || {
        session.do_send(Apply(Payload::response(StatusCode::OK).chunked()));
        for n in 0..500 {
            session.do_send(SendChunk(format!("{n}\n").into()));
        }
        let mut trailers = Headers::new();
        trailers.append("X-End", "yes").expect("valid");
        session.do_send(FinishWith(trailers));
    });
    let answer = served.peer.until("X-End: yes\r\n\r\n").await;
    let lines: Vec<&str> = answer
        .split("\r\n")
        .filter(|line| line.ends_with('\n'))
        .collect();
    let expected: Vec<String> = (0..500).map(|n| format!("{n}\n")).collect();
    assert_eq!(lines, expected);
}

/// A chunk bound to a message is never taken into another one.
#[actix::test]
async fn a_late_chunk_never_becomes_part_of_another_answer() {
    let mut served = serve(silent);
    served.peer.send(GET.repeat(2)).await;
    served.heard.expect(&["apply GET / []"]).await;
    let first = Payload::response(StatusCode::OK).chunked();
    let id = first.id();
    taken(&served.session, Apply(first)).await;
    taken(&served.session, Finish::of(id)).await;
    served
        .heard
        .expect(&["need_body", "completed 200 in 0 out 0", "apply GET / []"])
        .await;
    taken(
        &served.session,
        Apply(Payload::response(StatusCode::OK).chunked()),
    )
    .await;
    let late = served
        .session
        .send(SendChunk::to(id, "late"))
        .await
        .expect("alive")
        .expect_err("over");
    assert_eq!(
        (late.reason, late.message),
        (RefusedReason::NotYourTurn, Bytes::from("late"))
    );
    let late = served
        .session
        .send(Finish::of(id))
        .await
        .expect("alive")
        .expect_err("over");
    assert_eq!(late.reason, RefusedReason::NotYourTurn);
    served.session.send(Cancel(id)).await.expect("alive");
    taken(&served.session, SendChunk("x".into())).await;
}

/// P6: raw bytes are the answer, to the byte, and the connection goes on.
#[actix::test]
async fn raw_bytes_are_the_answer() {
    let mut served = serve(|_, session: &mut SessionContext| {
        assert_eq!(session.write("HTTP/1.1 299 Own\r\n"), Ok(Room::Open));
        assert_eq!(session.write("Content-Length: 1\r\n\r\nx"), Ok(Room::Open));
        session.finish().expect("raw");
    });
    for _ in 0..2 {
        served.peer.send(GET).await;
        served
            .peer
            .expect("HTTP/1.1 299 Own\r\nContent-Length: 1\r\n\r\nx")
            .await;
    }
}

mod backpressure {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use http_actors::{Exchange, HttpHandler, HttpSession};
    use tokio::io::AsyncWriteExt as _;
    use tokio::sync::mpsc;

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// P27, B13: above the high-water mark the handler is throttled, at the low one it is told to go on.
    #[actix::test]
    async fn throttled_and_unthrottled() {
        let mut served = serve_with(
            SessionOptions::default(),
            100,
            |_, session: &mut SessionContext| {
                session.respond(Payload::response(StatusCode::OK).chunked());
                assert_eq!(session.send_chunk(vec![b'x'; 60_000]), Ok(Room::Open));
                assert_eq!(session.send_chunk(vec![b'x'; 20_000]), Ok(Room::Throttled));
            },
        );
        served.peer.send(GET).await;
        served
            .heard
            .expect(&["apply GET / []", "need_body", "throttled"])
            .await;
        let info = served.session.send(Inspect).await.expect("alive");
        assert!(
            info.throttled_for.is_some() && info.outbound_queued > 60_000,
            "{info:?}"
        );
        let mut read = 0;
        while read < 50_000 {
            assert!(
                served.heard.so_far().is_empty(),
                "not before the low-water mark, at {read}"
            );
            served.peer.more().await;
            read += 100;
        }
        loop {
            if served.heard.so_far() == ["unthrottled"] {
                break;
            }
            served.peer.more().await;
        }
    }

    /// The exchange ends without another event if the handler finishes its answer when everything was written.
    #[actix::test]
    async fn an_answer_that_is_finished_behind_its_last_write() {
        struct Late(mpsc::UnboundedSender<u64>);

        impl HttpHandler for Late {
            fn apply(&mut self, _: Payload, session: &mut SessionContext) {
                session.respond(Payload::response(StatusCode::OK).length(450_000));
                assert_eq!(session.send_chunk(vec![b'x'; 450_000]), Ok(Room::Throttled));
            }

            fn unthrottled(&mut self, session: &mut SessionContext) {
                session.finish().expect("whole");
            }

            fn completed(&mut self, exchange: &Exchange, _: &mut SessionContext) {
                self.0.send(exchange.bytes_out).expect("the test waits");
            }
        }

        tokio::time::pause();
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let (tell, mut told) = mpsc::unbounded_channel();
        let factory = move |_| Late(tell.clone());
        let _session = HttpSession::accept(near, &factory, SessionOptions::default());
        for _ in 0..2 {
            far.write_all(GET.as_bytes()).await.expect("room");
            let told = tokio::time::timeout(Duration::from_secs(1), told.recv());
            assert_eq!(told.await, Ok(Some(450_000)));
        }
    }

    /// 64 KiB of body are below the mark, whatever they are framed in, and so leave in one write.
    #[actix::test]
    async fn a_body_of_64_kib_is_not_throttled() {
        let options = SessionOptions::default();
        let mut served = serve_with(options, 100_000, |_, session: &mut SessionContext| {
            session.respond(Payload::response(StatusCode::OK).chunked());
            for _ in 0..64 {
                assert_eq!(session.send_chunk(vec![b'x'; 1024]), Ok(Room::Open));
            }
            session.finish().expect("open");
        });
        served.peer.send(GET).await;
        served
            .heard
            .expect(&[
                "apply GET / []",
                "need_body",
                "completed 200 in 0 out 65536",
            ])
            .await;
    }

    /// `send(SendChunk)` waits for room; it is real backpressure, across threads.
    #[actix::test]
    async fn an_awaited_chunk_waits_for_room() {
        let mut served = serve_with(SessionOptions::default(), 100, silent);
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []"]).await;
        let session = served.session.clone();
        taken(&session, Apply(Payload::response(StatusCode::OK).chunked())).await;
        let sent = std::sync::Arc::new(AtomicUsize::new(0));
        let counter = sent.clone();
        let producer = std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                for _ in 0..100 {
                    taken(&session, SendChunk(vec![b'x'; 10_000].into())).await;
                    counter.fetch_add(1, Ordering::SeqCst);
                }
                taken(&session, Finish).await;
            });
        });
        served.heard.expect(&["need_body", "throttled"]).await;
        for _ in 0..100 {
            served.session.send(Inspect).await.expect("alive");
        }
        assert!(
            sent.load(Ordering::SeqCst) < 8,
            "the seventh waits: 70,000 bytes are above the mark"
        );
        let answer = served.peer.until("\r\n0\r\n\r\n").await;
        assert_eq!(answer.matches('x').count(), 1_000_000);
        producer.join().expect("all were taken");
    }

    /// Waits that are open when the session ends are answered.
    #[actix::test]
    async fn waits_end_with_the_session() {
        let mut served = serve_with(SessionOptions::default(), 100, silent);
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []"]).await;
        let session = &served.session;
        taken(session, Apply(Payload::response(StatusCode::OK).chunked())).await;
        let waiting = session.send(SendChunk(vec![b'x'; 100_000].into()));
        let waiting = actix_rt::spawn(waiting);
        served.heard.expect(&["need_body", "throttled"]).await;
        served.session.do_send(Cancel::current());
        let refused = waiting
            .await
            .expect("no panic")
            .expect("answered")
            .expect_err("closing");
        assert_eq!(refused.reason, RefusedReason::Closing);
    }

    /// The hard cap: refused for those who wait for the answer, an abort for those who do not.
    #[actix::test]
    async fn the_hard_cap() {
        let buffers = Buffers {
            hard_cap: 200_000,
            ..Buffers::default()
        };
        let options = SessionOptions {
            buffers,
            ..SessionOptions::default()
        };
        let mut served = serve_with(options, 100, silent);
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []"]).await;
        served
            .session
            .do_send(Apply(Payload::response(StatusCode::OK).chunked()));
        for _ in 0..100 {
            served.session.do_send(SendChunk(vec![b'x'; 10_000].into()));
        }
        served
            .heard
            .expect(&[
                "need_body",
                "throttled",
                "refused Overrun",
                "failed Overrun Answering",
            ])
            .await;
        assert!(!served.peer.rest().await.contains("\r\n0\r\n\r\n"));
    }

    /// P8, P9, B39: a muted exchange is delivered nothing, not even what had arrived; unmuted, all of it.
    #[actix::test]
    async fn mute_stops_delivery_at_once() {
        let mut served = serve(|_, session: &mut SessionContext| session.mute());
        served.peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await;
        served.heard.expect(&["apply POST / chunked"]).await;
        served.session.send(Inspect).await.expect("alive");
        assert!(served.heard.so_far().is_empty());
        taken(&served.session, Apply(ok("hi"))).await;
    }

    /// A `hold` from another thread; the guard's drop releases it.
    #[actix::test]
    async fn a_guard_holds_delivery() {
        let taken: &'static Mutex<Option<Responder>> = Box::leak(Box::default());
        let mut served = serve(move |_, session: &mut SessionContext| {
            taken.lock().expect("no panic").replace(session.responder());
        });
        served
            .peer
            .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
            .await;
        served.heard.expect(&["apply POST / stream 20000"]).await;
        let responder = taken
            .lock()
            .expect("no panic")
            .take()
            .expect("taken in apply");
        let guard = responder.hold();
        assert!(served.session.send(Inspect).await.expect("alive").muted);
        served.peer.send("x".repeat(20_000)).await;
        served.session.send(Inspect).await.expect("alive");
        assert!(served.heard.so_far().is_empty());
        drop(guard);
        while served.heard.next().await != "finished" {}
        responder.respond(ok("hi")).await.expect("accepted");
    }

    /// What a peer sends while nothing is delivered is bounded by the credit, then TCP stops it.
    #[actix::test]
    async fn a_flooding_sender_is_bounded() {
        // The timeout passes when everybody waits, and not before.
        tokio::time::pause();
        let mut served = serve_with(
            SessionOptions::default(),
            1 << 20,
            |_, session: &mut SessionContext| session.mute(),
        );
        served
            .peer
            .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
            .await;
        served
            .heard
            .expect(&["apply POST / stream 100000000"])
            .await;
        let flood = tokio::time::timeout(std::time::Duration::from_millis(200), async {
            let piece = vec![b'x'; 64 << 10];
            for _ in 0..1000 {
                served.peer.send(&piece).await;
            }
        });
        flood.await.expect_err("the sender is stopped");
        let info = served.session.send(Inspect).await.expect("alive");
        assert!(info.inbound_queued <= 2, "{info:?}");
    }

    /// Pipelined requests ahead are counted one by one, not once a read.
    #[actix::test]
    async fn waiting_requests_are_bounded() {
        let mut served = serve(silent);
        served.peer.send(GET.repeat(1000)).await;
        served.heard.expect(&["apply GET / []"]).await;
        let info = served.session.send(Inspect).await.expect("alive");
        assert_eq!(
            info.inbound_queued, 31,
            "thirty-two messages of credit, one of them delivered"
        );
    }

    /// While more than the mark waits for the socket, no other request is answered: answers do not add up.
    #[actix::test]
    async fn pipelined_answers_do_not_add_up() {
        let body = "x".repeat(40_000);
        let mut served = serve_with(
            SessionOptions::default(),
            1000,
            move |_, session: &mut SessionContext| {
                session.respond(Payload::response(StatusCode::OK).body(body.clone()));
            },
        );
        served.peer.send(GET.repeat(5)).await;
        let (asked, answered) = ("apply GET / []", "completed 200 in 0 out 40000");
        served
            .heard
            .expect(&[asked, answered, asked, "throttled"])
            .await;
        for _ in 0..100 {
            served.session.send(Inspect).await.expect("alive");
        }
        assert!(served.heard.so_far().is_empty());
        served.peer.until(&"x".repeat(40_000)).await;
        served.heard.expect(&[answered, asked]).await;
    }

    /// A body writer on another thread: each send waits for room, the end is the end.
    #[actix::test]
    async fn a_body_writer_from_another_thread() {
        let (give, take) = std::sync::mpsc::channel::<BodySender>();
        let mut served = serve_with(
            SessionOptions::default(),
            1000,
            move |_, session: &mut SessionContext| {
                session.respond(Payload::response(StatusCode::OK).chunked());
                give.send(session.body_sender().expect("a body is open"))
                    .expect("the writer waits");
                assert!(
                    session.body_sender().is_none(),
                    "there is one writer for a body"
                );
            },
        );
        let writer = std::thread::spawn(move || {
            let mut body = take.recv().expect("given in apply");
            actix::System::new().block_on(async move {
                for _ in 0..200 {
                    body.send(vec![b'x'; 1000]).await.expect("taken");
                }
                body.finish().await.expect("open");
            });
        });
        served.peer.send(GET).await;
        served
            .heard
            .expect(&["apply GET / []", "need_body", "throttled"])
            .await;
        served.peer.expect(CHUNKED).await;
        let body = served.peer.until("\r\n0\r\n\r\n").await;
        assert_eq!(body.matches('x').count(), 200_000);
        writer.join().expect("all was taken");
        assert_eq!(
            served.session.send(Inspect).await.expect("alive").phase,
            SessionPhase::Idle
        );
    }
}

/// An overrun leaves a hole, and an answer with a hole never ends well-formed, however fast the peer reads.
#[actix::test]
async fn an_answer_with_a_hole_never_ends_well() {
    let mut served = serve_with(SessionOptions::default(), 8 << 20, silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    served
        .session
        .do_send(Apply(Payload::response(StatusCode::OK).chunked()));
    for _ in 0..20 {
        served
            .session
            .do_send(SendChunk(vec![b'x'; 64 << 10].into()));
    }
    served.session.do_send(Finish);
    assert!(!served.peer.rest().await.ends_with("\r\n0\r\n\r\n"));
    let heard = served.heard.rest().await;
    assert!(
        heard.contains(&"failed Overrun Answering".to_owned()),
        "{heard:?}"
    );
}

/// An overrun that its sender hears of is the sender's affair: the message goes on.
#[actix::test]
async fn a_heard_overrun_leaves_no_hole() {
    let buffers = Buffers {
        hard_cap: 100_000,
        ..Buffers::default()
    };
    let options = SessionOptions {
        buffers,
        ..SessionOptions::default()
    };
    let mut served = serve_with(options, 1 << 20, |_, session: &mut SessionContext| {
        session.respond(Payload::response(StatusCode::OK).chunked());
        assert_eq!(session.send_chunk(vec![b'x'; 100_000]), Ok(Room::Throttled));
        let refused = session.send_chunk("y").expect_err("full");
        assert_eq!(
            (refused.reason, refused.message),
            (RefusedReason::Overrun, Bytes::from("y"))
        );
        session.finish().expect("whole without it");
    });
    served.peer.send(GET).await;
    assert!(!served.peer.until("\r\n0\r\n\r\n").await.contains('y'));
}

/// An interim response is one: a final status by `inform` is refused, and so is any after the end.
#[actix::test]
async fn inform_takes_interim_responses_only() {
    let kept: &'static std::sync::Mutex<Option<Responder>> = Box::leak(Box::default());
    let mut served = serve(move |_, session: &mut SessionContext| {
        let responder = session.responder();
        responder.inform(ok("final"));
        kept.lock().expect("no panic").replace(responder);
    });
    served.peer.send(GET).await;
    served
        .heard
        .expect(&["apply GET / []", "refused Unusable(FinalStatus)"])
        .await;
    taken(&served.session, Apply(ok("hi"))).await;
    served.heard.expect(&["completed 200 in 0 out 2"]).await;
    let responder = kept.lock().expect("no panic").take().expect("kept");
    responder.inform(Payload::response(StatusCode::PROCESSING));
    served.heard.expect(&["refused NotYourTurn"]).await;
}

/// A responder's answer is whole: what nobody could complete is refused, and the client gets a 500 instead of nothing.
#[actix::test]
async fn respond_takes_whole_answers_only() {
    const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let empty = || Payload::response(StatusCode::OK);
    let rows = [
        (GET, empty().chunked(), Some(UseError::NoWriter)),
        (GET, empty().length(5), Some(UseError::NoWriter)),
        (
            GET,
            Payload::response(StatusCode::PROCESSING),
            Some(UseError::InterimStatus),
        ),
        (
            GET,
            Payload::response(StatusCode::SWITCHING_PROTOCOLS),
            Some(UseError::SwitchNeedsHandOff),
        ),
        (GET, empty().length(0), None),
        (
            GET,
            Payload::response(StatusCode::NO_CONTENT).chunked(),
            Some(UseError::BodyNotAllowed),
        ),
        (HEAD, empty().chunked(), None),
        (HEAD, empty().length(5), None),
    ];
    for (request, answer, mistake) in rows {
        let what = format!("{request:?} {answer:?}");
        let (give, take) = tokio::sync::oneshot::channel();
        let give = std::cell::Cell::new(Some(give));
        let mut served = serve(move |_, session: &mut SessionContext| {
            let give = give.take().expect("once");
            give.send(session.responder()).expect("awaited");
        });
        served.peer.send(request).await;
        let responder = take.await.expect("asked");
        let answered = responder.respond(answer).await;
        assert_eq!(
            answered.map(drop).map_err(|refused| refused.reason),
            mistake.map_or(Ok(()), |mistake| Err(mistake.into())),
            "{what}"
        );
        let head = served.peer.until("\r\n\r\n").await;
        let failed = head.starts_with("HTTP/1.1 500 ");
        assert_eq!(failed, mistake.is_some(), "{what}: {head}");
        served.heard.next().await;
        let end = served.heard.next().await;
        let expected = ["completed ", "failed Unanswered"][usize::from(failed)];
        assert!(end.starts_with(expected), "{what}: {end}");
    }
}

/// A late answer is late, whatever is wrong with it.
#[actix::test]
async fn a_late_answer_is_refused_for_being_late() {
    let (give, take) = std::sync::mpsc::channel();
    let mut served = serve(move |_, session: &mut SessionContext| {
        let three = [(); 3].map(|()| session.responder());
        give.send(three).expect("awaited");
    });
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let [first, second, third] = take.recv().expect("asked");
    first.respond(ok("hi")).await.expect("the first");
    served.heard.expect(&["completed 200 in 0 out 2"]).await;
    for (late, answer) in [
        (second, Payload::response(StatusCode::OK).chunked()),
        (third, Payload::response(StatusCode::PROCESSING)),
    ] {
        let refused = late.respond(answer).await.expect_err("late");
        assert_eq!(refused.reason, RefusedReason::NotYourTurn);
    }
}
