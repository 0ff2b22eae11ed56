//! The channel between the two actors of a connection.
//!
//! Both are always on one thread, so their messages need no mailbox, which is made for many threads: a message in it is
//! two allocations and eight locked instructions. Each actor handles what came for it in its I/O future, after its
//! mailbox, in the order in which it was sent.
//!
//! Credit bounds what waits for the session. The builder is woken by each message, and takes all that wait at once.
//!
//! Who drops its end disconnects the other one. A client makes a new channel for each connection, so nothing is heard
//! of an earlier one (P84).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

use super::inbound::{FromBuilder, FromSession};

/// Makes the channel of one connection.
pub(super) fn channel() -> (SessionEnd, BuilderEnd) {
    let shared = Rc::<Shared>::default();
    (SessionEnd(shared.clone()), BuilderEnd(shared))
}

/// The end of the session. When it is dropped, the builder is woken, and ends.
#[derive(Debug)]
pub(super) struct SessionEnd(Rc<Shared>);

/// The end of the builder.
#[derive(Debug)]
pub(super) struct BuilderEnd(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    to_session: RefCell<Queue<FromBuilder>>,
    to_builder: RefCell<Queue<FromSession>>,
}

/// The messages in one direction.
#[derive(Debug)]
struct Queue<M> {
    /// `None` only if `rest` is empty too. A turn rarely has more than one message.
    first: Option<M>,
    rest: VecDeque<M>,
    /// Wakes the receiver.
    waker: Option<Waker>,
}

impl SessionEnd {
    pub(super) fn send(&self, message: impl Into<FromSession>) {
        self.0.to_builder.borrow_mut().push(message.into());
    }

    /// The next message from the builder. If there is none, the task is woken when one comes.
    pub(super) fn next(&self, cx: &Context<'_>) -> Option<FromBuilder> {
        self.0.to_session.borrow_mut().next(cx)
    }
}

impl Drop for SessionEnd {
    fn drop(&mut self) {
        self.0.to_builder.borrow().wake();
    }
}

impl BuilderEnd {
    pub(super) fn send(&self, message: impl Into<FromBuilder>) {
        self.0.to_session.borrow_mut().push(message.into());
    }

    /// The next message from the session. If there is none, the task is woken when one comes, or the session is gone.
    pub(super) fn next(&self, cx: &Context<'_>) -> Option<FromSession> {
        self.0.to_builder.borrow_mut().next(cx)
    }

    /// Whether the session has dropped its end.
    pub(super) fn is_alone(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }
}

impl<M> Queue<M> {
    fn push(&mut self, message: M) {
        if self.first.is_none() {
            self.first = Some(message);
        } else {
            self.rest.push_back(message);
        }
        self.wake();
    }

    #[inline]
    fn next(&mut self, cx: &Context<'_>) -> Option<M> {
        let next = self.first.take();
        if next.is_some() {
            self.first = self.rest.pop_front();
        } else if !self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            self.waker = Some(cx.waker().clone());
        }
        next
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl<M> Default for Queue<M> {
    fn default() -> Self {
        Self {
            first: None,
            rest: VecDeque::new(),
            waker: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use bytes::Bytes;

    use super::*;
    use crate::session::inbound::{Chunk, Finish, Linger, Resume};

    #[derive(Default)]
    struct Wakes(AtomicU32);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Wakes {
        fn take(&self) -> u32 {
            self.0.swap(0, Ordering::Relaxed)
        }
    }

    /// Order is kept, however many messages wait and were taken before more came.
    #[test]
    fn order_is_kept() {
        for taken in 0..4 {
            let (session, builder) = channel();
            let cx = &Context::from_waker(Waker::noop());
            let number = || match session.next(cx)? {
                FromBuilder::Chunk(Chunk(data)) => Some(data.len()),
                other => panic!("{other:?}"),
            };
            let send = |number| builder.send(Chunk(Bytes::from(vec![0; number])));
            (0..3).for_each(send);
            let mut order: Vec<_> = (0..taken).map_while(|_| number()).collect();
            (3..6).for_each(send);
            order.extend(std::iter::from_fn(number));
            assert_eq!(order, [0, 1, 2, 3, 4, 5]);
        }
    }

    /// Who found nothing is woken by what comes then, in the task that looked last.
    #[test]
    fn a_message_wakes_its_receiver() {
        let (session, builder) = channel();
        let (first, last) = (Arc::<Wakes>::default(), Arc::<Wakes>::default());
        for wakes in [&first, &last] {
            let waker = wakes.clone().into();
            assert!(session.next(&Context::from_waker(&waker)).is_none());
        }
        session.send(Resume);
        assert_eq!((first.take(), last.take()), (0, 0), "it is for the builder");
        builder.send(Finish(None));
        assert_eq!((first.take(), last.take()), (0, 1));
        let waker = last.clone().into();
        assert!(session.next(&Context::from_waker(&waker)).is_some());
        builder.send(Finish(None));
        assert_eq!((first.take(), last.take()), (0, 1), "again");
    }

    /// A builder gets what was sent before the end of its session, and is woken for the end.
    #[test]
    fn a_builder_notices_the_end_of_its_session() {
        let (session, builder) = channel();
        let woken = Arc::<Wakes>::default();
        let waker = woken.clone().into();
        let cx = &Context::from_waker(&waker);
        assert!(builder.next(cx).is_none());
        assert!(!builder.is_alone());
        drop(session);
        assert_eq!(woken.take(), 1);
        assert!(builder.is_alone());

        let (session, builder) = channel();
        session.send(Linger);
        drop(session);
        assert!(matches!(builder.next(cx), Some(FromSession::Linger(_))));
        assert!(builder.next(cx).is_none());
        assert!(builder.is_alone());
    }
}
