//! The wire as a codec of tokio-util: for a plain `Framed<TcpStream, HttpCodec>`, without actors.
//!
//! The decoder and the encoder exchange inside the codec what one must know of the other: the method that is answered,
//! the version of the peer, and whether it wants to keep the connection. Sessions use the two directly.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use http::Uri;
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::codec;

use super::clock;
use crate::error::{UseError, WireError, causes};
use crate::payload::{Headers, Payload, TransferMode};
use crate::wire::{
    Answering, Asked, Begun, Decoder, Encoder, Expected, Facts, Item, Leniency, Limits, Rules,
    Target,
};

/// A part of a message.
#[derive(Debug, Clone)]
pub enum Frame {
    /// A head. For a Oneshot message, the whole message.
    Head(Payload),
    /// Body data of the message that is open.
    Data(Bytes),
    /// The end of a Stream or Chunked message, with its trailers if any came.
    End(Option<Headers>),
}

/// What can go wrong with a framed connection.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The transport failed.
    #[error("i/o failed")]
    Io(#[from] io::Error),
    /// The peer broke the protocol.
    #[error("protocol violation by the peer: {0}")]
    Wire(WireError),
    /// The caller's frame cannot be sent. Nothing of it was written.
    #[error("frame cannot be sent: {0}")]
    Use(UseError),
    /// A response without a request that it could answer.
    #[error("response without a request")]
    Unasked,
    /// A message after one that announced the close.
    #[error("the connection closes")]
    Closing,
    /// More requests were read ahead of their answers than the codec remembers.
    #[error("too many requests without an answer")]
    TooManyPending,
    /// Too many bytes came after a message that may change the protocol, before it was known which protocol they belong
    /// to.
    #[error("too many bytes after an upgrade")]
    Held,
}

causes!(CodecError::Wire <- WireError, CodecError::Use <- UseError);

/// HTTP/1.1 for [`Framed`](tokio_util::codec::Framed), as a server or a client.
///
/// ```
/// use futures_util::{SinkExt as _, StreamExt as _};
/// use http_actors::codec::{Frame, HttpCodec};
/// use http_actors::{Leniency, Limits, Payload, StatusCode};
/// use tokio_util::codec::Framed;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (near, far) = tokio::io::duplex(4096);
/// let mut server = Framed::new(far, HttpCodec::server(Limits::default(), Leniency::default()));
/// let mut client = Framed::new(near, HttpCodec::client(Limits::default(), Leniency::default()));
///
/// client.send(Frame::Head(Payload::get("http://example.test/")?)).await?;
/// let Some(Ok(Frame::Head(request))) = server.next().await else { panic!("a request") };
/// assert_eq!(request.headers().text("host"), Some("example.test"));
///
/// server.send(Frame::Head(Payload::response(StatusCode::OK).body("hello"))).await?;
/// let Some(Ok(Frame::Head(response))) = client.next().await else { panic!("a response") };
/// assert_eq!(response.body_bytes(), "hello");
/// # Ok(())
/// # }
/// ```
///
/// The codec never buffers a body: data are frames, of the size in which they arrived. Heads, chunk lines and trailers
/// beyond their [`Limits`] are errors. After an error of the decoder nothing more is read. A server may still send one
/// last response, which announces the close.
#[derive(Debug)]
pub struct HttpCodec {
    decoder: Decoder,
    encoder: Encoder,
    role: Role,
    /// The open message has no body on the wire, although its payload announces one: its body frames are dropped.
    swallow: bool,
    /// The message begun last announced the close.
    closing: bool,
    /// More requests were read than the codec can remember, so later answers would go to the wrong requests.
    flooded: bool,
    scratch: Vec<u8>,
}

#[derive(Debug)]
enum Role {
    /// Requests that have no final answer yet.
    Server(VecDeque<Answering>),
    Client,
}

/// How many requests may be read ahead of their answers.
const PENDING: usize = 64;

impl HttpCodec {
    /// Makes a server codec: it reads requests and writes responses.
    pub fn server(limits: Limits, leniency: Leniency) -> Self {
        let rules = Arc::new(Rules { limits, leniency });
        Self::new(Decoder::requests(rules), Role::Server(VecDeque::new()))
    }

    /// Makes a client codec: it writes requests and reads responses.
    pub fn client(limits: Limits, leniency: Leniency) -> Self {
        let rules = Arc::new(Rules { limits, leniency });
        Self::new(Decoder::responses(rules), Role::Client)
    }

    fn new(decoder: Decoder, role: Role) -> Self {
        Self {
            decoder,
            encoder: Encoder::default(),
            role,
            swallow: false,
            closing: false,
            flooded: false,
            scratch: Vec::new(),
        }
    }

