//! What few exchanges of a server have.

use tokio::sync::oneshot;

use crate::session::exchange::Outcome;
use crate::session::handoff::Taker;
use crate::session::options::HalfClose;
use crate::session::record::Note;

/// How much the notes of one exchange may be: their text, and [`EACH`].
const NOTES: usize = 16 << 10;

/// What each note counts beside its text.
const EACH: usize = 48;

/// What is rarely asked of an exchange, in a box of its own.
#[derive(Debug, Default)]
pub(in crate::session) struct Aside {
    /// For the log.
    pub(super) notes: Vec<Note>,
    /// Whether a note was dropped, because there was no room for it.
    overfull: bool,
    /// Who wants to know how it ends.
    asking: Vec<oneshot::Sender<Outcome>>,
    /// Gets the connection after the answer.
    pub(super) taker: Option<Taker>,
    /// What a half-close does to it, if this overrides the options.
    pub(super) half_close: Option<HalfClose>,
    /// Whether the builder was told of a time for the body that overrides the options.
    pub(super) own_body_time: bool,
}

impl Aside {
    /// Notes it in the place of an earlier note of this name, if there is room for it. False if it is the first one that
    /// is dropped.
    pub(in crate::session) fn note(&mut self, note: Note) -> bool {
        let mut sum = size(&note);
        let mut place = None;
        for earlier in &mut self.notes {
            if earlier.name == note.name {
                place = Some(earlier);
            } else {
                sum = sum.saturating_add(size(earlier));
            }
        }
        if sum > NOTES {
            return std::mem::replace(&mut self.overfull, true);
        }
        match place {
            Some(earlier) => *earlier = note,
            None => self.notes.push(note),
        }
        true
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

fn size(note: &Note) -> usize {
    EACH.saturating_add(note.name.len())
        .saturating_add(note.value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service may note in each round of a loop, or what is long. What has no room is dropped, and told once.
    #[test]
    fn notes_are_bounded() {
        let note = |name: String, length: usize| Note {
            name: name.into(),
            value: "v".repeat(length).into(),
        };
        let mut aside = Aside::default();
        let first: Vec<_> = (0..1000)
            .map(|each| aside.note(note(each.to_string(), 0)))
            .collect();
        assert_eq!(first.iter().filter(|kept| !**kept).count(), 1);
        let kept = aside.notes.len();
        assert!((100..1000).contains(&kept), "{kept}");
        assert!(!first[kept], "the first one without room");

        let mut aside = Aside::default();
        let all = NOTES - size(&note("a".to_owned(), 0));
        for (length, kept) in [(all, all), (1, 1), (all + 1, 1), (all, all), (0, 0)] {
            aside.note(note("a".to_owned(), length));
            assert_eq!(aside.notes.len(), 1);
            assert_eq!(aside.notes[0].value.len(), kept, "{length}");
        }
        aside.note(note("a".to_owned(), all));
        aside.note(note("b".to_owned(), 0));
        assert_eq!(aside.notes.len(), 1, "no room for another");
    }

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
