//! The start of a session: at a server with its connection, at a client with the way to one.

mod tunnel;
mod way;

use std::rc::Rc;
use std::sync::Arc;
use std::thread::LocalKey;

use actix::dev::ContextFut;
use actix::{Actor as _, Addr, AsyncContext as _};
use actix_rt::ArbiterHandle;
use tokio::time::Instant;

use super::HttpSession;
use super::builder::{Hosted, PayloadBuilder, Wiring};
use super::client::{Client, Connection};
use super::context::SessionContext;
use super::handler::HttpHandler;
use super::link::Link;
use super::meter;
use super::options::SessionOptions;
use super::place::{Kept, Place, Placed};
use super::role::Role;
use super::server::Server;
use super::side::Side;
use super::tenure::Tenure;
use crate::payload::Spare;
use crate::transport::Halves;

pub(crate) use way::Way;

/// Starts the two actors of a server connection on the current arbiter. Returns what was made beside the handler.
pub(crate) fn open<T>(
    halves: Halves,
    options: Arc<SessionOptions>,
    mut tenure: Tenure,
    make: impl FnOnce(Addr<HttpSession>) -> (Box<dyn HttpHandler>, T),
) -> T {
    let Halves {
        read,
        write,
        peer,
        tls,
    } = options.tapped(halves);
    let session = actix::Context::<HttpSession>::new();
    let address = session.address();
    let weak = address.downgrade();
    // Each address costs two allocations, so there is only this one.
    let (handler, beside) = make(address);
    let now = Instant::now();
    // Built in place as far as possible, because it is half a KiB.
    let mut actor = HttpSession::new(
        handler,
        SessionContext {
            link: Link::new(weak, options, Some(write), now),
            side: Side::Server(Server::new(now)),
        },
    );
    let link = &mut actor.context.link;
    link.stake = tenure.stake.take().map(Rc::new);
    let stake = link.stake.as_ref().map(Rc::downgrade).unwrap_or_default();
    link.peer = peer;
    link.tls = tls;
    link.trace
        .session
        .connected(&link.peer, link.tls.as_deref());
    link.gauge = Some(meter::ConnectionGauge::open(Role::Server));
    let wiring = Wiring::new(read, &link.options);
    let builder = PayloadBuilder::of_requests(wiring, tenure, stake, now);
    link.builder = Some(Place::new(Hosted::new(builder)));
    // Boxed, because the size of a task is rounded up to a multiple of 128 bytes.
    actix_rt::spawn(Place::new(session.into_future(actor)));
    beside
}

/// Starts a client session that connects when it has something to send.
pub(super) fn connect(
    way: Way,
    options: Arc<SessionOptions>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
) -> Addr<HttpSession> {
    let session = actix::Context::<HttpSession>::new();
    let address = session.address();
    session.run(client(&address, way.client(&options), None, options, make))
}

/// Like [`connect`], on another arbiter and from any thread. Returns the address at once; if the arbiter is gone, the
/// address is closed.
pub(crate) fn connect_on(
    arbiter: &ArbiterHandle,
    way: Way,
    options: Arc<SessionOptions>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler> + Send + 'static,
) -> Addr<HttpSession> {
    HttpSession::start_in_arbiter(arbiter, move |ctx| {
        client(&ctx.address(), way.client(&options), None, options, make)
    })
}

/// Starts a client session on a connection that is open.
pub(super) fn given(
    halves: Halves,
    host: String,
    options: Arc<SessionOptions>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
) -> Addr<HttpSession> {
    let side = Client::new(Connection::given(), host, None, Instant::now());
    let session = actix::Context::<HttpSession>::new();
    let address = session.address();
    session.run(client(&address, side, Some(halves), options, make))
}

fn client(
    address: &Addr<HttpSession>,
    mut side: Client,
    halves: Option<Halves>,
    options: Arc<SessionOptions>,
    make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler>,
) -> HttpSession {
    let mut link = Link::new(address.downgrade(), options, None, Instant::now());
    if let Some(halves) = halves {
        side.attach(&mut link, halves);
    }
    let context = SessionContext {
        link,
        side: Side::Client(Box::new(side)),
    };
    HttpSession::new(make(address.clone()), context)
}

impl Placed for ContextFut<HttpSession, actix::Context<HttpSession>> {
    fn boxes() -> &'static LocalKey<Spare<Kept<Self>>> {
        thread_local! {
            static BOXES: Spare<Kept<ContextFut<HttpSession, actix::Context<HttpSession>>>> =
                const { Spare::new(64) };
        }
        &BOXES
    }
}
