//! Errors, by who caused them.
//!
//! * [`WireError`]: the peer broke the protocol or a limit. One function maps it to the status that the peer sees.
//! * [`UseError`] and [`Refused`]: the caller asked for something impossible. `Refused` gives the message back.
//! * [`FailureReason`], [`CancelCause`], [`CloseReason`]: what happened to the link. [`TlsError`]: why it is not
//!   secure.
//!
//! Texts are lower-case, without a full stop, and never contain bytes of the peer. A text says the cause too, which is
//! then no source; only errors of other crates are sources.

/// Conversions of causes. Not by `#[from]`: it would make the cause a source too, and who prints a chain of sources would
/// print it twice, since the texts here say it already.
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
