//! Why a request was not answered.

use std::fmt;
use std::io;

use http::Uri;
use thiserror::Error;

use crate::error::{
    BodyError, CancelCause, FailureReason, Refused, RefusedReason, UseError, causes,
};
use crate::payload::Payload;
use crate::session::{Cancelled, Failure};

/// Why a client could not complete a request, and whether it may be sent again.
///
/// Error texts never contain bytes from the server or credentials.
pub struct ClientError {
    kind: ClientErrorKind,
    retry_safe: bool,
    reused: bool,
    payload: Option<Payload>,
}

/// What happened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientErrorKind {
    /// The request cannot be sent as it is.
    #[error("unusable request: {0}")]
    Unusable(UseError),
    /// The session refused the request. `Closing` means that the arbiter of the client has stopped.
    #[error("the session refused the request: {0}")]
    Refused(RefusedReason),
    /// The exchange was cancelled.
    #[error("cancelled: {0}")]
    Cancelled(CancelCause),
    /// The exchange failed.
    #[error("{0}")]
    Failed(FailureReason),
    /// The response began but was cut off, or is longer than `max_body`.
    #[error("{0}")]
    Body(BodyError),
    /// The stream of the request body ended in an error.
    #[error("the body to send failed")]
    Upload(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// All connections to the origin stayed in use for as long as a request waits for one. Nothing of it was sent.
    #[error(
        "no connection to the origin became free within `ClientBuilder::wait_timeout`: all of \
         `connections_per_origin` are in use"
    )]
    Busy,
    /// The time for the whole request ran out.
    ///
    /// Whether the request may be sent again depends on how far it had come:
    /// [`is_retry_safe`](ClientError::is_retry_safe).
    #[error("no answer within `ClientBuilder::timeout`")]
    TimedOut,
    /// More redirects than are followed.
    #[error("more redirects than `ClientBuilder::redirects` allows")]
    TooManyRedirects,
}

causes!(ClientErrorKind::Unusable <- UseError, ClientErrorKind::Body <- BodyError);

/// Who must act for a request to succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// The calling code.
    Caller,
    /// The server, or the proxy.
    Server,
    /// The network between client and server, or the configured timeouts.
    Network,
}

impl ClientError {
    pub(super) fn new(kind: impl Into<ClientErrorKind>) -> Self {
        Self {
            kind: kind.into(),
            retry_safe: false,
            reused: false,
            payload: None,
        }
    }

    /// An error of a request that was not sent at all.
    pub(super) fn unsent(kind: impl Into<ClientErrorKind>, payload: Payload) -> Self {
        Self::new(kind).of_unsent(payload)
    }

    /// The same, of a request that was not sent at all.
    pub(super) fn of_unsent(self, payload: Payload) -> Self {
        Self {
            retry_safe: true,
            payload: Some(payload),
            ..self
        }
    }

    pub(super) fn failed(failure: &Failure, payload: Option<Payload>) -> Self {
        Self {
            kind: ClientErrorKind::Failed(failure.reason),
            retry_safe: failure.exchange.retry_safe,
            reused: failure.exchange.reused,
            payload,
        }
    }

    pub(super) fn cancelled(cancelled: &Cancelled, payload: Option<Payload>) -> Self {
        Self {
            kind: ClientErrorKind::Cancelled(cancelled.cause),
            retry_safe: cancelled.exchange.retry_safe,
            reused: cancelled.exchange.reused,
            payload,
        }
    }

    /// This error of an exchange that was cancelled because its time was up.
    pub(super) fn late(self) -> Self {
        match self.kind {
            ClientErrorKind::Cancelled(CancelCause::Local) => Self {
                kind: ClientErrorKind::TimedOut,
                ..self
            },
            _ => self,
        }
    }

    /// This error after a redirect was followed: the request that failed is not the one that the caller gave, which was
    /// answered.
    pub(super) fn behind_redirect(self, idempotent: bool) -> Self {
        Self {
            retry_safe: self.retry_safe && idempotent,
            payload: None,
            ..self
        }
    }

