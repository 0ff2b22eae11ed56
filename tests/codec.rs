//! `HttpCodec` in a plain `Framed`, both ends, in memory and over a socket.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_actors::codec::{CodecError, Frame, HttpCodec};
use http_actors::error::{UseError, WireError};
use http_actors::{Headers, Leniency, Limits, Method, Payload, StatusCode, TransferMode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Framed;

type End<T> = Framed<T, HttpCodec>;

fn server<T: AsyncRead + AsyncWrite>(io: T) -> End<T> {
    Framed::new(
        io,
        HttpCodec::server(Limits::default(), Leniency::default()),
    )
}

fn client<T: AsyncRead + AsyncWrite>(io: T) -> End<T> {
    Framed::new(
        io,
        HttpCodec::client(Limits::default(), Leniency::default()),
    )
}

fn pair() -> (End<DuplexStream>, End<DuplexStream>) {
    let (near, far) = tokio::io::duplex(256);
    (client(near), server(far))
}

async fn head<T: AsyncRead + AsyncWrite + Unpin>(end: &mut End<T>) -> Payload {
    match end.next().await {
        Some(Ok(Frame::Head(payload))) => payload,
        other => panic!("not a head: {other:?}"),
    }
}

/// Reads data up to the end of the message.
async fn body<T: AsyncRead + AsyncWrite + Unpin>(end: &mut End<T>) -> (Vec<u8>, Option<Headers>) {
    let mut data = Vec::new();
    loop {
        match end.next().await {
            Some(Ok(Frame::Data(piece))) => data.extend_from_slice(&piece),
            Some(Ok(Frame::End(trailers))) => return (data, trailers),
            other => panic!("not body: {other:?}"),
        }
    }
}

fn get() -> Frame {
    Frame::Head(Payload::get("http://example.test/").unwrap())
}

#[tokio::test]
async fn streams_both_ways_with_trailers() {
    let (mut client, mut server) = pair();
    let upload = async {
        let request = Payload::post("http://example.test:81/up")
            .unwrap()
            .length(20_000);
        client.send(Frame::Head(request)).await.unwrap();
        for _ in 0..20 {
            client
                .send(Frame::Data(Bytes::from(vec![b'x'; 1000])))
                .await
                .unwrap();
        }
        client.send(Frame::End(None)).await.unwrap();
        let response = head(&mut client).await;
        assert_eq!(response.mode(), TransferMode::Chunked);
        let (data, trailers) = body(&mut client).await;
        assert_eq!(data, b"one two");
        assert_eq!(trailers.unwrap().text("checksum"), Some("7"));
    };
    let answer = async {
        let request = head(&mut server).await;
        assert_eq!(request.headers().text("host"), Some("example.test:81"));
        assert_eq!(body(&mut server).await.0.len(), 20_000);
        let response = Payload::response(StatusCode::OK).chunked();
        server.send(Frame::Head(response)).await.unwrap();
        server
            .send(Frame::Data(Bytes::from_static(b"one")))
            .await
            .unwrap();
        server.send(Frame::Data(Bytes::new())).await.unwrap();
        server
            .send(Frame::Data(Bytes::from_static(b" two")))
            .await
            .unwrap();
        let mut trailers = Headers::new();
        trailers.append("Checksum", "7").unwrap();
        server.send(Frame::End(Some(trailers))).await.unwrap();
    };
    tokio::join!(upload, answer);
}

#[tokio::test]
async fn b23_head_is_answered_without_a_body() {
    let (mut client, mut server) = pair();
    let request = Payload::head("http://example.test/").unwrap();
    client.send(Frame::Head(request)).await.unwrap();
    client.send(get()).await.unwrap();
    assert_eq!(*head(&mut server).await.method(), Method::HEAD);
    head(&mut server).await;
    // What the payload promised and HEAD does not send goes nowhere.
    server
        .send(Frame::Head(Payload::response(StatusCode::OK).length(3)))
        .await
        .unwrap();
    server
        .send(Frame::Data(Bytes::from_static(b"abc")))
        .await
        .unwrap();
    server.send(Frame::End(None)).await.unwrap();
    server
        .send(Frame::Head(Payload::response(StatusCode::OK).body("next")))
        .await
        .unwrap();
    assert_eq!(
        head(&mut client).await.headers().text("content-length"),
        Some("3")
    );
    assert_eq!(head(&mut client).await.body_bytes(), "next");
}

#[tokio::test]
async fn b23_informational_does_not_answer() {
    let (mut client, mut server) = pair();
    client.send(get()).await.unwrap();
    head(&mut server).await;
    server
        .send(Frame::Head(Payload::response(StatusCode::CONTINUE)))
        .await
        .unwrap();
    server
        .send(Frame::Head(Payload::response(StatusCode::OK)))
        .await
        .unwrap();
    assert_eq!(head(&mut client).await.status(), Some(StatusCode::CONTINUE));
    assert_eq!(head(&mut client).await.status(), Some(StatusCode::OK));
    let late = server
        .send(Frame::Head(Payload::response(StatusCode::OK)))
        .await;
    assert!(matches!(late, Err(CodecError::Unasked)));
}

#[tokio::test]
async fn a_response_names_its_request() {
    let (mut client, mut server) = pair();
    let request = Payload::get("http://example.test/").unwrap();
    let id = request.id();
    client.send(Frame::Head(request)).await.unwrap();
    head(&mut server).await;
    server
        .send(Frame::Head(Payload::response(StatusCode::OK)))
        .await
        .unwrap();
    assert_eq!(head(&mut client).await.request_id(), Some(id));
}

#[tokio::test]
async fn a_violation_can_be_answered_once() {
    let (mut near, far) = tokio::io::duplex(4096);
    let mut server = server(far);
    near.write_all(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
        .await
        .unwrap();
    let Some(Err(CodecError::Wire(error))) = server.next().await else {
        panic!("a violation");
    };
    assert_eq!(error, WireError::WhitespaceBeforeColon);
    server
        .send(Frame::Head(Payload::response(error.status())))
        .await
        .unwrap();
    let again = Frame::Head(Payload::response(StatusCode::OK));
    assert!(matches!(server.send(again).await, Err(CodecError::Closing)));
    drop(server);
    let mut answer = String::new();
    near.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn b24_a_cut_is_an_error_and_a_close_can_be_an_end() {
    for (bytes, good) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\nabc"[..],
            false,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", false),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", true),
    ] {
        let (near, mut far) = tokio::io::duplex(4096);
        let mut client = client(near);
        client.send(get()).await.unwrap();
        far.write_all(bytes).await.unwrap();
        drop(far);
        let frames: Vec<_> = client.collect().await;
        assert_eq!(matches!(frames.last(), Some(Ok(Frame::End(None)))), good);
        assert_eq!(
            matches!(
                frames.last(),
                Some(Err(CodecError::Wire(WireError::Truncated)))
            ),
            !good
        );
    }
}

#[tokio::test]
async fn nothing_grows_without_bound() {
    for (bytes, expected) in [
        (b"a".repeat(9000), WireError::StartLineTooLong),
        (
            [&b"GET / HTTP/1.1\r\nA: "[..], &b"a".repeat(40_000)].concat(),
            WireError::HeadTooLarge,
        ),
        (
            [
                &b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
                &b"0".repeat(300),
            ]
            .concat(),
            WireError::ChunkLineTooLong,
        ),
    ] {
        let (mut near, far) = tokio::io::duplex(1 << 16);
        let mut server = server(far);
        near.write_all(&bytes).await.unwrap();
        let error = loop {
            match server.next().await {
                Some(Ok(_)) => {}
                Some(Err(CodecError::Wire(error))) => break error,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(error, expected);
        assert!(server.read_buffer().capacity() <= 1 << 17);
    }
}

#[tokio::test]
async fn requests_without_answers_are_bounded() {
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let mut server = server(far);
    near.write_all(&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100))
        .await
        .unwrap();
    let mut read = 0;
    while let Some(Ok(Frame::Head(_))) = server.next().await {
        read += 1;
    }
    assert_eq!(read, 64);
}

#[tokio::test]
async fn use_errors_write_nothing() {
    let (mut client, mut server) = pair();
    let request = Payload::post("http://example.test/").unwrap().length(2);
    client.send(Frame::Head(request)).await.unwrap();
    let long = client.send(Frame::Data(Bytes::from_static(b"abc"))).await;
    assert!(matches!(long, Err(CodecError::Use(UseError::BodyTooLong))));
    client
        .send(Frame::Data(Bytes::from_static(b"ab")))
        .await
        .unwrap();
    client.send(Frame::End(None)).await.unwrap();
    assert_eq!(head(&mut server).await.body_bytes(), "ab");
}

#[tokio::test]
async fn a_switch_leaves_the_bytes_behind_it_alone() {
    let (mut client, mut server) = pair();
    let request = Payload::get("http://example.test/")
        .unwrap()
        .header("Upgrade", "echo");
    client.send(Frame::Head(request)).await.unwrap();
    head(&mut server).await;
    assert!(server.codec().is_held());
    let switch = Payload::response(StatusCode::SWITCHING_PROTOCOLS).header("Upgrade", "echo");
    server.send(Frame::Head(switch)).await.unwrap();
    let mut raw = server.into_inner();
    raw.write_all(b"not http").await.unwrap();
    drop(raw);
    assert_eq!(
        head(&mut client).await.headers().text("connection"),
        Some("upgrade")
    );
    assert!(client.next().await.is_none());
    assert_eq!(&client.into_parts().read_buf[..], b"not http");
}

#[tokio::test]
async fn an_upgrade_declined_goes_on_as_http() {
    let (mut client, mut server) = pair();
    let request = Payload::get("http://example.test/")
        .unwrap()
        .header("Upgrade", "echo");
    client.send(Frame::Head(request)).await.unwrap();
    client.send(get()).await.unwrap();
    head(&mut server).await;
    server
        .send(Frame::Head(Payload::response(StatusCode::OK)))
        .await
        .unwrap();
    head(&mut server).await;
    assert!(!server.codec().is_held());
}

/// What is behind an offer may be another protocol until the offer itself is answered, not a request before it.
#[tokio::test]
async fn an_answer_to_an_earlier_request_settles_no_offer() {
    let (mut far, near) = tokio::io::duplex(1 << 16);
    let offer = "GET /b HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n";
    let requests = format!("GET /a HTTP/1.1\r\nHost: a\r\n\r\n{offer}GET /not-http");
    far.write_all(requests.as_bytes()).await.expect("room");
    let mut server = server(near);
    assert_eq!(head(&mut server).await.path(), "/a");
    assert_eq!(head(&mut server).await.path(), "/b");
    let answer = Payload::response(StatusCode::OK);
    server.send(Frame::Head(answer)).await.expect("asked for");
    assert!(server.codec().is_held());
    let switch = Payload::response(StatusCode::SWITCHING_PROTOCOLS).header("Upgrade", "echo");
    server.send(Frame::Head(switch)).await.expect("asked for");
    far.shutdown().await.expect("open");
    assert!(server.next().await.is_none());
    assert_eq!(&server.into_parts().read_buf[..], b"GET /not-http");
}

#[tokio::test]
async fn over_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut server = server(socket);
        while let Some(Ok(Frame::Head(request))) = server.next().await {
            let response = Payload::response(StatusCode::OK).body(request.path().to_owned());
            server.send(Frame::Head(response)).await.unwrap();
        }
    };
    let ask = async {
        let mut client = client(TcpStream::connect(address).await.unwrap());
        for path in ["/one", "/two", "/two"] {
            let url = format!("http://example.test{path}");
            client
                .send(Frame::Head(Payload::get(url.as_str()).unwrap()))
                .await
                .unwrap();
            assert_eq!(head(&mut client).await.body_bytes(), path);
        }
    };
    tokio::join!(serve, ask);
}

/// More requests than the codec remembers: none is read after the one that it had to refuse, or answers would go to the
/// wrong ones. Those before it are answered.
#[tokio::test]
async fn nothing_is_read_behind_a_request_that_is_not_remembered() {
    let (mut far, near) = tokio::io::duplex(1 << 16);
    let requests = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(70);
    far.write_all(requests.as_bytes()).await.expect("room");
    let mut server = server(near);
    for _ in 0..64 {
        let request = server.next().await;
        assert!(matches!(request, Some(Ok(Frame::Head(_)))), "{request:?}");
    }
    let refused = server.next().await;
    assert!(matches!(refused, Some(Err(CodecError::TooManyPending))));
    far.shutdown().await.expect("open");
    for _ in 0..5 {
        let read = server.next().await;
        assert!(!matches!(read, Some(Ok(_))), "{read:?}");
    }
    for _ in 0..64 {
        let answer = Payload::response(StatusCode::OK);
        server.send(Frame::Head(answer)).await.expect("asked for");
    }
}
