//! The orderly end of a session, at both ends (N9), and connections that are rotated.

mod common;

use std::num::NonZeroU64;
use std::time::Duration;

use actix::Addr;
use common::{GET, HI, Heard, Peer, Recorder, Served, answer_with, serve, serve_with, silent};
use http_actors::error::RefusedReason;
use http_actors::message::{Apply, Finish, Leave, Left, SendChunk};
use http_actors::{HttpSession, Payload, SessionContext, SessionOptions, StatusCode};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const LAST: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";

const WINDOW: Duration = Duration::from_millis(500);
const LEAVE: Leave = Leave {
    window: WINDOW,
    deadline: Duration::from_secs(30),
};

fn answer(_: Payload, session: &mut SessionContext) {
    session.respond(Payload::response(StatusCode::OK).body("hi"));
}

fn stream(_: Payload, session: &mut SessionContext) {
    session.respond(Payload::response(StatusCode::OK).length(2));
}

/// Asks a session to leave. The question is on its way when this returns.
fn leave(session: &Addr<HttpSession>) -> JoinHandle<Left> {
    let left = session.send(LEAVE);
    actix::spawn(async { left.await.expect("alive") })
}

async fn cut(left: JoinHandle<Left>) -> usize {
    left.await.expect("no panic").cut.len()
}

/// Without a request a connection stays for the window and closes without a word.
#[actix::test]
async fn an_idle_session_leaves_after_the_window() {
    tokio::time::pause();
    let mut served = serve(answer);
    served.peer.send(GET).await;
    served.peer.expect(HI).await;
    let since = Instant::now();
    let left = leave(&served.session);
    assert_eq!(served.peer.rest().await, "");
    assert_eq!(since.elapsed().as_millis() / 10, WINDOW.as_millis() / 10);
    drop(served.peer);
    assert_eq!(cut(left).await, 0);
}

/// A request that was on its way is answered within the window, and told that it was the last.
#[actix::test]
async fn a_request_in_the_window_is_answered() {
    tokio::time::pause();
    let mut served = serve(answer);
    let left = leave(&served.session);
    served.heard.expect(&["leaving"]).await;
    tokio::time::sleep(WINDOW / 2).await;
    served.peer.send(GET.repeat(2)).await;
    served.peer.expect(LAST).await;
    assert_eq!(served.peer.rest().await, "", "only one is the last");
    drop(served.peer);
    assert_eq!(cut(left).await, 0);
}

/// A request of which a part came within the window is answered too, as the last.
#[actix::test]
async fn a_request_that_has_begun_is_answered() {
    tokio::time::pause();
    let whole = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789";
    for at in [1, 20, whole.len() - 5] {
        let mut served = serve(answer);
        let left = leave(&served.session);
        served.heard.expect(&["leaving"]).await;
        served.peer.send(&whole[..at]).await;
        tokio::time::sleep(WINDOW * 4).await;
        served.peer.send(&whole[at..]).await;
        served.peer.expect(LAST).await;
        assert_eq!(served.peer.rest().await, "");
        drop(served.peer);
        assert_eq!(cut(left).await, 0);

        let options = SessionOptions {
            max_age: Some(WINDOW),
            ..SessionOptions::default()
        };
        let mut served = serve_with(options, 1 << 16, answer);
        served.peer.send(&whole[..at]).await;
        tokio::time::sleep(WINDOW * 4).await;
        served.peer.send(&whole[at..]).await;
        served.peer.expect(LAST).await;
        assert_eq!(served.peer.rest().await, "");
    }
}

/// The rest of a request that was answered early is still read after the window: a close would reset the connection,
/// and could take the answer from the peer.
#[actix::test]
async fn the_rest_of_a_request_is_read() {
    tokio::time::pause();
    let mut served = serve(answer);
    served
        .peer
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
        .await;
    served.peer.expect(HI).await;
    let left = leave(&served.session);
    tokio::time::sleep(WINDOW * 4).await;
    served.peer.send("x".repeat(20_000)).await;
    assert_eq!(served.peer.rest().await, "");
    assert_eq!(cut(left).await, 0);
}

