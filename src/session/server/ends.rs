//! The unsuccessful ends of an exchange at a server: cancelled, failed, refused; and the answer to the peer.

use http::StatusCode;

use super::answer::encode;
use super::{AnswerState, Server};
use crate::error::{CancelCause, CloseReason, Deadline, FailureReason, UseError};
use crate::payload::MessageId;
use crate::session::exchange::Outcome;
use crate::session::inbound::Fault;
use crate::session::link::Link;
use crate::session::meter;
use crate::session::outbound::Teardown;
use crate::session::record::RefusedRequest;
use crate::wire::{self, Answering, Asked};

impl Server {
    /// Ends the exchange because somebody no longer wants it, or its time is up.
    pub(in crate::session) fn end_cancelled(&mut self, link: &mut Link, cause: CancelCause) {
        if self.current().is_none() {
            return;
        }
        match cause {
            CancelCause::Deadline(deadline @ (Deadline::Body | Deadline::Exchange)) => {
                let receiving = self.active().is_some_and(|active| active.receiving);
                let (status, text) = match (receiving, deadline) {
                    (true, Deadline::Body) => (
                        StatusCode::REQUEST_TIMEOUT,
                        "the request body came too slowly",
                    ),
                    (true, _) => (StatusCode::REQUEST_TIMEOUT, "the request took too long"),
                    (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "the answer took too long"),
                };
                let outcome = Outcome::Cancelled(cause);
                let reason = CloseReason::Deadline(deadline);
                self.end_with(link, outcome, status, text, reason);
            }
            CancelCause::PeerReset => self.shut(link, cause, CloseReason::PeerReset),
            CancelCause::Shutdown => self.shut(link, cause, CloseReason::Shutdown),
            CancelCause::Memory => self.shut(link, cause, CloseReason::Memory),
            CancelCause::Deadline(deadline) => {
                self.shut(link, cause, CloseReason::Deadline(deadline));
            }
            CancelCause::Local | CancelCause::PeerHalfClosed => {
                self.give_up(link, cause);
            }
        }
    }

    /// Ends the exchange because something went wrong, with an error answer if no answer has begun.
    pub(in crate::session) fn end_failed(&mut self, link: &mut Link, reason: FailureReason) {
        let outcome = Outcome::Failed(reason);
        match reason {
            FailureReason::Protocol(error) => {
                let span = self.span(None).id();
                tracing::debug!(parent: span, %error, peer = %link.peer, "a request was refused");
                self.end_with(
                    link,
                    outcome,
                    error.status(),
                    &error.to_string(),
                    CloseReason::Refused(error),
                );
            }
            FailureReason::Usage(_)
            | FailureReason::Overrun
            | FailureReason::Unanswered
            | FailureReason::ServiceFailed
            | FailureReason::HandlerPanicked
            | FailureReason::LostPiece
            | FailureReason::ConnectFailed(_)
            | FailureReason::NoTunnel(_)
            | FailureReason::AuthFailed(_)
            | FailureReason::ConnectionClosed(_) => {
                let span = self.span(None).id();
                tracing::warn!(parent: span, %reason, "an exchange failed on this end");
                let tunnel = self
                    .active()
                    .is_some_and(|active| active.answering.asked == Asked::Connect);
                let (status, text) = if tunnel && reason == UseError::SwitchNeedsHandOff.into() {
                    // The handler answers a CONNECT like any other request (RFC 9110 section 9.1).
                    (StatusCode::NOT_IMPLEMENTED, "the server makes no tunnels")
                } else {
                    (StatusCode::INTERNAL_SERVER_ERROR, wire::COULD_NOT_ANSWER)
                };
                self.end_with(link, outcome, status, text, CloseReason::Aborted);
            }
        }
    }

    fn end_with(
        &mut self,
        link: &mut Link,
        outcome: Outcome,
        status: StatusCode,
        text: &str,
        reason: CloseReason,
    ) {
        let Some(active) = self.active_mut() else {
            return;
        };
        let asked = active.answering.asked;
        if !link.is_open() {
            self.end(link, outcome);
        } else if self.end(link, outcome) {
            // The answer had begun: only a reset keeps the peer from taking it for complete.
            link.abort(reason, Teardown::Reset);
        } else {
            let sizes = refuse(link, asked, status, text, reason);
            if let Some(ended) = &mut self.ended {
                ended.answered(status, sizes, link.exact_now());
            }
        }
    }

