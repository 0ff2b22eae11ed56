//! Random walks from fixed seeds: what must hold whatever is asked, answered, held back, cancelled or cut.
//!
//! A walk that goes wrong names its seed; the same seed walks the same way again.

mod common;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use common::{Draw as _, GET, HI, ON_PURPOSE, PATTERN, Random, hide_panics_on_purpose, ok};
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use http_actors::codec::{CodecError, Frame, HttpCodec};
use http_actors::message::{Cancel, Dispose, Finish, SendChunk};
use http_actors::{
    BodySender, Cancelled, Exchange, Failure, HalfClose, HttpHandler, HttpSession, Leniency,
    Limits, MessageId, MuteGuard, Payload, Responder, Room, SessionContext, SessionOptions,
    StatusCode, TransferMode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_util::codec::Framed;

/// An early answer is given to requests that announce less than this.
const EARLY: usize = 60_000;

fn chunked() -> Payload {
    Payload::response(StatusCode::OK).chunked()
}

/// One request of an echo walk.
#[derive(Clone)]
struct Ask {
    path: &'static str,
    chunked: bool,
    body: Bytes,
}

impl Ask {
    fn random(at: usize, random: &mut Random) -> Self {
        let path = random.one_of(&["/whole", "/stream", "/early", "/later"]);
        let size = random.one_of(&[0, 1, 300, 9_999, 10_001, 40_000, 150_000]);
        let from = at * 13;
        Self {
            path,
            chunked: random.below(2) == 0,
            body: PATTERN.slice(from..from + size),
        }
    }

    /// What comes back.
    fn answer(&self) -> &[u8] {
        if self.path == "/early" && !self.chunked && self.body.len() < EARLY {
            b"early"
        } else {
            &self.body
        }
    }
}

/// Sends back what it is sent: whole, piece by piece, or later by a responder; or answers before it has come.
struct Echo {
    path: String,
    body: Vec<u8>,
    answered: bool,
    cuts: Random,
    ends: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    fn end(&self, text: String) {
        self.ends.lock().expect("no panic").push(text);
    }

    fn answer_later(&mut self, body: Vec<u8>, session: &mut SessionContext) {
        let responder = session.responder();
        let mut cuts = self.cuts.clone();
        self.cuts.below(2);
        session.spawn(async move {
            tokio::time::sleep(Duration::from_millis(3)).await;
            let mut out = responder.stream(chunked()).await.expect("accepted");
            let mut rest = Bytes::from(body);
            while !rest.is_empty() {
                let length = 1 + cuts.below(20_000).min(rest.len() - 1);
                out.send(rest.split_to(length)).await.expect("taken");
            }
            out.finish().await.expect("open");
        });
    }
}

impl HttpHandler for Echo {
    fn apply(&mut self, payload: Payload, session: &mut SessionContext) {
        payload.path().clone_into(&mut self.path);
        self.body.clear();
        self.answered = false;
        let size = payload.body_size();
        let oneshot = payload.mode() == TransferMode::Oneshot;
        if self.path == "/stream" && !oneshot {
            let head = Payload::response(StatusCode::OK);
            let head = match size {
                Some(size) => head.length(size),
                None => head.chunked(),
            };
            session.apply(head).expect("not answered yet");
            self.answered = true;
        } else if self.path == "/early" && size.is_some_and(|size| size < EARLY as u64) {
            session.apply(ok("early")).expect("not answered yet");
            self.answered = true;
        }
        if oneshot {
            self.body = payload.body_bytes().to_vec();
            self.finished(session);
        }
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        if self.path != "/stream" {
            self.body.extend_from_slice(&data);
        } else if session.send_chunk(data).expect("a body is open") == Room::Throttled {
            session.mute();
        }
    }

    fn unthrottled(&mut self, session: &mut SessionContext) {
        session.unmute();
    }

    fn finished(&mut self, session: &mut SessionContext) {
        if self.answered {
            if self.path == "/stream" {
                session.finish().expect("a body is open");
            }
            return;
        }
        let body = std::mem::take(&mut self.body);
        if self.path == "/later" {
            self.answer_later(body, session);
        } else {
            session
                .apply(Payload::response(StatusCode::OK).body(body))
                .expect("not answered yet");
        }
    }

    fn completed(&mut self, _: &Exchange, _: &mut SessionContext) {
        self.end("completed".to_owned());
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.end(format!("{cancelled:?}"));
    }

    fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
        self.end(format!("{failure:?}"));
    }
}

