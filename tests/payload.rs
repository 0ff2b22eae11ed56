//! Payloads and headers: what callers build, and what cannot be put in.

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_actors::codec::CodecError;
use http_actors::error::{BodyError, FailureReason, Refused, RefusedReason, UseError, WireError};
use http_actors::upgrade::NotUpgraded;
use http_actors::{ClientErrorKind, Headers, Method, Payload, StatusCode, TransferMode, Version};

fn get(url: &str) -> Payload {
    Payload::get(url).expect("a URL")
}

/// P31, B9: a request and a response, and what each is by default.
#[test]
fn what_a_message_is_by_default() {
    let request = get("http://a/b?c");
    assert_eq!((request.method(), request.status()), (&Method::GET, None));
    assert_eq!((request.path(), request.query()), ("/b", Some("c")));
    assert_eq!(
        (request.version(), request.mode()),
        (Version::HTTP_11, TransferMode::Oneshot)
    );
    let response = Payload::response(StatusCode::NOT_FOUND);
    assert_eq!(response.status(), Some(StatusCode::NOT_FOUND));
    assert_eq!(response.reason_phrase(), b"Not Found");
    assert_eq!(
        response.reason("Gone fishing").reason_phrase(),
        b"Gone fishing"
    );
}

/// P36: asking again changes nothing for GET, HEAD and OPTIONS, and for nothing else.
#[test]
fn safe_methods() {
    for (method, safe) in [
        (Method::GET, true),
        (Method::HEAD, true),
        (Method::OPTIONS, true),
        (Method::POST, false),
        (Method::PUT, false),
        (Method::DELETE, false),
        (Method::TRACE, false),
    ] {
        assert_eq!(
            Payload::request(method.clone(), "/".parse().expect("a path")).is_safe(),
            safe,
            "{method}"
        );
    }
}

/// P37 to P40, P46, B8: mode, size and whether there is a body.
#[test]
fn modes_and_sizes() {
    let ok = || Payload::response(StatusCode::OK);
    for (payload, mode, size, has_body) in [
        (ok(), TransferMode::Oneshot, Some(0), false),
        (ok().body("abc"), TransferMode::Oneshot, Some(3), true),
        (ok().length(7), TransferMode::Stream, Some(7), true),
        (ok().length(0), TransferMode::Stream, Some(0), false),
        (ok().chunked(), TransferMode::Chunked, None, true),
        (
            Payload::response(StatusCode::NO_CONTENT).chunked(),
            TransferMode::Chunked,
            None,
            false,
        ),
        (
            Payload::response(StatusCode::INTERNAL_SERVER_ERROR).body("x"),
            TransferMode::Oneshot,
            Some(1),
            true,
        ),
        (
            Payload::response(StatusCode::NOT_MODIFIED).body("x"),
            TransferMode::Oneshot,
            Some(1),
            false,
        ),
    ] {
        assert_eq!(
            (payload.mode(), payload.body_size(), payload.has_body()),
            (mode, size, has_body),
            "{payload:?}"
        );
    }
}

/// P41, P42: pieces of a Oneshot body add up.
#[test]
fn pieces_add_up() {
    let payload = get("/")
        .add_chunk("one ")
        .add_chunk("two ")
        .add_chunk("three");
    assert_eq!(payload.body_size(), Some(13));
    assert_eq!(payload.into_body(), "one two three");
}

/// P61, B29: Basic authentication; only the first colon divides.
#[test]
fn basic_authentication() {
    let of = |value: &str| get("/").header("Authorization", value).basic_auth();
    // joe:x:a:b, in three spellings of the scheme
    for value in [
        "Basic am9lOng6YTpi",
        "basic am9lOng6YTpi",
        "BASIC  am9lOng6YTpi",
    ] {
        let credentials = of(value).expect("credentials");
        assert_eq!(
            (credentials.user.as_str(), credentials.password.as_str()),
            ("joe", "x:a:b")
        );
        assert!(
            !format!("{credentials:?}").contains("x:a:b"),
            "no password in a log"
        );
    }
    for value in ["Bearer am9lOng6YTpi", "Basic", "Basic ???", "Basic am9l"] {
        assert!(of(value).is_none(), "{value}");
    }
    assert!(get("/").basic_auth().is_none());
}

/// B28: what would split a head cannot be put in, and the first mistake is kept.
#[test]
fn nothing_that_splits_a_head() {
    for (name, value, mistake) in [
        ("X", "a\rb", UseError::InvalidValue),
        ("X", "a\nb", UseError::InvalidValue),
        ("X", "a\0b", UseError::InvalidValue),
        ("X Y", "a", UseError::InvalidName),
        ("X:", "a", UseError::InvalidName),
        ("", "a", UseError::InvalidName),
        ("X\r\nY", "a", UseError::InvalidName),
    ] {
        assert_eq!(Headers::new().append(name, value), Err(mistake));
        assert_eq!(Headers::new().insert(name, value), Err(mistake));
        let payload = get("/").header(name, value).header("Fine", "yes");
        assert_eq!(payload.mistake(), Some(mistake));
        assert_eq!(payload.headers().len(), 1);
    }
    assert_eq!(
        get("/").reason("a\r\nb").mistake(),
        Some(UseError::InvalidReason)
    );
    assert_eq!(
        Payload::get("http://a b/").expect_err("no URL"),
        UseError::InvalidUrl
    );
}

