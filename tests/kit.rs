//! The kit that is there for tests, tested: pipes, peers, recorders.

mod common;

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use common::{GET, Heard, Pipe, Recorder, comes_true, comes_true_within, eventually, serve};
use futures_util::FutureExt as _;
use http_actors::error::FailureReason;
use http_actors::message::{Apply, Finish, Inspect, Part, SendChunk};
use http_actors::test_util::{FarEnd, Random, Socket, route_to};
use http_actors::{
    ClientErrorKind, HttpClient, HttpSession, Limits, Method, Origin, Payload, Route,
    SessionContext, SessionOptions, StatusCode, TransferMode, handler_fn,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

async fn pieces(pipe: Pipe) -> Vec<usize> {
    let (mut near, mut far) = pipe.open();
    near.write_all(&[b'x'; 500]).await.expect("room");
    drop(near);
    let mut pieces = Vec::new();
    let mut buffer = [0; 1000];
    loop {
        match far.read(&mut buffer).await.expect("no reset") {
            0 => return pieces,
            len => pieces.push(len),
        }
    }
}

#[tokio::test]
async fn a_seed_cuts_the_same_way_again() {
    assert_eq!(pieces(Pipe::new()).await, [500]);
    assert_eq!(pieces(Pipe::new().split_at(7)).await, [7, 493]);
    let cut = pieces(Pipe::new().seed(1)).await;
    assert!(cut.len() > 5, "{cut:?}");
    assert_eq!(cut.iter().sum::<usize>(), 500);
    assert_eq!(pieces(Pipe::new().seed(1)).await, cut);
    assert_ne!(pieces(Pipe::new().seed(2)).await, cut);
    assert_eq!(Random::of(3).below(0), 0);
}

#[tokio::test]
async fn a_full_pipe_takes_what_there_is_room_for() {
    tokio::time::pause();
    let (mut near, mut far) = Pipe::new().capacity(3).open();
    assert_eq!(near.write(b"hello").await.expect("room"), 3);
    let second = Duration::from_secs(1);
    let full = tokio::time::timeout(second, near.write(b"lo")).await;
    assert!(full.is_err());
    let mut buffer = [0; 8];
    assert_eq!(far.read(&mut buffer).await.expect("bytes"), 3);
    assert_eq!(near.write(b"lo").await.expect("room"), 2);
}

#[tokio::test]
async fn the_ends_of_a_pipe() {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};

    let read = async |mut end: Socket| {
        let mut all = Vec::new();
        let ended = end.read_to_end(&mut all).await;
        (all, ended.map_err(|err| err.kind()))
    };
    let said = async || {
        let (mut near, far) = Pipe::new().open();
        near.write_all(b"abc").await.expect("room");
        (near, far)
    };
    let (mut near, far) = said().await;
    near.shutdown().await.expect("open");
    let refused = near.write(b"d").await.map_err(|err| err.kind());
    assert_eq!(refused, Err(BrokenPipe));
    assert_eq!(read(far).await, (b"abc".to_vec(), Ok(3)));

    let (near, far) = said().await;
    drop(near);
    assert_eq!(read(far).await, (b"abc".to_vec(), Ok(3)));

    let (mut near, far) = said().await;
    near.reset();
    let refused = near.write(b"d").await.map_err(|err| err.kind());
    assert_eq!(refused, Err(ConnectionReset));
    assert_eq!(near.transcript().to_string(), "> abc\n> (reset)\n");
    assert_eq!(far.transcript().to_string(), "< abc\n< (reset)\n");
    assert!(far.transcript().was_reset());
    assert_eq!(read(far).await, (b"abc".to_vec(), Err(ConnectionReset)));
    assert_eq!(read(near).await, (Vec::new(), Err(ConnectionReset)));

    let (mut near, far) = said().await;
    drop(far);
    let refused = near.write(b"d").await.map_err(|err| err.kind());
    assert_eq!(refused, Err(BrokenPipe));
}

