//! `Headers` does what a list of pairs does, holds nothing that is two lines, and arrives as it was sent.
#![cfg_attr(fuzzing, no_main)]

use bytes::BytesMut;
use http_actors::codec::{Frame, HttpCodec};
use http_actors::{Headers, Leniency, Limits, Payload, StatusCode};
use http_actors_fuzz::{is_clean, target};
use tokio_util::codec::{Decoder as _, Encoder as _};

type Pairs = Vec<(String, Vec<u8>)>;

/// Each operation is a byte that says which, and a name and a value with their lengths before them.
fn run(mut data: &[u8]) {
    let (mut headers, mut model) = (Headers::new(), Pairs::new());
    while let Some((operation, rest)) = data.split_first() {
        let (name, rest) = counted(rest);
        let (value, rest) = counted(rest);
        data = rest;
        step(*operation, name, value, &mut headers, &mut model);
        assert!(is_clean(&headers));
        assert_eq!(pairs(&headers), model);
    }
    arrives(headers, model);
}

fn counted(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((len, rest)) = data.split_first() else {
        return (&[], &[]);
    };
    rest.split_at(usize::from(len & 31).min(rest.len()))
}

fn step(operation: u8, name: &[u8], value: &[u8], headers: &mut Headers, model: &mut Pairs) {
    let text = String::from_utf8_lossy(name).into_owned();
    let same = |field: &String| field.eq_ignore_ascii_case(&text);
    let before = model.iter().filter(|(field, _)| same(field)).count();
    assert_eq!(headers.get_all(&text).count(), before);
    assert_eq!(headers.contains(&text), before > 0);
    let taken = match operation % 4 {
        0 | 1 => headers.append(name, value),
        2 => headers.insert(name, value),
        _ => {
            assert_eq!(headers.remove(&text), before);
            model.retain(|(field, _)| !same(field));
            return;
        }
    };
    assert_eq!(taken.is_ok(), is_name(name) && is_value(value), "{taken:?}");
    if taken.is_ok() {
        if operation % 4 == 2 {
            model.retain(|(field, _)| !same(field));
        }
        let from = value
            .iter()
            .position(|byte| !is_space(*byte))
            .unwrap_or(value.len());
        let to = value
            .iter()
            .rposition(|byte| !is_space(*byte))
            .map_or(from, |at| at + 1);
        model.push((text, value[from..to].to_vec()));
    }
}

fn is_name(name: &[u8]) -> bool {
    let other = |byte: &u8| b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || other(byte))
}

fn is_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7F)
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn pairs(headers: &Headers) -> Pairs {
    let pair = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
    headers.iter().map(pair).collect()
}

/// Sends the fields in a request and in its answer. What the session says of the connection itself does not count.
fn arrives(headers: Headers, mut model: Pairs) {
    const OURS: [&str; 5] = [
        "connection",
        "content-length",
        "transfer-encoding",
        "date",
        "host",
    ];
    let limits = Limits {
        head: usize::MAX,
        fields: usize::MAX,
        ..Limits::default()
    };
    let mut client = HttpCodec::client(limits.clone(), Leniency::default());
    let mut server = HttpCodec::server(limits, Leniency::default());
    model.retain(|(name, _)| !OURS.contains(&name.to_ascii_lowercase().as_str()));

    let mut request = Payload::get("http://a/").expect("a URL");
    *request.headers_mut() = headers.clone();
    let Some(received) = pass(&mut client, &mut server, request) else {
        return;
    };
    let fields = |payload: &Payload| {
        let mut pairs = pairs(payload.headers());
        pairs.retain(|(name, _)| !OURS.contains(&name.to_ascii_lowercase().as_str()));
        pairs
    };
    assert_eq!(fields(&received), model);

    let mut response = Payload::response(StatusCode::OK).body("b");
    *response.headers_mut() = headers;
    if let Some(received) = pass(&mut server, &mut client, response) {
        assert_eq!(fields(&received), model);
        assert_eq!(received.body_bytes(), "b");
    }
}

/// None if the fields contradict the message.
fn pass(from: &mut HttpCodec, to: &mut HttpCodec, payload: Payload) -> Option<Payload> {
    let mut wire = BytesMut::new();
    from.encode(Frame::Head(payload), &mut wire).ok()?;
    match to.decode(&mut wire) {
        Ok(Some(Frame::Head(payload))) if wire.is_empty() => Some(payload),
        other => panic!("{other:?}, and {} left", wire.escape_ascii()),
    }
}

target!(run);
