//! HTTP/1.1 client and server sessions as actix actors.

mod error;
mod log;
mod payload;
mod server;
mod session;
mod transport;
mod wire;

pub use error::{
    CancelCause, CloseReason, Deadline, FailureReason, Refused, RefusedReason, UseError, WireError,
};
pub use http::{Method, StatusCode, Uri, Version};
pub use log::{CommonLog, ContentsLog, DiscardLog};
pub use payload::{Credentials, Headers, MessageId, Payload, TransferMode};
pub use server::{
    DisposeServer, HttpRequest, HttpServer, LocalAddrs, Running, ServerActor, ServerNotify,
    Service, Sessions, SetHandler, SetLogger,
};
pub use session::{
    Answer, Apply, BodySender, Buffers, Cancel, CancelAll, CancelCurrent, Cancelled, CodecError,
    Detail, Dispose, Exchange, ExchangePhase, Failure, Finish, FinishOf, FinishWith, Frame,
    HalfClose, HandlerFactory, HttpCodec, HttpHandler, HttpSession, Inspect, Kept, Logger,
    MuteGuard, Outcome, Record, Responder, Room, SendChunk, SendChunkTo, SessionContext,
    SessionInfo, SessionOptions, SessionPhase, Timeouts, Unsent, Write, WriteTo,
};
pub use transport::Peer;
pub use wire::{Leniency, Limits};
