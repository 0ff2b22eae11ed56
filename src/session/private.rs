//! The messages of `inbound.rs`, as the session answers them: from its builder, and from handles that were given away.

use actix::Handler;
use bytes::Bytes;
use http::StatusCode;

use super::handoff::NotUpgraded;
use super::inbound::{self, Epoch, Inbound};
use super::outbound::Room;
use super::trace::Traced;
use super::unsent::Unsent;
use super::waiter::Posted;
use super::{HttpSession, builder};
use crate::error::{CancelCause, CloseReason, FailureReason, Refused, RefusedReason, UseError};

// From the builder. What one of an earlier connection still says is not heard (P84).

impl HttpSession {
    fn receive(&mut self, from: Epoch, item: Inbound) {
        if from == self.context.link.epoch {
            self.context.link.receive(item);
            self.settle();
        }
    }
}

impl Handler<inbound::Deliver> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Deliver {
            from,
            payload,
            facts,
            stamp,
        }: inbound::Deliver,
        _: &mut Self::Context,
    ) {
        self.receive(from, Inbound::Deliver(payload, facts, stamp));
    }
}

impl Handler<inbound::Chunk> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Chunk(from, data): inbound::Chunk, _: &mut Self::Context) {
        self.receive(from, Inbound::Chunk(data));
    }
}

impl Handler<inbound::Finish> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Finish(from, trailers): inbound::Finish, _: &mut Self::Context) {
        self.receive(from, Inbound::Finish(trailers));
    }
}

impl Handler<inbound::Failed> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Failed(from, fault): inbound::Failed, _: &mut Self::Context) {
        self.receive(from, Inbound::Fault(fault));
    }
}

impl Handler<inbound::Batch> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Batch(from, mut items): inbound::Batch, _: &mut Self::Context) {
        if from == self.context.link.epoch {
            for item in items.drain(..) {
                self.context.link.receive(item);
            }
            self.settle();
        }
        builder::recycle(items);
    }
}

impl Handler<inbound::HalfClosed> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::HalfClosed(from, rest): inbound::HalfClosed,
        _: &mut Self::Context,
    ) {
        if from == self.context.link.epoch {
            self.context.end.half_closed(&mut self.context.link, rest);
            self.settle();
        }
    }
}

impl Handler<inbound::Closed> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Closed(from, kind): inbound::Closed, _: &mut Self::Context) {
        if from == self.context.link.epoch {
            tracing::debug!(?kind, peer = %self.context.link.peer, "the connection broke");
            self.context.end.broken(&mut self.context.link, kind);
            self.settle();
        }
    }
}

impl Handler<inbound::Released> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Released(from, released): inbound::Released,
        ctx: &mut Self::Context,
    ) {
        if from == self.context.link.epoch {
            self.hand_over(released, ctx);
        }
    }
}

impl Handler<inbound::IdleQuery> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::IdleQuery(from): inbound::IdleQuery, _: &mut Self::Context) {
        if from == self.context.link.epoch {
            self.context.end.idle_query(&mut self.context.link);
            self.settle();
        }
    }
}

impl Handler<inbound::NoRequest> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::NoRequest(from): inbound::NoRequest, _: &mut Self::Context) {
        if from == self.context.link.epoch {
            self.context.end.no_request(&mut self.context.link);
            self.settle();
        }
    }
}

// From a server.

impl Handler<inbound::Shed> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: inbound::Shed, _: &mut Self::Context) {
        let (link, end) = (&mut self.context.link, &mut self.context.end);
        end.shut(link, CancelCause::Memory, CloseReason::Memory);
        link.outbound.abort(true);
        link.account();
        self.settle();
    }
}

impl Handler<inbound::CutOff> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: inbound::CutOff, _: &mut Self::Context) {
        self.context.end.shut(
            &mut self.context.link,
            CancelCause::Shutdown,
            CloseReason::Shutdown,
        );
        self.settle();
    }
}

// From the pool of a client.

