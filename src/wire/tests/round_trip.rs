//! What encodes must decode: payloads of every mode, through the encoder of one end and the decoder of the other.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, Uri, Version};
use proptest::prelude::*;

use super::harness::{Event, Feed, Seen, fields};
use crate::payload::{Headers, MessageId, Payload, TransferMode};
use crate::wire::{Answering, Asked, Decoder, Encoder, Expected, Rules, Target};

/// A message with its body: what is sent, and what must come.
#[derive(Debug, Clone)]
struct Message {
    method: Method,
    path: &'static str,
    status: StatusCode,
    headers: Vec<(String, String)>,
    mode: TransferMode,
    pieces: Vec<Vec<u8>>,
    trailers: Vec<(String, String)>,
}

impl Message {
    fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    fn complete(&self, mut payload: Payload) -> Payload {
        for (name, value) in &self.headers {
            payload = payload.header(name, value);
        }
        match self.mode {
            TransferMode::Oneshot => payload.body(self.body()),
            TransferMode::Stream => payload.length(self.body().len() as u64),
            TransferMode::Chunked => payload.chunked(),
        }
    }

    /// The body of a message that was begun, if it needs one.
    fn send(&self, encoder: &mut Encoder, out: &mut Vec<u8>) {
        if encoder.is_open() {
            for piece in &self.pieces {
                encoder.data(&Bytes::from(piece.clone()), out).unwrap();
            }
            let mut trailers = Headers::new();
            for (name, value) in &self.trailers {
                trailers.append(name, value).unwrap();
            }
            let takes = self.mode == TransferMode::Chunked;
            encoder.finish(takes.then_some(&trailers), out).unwrap();
        }
    }

    /// Compares with what came. `bodiless`: the head alone was sent. `trailers`: they had a way to travel.
    fn matches(&self, events: &[Event], bodiless: bool, trailers: bool) {
        let mut events = events.iter();
        let Some(Event::Head(head)) = events.next() else {
            panic!("a head")
        };
        self.matches_head(head);
        let mut body = head.body.clone();
        let mut ended = head.mode == TransferMode::Oneshot;
        for event in events {
            match event {
                Event::Data(data) => body.extend_from_slice(data),
                Event::End(came) => {
                    let expected = self
                        .trailers
                        .iter()
                        .filter(|_| trailers && self.mode == TransferMode::Chunked);
                    let came: Vec<_> = came
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_slice()))
                        .collect();
                    let expected: Vec<_> = expected
                        .map(|(name, value)| (name.as_str(), value.as_bytes()))
                        .collect();
                    assert_eq!(came, expected);
                    ended = true;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(ended);
        assert_eq!(body, if bodiless { Vec::new() } else { self.body() });
    }

    fn matches_head(&self, head: &Seen) {
        let ours = [
            "host",
            "date",
            "connection",
            "content-length",
            "transfer-encoding",
        ];
        let came: Vec<_> = head
            .fields
            .iter()
            .filter(|(name, _)| !ours.contains(&name.to_ascii_lowercase().as_str()))
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        let sent: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        assert_eq!(came, sent, "order, case and repetition are kept");
    }
}

fn field() -> impl Strategy<Value = (String, String)> {
    (
        "X-[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}",
        "([!-~\u{e9}]([ -~\t]{0,20}[!-~])?)?",
    )
}

fn message() -> impl Strategy<Value = Message> {
    let mode = prop_oneof![
        Just(TransferMode::Oneshot),
        Just(TransferMode::Stream),
        Just(TransferMode::Chunked)
    ];
    (
        prop::sample::select(vec![
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::DELETE,
        ]),
        prop::sample::select(vec!["/", "/a/b?c=d", "//e", "/?f"]),
        prop::sample::select(vec![200_u16, 201, 304, 404, 500, 799]),
        prop::collection::vec(field(), 0..5),
        mode,
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..5),
        prop::collection::vec(field(), 0..3),
    )
        .prop_map(
            |(method, path, status, headers, mode, pieces, trailers)| Message {
                method,
                path,
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                mode,
                pieces,
                trailers,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn requests(messages in prop::collection::vec(message(), 1..4), size in 1_usize..5000) {
        let mut encoder = Encoder::default();
        let mut feed = Feed::requests(&Rules::default());
        for message in &messages {
            let uri: Uri = format!("http://h{}", message.path).parse().unwrap();
            let payload = message.complete(Payload::request(message.method.clone(), uri));
            let mut out = Vec::new();
            encoder.request(&payload, Target::Origin, b"h", &mut out).unwrap();
            message.send(&mut encoder, &mut out);
            out.chunks(size).for_each(|piece| feed.push(piece));
            let events = std::mem::take(&mut feed.events);
            message.matches(&events, false, true);
            let Event::Head(head) = &events[0] else { panic!("a head") };
            prop_assert_eq!(&head.start, &format!("{} {} HTTP/1.1", message.method, message.path));
            prop_assert!(head.facts.keep_alive);
        }
        prop_assert!(feed.decoder.is_idle());
    }

    #[test]
    fn responses(
        messages in prop::collection::vec((message(), any::<bool>()), 1..4),
        old in any::<bool>(),
        size in 1_usize..5000,
    ) {
        let mut encoder = Encoder::default();
        let mut decoder = Decoder::responses(Arc::default());
        for (message, _) in &messages {
            decoder.expect(Expected { id: MessageId::next(), method: message.method.clone(), upgrade: false });
        }
        let mut feed = Feed::new(decoder);
        for (message, keep_alive) in &messages {
            let answering = Answering {
                asked: Asked::by(&message.method),
                version: if old { Version::HTTP_10 } else { Version::HTTP_11 },
                keep_alive: *keep_alive,
            };
            let payload = message.complete(Payload::response(message.status));
            let mut out = Vec::new();
            let begun = encoder.response(&payload, answering, b"Date: now\r\n", &mut out).unwrap();
            message.send(&mut encoder, &mut out);
            out.chunks(size).for_each(|piece| feed.push(piece));
            if !begun.keep_alive() {
                feed.close();
            }
            let events = std::mem::take(&mut feed.events);
            message.matches(&events, answering.asked == Asked::Head || message.status == 304, !old);
            let Event::Head(head) = &events[0] else { panic!("a head") };
            prop_assert_eq!(head.facts.keep_alive, begun.keep_alive(), "what one end says the other hears");
            if !begun.keep_alive() {
                return Ok(());
            }
        }
        prop_assert!(feed.decoder.is_idle());
    }

    /// A received head can be passed on as it came.
    #[test]
    fn received_fields_pass_on(message in message()) {
        let mut out = Vec::new();
        let bodiless = Message { mode: TransferMode::Oneshot, pieces: Vec::new(), ..message.clone() };
        let payload = bodiless.complete(Payload::response(StatusCode::NO_CONTENT));
        let answering = Answering { keep_alive: true, ..Answering::last(Asked::Other) };
        Encoder::default().response(&payload, answering, b"Date: now\r\n", &mut out).unwrap();
        let mut decoder = Decoder::responses(Arc::default());
        decoder.expect(Expected { id: MessageId::next(), method: Method::GET, upgrade: false });
        let step = decoder.decode(&out).unwrap();
        let Some(crate::wire::Item::Head(received, _)) = step.item else { panic!("a head") };
        let mut again = Vec::new();
        Encoder::default().response(&received, answering, b"Date: later\r\n", &mut again).unwrap();
        prop_assert_eq!(&out, &again);
        prop_assert_eq!(fields(received.headers()).len(), message.headers.len() + 1);
    }
}
