//! What the server and the client side share: the builder, the queues, the sending side, and the phase of the
//! connection (`phase.rs`). What an exchange is differs by side: see `server/` and `client/`.

mod phase;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::{Addr, Handler, Message, WeakAddr};
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::HttpSession;
use super::awaited::Awaited;
use super::builder::{Hosted, PayloadBuilder, Wiring};
use super::credit::Ledger;
use super::deadline::RareDeadline;
use super::handoff::Taker;
use super::inbound::{Credit, FromBuilder, IdleFor, Inbound};
use super::inbox::Inbox;
use super::leave::Leaving;
use super::memory::{Keeping, Stake};
use super::meter;
use super::options::SessionOptions;
use super::outbound::{Flow, Outbound, Room, Teardown};
use super::place::Place;
use super::role::Role;
use super::sink::{Loss, Sink};
use super::step::{Event, Step};
use super::trace::{Trace, Traced};
use super::unsent::{Unheard, Unsent};
use super::watch::Watchers;
use crate::error::{Refused, RefusedReason, UseError};
use crate::payload::{Headers, MessageId};
use crate::transport::{self, Halves, Peer, TlsInfo};
pub(super) use phase::Phase;

/// The connection, without the exchanges on it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) address: WeakAddr<HttpSession>,
    /// See [`kept_address`](Self::kept_address).
    kept: Option<Arc<Addr<HttpSession>>>,
    /// The receiving side. `None` while a client is not connected.
    pub(super) builder: Option<Place<Hosted>>,
    /// How a client's connection ended, once it has. What was received before is delivered first.
    pub(super) over: Option<io::ErrorKind>,
    pub(super) options: Arc<SessionOptions>,
    pub(super) peer: Peer,
    pub(super) tls: Option<Arc<TlsInfo>>,
    pub(super) opened: Instant,
    pub(super) phase: Phase,
    pub(super) inbox: Inbox,
    pub(super) ledger: Ledger,
    pub(super) events: VecDeque<Event>,
    pub(super) outbound: Outbound,
    pub(super) bytes_in: u64,
    /// Refusals for senders that do not await the answer.
    pub(super) unheard: Option<Rc<Unheard>>,
    /// Whether `refused` is being called. Refusals that this call causes are not reported, to avoid an endless loop.
    pub(super) telling_refusal: bool,
    /// The session was asked to end.
    pub(super) leaving: Option<Box<Leaving>>,
    /// Notifies those who wait for the session to be asked to leave. Made for the first of them.
    departure: Option<CancellationToken>,
    /// The actor that gets the inbound body instead of the handler.
    pub(super) sink: Option<Box<Sink>>,
    /// The session's part of its server's memory ceiling.
    pub(super) stake: Option<Rc<Stake>>,
    pub(super) watchers: Watchers,
    /// Takes the connection over.
    taker: Option<Taker>,
    pub(super) trace: Trace,
    pub(super) gauge: Option<meter::ConnectionGauge>,
    /// The timer of exchange deadlines: see `Side::poll`.
    pub(super) clock: RareDeadline,
    /// The time of this turn, once it was read.
    now: Cell<Option<Instant>>,
}

impl Link {
    /// A link without a connection.
    pub(super) fn new(
        address: WeakAddr<HttpSession>,
        options: Arc<SessionOptions>,
        write: Option<transport::WriteHalf>,
        now: Instant,
    ) -> Self {
        Self {
            address,
            kept: None,
            builder: None,
            over: None,
            peer: Peer::default(),
            tls: None,
            opened: now,
            phase: Phase::Open,
            inbox: Inbox::default(),
            ledger: Ledger::default(),
            events: VecDeque::new(),
            outbound: Outbound::new(write, options.clone()),
            bytes_in: 0,
            unheard: None,
            telling_refusal: false,
            leaving: None,
            departure: None,
            sink: None,
            stake: None,
            watchers: Watchers::default(),
            taker: None,
            gauge: None,
            trace: Trace {
                session: Traced::session(),
                ..Trace::default()
            },
            clock: RareDeadline::default(),
            now: Cell::new(None),
            options,
        }
    }

