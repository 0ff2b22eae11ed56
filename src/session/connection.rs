//! The start of a connection: its two actors.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor as _, Addr, AsyncContext as _};
use actix_rt::ArbiterHandle;
use tokio::time::Instant;

use super::HttpSession;
use super::awaited::Awaited;
use super::builder::{PayloadBuilder, Wiring};
use super::client::{Client, Connect, Connection, Through, tunnel};
use super::context::SessionContext;
use super::handler::HttpHandler;
use super::inbound::Epoch;
use super::link::Link;
use super::meter;
use super::options::SessionOptions;
use super::pair;
use super::place::Place;
use super::role::Role;
use super::server::Server;
use super::side::Side;
use super::tenure::Tenure;
use crate::transport::{self, ConnectError, Halves, Origin, Scheme};
use crate::wire::Rules;

/// Starts the two actors of a server connection on the current arbiter. Returns what was made beside the handler.
pub(super) fn open<T>(
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
    let builder = actix::Context::<PayloadBuilder>::new();
    let address = session.address();
    // Each address costs two allocations, so the code makes as few as possible.
    let (handler, beside) = make(address.clone());
    let now = Instant::now();
    // Built in place as far as possible, because it is half a KiB.
    let mut actor = HttpSession::new(
        handler,
        SessionContext {
            link: Link::new(&address, options, Some(write), now),
            side: Side::Server(Server::new(now)),
        },
    );
    let link = &mut actor.context.link;
    link.stake = tenure.stake.take().map(Rc::new);
    let stake = link.stake.as_ref().map(Rc::downgrade).unwrap_or_default();
    link.builder = Some(builder.address());
    link.peer = peer;
    link.tls = tls;
    link.trace
        .session
        .connected(&link.peer, link.tls.as_deref());
    link.counted = Some(meter::ConnectionGauge::open(Role::Server));
    let wiring = wiring(read, address, Epoch::default(), &link.options);
    pair::spawn(
        Place::new(builder.into_future(PayloadBuilder::of_requests(wiring, tenure, stake, now))),
        Place::new(session.into_future(actor)),
    );
    beside
}

/// Where a client session connects to, and through what.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) origin: Origin,
    /// The proxy to connect to instead, and its credentials.
    pub(crate) proxy: Option<(Origin, Through)>,
}

impl Way {
    /// Straight to the origin.
    pub(super) fn to(origin: Origin) -> Self {
        Self {
            origin,
            proxy: None,
        }
    }

    fn client(self, options: &Arc<SessionOptions>) -> Client {
        let host = self.origin.authority().to_owned();
        let origin = self.origin.clone();
        // Through a tunnel, requests are addressed to the server and not to the proxy.
        let through = self
            .proxy
            .as_ref()
            .filter(|_| origin.scheme() == Scheme::Http)
            .map(|(_, through)| through.clone());
        let options = options.clone();
        let connect: Connect = Box::new(move || {
            let (way, options) = (self.clone(), options.clone());
            Box::pin(async move { way.connect(&options).await })
        });
        let connection = Connection::lazy(connect);
        Client::new(connection, host, Some(origin), Instant::now()).through(through)
    }

    async fn connect(self, options: &Arc<SessionOptions>) -> Result<Halves, ConnectError> {
        let route = &options.route;
        let patience = options.timeouts.patience();
        let Some((proxy, through)) = &self.proxy else {
            return transport::connect(&self.origin, route, patience).await;
        };
        let halves = transport::connect(proxy, route, patience).await?;
        match self.origin.scheme() {
            Scheme::Http => Ok(halves),
            Scheme::Https => {
                let tunnel = tunnel(halves, &self.origin, through, options).await?;
                transport::secure(tunnel, &self.origin, route).await
            }
        }
    }
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
pub(super) fn connect_on(
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
    let mut link = Link::new(address, options, None, Instant::now());
    if let Some(halves) = halves {
        side.connection.attach(&mut link, halves);
    }
    let context = SessionContext {
        link,
        side: Side::Client(Box::new(side)),
    };
    HttpSession::new(make(address.clone()), context)
}

/// Gives a client session the connection that was opened for it.
pub(super) fn attach(link: &mut Link, halves: Halves, awaited: Awaited) {
    let Halves {
        read,
        write,
        peer,
        tls,
    } = link.options.tapped(halves);
    let Some(address) = link.address.upgrade() else {
        return;
    };
    let wiring = wiring(read, address, link.epoch, &link.options);
    link.builder = Some(PayloadBuilder::of_responses(wiring, awaited).start());
    link.peer = peer;
    link.tls = tls;
    link.trace
        .session
        .connected(&link.peer, link.tls.as_deref());
    link.opened = Instant::now();
    link.counted = Some(meter::ConnectionGauge::open(Role::Client));
    link.outbound.attach(write);
}

fn wiring(
    read: transport::ReadHalf,
    session: Addr<HttpSession>,
    epoch: Epoch,
    options: &Arc<SessionOptions>,
) -> Wiring {
    Wiring {
        read,
        session,
        epoch,
        rules: rules(options),
        options: options.clone(),
    }
}

/// The decoding rules of a connection, shared with the last connection on this thread if they are equal. That saves a
/// hundred bytes.
fn rules(options: &SessionOptions) -> Arc<Rules> {
    thread_local! {
        static LAST: RefCell<Arc<Rules>> = RefCell::default();
    }
    let rules = Rules {
        limits: options.limits.clone(),
        leniency: options.leniency,
    };
    LAST.with_borrow_mut(|last| {
        if **last != rules {
            *last = Arc::new(rules);
        }
        last.clone()
    })
}
