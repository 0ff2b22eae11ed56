//! The sending side of a session: the encoder, the bytes that wait for the socket, and the senders that wait for room.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::deadline::RareDeadline;
use super::meter;
use super::options::{Buffers, SessionOptions};
use super::outbuf::OutBuf;
use super::waiter::Waiter;
use crate::error::RefusedReason;
use crate::transport;
use crate::wire::Encoder;

/// The factor by which the mark grows for a socket that takes all at once. This saves a fourth of the processor time of
/// sending 256 MiB; a factor of four, a fifth.
const FAST: usize = 6;

/// Whether there is room for more output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "when throttled, wait for `unthrottled` before sending more"]
pub enum Room {
    /// There is room: send more.
    Open,
    /// The data were accepted; send no more until `unthrottled`.
    Throttled,
}

/// How the transport ends when what waits for it is dropped. Of two, the greater counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Teardown {
    /// It closes as usual.
    Close,
    /// By a reset, so that the peer notices that something was cut short.
    Reset,
}

impl Teardown {
    /// A reset if something is cut short.
    pub(super) fn reset_if(cut: bool) -> Self {
        if cut { Self::Reset } else { Self::Close }
    }
}

/// What changed in the sending side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Same,
    Throttled,
    Unthrottled,
}

#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) encoder: Encoder,
    pub(super) buffer: OutBuf,
    /// `None` while a client is not connected.
    io: Option<transport::WriteHalf>,
    options: Arc<SessionOptions>,
    throttled: Option<Instant>,
    /// The socket took everything at once when there was more than the mark. The mark is higher until it does not.
    fast: bool,
    waiters: Vec<Box<dyn Waiter>>,
    stall: RareDeadline,
    /// How many bytes the socket had taken when the stall clock was last set.
    seen: u64,
    /// Whether there was something to write since the transport was last flushed.
    unflushed: bool,
    /// Whether the sending side is being shut.
    shutting: bool,
}

impl Outbound {
    pub(super) fn new(io: Option<transport::WriteHalf>, options: Arc<SessionOptions>) -> Self {
        Self {
            encoder: Encoder::default(),
            buffer: OutBuf::default(),
            io,
            options,
            throttled: None,
            fast: false,
            waiters: Vec::new(),
            stall: RareDeadline::default(),
            seen: 0,
            unflushed: false,
            shutting: false,
        }
    }

    pub(super) fn room(&self) -> Room {
        if self.throttled.is_some() {
            Room::Throttled
        } else {
            Room::Open
        }
    }

    pub(super) fn throttled_since(&self) -> Option<Instant> {
        self.throttled
    }

