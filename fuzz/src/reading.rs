//! The one caller of the decoder: feeds it bytes in pieces, as a connection would, and writes down what came.

use bytes::BytesMut;
use http_actors::codec::{Frame, HttpCodec};
use http_actors::test_util::Random;
use http_actors::{Headers, Limits, Payload};
use tokio_util::codec::Decoder as _;

/// What a decoder said, in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Head(String),
    Data(Vec<u8>),
    End(Vec<(String, Vec<u8>)>),
    Error(String),
}

/// Reads the bytes whole, byte by byte and in other pieces, and holds all to the same events.
pub fn read_in_any_pieces(
    codec: impl Fn() -> HttpCodec,
    limits: &Limits,
    data: &[u8],
) -> Vec<Event> {
    let whole = read(codec(), limits, &[data]);
    let mut random = Random::of(hash(data));
    let single = |at| vec![data.split_at(at).0, data.split_at(at).1];
    let mut ways: Vec<Vec<&[u8]>> = vec![data.chunks(1).collect()];
    ways.extend((0..6).map(|_| single(random.below(data.len() + 1))));
    ways.extend((0..2).map(|_| cut(data, &mut random)));
    for pieces in ways {
        let events = read(codec(), limits, &pieces);
        assert_eq!(
            events,
            whole,
            "in pieces of {:?}",
            pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>()
        );
    }
    whole
}

/// FNV-1a, so that an input alone reproduces how it was cut.
fn hash(data: &[u8]) -> u64 {
    data.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

fn cut<'a>(mut data: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !data.is_empty() {
        let (piece, rest) = data.split_at(data.len().min(1 + random.below(9)));
        pieces.push(piece);
        data = rest;
    }
    pieces
}

/// Reads the pieces, then the end of the stream.
pub fn read(mut codec: HttpCodec, limits: &Limits, pieces: &[&[u8]]) -> Vec<Event> {
    // What waits for more bytes is a start line, a head, a chunk line or a trailer section.
    let longest = limits.start_line.max(limits.chunk_line) + 2;
    let bound = longest.max(limits.head).max(limits.trailers);
    let mut events = Vec::new();
    let mut unread = BytesMut::new();
    for piece in pieces {
        unread.extend_from_slice(piece);
        loop {
            let before = unread.len();
            match codec.decode(&mut unread) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    let moved = unread.len() < before || matches!(frame, Frame::End(_));
                    assert!(moved, "an item out of nothing");
                    note(frame, &mut events);
                }
                Err(error) => {
                    let again = codec.decode(&mut unread).map(|_| ());
                    let error = Event::Error(error.to_string());
                    assert_eq!(
                        again.map_err(|err| Event::Error(err.to_string())),
                        Err(error.clone())
                    );
                    events.push(error);
                    return events;
                }
            }
        }
        assert!(
            codec.is_held() || unread.len() <= bound,
            "{} bytes wait for more",
            unread.len()
        );
    }
    // A body that ends with the stream, and the end behind it.
    for _ in 0..3 {
        match codec.decode_eof(&mut unread) {
            Ok(None) => return events,
            Ok(Some(frame)) => note(frame, &mut events),
            Err(error) => {
                events.push(Event::Error(error.to_string()));
                return events;
            }
        }
    }
    panic!("no end of items at the end of the stream");
}

fn note(frame: Frame, events: &mut Vec<Event>) {
    match frame {
        Frame::Head(payload) => events.push(Event::Head(head(&payload))),
        Frame::Data(data) => match events.last_mut() {
            Some(Event::Data(run)) => run.extend_from_slice(&data),
            _ => events.push(Event::Data(data.to_vec())),
        },
        Frame::End(trailers) => {
            let trailers = trailers.unwrap_or_default();
            assert!(is_clean(&trailers));
            let fields = trailers
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_vec()));
            events.push(Event::End(fields.collect()));
        }
    }
}

fn head(payload: &Payload) -> String {
    assert!(is_clean(payload.headers()));
    format!(
        "{} {} {:?} {:?} {} {:?} {:?} {:?} {}",
        payload.method(),
        payload.uri(),
        payload.version(),
        payload.status(),
        payload.reason_phrase().escape_ascii(),
        payload.headers(),
        payload.mode(),
        payload.body_size(),
        payload.body_bytes().escape_ascii()
    )
}

/// Whether no name and no value could be read as more than one line.
pub fn is_clean(headers: &Headers) -> bool {
    let dirty = |text: &[u8]| text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    headers.iter().all(|(name, value)| {
        !name.is_empty()
            && !name.contains([':', ' ', '\t'])
            && !dirty(name.as_bytes())
            && !dirty(value)
    })
}
