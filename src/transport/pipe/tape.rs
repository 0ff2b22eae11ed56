//! A tap that keeps what it sees.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Transcript;
use super::transcript::Act;
use crate::transport::{Direction, Passed, Tap, Tapped};

/// A [`Tap`] that keeps everything it sees, for a [`Transcript`] of each connection. Clones share what they keep.
///
/// ```
/// use http_actors::test_util::{FarEnd, Pipe, Tape};
/// use http_actors::{HttpHandler, Payload, SessionContext, SessionOptions, StatusCode};
/// # struct Hello;
/// # impl HttpHandler for Hello {
/// #     fn apply(&mut self, _: Payload, session: &mut SessionContext) {
/// #         session.respond(Payload::response(StatusCode::OK).body("hi"));
/// #     }
/// # }
///
/// # #[actix::main]
/// # async fn main() {
/// let tape = Tape::default();
/// let options = SessionOptions {
///     tap: Some(std::sync::Arc::new(tape.clone())),
///     ..SessionOptions::default()
/// };
/// let (mut client, _session) = FarEnd::serve_with(Pipe::new(), &|_| Hello, options);
/// client.send("GET / HTTP/1.0\r\n\r\n").await;
/// client.rest().await;
/// assert_eq!(tape.transcripts()[0].to_string(), r"< GET / HTTP/1.0\r\n
/// < \r\n
/// > HTTP/1.1 200 OK\r\n
/// > Connection: close\r\n
/// > Content-Length: 2\r\n
/// > \r\n
/// > hi
/// > (close)
/// ");
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Tape(Arc<Mutex<BTreeMap<u64, Acts>>>);

/// The acts of one connection, each with whether it is by this end.
type Acts = Vec<(bool, Act)>;

impl Tape {
    /// The transcripts of all connections, in the order in which they were opened. `>` marks what the session sent.
    pub fn transcripts(&self) -> Vec<Transcript> {
        let acts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        acts.values().cloned().map(Transcript::new).collect()
    }
}

impl Tap for Tape {
    fn tap(&self, tapped: &Tapped<'_>) {
        let near = tapped.direction == Direction::Out;
        let mut acts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let acts = acts.entry(tapped.connection).or_default();
        match (tapped.passed, acts.last_mut()) {
            // Pieces that were split in transit are joined again.
            (Passed::Bytes(bytes), Some((who, Act::Say(said)))) if *who == near => {
                said.extend_from_slice(bytes);
            }
            (Passed::Bytes(bytes), _) => acts.push((near, Act::Say(bytes.to_vec()))),
            (Passed::Close, _) => acts.push((near, Act::Close)),
            (Passed::Reset, _) => acts.push((near, Act::Reset)),
        }
    }
}