#[actix::test]
async fn a_stalled_peer_is_given_up() {
    tokio::time::pause();
    let mut served = serve(|_, _| {});
    served.peer.send(GET).await;
    served.heard.expect(&["apply GET / []"]).await;
    served.peer.stall();
    let answer = Apply(Payload::response(StatusCode::OK));
    let accepted = served.session.send(answer).await.expect("it lives");
    accepted.expect("accepted");
    let began = Instant::now();
    let cancelled = ["cancelled Deadline(Write) Answered"];
    assert_eq!(served.heard.rest().await, cancelled);
    assert_eq!(began.elapsed().as_secs(), 30);
    let transcript = served.peer.transcript();
    assert_eq!(transcript.sent(), GET.as_bytes());
    assert_eq!(transcript.received(), b"");
    assert!(transcript.was_reset());
}

#[actix::test]
async fn a_stalled_peer_may_go_on() {
    tokio::time::pause();
    let mut served = serve(|_, session| session.respond(Payload::response(StatusCode::OK)));
    served.peer.send(GET).await;
    served.peer.stall();
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(served.heard.so_far().is_empty());
    served.peer.resume();
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    served.peer.expect(ok).await;
    served.peer.close().await;
    assert_eq!(served.peer.rest().await, "");
    assert_eq!(
        served.peer.transcript().to_string(),
        r"> GET / HTTP/1.1\r\n
> Host: a\r\n
> \r\n
< HTTP/1.1 200 OK\r\n
< Content-Length: 0\r\n
< \r\n
> (close)
< (close)
"
    );
}

#[actix::test]
async fn a_peer_that_leaves_is_noticed_by_a_session_that_does_not_read() {
    tokio::time::pause();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let apply = "apply POST / chunked";
    let held = || serve(|_, session: &mut SessionContext| session.mute());
    let mut served = held();
    served.peer.send(post).await;
    served.heard.expect(&[apply]).await;
    served.peer.close().await;
    served.heard.expect(&["half_closed"]).await;

    let mut served = held();
    served.peer.send(post).await;
    served.heard.expect(&[apply]).await;
    served.peer.reset();
    let cancelled = ["cancelled PeerReset Receiving"];
    assert_eq!(served.heard.rest().await, cancelled);
}

fn raw() -> (FarEnd, Socket) {
    FarEnd::open(Pipe::new().seed(5))
}

#[tokio::test]
async fn messages_come_whole() {
    let (mut peer, mut io) = raw();
    let text = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nSum: 7\r\n\r\n";
    io.write_all([text, GET].concat().as_bytes())
        .await
        .expect("room");
    let request = peer.request().await;
    assert_eq!(request.body_bytes(), "abcd");
    let trailers = request.trailers().expect("trailers");
    assert_eq!(trailers.text("sum"), Some("7"));
    assert_eq!(peer.request().await.path(), "/");

    let text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end";
    io.write_all(text.as_bytes()).await.expect("room");
    drop(io);
    let head = peer.response(Method::HEAD).await;
    assert_eq!(head.body_bytes(), "");
    let last = peer.response(Method::GET).await;
    assert_eq!(last.body_bytes(), "to the end");
}

/// A head comes without its body, and that in parts as they come, however short it is and however it is cut.
#[tokio::test]
async fn messages_come_in_parts() {
    let chunked = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nSum: 7\r\n\r\n";
    let long = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd";
    for place in 0..150 {
        let (mut peer, mut io) = FarEnd::open(Pipe::new().split_at(place));
        let all = [chunked, long, GET, "end"].concat();
        io.write_all(all.as_bytes()).await.expect("room");
        for (path, mode, sum) in [
            ("/a", TransferMode::Chunked, Some("7")),
            ("/b", TransferMode::Stream, None),
            ("/", TransferMode::Oneshot, None),
        ] {
            let head = peer.request_head().await;
            assert_eq!((head.path(), head.mode()), (path, mode));
            let mut body = Vec::new();
            let trailers = loop {
                match peer.part().await {
                    Part::Data(data) => body.extend_from_slice(&data),
                    Part::End(trailers) => break trailers,
                    Part::Cut => panic!("cut in {path} at {place}"),
                }
            };
            let expected = if path == "/" { &b""[..] } else { b"abcd" };
            assert_eq!(body, expected);
            let found = trailers.as_ref().and_then(|fields| fields.text("sum"));
            assert_eq!(found, sum);
        }
        assert_eq!(peer.exactly(3).await, b"end");
    }
}

