//! What few exchanges of a server have.

use tokio::sync::oneshot;

use crate::session::exchange::Outcome;
use crate::session::handoff::Taker;
use crate::session::options::HalfClose;
use crate::session::record::Note;

/// What is rarely asked of an exchange, in a box of its own.
#[derive(Debug, Default)]
pub(in crate::session) struct Aside {
    /// For the log.
    pub(super) notes: Vec<Note>,
    /// Who wants to know how it ends.
    asking: Vec<oneshot::Sender<Outcome>>,
    /// Gets the connection after the answer.
    pub(super) taker: Option<Taker>,
    /// What a half-close does to it, if this overrides the options.
    pub(super) half_close: Option<HalfClose>,
}

impl Aside {
    /// Notes it in the place of an earlier note of this name.
    pub(in crate::session) fn note(&mut self, note: Note) {
        match self
            .notes
            .iter_mut()
            .find(|earlier| earlier.name == note.name)
        {
            Some(earlier) => *earlier = note,
            None => self.notes.push(note),
        }
    }

    /// Tells this one how the exchange ends. Those who have stopped waiting are forgotten, so that asking again and
    /// again costs no memory.
    pub(in crate::session) fn ask(&mut self, told: oneshot::Sender<Outcome>) {
        self.asking.retain(|asking| !asking.is_closed());
        self.asking.push(told);
    }

    /// Tells how the exchange ended, and returns who gets the connection.
    #[cold]
    pub(super) fn end(self, outcome: Outcome) -> Option<Taker> {
        for asking in self.asking {
            // It may no longer want to know.
            let _ = asking.send(outcome);
        }
        self.taker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service may ask in each round of a loop, and drop the future.
    #[test]
    fn who_stops_waiting_is_forgotten() {
        let mut aside = Aside::default();
        let (told, mut waits) = oneshot::channel();
        aside.ask(told);
        for _ in 0..100 {
            aside.ask(oneshot::channel().0);
        }
        assert_eq!(aside.asking.len(), 2, "one that waits, and the last one");
        assert!(aside.end(Outcome::Completed).is_none());
        assert_eq!(waits.try_recv(), Ok(Outcome::Completed));
    }
}
