//! Errors, by who caused them.
//!
//! * [`WireError`]: the peer broke the protocol or a limit. One function maps it to the status that the peer sees.
//! * [`UseError`] and [`Refused`]: the caller asked for something impossible. `Refused` returns the message, with the
//!   [`RefusedReason`].
//! * [`FailureReason`] and [`CancelCause`] (with the [`Deadline`]): why an exchange was not completed. [`BodyError`]:
//!   why a body is incomplete. [`CloseReason`]: why a connection closed. [`TlsError`]: why it is not secure.
//!
//! The errors of functions are elsewhere: [`ClientError`](crate::ClientError) is that of a client,
//! [`ErrorResponse`](crate::ErrorResponse) one that you return to choose the answer.
//!
//! Texts are lower-case, without a full stop, and never contain bytes from the peer. A text includes the cause, which
//! is then not also a source; only errors of other crates are sources.

/// Conversions of causes. Not by `#[from]`, which would make the cause a source too: a printed chain of sources would
/// show it twice, because the texts here include it.
macro_rules! causes {
    ($($effect:ident::$variant:ident <- $cause:ty),* $(,)?) => {$(
        impl From<$cause> for $effect {
            fn from(cause: $cause) -> Self {
                Self::$variant(cause)
            }
        }
    )*};
}
pub(crate) use causes;

mod link;
mod name;
mod refused;
mod tls;
mod usage;
mod wire;

pub use link::{BodyError, CancelCause, CloseReason, Deadline, FailureReason};
pub use refused::{Refused, RefusedReason};
pub use tls::TlsError;
pub use usage::UseError;
pub use wire::WireError;
