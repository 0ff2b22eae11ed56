//! Random walks of a client session whose handler does anything, against servers that do anything.
//!
//! A walk that goes wrong names its seed, and shows what the handler did and heard. Over a pipe the same seed walks the
//! same way again. Over TCP, where sessions connect again and again, the system may deliver the bytes otherwise.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, ActorContext as _, Addr, Context, Handler, ResponseFuture};
use bytes::Bytes;
use common::{
    Draw as _, ON_PURPOSE, PATIENCE, PATTERN, Pipe, Random, comes_true, hide_panics_on_purpose,
    reset_on_drop,
};
use futures_util::StreamExt as _;
use http_actors::codec::{Frame, HttpCodec};
use http_actors::error::Refused;
use http_actors::message::{
    Apply, BodyPart, Cancel, Dispose, Finish, Leave, NoMore, Part, SendChunk,
};
use http_actors::test_util::Socket;
use http_actors::{
    BodySender, Cancelled, Exchange, Failure, HttpHandler, HttpSession, Leniency, Limits,
    MessageId, Method, MuteGuard, Origin, Payload, SessionContext, SessionOptions, TransferMode,
    Unsent,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::codec::Framed;

/// A request whose path says how long the body of the answer is.
fn any_request(random: &mut Random) -> Payload {
    let path = format!("/{}", random.one_of(&[0, 3, 9_999, 10_001, 70_000]));
    let request = match random.below(9) {
        0..4 => Payload::get(path),
        4 => Payload::head(path),
        5 => Payload::post(path).map(|post| post.body(PATTERN.slice(..30_000))),
        6 => Payload::post(path).map(Payload::chunked),
        7 => Payload::post(path).map(|post| post.chunked().header("Expect", "100-continue")),
        _ => Payload::put(path).map(|put| put.length(5)),
    };
    request.expect("a path is a target")
}

/// How long the body of the answer is.
fn size_of_answer(request: &Payload) -> usize {
    match *request.method() {
        Method::HEAD => 0,
        _ => request.path()[1..].parse().expect("a size"),
    }
}

/// A request that was given to the session, and what came of it.
struct Asked {
    id: MessageId,
    size: usize,
    needed: bool,
    answered: bool,
    received: usize,
    over: Option<&'static str>,
    /// Held by every future of the exchange.
    alive: Rc<()>,
}

/// What a handler did and heard.
#[derive(Default)]
struct Tally {
    asked: Vec<Asked>,
    log: Vec<String>,
    wrong: bool,
    panicked: bool,
    /// Told whenever a request ends, or the handler panics.
    ended: Rc<Notify>,
}

impl Tally {
    fn note(&mut self, text: String) {
        self.log.push(text);
    }

    fn must(&mut self, holds: bool, rule: &str) {
        if !holds {
            self.wrong = true;
            self.note(format!("WRONG, it must be {rule}"));
        }
    }

    fn ask(&mut self, request: &Payload) {
        self.note(format!("ask {}: {request:?}", self.asked.len()));
        self.asked.push(Asked {
            id: request.id(),
            size: size_of_answer(request),
            needed: false,
            answered: false,
            received: 0,
            over: None,
            alive: Rc::default(),
        });
    }

    /// The number of a request that is not over. Nothing is told of any other.
    fn open(&mut self, id: MessageId) -> Option<usize> {
        let open = |asked: &Asked| asked.id == id && asked.over.is_none();
        let number = self.asked.iter().position(open);
        self.must(number.is_some(), "about a request that is going on");
        number
    }

    fn receive(&mut self, number: usize, data: &[u8]) {
        let from = self.asked[number].received;
        self.asked[number].received += data.len();
        let expected = PATTERN.get(from..from + data.len());
        self.must(expected == Some(data), "the body that was sent");
    }

    fn end(&mut self, id: MessageId, how: &'static str) -> Option<usize> {
        let number = self.open(id)?;
        self.note(format!("{how} {number}"));
        let asked = &mut self.asked[number];
        asked.over = Some(how);
        self.ended.notify_one();
        let (answered, whole) = (asked.answered, asked.received == asked.size);
        self.must(how != "completed" || answered && whole, "whole");
        self.must(how != "refused" || !answered, "without an answer");
        Some(number)
    }

    fn is_over(&self) -> bool {
        self.panicked || self.asked.iter().all(|asked| asked.over.is_some())
    }

    /// Whether no future outlives its exchange.
    fn is_still(&self) -> bool {
        let mut asked = self.asked.iter();
        asked.all(|asked| Rc::strong_count(&asked.alive) == 1)
    }
}

/// An actor that gets a body, and may want no more of it, or stop.
struct Eater {
    random: Random,
    tally: Rc<RefCell<Tally>>,
}

impl Actor for Eater {
    type Context = Context<Self>;
}

impl Handler<BodyPart> for Eater {
    type Result = ResponseFuture<Result<(), NoMore>>;

    fn handle(
        &mut self,
        BodyPart { message, part }: BodyPart,
        eater: &mut Context<Self>,
    ) -> Self::Result {
        if let Part::Data(data) = part {
            let mut tally = self.tally.borrow_mut();
            let number = tally.asked.iter().position(|asked| asked.id == message);
            tally.receive(number.expect("it was asked for"), &data);
        }
        let wanted = self.random.below(15) > 0;
        let late = self.random.millis_below(3);
        if self.random.below(30) == 0 {
            eater.stop();
        }
        Box::pin(async move {
            tokio::time::sleep(late).await;
            if wanted { Ok(()) } else { Err(NoMore) }
        })
    }
}

/// Does anything at all whenever it is called.
struct Restless {
    random: Random,
    tally: Rc<RefCell<Tally>>,
    current: Option<usize>,
    throttled: bool,
    guards: Vec<MuteGuard>,
    bodies: Vec<BodySender>,
    steps: u32,
}

impl Restless {
    /// So many steps, and the handler rests: a walk comes to an end.
    const STEPS: u32 = 300;

    fn new(seed: u64, tally: Rc<RefCell<Tally>>) -> Self {
        Self {
            random: Random::of(!seed),
            tally,
            current: None,
            throttled: false,
            guards: Vec::new(),
            bodies: Vec::new(),
            steps: 0,
        }
    }

    fn note(&self, text: String) {
        self.tally.borrow_mut().note(text);
    }

    fn must(&self, holds: bool, rule: &str) {
        self.tally.borrow_mut().must(holds, rule);
    }

    fn act(&mut self, within: &str, session: &mut SessionContext) {
        self.steps += 1;
        if self.steps > Self::STEPS {
            self.guards.clear();
            self.bodies.clear();
            return;
        }
        for _ in 0..self.random.below(3) {
            let what = self.random.below(40);
            self.note(format!("{within}: {what}"));
            match what {
                0..13 => self.ask_or_send(what, session),
                13..29 => self.hold_or_give(what, session),
                29..34 if self.random.below(10) == 0 => self.give_up(what, session),
                34..40 => self.tell_itself(what, &session.address()),
                _ => {}
            }
        }
    }

    fn ask_or_send(&mut self, what: usize, session: &mut SessionContext) {
        match what {
            0..5 => {
                let request = any_request(&mut self.random);
                self.tally.borrow_mut().ask(&request);
                if what == 0 {
                    session.respond(request);
                } else if let Err(Refused { message, .. }) = session.apply(request) {
                    self.tally.borrow_mut().end(message.id(), "refused");
                }
            }
            5..10 => {
                let size = self.random.one_of(&[0, 5, 5, 300, 90_000]);
                drop(session.send_chunk(PATTERN.slice(..size)));
            }
            _ => drop(session.finish()),
        }
    }

    fn hold_or_give(&mut self, what: usize, session: &mut SessionContext) {
        match what {
            13 => session.mute(),
            14..17 => session.unmute(),
            17 => self.guards.push(session.hold()),
            18..21 => drop(self.guards.pop()),
            21..23 => self.bodies.extend(session.body_sender()),
            23 if self.random.below(4) == 0 => drop(self.bodies.pop()),
            24..26 => {
                if let Some(body) = self.bodies.pop() {
                    let late = self.random.millis_below(3);
                    let size = self.random.one_of(&[5, 5, 90_000]);
                    actix::spawn(write_late(body, late, size));
                }
            }
            26 => {
                if let Some(id) = session.exchange() {
                    let eater = Eater {
                        random: Random::of(self.steps.into()),
                        tally: self.tally.clone(),
                    };
                    drop(session.deliver_body_to(id, eater.start().recipient()));
                }
            }
            27 => self.spawn(session),
            _ => {}
        }
    }

    fn spawn(&self, session: &mut SessionContext) {
        let mut tally = self.tally.borrow_mut();
        let current = session.exchange();
        if let Some(number) = current.and_then(|id| tally.open(id)) {
            let alive = tally.asked[number].alive.clone();
            session.spawn(async move {
                std::future::pending::<()>().await;
                drop(alive);
            });
        }
    }

    fn give_up(&mut self, what: usize, session: &mut SessionContext) {
        match what {
            29 => session.cancel(self.any_id()),
            30 => {
                if let Some(id) = session.exchange() {
                    session.cancel(id);
                }
            }
            31 => session.dispose(),
            32 => session.leave(Leave {
                window: Duration::ZERO,
                deadline: Duration::from_secs(2),
            }),
            _ => {
                let mut tally = self.tally.borrow_mut();
                tally.panicked = true;
                tally.ended.notify_one();
                drop(tally);
                std::panic::panic_any(ON_PURPOSE);
            }
        }
    }

    fn tell_itself(&mut self, what: usize, session: &Addr<HttpSession>) {
        match what {
            34 => session.do_send(SendChunk::to(self.any_id(), "12345")),
            35 => session.do_send(Finish),
            36 => session.do_send(Finish::of(self.any_id())),
            37 if self.random.below(10) == 0 => session.do_send(Cancel(self.any_id())),
            38 if self.random.below(10) == 0 => session.do_send(Cancel::current()),
            39 if self.random.below(20) == 0 => session.do_send(Cancel::all()),
            _ => {}
        }
    }

    /// The id of a request, which may be over.
    fn any_id(&mut self) -> MessageId {
        let tally = self.tally.borrow();
        let at = self.random.below(tally.asked.len());
        tally.asked[at].id
    }

    fn end(&mut self, exchange: &Exchange, session: &mut SessionContext) {
        self.note(format!("{:?}:", exchange.outcome));
        let mut tally = self.tally.borrow_mut();
        let ended = tally.end(exchange.id, exchange.outcome.name());
        drop(tally);
        if self.current == ended {
            self.current = None;
        }
        self.act("end", session);
    }
}

/// Sends a body, if it is still wanted.
async fn write_late(mut body: BodySender, late: Duration, size: usize) {
    tokio::time::sleep(late).await;
    if body.send(PATTERN.slice(..size)).await.is_ok() {
        let _ = body.finish().await;
    }
}

impl HttpHandler for Restless {
    fn apply(&mut self, answer: Payload, session: &mut SessionContext) {
        let id = answer.request_id().expect("it answers a request");
        self.must(self.current.is_none(), "after the end of the one before");
        self.must(session.exchange() == Some(id), "the current exchange");
        let mut tally = self.tally.borrow_mut();
        self.current = tally.open(id);
        if let Some(number) = self.current {
            tally.note(format!("apply {number}: {answer:?}"));
            let before = std::mem::replace(&mut tally.asked[number].answered, true);
            tally.must(!before, "the only answer");
            tally.receive(number, answer.body_bytes());
        }
        drop(tally);
        self.act("apply", session);
    }

    fn informational(&mut self, answer: Payload, session: &mut SessionContext) {
        let id = answer.request_id().expect("it answers a request");
        self.tally.borrow_mut().open(id);
        self.act("informational", session);
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        self.must(self.current.is_some(), "a part of an answer");
        if let Some(number) = self.current {
            self.tally.borrow_mut().receive(number, &data);
        }
        self.act("chunk", session);
    }

    fn finished(&mut self, session: &mut SessionContext) {
        self.must(self.current.is_some(), "the end of an answer");
        self.act("finished", session);
    }

    fn need_body(&mut self, id: MessageId, session: &mut SessionContext) {
        let mut tally = self.tally.borrow_mut();
        if let Some(number) = tally.open(id) {
            tally.note(format!("need_body {number}"));
            let before = std::mem::replace(&mut tally.asked[number].needed, true);
            tally.must(!before, "needed once");
        }
        drop(tally);
        if self.random.below(4) > 0 {
            drop(session.send_chunk("12345"));
            drop(session.finish());
        }
        self.act("need_body", session);
    }

    fn throttled(&mut self, session: &mut SessionContext) {
        self.must(!self.throttled, "throttled once");
        self.throttled = true;
        self.act("throttled", session);
    }

    fn unthrottled(&mut self, session: &mut SessionContext) {
        self.must(self.throttled, "throttled before");
        self.throttled = false;
        self.act("unthrottled", session);
    }

    fn leaving(&mut self, session: &mut SessionContext) {
        self.act("leaving", session);
    }

    /// Rests, because it is not told if something is refused now.
    fn refused(&mut self, refused: Refused<Unsent>, _: &mut SessionContext) {
        if let Unsent::Payload(request) = refused.message {
            self.tally.borrow_mut().end(request.id(), "refused");
        }
    }

    fn completed(&mut self, exchange: &Exchange, session: &mut SessionContext) {
        self.end(exchange, session);
    }

    fn cancelled(&mut self, cancelled: &Cancelled, session: &mut SessionContext) {
        self.end(&cancelled.exchange, session);
    }

    fn failed(&mut self, failure: &Failure, session: &mut SessionContext) {
        self.end(&failure.exchange, session);
    }
}

/// The bytes of an answer.
fn any_answer(request: &Payload, until_close: bool, random: &mut Random) -> Vec<u8> {
    let body = &PATTERN[..size_of_answer(request)];
    let interim = random.one_of(&["", "", "HTTP/1.1 103 Early Hints\r\n\r\n"]);
    let status = random.one_of(&["200 OK", "200 OK", "413 Content Too Large"]);
    let close = ["", "Connection: close\r\n"][usize::from(until_close)];
    let head = format!("{interim}HTTP/1.1 {status}\r\n{close}");
    let length = body.len();
    match random.below(3) {
        0 if until_close => [format!("{head}\r\n").as_bytes(), body].concat(),
        1 if length > 0 => {
            let head = format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n");
            [head.as_bytes(), body, b"\r\n0\r\nA: b\r\n\r\n"].concat()
        }
        _ => {
            let head = format!("{head}Content-Length: {length}\r\n\r\n");
            [head.as_bytes(), body].concat()
        }
    }
}

/// A server that answers everything in some way, until it leaves.
async fn any_server<T>(io: T, reset: fn(&T), mut random: Random)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let codec = HttpCodec::server(Limits::default(), Leniency::default());
    let mut requests = Framed::new(io, codec);
    let mut asked = None;
    while let Some(Ok(frame)) = requests.next().await {
        let now = match frame {
            Frame::Head(request) => {
                if request.headers().contains("expect") && random.below(3) > 0 {
                    let leave = b"HTTP/1.1 100 Continue\r\n\r\n";
                    let _ = requests.get_mut().write_all(leave).await;
                }
                let whole = request.mode() == TransferMode::Oneshot;
                asked = Some(request);
                whole || random.below(5) == 0
            }
            Frame::Data(_) => false,
            Frame::End(_) => true,
        };
        if now
            && let Some(request) = asked.take()
            && !answer(requests.get_mut(), &request, &mut random).await
        {
            break;
        }
    }
    let io = requests.get_mut();
    match random.below(3) {
        0 => {}
        1 => reset(io),
        _ => {
            let _ = io.shutdown().await;
            while io.read(&mut [0; 3000]).await.is_ok_and(|length| length > 0) {}
        }
    }
}