/// Sends all that is asked, cut anywhere, flushed now and then.
async fn ask(
    mut sink: impl futures_util::Sink<Frame, Error = CodecError> + Unpin,
    asks: Vec<Ask>,
    mut cuts: Random,
) -> Result<(), CodecError> {
    for Ask {
        path,
        chunked,
        mut body,
    } in asks
    {
        let head = Payload::post(format!("http://a{path}")).expect("a URL");
        let head = if chunked {
            head.chunked()
        } else {
            head.length(body.len() as u64)
        };
        sink.feed(Frame::Head(head)).await?;
        while !body.is_empty() {
            let longest = 1 + cuts.below(30_000);
            let length = 1 + cuts.below(longest).min(body.len() - 1);
            sink.feed(Frame::Data(body.split_to(length))).await?;
        }
        sink.feed(Frame::End(None)).await?;
        if cuts.below(3) == 0 {
            sink.flush().await?;
        }
        if cuts.below(4) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    sink.flush().await
}

/// Reads the answers, and compares them.
async fn compare(
    stream: &mut (impl Stream<Item = Result<Frame, CodecError>> + Unpin),
    asks: Vec<Ask>,
    seed: u64,
) {
    for (at, ask) in asks.into_iter().enumerate() {
        let path = ask.path;
        let head = match stream.next().await {
            Some(Ok(Frame::Head(head))) => head,
            other => panic!("seed {seed}: no head for {at} {path}: {other:?}"),
        };
        let mut body = Vec::new();
        if head.mode() != TransferMode::Oneshot {
            loop {
                match stream.next().await {
                    Some(Ok(Frame::Data(data))) => body.extend_from_slice(&data),
                    Some(Ok(Frame::End(_))) => break,
                    other => panic!("seed {seed}: {at} {path} after {}: {other:?}", body.len()),
                }
            }
        }
        assert!(
            body == ask.answer(),
            "seed {seed}: {at} {path}: {} bytes of {}, or others",
            body.len(),
            ask.answer().len()
        );
    }
}

async fn echo_walk(seed: u64) {
    let mut random = Random::of(seed);
    let capacity = random.one_of(&[64, 1000, 9000, 70_000, 1 << 20]);
    let mut options = SessionOptions::default();
    if random.below(2) == 0 {
        let buffers = &mut options.buffers;
        buffers.inbound = random.one_of(&[1, 500, 20_000]);
        buffers.inbound_messages = 1 + random.below(4);
        buffers.high_water = random.one_of(&[100, 5000, 30_000]);
        buffers.low_water = buffers.high_water / (1 + random.below(4));
    }
    let ends = Arc::new(Mutex::new(Vec::new()));
    let kept = ends.clone();
    let (near, far) = tokio::io::duplex(capacity);
    let _session = HttpSession::accept(
        near,
        &move |_| Echo {
            path: String::new(),
            body: Vec::new(),
            answered: false,
            cuts: Random::of(!seed),
            ends: kept.clone(),
        },
        options,
    );
    // No answer is Oneshot for the client unless it is empty, so that every piece is looked at.
    let limits = Limits {
        oneshot: 0,
        ..Limits::default()
    };
    let client = Framed::new(far, HttpCodec::client(limits, Leniency::default()));
    let (sink, mut stream) = client.split();
    let count = 1 + random.below(12);
    let asks: Vec<Ask> = (0..count).map(|at| Ask::random(at, &mut random)).collect();
    let writer = ask(sink, asks.clone(), random);
    let both = async { tokio::join!(writer, compare(&mut stream, asks, seed)) };
    let Ok((sent, ())) = tokio::time::timeout(Duration::from_secs(1000), both).await else {
        panic!("seed {seed}: a hang after {:?}", ends.lock());
    };
    assert!(sent.is_ok(), "seed {seed}: {sent:?}");
    // The last end is told after the last byte.
    tokio::time::sleep(Duration::from_millis(10)).await;
    let ends = ends.lock().expect("no panic").clone();
    assert!(
        ends.len() == count && ends.iter().all(|end| end == "completed"),
        "seed {seed}: {ends:?}"
    );
}

/// Everything that goes in comes out, in order, in every mode and size, through small pipes and small buffers.
#[actix::test]
async fn everything_that_goes_in_comes_out() {
    tokio::time::pause();
    for seed in 1..=200 {
        echo_walk(seed).await;
    }
}

/// What a restless handler did and heard.
#[derive(Default)]
struct Tally {
    applied: Vec<MessageId>,
    ended: Vec<MessageId>,
    /// How they ended, as the handler was told.
    ends: Vec<&'static str>,
    log: Vec<String>,
    panicked: bool,
    overlapped: bool,
}

/// Does anything at all whenever it is called.
struct Restless {
    random: Random,
    tally: Arc<Mutex<Tally>>,
    responders: Vec<Responder>,
    guards: Vec<MuteGuard>,
    bodies: Vec<BodySender>,
    steps: u32,
}

impl Restless {
    /// So many steps, and the handler rests: a walk comes to an end.
    const STEPS: u32 = 2000;

    fn new(seed: u64, tally: Arc<Mutex<Tally>>) -> Self {
        Self {
            random: Random::of(!seed),
            tally,
            responders: Vec::new(),
            guards: Vec::new(),
            bodies: Vec::new(),
            steps: 0,
        }
    }

    fn note(&self, text: String) {
        self.tally.lock().expect("no panic inside").log.push(text);
    }

    fn act(&mut self, within: &str, session: &mut SessionContext) {
        self.steps += 1;
        if self.steps > Self::STEPS {
            return;
        }
        for _ in 0..self.random.below(4) {
            let what = self.random.below(40);
            self.note(format!("{within}: {what}"));
            match what {
                0..20 => self.answer(what, session),
                20..28 => self.hold_or_end(what, session),
                28..40 => self.keep_or_send(what, session),
                _ => unreachable!("below forty"),
            }
        }
    }

    fn answer(&mut self, what: usize, session: &mut SessionContext) {
        match what {
            0..5 => drop(session.apply(ok("hi"))),
            5..8 => drop(session.apply(chunked())),
            8..10 => drop(session.apply(Payload::response(StatusCode::OK).length(5))),
            10..14 => drop(session.send_chunk(vec![b'y'; self.random.below(30_000)])),
            14..18 => drop(session.finish()),
            18 => drop(session.write(HI)),
            _ => {
                let early_hints = StatusCode::from_u16(103).expect("a status");
                drop(session.apply(Payload::response(early_hints)));
            }
        }
    }

    fn hold_or_end(&mut self, what: usize, session: &mut SessionContext) {
        match what {
            20 => session.mute(),
            21..24 => session.unmute(),
            24 if self.random.below(5) == 0 => session.dispose(),
            25 if self.random.below(5) == 0 => {
                if let Some(id) = session.exchange() {
                    session.cancel(id);
                }
            }
            26 => session.address().do_send(Cancel(ok("unknown").id())),
            27 if self.random.below(12) == 0 => {
                self.tally.lock().expect("no panic inside").panicked = true;
                std::panic::panic_any(ON_PURPOSE);
            }
            _ => {}
        }
    }

    fn keep_or_send(&mut self, what: usize, session: &mut SessionContext) {
        match what {
            28 => self.responders.push(session.responder()),
            29 => drop(self.responders.pop()),
            30 => self
                .guards
                .extend(self.responders.last().map(Responder::hold)),
            31..33 => drop(self.guards.pop()),
            33 => self.bodies.extend(session.body_sender()),
            34 => drop(self.bodies.pop()),
            35 => {
                if let Some(responder) = self.responders.pop() {
                    let late = self.random.millis_below(10);
                    session.spawn(stream_late(responder, late));
                }
            }
            36 => {
                if let Some(responder) = self.responders.pop() {
                    drop(responder.respond(ok("late")));
                }
            }
            37 => session.address().do_send(Finish),
            38 => session
                .address()
                .do_send(SendChunk(vec![b'q'; 3000].into())),
            _ => {}
        }
    }

    fn end(&mut self, how: &'static str, exchange: &Exchange, session: &mut SessionContext) {
        self.note(format!("{how} {:?}", exchange.outcome));
        let mut tally = self.tally.lock().expect("no panic inside");
        tally.ended.push(exchange.id);
        tally.ends.push(how);
        drop(tally);
        self.act("end", session);
    }
}

/// Answers by a stream, if that is still wanted.
async fn stream_late(responder: Responder, late: Duration) {
    tokio::time::sleep(late).await;
    if let Ok(mut body) = responder.stream(chunked()).await {
        let _ = body.send("z").await;
        let _ = body.finish().await;
    }
}

impl HttpHandler for Restless {
    fn apply(&mut self, payload: Payload, session: &mut SessionContext) {
        {
            let mut tally = self.tally.lock().expect("no panic inside");
            tally.overlapped |= tally.applied.len() != tally.ended.len();
            tally.applied.push(payload.id());
            tally.log.push(format!("apply {payload:?}"));
        }
        self.act("apply", session);
    }

    fn chunk(&mut self, _: Bytes, session: &mut SessionContext) {
        self.act("chunk", session);
    }

    fn finished(&mut self, session: &mut SessionContext) {
        self.act("finished", session);
    }

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        self.act("need_body", session);
    }

    fn throttled(&mut self, session: &mut SessionContext) {
        self.act("throttled", session);
    }

    fn unthrottled(&mut self, session: &mut SessionContext) {
        self.act("unthrottled", session);
    }

    fn half_closed(&mut self, session: &mut SessionContext) {
        self.act("half_closed", session);
    }

    fn completed(&mut self, exchange: &Exchange, session: &mut SessionContext) {
        self.end("completed", exchange, session);
    }

    fn cancelled(&mut self, cancelled: &Cancelled, session: &mut SessionContext) {
        self.end("cancelled", &cancelled.exchange, session);
    }

    fn failed(&mut self, failure: &Failure, session: &mut SessionContext) {
        self.end("failed", &failure.exchange, session);
    }
}

