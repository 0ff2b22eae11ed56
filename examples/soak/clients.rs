//! The clients: a session driven by messages, one of the pool, and plain sockets that do what no client should.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_actors::message::{Apply, Cancel, Dispose, HandOff, Leave};
use http_actors::upgrade::NotUpgraded;
use http_actors::{
    Cancelled, Exchange, Failure, HttpClient, HttpHandler, HttpSession, MessageId, Origin, Payload,
    SessionContext, SessionOptions, StatusCode, Timeouts, TransferMode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::plan::{Plan, Random, Rest, Tally, count};

pub(crate) static CLIENT: LazyLock<Tally> = LazyLock::new(Tally::default);

/// Plain sockets.
pub(crate) static SOCKETS: AtomicU64 = AtomicU64::new(0);

type Plans = Rc<RefCell<HashMap<MessageId, Plan>>>;

/// The handler of a client session.
struct Ask {
    plans: Plans,
    rest: Rest,
    /// Says that an exchange is over, and by its end that the handler is.
    ended: UnboundedSender<()>,
}

impl Ask {
    fn end(&mut self, counter: &AtomicU64, exchange: &Exchange) {
        count(counter);
        self.rest = Rest::default();
        self.plans.borrow_mut().remove(&exchange.id);
        // The client may no longer be interested.
        let _ = self.ended.send(());
    }
}

impl HttpHandler for Ask {
    fn apply(&mut self, response: Payload, session: &mut SessionContext) {
        let plans = self.plans.borrow();
        let plan = response.request_id().and_then(|id| plans.get(&id));
        let Some(plan) = plan.filter(|_| response.status() == Some(StatusCode::OK)) else {
            return;
        };
        self.rest = Rest::of(plan);
        if response.mode() == TransferMode::Oneshot {
            self.rest.take(response.body_bytes(), &CLIENT);
            self.rest.end(&CLIENT);
        } else if plan.fault == "stall" {
            let (mut random, hold) = (plan.random_for(4), session.hold());
            session.spawn(async move {
                random.pause(300).await;
                drop(hold);
            });
        }
    }

    fn chunk(&mut self, data: Bytes, _: &mut SessionContext) {
        self.rest.take(&data, &CLIENT);
    }

    fn finished(&mut self, _: &mut SessionContext) {
        self.rest.end(&CLIENT);
    }

    fn need_body(&mut self, request: MessageId, session: &mut SessionContext) {
        if let (Some(plan), Some(body)) = (self.plans.borrow().get(&request), session.body_sender())
        {
            let random = plan.random_for(5);
            session.spawn(plan.clone().pour(body, random));
        }
    }

    fn completed(&mut self, exchange: &Exchange, _: &mut SessionContext) {
        // Nothing of the response may be missing.
        self.rest.end(&CLIENT);
        self.end(&CLIENT.completed, exchange);
    }

    fn cancelled(&mut self, cancelled: &Cancelled, _: &mut SessionContext) {
        self.end(&CLIENT.cancelled, &cancelled.exchange);
    }

    fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
        self.end(&CLIENT.failed, &failure.exchange);
    }
}

impl Drop for Ask {
    fn drop(&mut self) {
        CLIENT.handlers.fetch_sub(1, Relaxed);
    }
}

/// What is set of sessions and of the pool: connections that go away soon.
pub(crate) fn options(random: &mut Random) -> SessionOptions {
    SessionOptions {
        pipeline: random.below(2) == 0,
        timeouts: Timeouts {
            idle: Some(Duration::from_millis(200)),
            body: Some(Duration::from_secs(2)),
            exchange: Some(Duration::from_secs(10)),
            ..Timeouts::for_client()
        },
        ..SessionOptions::for_client()
    }
}

