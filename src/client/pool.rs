//! The sessions of a client, by origin.
//!
//! A session is leased to one request at a time. A semaphore bounds the number of sessions, and its queue is the queue
//! of waiting requests, first in, first out; a dropped wait leaves nothing behind. The pool holds idle sessions
//! ([`Idle`]) by a weak reference to the address that each keeps while its connection is open: when the connection
//! closes, the session ends by itself. An origin is forgotten with its last lease and its last session. No lock is held
//! across an await.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use actix::Addr;
use http::Uri;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::idle::Idle;
use crate::error::UseError;
use crate::session::{Dispose, HttpSession, Way};
use crate::transport::Origin;

/// All origins that are in use.
pub(super) struct Pool {
    hosts: Mutex<HashMap<Origin, Weak<Host>>>,
    /// The origin used last: most requests go to the same origin as the one before.
    last: Mutex<Weak<Host>>,
    idle: SharedIdle,
    connections: usize,
    max_idle: usize,
}

type SharedIdle = Arc<Mutex<Idle<Addr<HttpSession>>>>;

/// One origin.
pub(super) struct Host {
    pub(super) way: Way,
    seats: Arc<Semaphore>,
    /// How many seats there are.
    connections: usize,
    /// Requests that wait for a seat.
    waiting: AtomicUsize,
    /// `None` for a lease [`apart`](Lease::apart): none is kept.
    idle: Option<Place>,
    max_idle: usize,
    pool: Weak<Pool>,
    /// Whose seats these are, if this is for a lease apart: it is kept alive.
    _owner: Option<Arc<Self>>,
}

/// Where the idle sessions of an origin are.
struct Place {
    idle: SharedIdle,
    stack: usize,
}

/// The right to one connection of an origin. It also keeps the origin alive.
pub(super) struct Lease {
    pub(super) host: Arc<Host>,
    seat: Option<OwnedSemaphorePermit>,
}

impl Pool {
    /// For this many connections to each origin, of which so many are kept when they are idle, and for so many idle
    /// ones in all.
    pub(super) fn new(connections: usize, max_idle: usize, in_all: usize) -> Arc<Self> {
        Arc::new(Self {
            hosts: Mutex::default(),
            last: Mutex::default(),
            idle: Arc::new(Mutex::new(Idle::new(in_all))),
            connections,
            max_idle,
        })
    }

    /// The entry for the origin of a URL. It is made for the first request.
    pub(super) fn host(
        self: &Arc<Self>,
        uri: &Uri,
        way: impl FnOnce(Origin) -> Way,
    ) -> Result<Arc<Host>, UseError> {
        // A separate statement, so that the lock ends here: dropping a host takes it.
        let last = lock(&self.last).upgrade();
        if let Some(host) = last.filter(|host| host.way.origin.begins(uri)) {
            return Ok(host);
        }
        let host = self.known(Origin::try_from(uri)?, way);
        *lock(&self.last) = Arc::downgrade(&host);
        Ok(host)
    }

    fn known(self: &Arc<Self>, origin: Origin, way: impl FnOnce(Origin) -> Way) -> Arc<Host> {
        let mut hosts = lock(&self.hosts);
        if let Some(host) = hosts.get(&origin).and_then(Weak::upgrade) {
            return host;
        }
        let host = Arc::new(Host {
            way: way(origin.clone()),
            seats: Arc::new(Semaphore::new(self.connections)),
            connections: self.connections,
            waiting: AtomicUsize::new(0),
            idle: Some(Place {
                idle: self.idle.clone(),
                stack: lock(&self.idle).add_stack(),
            }),
            max_idle: self.max_idle,
            pool: Arc::downgrade(self),
            _owner: None,
        });
        hosts.insert(origin, Arc::downgrade(&host));
        host
    }

    pub(super) fn origins(&self) -> usize {
        lock(&self.hosts).len()
    }
}

/// The idle connections close with the last clone of the client.
impl Drop for Pool {
    fn drop(&mut self) {
        let idle = lock(&self.idle).close();
        for session in idle.iter().filter_map(Weak::upgrade) {
            session.do_send(Dispose);
        }
    }
}

impl Host {
    /// A connection, if one is free and nobody waits for it.
    pub(super) fn try_lease(self: &Arc<Self>) -> Option<Lease> {
        let seat = self.seats.clone().try_acquire_owned().ok()?;
        Some(self.seated(Some(seat)))
    }

    /// Waits until a connection is free.
    pub(super) async fn lease(self: Arc<Self>) -> Lease {
        let _queued = Queued::at(&self);
        // This fails only for a closed semaphore, and this one is never closed.
        let seat = self.seats.clone().acquire_owned().await.ok();
        self.seated(seat)
    }

    fn seated(self: &Arc<Self>, seat: Option<OwnedSemaphorePermit>) -> Lease {
        Lease {
            host: self.clone(),
            seat,
        }
    }
}

/// A request that waits for a connection, until it is dropped.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    /// The first one to wait says so. Those that join it do not, however many they are: without a limit on the wait,
    /// connections that never come back (bodies that nobody reads) would hang in silence, and a log that repeats it for
    /// each request would drown all else.
    fn at(host: &'a Host) -> Self {
        if host.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                origin = %host.way.origin,
                connections = host.connections,
                "all connections to an origin are in use: requests wait"
            );
        }
        Self(&host.waiting)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Removes the origin from the pool, unless a new entry has replaced it.
impl Drop for Host {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            let mut hosts = lock(&pool.hosts);
            if hosts
                .get(&self.way.origin)
                .is_some_and(|host| host.strong_count() == 0)
            {
                hosts.remove(&self.way.origin);
            }
        }
    }
}

impl Lease {
    /// The session that was used last, if one is idle.
    pub(super) fn idle_session(&self) -> Option<Arc<Addr<HttpSession>>> {
        let Place { idle, stack } = self.host.idle.as_ref()?;
        let mut idle = lock(idle);
        std::iter::from_fn(|| idle.pop(*stack)).find_map(|session| session.upgrade())
    }

    /// The same right, for a connection that is opened in this way, and that the pool does not keep.
    pub(super) fn apart(self, way: Way) -> Self {
        let host = Host {
            way,
            seats: self.host.seats.clone(),
            connections: self.host.connections,
            waiting: AtomicUsize::new(0),
            idle: None,
            max_idle: 0,
            pool: Weak::new(),
            _owner: Some(self.host),
        };
        Self {
            host: Arc::new(host),
            seat: self.seat,
        }
    }

    /// Ends the lease, and returns the session to the pool if it can be used again. False if the pool does not keep it.
    pub(super) fn give_back(&mut self, session: Option<&Arc<Addr<HttpSession>>>) -> bool {
        let kept = session.is_some_and(|session| self.host.keep(session));
        // ORDER: after the session was returned, so that the request that gets the seat finds it.
        self.seat = None;
        kept
    }
}

impl Host {
    /// Keeps a session for the next request. If there are too many of all origins, the oldest closes.
    fn keep(&self, session: &Arc<Addr<HttpSession>>) -> bool {
        let Some(Place { idle, stack }) = &self.idle else {
            return false;
        };
        let mut idle = lock(idle);
        if !idle.takes(*stack, self.max_idle) {
            return false;
        }
        let oldest = idle.make_room();
        idle.push(*stack, session);
        drop(idle);
        if let Some(oldest) = oldest {
            oldest.do_send(Dispose);
        }
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.idle).remove_stack(self.stack);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("origin", &self.host.way.origin)
            .finish_non_exhaustive()
    }
}