/// A request that does not become whole holds a session until the deadline and no longer. A part of it gets no answer.
#[actix::test]
async fn a_request_that_stops_is_cut() {
    tokio::time::pause();
    let mut served = serve(answer);
    let since = Instant::now();
    let left = served.session.send(Leave {
        window: WINDOW,
        deadline: WINDOW * 4,
    });
    served.peer.send("GET / HT").await;
    assert_eq!(served.peer.rest().await, "");
    assert_eq!(
        since.elapsed().as_millis() / 10,
        WINDOW.as_millis() * 4 / 10
    );
    assert_eq!(left.await.expect("alive").cut.len(), 0);
}

/// What is being answered finishes, however far it was, long after the window. Then the connection closes.
#[actix::test]
async fn an_exchange_is_finished() {
    tokio::time::pause();
    let mut served = serve(silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let left = leave(&served.session);
    served.heard.expect(&["leaving"]).await;
    tokio::time::sleep(WINDOW * 10).await;
    let hi = Payload::response(StatusCode::OK).body("hi");
    served.session.do_send(Apply(hi));
    served.peer.expect(LAST).await;
    assert_eq!(served.peer.rest().await, "");
    drop(served.peer);
    assert_eq!(cut(left).await, 0);

    // The head went out before: there was no way to announce it.
    let mut served = serve(stream);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []", "need_body"]).await;
    let left = leave(&served.session);
    served.heard.expect(&["leaving"]).await;
    tokio::time::sleep(WINDOW * 10).await;
    served.session.do_send(SendChunk("hi".into()));
    served.session.do_send(Finish);
    served.peer.expect(HI).await;
    assert_eq!(served.peer.rest().await, "");
    drop(served.peer);
    assert_eq!(cut(left).await, 0);
}

/// At the deadline what goes on is cut, and the report says what.
#[actix::test]
async fn the_deadline_cuts() {
    tokio::time::pause();
    for (script, phase) in [
        (silent as fn(Payload, &mut SessionContext), "Waiting"),
        (stream, "Answering"),
    ] {
        let mut served = serve(script);
        served.peer.send(GET).await;
        served.heard.expect(&["apply GET / []"]).await;
        let since = Instant::now();
        let left = leave(&served.session).await.expect("no panic");
        assert_eq!(since.elapsed().as_secs(), 30);
        let [exchange] = &left.cut[..] else {
            panic!("one exchange: {left:?}")
        };
        assert_eq!(format!("{:?}", exchange.phase), phase);
        let heard = served.heard.rest().await;
        assert_eq!(heard.last(), Some(&format!("cancelled Shutdown {phase}")));
    }
}

/// A peer that takes the last answer too slowly is cut too.
#[actix::test]
async fn the_deadline_cuts_what_is_being_written() {
    tokio::time::pause();
    let mut options = SessionOptions::default();
    options.timeouts.write = None;
    let mut served = serve_with(options, 1 << 10, |_, session| {
        session.respond(
            Payload::response(StatusCode::OK)
                .close()
                .body(vec![b'x'; 10_000]),
        );
    });
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let since = Instant::now();
    assert_eq!(cut(leave(&served.session)).await, 1);
    assert_eq!(since.elapsed().as_secs(), 30);
}

/// Asked twice, the earlier times hold, and both are told.
#[actix::test]
async fn asked_twice_the_earlier_times_hold() {
    tokio::time::pause();
    let mut served = serve(silent);
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    let since = Instant::now();
    let first = leave(&served.session);
    let second = served.session.send(Leave {
        deadline: Duration::from_secs(5),
        ..LEAVE
    });
    assert_eq!(second.await.expect("alive").cut.len(), 1);
    assert_eq!(since.elapsed().as_secs(), 5);
    assert_eq!(cut(first).await, 1);
    let heard = served.heard.rest().await;
    assert_eq!(heard, ["leaving", "cancelled Shutdown Waiting"]);
}

struct Asking {
    session: Addr<HttpSession>,
    server: Peer<DuplexStream>,
    heard: Heard,
}

fn ask() -> Asking {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (factory, heard) = Recorder::script(|_, _| {});
    let session = HttpSession::over(near, "a", &factory, SessionOptions::for_client());
    Asking {
        session,
        server: Peer::new(far),
        heard,
    }
}

fn get() -> Apply {
    Apply(Payload::get("/").expect("a path"))
}

/// A client finishes what it took, takes no more, and ends.
#[actix::test]
async fn a_client_leaves() {
    tokio::time::pause();
    let mut asking = ask();
    asking.session.do_send(get());
    asking.session.do_send(get());
    asking.server.until("\r\n\r\n").await;
    let left = leave(&asking.session);
    asking.heard.expect(&["leaving"]).await;
    let refused = asking.session.send(get()).await.expect("alive");
    assert_eq!(refused.expect_err("late").reason, RefusedReason::Closing);
    asking.server.send(HI).await;
    answer_with(&mut asking.server, HI).await;
    let done = ["apply 200 [hi]", "completed 200 in 2 out 0"];
    assert_eq!(asking.heard.rest().await, done.repeat(2));
    asking.server.rest().await;
    assert_eq!(cut(left).await, 0);
    assert!(!asking.session.connected());
}

/// A client without a request ends at once; one whose server does not answer is cut.
#[actix::test]
async fn a_client_leaves_at_once_or_is_cut() {
    tokio::time::pause();
    let mut asking = ask();
    let since = Instant::now();
    assert_eq!(cut(leave(&asking.session)).await, 0);
    assert_eq!(asking.server.rest().await, "");
    assert_eq!(asking.heard.rest().await, ["leaving"]);
    assert_eq!(since.elapsed().as_millis() / 10, 0);

    let mut asking = ask();
    asking.session.do_send(get());
    asking.server.until("\r\n\r\n").await;
    assert_eq!(cut(leave(&asking.session)).await, 1);
    assert_eq!(since.elapsed().as_secs(), 30);
    assert_eq!(
        asking.heard.rest().await,
        ["leaving", "cancelled Shutdown Waiting"]
    );
}

/// A connection that has had its share of requests, or its time, ends in an orderly way.
#[actix::test]
async fn connections_are_rotated() {
    tokio::time::pause();
    let options = SessionOptions {
        max_requests: NonZeroU64::new(3),
        ..SessionOptions::default()
    };
    let Served { mut peer, .. } = serve_with(options, 1 << 16, answer);
    peer.send(GET.repeat(5)).await;
    peer.expect(&format!("{HI}{HI}{LAST}")).await;
    assert_eq!(peer.rest().await, "");

    let options = SessionOptions {
        max_age: Some(Duration::from_secs(60)),
        ..SessionOptions::default()
    };
    let slow = |_: Payload, session: &mut SessionContext| {
        let responder = session.responder();
        actix::spawn(async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            drop(responder.respond(Payload::response(StatusCode::OK).body("hi")));
        });
    };
    let Served { mut peer, .. } = serve_with(options.clone(), 1 << 16, slow);
    let since = Instant::now();
    peer.send(GET.repeat(3)).await;
    // The second began at 50 s, in time; the third, at 100 s, is the last.
    peer.expect(&format!("{HI}{HI}{LAST}")).await;
    assert_eq!(since.elapsed().as_secs(), 150);
    assert_eq!(peer.rest().await, "");

    let Served { mut peer, .. } = serve_with(options, 1 << 16, answer);
    let since = Instant::now();
    peer.send(GET).await;
    peer.expect(HI).await;
    assert_eq!(peer.rest().await, "");
    assert_eq!(since.elapsed().as_secs(), 60);
}

/// A raw answer cannot be made to announce the close. The connection closes after it all the same.
#[actix::test]
async fn a_raw_answer_is_the_last() {
    tokio::time::pause();
    let options = SessionOptions {
        max_requests: NonZeroU64::new(1),
        ..SessionOptions::default()
    };
    let Served { mut peer, .. } = serve_with(options, 1 << 16, |_, session| {
        assert!(session.write(HI).is_ok());
        assert!(session.finish().is_ok());
    });
    let since = Instant::now();
    peer.send(GET.repeat(2)).await;
    peer.expect(HI).await;
    assert_eq!(peer.rest().await, "");
    assert_eq!(since.elapsed().as_secs(), 0);
}
