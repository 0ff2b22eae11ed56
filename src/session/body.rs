//! The body of one outbound message, written from anywhere.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use actix::Addr;
use bytes::Bytes;

use super::HttpSession;
use super::inbound::{Abandon, Accompany, Departure, LastPiece, Piece, ServiceFailed};
use super::parcel::Parcel;
use crate::error::{Refused, RefusedReason};
use crate::payload::{Headers, MessageId};

/// Writes the body of one Stream or Chunked message, from any thread.
///
/// It is bound to its message: what it sends can never become part of another one. Each `send` waits for room, which
/// bounds the data in flight. If it is dropped before [`finish`](Self::finish), the message is cancelled, and the peer
/// sees that it is incomplete. You may also drop the future of a `send`: its data are sent all the same, unless it was
/// never polled. If they are then refused, the next `send` or `finish` ends the exchange, because nobody knows of it.
///
/// ```
/// # use http_actors::error::Refused;
/// # use http_actors::{Payload, Responder, StatusCode};
/// async fn answer(responder: Responder) -> Result<(), Box<dyn std::error::Error>> {
///     let mut body = responder.stream(Payload::response(StatusCode::OK).chunked()).await?;
///     for line in ["one\n", "two\n"] {
///         body.send(line).await?;
///     }
///     body.finish().await?;
///     Ok(())
/// }
/// ```
#[must_use = "dropping an unfinished body cancels its message"]
pub struct BodySender {
    session: Arc<Addr<HttpSession>>,
    message: MessageId,
    next: u64,
    finished: bool,
}

impl BodySender {
    pub(super) fn new(session: Arc<Addr<HttpSession>>, message: MessageId) -> Self {
        Self {
            session,
            message,
            next: 0,
            finished: false,
        }
    }

    /// The message whose body this is.
    pub fn message(&self) -> MessageId {
        self.message
    }

    /// The session, for example to [`Inspect`](crate::message::Inspect) it.
    pub fn session(&self) -> &Addr<HttpSession> {
        &self.session
    }

    pub(crate) fn shared_session(&self) -> Arc<Addr<HttpSession>> {
        self.session.clone()
    }

    /// Sends a piece and waits until there is room for more.
    ///
    /// # Errors
    /// The data are returned: `NotYourTurn` (the message is over), `NoBody`, `TooLong`, `Overrun`, `Closing`. If
    /// `Closing` ends a wait for room, the data had been accepted, and the returned data are empty.
    pub async fn send(&mut self, data: impl Into<Bytes>) -> Result<(), Refused<Bytes>> {
        let (parcel, receipt) = Parcel::new(data.into());
        let number = self.next;
        self.session.do_send(Piece {
            message: self.message,
            number,
            parcel,
        });
        self.next += 1;
        let sent = receipt
            .await
            .unwrap_or_else(|_| Err(Refused::new(RefusedReason::Closing, Bytes::new())));
        if sent.is_err() {
            // The caller knows of it, so nothing is missing if something else is sent in its place.
            self.next = number;
        }
        sent
    }

    /// Waits until the exchange is over: the peer has disconnected, a deadline has passed, or the session was disposed.
    /// It resolves immediately, not only at the next send.
    ///
    /// The future does not borrow. Make it once, pin it, and race it with many sends.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        Accompany::to_the_end(self.session.clone(), self.message)
    }

    /// Waits until the session is asked to [`Leave`](crate::message::Leave), as by a [`Drain`](crate::message::Drain),
    /// or the exchange is over. When it resolves, finish a body that does not end by itself.
    ///
    /// Like that of [`closed`](Self::closed), the future does not borrow.
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + use<> {
        Departure::of(self.session.clone(), self.message)
    }

    /// Passes the body to a task that runs as long as the exchange.
    pub(crate) fn run<T>(self, task: impl FnOnce(Self) -> T)
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let (session, message) = (self.session.clone(), self.message);
        let task = Box::pin(task(self));
        session.do_send(Accompany { message, task });
    }

    /// Gives the body up because the service that wrote it has failed.
    pub(crate) fn fail(self, why: &dyn Error) {
        let (session, message) = (self.session.clone(), self.message);
        drop(self);
        let why = Some(why.to_string());
        session.do_send(ServiceFailed { message, why });
    }

    /// Ends the body.
    ///
    /// # Errors
    /// As [`Finish`](crate::message::Finish).
    pub async fn finish(self) -> Result<(), Refused<()>> {
        self.end(None).await.map_err(|refused| refused.map(drop))
    }

    /// Ends a Chunked body with trailer fields.
    ///
    /// # Errors
    /// As [`FinishWith`](crate::message::FinishWith); the trailers are returned.
    pub async fn finish_with(self, trailers: Headers) -> Result<(), Refused<Headers>> {
        self.end(Some(trailers))
            .await
            .map_err(|refused| refused.map(Option::unwrap_or_default))
    }

    async fn end(mut self, trailers: Option<Headers>) -> Result<(), Refused<Option<Headers>>> {
        let (parcel, receipt) = Parcel::new(trailers);
        self.session.do_send(LastPiece {
            message: self.message,
            number: self.next,
            parcel,
        });
        // From here on dropping this handle must not cancel the message: the session ends it.
        self.finished = true;
        receipt
            .await
            .unwrap_or_else(|_| Err(Refused::new(RefusedReason::Closing, None)))
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        if !self.finished {
            self.session.do_send(Abandon(self.message));
            if std::thread::panicking() {
                let (message, why) = (self.message, Some("it panicked".to_owned()));
                self.session.do_send(ServiceFailed { message, why });
            }
        }
    }
}

impl fmt::Debug for BodySender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodySender")
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}