impl Handler<inbound::Ask> for HttpSession {
    type Result = ();

    fn handle(&mut self, mut ask: inbound::Ask, ctx: &mut Self::Context) {
        self.count(ctx);
        if Traced::is_on() {
            self.context.link.trace.caller = ask.caller();
        }
        let Some((request, asker)) = ask.open() else {
            return;
        };
        // The pool lends a session to one at a time; if the handler changed during an exchange, its end would be lost.
        if self.context.exchange().is_some() {
            return asker.turned_away(Refused::new(RefusedReason::Busy, request));
        }
        match self.context.apply(request) {
            Ok(_) => self.handler = asker,
            Err(refused) => asker.turned_away(refused),
        }
        self.settle();
    }
}

// From handles that were given away.

impl Handler<inbound::Mute> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Mute(exchange): inbound::Mute, ctx: &mut Self::Context) {
        self.count(ctx);
        if self.context.exchange() == Some(exchange) {
            self.context.mute();
        }
    }
}

impl Handler<inbound::Unmute> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Unmute(exchange): inbound::Unmute, ctx: &mut Self::Context) {
        self.count(ctx);
        if self.context.exchange() == Some(exchange) {
            self.context.unmute();
        }
        self.settle();
    }
}

impl Handler<inbound::Respond> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Respond {
            exchange,
            parcel,
            writer,
        }: inbound::Respond,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        let (payload, sender) = parcel.open();
        let current = self.context.exchange() == Some(exchange);
        let interim = |status: StatusCode| status.is_informational();
        let accepted = if payload.status().is_some_and(interim) {
            // A responder answers once, and this is no answer.
            Err(Refused::new(UseError::InvalidStatus, payload))
        } else if current || !self.context.link.is_open() {
            self.context.apply(payload)
        } else {
            Err(Refused::new(RefusedReason::NotYourTurn, payload))
        };
        if accepted.is_err() && self.context.end.give_back(exchange) {
            // Nobody else could answer: the right to is spent.
            self.context.end_failed(FailureReason::Unanswered);
        } else if writer {
            // Claimed: the handler cannot make a second one.
            let _ = self.context.end.open_message();
        }
        // Settled before the answer: who hears "accepted" finds the consequences in place.
        self.settle();
        if let Err(Err(refused)) = sender.send(accepted) {
            self.context.link.refuse(refused.map(Unsent::Payload));
            self.settle();
        }
    }
}

impl Handler<inbound::Surrender> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Surrender { exchange, offer }: inbound::Surrender,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        let (payload, taker) = offer.open();
        let current = self.context.exchange() == Some(exchange);
        let accepted = if current || !self.context.link.is_open() {
            self.context.hand_off_to(payload, taker)
        } else {
            let refused = Refused::new(RefusedReason::NotYourTurn, payload);
            Err((refused, taker))
        };
        if accepted.is_err() && self.context.end.give_back(exchange) {
            self.context.end_failed(FailureReason::Unanswered);
        }
        self.settle();
        if let Err((refused, taker)) = accepted
            && let Err(Err(NotUpgraded::Refused(refused))) = taker.send(Err(refused.into()))
        {
            self.context.link.refuse(refused.map(Unsent::Payload));
            self.settle();
        }
    }
}

impl Handler<inbound::Inform> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Inform { exchange, payload }: inbound::Inform,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        let current = self.context.exchange() == Some(exchange);
        match payload {
            Some(payload) if !current => {
                self.context.link.refuse(Refused::new(
                    RefusedReason::NotYourTurn,
                    Unsent::Payload(payload),
                ));
            }
            Some(payload)
                if !payload
                    .status()
                    .is_some_and(|status| status.is_informational()) =>
            {
                self.context.link.refuse(Refused::new(
                    UseError::InvalidStatus,
                    Unsent::Payload(payload),
                ));
            }
            Some(payload) => self.context.respond(payload),
            None if current => self.context.end.send_continue(&mut self.context.link),
            None => {}
        }
        self.settle();
    }
}

