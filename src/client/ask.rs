//! One exchange on a leased session: the handler at the session, and the future that waits for the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::Addr;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::alarm::Alarm;
use super::error::{ClientError, ClientErrorKind};
use super::pool::Lease;
use crate::error::{BodyError, Refused, RefusedReason};
use crate::payload::{Headers, MessageId, Payload, TransferMode};
use crate::session::{
    Ask, Asker, BodySender, Cancel, Cancelled, Exchange, Failure, Feed, HttpHandler, HttpSession,
    Incoming, Offer, SessionContext, Upgrade,
};

/// A response: complete, or with a body that is still arriving.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) head: Payload,
    pub(super) body: Option<Box<Incoming>>,
}

impl Reply {
    /// Head and body. The body is a stream even if it has already arrived.
    pub(super) fn parts(self) -> (Payload, Incoming) {
        let Self { mut head, body } = self;
        let body = body.map_or_else(|| Incoming::inside(&mut head), |body| *body);
        (head, body)
    }
}

/// Sends a request on a leased session, with the time that is left for it. If the request has a body that follows,
/// `writer` gets the writer for it.
pub(super) fn ask(
    session: Arc<Addr<HttpSession>>,
    lease: Lease,
    request: Payload,
    writer: Option<oneshot::Sender<BodySender>>,
    alarm: &mut Alarm,
) -> Pending<'_> {
    let (ask, pending) = converse(session, lease, request, writer, alarm);
    pending.session.do_send(ask);
    pending
}

/// Sends an offer to change the protocol, as [`ask`] sends a request. If the response is the switch, the connection
/// follows.
pub(super) fn offer(
    session: Arc<Addr<HttpSession>>,
    lease: Lease,
    request: Payload,
    alarm: &mut Alarm,
) -> (Pending<'_>, Upgrade) {
    let (ask, pending) = converse(session, lease, request, None, alarm);
    let (offer, upgrade) = Offer::new(ask);
    pending.session.do_send(offer);
    (pending, upgrade)
}

/// A request with the handler of its exchange, to be sent, and what waits for the answer.
#[inline]
fn converse(
    session: Arc<Addr<HttpSession>>,
    lease: Lease,
    mut request: Payload,
    writer: Option<oneshot::Sender<BodySender>>,
    alarm: &mut Alarm,
) -> (Ask, Pending<'_>) {
    let (sender, answer) = oneshot::channel();
    let exchange = request.own_id();
    let conversation = Conversation {
        lease,
        exchange,
        answer: Some(sender),
        writer,
        head: None,
        feed: None,
    };
    let pending = Pending {
        session,
        exchange,
        answer,
        alarm,
        stage: Stage::Waiting,
    };
    (Ask::new(request, Box::new(conversation)), pending)
}

/// Waits for the answer. If it is dropped earlier, or the time is up, the exchange is cancelled.
///
/// When the time is up it still waits, for the end of the exchange: the session knows what the server may have got of
/// the request, and has the request.
#[derive(Debug)]
pub(super) struct Pending<'a> {
    session: Arc<Addr<HttpSession>>,
    exchange: MessageId,
    answer: oneshot::Receiver<Result<Reply, ClientError>>,
    alarm: &'a mut Alarm,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// The time is up, and the session was told to cancel.
    Late,
    Over,
}

impl Pending<'_> {
    fn cancel(&self) {
        self.session.do_send(Cancel(self.exchange));
    }
}

impl Future for Pending<'_> {
    type Output = Result<Reply, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.answer).poll(cx);
        if answer.is_pending() && self.stage == Stage::Waiting && self.alarm.poll(cx).is_ready() {
            self.stage = Stage::Late;
            self.cancel();
        }
        let answer = std::task::ready!(answer);
        let late = std::mem::replace(&mut self.stage, Stage::Over) == Stage::Late;
        // Only a session that was torn down during a call gives no answer.
        let answer = answer.unwrap_or_else(|_| {
            let kind = ClientErrorKind::Refused(RefusedReason::Closing);
            Err(ClientError::new(kind))
        });
        Poll::Ready(if late { timed_out(answer) } else { answer })
    }
}

