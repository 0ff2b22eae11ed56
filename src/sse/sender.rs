//! Who sends events.

use std::fmt;
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::event::Event;
use crate::error::{Refused, RefusedReason};
use crate::payload::{MessageId, Payload};
use crate::session::{BodySender, Departure, HttpSession, Responder};

/// How long a stream is silent: shorter than common balancers keep a connection without bytes.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a reader is sent in a silence.
const COMMENT: &[u8] = b":\n\n";

/// Sends events to one reader, from any actor or thread.
///
/// Nothing heaps up for a reader that is slow: [`send`](Self::send) waits while the event before it does. In a silence of
/// 15 s a comment goes out, which also finds readers that left without a word.
///
/// Dropped before [`finish`](Self::finish), it cuts the stream; a reader comes back in either case.
#[must_use = "dropping the sender of events cuts the stream"]
pub struct EventSender {
    words: mpsc::Sender<Word>,
    session: Addr<HttpSession>,
    message: MessageId,
}

enum Word {
    Event(Bytes),
    /// Gives the body back.
    End(oneshot::Sender<BodySender>),
}

impl EventSender {
    /// Begins an event stream as the answer, with [`head`](super::head).
    ///
    /// # Errors
    /// The head comes back, as from [`Responder::stream`].
    pub async fn open(responder: Responder) -> Result<Self, Refused<Payload>> {
        let body = responder.stream(super::head()).await?;
        Ok(Self::over(body, Some(KEEP_ALIVE)))
    }

    /// The events are this body, of a head that was sent already. A comment goes out after each silence of this length;
    /// none if nothing is given.
    pub fn over(body: BodySender, keep_alive: Option<Duration>) -> Self {
        let (words, receiver) = mpsc::channel(1);
        let (session, message) = body.place();
        body.run(|body| pump(body, receiver, keep_alive));
        Self {
            words,
            session,
            message,
        }
    }

    /// Sends an event, when the one before it is on its way.
    ///
    /// Cancel-safe: after a dropped wait the event was not sent.
    ///
    /// # Errors
    /// The event comes back: `Closing` if the reader has left or the exchange is over, `Unusable` if it has a mistake.
    pub async fn send(&self, event: Event) -> Result<(), Refused<Event>> {
        let bytes = match event.encode() {
            Ok(bytes) => bytes,
            Err(mistake) => return Err(Refused::new(mistake, event)),
        };
        let sent = self.words.send(Word::Event(bytes)).await;
        sent.map_err(|_| Refused::new(RefusedReason::Closing, event))
    }

    /// Waits until the exchange is over: the reader has left, or was cut. At once, and not only when something is sent. A
    /// reader that only closes its sending side is given up as [`HalfClose`](crate::HalfClose) says.
    ///
    /// The future does not borrow: made once and pinned, it is raced with many sends.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let words = self.words.clone();
        async move { words.closed().await }
    }

    /// Waits until the session is asked to [`Leave`](crate::Leave), as a [`Drain`](crate::Drain) does, or the exchange is
    /// over. Who finishes the stream then loses nothing: the reader comes back, to another server.
    ///
    /// The future does not borrow, as that of [`closed`](Self::closed).
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + use<> {
        Departure::of(self.session.clone(), self.message)
    }

    /// Ends the stream, when all that was sent is on its way.
    ///
    /// # Errors
    /// `Closing` if the exchange is over.
    pub async fn finish(self) -> Result<(), Refused<()>> {
        let (sender, body) = oneshot::channel();
        // Where nobody takes the word it is dropped, and the wait with it.
        drop(self.words.send(Word::End(sender)).await);
        match body.await {
            Ok(body) => body.finish().await,
            Err(_) => Err(Refused::new(RefusedReason::Closing, ())),
        }
    }
}

/// Writes what it is sent, and a comment in a silence. It runs for as long as the exchange; its end is how the sender knows.
async fn pump(mut body: BodySender, mut words: mpsc::Receiver<Word>, keep_alive: Option<Duration>) {
    let silence = keep_alive.unwrap_or(Duration::MAX);
    loop {
        let piece = match timeout(silence, words.recv()).await {
            Ok(Some(Word::Event(bytes))) => bytes,
            // Not finished here: the end of the exchange ends this task.
            Ok(Some(Word::End(back))) => return drop(back.send(body)),
            // An unfinished body cuts the answer by its drop.
            Ok(None) => return,
            Err(_silence) => Bytes::from_static(COMMENT),
        };
        if body.send(piece).await.is_err() {
            return;
        }
    }
}

impl fmt::Debug for EventSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventSender")
    }
}
