//! The right to answer one request, as a value.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix::Addr;
use tokio::sync::oneshot;

use super::HttpSession;
use super::body::BodySender;
use super::exchange::Outcome;
use super::handoff::Upgrade;
use super::inbound::{
    Accompany, Continue, Departure, Inform, Mute, Noted, OnHalfClose, Outlook, Patience, Respond,
    Surrender, Unanswered, Unmute, Writer,
};
use super::options::HalfClose;
use super::parcel::{Parcel, Receipt};
use super::record::Note;
use crate::error::{Refused, RefusedReason};
use crate::payload::{MessageId, Payload, TransferMode, allows_body};

/// The right to answer one request, once, from any actor or thread.
///
/// You get it from [`SessionContext::responder`](crate::SessionContext::responder) or in an
/// [`HttpRequest`](crate::HttpRequest) message. An answer consumes it. If it is dropped without an answer, the client
/// gets a 500 and the connection closes, so the client never hangs. If the exchange is over by then, nothing happens.
///
/// ```
/// use http_actors::{HttpHandler, Payload, SessionContext, StatusCode};
///
/// /// Answers from a thread, because the work would block the arbiter.
/// struct Slow;
///
/// impl HttpHandler for Slow {
///     fn apply(&mut self, request: Payload, session: &mut SessionContext) {
///         let responder = session.responder();
///         std::thread::spawn(move || {
///             let text = request.path().repeat(1000);
///             drop(responder.respond(Payload::response(StatusCode::OK).body(text)));
///         });
///     }
/// }
/// ```
///
/// A client that sent `Expect: 100-continue` gets its 100 when the body is first requested: by
/// [`continue_`](Self::continue_), or when a [`hold`](Self::hold) is released. A [`stream`](Self::stream) with a
/// success status sends the 100 first, because no 100 may come after the head.
#[must_use = "dropping a responder answers the request with a 500"]
pub struct Responder {
    session: Arc<Addr<HttpSession>>,
    exchange: MessageId,
    /// The request is HEAD.
    head: bool,
    spent: bool,
}

impl Responder {
    pub(super) fn new(
        session: Arc<Addr<HttpSession>>,
        (exchange, head): (MessageId, bool),
    ) -> Self {
        Self {
            session,
            exchange,
            head,
            spent: false,
        }
    }

    /// Whether this head announces a body that is to follow. A body of length 0 does not count.
    pub(crate) fn needs_body(&self, head: &Payload) -> bool {
        head.mode() != TransferMode::Oneshot
            && head.body_size() != Some(0)
            && head.has_body()
            && !self.head
    }

    /// Whether this head announces a body that follows and is empty.
    pub(crate) fn expects_nothing(&self, head: &Payload) -> bool {
        head.mode() == TransferMode::Stream
            && head.body_size() == Some(0)
            && head.status().is_some_and(allows_body)
            && !self.head
    }

    /// The id of the exchange, which is that of its request.
    pub fn exchange(&self) -> MessageId {
        self.exchange
    }

    /// The session, for example to [`Inspect`](crate::message::Inspect) it.
    pub fn session(&self) -> &Addr<HttpSession> {
        &self.session
    }

    /// Answers the request. The payload is on its way when this returns, and you may drop the [`Answer`].
    ///
    /// A refusal that nobody awaits goes to the handler. The right to answer is consumed in any case: if the payload is
    /// refused, the client gets a 500, unless somebody else may still answer.
    ///
    /// Refused as `Unusable`, among others, are a 1xx (use [`inform`](Self::inform)) and a head that announces a body
    /// which follows, chunked or with a length (use [`stream`](Self::stream)).
    #[allow(clippy::must_use_candidate, reason = "the answer is sent at the call")]
    pub fn respond(self, mut payload: Payload) -> Answer {
        if self.needs_body(&payload) {
            return self.answer(payload, Writer::Missing);
        }
        payload.complete_if_empty();
        self.answer(payload, Writer::NotNeeded)
    }

