//! The boxes for the futures of actors, which a thread keeps for the next connection.
//!
//! The two actors of a connection are almost two kilobytes. If many connections come and go at once, that is more than
//! the allocator caches: 4 % of the processor time of a connection with one request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::LocalKey;

use crate::payload::Spare;

/// A box that may contain a future.
pub(super) type Kept<F> = Pin<Box<Option<F>>>;

/// A future whose boxes a thread keeps.
pub(super) trait Placed: Future<Output = ()> + Sized + 'static {
    fn boxes() -> &'static LocalKey<Spare<Kept<Self>>>;
}

/// A future in its box.
pub(super) struct Place<F: Placed>(Option<Kept<F>>);

impl<F: Placed> Place<F> {
    pub(super) fn new(future: F) -> Self {
        Self(Some(match Spare::take_from(F::boxes()) {
            Some(mut kept) => {
                kept.set(Some(future));
                kept
            }
            None => Box::pin(Some(future)),
        }))
    }
}

impl<F: Placed + Unpin> Place<F> {
    #[inline]
    pub(super) fn get_mut(&mut self) -> Option<&mut F> {
        self.0.as_mut()?.as_mut().get_mut().as_mut()
    }
}

impl<F: Placed> fmt::Debug for Place<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
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
