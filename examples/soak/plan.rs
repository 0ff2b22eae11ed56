//! What is asked, in which form, and what its body must look like where it arrives.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_actors::upgrade::Upgraded;
use http_actors::{BodySender, Payload};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

/// What is counted at one end.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) begun: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) mismatches: AtomicU64,
    /// Handlers that are alive.
    pub(crate) handlers: AtomicU64,
}

impl Tally {
    /// Exchanges that have ended. A handler that panicked does not hear the end.
    pub(crate) fn ended(&self) -> u64 {
        [
            &self.completed,
            &self.cancelled,
            &self.failed,
            &self.panicked,
        ]
        .iter()
        .map(|counter| counter.load(Relaxed))
        .sum()
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Xorshift.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn of(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % bound as u64).unwrap_or_default()
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(crate) async fn pause(&mut self, millis: usize) {
        sleep(Duration::from_millis(self.below(millis) as u64)).await;
    }
}

/// All bodies are cut out of this, in which no two places look alike.
static PATTERN: LazyLock<Bytes> = LazyLock::new(|| {
    let mut random = Random::of(1);
    (0..2 << 20)
        .map(|_| random.below(256).to_le_bytes()[0])
        .collect()
});

const JOBS: [&str; 7] = ["echo", "keep", "early", "make", "feed", "later", "switch"];
const FAULTS: [&str; 8] = [
    "panic", "drop", "dispose", "cancel", "leave", "stall", "short", "never",
];
const LENGTHS: [usize; 8] = [0, 1, 300, 9_999, 10_001, 40_000, 150_000, 1 << 20];

/// One exchange. Its path says all: the job, the fault, and where in the pattern the body begins and how long it is.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) job: String,
    pub(crate) fault: String,
    at: usize,
    length: usize,
}

impl Plan {
    pub(crate) fn random(random: &mut Random) -> Self {
        let fault = match random.below(3) {
            0 => random.one_of(&FAULTS),
            _ => "none",
        };
        Self {
            job: random.one_of(&JOBS).to_owned(),
            fault: fault.to_owned(),
            at: random.below(1 << 20),
            length: random.one_of(&LENGTHS),
        }
    }

    pub(crate) fn of(path: &str) -> Self {
        let parts: Vec<_> = path.split('/').collect();
        let [_, job, fault, at, length] = parts[..] else {
            panic!("no plan: {path}");
        };
        Self {
            job: job.to_owned(),
            fault: fault.to_owned(),
            at: at.parse().expect("a number"),
            length: length.parse().expect("a number"),
        }
    }

    pub(crate) fn path(&self) -> String {
        format!("/{}/{}/{}/{}", self.job, self.fault, self.at, self.length)
    }

    /// Whether the body goes up too.
    pub(crate) fn uploads(&self) -> bool {
        matches!(&*self.job, "echo" | "keep" | "early")
    }

    pub(crate) fn body(&self) -> Bytes {
        PATTERN.slice(self.at..self.at + self.length)
    }

    /// Another series for each plan and purpose.
    pub(crate) fn random_for(&self, purpose: u64) -> Random {
        Random::of(self.at as u64 ^ purpose << 32)
    }

    /// The head of a message with this body, in one of the three modes.
    pub(crate) fn frame(&self, head: Payload, random: &mut Random) -> Payload {
        match random.below(3) {
            0 => head.chunked(),
            1 => head.length(self.length as u64),
            _ => head.body(self.body()),
        }
    }

    pub(crate) fn request(&self, origin: &str, random: &mut Random) -> Payload {
        let url = format!("{origin}{}", self.path());
        if self.uploads() {
            self.frame(Payload::put(url).expect("a URL"), random)
        } else {
            Payload::get(url).expect("a URL")
        }
    }

    /// Sends the body in pieces of any size, with pauses. Cut short, it is dropped halfway.
    pub(crate) async fn pour(self, mut out: BodySender, mut random: Random) {
        let mut rest = self.body();
        let short = self.fault == "short";
        let stop = if short { rest.len() / 2 } else { 0 };
        while rest.len() > stop {
            let piece = rest.split_to(1 + random.below(30_000).min(rest.len() - 1));
            if random.below(40) == 0 {
                random.pause(50).await;
            }
            if out.send(piece).await.is_err() {
                return;
            }
        }
        if !short {
            // Refused if the exchange is over, which its end tells.
            let _ = out.finish().await;
        }
    }

    /// The connection after the hand-off: the body goes both ways.
    pub(crate) async fn shout(self, io: Upgraded, tally: &Tally) {
        let (mut read, mut write) = tokio::io::split(io);
        let body = self.body();
        let send = async {
            // The other end may be gone.
            let _ = write.write_all(&body).await;
            let _ = write.shutdown().await;
        };
        let hear = async {
            let mut rest = Rest::of(&self);
            let mut buffer = vec![0; 20_000];
            while let Ok(length @ 1..) = read.read(&mut buffer).await {
                rest.take(&buffer[..length], tally);
            }
        };
        let both = async { tokio::join!(send, hear) };
        let _ = timeout(Duration::from_secs(5), both).await;
    }
}

/// What is still to come of a body. Nothing is expected by default, and then nothing is looked at.
#[derive(Default)]
pub(crate) struct Rest(Option<Bytes>);

impl Rest {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self(Some(plan.body()))
    }

    pub(crate) fn take(&mut self, data: &[u8], tally: &Tally) {
        let Some(rest) = &mut self.0 else { return };
        tally.bytes.fetch_add(data.len() as u64, Relaxed);
        if rest.starts_with(data) {
            rest.advance(data.len());
        } else {
            count(&tally.mismatches);
            self.0 = None;
        }
    }

    /// It looks whole.
    pub(crate) fn end(&mut self, tally: &Tally) {
        if self.0.take().is_some_and(|rest| !rest.is_empty()) {
            count(&tally.mismatches);
        }
    }
}