impl Handler<inbound::Abandon> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Abandon(message): inbound::Abandon, ctx: &mut Self::Context) {
        self.count(ctx);
        self.context.end.abandon(&mut self.context.link, message);
        self.settle();
    }
}

impl Handler<inbound::Unanswered> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Unanswered(exchange): inbound::Unanswered,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        if self.context.end.give_back(exchange) {
            tracing::warn!(%exchange, "the last responder was dropped without an answer");
            self.context.end_failed(FailureReason::Unanswered);
        }
        self.settle();
    }
}

impl Handler<inbound::Accompany> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Accompany { message, task }: inbound::Accompany,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        self.context.end.accompany(message, task);
    }
}

impl Handler<inbound::Piece> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Piece {
            message,
            number,
            parcel,
        }: inbound::Piece,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        let (data, sender) = parcel.open();
        self.context
            .end
            .check_number(&mut self.context.link, message, number);
        let room = self
            .context
            .end
            .take_data(&mut self.context.link, Some(message), data);
        match room {
            // A sender that does not wait any more has cancelled by its drop.
            Ok(Room::Open) => drop(sender.send(Ok(()))),
            Ok(Room::Throttled) => self
                .context
                .link
                .outbound
                .wait(Box::new(Posted(sender, Bytes::new))),
            Err(refused) => drop(sender.send(Err(refused))),
        }
        self.settle();
    }
}

impl Handler<inbound::LastPiece> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::LastPiece {
            message,
            number,
            parcel,
        }: inbound::LastPiece,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        let (trailers, sender) = parcel.open();
        self.context
            .end
            .check_number(&mut self.context.link, message, number);
        let ended =
            self.context
                .end
                .end_body(&mut self.context.link, Some(message), trailers.as_ref());
        if ended.is_err() {
            // The writer is spent: nobody can end this body any more.
            self.context.end.abandon(&mut self.context.link, message);
        }
        // As above.
        drop(sender.send(ended.map_err(|refused| refused.map(|()| trailers))));
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc;

    use crate::session::handler::HttpHandler;
    use crate::session::inbound::{Closed, Epoch, Failed, Fault, HalfClosed, Rest};
    use crate::session::{Apply, HttpSession, Inspect, SessionContext, SessionOptions};
    use crate::{Failure, Payload, StatusCode, WireError};

    struct Tell(mpsc::UnboundedSender<Option<StatusCode>>);

    impl HttpHandler for Tell {
        fn apply(&mut self, response: Payload, _: &mut SessionContext) {
            self.0.send(response.status()).unwrap();
        }

        fn failed(&mut self, _: &Failure, _: &mut SessionContext) {
            self.0.send(None).unwrap();
        }
    }

    /// P84: what the builder of another connection of the same session says is not heard; what its own says is.
    #[actix::test]
    async fn p84_an_earlier_connection_is_not_heard() {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let (sender, mut told) = mpsc::unbounded_channel();
        let tell = move |_| Tell(sender.clone());
        let session = HttpSession::over(near, "a", &tell, SessionOptions::for_client());
        let get = || Apply(Payload::get("/").unwrap());
        session.send(get()).await.unwrap().unwrap();
        let mut head = [0; 27];
        far.read_exact(&mut head).await.unwrap();
        let other = Epoch::default().next();
        session.do_send(Closed(other, io::ErrorKind::ConnectionReset));
        session.do_send(Failed(other, Fault::Wire(WireError::Truncated)));
        session.do_send(HalfClosed(other, Rest::Read));
        session.send(Inspect).await.unwrap();
        far.write_all(b"HTTP/1.1 204 No\r\n\r\n").await.unwrap();
        assert_eq!(told.recv().await, Some(Some(StatusCode::NO_CONTENT)));
        session.send(get()).await.unwrap().unwrap();
        session.do_send(Closed(Epoch::default(), io::ErrorKind::ConnectionReset));
        assert_eq!(told.recv().await, Some(None));
    }
}