/// Answers, whole or not. Returns whether the server goes on.
async fn answer(
    io: &mut (impl AsyncWrite + Unpin),
    request: &Payload,
    random: &mut Random,
) -> bool {
    let cut = random.below(40) == 0;
    let until_close = !cut && random.below(25) == 0;
    let mut answer = any_answer(request, until_close, random);
    if cut {
        answer.truncate(random.below(answer.len()));
    }
    for piece in answer.chunks(1 + random.below(60_000)) {
        if io.write_all(piece).await.is_err() {
            return false;
        }
        if random.below(5) == 0 {
            tokio::time::sleep(random.millis_below(10)).await;
        }
    }
    if cut || until_close {
        return false;
    }
    if random.below(60) == 0 {
        // What answers nothing.
        let _ = io.write_all(b"HTTP/1.1 2").await;
    }
    random.below(40) > 0
}

/// The times of a walk.
#[derive(Clone, Copy)]
struct Times {
    /// What each exchange may take: one of these.
    exchange: [Duration; 2],
    /// What all of them take at most, one after the other.
    patience: Duration,
}

/// Those of a clock that is paused.
const PAUSED: Times = Times {
    exchange: [Duration::from_secs(3), Duration::from_secs(100)],
    patience: Duration::from_secs(30_000),
};