/// What a handler sends is there before it sends more. A wait for it may be given up.
#[actix::test]
async fn parts_come_as_they_are_sent() {
    tokio::time::pause();
    let head = || Payload::response(StatusCode::OK).chunked();
    let mut served = serve(move |_, session| session.respond(head()));
    served.peer.send(GET).await;
    let response = served.peer.response_head(Method::GET).await;
    assert_eq!(response.status(), Some(StatusCode::OK));
    for text in ["one", "two"] {
        let wait = tokio::time::timeout(Duration::from_secs(1), served.peer.part());
        wait.await.expect_err("nothing was sent");
        let sent = served.session.send(SendChunk(text.into())).await;
        sent.expect("it lives").expect("taken");
        assert_eq!(served.peer.part().await, Part::Data(text.into()));
    }
    let finished = served.session.send(Finish).await;
    finished.expect("it lives").expect("taken");
    assert_eq!(served.peer.part().await, Part::End(None));
    served.peer.send(GET).await;
    served.peer.response_head(Method::GET).await;
}

/// A body that is not complete does not look so, and one that ends with the connection ends well only if that does.
#[tokio::test]
async fn bodies_that_are_cut() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let to_the_end = "HTTP/1.1 200 OK\r\n\r\nabc";
    for (text, resets, end) in [
        (chunked, false, Part::Cut),
        (chunked, true, Part::Cut),
        (to_the_end, false, Part::End(None)),
        (to_the_end, true, Part::Cut),
    ] {
        let (mut peer, mut io) = FarEnd::open(Pipe::new());
        io.write_all(text.as_bytes()).await.expect("room");
        if resets {
            io.reset();
        } else {
            io.shutdown().await.expect("open");
        }
        peer.response_head(Method::GET).await;
        assert_eq!(peer.part().await, Part::Data("abc".into()));
        assert_eq!(peer.part().await, end, "{text:?} {resets}");
    }
}

#[tokio::test]
#[should_panic(expected = "no body is open")]
async fn a_head_comes_before_its_parts() {
    let (mut peer, _io) = raw();
    peer.part().await;
}

#[tokio::test]
async fn dates_do_not_count_wherever_they_are_cut() {
    for at in 1..40 {
        let (mut peer, mut io) = FarEnd::open(Pipe::new().split_at(at));
        let text = "A: b\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nDat: e\r\nD";
        io.write_all(text.as_bytes()).await.expect("room");
        peer.expect("A: b\r\nDat: e\r\nD").await;
    }
}

#[tokio::test]
#[should_panic(expected = "expected (-) and got (+):\n  a\\r\\n\n- b\\r\\n\n- c\n+ x")]
async fn a_difference_is_shown() {
    let (mut peer, mut io) = FarEnd::open(Pipe::new());
    io.write_all(b"a\r\nx").await.expect("room");
    peer.expect("a\r\nb\r\nc").await;
}

#[tokio::test]
#[should_panic(expected = "waited 300s for \"x\\n\", and got \"a\\r\\n\"")]
async fn what_never_comes_is_not_waited_for() {
    tokio::time::pause();
    let (mut peer, mut io) = raw();
    io.write_all(b"a\r\n").await.expect("room");
    peer.until("x\n").await;
}

#[tokio::test]
#[should_panic(expected = "waited 300s. expected (-) and got (+):\n  a\\r\\n\n- b")]
async fn what_comes_in_part_is_shown() {
    tokio::time::pause();
    let (mut peer, mut io) = raw();
    io.write_all(b"a\r\n").await.expect("room");
    peer.expect("a\r\nb").await;
}