    /// Whether reading has stopped because the protocol may change here: after a request that offers an upgrade, a
    /// CONNECT, a `101` or a 2xx to CONNECT. If the protocol changes, take the transport out of the `Framed`. If the
    /// offer is declined, reading goes on, but `Framed` decodes what it has already buffered only when more bytes
    /// arrive.
    pub fn is_held(&self) -> bool {
        self.decoder.is_held()
    }

    fn note(&mut self, payload: &Payload, facts: Facts) -> Result<(), CodecError> {
        let Role::Server(pending) = &mut self.role else {
            return Ok(());
        };
        if pending.len() >= PENDING {
            self.flooded = true;
            return Err(CodecError::TooManyPending);
        }
        pending.push_back(Answering::to(payload, facts.keep_alive));
        Ok(())
    }

    fn begin(&mut self, payload: &Payload) -> Result<(), CodecError> {
        if self.closing {
            return Err(CodecError::Closing);
        }
        let begun = match self.role {
            Role::Client => self.begin_request(payload)?,
            Role::Server(_) => self.begin_response(payload)?,
        };
        self.closing = !begun.keep_alive();
        self.swallow = !begun.needs_body() && payload.mode() != TransferMode::Oneshot;
        Ok(())
    }

    fn begin_request(&mut self, payload: &Payload) -> Result<Begun, UseError> {
        let host = host(payload.uri());
        let begun =
            self.encoder
                .request(payload, Target::Origin, host.as_bytes(), &mut self.scratch)?;
        self.decoder.expect(Expected {
            id: payload.id(),
            method: payload.method().clone(),
            upgrade: payload.headers().contains("upgrade"),
        });
        Ok(begun)
    }

    fn begin_response(&mut self, payload: &Payload) -> Result<Begun, CodecError> {
        let Role::Server(pending) = &mut self.role else {
            return Err(CodecError::Unasked);
        };
        let answering = match pending.front() {
            Some(answering) => *answering,
            // The answer to a request that could not be decoded.
            None if self.decoder.is_failed() => Answering::last(Asked::Other),
            None => return Err(CodecError::Unasked),
        };
        let date = clock::date_line(Instant::now());
        let begun = self
            .encoder
            .response(payload, answering, &date, &mut self.scratch)?;
        if begun != Begun::Interim {
            pending.pop_front();
            // Nothing is read behind an offer, so it is the last request.
            if begun != Begun::Switch && pending.is_empty() {
                self.decoder.resume();
            }
        }
        Ok(begun)
    }

    fn frame(&mut self, item: Item, data: impl FnOnce() -> Bytes) -> Result<Frame, CodecError> {
        Ok(match item {
            Item::Head(payload, facts) => {
                self.note(&payload, facts)?;
                Frame::Head(payload)
            }
            Item::Data(_) => Frame::Data(data()),
            Item::End(trailers) => Frame::End(trailers.map(|trailers| *trailers)),
        })
    }
}

/// How many bytes may be buffered after a message that may change the protocol.
const HELD: usize = 64 << 10;

/// The Host value for a URL, with the port only if it is not the default of the scheme (P53).
fn host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match (uri.port_u16(), uri.scheme_str()) {
        (None, _) | (Some(80), Some("http")) | (Some(443), Some("https")) => host.to_owned(),
        (Some(port), _) => format!("{host}:{port}"),
    }
}

impl codec::Decoder for HttpCodec {
    type Item = Frame;
    type Error = CodecError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        if self.flooded {
            return Err(CodecError::TooManyPending);
        }
        let step = self.decoder.decode(src)?;
        let Some(item) = step.item else {
            src.advance(step.consumed);
            if self.is_held() && src.len() > HELD {
                // Otherwise `Framed` would buffer without end, and nothing would be decoded.
                return Err(CodecError::Held);
            }
            return Ok(None);
        };
        let mut done = src.split_to(step.consumed);
        let range = match &item {
            Item::Data(range) => range.clone(),
            Item::Head(..) | Item::End(_) => 0..0,
        };
        self.frame(item, || {
            done.advance(range.start);
            done.truncate(range.len());
            done.freeze()
        })
        .map(Some)
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        if let Some(frame) = self.decode(src)? {
            return Ok(Some(frame));
        }
        match self.decoder.eof(src.len())? {
            Some(item) => self.frame(item, Bytes::new).map(Some),
            None => Ok(None),
        }
    }
}

impl codec::Encoder<Frame> for HttpCodec {
    type Error = CodecError;

    fn encode(&mut self, frame: Frame, dst: &mut BytesMut) -> Result<(), CodecError> {
        self.scratch.clear();
        match frame {
            Frame::Head(payload) => self.begin(&payload)?,
            Frame::Data(_) if self.swallow => {}
            Frame::Data(data) => self.encoder.data(&data, &mut self.scratch)?,
            Frame::End(_) if self.swallow => self.swallow = false,
            Frame::End(trailers) => self.encoder.finish(trailers.as_ref(), &mut self.scratch)?,
        }
        dst.extend_from_slice(&self.scratch);
        Ok(())
    }
}