/// Those of a clock that goes.
const REAL: Times = Times {
    exchange: [Duration::from_millis(100), Duration::from_secs(1)],
    patience: PATIENCE,
};

fn any_options(random: &mut Random, times: Times) -> SessionOptions {
    let mut options = SessionOptions {
        pipeline: random.below(2) == 0,
        queue: 1 + random.below(20),
        ..SessionOptions::for_client()
    };
    if random.below(2) == 0 {
        let buffers = &mut options.buffers;
        buffers.inbound = random.one_of(&[1, 500, 20_000]);
        buffers.inbound_messages = 1 + random.below(4);
        buffers.high_water = random.one_of(&[100, 5000, 30_000]);
        buffers.low_water = buffers.high_water / (1 + random.below(4));
    }
    // What the handler holds back, or does not end, ends all the same.
    options.timeouts.exchange = Some(random.one_of(&times.exchange));
    options
}

/// Asks this and that. At the end nothing is left. Returns how the exchanges ended.
async fn walk(
    seed: u64,
    times: Times,
    open: impl FnOnce(SessionOptions, Rc<RefCell<Tally>>) -> Addr<HttpSession>,
) -> Vec<&'static str> {
    let mut random = Random::of(seed);
    let tally = Rc::new(RefCell::new(Tally::default()));
    let session = open(any_options(&mut random, times), tally.clone());
    for _ in 0..=random.below(12) {
        let request = any_request(&mut random);
        let id = request.id();
        tally.borrow_mut().ask(&request);
        if !matches!(session.send(Apply(request)).await, Ok(Ok(_))) {
            tally.borrow_mut().end(id, "refused");
        }
        tokio::time::sleep(random.millis_below(20)).await;
    }
    if random.below(2) == 0 {
        session.do_send(Dispose);
    }
    // Each exchange has its deadline, so all of them end by themselves.
    let ended = tally.borrow().ended.clone();
    let all = async {
        while !tally.borrow().is_over() {
            ended.notified().await;
        }
    };
    let over = tokio::time::timeout(times.patience, all).await.is_ok();
    // A future is dropped in the turn after that of its end.
    let still = comes_true(async || tally.borrow().is_still()).await;
    session.do_send(Dispose);
    let gone = comes_true(async || !session.connected()).await;
    let mut tally = tally.borrow_mut();
    tally.must(over, "over");
    tally.must(still, "without a future that outlives its exchange");
    tally.must(gone, "gone");
    assert!(!tally.wrong, "seed {seed}: {:#?}", tally.log);
    tally.asked.iter().filter_map(|asked| asked.over).collect()
}

