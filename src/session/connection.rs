//! The start of a connection: its two actors, and the task that runs both.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::dev::ContextFut;
use actix::{Actor as _, Addr, AsyncContext as _};
use tokio::time::Instant;

use super::HttpSession;
use super::builder::{PayloadBuilder, Wiring};
use super::client::{Client, Connect, Connection};
use super::context::SessionContext;
use super::credit::Ledger;
use super::end::End;
use super::handler::HttpHandler;
use super::inbound::{Credit, Epoch};
use super::link::{Link, Phase};
use super::options::SessionOptions;
use super::outbound::Outbound;
use super::server::Server;
use crate::transport::{self, Halves, Origin, Peer};
use crate::wire::Rules;

/// Starts the two actors of a server connection on the current arbiter.
pub(super) fn open(
    halves: Halves,
    options: Arc<SessionOptions>,
    guard: Box<dyn Any>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
) -> Addr<HttpSession> {
    let Halves { read, write, peer } = halves;
    let session = actix::Context::<HttpSession>::new();
    let builder = actix::Context::<PayloadBuilder>::new();
    let address = session.address();
    let wiring = wiring(read, address.clone(), Epoch::default(), &options);
    let link = Link {
        builder: Some(builder.address()),
        peer,
        ..link(&address, options, Some(write))
    };
    let context = SessionContext {
        link,
        end: End::Server(Server::new(Instant::now())),
    };
    let actor = HttpSession::new(make(address.clone()), context);
    actix_rt::spawn(Pair {
        builder: Some(builder.into_future(PayloadBuilder::of_requests(wiring, guard))),
        session: Some(session.into_future(actor)),
    });
    address
}

/// Starts a client session that connects when it has something to send.
pub(super) fn connect(
    origin: Origin,
    options: Arc<SessionOptions>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
) -> Addr<HttpSession> {
    let of = origin.clone();
    let connect: Connect = Box::new(move || Box::pin(of.clone().connect()));
    let client = Client::new(
        Connection::lazy(connect),
        origin.authority(),
        Some(origin),
        Instant::now(),
    );
    start(client, options, make, |_| {})
}

/// Starts a client session on a connection that is open.
pub(super) fn given(
    halves: Halves,
    host: String,
    options: Arc<SessionOptions>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
) -> Addr<HttpSession> {
    let client = Client::new(Connection::given(), host, None, Instant::now());
    start(client, options, make, |link| attach(link, halves))
}

fn start(
    client: Client,
    options: Arc<SessionOptions>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
    prepare: impl FnOnce(&mut Link),
) -> Addr<HttpSession> {
    let session = actix::Context::<HttpSession>::new();
    let address = session.address();
    let mut link = link(&address, options, None);
    prepare(&mut link);
    let context = SessionContext {
        link,
        end: End::Client(client),
    };
    session.run(HttpSession::new(make(address), context))
}

/// Gives a client session the connection that was opened for it.
pub(super) fn attach(link: &mut Link, halves: Halves) {
    let Halves { read, write, peer } = halves;
    let Some(address) = link.address.upgrade() else {
        return;
    };
    let wiring = wiring(read, address, link.epoch, &link.options);
    link.builder = Some(PayloadBuilder::of_responses(wiring).start());
    link.peer = peer;
    link.opened = Instant::now();
    link.outbound.attach(write);
}

fn wiring(
    read: Box<dyn transport::Read>,
    session: Addr<HttpSession>,
    epoch: Epoch,
    options: &SessionOptions,
) -> Wiring {
    let rules = Arc::new(Rules {
        limits: options.limits.clone(),
        leniency: options.leniency,
    });
    Wiring {
        read,
        session,
        epoch,
        rules,
        credit: Credit::of(&options.buffers),
        timeouts: options.timeouts,
    }
}

fn link(
    address: &Addr<HttpSession>,
    options: Arc<SessionOptions>,
    write: Option<Box<dyn transport::Write>>,
) -> Link {
    Link {
        address: address.downgrade(),
        builder: None,
        epoch: Epoch::default(),
        over: None,
        peer: Peer::default(),
        opened: Instant::now(),
        phase: Phase::Open,
        inbox: VecDeque::new(),
        ledger: Ledger::new(Credit::of(&options.buffers)),
        events: VecDeque::new(),
        outbound: Outbound::new(write, options.buffers, options.timeouts.write),
        bytes_in: 0,
        unheard: None,
        telling_refusal: false,
        options,
    }
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
