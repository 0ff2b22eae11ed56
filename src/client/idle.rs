//! Which sessions are idle: a stack for each origin, and all of them in the order in which they became idle.
//!
//! Every step takes constant time, whatever the number of origins. Only what makes room searches: a full stack for what
//! has closed, and the oldest end of the order.

use std::sync::{Arc, Weak};

use slab::Slab;

/// The idle sessions of all origins. It holds them weakly: one that closes is found out when it is looked at.
pub(super) struct Idle<T> {
    most: usize,
    sessions: Slab<Entry<T>>,
    stacks: Slab<Stack>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

/// A session, with its neighbours in its stack and in the order of all. The oldest is the lowest of its stack.
struct Entry<T> {
    session: Weak<T>,
    stack: usize,
    below: Option<usize>,
    above: Option<usize>,
    older: Option<usize>,
    newer: Option<usize>,
}

/// The idle sessions of one origin.
#[derive(Default)]
struct Stack {
    top: Option<usize>,
    len: usize,
}

impl<T> Idle<T> {
    /// For this many sessions at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            sessions: Slab::new(),
            stacks: Slab::new(),
            oldest: None,
            newest: None,
        }
    }

    /// A stack for another origin.
    pub(super) fn add_stack(&mut self) -> usize {
        self.stacks.insert(Stack::default())
    }

    pub(super) fn remove_stack(&mut self, stack: usize) {
        while self.pop(stack).is_some() {}
        self.stacks.remove(stack);
    }

    /// Whether another session is kept in a stack of at most this many.
    pub(super) fn takes(&mut self, stack: usize, most: usize) -> bool {
        if self.stacks[stack].len >= most {
            self.purge(stack);
        }
        self.most > 0 && self.stacks[stack].len < most
    }

    /// Makes room for one more. Returns the oldest session if it has to go for that.
    pub(super) fn make_room(&mut self) -> Option<Arc<T>> {
        while self.sessions.len() >= self.most {
            // One that has closed makes room, too.
            if let Some(oldest) = self.remove(self.oldest?).upgrade() {
                return Some(oldest);
            }
        }
        None
    }

    /// Puts a session on a stack.
    pub(super) fn push(&mut self, stack: usize, session: &Arc<T>) {
        let entry = Entry {
            session: Arc::downgrade(session),
            stack,
            below: self.stacks[stack].top,
            above: None,
            older: self.newest,
            newer: None,
        };
        let (below, older) = (entry.below, entry.older);
        let new = Some(self.sessions.insert(entry));
        if let Some(below) = below {
            self.sessions[below].above = new;
        }
        match older {
            Some(older) => self.sessions[older].newer = new,
            None => self.oldest = new,
        }
        self.newest = new;
        self.stacks[stack].top = new;
        self.stacks[stack].len += 1;
    }

    /// Takes the session that was put on a stack last. It may have closed.
    pub(super) fn pop(&mut self, stack: usize) -> Option<Weak<T>> {
        self.stacks[stack].top.map(|top| self.remove(top))
    }

    /// Takes all sessions out, and none in any more.
    pub(super) fn close(&mut self) -> Vec<Weak<T>> {
        self.most = 0;
        std::iter::from_fn(|| self.oldest.map(|oldest| self.remove(oldest))).collect()
    }

    /// Removes what has closed from a stack.
    fn purge(&mut self, stack: usize) {
        let mut next = self.stacks[stack].top;
        while let Some(at) = next {
            let entry = &self.sessions[at];
            next = entry.below;
            if entry.session.strong_count() == 0 {
                self.remove(at);
            }
        }
    }

    fn remove(&mut self, at: usize) -> Weak<T> {
        let entry = self.sessions.remove(at);
        let stack = &mut self.stacks[entry.stack];
        stack.len -= 1;
        match entry.above {
            Some(above) => self.sessions[above].below = entry.below,
            None => stack.top = entry.below,
        }
        if let Some(below) = entry.below {
            self.sessions[below].above = entry.above;
        }
        match entry.newer {
            Some(newer) => self.sessions[newer].older = entry.older,
            None => self.newest = entry.older,
        }
        match entry.older {
            Some(older) => self.sessions[older].newer = entry.newer,
            None => self.oldest = entry.newer,
        }
        entry.session
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::transport::Random;

    /// Random steps, compared with lists that are searched.
    #[test]
    fn any_order_of_steps() {
        const MOST: usize = 9;
        const MOST_OF_ONE: usize = 4;
        for seed in 0..200 {
            let mut random = Random::of(seed);
            let mut idle = Idle::new(MOST);
            // All that are idle, the oldest first, each with its stack, and whether it is open.
            let mut model: VecDeque<(usize, u32)> = VecDeque::new();
            let mut open: Vec<Arc<u32>> = Vec::new();
            let mut stacks: Vec<usize> = (0..4).map(|_| idle.add_stack()).collect();
            for number in 0..300 {
                let place = random.below(stacks.len());
                let stack = stacks[place];
                match random.below(12) {
                    0..6 => {
                        let alive = |open: &[Arc<u32>], number| {
                            open.iter().any(|session| **session == number)
                        };
                        let of_one = |model: &VecDeque<(usize, u32)>| {
                            model.iter().filter(|(of, _)| *of == stack).count()
                        };
                        if of_one(&model) == MOST_OF_ONE {
                            model.retain(|(of, old)| *of != stack || alive(&open, *old));
                        }
                        let taken = of_one(&model) < MOST_OF_ONE;
                        assert_eq!(idle.takes(stack, MOST_OF_ONE), taken, "seed {seed}");
                        if !taken {
                            continue;
                        }
                        let mut gone = None;
                        while model.len() >= MOST && gone.is_none() {
                            let oldest = model.pop_front().map(|(_, oldest)| oldest);
                            gone = oldest.filter(|oldest| alive(&open, *oldest));
                        }
                        assert_eq!(idle.make_room().as_deref(), gone.as_ref(), "seed {seed}");
                        let session = Arc::new(number);
                        idle.push(stack, &session);
                        open.push(session);
                        model.push_back((stack, number));
                    }
                    6..9 => {
                        let newest = model.iter().rposition(|(of, _)| *of == stack);
                        let newest = newest.and_then(|at| model.remove(at));
                        let popped = idle.pop(stack);
                        assert_eq!(popped.is_some(), newest.is_some(), "seed {seed}");
                        if let Some(session) = popped.and_then(|session| session.upgrade()) {
                            assert_eq!(Some((stack, *session)), newest, "seed {seed}");
                        }
                    }
                    9..11 if !open.is_empty() => drop(open.swap_remove(random.below(open.len()))),
                    _ => {
                        idle.remove_stack(stack);
                        model.retain(|(of, _)| *of != stack);
                        stacks[place] = idle.add_stack();
                    }
                }
                assert_eq!(idle.sessions.len(), model.len(), "seed {seed}");
            }
            let rest = idle.close();
            let rest = rest.iter().filter_map(Weak::upgrade);
            let expected = model.iter().map(|(_, number)| *number);
            let expected = expected.filter(|number| open.iter().any(|open| **open == *number));
            assert!(rest.map(|session| *session).eq(expected), "seed {seed}");
            assert!(!idle.takes(stacks[0], 1));
        }
    }
}