    /// Whether the hard cap is reached, so that nothing more is accepted.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= self.options.buffers.hard_cap
    }

    pub(super) fn is_below_high_water(&self) -> bool {
        self.buffer.len() <= self.high_water()
    }

    /// The high-water mark, raised for a fast socket, because long writes cost the kernel less.
    fn high_water(&self) -> usize {
        let Buffers {
            high_water,
            hard_cap,
            ..
        } = self.options.buffers;
        if self.fast {
            high_water.max((high_water.saturating_mul(FAST)).min(hard_cap / 2))
        } else {
            high_water
        }
    }

    /// Checks the marks. Must be called after something was added or written.
    pub(super) fn weigh(&mut self) -> Flow {
        let waiting = self.buffer.len();
        if self.throttled.is_none() && waiting > self.high_water() {
            self.throttled = Some(Instant::now());
            Flow::Throttled
        } else if self.throttled.is_some() && waiting <= self.options.buffers.low_water {
            meter::throttled(self.throttled.take());
            self.release(Ok(()));
            Flow::Unthrottled
        } else {
            Flow::Same
        }
    }

    /// Keeps a sender until there is room.
    pub(super) fn wait(&mut self, waiter: Box<dyn Waiter>) {
        if self.waiters.len() == self.waiters.capacity() {
            // Senders that never waited leave empty slots.
            self.waiters.retain(|waiter| waiter.is_waiting());
        }
        self.waiters.push(waiter);
    }

    pub(super) fn release(&mut self, result: Result<(), RefusedReason>) {
        for waiter in std::mem::take(&mut self.waiters) {
            waiter.release(result);
        }
    }

    /// Writes what waits. Ready when everything is written.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(io) = &mut self.io else {
            return Poll::Ready(Ok(()));
        };
        if !self.buffer.is_empty() {
            self.unflushed = true;
            let much = self.buffer.len() > self.options.buffers.high_water;
            let written = self.buffer.poll_write(&mut **io, cx);
            self.fast = written.is_ready() && (much || self.fast);
            ready!(written)?;
        }
        if self.unflushed {
            ready!(Pin::new(&mut **io).poll_flush(cx))?;
            self.unflushed = false;
            self.stall.set(None);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Some(io) => {
                self.shutting = true;
                Pin::new(&mut **io).poll_shutdown(cx)
            }
            None => Poll::Ready(Ok(())),
        }
    }

    pub(super) fn attach(&mut self, io: transport::WriteHalf) {
        self.io = Some(io);
        self.fast = false;
    }

    /// Gives the connection away.
    pub(super) fn surrender(&mut self) -> Option<transport::WriteHalf> {
        self.io.take()
    }

    /// Drops what waits for the connection, and returns it.
    pub(super) fn detach(&mut self, teardown: Teardown) -> Option<transport::WriteHalf> {
        self.abort(teardown);
        self.io.take()
    }

    /// Ready when output has waited for the full time and the socket took no byte. Each byte restarts the timer.
    pub(super) fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(patience) = self.options.timeouts.write else {
            return Poll::Pending;
        };
        if !self.unflushed && !self.shutting {
            return Poll::Pending;
        }
        let taken = self.taken();
        if self.stall.at().is_none() || self.seen != taken {
            self.seen = taken;
            self.stall.set(Instant::now().checked_add(patience));
        }
        self.stall.poll(cx)
    }

    /// Grows whenever the socket takes something. Bytes in a transport's own buffer do not count as progress.
    pub(super) fn taken(&self) -> u64 {
        let below = self.io.as_ref().and_then(|io| io.taken());
        below.unwrap_or_else(|| self.buffer.total())
    }

    /// The transport takes no more: drops what waits, and stops the write timer.
    pub(super) fn give_up(&mut self) {
        self.buffer.discard();
        self.unflushed = false;
        self.stall.set(None);
    }

    /// Whether the peer has sent bytes that were not read. `None` if only a read can tell.
    pub(super) fn has_input(&self) -> Option<bool> {
        self.io.as_ref().and_then(|io| io.has_input())
    }

    /// Drops what waits, and ends the transport.
    pub(super) fn abort(&mut self, teardown: Teardown) {
        self.give_up();
        self.encoder.abort();
        match (&mut self.io, teardown) {
            (Some(io), Teardown::Reset) => io.abort(),
            (Some(io), Teardown::Close) => io.close(),
            (None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;
    use crate::session::waiter::{Posted, reply_slot};

    /// Takes everything into a buffer, and passes nothing on.
    struct Hoard;

    impl tokio::io::AsyncWrite for Hoard {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            data: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(data.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl transport::Write for Valve {}

    impl transport::Write for Hoard {
        fn taken(&self) -> Option<u64> {
            Some(0)
        }
    }

    /// What a transport takes into its own buffer does not renew the write deadline.
    #[actix::test]
    async fn hoarding_is_no_progress() {
        tokio::time::pause();
        let patience = Duration::from_secs(10);
        let mut options = SessionOptions::default();
        options.timeouts.write = Some(patience);
        let mut outbound = Outbound::new(Some(transport::WriteHalf::new(Hoard)), options.into());
        let begun = Instant::now();
        for _ in 0..9 {
            crate::wire::Output::body(&mut outbound.buffer, &"data".into());
            let stalled = std::future::poll_fn(|cx| {
                assert!(outbound.poll_flush(cx).is_pending());
                outbound.poll_stall(cx)
            });
            // The output is taken, and the timer keeps running.
            let stalled = tokio::time::timeout(Duration::from_secs(1), stalled).await;
            assert!(stalled.is_err());
            assert!(outbound.buffer.is_empty());
        }
        std::future::poll_fn(|cx| outbound.poll_stall(cx)).await;
        assert_eq!(begun.elapsed().as_secs(), patience.as_secs());
    }

    /// Takes this many bytes more. Nothing is flushed before there is room again.
    struct Valve(Arc<AtomicUsize>);

    impl tokio::io::AsyncWrite for Valve {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            data: &[u8],
        ) -> Poll<io::Result<usize>> {
            ready!(self.as_mut().poll_flush(cx))?;
            let taken = data.len().min(self.0.load(Ordering::Relaxed));
            self.0.fetch_sub(taken, Ordering::Relaxed);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            match self.0.load(Ordering::Relaxed) {
                0 => Poll::Pending,
                _ => Poll::Ready(Ok(())),
            }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// An outbound side on a [`Valve`], and how much this takes: nothing, at first.
    fn valve(options: SessionOptions) -> (Outbound, Arc<AtomicUsize>) {
        let room = Arc::<AtomicUsize>::default();
        let io = transport::WriteHalf::new(Valve(room.clone()));
        (Outbound::new(Some(io), options.into()), room)
    }

    fn add(outbound: &mut Outbound, length: usize) -> Flow {
        crate::wire::Output::body(&mut outbound.buffer, &vec![0; length].into());
        outbound.weigh()
    }

    fn flush(outbound: &mut Outbound) -> Flow {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let _ = outbound.poll_flush(&mut cx);
        outbound.weigh()
    }

    /// How much a sender can add that continues while there is room.
    fn fill(outbound: &mut Outbound) -> usize {
        let before = outbound.buffer.len();
        while outbound.room() == Room::Open {
            add(outbound, PIECE);
        }
        outbound.buffer.len() - before
    }

    const PIECE: usize = 10_000;

    /// A socket that takes all at once gets more at a time, until it does not.
    #[test]
    fn a_fast_socket_gets_more_at_a_time() {
        let buffers = Buffers::default();
        let (mut outbound, room) = valve(SessionOptions::default());
        room.store(usize::MAX, Ordering::Relaxed);
        // Not more than the mark: that says nothing.
        add(&mut outbound, buffers.high_water);
        flush(&mut outbound);
        let usual = fill(&mut outbound);
        assert!((buffers.high_water..buffers.high_water + PIECE).contains(&(usual - 1)));
        flush(&mut outbound);
        // Less does not end it.
        add(&mut outbound, 1);
        flush(&mut outbound);
        let fast = buffers.high_water * FAST;
        let more = fill(&mut outbound);
        assert!((fast..fast + PIECE).contains(&(more - 1)), "{more}");
        flush(&mut outbound);
        // Another socket has not shown it yet.
        outbound.attach(transport::WriteHalf::new(Valve(room.clone())));
        assert_eq!(fill(&mut outbound), usual);
        flush(&mut outbound);
        // Once the socket takes nothing, the usual mark applies to what waits already.
        assert_eq!(add(&mut outbound, usual), Flow::Same);
        room.store(0, Ordering::Relaxed);
        assert_eq!(flush(&mut outbound), Flow::Throttled);
        // The cap is never exceeded, whatever the mark.
        let mut options = SessionOptions::default();
        options.buffers.hard_cap = buffers.high_water;
        let (mut outbound, room) = valve(options);
        room.store(usize::MAX, Ordering::Relaxed);
        assert_eq!(fill(&mut outbound), usual);
        flush(&mut outbound);
        assert_eq!(fill(&mut outbound), usual);
    }

    /// What reaches a mark exactly.
    #[test]
    fn marks_are_exact() {
        let mut options = SessionOptions::default();
        options.buffers.low_water = 4;
        options.buffers.high_water = 10;
        options.buffers.hard_cap = 20;
        let (mut outbound, room) = valve(options);
        for (added, flow, full) in [
            (10, Flow::Same, false),
            (1, Flow::Throttled, false),
            (8, Flow::Same, false),
            (1, Flow::Same, true),
        ] {
            assert_eq!(add(&mut outbound, added), flow, "{added}");
            assert_eq!(outbound.is_below_high_water(), added == 10);
            assert_eq!(outbound.is_full(), full);
        }
        for (taken, flow) in [(15, Flow::Same), (1, Flow::Unthrottled)] {
            room.store(taken, Ordering::Relaxed);
            assert_eq!(flush(&mut outbound), flow, "{taken}");
        }
    }

    /// The write timer is for one wait. What waited before, or for another connection, has no part in it.
    #[actix::test]
    async fn each_wait_has_its_time() {
        tokio::time::pause();
        let patience = Duration::from_secs(10);
        let stalls = async |outbound: &mut Outbound, within| {
            let stalled = std::future::poll_fn(|cx| outbound.poll_stall(cx));
            tokio::time::timeout(within, stalled).await.is_ok()
        };
        let ends: [fn(&mut Outbound, &AtomicUsize); 4] = [
            |outbound, room| {
                room.store(1, Ordering::Relaxed);
                flush(outbound);
                room.store(0, Ordering::Relaxed);
            },
            |outbound, _| outbound.give_up(),
            |outbound, _| outbound.abort(Teardown::Close),
            |outbound, _| drop(outbound.detach(Teardown::Close)),
        ];
        for (nth, end) in ends.into_iter().enumerate() {
            let mut options = SessionOptions::default();
            options.timeouts.write = Some(patience);
            let (mut outbound, room) = valve(options);
            // It is all taken, and not flushed.
            add(&mut outbound, 10);
            room.store(10, Ordering::Relaxed);
            flush(&mut outbound);
            assert!(!stalls(&mut outbound, patience / 2).await);
            end(&mut outbound, &room);
            let stalled = stalls(&mut outbound, patience * 2).await;
            assert!(!stalled, "{nth}: nothing waits");
            outbound.attach(transport::WriteHalf::new(Valve(room)));
            add(&mut outbound, 10);
            flush(&mut outbound);
            let begun = Instant::now();
            assert!(stalls(&mut outbound, patience * 2).await);
            assert_eq!(begun.elapsed().as_secs(), patience.as_secs(), "{nth}");
        }
    }

    /// Senders that do not wait for room leave nothing behind, however many pieces they send. All others are answered.
    #[test]
    fn empty_seats_are_cleared() {
        let mut outbound = Outbound::new(None, Arc::default());
        let mut waiting = Vec::new();
        for number in 0..10_000 {
            let (slot, waiter) = reply_slot(|room| room);
            let (sender, receiver) = oneshot::channel();
            // Every other was sent by `do_send`.
            slot.set((number % 2 == 1).then_some(sender));
            outbound.wait(waiter);
            let (sender, posted) = oneshot::channel();
            outbound.wait(Box::new(Posted(sender)));
            if number % 1_000 == 1 {
                waiting.push((receiver, posted));
            }
            assert!(outbound.waiters.len() <= 64);
        }
        outbound.release(Ok(()));
        assert!(!waiting.is_empty());
        for (mut receiver, mut posted) in waiting {
            assert_eq!(receiver.try_recv(), Ok(Ok(())));
            assert_eq!(posted.try_recv(), Ok(Ok(())));
        }
    }
}
