//! A connection in memory, for tests: what is random about a network, from a seed.

mod lane;
mod random;
mod socket;
mod tape;
mod transcript;

use std::sync::{Arc, Mutex};

use lane::{Cuts, Lane};
pub use random::Random;
use socket::Shared;
pub use socket::Socket;
pub use tape::Tape;
pub use transcript::Transcript;

/// How a connection in memory carries bytes: how many wait, and in which pieces they are read.
///
/// ```
/// use http_actors::test_util::Pipe;
/// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (mut near, mut far) = Pipe::new().split_at(2).open();
/// near.write_all(b"hello").await?;
/// let mut buffer = [0; 16];
/// assert_eq!(far.read(&mut buffer).await?, 2);
/// assert_eq!(far.read(&mut buffer).await?, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Pipe {
    capacity: usize,
    cuts: Cuts,
}

impl Default for Pipe {
    fn default() -> Self {
        Self {
            capacity: 1 << 20,
            cuts: Cuts::None,
        }
    }
}

impl Pipe {
    /// A pipe that takes 1 MiB in each direction, and where each read gets all that waits.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes wait in each direction before a write does: a peer that does not read is felt sooner. At least 1.
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes.max(1);
        self
    }

    /// Each read gets a part of what waits, of a random length; the reader's task has a turn between two of them. The same
    /// seed cuts the same bytes in the same way.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.cuts = Cuts::Random(Random::of(seed));
        self
    }

    /// No read goes across this place, counted in bytes from the begin, in either direction. To try every place is to try
    /// everything that a split can do wrong.
    #[must_use]
    pub fn split_at(mut self, place: u64) -> Self {
        self.cuts = Cuts::At(place);
        self
    }

    /// Opens a connection: its two ends.
    pub fn open(self) -> (Socket, Socket) {
        let lane = || Lane::new(self.capacity, self.cuts.clone());
        let shared = Arc::new(Mutex::new(Shared::new([lane(), lane()])));
        (Socket::new(0, &shared), Socket::new(1, &shared))
    }
}
