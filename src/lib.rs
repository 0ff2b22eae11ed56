//! HTTP/1.1 client and server sessions as actix actors.

mod error;
mod payload;
mod wire;

pub use error::{
    CancelCause, CloseReason, Deadline, FailureReason, Refused, RefusedReason, UseError, WireError,
};
pub use http::{Method, StatusCode, Uri, Version};
pub use payload::{Credentials, Headers, MessageId, Payload, TransferMode};
pub use wire::{Leniency, Limits};
