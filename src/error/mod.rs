//! Errors, by who caused them.
//!
//! * [`WireError`]: the peer broke the protocol or a limit. One function maps it to the status that the peer sees.
//! * [`UseError`] and [`Refused`]: the caller asked for something impossible. `Refused` returns the message.
//! * [`FailureReason`], [`CancelCause`], [`CloseReason`]: what happened to the link. [`TlsError`]: why it is not
//!   secure.
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
