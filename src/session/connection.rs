//! The start of a connection: its two actors, and the task that runs both.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::dev::ContextFut;
use actix::{Addr, AsyncContext as _};
use tokio::time::Instant;

use super::HttpSession;
use super::builder::PayloadBuilder;
use super::context::SessionContext;
use super::credit::Ledger;
use super::handler::HttpHandler;
use super::inbound::Credit;
use super::link::{Link, Phase};
use super::options::SessionOptions;
use super::outbound::Outbound;
use super::server::Server;
use crate::transport::Halves;
use crate::wire::Rules;

/// Starts the two actors of a server connection on the current arbiter.
pub(super) fn open(
    halves: Halves,
    options: Arc<SessionOptions>,
    guard: Box<dyn Any>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
) -> Addr<HttpSession> {
    let Halves { read, write, peer } = halves;
    let now = Instant::now();
    let session_context = actix::Context::<HttpSession>::new();
    let builder_context = actix::Context::<PayloadBuilder>::new();
    let address = session_context.address();
    let credit = Credit {
        bytes: options.buffers.inbound,
        messages: options.buffers.inbound_messages,
    };
    let rules = Arc::new(Rules {
        limits: options.limits.clone(),
        leniency: options.leniency,
    });
    let timeouts = options.timeouts;
    let session = HttpSession {
        handler: make(address.clone()),
        context: SessionContext {
            link: Link {
                address: address.downgrade(),
                builder: builder_context.address(),
                peer,
                opened: now,
                phase: Phase::Open,
                inbox: VecDeque::new(),
                ledger: Ledger::new(credit),
                events: VecDeque::new(),
                outbound: Outbound::new(write, options.buffers, timeouts.write),
                bytes_in: 0,
                options,
            },
            server: Server::new(now),
        },
        turn: 0,
    };
    let builder = PayloadBuilder::new(read, address.clone(), rules, credit, timeouts, now, guard);
    actix_rt::spawn(Pair {
        builder: Some(builder_context.into_future(builder)),
        session: Some(session_context.into_future(session)),
    });
    address
}

/// Both actors of a connection in one task: a message between them needs no trip through the scheduler. They would run
/// as two tasks just as well; this saves about a tenth of the cost of a connection among many.
struct Pair {
    // ORDER: dropped before the builder, whose address of the session the last calls of the handler may ask for.
    session: Option<ContextFut<HttpSession, actix::Context<HttpSession>>>,
    builder: Option<ContextFut<PayloadBuilder, actix::Context<PayloadBuilder>>>,
}

impl Future for Pair {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // ORDER: the builder first, so that what it read is handled, answered and written in the same turn.
        let builder = poll_actor(&mut self.builder, cx);
        let session = poll_actor(&mut self.session, cx);
        if builder.is_ready() && session.is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

fn poll_actor<F: Future<Output = ()> + Unpin>(
    actor: &mut Option<F>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if let Some(future) = actor {
        std::task::ready!(Pin::new(future).poll(cx));
        *actor = None;
    }
    Poll::Ready(())
}
