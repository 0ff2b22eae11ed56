//! Server-sent events: what crosses the wire, and what the sender knows of its reader.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix::Addr;
use common::{GET, Peer, Pipe, eventually, serve};
use futures_util::FutureExt as _;
use http_actors::error::{RefusedReason, UseError};
use http_actors::message::Leave;
use http_actors::sse::{self, Event, EventSender};
use http_actors::{HttpRequest, HttpSession, Payload, SessionOptions, handler_fn};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";

/// A reader, and the sender of its events.
async fn open() -> (EventSender, Peer) {
    let (events, peer, _) = open_on().await;
    (events, peer)
}

/// The same, and the session.
async fn open_on() -> (EventSender, Peer, Addr<HttpSession>) {
    let (sender, mut requests) = mpsc::unbounded_channel();
    let factory = handler_fn(async move |request: HttpRequest| {
        sender.send(request).expect("the test runs");
    });
    let pipe = Pipe::new().capacity(1 << 10);
    let (mut peer, session) = Peer::serve_with(pipe, &factory, SessionOptions::default());
    peer.send(GET).await;
    let request = requests.recv().await.expect("a request");
    let events = EventSender::open(request.responder).await;
    peer.expect(HEAD).await;
    (events.expect("accepted"), peer, session)
}

fn chunk(bytes: &str) -> String {
    format!("{:x}\r\n{bytes}\r\n", bytes.len())
}

/// A reader that had left before the stream was opened gets none.
#[actix::test]
async fn a_reader_that_has_left_gets_no_stream() {
    let asked = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&asked);
    let mut served = serve(move |_, session| {
        kept.replace(Some(session.responder()));
    });
    served.peer.send(GET).await;
    served.peer.close().await;
    served
        .heard
        .expect(&["apply GET / []", "half_closed"])
        .await;
    let responder = asked.take().expect("asked");
    let refused = EventSender::open(responder).await;
    refused.map(drop).expect_err("nobody reads");
    served
        .heard
        .expect(&["cancelled PeerHalfClosed Waiting"])
        .await;
    assert_eq!(served.peer.rest().await, "");
}

/// Section 9.2.6 of the standard, the other way round.
#[actix::test]
async fn events_are_written_as_readers_parse_them() {
    let rows = [
        (
            Event::data("This is the first message."),
            "data: This is the first message.\n\n",
        ),
        (
            Event::data("YHOO\n+2\r\n10").event("add").id("1"),
            "data: YHOO\ndata: +2\ndata: 10\nevent: add\nid: 1\n\n",
        ),
        (Event::data(" two"), "data:  two\n\n"),
        (Event::data(""), "data: \n\n"),
        (Event::data("\n"), "data: \ndata: \n\n"),
        (Event::data("x").id(""), "data: x\nid: \n\n"),
        (Event::data(": é"), "data: : é\n\n"),
        (Event::comment("test\rstream"), ": test\n: stream\n\n"),
        (
            Event::comment("").retry(Duration::from_millis(2500)),
            ": \nretry: 2500\n\n",
        ),
    ];
    let (events, mut peer) = open().await;
    for (event, bytes) in rows {
        events.send(event).await.expect("taken");
        peer.expect(chunk(bytes)).await;
    }
    events.finish().await.expect("taken");
    peer.expect("0\r\n\r\n").await;
    // The connection goes on.
    peer.send(GET).await;
}

/// A stream without an end is brought to one when its session is to leave, and nothing is cut.
#[actix::test]
async fn a_sender_hears_that_its_session_is_to_leave() {
    let (events, mut peer, session) = open_on().await;
    // Waits that are given up leave nothing behind.
    for _ in 0..100 {
        assert!(events.leaving().now_or_never().is_none());
    }
    events.send(Event::data("1")).await.expect("taken");
    peer.expect(chunk("data: 1\n\n")).await;
    let left = session.send(Leave {
        window: Duration::ZERO,
        deadline: Duration::from_secs(3600),
    });
    let (left, ()) = tokio::join!(left, async {
        events.leaving().await;
        // A later call hears it too.
        events.leaving().await;
        events.send(Event::data("2")).await.expect("taken");
        events.finish().await.expect("taken");
    });
    assert!(left.expect("alive").cut.is_empty());
    peer.expect(chunk("data: 2\n\n")).await;
    peer.expect("0\r\n\r\n").await;
    assert_eq!(peer.rest().await, "");
}

/// A publisher that does not wait, for example in a message handler, reaches every reader that has room, however many
/// there are.
#[actix::test]
async fn an_event_for_many_readers_needs_no_wait() {
    let mut readers = Vec::new();
    for _ in 0..200 {
        readers.push(open().await);
    }
    for (events, _) in &readers {
        let sent = events.send(Event::data("1")).now_or_never();
        sent.expect("there is room").expect("taken");
    }
    for (_, peer) in &mut readers {
        peer.expect(chunk("data: 1\n\n")).await;
    }
}

