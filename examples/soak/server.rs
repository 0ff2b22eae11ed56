//! The handler of the server: does what the path says, well or badly.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use actix::{Addr, ArbiterHandle};
use bytes::Bytes;
use http_actors::log::{Detail, Logger, Record};
use http_actors::message::{Apply, Cancel, Dispose, Finish, Leave, SendChunk};
use http_actors::{
    Cancelled, Exchange, Failure, HttpHandler, HttpSession, MessageId, Payload, Responder, Room,
    SessionContext, StatusCode, TransferMode,
};

use crate::plan::{Plan, Rest, Tally, count};

pub(crate) static SERVER: LazyLock<Tally> = LazyLock::new(Tally::default);

/// Exchanges that the log heard of.
pub(crate) static LOGGED: AtomicU64 = AtomicU64::new(0);

/// What `main` hides from the standard error.
pub(crate) const ON_PURPOSE: &str = "on purpose";

pub(crate) struct Log;

impl Logger for Log {
    fn detail(&self) -> Detail {
        Detail::Exchange
    }

    fn log(&self, _: &Record<'_>) {
        count(&LOGGED);
    }
}

pub(crate) struct Serve {
    plan: Option<Plan>,
    rest: Rest,
    muted: bool,
    kept: Option<Responder>,
    /// Another thread.
    elsewhere: ArbiterHandle,
}

impl Serve {
    pub(crate) fn new(elsewhere: ArbiterHandle) -> Self {
        count(&SERVER.handlers);
        Self {
            plan: None,
            rest: Rest::default(),
            muted: false,
            kept: None,
            elsewhere,
        }
    }

    /// True if there is to be no answer.
    fn fault(&mut self, plan: &Plan, session: &mut SessionContext) -> bool {
        let mut random = plan.random_for(1);
        let address = session.address();
        let late = plan.clone();
        match &*plan.fault {
            // A later call of the handler panics, if there is one.
            "panic" if random.below(2) == 0 => panic(),
            "drop" => drop(session.responder()),
            "never" => self.kept = Some(session.responder()),
            "stall" => {
                let hold = session.hold();
                session.spawn(async move {
                    random.pause(300).await;
                    drop(hold);
                });
            }
            "dispose" | "cancel" | "leave" => drop(actix::spawn(async move {
                random.pause(30).await;
                match &*late.fault {
                    "dispose" => address.do_send(Dispose),
                    "cancel" => address.do_send(Cancel::current()),
                    _ => address.do_send(Leave {
                        window: Duration::ZERO,
                        deadline: Duration::from_secs(1),
                    }),
                }
            })),
            _ => {}
        }
        matches!(&*plan.fault, "drop" | "never")
    }

    fn answer(&self, plan: Plan, oneshot: bool, session: &mut SessionContext) {
        let mut random = plan.random_for(2);
        let ok = Payload::response(StatusCode::OK);
        match &*plan.job {
            "echo" if !oneshot => session.respond(match random.below(2) {
                0 => ok.chunked(),
                _ => ok.length(plan.body().len() as u64),
            }),
            "keep" if !oneshot => {}
            "feed" => drop(actix::spawn(feed(session.address(), plan))),
            "later" => {
                let responder = session.responder();
                self.elsewhere.spawn(async move {
                    random.pause(10).await;
                    if let Ok(body) = responder.stream(ok.chunked()).await {
                        plan.pour(body, random).await;
                    }
                });
            }
            "switch" => {
                let head = Payload::response(StatusCode::SWITCHING_PROTOCOLS);
                match session.hand_off(head.header("Upgrade", "soak")) {
                    Ok(upgrade) => drop(actix::spawn(async move {
                        if let Ok(io) = upgrade.await {
                            plan.shout(io, &SERVER).await;
                        }
                    })),
                    Err(_) => session.respond(Payload::response(StatusCode::UPGRADE_REQUIRED)),
                }
            }
            _ => session.respond(plan.frame(ok, &mut random)),
        }
    }
}

/// Answers by messages, as an actor would that has only the address.
async fn feed(session: Addr<HttpSession>, plan: Plan) {
    let head = Payload::response(StatusCode::OK).chunked();
    let id = head.id();
    let mut body = plan.body();
    let Ok(Ok(_)) = session.send(Apply(head)).await else {
        return;
    };
    while !body.is_empty() {
        let piece = body.split_to(body.len().min(20_000));
        let Ok(Ok(())) = session.send(SendChunk::to(id, piece)).await else {
            return;
        };
    }
    session.do_send(Finish::of(id));
}

fn panic() -> ! {
    count(&SERVER.panicked);
    std::panic::panic_any(ON_PURPOSE);
}

impl HttpHandler for Serve {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        count(&SERVER.begun);
        let plan = Plan::of(request.path());
        self.plan = Some(plan.clone());
        self.rest = if plan.uploads() {
            Rest::of(&plan)
        } else {
            Rest::default()
        };
        let oneshot = request.mode() == TransferMode::Oneshot;
        if oneshot {
            self.rest.take(request.body_bytes(), &SERVER);
            self.rest.end(&SERVER);
        }
        if !self.fault(&plan, session) {
            self.answer(plan, oneshot, session);
        }
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        self.rest.take(&data, &SERVER);
        let Some(plan) = &self.plan else { return };
        if plan.fault == "panic" {
            panic();
        }
        if plan.job == "echo"
            && session
                .send_chunk(data)
                .is_ok_and(|room| room == Room::Throttled)
        {
            self.muted = true;
            session.mute();
        }
    }

    fn finished(&mut self, session: &mut SessionContext) {
        self.rest.end(&SERVER);
        let Some(plan) = self.plan.clone() else {
            return;
        };
        match &*plan.job {
            // Refused if the fault came first.
            "echo" => drop(session.finish()),
            "keep" => session.respond(Payload::response(StatusCode::OK).body(plan.body())),
            _ => {}
        }
    }

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        let Some(plan) = self.plan.clone() else {
            return;
        };
        if matches!(&*plan.job, "make" | "early" | "keep") {
            if plan.fault == "panic" {
                panic();
            }
            if let Some(body) = session.body_sender() {
                let random = plan.random_for(3);
                session.spawn(plan.pour(body, random));
            }
        }
    }

    fn unthrottled(&mut self, session: &mut SessionContext) {
        if std::mem::take(&mut self.muted) {
            session.unmute();
        }
    }

    fn completed(&mut self, _: &Exchange, _: &mut SessionContext) {
        count(&SERVER.completed);
    }

    fn cancelled(&mut self, _: &Cancelled, _: &mut SessionContext) {
        count(&SERVER.cancelled);
    }

    fn failed(&mut self, _: &Failure, _: &mut SessionContext) {
        count(&SERVER.failed);
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        SERVER.handlers.fetch_sub(1, Relaxed);
    }
}
