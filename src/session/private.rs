//! The session's handlers of the messages of `inbound.rs`: from its builder, a server, itself, the pool of a client.
//! Those from handles are in `handles.rs`.

use actix::{Actor, Handler};

use super::HttpSession;
use super::ask::{Ask, Offer};
use super::context::SessionContext;
use super::inbound::{self, Inbound};
use super::link::Link;
use super::outbound::Teardown;
use super::side::Side;
use super::trace::Traced;
use crate::error::{CancelCause, CloseReason, Refused, RefusedReason};
use crate::payload::Payload;

// From the builder.

impl HttpSession {
    /// Handles a message from the builder.
    fn hear(&mut self, act: impl FnOnce(&mut Side, &mut Link)) {
        let SessionContext { link, side } = &mut self.context;
        act(side, link);
        self.settle();
    }

    fn receive(&mut self, item: Inbound) {
        self.hear(|_, link| link.receive(item));
    }
}

impl Handler<inbound::Deliver> for HttpSession {
    type Result = ();

    fn handle(
        &mut self,
        inbound::Deliver {
            payload,
            facts,
            stamp,
        }: inbound::Deliver,
        _: &mut Self::Context,
    ) {
        self.receive(Inbound::Deliver(payload, facts, stamp));
    }
}

impl Handler<inbound::Chunk> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Chunk(data): inbound::Chunk, _: &mut Self::Context) {
        self.receive(Inbound::Chunk(data));
    }
}

impl Handler<inbound::Finish> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Finish(trailers): inbound::Finish, _: &mut Self::Context) {
        self.receive(Inbound::Finish(trailers));
    }
}

impl Handler<inbound::Failed> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Failed(fault, line): inbound::Failed, _: &mut Self::Context) {
        self.receive(Inbound::Fault(fault, line));
    }
}

impl Handler<inbound::Batch> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Batch(items, cost): inbound::Batch, _: &mut Self::Context) {
        self.hear(|_, link| link.receive_all(items, cost));
    }
}

impl Handler<inbound::HalfClosed> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::HalfClosed(rest): inbound::HalfClosed, _: &mut Self::Context) {
        self.hear(|side, link| side.half_closed(link, rest));
    }
}

impl Handler<inbound::Closed> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Closed(kind): inbound::Closed, _: &mut Self::Context) {
        self.hear(|side, link| {
            tracing::debug!(?kind, peer = %link.peer, "the connection broke");
            side.broken(link, kind);
        });
    }
}

impl Handler<inbound::Released> for HttpSession {
    type Result = ();

    fn handle(&mut self, inbound::Released(released): inbound::Released, ctx: &mut Self::Context) {
        self.hand_over(*released, ctx);
    }
}

impl Handler<inbound::IdleQuery> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: inbound::IdleQuery, _: &mut Self::Context) {
        self.hear(Side::idle_query);
    }
}

impl Handler<inbound::NoRequest> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: inbound::NoRequest, _: &mut Self::Context) {
        self.hear(Side::no_request);
    }
}

// From a server.

impl Handler<inbound::Shed> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: inbound::Shed, _: &mut Self::Context) {
        let (link, side) = (&mut self.context.link, &mut self.context.side);
        side.shut(link, CancelCause::Memory, CloseReason::Memory);
        link.outbound.abort(Teardown::Reset);
        link.stake = None;
        self.settle();
    }
}

impl Handler<inbound::CutOff> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: inbound::CutOff, _: &mut Self::Context) {
        self.context.side.shut(
            &mut self.context.link,
            CancelCause::Shutdown,
            CloseReason::Shutdown,
        );
        self.settle();
    }
}

// From the session itself.

impl Handler<inbound::Forgotten> for HttpSession {
    type Result = ();

    fn handle(&mut self, _: inbound::Forgotten, ctx: &mut Self::Context) {
        if self.is_forgotten(ctx) {
            let link = &mut self.context.link;
            link.abort(CloseReason::Disposed, Teardown::Close);
        }
    }
}

// From the pool of a client.

