//! The start of a connection: its two actors.

use std::sync::Arc;

use actix::{Actor as _, Addr, AsyncContext as _};
use tokio::time::Instant;

use super::HttpSession;
use super::builder::{PayloadBuilder, Tenure, Wiring};
use super::client::{Client, Connect, Connection};
use super::context::SessionContext;
use super::end::End;
use super::handler::HttpHandler;
use super::inbound::{Credit, Epoch};
use super::link::Link;
use super::options::SessionOptions;
use super::pair::Pair;
use super::server::Server;
use crate::transport::{self, Halves, Origin};
use crate::wire::Rules;

/// Starts the two actors of a server connection on the current arbiter.
pub(super) fn open(
    halves: Halves,
    options: Arc<SessionOptions>,
    tenure: Tenure,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
) -> Addr<HttpSession> {
    let Halves {
        read,
        write,
        peer,
        tls,
    } = halves;
    let session = actix::Context::<HttpSession>::new();
    let builder = actix::Context::<PayloadBuilder>::new();
    let address = session.address();
    let wiring = wiring(read, address.clone(), Epoch::default(), &options);
    let mut link = Link::new(&address, options, Some(write));
    link.builder = Some(builder.address());
    link.peer = peer;
    link.tls = tls;
    let context = SessionContext {
        link,
        end: End::Server(Server::new(Instant::now())),
    };
    let actor = HttpSession::new(make(address.clone()), context);
    actix_rt::spawn(Pair::new(
        builder.into_future(PayloadBuilder::of_requests(wiring, tenure)),
        session.into_future(actor),
    ));
    address
}

/// Starts a client session that connects when it has something to send.
pub(super) fn connect(
    origin: Origin,
    options: Arc<SessionOptions>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
) -> Addr<HttpSession> {
    let (of, route) = (origin.clone(), options.route.clone());
    let connect: Connect = Box::new(move || {
        let (origin, route) = (of.clone(), route.clone());
        Box::pin(async move { transport::connect(&origin, &route).await })
    });
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
    let mut link = Link::new(&address, options, None);
    prepare(&mut link);
    let context = SessionContext {
        link,
        end: End::Client(client),
    };
    session.run(HttpSession::new(make(address), context))
}

/// Gives a client session the connection that was opened for it.
pub(super) fn attach(link: &mut Link, halves: Halves) {
    let Halves {
        read,
        write,
        peer,
        tls,
    } = halves;
    let Some(address) = link.address.upgrade() else {
        return;
    };
    let wiring = wiring(read, address, link.epoch, &link.options);
    link.builder = Some(PayloadBuilder::of_responses(wiring).start());
    link.peer = peer;
    link.tls = tls;
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