    /// This error with the URL that the caller gave, in place of the one that was requested.
    pub(super) fn with_url(self, url: Uri) -> Self {
        Self {
            payload: self.payload.map(|payload| payload.with_uri(url)),
            ..self
        }
    }

    /// What happened.
    pub fn kind(&self) -> &ClientErrorKind {
        &self.kind
    }

    /// Whether the same request can be sent again without taking effect twice: nothing of it was sent, or its method is
    /// idempotent and no answer began.
    ///
    /// Of the body of an [`upload`](crate::HttpClient::upload), what was taken from the stream is gone, so such a
    /// request can be sent again only with another stream. If [`is_connect`](Self::is_connect) is true, nothing was
    /// taken.
    ///
    /// This does not say that it would help: a request that cannot be sent at all, or that its server cannot be asked,
    /// is safe to repeat and fails again. Repeat it only if [`blame`](Self::blame) is not [`Blame::Caller`].
    pub fn is_retry_safe(&self) -> bool {
        self.retry_safe
    }

    /// Whether a time limit ended it, whichever: that of the request or of its wait
    /// ([`ClientBuilder`](crate::ClientBuilder)), one of the [`Timeouts`](crate::Timeouts), or that of the system for a
    /// server that answers nothing.
    ///
    /// Not if the stream of a request body failed because of a time limit of its own ([`ClientErrorKind::Upload`]).
    pub fn is_timeout(&self) -> bool {
        use ClientErrorKind as Kind;
        match &self.kind {
            Kind::Busy | Kind::TimedOut => true,
            Kind::Cancelled(cause) | Kind::Body(BodyError::Cancelled(cause)) => {
                matches!(cause, CancelCause::Deadline(_))
            }
            Kind::Failed(reason) | Kind::Body(BodyError::Failed(reason)) => matches!(
                reason,
                FailureReason::ConnectFailed(io::ErrorKind::TimedOut)
                    | FailureReason::ConnectionClosed(io::ErrorKind::TimedOut)
            ),
            _ => false,
        }
    }

    /// Whether there was no usable connection to the server: none could be opened, in time too, it is not secure, or
    /// the proxy made no tunnel. Nothing was sent.
    ///
    /// Not if another time limit ended a request that waited for its connection
    /// ([`TimedOut`](ClientErrorKind::TimedOut), [`Busy`](ClientErrorKind::Busy)): whether the server can be reached is
    /// not known then.
    pub fn is_connect(&self) -> bool {
        matches!(
            self.kind,
            ClientErrorKind::Failed(
                FailureReason::ConnectFailed(_)
                    | FailureReason::AuthFailed(_)
                    | FailureReason::NoTunnel(_)
            )
        )
    }

    /// Who must act for the request to succeed.
    pub fn blame(&self) -> Blame {
        use ClientErrorKind as Kind;
        match &self.kind {
            Kind::Unusable(_) | Kind::Refused(_) | Kind::Upload(_) => Blame::Caller,
            Kind::TooManyRedirects | Kind::Body(BodyError::TooLarge(_)) => Blame::Server,
            Kind::Busy | Kind::TimedOut => Blame::Network,
            Kind::Cancelled(cause) | Kind::Body(BodyError::Cancelled(cause)) => match cause {
                CancelCause::Local | CancelCause::Shutdown => Blame::Caller,
                _ => Blame::Network,
            },
            Kind::Failed(reason) | Kind::Body(BodyError::Failed(reason)) => match reason {
                FailureReason::Usage(_) => Blame::Caller,
                FailureReason::Protocol(_) | FailureReason::NoTunnel(_) => Blame::Server,
                _ => Blame::Network,
            },
        }
    }

    /// The request, ready to be sent again. `None` if it was answered, if it was sent and its body was not inside, and
    /// after a redirect was followed. The stream of a body does not come back.
    pub fn into_payload(self) -> Option<Payload> {
        self.payload
    }

    /// Whether the server may have closed the connection before the request reached it.
    pub(super) fn is_stale(&self) -> bool {
        let unsent = matches!(self.kind, ClientErrorKind::Refused(RefusedReason::Closing));
        let died = matches!(
            self.kind,
            ClientErrorKind::Failed(FailureReason::ConnectionClosed(_))
        );
        self.payload.is_some() && self.retry_safe && (unsent || (died && self.reused))
    }
}

