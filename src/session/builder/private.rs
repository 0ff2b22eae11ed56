//! The builder's handlers of the messages from its session.

use actix::{ActorContext as _, Handler};
use bytes::BytesMut;

use super::clock::Clock;
use super::{LINGER, PayloadBuilder, State};
use crate::session::handoff;
use crate::session::inbound::{
    BodyAsked, BodyTime, Credit, IdleFor, Linger, Mute, Release, Released, RequestQuery, Resume,
    Torn, Unmute,
};
use crate::transport::ReadHalf;

impl Handler<Credit> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, credit: Credit, _: &mut Self::Context) {
        self.add(credit);
    }
}

impl Handler<Mute> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, _: Mute, _: &mut Self::Context) {
        self.muted = true;
    }
}

impl Handler<Unmute> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, _: Unmute, _: &mut Self::Context) {
        self.muted = false;
    }
}

impl Handler<BodyAsked> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, BodyAsked(nth): BodyAsked, _: &mut Self::Context) {
        // The peer may have sent this body without waiting, and may already wait with the next request.
        self.awaits_continue &= self.heads != nth;
    }
}

impl Handler<BodyTime> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, BodyTime(nth, time): BodyTime, _: &mut Self::Context) {
        self.own_time = time.map(|time| Box::new((nth, time)));
        if self.heads == nth && self.clock == Some(Clock::Body) {
            self.clock = None; // it begins anew
        }
    }
}

impl Handler<Resume> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, _: Resume, _: &mut Self::Context) {
        self.decoder.resume();
        self.backlog = true;
    }
}

impl Handler<IdleFor> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, IdleFor(after): IdleFor, _: &mut Self::Context) {
        if self.clock == Some(Clock::Idle) {
            self.deadline.set_after(Some(after));
        }
    }
}

impl Handler<RequestQuery> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, _: RequestQuery, _: &mut Self::Context) {
        // A separate task, because this actor may be polled more than once in a turn of the reactor.
        self.queried = Some(actix_rt::spawn(tokio::task::yield_now()));
    }
}

impl Handler<Release> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, _: Release, ctx: &mut Self::Context) {
        let released = handoff::Released {
            read: std::mem::replace(&mut self.read, ReadHalf::new(tokio::io::empty())),
            unread: std::mem::take(&mut self.tail).freeze(),
            permit: self.tenure.permit.take(),
        };
        ctx.stop();
        self.session.send(Released(Box::new(released)));
    }
}

impl Handler<Linger> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, _: Linger, ctx: &mut Self::Context) {
        if self.state == State::Eof {
            ctx.stop();
        } else {
            self.tail = BytesMut::new();
            self.state = State::Lingering(LINGER);
        }
    }
}

impl Handler<Torn> for PayloadBuilder {
    type Result = ();

    fn handle(&mut self, Torn(kind): Torn, _: &mut Self::Context) {
        self.torn = Some(kind);
    }
}