    /// Answers a request that never became an exchange, and closes so that the peer gets the answer.
    #[cold]
    pub(super) fn turn_away(
        &self,
        link: &mut Link,
        asked: Asked,
        fault: Fault,
        begun: Option<&[u8]>,
    ) {
        let (status, text, outcome, reason) = match fault {
            Fault::Wire(error) => {
                meter::refused(error);
                let outcome = Outcome::Failed(error.into());
                let reason = CloseReason::Refused(error);
                (error.status(), error.to_string(), outcome, reason)
            }
            Fault::Deadline(deadline) => {
                meter::late(deadline);
                let part = match deadline {
                    Deadline::Body => "body",
                    _ => "head",
                };
                let text = format!("the request {part} came too slowly");
                let outcome = Outcome::Cancelled(CancelCause::Deadline(deadline));
                let reason = CloseReason::Deadline(deadline);
                (StatusCode::REQUEST_TIMEOUT, text, outcome, reason)
            }
        };
        tracing::debug!(error = %text, peer = %link.peer, "a request was refused");
        let (head_out, bytes_out) = refuse(link, asked, status, &text, reason);
        link.options.log(|logger| {
            logger.refused(&RefusedRequest {
                status,
                outcome,
                peer: &link.peer,
                request_line: begun.unwrap_or_default(),
                head_out: head_out as u64,
                bytes_out: bytes_out as u64,
                reused: self.begun() > 0,
            });
        });
    }

    /// Ends the exchange and then the connection, by a reset if output is cut short.
    pub(in crate::session) fn shut(
        &mut self,
        link: &mut Link,
        cause: CancelCause,
        reason: CloseReason,
    ) {
        let begun = self.end(link, Outcome::Cancelled(cause));
        link.abort(reason, Teardown::reset_if(begun || link.has_output()));
    }

    /// The socket took nothing for too long.
    pub(in crate::session) fn stalled(&mut self, link: &mut Link) {
        let deadline = Deadline::Write;
        let reason = CloseReason::Deadline(deadline);
        self.shut(link, CancelCause::Deadline(deadline), reason);
        link.abort(reason, Teardown::Reset);
    }

    /// Gives up the exchange and the connection. An earlier, complete answer that is still being written is sent.
    fn give_up(&mut self, link: &mut Link, cause: CancelCause) {
        let begun = self.end(link, Outcome::Cancelled(cause));
        if !begun && link.is_open() && link.has_output() {
            link.close_and_linger(CloseReason::Aborted);
        } else {
            link.abort(CloseReason::Aborted, Teardown::reset_if(begun));
        }
    }

    /// Gives up the exchange that a message belongs to, if there is something left to cancel (P82, P83).
    pub(in crate::session) fn cancel(&mut self, link: &mut Link, message: MessageId) {
        if self.is_about(message) {
            self.end_cancelled(link, CancelCause::Local);
        }
    }

    /// The writer of a body was dropped before its end: the answer is cut at once. Whether the exchange is cancelled, or
    /// has [failed](Self::service_failed), is known when the messages that are already here were handled.
    pub(in crate::session) fn abandon(&self, link: &mut Link, message: MessageId) {
        if self
            .active()
            .is_some_and(|active| active.answer == AnswerState::Open(message))
        {
            link.abort(CloseReason::Aborted, Teardown::Reset);
        }
    }

    /// The service of the exchange that a message belongs to has failed. That matters if it has abandoned its answer.
    /// Somebody else may still be writing it.
    pub(in crate::session) fn service_failed(
        &mut self,
        link: &Link,
        message: MessageId,
        why: Option<String>,
    ) {
        if link.is_aborting() && self.is_about(message) {
            if let Some(error) = why {
                let span = self.span(None).id();
                tracing::warn!(parent: span, %error, "a service failed, and its answer is cut");
            }
            self.end(link, Outcome::Failed(FailureReason::ServiceFailed));
        }
    }

    /// The last thing before an abort. An answer that is still open was abandoned, and nobody has failed.
    pub(in crate::session) fn conclude_abandoned(&mut self, link: &Link) {
        if self
            .active()
            .is_some_and(|active| matches!(active.answer, AnswerState::Open(_)))
        {
            self.end(link, Outcome::Cancelled(CancelCause::Local));
        }
    }

    /// A server has one exchange at a time; requests that wait were not begun.
    pub(in crate::session) fn cancel_all(&mut self, link: &mut Link, cause: CancelCause) {
        self.end_cancelled(link, cause);
    }
}

/// Answers in the place of the handler, and closes so that the peer gets the answer. Returns the bytes of the head and
/// the body.
fn refuse(
    link: &mut Link,
    asked: Asked,
    status: StatusCode,
    text: &str,
    reason: CloseReason,
) -> (usize, usize) {
    let encoded = encode(
        link,
        &wire::refusal(status, text),
        status,
        Answering::last(asked),
    );
    link.close_and_linger(reason);
    // A refusal consists of valid parts, so this cannot fail; the connection closes in any case.
    encoded.map_or((0, 0), |(_, sizes)| sizes)
}