    fn answer(mut self, payload: Payload, writer: Writer) -> Answer {
        self.spent = true;
        let (parcel, receipt) = Parcel::new(payload);
        self.session.do_send(Respond {
            exchange: self.exchange,
            parcel,
            writer,
        });
        Answer { receipt }
    }

    /// Answers by a switch to another protocol; see [`HandOff`](crate::message::HandOff). Resolves to the connection.
    pub fn hand_off(mut self, payload: Payload) -> Upgrade {
        self.spent = true;
        let (parcel, receipt) = Parcel::new(payload);
        self.session.do_send(Surrender {
            exchange: self.exchange,
            parcel,
        });
        Upgrade::by(receipt)
    }

    /// Begins a Stream or Chunked answer and returns the writer of its body.
    ///
    /// # Errors
    /// The head is returned: see [`Apply`](crate::message::Apply). If the answer can have no body, as to HEAD, the head
    /// is sent, and the writer refuses data with `NoBody`, or with `NotYourTurn` once the exchange is over.
    pub async fn stream(self, head: Payload) -> Result<BodySender, Refused<Payload>> {
        // Made before the wait, so that the answer is cut, and not left open, if this future is dropped while it waits.
        let body = BodySender::new(self.session.clone(), head.id());
        self.answer(head, Writer::Given).await?;
        Ok(body)
    }

