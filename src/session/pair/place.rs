//! The boxes for the futures of actors, which a thread keeps for the next connection.
//!
//! The two actors of a connection are almost two kilobytes. If many connections come and go at once, that is more than
//! the allocator caches: 4 % of the processor time of a connection with one request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::LocalKey;

use actix::dev::ContextFut;

use super::Pair;
use crate::payload::Spare;
use crate::session::HttpSession;
use crate::session::builder::PayloadBuilder;

/// A box that may contain a future.
type Kept<F> = Pin<Box<Option<F>>>;

type Session = ContextFut<HttpSession, actix::Context<HttpSession>>;
type Builder = ContextFut<PayloadBuilder, actix::Context<PayloadBuilder>>;
type Both = Pair<Place<Builder>, Place<Session>>;

thread_local! {
    static SESSIONS: Spare<Kept<Session>> = const { Spare::new(64) };
    static BUILDERS: Spare<Kept<Builder>> = const { Spare::new(64) };
    static PAIRS: Spare<Kept<Both>> = const { Spare::new(64) };
}

/// A future whose boxes a thread keeps.
pub(in crate::session) trait Placed:
    Future<Output = ()> + Sized + 'static
{
    fn boxes() -> &'static LocalKey<Spare<Kept<Self>>>;
}

impl Placed for Session {
    fn boxes() -> &'static LocalKey<Spare<Kept<Self>>> {
        &SESSIONS
    }
}

impl Placed for Builder {
    fn boxes() -> &'static LocalKey<Spare<Kept<Self>>> {
        &BUILDERS
    }
}

impl Placed for Both {
    fn boxes() -> &'static LocalKey<Spare<Kept<Self>>> {
        &PAIRS
    }
}

/// A future in its box.
pub(in crate::session) struct Place<F: Placed>(Option<Kept<F>>);

impl<F: Placed> Place<F> {
    pub(in crate::session) fn new(future: F) -> Self {
        Self(Some(match Spare::take_from(F::boxes()) {
            Some(mut kept) => {
                kept.set(Some(future));
                kept
            }
            None => Box::pin(Some(future)),
        }))
    }
}

impl<F: Placed> Future for Place<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.0.as_mut().and_then(|kept| kept.as_mut().as_pin_mut()) {
            Some(future) => future.poll(cx),
            None => Poll::Ready(()),
        }
    }
}

/// The box goes back to the thread, empty.
impl<F: Placed> Drop for Place<F> {
    fn drop(&mut self) {
        if let Some(mut kept) = self.0.take() {
            kept.set(None);
            Spare::give_to(F::boxes(), kept);
        }
    }
}