/// Nor is the end of what has none: a wait is one, however often something comes.
#[tokio::test]
#[should_panic(expected = "waited 300s for the end of the connection")]
async fn what_never_ends_is_not_waited_for() {
    tokio::time::pause();
    let (mut peer, mut io) = raw();
    let drip = async {
        loop {
            io.write_all(b":\n\n").await.expect("the other end is open");
            tokio::time::sleep(Duration::from_secs(15)).await;
        }
    };
    tokio::select! {
        _ = peer.rest() => {}
        () = drip => {}
    }
}

/// The helper of the tests themselves, for what tells nobody that it comes.
#[tokio::test]
async fn what_comes_true_and_what_does_not() {
    const SHORT: Duration = Duration::from_millis(20);
    let mut looks = 0;
    let third = async || {
        looks += 1;
        looks == 3
    };
    assert!(comes_true(third).await);
    let begin = Instant::now();
    assert!(!comes_true_within(SHORT, async || false).await);
    assert!(!comes_true_within(SHORT, std::future::pending::<bool>).await);
    assert!(begin.elapsed() >= 2 * SHORT);
}

#[tokio::test]
#[should_panic(expected = "waited 300s for what never comes")]
async fn what_never_holds_is_not_waited_for() {
    tokio::time::pause();
    eventually("what never comes", std::future::pending::<bool>).await;
}

/// A far end serves by itself: any factory, with the defaults, or with a pipe and options of its own.
#[actix::test]
async fn a_far_end_is_served() {
    let hello = handler_fn(async |_: Payload| Payload::response(StatusCode::OK).body("hi"));
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    for _ in 0..2 {
        let mut client = FarEnd::serve(&hello);
        client.send(GET).await;
        client.expect(answer).await;
    }
    let limits = Limits {
        start_line: GET.len(),
        ..Limits::default()
    };
    let options = SessionOptions {
        limits,
        ..SessionOptions::default()
    };
    let (mut client, session) = FarEnd::serve_with(Pipe::new().seed(1), &hello, options);
    client.send(GET).await;
    client.expect(answer).await;
    let info = session.send(Inspect).await.expect("alive");
    assert_eq!(info.exchanges, 1);
    client
        .send(GET.replacen('/', &"/".repeat(GET.len()), 1))
        .await;
    client.until("414 URI Too Long").await;
    client.rest().await;
    session
        .send(Inspect)
        .await
        .expect_err("it ends with the connection");
}

#[actix::test]
#[should_panic(expected = "a recorder is good for one session")]
async fn a_recorder_is_good_for_one_session() {
    let (factory, _heard): (_, Heard) = Recorder::script(|_, _| {});
    for _ in 0..2 {
        let (_, io) = raw();
        HttpSession::accept(io, &factory, SessionOptions::default());
    }
}