/// Each way to end was seen more often than this.
fn assert_every_end(ends: &[&str], often: usize) {
    for how in ["completed", "cancelled", "failed", "refused"] {
        let count = ends.iter().filter(|end| **end == how).count();
        assert!(count > often, "only {count} of {} are {how}", ends.len());
    }
}

/// Every request that is accepted ends, once, and nothing is told of it after that. A session that is disposed of is
/// gone.
#[actix::test]
async fn every_request_ends_exactly_once() {
    tokio::time::pause();
    hide_panics_on_purpose();
    let mut ends = Vec::new();
    for seed in 1..=2000 {
        let walked = walk(seed, PAUSED, |options, tally| {
            let mut random = Random::of(seed << 32);
            let capacity = random.one_of(&[1000, 9000, 70_000]);
            let (near, far) = Pipe::new().capacity(capacity).open();
            actix::spawn(any_server(far, Socket::reset, random));
            let factory = move |_| Restless::new(seed, tally.clone());
            HttpSession::over(near, "a", &factory, options)
        });
        ends.extend(walked.await);
    }
    assert_every_end(&ends, 300);
}

/// Walks over TCP, where the session connects as often as it needs to. Returns also how often that was.
async fn walk_over_tcp(seed: u64) -> (Vec<&'static str>, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let origin = Origin::try_from(format!("http://{address}").as_str()).expect("an origin");
    let connections = Rc::new(Cell::new(0));
    let count = connections.clone();
    let server = actix::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            count.update(|count| count + 1);
            let random = Random::of((seed << 32) + count.get());
            actix::spawn(any_server(io, reset_on_drop, random));
        }
    });
    let walked = walk(seed, REAL, |options, tally| {
        let factory = move |_| Restless::new(seed, tally.clone());
        HttpSession::connect(origin, &factory, options)
    });
    let ends = walked.await;
    server.abort();
    (ends, connections.get())
}

/// The same of sessions that connect again when their connection is gone. The clock goes, because a paused one does not
/// know that the system is busy; so many walk at once.
#[actix::test]
async fn every_request_ends_exactly_once_over_any_connection() {
    const AT_ONCE: usize = 50;
    hide_panics_on_purpose();
    let walks = futures_util::stream::iter(1..=600).map(walk_over_tcp);
    let walked: Vec<_> = walks.buffer_unordered(AT_ONCE).collect().await;
    let again = walked.iter().filter(|(_, count)| *count > 1).count();
    let total: u64 = walked.iter().map(|(_, count)| count).sum();
    assert!(total > 900, "only {total} connections");
    assert!(again > 150, "only {again} connected again");
    let ends = walked.into_iter().flat_map(|(ends, _)| ends);
    assert_every_end(&ends.collect::<Vec<_>>(), 50);
}