/// The life of a session: some requests at once, whatever comes in between, and an end.
pub(crate) async fn by_session(at: SocketAddr, random: &mut Random) {
    let url = format!("http://{at}");
    let origin = Origin::try_from(&*url).expect("a URL");
    let (ended, mut ends) = unbounded_channel();
    let plans = Plans::default();
    let factory = |_| {
        count(&CLIENT.handlers);
        Ask {
            plans: plans.clone(),
            rest: Rest::default(),
            ended: ended.clone(),
        }
    };
    let session = HttpSession::connect(origin, &factory, options(random));
    drop(ended);
    for _ in 0..=random.below(6) {
        let mut waiting = 0;
        for _ in 0..=random.below(4) {
            let plan = Plan::random(random);
            let request = plan.request("", random);
            let id = request.id();
            plans.borrow_mut().insert(id, plan.clone());
            let accepted = if plan.job == "switch" {
                let offer = session.send(HandOff(request.header("Upgrade", "soak")));
                match offer.await {
                    Ok(Ok(io)) => {
                        plan.shout(io, &CLIENT).await;
                        true
                    }
                    Ok(Err(why)) => !matches!(why, NotUpgraded::Refused(_)),
                    Err(_) => false,
                }
            } else {
                matches!(session.send(Apply(request)).await, Ok(Ok(_)))
            };
            if accepted {
                count(&CLIENT.begun);
                waiting += 1;
            }
            if random.below(10) == 0 {
                random.pause(30).await;
                session.do_send(Cancel(id));
            }
        }
        if random.below(10) == 0 {
            random.pause(30).await;
            session.do_send(Cancel::all());
        }
        if random.below(10) == 0 {
            break;
        }
        for _ in 0..waiting {
            ends.recv().await;
        }
    }
    match random.below(3) {
        0 => session.do_send(Dispose),
        1 => session.do_send(Leave {
            window: Duration::ZERO,
            deadline: Duration::from_secs(5),
        }),
        _ => {}
    }
    drop(session);
    while ends.recv().await.is_some() {}
}

/// A request of the pool: collected, streamed, or given up.
pub(crate) async fn by_pool(client: &HttpClient, at: SocketAddr, random: &mut Random) {
    let mut plan = Plan::random(random);
    if plan.job == "switch" {
        "make".clone_into(&mut plan.job);
    }
    let request = plan.request(&format!("http://{at}"), random);
    let stop = Duration::from_millis(if random.below(4) == 0 { 30 } else { 15_000 });
    let mut pause = random.clone();
    let ask = async {
        let body = plan.body();
        let pieces = (0..body.len()).step_by(10_000).map(move |at| {
            let end = body.len().min(at + 10_000);
            Ok::<_, std::io::Error>(body.slice(at..end))
        });
        let asked = if request.mode() == TransferMode::Oneshot {
            client.stream(request).await
        } else {
            client.upload(request, stream::iter(pieces)).await
        };
        let Ok((head, mut body)) = asked else { return };
        let mut rest = match head.status() {
            Some(StatusCode::OK) => Rest::of(&plan),
            _ => Rest::default(),
        };
        while let Some(piece) = body.next().await {
            let Ok(piece) = piece else { return };
            rest.take(&piece, &CLIENT);
            if pause.below(20) == 0 {
                pause.pause(50).await;
            }
        }
        rest.end(&CLIENT);
    };
    // Dropped halfway, or it had time enough.
    let _ = timeout(stop, ask).await;
}

/// A plain socket: resets at any byte, half-closes, goes away, or reads slowly up to an end that must not be a lie.
pub(crate) async fn by_hand(at: SocketAddr, random: &mut Random) {
    count(&SOCKETS);
    let plan = Plan::random(random);
    let length = if plan.uploads() { plan.body().len() } else { 0 };
    // The response is close-delimited, or has a length.
    let mut bytes = format!(
        "PUT {} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n",
        plan.path()
    )
    .into_bytes();
    bytes.extend_from_slice(&plan.body()[..length]);
    let whole = random.below(2) == 0;
    let stop = if whole {
        bytes.len()
    } else {
        random.below(bytes.len())
    };
    let Ok(mut socket) = TcpStream::connect(at).await else {
        return;
    };
    let (mut read, mut write) = socket.split();
    let write = async {
        // The server may close first.
        let _ = write.write_all(&bytes[..stop]).await;
        if random.below(2) == 0 {
            let _ = write.shutdown().await;
        }
        random.pause(30).await;
    };
    if !whole {
        write.await;
        if random.below(2) == 0 {
            socket2::SockRef::from(&socket)
                .set_linger(Some(Duration::ZERO))
                .expect("a socket");
        }
        return;
    }
    let listen = async {
        let mut response = Vec::new();
        let mut pause = plan.random_for(6);
        while read.read_buf(&mut response).await? > 0 {
            if pause.below(20) == 0 {
                pause.pause(100).await;
            }
        }
        Ok::<_, std::io::Error>(response)
    };
    let both = async { tokio::join!(write, listen).1 };
    let Ok(Ok(response)) = timeout(Duration::from_secs(20), both).await else {
        return;
    };
    let Some(head) = response.windows(4).position(|four| four == b"\r\n\r\n") else {
        return;
    };
    if !response.starts_with(b"HTTP/1.1 200") {
        return;
    }
    let mut rest = Rest::of(&plan);
    rest.take(&response[head + 4..], &CLIENT);
    if !response[..head]
        .windows(15)
        .any(|field| field.eq_ignore_ascii_case(b"content-length:"))
    {
        rest.end(&CLIENT);
    }
}