/// P33, P34, B25, B26: looked up without regard to case, kept in order, apart, and as written.
#[test]
fn headers_are_kept_as_written() {
    let mut headers = Headers::new();
    for (name, value) in [
        ("Set-Cookie", "a=1"),
        ("X-One", "  padded\t"),
        ("set-cookie", "b=2"),
        ("Empty", ""),
    ] {
        headers.append(name, value).expect("valid");
    }
    let lines: Vec<_> = headers.iter().collect();
    let expected: [(&str, &[u8]); 4] = [
        ("Set-Cookie", b"a=1"),
        ("X-One", b"padded"),
        ("set-cookie", b"b=2"),
        ("Empty", b""),
    ];
    assert_eq!(lines, expected);
    assert_eq!(
        headers.get_all("SET-COOKIE").collect::<Vec<_>>(),
        [b"a=1", b"b=2"]
    );
    headers.insert("SET-COOKIE", "c=3").expect("valid");
    assert_eq!(headers.get_all("set-cookie").collect::<Vec<_>>(), [b"c=3"]);
    assert_eq!(
        headers.iter().last(),
        Some(("SET-COOKIE", b"c=3".as_slice()))
    );
    assert_eq!(
        (
            headers.remove("x-one"),
            headers.remove("x-one"),
            headers.len()
        ),
        (1, 0, 2)
    );
    assert!(headers.contains("EMPTY") && !headers.contains("x-one"));
    headers.append("Accept", "a, b ,").expect("valid");
    headers.append("accept", ",c").expect("valid");
    assert_eq!(
        headers.list("Accept").collect::<Vec<_>>(),
        [b"a", b"b", b"c"]
    );
}

/// The order, the values and the number of lines count, the case of names does not.
#[test]
fn headers_that_are_equal() {
    let of = |lines: &[(&str, &str)]| {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.append(name, value).expect("valid");
        }
        headers
    };
    let headers = of(&[("A", "b"), ("C", "d")]);
    assert_eq!(headers, of(&[("a", "b"), ("c", "d")]));
    for other in [
        &[("A", "b"), ("C", "D")][..],
        &[("A", "b"), ("D", "d")],
        &[("C", "d"), ("A", "b")],
        &[("A", "b")],
        &[("A", "b"), ("C", "d"), ("E", "f")],
    ] {
        assert_ne!(headers, of(other));
    }
}

/// P47: an id belongs to one message; a copy is another.
#[test]
fn ids_are_distinct_across_threads() {
    let payload = get("/");
    assert_eq!(payload.id(), payload.id());
    assert_ne!(payload.clone().id(), payload.id());
    let threads: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(|| (0..5000).map(|_| get("/").id()).collect::<Vec<_>>()))
        .collect();
    let mut ids: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("no panic"))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20_000);
}

/// To the `http` crate's types and back.
#[test]
fn conversions() {
    let request = Request::post("http://a/b")
        .header("X", "1")
        .header("X", "2")
        .body("abc")
        .expect("a request");
    let payload = Payload::try_from(request).expect("a payload");
    assert_eq!(payload.headers().get_all("x").count(), 2);
    let request: Request<Bytes> = payload.try_into().expect("a request");
    assert_eq!(
        (request.method(), request.uri().path(), request.body()),
        (&Method::POST, "/b", &Bytes::from("abc"))
    );
    assert_eq!(request.headers().get_all("x").iter().count(), 2);
    let response = Payload::try_from(
        Response::builder()
            .status(201)
            .body("x")
            .expect("a response"),
    )
    .expect("a payload");
    assert!(Request::<Bytes>::try_from(response.clone()).is_err());
    assert_eq!(
        Response::<Bytes>::try_from(response)
            .expect("a response")
            .status(),
        201
    );
}

