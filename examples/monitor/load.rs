//! Something to see: a server whose answers are quick, slow, or without end, and its visitors.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use actix_rt::ArbiterHandle;
use bytes::Bytes;
use http_actors::message::Apply;
use http_actors::sse::{Event, EventSender};
use http_actors::{
    Cancelled, Exchange, Failure, HttpHandler, HttpRequest, HttpSession, MessageId, Origin,
    Payload, SessionContext, SessionOptions, StatusCode,
};
use tokio::time::sleep;

/// What bodies without end are made of.
const PIECE: Bytes = Bytes::from_static(&[b'x'; 16 << 10]);

/// Answers, by the first word of the path.
pub(crate) async fn serve(mut request: HttpRequest) -> Result<(), Box<dyn Error>> {
    let mut body = request.take_body();
    let HttpRequest {
        request, responder, ..
    } = request;
    match request.path().split('/').nth(1) {
        Some("download") => {
            let head = Payload::response(StatusCode::OK).chunked();
            let mut body = responder.stream(head).await?;
            loop {
                body.send(PIECE).await?;
            }
        }
        Some("upload") => {
            // Slower than it comes: the session is muted.
            while let Some(piece) = body.next().await {
                sleep(Duration::from_millis(piece?.len() as u64 / 64)).await;
            }
        }
        Some("events") => {
            let events = EventSender::open(responder).await?;
            loop {
                events.send(Event::data("tick")).await?;
                sleep(Duration::from_secs(2)).await;
            }
        }
        Some("work") => sleep(Duration::from_secs(2)).await,
        _ => {}
    }
    drop(responder.respond(Payload::response(StatusCode::OK).body("done\n")));
    Ok(())
}

/// What visitors do, in turn.
const KINDS: [&str; 10] = [
    "quick", "download", "events", "quick", "idle", "upload", "work", "quick", "events", "idle",
];

/// Has so many sessions visit the server, from this arbiter on.
pub(crate) fn begin(arbiter: &ArbiterHandle, server: SocketAddr, visitors: u64) {
    arbiter.spawn(async move {
        let origin = Origin::try_from(&*format!("http://{server}")).expect("a URL");
        for (number, kind) in (0..visitors).zip(KINDS.into_iter().cycle()) {
            let visitor = Visitor { number, kind };
            let options = SessionOptions::for_client();
            let session = HttpSession::connect(origin.clone(), &|_| visitor, options);
            session.do_send(Apply(visitor.request()));
        }
    });
}

/// One of them. It comes back, whatever becomes of its requests.
#[derive(Clone, Copy)]
struct Visitor {
    number: u64,
    kind: &'static str,
}

impl Visitor {
    fn request(self) -> Payload {
        let path = format!("/{}/{}", self.kind, self.number);
        match self.kind {
            "upload" => Payload::post(path).map(Payload::chunked),
            _ => Payload::get(path),
        }
        .expect("a path")
    }

    fn ask_after(self, millis: u64, session: &SessionContext) {
        let session = session.address();
        actix::spawn(async move {
            sleep(Duration::from_millis(millis)).await;
            session.do_send(Apply(self.request()));
        });
    }
}

impl HttpHandler for Visitor {
    fn apply(&mut self, _response: Payload, _: &mut SessionContext) {}

    fn chunk(&mut self, _data: Bytes, session: &mut SessionContext) {
        if self.kind == "download" {
            // Slower than it comes: at the other end the session is throttled.
            let (hold, pause) = (session.hold(), 20 + self.number * 7 % 200);
            session.spawn(async move {
                sleep(Duration::from_millis(pause)).await;
                drop(hold);
            });
        }
    }

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        if let Some(mut body) = session.body_sender() {
            session.spawn(async move { while body.send(PIECE).await.is_ok() {} });
        }
    }

    fn completed(&mut self, _: &Exchange, session: &mut SessionContext) {
        let millis = match self.kind {
            "idle" => 45_000, // sooner than the server would close
            _ => 200 + self.number * 13 % 1_000,
        };
        self.ask_after(millis, session);
    }

    fn cancelled(&mut self, _: &Cancelled, session: &mut SessionContext) {
        self.ask_after(3_000, session);
    }

    fn failed(&mut self, _: &Failure, session: &mut SessionContext) {
        self.ask_after(3_000, session);
    }
}
