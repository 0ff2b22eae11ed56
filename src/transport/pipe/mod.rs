//! A connection in memory, for tests: the randomness of a network, from a seed.

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

/// How a connection in memory carries bytes: how many are buffered, and in which pieces they are read.
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
    /// Makes a pipe that buffers 1 MiB in each direction, in which each read gets everything available.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many bytes are buffered in each direction before a write waits. With a small capacity, a peer that does
    /// not read is noticed sooner. At least 1.
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes.max(1);
        self
    }

    /// Makes each read get a part of what is available, of a random length. The reader's task yields between two parts.
    /// The same seed cuts the same bytes in the same way.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.cuts = Cuts::Random(Random::of(seed));
        self
    }

    /// Makes reads stop at this place, counted in bytes from the beginning, in either direction. If you try every
    /// position, you cover every possible split.
    #[must_use]
    pub fn split_at(mut self, place: u64) -> Self {
        self.cuts = Cuts::At(place);
        self
    }

    /// Opens a connection and returns its two ends.
    pub fn open(self) -> (Socket, Socket) {
        let lane = || Lane::new(self.capacity, self.cuts.clone());
        let shared = Arc::new(Mutex::new(Shared::new([lane(), lane()])));
        (Socket::new(0, &shared), Socket::new(1, &shared))
    }
}