/// RFC 9110 section 7.6.1: what an intermediary passes on, whatever the case of names and however Connection is split.
#[test]
fn what_an_intermediary_passes_on() {
    let received = get("http://a.test:81/x?y")
        .header("Host", "a.test:81")
        .header("X-One", "1")
        .header("connection", "close")
        .header("CONNECTION", " x-hop ,, Keep-Alive")
        .header("X-Hop", "no")
        .header("Keep-Alive", "no")
        .header("Proxy-Connection", "no")
        .header("Proxy-Authorization", "no")
        .header("TE", "no")
        .header("Upgrade", "no")
        .header("x-one", "2")
        .length(7);
    let forward = received.forward();
    assert_ne!(forward.id(), received.id());
    assert_eq!(forward.uri(), "/x?y");
    assert_eq!(
        (forward.mode(), forward.body_size()),
        (TransferMode::Stream, Some(7))
    );
    let fields: Vec<_> = forward.headers().iter().collect();
    assert_eq!(fields, [("X-One", &b"1"[..]), ("x-one", b"2")]);
    for name in [
        "connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authentication-Info",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "transfer-encoding",
        "Upgrade",
    ] {
        for (name, count) in [(name, 0), (&format!("{name}s"), 1)] {
            let forward = get("/").header(name, "x").forward();
            assert_eq!(forward.headers().len(), count, "{name}");
        }
    }
    let head = Payload::request(Method::HEAD, "/".parse().expect("a target"));
    assert_eq!(head.forward().mode(), TransferMode::Oneshot);
    let target = |method, uri: &str| {
        let request = Payload::request(method, uri.parse().expect("a target"));
        request.forward().uri().to_string()
    };
    assert_eq!(target(Method::OPTIONS, "*"), "*");
    assert_eq!(target(Method::CONNECT, "a.test:81"), "a.test:81");
    let answer = Payload::response(StatusCode::NOT_FOUND)
        .header("Host", "kept")
        .header("Proxy-Authenticate", "no");
    let forward = answer.body("so").forward();
    assert_eq!(forward.headers().len(), 1);
    assert_eq!(forward.status(), Some(StatusCode::NOT_FOUND));
    assert_eq!(forward.headers().text("host"), Some("kept"));
    assert_eq!(forward.body_bytes(), "so");
}

/// An offer to change the protocol takes both fields, and HTTP/1.1 (RFC 9110 section 7.8).
#[test]
fn what_offers_an_upgrade() {
    let offers = |request: &Payload| {
        let offered: Vec<_> = request.upgrade_offers().map(str::to_owned).collect();
        for protocol in &offered {
            assert!(request.offers_upgrade(&protocol.to_uppercase()));
        }
        offered.join(" ")
    };
    for (connection, upgrade, offered) in [
        (&["Upgrade"][..], &["websocket"][..], "websocket"),
        (&["close, UPGRADE"], &["b/2 ,,a", "c"], "b/2 a c"),
        (&["close", "upgrade"], &["a"], "a"),
        (&["upgrade"], &[], ""),
        (&["upgrade"], &[""], ""),
        (&[], &["a"], ""),
        (&["close"], &["a"], ""),
        (&["upgrades"], &["a"], ""),
    ] {
        let with = |message: Payload, name: &str, values: &[&str]| {
            let add = |message: Payload, value: &&str| message.header(name, value);
            values.iter().fold(message, add)
        };
        let with = |message| with(with(message, "Connection", connection), "Upgrade", upgrade);
        let request = with(get("/"));
        assert_eq!(offers(&request), offered, "{connection:?} {upgrade:?}");
        assert!(!request.offers_upgrade("b"));
        assert_eq!(offers(&request.with_version(Version::HTTP_10)), "");
        let response = with(Payload::response(StatusCode::SWITCHING_PROTOCOLS));
        assert_eq!(offers(&response), "");
    }
}

/// What is printed of a payload may get into a log: no credentials.
#[test]
fn debug_shows_no_credentials() {
    let request = Payload::get("http://a.test/")
        .expect("a url")
        .basic_auth_as("joe", "secret")
        .header("cookie", "session=secret")
        .header("PROXY-AUTHORIZATION", "Basic secret")
        .header("X-Plain", "shown");
    let shown = format!("{request:?}");
    assert!(shown.contains(r#""X-Plain": "shown""#), "{shown}");
    assert!(shown.contains(r#""cookie": "***""#), "{shown}");
    let value = request.headers().text("authorization").expect("set");
    assert!(
        !shown.contains("secret") && !shown.contains(value),
        "{shown}"
    );
    let response = Payload::response(StatusCode::OK).header("Set-Cookie", "session=secret");
    assert!(!format!("{:?}", response.headers()).contains("secret"));
}

/// Who prints an error and the chain of its sources reads nothing twice.
#[test]
fn a_chain_of_errors_says_nothing_twice() {
    let wire = WireError::InvalidMethod;
    let failed = FailureReason::from(wire);
    let usage = FailureReason::from(UseError::NoUpgrade);
    let refused = RefusedReason::from(UseError::InvalidName);
    let errors: [Box<dyn Error>; 6] = [
        Box::new(ClientErrorKind::from(BodyError::Failed(failed))),
        Box::new(ClientErrorKind::from(UseError::InvalidUrl)),
        Box::new(ClientErrorKind::Failed(usage)),
        Box::new(ClientErrorKind::Upload("the stream broke".into())),
        Box::new(NotUpgraded::from(Refused::new(
            refused,
            Payload::response(StatusCode::OK),
        ))),
        Box::new(CodecError::from(wire)),
    ];
    for error in errors {
        let text = error.to_string();
        let mut cause = error.source();
        while let Some(below) = cause {
            assert!(!text.contains(&below.to_string()), "{text}: {below}");
            cause = below.source();
        }
    }
}
