//! The sender of events.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::unconstrained;
use tokio::time::timeout;

use super::event::Event;
use crate::error::{Refused, RefusedReason};
use crate::payload::{MessageId, Payload};
use crate::session::{
    Abandon, Accompany, BodySender, Departure, HalfClose, HttpSession, Responder,
};

/// How long a stream may be silent: shorter than the idle timeout of common load balancers.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The keep-alive comment that is sent after a silence.
const COMMENT: &[u8] = b":\n\n";

/// Sends events to one reader, from any actor or thread.
///
/// Events do not pile up for a slow reader: [`send`](Self::send) waits until the previous event was written. After a
/// silence of 15 s a comment is sent, so that proxies keep the connection. A reader that disappears without closing is
/// noticed after [`Timeouts::unreachable`](crate::Timeouts::unreachable).
///
/// If it is dropped before [`finish`](Self::finish), the stream is cut. A reader reconnects in either case.
#[must_use = "dropping the sender of events cuts the stream"]
pub struct EventSender {
    words: mpsc::Sender<Word>,
    session: Arc<Addr<HttpSession>>,
    message: MessageId,
    finished: bool,
}

enum Word {
    Event(Bytes),
    /// Asks for the body back.
    End(oneshot::Sender<BodySender>),
}

impl EventSender {
    /// Begins an event stream as the answer, with [`head`](super::head). A reader that closes its sending side, now or
    /// earlier, counts as disconnected ([`HalfClose::Abort`]), because an event reader keeps its side open.
    ///
    /// # Errors
    /// The head is returned, as from [`Responder::stream`].
    pub async fn open(responder: Responder) -> Result<Self, Refused<Payload>> {
        responder.on_half_close(HalfClose::Abort);
        let body = responder.stream(super::head()).await?;
        Ok(Self::over(body, Some(KEEP_ALIVE)))
    }

    /// Sends events as this body, whose head was sent already. A comment is sent after each silence of `keep_alive`;
    /// `None` sends none.
    pub fn over(body: BodySender, keep_alive: Option<Duration>) -> Self {
        let (words, receiver) = mpsc::channel(1);
        let (session, message) = (body.shared_session(), body.message());
        body.run(|body| pump(body, receiver, keep_alive));
        Self {
            words,
            session,
            message,
            finished: false,
        }
    }

    /// Sends an event, once the previous one was written. If there is room, the future is ready at its first poll.
    ///
    /// Cancel-safe: after a dropped wait the event was not sent.
    ///
    /// # Errors
    /// The event is returned: `Closing` if the reader has disconnected or the exchange is over, `Unusable` if the event
    /// is invalid.
    pub async fn send(&self, event: Event) -> Result<(), Refused<Event>> {
        let bytes = match event.encode() {
            Ok(bytes) => bytes,
            Err(mistake) => return Err(Refused::new(mistake, event)),
        };
        // Without tokio's budget: with it, a task that sends to many readers would have to wait although all have room.
        let sent = unconstrained(self.words.send(Word::Event(bytes))).await;
        sent.map_err(|_| Refused::new(RefusedReason::Closing, event))
    }

    /// Waits until the exchange is over: the reader has disconnected, or was cut off. It resolves immediately, not only
    /// at the next send. For a stream begun by [`over`](Self::over), [`HalfClose`] decides about a reader that only
    /// closes its sending side.
    ///
    /// The future does not borrow. Make it once, pin it, and race it with many sends.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        Accompany::to_the_end(self.session.clone(), self.message)
    }

    /// Waits until the session is asked to [`Leave`](crate::message::Leave), as by a [`Drain`](crate::message::Drain),
    /// or the exchange is over. If you then finish the stream, nothing is lost: the reader reconnects, to another
    /// server.
    ///
    /// Like that of [`closed`](Self::closed), the future does not borrow.
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + use<> {
        Departure::of(self.session.clone(), self.message)
    }

    /// Ends the stream, once everything that was sent is written.
    ///
    /// # Errors
    /// `Closing` if the exchange is over.
    pub async fn finish(mut self) -> Result<(), Refused<()>> {
        let (sender, body) = oneshot::channel();
        // If the pump has ended, the word is dropped, which ends the wait below.
        drop(self.words.send(Word::End(sender)).await);
        match body.await {
            Ok(body) => {
                self.finished = true;
                body.finish().await
            }
            Err(_) => Err(Refused::new(RefusedReason::Closing, ())),
        }
    }
}

/// Writes the events that it receives, and a comment after a silence. It runs as long as the exchange; the sender
/// notices when it ends.
async fn pump(mut body: BodySender, mut words: mpsc::Receiver<Word>, keep_alive: Option<Duration>) {
    let silence = keep_alive.unwrap_or(Duration::MAX);
    loop {
        let piece = match timeout(silence, words.recv()).await {
            Ok(Some(Word::Event(bytes))) => bytes,
            // The body is not finished here: the end of the exchange would end this task before it could answer.
            Ok(Some(Word::End(back))) => return drop(back.send(body)),
            // Dropping the unfinished body cuts the answer.
            Ok(None) => return,
            Err(_silence) => Bytes::from_static(COMMENT),
        };
        if body.send(piece).await.is_err() {
            return;
        }
    }
}

/// Cuts the stream at once, even if the reader is slow and the task waits for room.
impl Drop for EventSender {
    fn drop(&mut self) {
        if !self.finished {
            self.session.do_send(Abandon(self.message));
        }
    }
}

impl fmt::Debug for EventSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventSender")
    }
}