    /// The address of the session.
    pub(super) fn address(&self) -> Addr<HttpSession> {
        match self.address.upgrade() {
            Some(address) => address,
            None => unreachable!("an address can be made for as long as the mailbox lives"),
        }
    }

    /// The address that handles such as a responder share, and that a pool holds weakly. Making one takes two
    /// allocations, and if the last one is dropped, the session is woken. So the first is kept, as long as there is a
    /// connection: a client must notice that nobody has its address.
    pub(super) fn kept_address(&mut self) -> Option<&Arc<Addr<HttpSession>>> {
        self.builder.as_ref()?;
        if self.kept.is_none() {
            self.kept = Some(Arc::new(self.address()));
        }
        self.kept.as_ref()
    }

    /// The address for a handle.
    pub(super) fn shared_address(&mut self) -> Arc<Addr<HttpSession>> {
        match self.kept_address() {
            Some(kept) => kept.clone(),
            None => Arc::new(self.address()),
        }
    }

    /// The time, read once a turn.
    pub(super) fn now(&self) -> Instant {
        let now = self.now.get().unwrap_or_else(Instant::now);
        self.now.set(Some(now));
        now
    }

    /// The time. With a logger it is read again, because a handler may do all of its work in one turn.
    pub(super) fn exact_now(&self) -> Instant {
        if self.options.logger.is_some() {
            self.now.set(None);
        }
        self.now()
    }

    /// The turn is over: the time is read again in the next one.
    pub(super) fn end_turn(&self) {
        self.account();
        self.now.set(None);
    }

    /// Reports to the server how much waits here for the socket and for the handler.
    pub(super) fn account(&self) {
        if let Some(stake) = &self.stake {
            // Items that the end of the connection dropped stay in the ledger, because their credit is no longer
            // needed.
            let inbound = if self.inbox.is_empty() {
                0
            } else {
                self.ledger.waiting()
            };
            stake.hold(self.outbound.buffer.held() + inbound);
        }
    }

    /// Where a service counts what it holds for this session.
    pub(super) fn keeping(&self) -> Keeping {
        self.stake
            .as_ref()
            .map(|stake| stake.keeping())
            .unwrap_or_default()
    }

    /// Whether output waits for the socket.
    pub(super) fn has_output(&self) -> bool {
        !self.outbound.buffer.is_empty()
    }

    /// Checks the outbound buffer against its marks, and queues `throttled` or `unthrottled` for the handler.
    pub(super) fn weigh(&mut self) {
        match self.outbound.weigh() {
            Flow::Same => {}
            Flow::Throttled => self.events.push_back(Event::Throttled),
            Flow::Unthrottled => self.events.push_back(Event::Unthrottled),
        }
    }

    /// Queues for the handler the refusals that nobody awaits.
    pub(super) fn take_unheard_refusals(&mut self) {
        if let Some(unheard) = &self.unheard {
            for refused in unheard.take() {
                self.refuse(refused);
            }
        }
    }

    /// Whether a piece of the open body is missing.
    pub(super) fn has_lost_piece(&self) -> bool {
        self.unheard
            .as_ref()
            .is_some_and(|unheard| unheard.has_lost_piece())
    }

    /// The body that lost a piece is over.
    pub(super) fn clear_lost_piece(&self) {
        if let Some(unheard) = &self.unheard {
            unheard.clear_lost_piece();
        }
    }

    /// Queues a refusal for the handler.
    pub(super) fn refuse(&mut self, refused: Refused<Unsent>) {
        tracing::debug!(reason = %refused.reason, "a behaviour was refused and nobody waits for the answer");
        if !self.telling_refusal {
            self.events.push_back(Event::Refused(Box::new(refused)));
        }
    }

