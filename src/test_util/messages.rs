//! The far end of a connection reads messages: whole, or in parts while they arrive.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{FarEnd, Line};
use crate::payload::{Headers, MessageId, Payload, TransferMode};
use crate::session::Part;
use crate::wire::{Decoder, Expected, Item, Limits, Rules, Trailers};

/// The message that is being read.
#[derive(Debug)]
pub(super) enum Open {
    /// None.
    Closed,
    /// One without a body, or with its body inside. Only its end is still to be told.
    Empty,
    Body(Box<Decoder>),
}

enum Next {
    Head(Payload),
    Part(Part),
}

impl Next {
    fn end(trailers: Option<Trailers>) -> Self {
        Self::Part(Part::End(trailers.map(|trailers| *trailers)))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> FarEnd<T> {
    /// Waits for a request with its body, which is put inside.
    ///
    /// # Panics
    /// If something else comes.
    #[track_caller]
    pub fn request(&mut self) -> impl Future<Output = Payload> {
        let decoder = Decoder::requests(Arc::new(Rules::default()));
        self.message(Line::here(), "a whole request", decoder)
    }

    /// Waits for a response to a request with this method, with its body, which is put inside. An interim (1xx)
    /// response counts as one.
    ///
    /// # Panics
    /// If something else comes.
    #[track_caller]
    pub fn response(&mut self, method: Method) -> impl Future<Output = Payload> {
        let decoder = response_to(method, Rules::default());
        self.message(Line::here(), "a whole response", decoder)
    }

    /// Waits for the head of a request. Its body is read by [`part`](Self::part).
    ///
    /// # Panics
    /// If something else comes.
    #[track_caller]
    pub fn request_head(&mut self) -> impl Future<Output = Payload> {
        let decoder = Decoder::requests(Arc::new(in_parts()));
        self.head(Line::here(), "the head of a request", decoder)
    }

    /// Waits for the head of a response to a request with this method. Its body is read by [`part`](Self::part), while
    /// it arrives. An interim (1xx) response counts as one.
    ///
    /// # Panics
    /// If something else comes.
    #[track_caller]
    pub fn response_head(&mut self, method: Method) -> impl Future<Output = Payload> {
        let decoder = response_to(method, in_parts());
        self.head(Line::here(), "the head of a response", decoder)
    }

    /// Waits for the next part of the body whose head was read, without its framing: data as they arrive, then one end.
    /// [`Part::Cut`] says that the connection ended or was reset before the body was complete. A message without a body
    /// has an end too.
    ///
    /// On a [`Pipe`](super::Pipe) that splits nothing, each chunk that the session sends is one part, unless the 16 KiB
    /// that are read at once end within it. Until the end has come, read with nothing else: the other methods would
    /// return what is left with its framing.
    ///
    /// Cancel-safe: nothing is lost if the wait is dropped.
    ///
    /// # Panics
    /// If no head was read, after the end, and if what comes is not the body that the head announced.
    #[track_caller]
    pub fn part(&mut self) -> impl Future<Output = Part> {
        let part = async |this: &mut Self| this.read_part().await;
        self.wait(Line::here(), "a part of a body", part)
    }

    async fn message(&mut self, here: Line, what: &str, decoder: Decoder) -> Payload {
        self.wait(here, what, async |this| this.read_message(decoder).await)
            .await
    }

    async fn head(&mut self, here: Line, what: &str, decoder: Decoder) -> Payload {
        self.wait(here, what, async |this| this.read_head(decoder).await)
            .await
    }

    async fn read_message(&mut self, decoder: Decoder) -> Result<Payload, String> {
        let head = self.read_head(decoder).await?;
        let mut body = Vec::new();
        loop {
            match self.read_part().await? {
                Part::Data(data) => body.extend_from_slice(&data),
                Part::End(_) if head.mode() == TransferMode::Oneshot => return Ok(head),
                Part::End(trailers) => return Ok(whole(head, body, trailers)),
                Part::Cut => return Err(self.ended()),
            }
        }
    }

    async fn read_head(&mut self, decoder: Decoder) -> Result<Payload, String> {
        self.open = Open::Body(Box::new(decoder));
        match self.read_item().await? {
            Some(Next::Head(head)) => {
                if head.mode() == TransferMode::Oneshot {
                    self.open = Open::Empty;
                }
                Ok(head)
            }
            _ => Err(self.ended()),
        }
    }

    fn ended(&self) -> String {
        format!("the connection ended in {}", self.read.escape_ascii())
    }

    async fn read_part(&mut self) -> Result<Part, String> {
        let part = match self.read_item().await? {
            Some(Next::Part(part)) => part,
            Some(Next::Head(_)) => unreachable!("a body is read to its end"),
            None => Part::Cut,
        };
        if !matches!(part, Part::Data(_)) {
            self.open = Open::Closed;
        }
        Ok(part)
    }

    /// The next item of the open message. `None` if the connection ended within it.
    async fn read_item(&mut self) -> Result<Option<Next>, String> {
        loop {
            let decoder = match &mut self.open {
                Open::Body(decoder) => decoder,
                Open::Empty => return Ok(Some(Next::Part(Part::End(None)))),
                Open::Closed => {
                    return Err("no body is open: its head is read before its parts".to_owned());
                }
            };
            let step = match decoder.decode(&self.read) {
                Ok(step) => step,
                Err(err) => return Err(format!("{err}: {}", self.read.escape_ascii())),
            };
            let rest = self.read.split_off(step.consumed);
            let done = std::mem::replace(&mut self.read, rest);
            match step.item {
                Some(Item::Head(head, _)) => return Ok(Some(Next::Head(head))),
                Some(Item::Data(range)) => {
                    let data = Bytes::copy_from_slice(&done[range]);
                    return Ok(Some(Next::Part(Part::Data(data))));
                }
                Some(Item::End(trailers)) => return Ok(Some(Next::end(trailers))),
                None => {}
            }
            let more = self.try_read().await;
            let Open::Body(decoder) = &mut self.open else {
                continue;
            };
            match more {
                Ok(0) => match decoder.eof(self.read.len()) {
                    Ok(Some(Item::End(trailers))) => return Ok(Some(Next::end(trailers))),
                    _ => return Ok(None),
                },
                Ok(_) => {}
                Err(_) => return Ok(None),
            }
        }
    }
}

fn response_to(method: Method, rules: Rules) -> Decoder {
    let mut decoder = Decoder::responses(Arc::new(rules));
    decoder.expect(Expected {
        id: MessageId::next(),
        method,
        upgrade: true,
    });
    decoder
}

/// The rules for heads that do not wait for their bodies, however short these are.
fn in_parts() -> Rules {
    Rules {
        limits: Limits {
            oneshot: 0,
            ..Limits::default()
        },
        ..Rules::default()
    }
}

fn whole(mut payload: Payload, body: Vec<u8>, trailers: Option<Headers>) -> Payload {
    let message = payload.message_mut();
    message.mode = TransferMode::Oneshot;
    message.body = body.into();
    message.trailers = trailers.map(Box::new);
    payload
}