/// The answer to a request whose time is up. One that came whole at the last moment is an answer; the body of one that
/// has only begun was cut.
fn timed_out(answer: Result<Reply, ClientError>) -> Result<Reply, ClientError> {
    match answer {
        Ok(Reply { body: Some(_), .. }) => Err(ClientError::new(ClientErrorKind::TimedOut)),
        Ok(whole) => Ok(whole),
        Err(error) => Err(error.late()),
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.stage == Stage::Waiting {
            self.cancel();
        }
    }
}

/// The handler of one exchange. Afterwards it stays, unused, until the handler of the next exchange replaces it.
#[derive(Debug)]
struct Conversation {
    lease: Lease,
    exchange: MessageId,
    answer: Option<oneshot::Sender<Result<Reply, ClientError>>>,
    writer: Option<oneshot::Sender<BodySender>>,
    /// The response, if it is complete.
    head: Option<Payload>,
    /// Where the body of the response goes, if it comes in pieces.
    feed: Option<Feed>,
}

impl Conversation {
    fn answer(&mut self, answer: Result<Reply, ClientError>) {
        if let Some(sender) = self.answer.take() {
            // If nobody waits any more, dropping the body in the answer cancels the exchange.
            drop(sender.send(answer));
        }
    }

    /// Gives the session back if it can be used again, and ends it if not, unless it hands its connection over.
    ///
    /// ORDER: before the end is reported, so that the next request finds this connection.
    fn release(&mut self, session: &mut SessionContext) {
        if !self.lease.give_back(session.reusable()) && !session.hands_over() {
            session.dispose();
        }
    }

    fn end(&mut self, end: Result<(), BodyError>) {
        if let Some(feed) = self.feed.take() {
            feed.end(end);
        }
    }
}

impl HttpHandler for Conversation {
    fn apply(&mut self, head: Payload, session: &mut SessionContext) {
        if head.mode() == TransferMode::Oneshot {
            self.head = Some(head);
            return;
        }
        let (feed, body) = Feed::response(self.exchange, &head, session);
        self.feed = Some(feed);
        self.answer(Ok(Reply {
            head,
            body: Some(Box::new(body)),
        }));
    }

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        if let Some(feed) = &self.feed {
            feed.chunk(data, session);
        }
    }

    fn trailers(&mut self, trailers: Headers, _: &mut SessionContext) {
        if let Some(feed) = &self.feed {
            feed.trailers(trailers);
        }
    }

    fn need_body(&mut self, _: MessageId, session: &mut SessionContext) {
        if let Some(writer) = self.writer.take()
            && let Some(body) = session.body_sender()
        {
            // If nobody waits for the writer, dropping it cancels the exchange.
            drop(writer.send(body));
        }
    }

    fn completed(&mut self, _: &Exchange, session: &mut SessionContext) {
        self.release(session);
        self.end(Ok(()));
        if let Some(head) = self.head.take() {
            self.answer(Ok(Reply { head, body: None }));
        }
    }

    fn cancelled(&mut self, cancelled: &Cancelled, session: &mut SessionContext) {
        self.release(session);
        self.end(Err(BodyError::Cancelled(cancelled.cause)));
        let request = session.take_unanswered();
        self.answer(Err(ClientError::cancelled(cancelled, request)));
    }

    fn failed(&mut self, failure: &Failure, session: &mut SessionContext) {
        self.release(session);
        self.end(Err(BodyError::Failed(failure.reason)));
        let request = session.take_unanswered();
        self.answer(Err(ClientError::failed(failure, request)));
    }
}

impl Asker for Conversation {
    fn turned_away(
        mut self: Box<Self>,
        refused: Refused<Payload>,
        session: Option<&mut SessionContext>,
    ) {
        match session {
            Some(session) => self.release(session),
            None => drop(self.lease.give_back(None)),
        }
        self.answer(Err(refused.into()));
    }
}