    /// Grants the builder new credit, unless items still wait to be delivered.
    pub(super) fn grant(&mut self) {
        if self.inbox.is_empty()
            && let Some(credit) = self.ledger.grant(Credit::of(&self.options.buffers))
        {
            self.tell(credit);
        }
    }

    /// Queues an item from the builder.
    pub(super) fn receive(&mut self, item: Inbound) {
        self.ledger.receive(item.cost());
        if self.is_open() {
            self.inbox.push(item);
        }
    }

    /// Queues all items of one read.
    pub(super) fn receive_all(&mut self, items: Vec<Inbound>, cost: Credit) {
        self.ledger.receive(cost);
        if self.is_open() {
            self.inbox.push_all(items);
        }
    }

    /// Takes the next item off the queue: its credit can be granted again.
    pub(super) fn take(&mut self) -> Option<Inbound> {
        let item = self.inbox.pop()?;
        self.ledger.spend(item.cost());
        Some(item)
    }

    /// Whether the next item waits for the answer of the actor that gets the body.
    pub(super) fn waits_for_sink(&self) -> bool {
        self.sink.as_ref().is_some_and(|sink| sink.is_busy())
            && matches!(
                self.inbox.front(),
                Some(Inbound::Chunk(_) | Inbound::Finish(_))
            )
    }

    /// Passes a part of a body to the actor that gets it. Returns the step if it is for the handler.
    pub(super) fn divert(&mut self, step: Step) -> Option<Step> {
        let Some(sink) = &mut self.sink else {
            return Some(step);
        };
        match step {
            Step::Chunk(data) => {
                let more = matches!(
                    self.inbox.front(),
                    Some(Inbound::Chunk(next)) if sink.joins(data.len(), next.len())
                );
                sink.data(data, more);
            }
            Step::Finished(trailers) => {
                if let Some(sink) = self.sink.take() {
                    sink.end(trailers.map(|trailers| *trailers));
                }
            }
            step => return Some(step),
        }
        None
    }