impl From<Refused<Payload>> for ClientError {
    fn from(refused: Refused<Payload>) -> Self {
        let kind = match refused.reason {
            RefusedReason::Unusable(mistake) => ClientErrorKind::Unusable(mistake),
            reason => ClientErrorKind::Refused(reason),
        };
        Self::unsent(kind, refused.message)
    }
}

/// Omits the request, whose fields may be secret.
impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientError")
            .field("kind", &self.kind)
            .field("retry_safe", &self.retry_safe)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.kind)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::{
        Blame, BodyError, CancelCause, ClientError, ClientErrorKind as Kind, FailureReason,
    };
    use crate::StatusCode;
    use crate::error::{Deadline, RefusedReason, TlsError, UseError, WireError};

    /// What is a timeout, and what a failure to connect.
    #[test]
    fn what_kind_of_an_error() {
        use FailureReason::{AuthFailed, ConnectFailed, ConnectionClosed, NoTunnel, Protocol};
        let late = CancelCause::Deadline(Deadline::Body);
        let upload = std::io::Error::from(ErrorKind::TimedOut);
        for (kind, timeout, connect) in [
            (Kind::TimedOut, true, false),
            (Kind::Busy, true, false),
            (Kind::Cancelled(late), true, false),
            (Kind::Body(BodyError::Cancelled(late)), true, false),
            (Kind::Failed(ConnectFailed(ErrorKind::TimedOut)), true, true),
            (
                Kind::Failed(ConnectionClosed(ErrorKind::TimedOut)),
                true,
                false,
            ),
            (
                Kind::Body(BodyError::Failed(ConnectionClosed(ErrorKind::TimedOut))),
                true,
                false,
            ),
            (
                Kind::Failed(ConnectFailed(ErrorKind::ConnectionRefused)),
                false,
                true,
            ),
            (Kind::Failed(AuthFailed(TlsError::Expired)), false, true),
            (Kind::Failed(NoTunnel(StatusCode::FORBIDDEN)), false, true),
            (
                Kind::Failed(ConnectionClosed(ErrorKind::UnexpectedEof)),
                false,
                false,
            ),
            (Kind::Failed(Protocol(WireError::Truncated)), false, false),
            (Kind::Body(BodyError::TooLarge(1)), false, false),
            (Kind::Cancelled(CancelCause::Local), false, false),
            (Kind::Refused(RefusedReason::Closing), false, false),
            (Kind::Unusable(UseError::NotAbsolute), false, false),
            (Kind::Upload(upload.into()), false, false),
            (Kind::TooManyRedirects, false, false),
        ] {
            let error = ClientError::new(kind);
            assert_eq!(error.is_timeout(), timeout, "{error:?}");
            assert_eq!(error.is_connect(), connect, "{error:?}");
        }
    }

    /// Who must act: the same for a body as for what stands before it.
    #[test]
    fn whose_turn_it_is() {
        use FailureReason::{ConnectionClosed, NoTunnel, Protocol, Usage};
        let closed = ConnectionClosed(ErrorKind::UnexpectedEof);
        for (cause, blame) in [
            (CancelCause::Shutdown, Blame::Caller),
            (CancelCause::Local, Blame::Caller),
            (CancelCause::Deadline(Deadline::Body), Blame::Network),
        ] {
            for kind in [
                Kind::Cancelled(cause),
                Kind::Body(BodyError::Cancelled(cause)),
            ] {
                let error = ClientError::new(kind);
                assert_eq!(error.blame(), blame, "{error:?}");
            }
        }
        for (reason, blame) in [
            (Usage(UseError::BodyTooShort), Blame::Caller),
            (Protocol(WireError::Truncated), Blame::Server),
            (NoTunnel(StatusCode::FORBIDDEN), Blame::Server),
            (closed, Blame::Network),
        ] {
            for kind in [Kind::Failed(reason), Kind::Body(BodyError::Failed(reason))] {
                let error = ClientError::new(kind);
                assert_eq!(error.blame(), blame, "{error:?}");
            }
        }
    }
}