/// A request, or a part of one, or none.
fn any_request(random: &mut Random) -> String {
    match random.below(10) {
        0..4 => GET.to_owned(),
        4 => {
            let sent = random.one_of(&[20_000, 20_000, 300]);
            let body = "x".repeat(sent);
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n{body}")
        }
        5 => {
            let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            format!("{head}3\r\nabc\r\n0\r\nA: b\r\n\r\n")
        }
        6 => {
            let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
            format!("{head}Content-Length: 3\r\n\r\nabc")
        }
        7 => "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        8 => "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_owned(),
        _ => random
            .one_of(&[
                "GE",
                "\r\n",
                "BAD\r\n\r\n",
                "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            ])
            .to_owned(),
    }
}

/// A peer that may read, sends anything, and may half-close or leave.
async fn any_peer(far: DuplexStream, random: &mut Random) {
    let (mut read, mut write) = tokio::io::split(far);
    let reads = random.below(4) > 0;
    let reader = actix::spawn(async move {
        let mut some = [0; 3000];
        while reads && read.read(&mut some).await.is_ok_and(|length| length > 0) {}
        if !reads {
            std::future::pending::<()>().await;
        }
        read
    });
    for _ in 0..random.below(8) {
        let request = any_request(random);
        // The session may not read on, or be gone.
        let sent = write.write_all(request.as_bytes());
        let _ = tokio::time::timeout(Duration::from_secs(1), sent).await;
        if random.below(2) == 0 {
            tokio::time::sleep(random.millis_below(20)).await;
        }
    }
    match random.below(3) {
        0 => drop(write.shutdown().await),
        1 => {
            reader.abort();
            drop(write);
        }
        _ => {}
    }
    tokio::time::sleep(random.millis_below(100_000)).await;
}

/// What came of the exchanges of a walk.
struct Walked {
    ends: Vec<&'static str>,
    /// Those that ended by a panic of the handler.
    cut_short: usize,
}

async fn restless_walk(seed: u64) -> Walked {
    let mut random = Random::of(seed);
    let tally = Arc::new(Mutex::new(Tally::default()));
    let kept = tally.clone();
    let (near, far) = tokio::io::duplex(random.one_of(&[64, 1000, 70_000]));
    let policies = [HalfClose::Abort, HalfClose::Finish, HalfClose::default()];
    let session = HttpSession::accept(
        near,
        &move |_| Restless::new(seed, kept.clone()),
        SessionOptions {
            half_close: random.one_of(&policies),
            ..SessionOptions::default()
        },
    );
    any_peer(far, &mut random).await;
    session.do_send(Dispose);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let tally = tally.lock().expect("no panic inside");
    let log = &tally.log;
    assert!(!session.connected(), "seed {seed}: still there: {log:#?}");
    assert!(
        !tally.overlapped,
        "seed {seed}: begun before the end of the one before: {log:#?}"
    );
    let applied: HashSet<MessageId> = tally.applied.iter().copied().collect();
    assert_eq!(
        applied.len(),
        tally.applied.len(),
        "seed {seed}: begun twice: {log:#?}"
    );
    // Each ends before the next one begins, so both lists are in the same order. A handler that panicked is not told
    // the end of the exchange in which it did.
    let (told, untold) = tally
        .applied
        .split_at_checked(tally.ended.len())
        .unwrap_or_else(|| panic!("seed {seed}: too many ends: {log:#?}"));
    assert!(
        tally.ended == told && untold.len() <= usize::from(tally.panicked),
        "seed {seed}: not ended, ended twice, or not begun: {log:#?}"
    );
    Walked {
        ends: tally.ends.clone(),
        cut_short: untold.len(),
    }
}

/// Every exchange that begins ends, once, and before the next one begins; and a session that is disposed of is gone.
#[actix::test]
async fn every_exchange_ends_exactly_once() {
    tokio::time::pause();
    hide_panics_on_purpose();
    let mut ends = Vec::new();
    let mut cut_short = 0;
    for seed in 1..=10_000 {
        let walked = restless_walk(seed).await;
        ends.extend(walked.ends);
        cut_short += walked.cut_short;
    }
    for how in ["completed", "cancelled", "failed"] {
        let count = ends.iter().filter(|end| **end == how).count();
        assert!(count > 300, "only {count} of {} are {how}", ends.len());
    }
    assert!(cut_short > 50, "only {cut_short} panics");
}