impl HttpSession {
    /// Begins the exchange of a request that comes with its handler.
    #[inline]
    fn begin(
        &mut self,
        mut ask: Ask,
        apply: impl FnOnce(&mut SessionContext, Payload) -> Result<(), Refused<Payload>>,
        ctx: &mut <Self as Actor>::Context,
    ) {
        self.count(ctx);
        if Traced::is_on() {
            self.context.link.trace.caller = ask.caller();
        }
        let Some((request, asker)) = ask.open() else {
            return;
        };
        // The pool lends a session to one request at a time. If the handler changed during an exchange, its end would
        // be lost.
        if self.context.exchange().is_some() {
            return asker.turned_away(Refused::new(RefusedReason::Busy, request), None);
        }
        match apply(&mut self.context, request) {
            Ok(()) => self.handler = asker,
            Err(refused) => asker.turned_away(refused, Some(&mut self.context)),
        }
        self.settle();
    }
}

impl Handler<Ask> for HttpSession {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Self::Context) {
        self.begin(
            ask,
            |session, request| session.apply(request).map(drop),
            ctx,
        );
    }
}

impl Handler<Offer> for HttpSession {
    type Result = ();

    fn handle(&mut self, Offer { ask, taker }: Offer, ctx: &mut Self::Context) {
        let offer = |session: &mut SessionContext, request| {
            let accepted = session.hand_off_to(request, taker);
            accepted.map_err(|(refused, _)| refused)
        };
        self.begin(ask, offer, ctx);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;
    use tokio::sync::mpsc;

    use crate::error::FailureReason;
    use crate::session::handler::HttpHandler;
    use crate::session::inbound::{HalfClosed, Rest};
    use crate::session::{Apply, HttpSession, Inspect, SendChunk, SessionContext, SessionOptions};
    use crate::{Failure, Payload, StatusCode};

    struct Tell(mpsc::UnboundedSender<Option<StatusCode>>);

    impl HttpHandler for Tell {
        fn apply(&mut self, response: Payload, _: &mut SessionContext) {
            self.0.send(response.status()).unwrap();
        }

        fn failed(&mut self, _: &Failure, _: &mut SessionContext) {
            self.0.send(None).unwrap();
        }
    }

    /// Nothing is sent to a server that has half-closed, even if what it sent before is not read yet. Waiting requests
    /// would go over the next connection, but there is none here.
    #[actix::test]
    async fn nothing_follows_the_end_of_the_server() {
        for pipeline in [false, true] {
            let options = SessionOptions {
                pipeline,
                ..SessionOptions::for_client()
            };
            let (near, mut far) = tokio::io::duplex(1 << 10);
            let (sender, mut told) = mpsc::unbounded_channel();
            let tell = move |_| Tell(sender.clone());
            let session = HttpSession::over(near, "a", &tell, options);
            let get = || Apply(Payload::get("/").unwrap());
            session.send(get()).await.unwrap().unwrap();
            let mut head = [0; 27];
            far.read_exact(&mut head).await.unwrap();
            session.do_send(HalfClosed(Rest::Unread));
            session.send(get()).await.unwrap().unwrap();
            far.write_all(b"HTTP/1.1 204 No\r\n\r\n").await.unwrap();
            assert_eq!(told.recv().await, Some(Some(StatusCode::NO_CONTENT)));
            far.shutdown().await.unwrap();
            assert_eq!(told.recv().await, Some(None));
            let mut rest = Vec::new();
            far.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"");
        }
    }

    /// A server that takes no more and then sends no more is told from one that only sends no more.
    #[actix::test]
    async fn a_half_close_does_not_hide_a_write_that_failed() {
        struct Why(mpsc::UnboundedSender<FailureReason>);
        impl HttpHandler for Why {
            fn apply(&mut self, _: Payload, _: &mut SessionContext) {}

            fn failed(&mut self, failure: &Failure, _: &mut SessionContext) {
                self.0.send(failure.reason).unwrap();
            }
        }

        let (near, far) = UnixStream::pair().unwrap();
        let (sender, mut told) = mpsc::unbounded_channel();
        let tell = move |_| Why(sender.clone());
        let session = HttpSession::over(near, "a", &tell, SessionOptions::for_client());
        let far = far.into_std().unwrap();
        far.shutdown(std::net::Shutdown::Read).unwrap();
        let request = Payload::put("/").unwrap().chunked();
        session.send(Apply(request)).await.unwrap().unwrap();
        // Refused once the write has failed.
        while session
            .send(SendChunk("data".into()))
            .await
            .unwrap()
            .is_ok()
        {}
        session.do_send(HalfClosed(Rest::Unread));
        session.send(Inspect).await.unwrap();
        drop(far);
        let closed = FailureReason::ConnectionClosed(io::ErrorKind::BrokenPipe);
        assert_eq!(told.recv().await, Some(closed));
    }
}
