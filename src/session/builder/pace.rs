//! How fast the session takes a body.

/// Counts the consecutive reads that filled their buffer and were taken by the session before the next read.
#[derive(Debug, Default)]
pub(super) struct Pace(u8);

/// After this many full reads the pace is steady: a large read takes no more than they did together.
const STEADY: u8 = 4;

impl Pace {
    /// A read was made.
    pub(super) fn read(&mut self, full: bool) {
        self.0 = if full { self.0.saturating_add(1) } else { 0 };
    }

    /// The session did not take what was read, or not at once.
    pub(super) fn stop(&mut self) {
        self.0 = 0;
    }

    pub(super) fn is_steady(&self) -> bool {
        self.0 >= STEADY
    }
}
