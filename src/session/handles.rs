//! The messages of `inbound.rs` that come from handles: responders, body writers, guards.

use actix::{Context, Handler};
use http::StatusCode;

use super::HttpSession;
use super::context::SessionContext;
use super::handoff::NotUpgraded;
use super::inbound;
use super::info::SessionPhase;
use super::outbound::Room;
use super::unsent::Unsent;
use super::waiter::Posted;
use crate::error::{FailureReason, Refused, RefusedReason, UseError};
use crate::payload::MessageId;

impl HttpSession {
    /// Handles a message about an exchange, unless that is over.
    fn about(
        &mut self,
        exchange: MessageId,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut SessionContext),
    ) {
        self.count(ctx);
        if self.context.exchange() == Some(exchange) {
            act(&mut self.context);
        }
        self.settle();
    }
}

impl Handler<inbound::Mute> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Mute(exchange): inbound::Mute, ctx: &mut Self::Context) {
        self.about(exchange, ctx, SessionContext::mute);
    }
}

impl Handler<inbound::Unmute> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Unmute(exchange): inbound::Unmute, ctx: &mut Self::Context) {
        self.about(exchange, ctx, SessionContext::unmute);
    }
}

impl Handler<inbound::OnHalfClose> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::OnHalfClose { exchange, policy }: inbound::OnHalfClose,
        ctx: &mut Self::Context,
    ) {
        self.about(exchange, ctx, |session| session.on_half_close(policy));
    }
}

impl Handler<inbound::Patience> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Patience { exchange, time }: inbound::Patience,
        ctx: &mut Self::Context,
    ) {
        self.about(exchange, ctx, |session| session.body_timeout(time));
    }
}

impl Handler<inbound::Noted> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Noted { exchange, note }: inbound::Noted,
        ctx: &mut Self::Context,
    ) {
        self.about(exchange, ctx, |session| session.take_note(note));
    }
}

impl Handler<inbound::Outlook> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Outlook { exchange, told }: inbound::Outlook,
        ctx: &mut Self::Context,
    ) {
        self.about(exchange, ctx, |session| {
            if let Some(aside) = session.side.aside() {
                aside.ask(told);
            }
        });
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
        let due = current && self.context.side.phase() == SessionPhase::Handling;
        let accepted = if due && payload.is_interim() {
            // A responder answers once, and an interim response is not an answer.
            Err(Refused::new(UseError::InterimStatus, payload))
        } else if due && writer == inbound::Writer::Missing {
            Err(Refused::new(UseError::NoWriter, payload))
        } else if current || !self.context.link.is_open() {
            self.context.apply(payload)
        } else {
            Err(Refused::new(RefusedReason::NotYourTurn, payload))
        };
        if accepted.is_err() && self.context.side.give_back(exchange) {
            // The right to answer is spent, and nobody else has one.
            self.context.end_failed(FailureReason::Unanswered);
        } else if accepted.is_ok() && writer == inbound::Writer::Given {
            // Claimed: the handler cannot make a second one.
            let _ = self.context.side.open_message();
        }
        // Settled before replying: when the sender gets "accepted", the effects are in place.
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
        inbound::Surrender { exchange, parcel }: inbound::Surrender,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        let (payload, taker) = parcel.open();
        let current = self.context.exchange() == Some(exchange);
        let accepted = if current || !self.context.link.is_open() {
            self.context.hand_off_to(payload, taker)
        } else {
            let refused = Refused::new(RefusedReason::NotYourTurn, payload);
            Err((refused, taker))
        };
        if accepted.is_err() && self.context.side.give_back(exchange) {
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
        let interim = |status: StatusCode| status.is_informational();
        let objection = if self.context.exchange() != Some(exchange) {
            Some(RefusedReason::NotYourTurn)
        } else if payload.status().is_some_and(interim) {
            None
        } else {
            Some(UseError::FinalStatus.into())
        };
        match objection {
            None => self.context.respond(payload),
            Some(reason) => {
                let refused = Refused::new(reason, Unsent::Payload(payload));
                self.context.link.refuse(refused);
            }
        }
        self.settle();
    }
}

impl Handler<inbound::Continue> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Continue(exchange): inbound::Continue, ctx: &mut Self::Context) {
        self.about(exchange, ctx, |session| {
            session.side.send_continue(&mut session.link);
        });
    }
}

impl Handler<inbound::Abandon> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Abandon(message): inbound::Abandon, ctx: &mut Self::Context) {
        self.count(ctx);
        self.context.side.abandon(&mut self.context.link, message);
        self.settle();
    }
}

impl Handler<inbound::ServiceFailed> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::ServiceFailed { message, why }: inbound::ServiceFailed,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        self.context
            .side
            .service_failed(&self.context.link, message, why);
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
        if self.context.side.give_back(exchange) {
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
        self.context.side.accompany(message, task);
    }
}

impl Handler<inbound::Departure> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Departure { message, mut told }: inbound::Departure,
        ctx: &mut Self::Context,
    ) {
        self.count(ctx);
        let departure = self.context.link.departure();
        self.context.side.accompany(message, async move {
            tokio::select! {
                () = departure.cancelled() => {}
                // The receiver was dropped.
                () = told.closed() => {}
            }
        });
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
            .side
            .check_number(&mut self.context.link, message, number);
        match self.context.give(Some(message), data) {
            // If the sender no longer waits, there is nobody to answer.
            Ok(Room::Open) => drop(sender.send(Ok(()))),
            Ok(Room::Throttled) => self.context.link.outbound.wait(Box::new(Posted(sender))),
            Err(refused) => {
                self.context.side.refuse_piece(message, number);
                drop(sender.send(Err(refused)));
            }
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
            .side
            .check_number(&mut self.context.link, message, number);
        let ended = self.context.end(Some(message), trailers.as_ref());
        if ended.is_err() {
            // The writer was consumed: nobody can end this body any more.
            self.context.side.abandon(&mut self.context.link, message);
        }
        // If the sender no longer waits, there is nobody to answer.
        drop(sender.send(ended.map_err(|refused| refused.map(|()| trailers))));
        self.settle();
    }
}