/// A sender that is dropped cuts its stream at once: although somebody waits for the end of it, and although the reader
/// is slow and an event still waits for room.
#[actix::test]
async fn a_dropped_sender_cuts_its_stream() {
    let (events, mut peer) = open().await;
    let closed = events.closed();
    drop(events);
    closed.await;
    assert!(!peer.rest().await.contains("0\r\n\r\n"));
    let (events, mut peer) = open().await;
    let closed = events.closed();
    let large = || Event::data("x".repeat(200 << 10));
    eventually("an event that waits for room", async || {
        events.send(large()).now_or_never().is_none()
    })
    .await;
    drop(events);
    closed.await;
    assert!(!peer.rest().await.contains("0\r\n\r\n"));
}

/// The wait ends with the exchange, too.
#[actix::test]
async fn nobody_waits_for_a_session_that_is_gone() {
    let (events, peer) = open().await;
    peer.reset();
    events.leaving().await;
    events.leaving().await;
}

#[actix::test]
async fn a_mistaken_event_is_refused() {
    let (events, mut peer) = open().await;
    let mistaken = Event::data("a").id("1\n\ndata: b");
    let refused = events.send(mistaken).await.expect_err("refused");
    assert_eq!(
        refused.reason,
        RefusedReason::Unusable(UseError::InvalidValue)
    );
    events
        .send(refused.message.id("2"))
        .await
        .expect_err("the mistake stays");
    events.send(Event::data("c")).await.expect("taken");
    peer.expect(chunk("data: c\n\n")).await;
}

/// A comment after each silence of 15 s, and none between events that come oftener.
#[actix::test]
async fn a_silence_is_broken() {
    tokio::time::pause();
    let (events, mut peer) = open().await;
    let began = Instant::now();
    for _ in 0..3 {
        peer.expect(chunk(":\n\n")).await;
    }
    assert_eq!(began.elapsed().as_secs(), 45);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        events.send(Event::data("x")).await.expect("taken");
        peer.expect(chunk("data: x\n\n")).await;
    }
}

/// The sender waits for what a reader does not take, and no comments pile up either. In the end the session cuts it.
#[actix::test]
async fn a_slow_reader_holds_the_sender() {
    tokio::time::pause();
    let (events, peer) = open().await;
    let text = "x".repeat(1 << 10);
    let mut sent = 0;
    while let Ok(taken) = timeout(Duration::from_secs(1), events.send(Event::data(&text))).await {
        taken.expect("nobody left");
        sent += 1;
        assert!(sent < 100, "{sent} KiB for a reader that takes nothing");
    }
    let began = Instant::now();
    events.closed().await;
    assert!(began.elapsed() < Duration::from_secs(31));
    assert!(peer.transcript().was_reset());
    let refused = events.send(Event::data("y")).await.expect_err("cut");
    assert_eq!(refused.reason, RefusedReason::Closing);
    assert_eq!(refused.message, Event::data("y"));
}

#[actix::test]
async fn a_reader_that_leaves_is_known_at_once() {
    tokio::time::pause();
    assert_is_known_at_once(true).await;
    assert_is_known_at_once(false).await;
}

async fn assert_is_known_at_once(resets: bool) {
    let (events, mut peer) = open().await;
    events.send(Event::data("x")).await.expect("taken");
    peer.expect(chunk("data: x\n\n")).await;
    let began = Instant::now();
    if resets {
        peer.reset();
    } else {
        // As the kernel of a client that was killed.
        peer.close().await;
    }
    events.closed().await;
    assert!(began.elapsed().is_zero());
    let refused = events
        .send(Event::data("y"))
        .await
        .expect_err("nobody reads");
    assert_eq!(refused.reason, RefusedReason::Closing);
    events.finish().await.expect_err("nobody reads");
}

#[actix::test]
async fn a_sender_that_is_dropped_cuts_the_stream() {
    let (events, mut peer) = open().await;
    events.send(Event::data("x")).await.expect("taken");
    peer.expect(chunk("data: x\n\n")).await;
    drop(events);
    assert_eq!(peer.rest().await, "");
    assert!(peer.transcript().was_reset());
}

/// A body or an answer in other hands hears of the end too, and of nothing before it.
#[actix::test]
async fn the_end_is_told_to_who_waits() {
    tokio::time::pause();
    let (sender, mut requests) = mpsc::unbounded_channel();
    let factory = handler_fn(async move |request: HttpRequest| {
        sender.send(request).expect("the test runs");
    });
    for streams in [false, true] {
        let mut peer = Peer::serve(&factory);
        peer.send(GET).await;
        let HttpRequest { responder, .. } = requests.recv().await.expect("a request");
        let second = Duration::from_secs(1);
        timeout(second, responder.closed())
            .await
            .expect_err("it goes on");
        if streams {
            let body = responder.stream(sse::head()).await.expect("accepted");
            timeout(second, body.closed())
                .await
                .expect_err("it goes on");
            peer.reset();
            body.closed().await;
        } else {
            peer.reset();
            responder.closed().await;
            responder.closed().await;
        }
    }
}

#[test]
fn the_last_event_is_known() {
    let request = || Payload::get("/").expect("a path");
    assert_eq!(sse::last_event_id(&request()), None);
    let again = request().header("last-event-id", "a 7");
    assert_eq!(sse::last_event_id(&again), Some("a 7"));
    assert_eq!(
        sse::last_event_id(&request().header("Last-Event-ID", "")),
        None
    );
}
