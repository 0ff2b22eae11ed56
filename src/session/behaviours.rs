//! The messages that a session answers, in the order of `docs/semantics.md`. Each handler calls the method that
//! implements it.

use actix::{Context, Handler, ResponseFuture};
use bytes::Bytes;

use super::HttpSession;
use super::handoff::{NotUpgraded, Upgraded};
use super::info::SessionInfo;
use super::leave::{Leave, Left};
use super::message::{
    Apply, Cancel, CancelAll, CancelCurrent, Dispose, Finish, FinishOf, FinishWith, HandOff,
    HandOffTo, Inspect, SendChunk, SendChunkTo, Write, WriteTo,
};
use super::outbound::Room;
use super::reply::{PartReply, Reply, Verdict};
use super::sink::BodyPart;
use super::waiter;
use super::watch::Watch;
use crate::error::Refused;
use crate::payload::{Headers, MessageId, Payload};

// The public behaviours.

impl Handler<Apply> for HttpSession {
    type Result = Verdict<MessageId, Payload>;

    fn handle(&mut self, Apply(payload): Apply, ctx: &mut Self::Context) -> Self::Result {
        self.count(ctx);
        let accepted = self.context.apply(payload);
        self.settle();
        Verdict::new(accepted, &mut self.context.link)
    }
}

impl Handler<HandOff> for HttpSession {
    type Result = ResponseFuture<Result<Upgraded, NotUpgraded>>;

    fn handle(&mut self, HandOff(payload): HandOff, ctx: &mut Self::Context) -> Self::Result {
        self.count(ctx);
        let accepted = self.context.hand_off(payload);
        self.settle();
        Box::pin(async { accepted?.await })
    }
}

impl Handler<HandOffTo> for HttpSession {
    type Result = Verdict<MessageId, Payload>;

    fn handle(
        &mut self,
        HandOffTo { payload, taker }: HandOffTo,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.count(ctx);
        let id = payload.id();
        let accepted = self.context.hand_off(payload).map(|upgrade| {
            actix_rt::spawn(async move {
                if let Ok(connection) = upgrade.await {
                    taker.do_send(connection);
                }
            });
            id
        });
        self.settle();
        Verdict::new(accepted, &mut self.context.link)
    }
}

impl Handler<SendChunk> for HttpSession {
    type Result = Reply<Bytes>;

    fn handle(&mut self, SendChunk(data): SendChunk, ctx: &mut Self::Context) -> Self::Result {
        self.send_chunk(None, data, ctx)
    }
}

impl Handler<SendChunkTo> for HttpSession {
    type Result = Reply<Bytes>;

    fn handle(
        &mut self,
        SendChunkTo { message, data }: SendChunkTo,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.send_chunk(Some(message), data, ctx)
    }
}

impl Handler<Finish> for HttpSession {
    type Result = Verdict<(), ()>;

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) -> Self::Result {
        self.finish(None, None, ctx)
    }
}

impl Handler<FinishWith> for HttpSession {
    type Result = Verdict<(), ()>;

    fn handle(
        &mut self,
        FinishWith(trailers): FinishWith,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.finish(None, Some(&trailers), ctx)
    }
}

impl Handler<FinishOf> for HttpSession {
    type Result = Verdict<(), ()>;

    fn handle(
        &mut self,
        FinishOf { message, trailers }: FinishOf,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.finish(Some(message), trailers.as_ref(), ctx)
    }
}

impl Handler<Write> for HttpSession {
    type Result = Reply<Bytes>;

    fn handle(&mut self, Write(data): Write, ctx: &mut Self::Context) -> Self::Result {
        self.write(None, data, ctx)
    }
}

impl Handler<WriteTo> for HttpSession {
    type Result = Reply<Bytes>;

    fn handle(
        &mut self,
        WriteTo { exchange, data }: WriteTo,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.write(Some(exchange), data, ctx)
    }
}

impl Handler<BodyPart> for HttpSession {
    type Result = PartReply;

    fn handle(&mut self, part: BodyPart, ctx: &mut Self::Context) -> Self::Result {
        self.count(ctx);
        let reply = self.context.take_part(part);
        self.settle();
        reply
    }
}

impl Handler<Cancel> for HttpSession {
    type Result = ();

    fn handle(&mut self, Cancel(message): Cancel, ctx: &mut Self::Context) {
        self.count(ctx);
        self.context.cancel(message);
        self.settle();
    }
}

impl Handler<CancelCurrent> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: CancelCurrent, ctx: &mut Self::Context) {
        self.count(ctx);
        self.context.cancel_current();
        self.settle();
    }
}

impl Handler<CancelAll> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: CancelAll, ctx: &mut Self::Context) {
        self.count(ctx);
        self.context.cancel_all();
        self.settle();
    }
}

impl Handler<Dispose> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: Dispose, ctx: &mut Self::Context) {
        self.count(ctx);
        self.context.dispose();
        self.settle();
    }
}

impl Handler<Leave> for HttpSession {
    type Result = ResponseFuture<Left>;

    fn handle(&mut self, leave: Leave, ctx: &mut Self::Context) -> Self::Result {
        self.count(ctx);
        let left = self.context.begin_leaving(leave);
        self.settle();
        // A session that was torn down during a call reports nothing.
        Box::pin(async { left.await.unwrap_or_default() })
    }
}

impl Handler<Watch> for HttpSession {
    type Result = ();

    fn handle(&mut self, Watch(watcher): Watch, ctx: &mut Self::Context) {
        self.count(ctx);
        self.context.link.watchers.add(watcher);
    }
}

impl Handler<Inspect> for HttpSession {
    type Result = SessionInfo;

    fn handle(&mut self, _: Inspect, ctx: &mut Self::Context) -> Self::Result {
        self.count(ctx);
        self.context.inspect()
    }
}

// The code that two handlers share.

impl HttpSession {
    /// Keeps the sender of an awaited piece waiting while the buffer is above its mark.
    fn answer_piece(&mut self, room: Result<Room, Refused<Bytes>>) -> Reply<Bytes> {
        match room {
            Ok(Room::Throttled) => {
                let (slot, waiter) = waiter::reply_slot(|room| room.map_err(waiter::data_taken));
                self.context.link.outbound.wait(waiter);
                Reply::Later(slot)
            }
            Ok(Room::Open) => Reply::Now(Verdict::new(Ok(()), &mut self.context.link)),
            Err(refused) => Reply::Now(Verdict::new(Err(refused), &mut self.context.link)),
        }
    }

    fn send_chunk(
        &mut self,
        message: Option<MessageId>,
        data: Bytes,
        ctx: &mut Context<Self>,
    ) -> Reply<Bytes> {
        self.count(ctx);
        let room = self.context.give(message, data);
        self.settle();
        self.answer_piece(room)
    }

    fn write(
        &mut self,
        exchange: Option<MessageId>,
        data: Bytes,
        ctx: &mut Context<Self>,
    ) -> Reply<Bytes> {
        self.count(ctx);
        let room = self.context.give_raw(exchange, data);
        self.settle();
        self.answer_piece(room)
    }

    fn finish(
        &mut self,
        message: Option<MessageId>,
        trailers: Option<&Headers>,
        ctx: &mut Context<Self>,
    ) -> Verdict<(), ()> {
        self.count(ctx);
        let ended = self.context.end(message, trailers);
        self.settle();
        Verdict::new(ended, &mut self.context.link)
    }
}