/// A client over connections in memory: they are kept and reused, its clocks are those of the test, and a function that
/// cannot connect is an error like any other.
#[actix::test]
async fn a_client_without_a_network() {
    tokio::time::pause();
    let service = handler_fn(async |request: Payload| {
        if request.path() == "/slow" {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        Payload::response(StatusCode::OK).body(
            request
                .headers()
                .text("Host")
                .unwrap_or_default()
                .to_owned(),
        )
    });
    let client = HttpClient::builder().route(route_to(service)).build();
    let page = client
        .request(Payload::get("http://a.test/").expect("a URL"))
        .await;
    assert_eq!(page.expect("an answer").body_bytes(), "a.test");
    let begin = Instant::now();
    let page = client
        .request(Payload::get("http://b.test:81/slow").expect("a URL"))
        .await;
    assert_eq!(page.expect("an answer").body_bytes(), "b.test:81");
    assert_eq!(begin.elapsed().as_secs(), 3600);

    // The far ends of what the client opens.
    let (opened, mut far_ends) = tokio::sync::mpsc::unbounded_channel();
    let route = Route::through(move |origin: &Origin| {
        let (far_end, near) = FarEnd::open(Pipe::new());
        let opening = match origin.host() {
            "never.test" => None,
            _ => opened.send(far_end).ok().map(|()| near),
        };
        let refused = origin.host() == "refused.test";
        async move {
            match opening {
                _ if refused => Err(std::io::ErrorKind::PermissionDenied.into()),
                Some(near) => Ok(near),
                None => std::future::pending().await,
            }
        }
    });
    // In this order, to see that the route is not lost.
    let client = HttpClient::builder()
        .route(route)
        .options(SessionOptions::for_client())
        .build();
    let get = |url: &str| client.request(Payload::get(url).expect("a URL"));
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let (first, mut server) = tokio::join!(get("http://a.test/1"), async {
        let mut server = far_ends.recv().await.expect("a connection");
        assert_eq!(server.request().await.path(), "/1");
        server.send(ok).await;
        server
    });
    assert_eq!(first.expect("an answer").body_bytes(), "hi");
    // The connection is used again, and dies under the request, which is sent anew.
    let (second, ()) = tokio::join!(get("http://a.test/2"), async {
        assert_eq!(server.request().await.path(), "/2");
        drop(server);
        let mut server = far_ends.recv().await.expect("a connection");
        assert_eq!(server.request().await.path(), "/2");
        server.send(ok).await;
    });
    assert_eq!(second.expect("an answer").body_bytes(), "hi");

    let refused = get("http://refused.test/")
        .await
        .expect_err("no connection");
    let reason = FailureReason::ConnectFailed(std::io::ErrorKind::PermissionDenied);
    assert!(
        matches!(refused.kind(), ClientErrorKind::Failed(failed) if *failed == reason),
        "{refused}"
    );
    assert!(refused.is_connect() && refused.is_retry_safe());
    let begin = Instant::now();
    let never = get("http://never.test/").await.expect_err("no connection");
    assert!(never.is_connect() && never.is_timeout(), "{never}");
    assert_eq!(begin.elapsed().as_secs(), 10); // `Timeouts::connect`
}

/// A panic begins with the line of the test that waits, and not only with one of the kit.
#[actix::test]
async fn panics_name_the_line_of_the_test() {
    tokio::time::pause();
    // One line for each call, so that `line!()` is that of the call.
    macro_rules! panics {
        ($call:expr) => {{
            let line = format!("{}:{}:", file!(), line!());
            let waiting = AssertUnwindSafe(async { $call.map(drop).await });
            let panic = waiting.catch_unwind().await.expect_err("it panics");
            let text = panic.downcast::<String>().expect("a text");
            assert!(text.starts_with(&line), "{line} {text}");
        }};
    }
    let others = RefCell::new(Vec::new());
    let keep = |(far, near)| {
        others.borrow_mut().push(near);
        far
    };
    let ended = || FarEnd::open(Pipe::new()).0;
    let open = || keep(FarEnd::open(Pipe::new()));
    let said = async |text: &str| {
        let (far, mut near) = FarEnd::open(Pipe::new());
        near.write_all(text.as_bytes()).await.expect("room");
        keep((far, near))
    };
    let head = Method::HEAD;
    panics!(ended().send("x"));
    panics!(ended().expect("x"));
    panics!(open().expect("x"));
    panics!(said("y").await.expect("x"));
    panics!(ended().until("x"));
    panics!(open().until("x"));
    panics!(ended().exactly(1));
    panics!(open().exactly(1));
    panics!(open().rest());
    panics!(open().more());
    panics!(ended().request());
    panics!(open().request());
    panics!(said("x\r\n").await.request());
    panics!(ended().response(head.clone()));
    panics!(ended().request_head());
    panics!(ended().response_head(head));
    panics!(open().part());
    let heard = || Recorder::script(|_, _| {});
    let (_factory, mut waits) = heard();
    let mut over = heard().1;
    panics!(over.next());
    panics!(waits.next());
    let mut over = heard().1;
    panics!(over.expect(&["x"]));
    let (_factory, mut waits) = heard();
    panics!(waits.rest());
    let mut served = serve(|_, _| {});
    served.peer.send(GET).await;
    panics!(served.heard.expect(&["x"]));
}