    /// Waits until the exchange is over: the client has disconnected, a deadline has passed, the session was disposed,
    /// or another responder's answer is complete. If you work long on an answer, race the work with this.
    ///
    /// The future does not borrow. Make it once, pin it, and race it with many sends.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        Accompany::to_the_end(self.session.clone(), self.exchange)
    }

    /// Waits until the exchange is over, as [`closed`](Self::closed) does, and tells how it ended: `None` if it was
    /// over before, or if the session was torn down. Ask before you answer, if you have to know whether the whole
    /// answer was sent:
    ///
    /// ```
    /// use http_actors::{Outcome, Payload, Responder, StatusCode};
    ///
    /// /// Gives a command to a device. Returns the command if the device left before it was sent.
    /// async fn give(responder: Responder, command: String) -> Result<(), String> {
    ///     let ended = responder.ended();
    ///     responder.respond(Payload::response(StatusCode::OK).body(command.clone()));
    ///     match ended.await {
    ///         Some(Outcome::Completed) => Ok(()),
    ///         _ => Err(command),
    ///     }
    /// }
    /// ```
    ///
    /// [`Completed`](Outcome::Completed) says that the answer is on its way, not that the client has read it.
    /// The session is asked when this is called, not when the future is first polled. It is asked by a message, so what
    /// a handler does by its [`SessionContext`](crate::SessionContext) may be done before that: answer by a responder.
    pub fn ended(&self) -> impl Future<Output = Option<Outcome>> + Send + use<> {
        let (told, outcome) = oneshot::channel();
        self.session.do_send(Outlook {
            exchange: self.exchange,
            told,
        });
        async move { outcome.await.ok() }
    }

    /// Notes something about the exchange for the access log: who asked, which route it was, which server answered. A
    /// later note of the same name replaces it.
    ///
    /// [`JsonLog`](crate::log::JsonLog) writes all notes. One of the name `user` takes the place of the user there and
    /// in [`CommonLog`](crate::log::CommonLog), which has no place for others. A [`Logger`](crate::log::Logger) of your
    /// own gets them in its [`Record`](crate::log::Record). Without a logger, notes are dropped; so are those that come
    /// when the exchange is over. A note that is made before the answer by a responder is in time. For an answer by
    /// [`SessionContext::respond`](crate::SessionContext::respond) it may be late, because it is a message: there, use
    /// [`SessionContext::note`](crate::SessionContext::note). The notes of an exchange may have 16 KiB, of which each
    /// takes 48 bytes more than its text. One for which there is no room is dropped, with a `tracing` event at `WARN`
    /// for the first.
    ///
    /// ```
    /// use http_actors::{ErrorResponse, HttpRequest, Payload, StatusCode, handler_fn};
    ///
    /// let service = handler_fn(async |all: HttpRequest| -> Result<(), ErrorResponse> {
    ///     let user = all.request.headers().text("X-User").ok_or(StatusCode::UNAUTHORIZED)?;
    ///     all.responder.note("user", user.to_owned());
    ///     all.responder.note("route", "/orders/{id}");
    ///     all.responder.respond(Payload::response(StatusCode::OK));
    ///     Ok(())
    /// });
    /// # let _ = service;
    /// ```
    pub fn note(&self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) {
        self.session.do_send(Noted {
            exchange: self.exchange,
            note: Note {
                name: name.into(),
                value: value.into(),
            },
        });
    }

    /// Waits until the session is asked to [`Leave`](crate::message::Leave), as by a [`Drain`](crate::message::Drain),
    /// or the exchange is over. When it resolves, finish an answer that does not end by itself.
    ///
    /// Like that of [`closed`](Self::closed), the future does not borrow.
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + use<> {
        Departure::of(self.session.clone(), self.exchange)
    }

    /// Sets what happens to the exchange when the client closes its sending side. This overrides
    /// [`SessionOptions::half_close`](crate::SessionOptions::half_close). Use `Abort` if you must know at once that the
    /// client has disconnected. If the client has already closed its sending side, the policy takes effect now: `Abort`
    /// cancels the exchange, and the time of `FinishWithin` begins.
    pub fn on_half_close(&self, policy: HalfClose) {
        self.session.do_send(OnHalfClose {
            exchange: self.exchange,
            policy,
        });
    }

    /// Sets how long the body of this request may be silent, from now on; `None`: for ever. For a body that is a
    /// conversation, with pauses, while the answer is sent.
    ///
    /// This overrides [`Timeouts::body`](crate::Timeouts::body), and no
    /// [`body_rate`](crate::Timeouts::body_rate) applies. Once the answer is complete, both hold again for what is
    /// still to come.
    pub fn body_timeout(&self, time: impl Into<Option<Duration>>) {
        self.session.do_send(Patience {
            exchange: self.exchange,
            time: time.into(),
        });
    }

    /// Sends an informational (1xx) response before the answer.
    pub fn inform(&self, payload: Payload) {
        self.session.do_send(Inform {
            exchange: self.exchange,
            payload,
        });
    }

    /// Lets a client that waits for a 100 send its body. No effect if it does not wait.
    pub fn continue_(&self) {
        self.session.do_send(Continue(self.exchange));
    }

    /// Pauses the delivery of the request body until the guard is dropped (P8). It takes effect with a delay: what is
    /// already on its way to the handler still arrives.
    pub fn hold(&self) -> MuteGuard {
        self.session.do_send(Mute(self.exchange));
        MuteGuard::new(self.session.clone(), self.exchange)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.spent {
            self.session.do_send(Unanswered(self.exchange));
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

/// Resolves to whether an answer was accepted. You may drop it: the answer is sent anyway.
#[derive(Debug)]
pub struct Answer {
    receipt: Receipt<MessageId, Refused<Payload>>,
}

impl Future for Answer {
    /// The id of the response, or the payload and why it was refused.
    type Output = Result<MessageId, Refused<Payload>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receipt).poll(cx).map(|received| {
            // A parcel always answers, at the latest when it is dropped. Only a session that was torn down during a
            // call does not.
            received.unwrap_or_else(|_| {
                let lost = Payload::response(http::StatusCode::INTERNAL_SERVER_ERROR);
                Err(Refused::new(RefusedReason::Closing, lost))
            })
        })
    }
}

/// Pauses the delivery of a body until it is dropped; see [`Responder::hold`] and
/// [`SessionContext::hold`](crate::SessionContext::hold).
#[derive(Debug)]
#[must_use = "delivery resumes when the guard is dropped"]
pub struct MuteGuard {
    session: Arc<Addr<HttpSession>>,
    exchange: MessageId,
}

impl MuteGuard {
    pub(super) fn new(session: Arc<Addr<HttpSession>>, exchange: MessageId) -> Self {
        Self { session, exchange }
    }
}

impl Drop for MuteGuard {
    fn drop(&mut self) {
        self.session.do_send(Unmute(self.exchange));
    }
}