    /// Ready when the actor that gets the body has answered.
    pub(super) fn poll_sink(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Loss>> {
        match &mut self.sink {
            Some(sink) => sink.poll(cx),
            None => Poll::Pending,
        }
    }

    /// An exchange is over. An actor that still gets its body sees that it is incomplete.
    pub(super) fn cut_body(&mut self, exchange: MessageId) {
        self.sink.take_if(|sink| sink.exchange == exchange);
    }

    /// Sends a message to the builder, if there is one.
    pub(super) fn tell<M>(&mut self, message: M)
    where
        M: Message<Result = ()>,
        PayloadBuilder: Handler<M, Result = ()>,
    {
        if let Some(builder) = self.hosted() {
            builder.tell(message);
        }
    }

    /// The connection is idle from now on: the answer to an [`IdleQuery`](crate::session::inbound::IdleQuery) that came
    /// while it was not.
    #[cold]
    pub(super) fn tell_idle(&mut self) {
        if let Some(idle) = self.options.timeouts.idle {
            self.tell(IdleFor::at_least(idle));
        }
    }

    /// The next message from the builder.
    #[inline]
    pub(super) fn next_message(&mut self) -> Option<FromBuilder> {
        self.hosted()?.next_message()
    }

    /// Lets the builder read. With `told`, this turn has handled messages.
    pub(super) fn poll_builder(&mut self, told: bool, cx: &Context<'_>) {
        if let Some(builder) = self.hosted()
            && (!told || builder.is_woken())
        {
            builder.turn(told, cx);
        }
    }

    /// Whether the builder needs a turn without a wake.
    pub(super) fn is_builder_due(&mut self) -> bool {
        self.hosted().is_some_and(|builder| builder.is_due())
    }

    #[inline]
    fn hosted(&mut self) -> Option<&mut Hosted> {
        self.builder.as_mut()?.get_mut()
    }

    /// Frames body data of the open message.
    pub(super) fn send_data(&mut self, data: &Bytes) -> Result<Room, RefusedReason> {
        if self.outbound.is_full() {
            return Err(RefusedReason::Overrun);
        }
        let framed = self.outbound.encoder.data(data, &mut self.outbound.buffer);
        framed.map_err(|mistake| match mistake {
            UseError::BodyTooLong => RefusedReason::TooLong,
            mistake => mistake.into(),
        })?;
        self.weigh();
        Ok(self.outbound.room())
    }

    /// Ends the body of the open message.
    pub(super) fn end_data(&mut self, trailers: Option<&Headers>) -> Result<(), UseError> {
        self.outbound
            .encoder
            .finish(trailers, &mut self.outbound.buffer)
    }

    /// Attaches the connection that was opened for a client, and starts its builder.
    pub(super) fn attach(&mut self, halves: Halves, awaited: Awaited) {
        let Halves {
            read,
            write,
            peer,
            tls,
        } = self.options.tapped(halves);
        let builder = PayloadBuilder::of_responses(Wiring::new(read, &self.options), awaited);
        self.builder = Some(Place::new(Hosted::new(builder)));
        self.peer = peer;
        self.tls = tls;
        self.trace
            .session
            .connected(&self.peer, self.tls.as_deref());
        self.opened = Instant::now();
        self.gauge = Some(meter::ConnectionGauge::open(Role::Client));
        self.outbound.attach(write);
    }

    /// A client's connection broke. What came before is delivered first.
    pub(super) fn broke(&mut self, kind: io::ErrorKind) {
        self.outbound.abort(Teardown::Close);
        self.over = Some(kind);
    }

    /// Detaches a client's lost connection; another one may follow, even if the transport panics when it is dropped.
    pub(super) fn detach(&mut self, teardown: Teardown) {
        let gone = (self.builder.take(), self.outbound.detach(teardown));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(gone)));
        self.kept = None;
        self.gauge = None;
        self.over = None;
        self.inbox.clear();
        self.ledger = Ledger::default();
        self.weigh();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use actix::AsyncContext as _;
    use tokio::io::DuplexStream;
    use tokio::time::Instant;

    use super::Link;
    use crate::session::HttpSession;
    use crate::session::awaited::Awaited;
    use crate::session::outbound::Teardown;
    use crate::transport;

    /// Opens a connection. Returns its other end.
    fn connect(link: &mut Link) -> DuplexStream {
        let (near, far) = tokio::io::duplex(64);
        link.attach(transport::split(near), Awaited::default());
        far
    }

    /// The address of the handles is kept as long as the connection: a session must notice that nobody has its address.
    #[actix::test]
    async fn an_address_is_kept_with_the_connection() {
        let context = actix::Context::<HttpSession>::new();
        let address = context.address().downgrade();
        let mut link = Link::new(address, Arc::default(), None, Instant::now());
        drop(link.shared_address());
        assert!(!context.connected(), "there is no connection yet");
        let _far = connect(&mut link);
        let first = link.shared_address();
        assert!(Arc::ptr_eq(&first, &link.shared_address()));
        drop(first);
        assert!(context.connected());
        link.detach(Teardown::Close);
        assert!(!context.connected());
    }

    /// P84: nothing is heard of an earlier connection, not even what its builder had sent before it was lost.
    #[actix::test]
    async fn p84_an_earlier_connection_is_not_heard() {
        let address = actix::Context::<HttpSession>::new().address();
        let mut link = Link::new(address.downgrade(), Arc::default(), None, Instant::now());
        let cx = &Context::from_waker(Waker::noop());
        drop(connect(&mut link));
        link.poll_builder(false, cx);
        link.detach(Teardown::Close);
        assert!(link.next_message().is_none());
        let far = connect(&mut link);
        link.poll_builder(false, cx);
        assert!(link.next_message().is_none());
        drop(far);
        link.poll_builder(false, cx);
        assert!(
            link.next_message().is_some(),
            "it was the end of the server"
        );
    }
}
