//! TLS at both ends: who is trusted, what a failed handshake is told as, and how a secure connection ends.
#![cfg(feature = "rustls")]

mod common;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use common::tls::{Authority, accepted, connected};
use common::{Heard, Peer, Recorder, answer_with, reset_on_drop, socket_path};
use http_actors::error::{CancelCause, Deadline, FailureReason, TlsError};
use http_actors::message::{Apply, Cancel, Dispose, Drain, Finish, SendChunk, Sessions};
use http_actors::test_util::Tape;
use http_actors::{
    ClientErrorKind, HandlerFactory as _, HttpClient, HttpHandler, HttpRequest, HttpServer,
    HttpSession, Origin, Payload, Route, Running, SessionContext, SessionOptions, StatusCode,
    Timeouts, TlsInfo, handler_fn,
};
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

/// Tells what it knows of its connection.
struct Tell;

impl HttpHandler for Tell {
    fn apply(&mut self, _: Payload, session: &mut SessionContext) {
        let text = told(session.tls());
        session.respond(Payload::response(StatusCode::OK).body(text));
    }
}

fn told(tls: Option<&TlsInfo>) -> String {
    let Some(tls) = tls else {
        return "plain".to_owned();
    };
    assert!(tls.cipher_suite.starts_with("TLS_"), "{tls:?}");
    let (sni, alpn) = (tls.sni.as_deref(), tls.alpn.as_deref());
    format!(
        "{} {} {} {}",
        tls.version,
        sni.unwrap_or("-"),
        alpn.unwrap_or("-"),
        tls.peer_certificates.len()
    )
}

fn server() -> HttpServer {
    HttpServer::new(|_session| Tell).signals(false).workers(1)
}

fn serve(config: Arc<ServerConfig>) -> (Running, SocketAddr) {
    let server = server().bind_rustls("127.0.0.1:0", config);
    let running = server.expect("a port").run();
    let address = running.addresses()[0];
    (running, address)
}

fn options(config: Arc<ClientConfig>) -> SessionOptions {
    SessionOptions {
        route: Route::default().tls(config),
        ..SessionOptions::for_client()
    }
}

/// Asks once, over TLS.
fn ask(host: &str, port: u16, options: SessionOptions) -> Heard {
    let (factory, heard) = Recorder::script(|_, _| {});
    let origin = Origin::try_from(format!("https://{host}:{port}/").as_str()).expect("a URL");
    let session = HttpSession::connect(origin, &factory, options);
    session.do_send(Apply(Payload::get("/").expect("a path")));
    heard
}

fn refused(cause: TlsError) -> String {
    format!("failed {:?} Queued", FailureReason::AuthFailed(cause))
}

/// B18, promise 25: who is trusted. A row: what the server shows, what the client asks for, and what it is told.
#[actix::test]
async fn who_is_trusted() {
    let authority = Authority::new();
    let stranger = Authority::named("a stranger");
    let rows = [
        (authority.server("localhost"), "localhost", None),
        (authority.server("127.0.0.1"), "127.0.0.1", None),
        (
            authority.server("other.test"),
            "localhost",
            Some(TlsError::WrongName),
        ),
        (
            authority.server("localhost"),
            "127.0.0.1",
            Some(TlsError::WrongName),
        ),
        (
            stranger.server("localhost"),
            "localhost",
            Some(TlsError::UnknownIssuer),
        ),
        (
            authority.sign("localhost", true).server(),
            "localhost",
            Some(TlsError::Expired),
        ),
        // It wants a certificate of the client, which shows none. In TLS 1.3 the client hears of that later.
        (
            authority.asking_server("localhost", &[&rustls::version::TLS12]),
            "localhost",
            Some(TlsError::Refused),
        ),
        (
            with_alpn(authority.server("localhost"), b"h2"),
            "localhost",
            Some(TlsError::Refused),
        ),
    ];
    for (config, host, fault) in rows {
        let (_running, address) = serve(config);
        let mut heard = ask(host, address.port(), options(authority.client()));
        match fault {
            Some(fault) => heard.expect(&[&refused(fault)]).await,
            None => assert!(heard.next().await.starts_with("apply 200 [TLSv1.3 ")),
        }
    }
}

fn with_alpn(mut config: Arc<ServerConfig>, protocol: &[u8]) -> Arc<ServerConfig> {
    Arc::make_mut(&mut config).alpn_protocols = vec![protocol.to_vec()];
    config
}

/// Nobody is trusted by default but whom the platform trusts.
#[actix::test]
async fn the_default_is_to_verify() {
    let (_running, address) = serve(Authority::new().server("localhost"));
    let mut heard = ask("localhost", address.port(), SessionOptions::for_client());
    let told = heard.next().await;
    // A platform without any certificates trusts nobody either.
    let expected = [TlsError::UnknownIssuer, TlsError::NoRoots].map(refused);
    assert!(expected.contains(&told), "{told}");
}

/// What the two ends know of each other afterwards.
#[actix::test]
async fn what_was_agreed() {
    let authority = Authority::new();
    let shown = authority.sign("client.test", false);
    for (host, config, sni, shows) in [
        ("localhost", authority.client(), "localhost", 0),
        ("localhost", authority.client_with(&shown), "localhost", 1),
        ("127.0.0.1", authority.client(), "-", 0),
    ] {
        let server = if shows > 0 {
            authority.asking_server(host, rustls::ALL_VERSIONS)
        } else {
            authority.server(host)
        };
        // To a handler, and to a function.
        let (_running, address) = serve(server.clone());
        let function = handler_fn(async |request: HttpRequest| {
            let answer = Payload::response(StatusCode::OK).body(told(request.tls.as_deref()));
            drop(request.responder.respond(answer));
        });
        let functions = HttpServer::new(function).signals(false).workers(1);
        let functions = functions.bind_rustls("127.0.0.1:0", server);
        let functions = functions.expect("a port").run();
        for port in [address.port(), functions.addresses()[0].port()] {
            let (factory, mut heard) = Recorder::script(move |_, session| {
                let told = told(session.tls());
                assert_eq!(told, format!("TLSv1.3 {sni} http/1.1 1"));
            });
            let origin = format!("https://{host}:{port}/");
            let origin = Origin::try_from(origin.as_str()).expect("a URL");
            let session = HttpSession::connect(origin, &factory, options(config.clone()));
            session.do_send(Apply(Payload::get("/").expect("a path")));
            let told = format!("TLSv1.3 {sni} http/1.1 {shows}");
            heard
                .expect(&[
                    &format!("apply 200 [{told}]"),
                    &format!("completed 200 in {} out 0", told.len()),
                ])
                .await;
        }
    }
}

/// Plain HTTP is not answered on a TLS port, and harms nobody else there.
#[actix::test]
async fn plain_http_to_a_tls_port() {
    let authority = Authority::new();
    let (_running, address) = serve(authority.server("localhost"));
    let mut plain = Peer::new(TcpStream::connect(address).await.expect("it listens"));
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = plain.rest().await;
    assert!(!answer.contains("HTTP"), "{answer}");
    let mut heard = ask("localhost", address.port(), options(authority.client()));
    assert!(heard.next().await.starts_with("apply 200 "));
}

/// N12: taps at both ends see the same, in plain text.
#[actix::test]
async fn taps_are_inside() {
    let authority = Authority::new();
    let (near, far) = (Tape::default(), Tape::default());
    let running = server()
        .tap(near.clone())
        .bind_rustls("127.0.0.1:0", authority.server("localhost"))
        .expect("a port")
        .run();
    let options = SessionOptions {
        tap: Some(Arc::new(far.clone())),
        ..options(authority.client())
    };
    let mut heard = ask("localhost", running.addresses()[0].port(), options);
    heard.next().await;
    heard.expect(&["completed 200 in 28 out 0"]).await;
    // The client may have the answer before the server's tap has heard of it.
    running.handle().do_send(Dispose);
    running.await.expect("an end");
    let (near, far) = (near.transcripts().remove(0), far.transcripts().remove(0));
    assert!(
        near.received()
            .starts_with(b"GET / HTTP/1.1\r\nHost: localhost:")
    );
    let sent = near.sent();
    assert!(
        sent.ends_with(b"TLSv1.3 localhost http/1.1 0"),
        "{}",
        sent.escape_ascii()
    );
    assert_eq!(far.sent(), near.received());
    assert_eq!(far.received(), near.sent());
}

/// A client of `https` says nothing in plain text, whatever it meets.
#[actix::test]
async fn a_port_that_does_not_speak_tls() {
    let authority = Authority::new();
    let running = server().bind("127.0.0.1:0").expect("a port").run();
    let port = running.addresses()[0].port();
    let mut heard = ask("localhost", port, options(authority.client()));
    heard.expect(&[&refused(TlsError::NotTls)]).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut heard = ask("127.0.0.1", port, options(authority.client()));
    let (mut stream, _) = listener.accept().await.expect("accepted");
    let mut hello = [0; 3];
    stream.read_exact(&mut hello).await.expect("a hello");
    assert_eq!(hello, [22, 3, 1], "a handshake record");
    drop(stream);
    let told = heard.next().await;
    assert!(
        told.starts_with("failed ConnectFailed(Connection"),
        "{told}"
    );
}

/// The time of a connect is that of the handshake, too.
#[actix::test]
async fn a_server_that_does_not_shake_hands() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    let client = HttpClient::builder()
        .connect_timeout(Duration::from_millis(20))
        .options(SessionOptions::for_client())
        .tls(Authority::new().client())
        .build();
    let answered = client.request(Payload::get(url).expect("a url")).await;
    let error = answered.expect_err("no server");
    assert!(
        matches!(
            error.kind(),
            ClientErrorKind::Failed(FailureReason::ConnectFailed(ErrorKind::TimedOut))
        ),
        "{error:?}"
    );
    assert!(error.is_timeout() && error.is_connect());
}

/// A configuration holds for every route, whichever was set first: also for connections that a function opens.
#[actix::test]
async fn a_route_of_a_client_is_secure() {
    let authority = Authority::new();
    let (_running, address) = serve(authority.server("elsewhere.test"));
    let route = || Route::through(move |_origin: &Origin| TcpStream::connect(address));
    let config = authority.client();
    for builder in [
        HttpClient::builder().tls(config.clone()).route(route()),
        HttpClient::builder().route(route()).tls(config.clone()),
    ] {
        let client = builder.build();
        let get = |url: &str| client.request(Payload::get(url).expect("a URL"));
        let page = get("https://elsewhere.test/").await.expect("an answer");
        let told = std::str::from_utf8(page.body_bytes()).expect("text");
        assert!(told.contains(" elsewhere.test "), "{told}");
        let error = get("https://stranger.test/")
            .await
            .expect_err("not its name");
        let reason = FailureReason::AuthFailed(TlsError::WrongName);
        assert!(
            matches!(error.kind(), ClientErrorKind::Failed(failed) if *failed == reason),
            "{error:?}"
        );
    }
}

/// A request that waits for the handshake when its time is up was not sent: it is safe to send again, and comes back.
#[actix::test]
async fn late_before_the_connection_is_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    let client = HttpClient::builder()
        .timeout(Duration::from_millis(20))
        .tls(Authority::new().client())
        .build();
    let request = Payload::post(url).expect("a url").body("once");
    let error = client.request(request).await.expect_err("no server");
    assert!(
        matches!(error.kind(), ClientErrorKind::TimedOut),
        "{error:?}"
    );
    assert!(error.is_retry_safe());
    let back = error.into_payload().expect("it was not sent");
    assert_eq!(back.body_bytes(), "once");
}

/// P133: a handshake that never comes ends by a clock, at either end.
#[actix::test]
async fn handshakes_that_never_come() {
    let authority = Authority::new();
    let timeouts = Timeouts {
        handshake: Some(Duration::from_millis(50)),
        connect: Some(Duration::from_millis(50)),
        ..Timeouts::default()
    };
    let running = server()
        .timeouts(timeouts)
        .bind_rustls("127.0.0.1:0", authority.server("localhost"))
        .expect("a port")
        .run();
    let stream = TcpStream::connect(running.addresses()[0]).await;
    assert_eq!(Peer::new(stream.expect("it listens")).rest().await, "");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let options = SessionOptions {
        timeouts,
        ..options(authority.client())
    };
    let mut heard = ask("127.0.0.1", port, options);
    heard
        .expect(&["failed ConnectFailed(TimedOut) Queued"])
        .await;
}

/// 256 handshakes go on at once, and the plain listener of the same worker is served meanwhile. Those that do not go on
/// give their seats to others, long before their time is up.
#[actix::test]
async fn a_flood_of_silent_clients() {
    let authority = Authority::new();
    let running = server()
        .timeouts(Timeouts {
            handshake: None,
            ..Timeouts::default()
        })
        .bind_rustls("127.0.0.1:0", authority.server("localhost"))
        .expect("a port")
        .bind("127.0.0.1:0")
        .expect("a port")
        .run();
    let [secure, plain] = running.addresses() else {
        panic!("two listeners");
    };
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(secure).await.expect("it listens"));
    }
    let mut late = ask("localhost", secure.port(), options(authority.client()));
    let mut peer = Peer::new(TcpStream::connect(plain).await.expect("it listens"));
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    peer.until("plain").await;
    assert!(late.next().await.starts_with("apply 200 "));
    let first = silent.swap_remove(0).into_std().expect("a socket");
    let end = std::io::Read::read(&mut &first, &mut [0]);
    assert_eq!(end.map_err(|error| error.kind()), Ok(0), "it had its time");
}

/// A server that ends does not wait for a handshake.
#[actix::test]
async fn the_end_cuts_handshakes() {
    let authority = Authority::new();
    let timeouts = Timeouts {
        handshake: None,
        ..Timeouts::default()
    };
    let running = server()
        .timeouts(timeouts)
        .bind_rustls("127.0.0.1:0", authority.server("localhost"))
        .expect("a port")
        .run();
    let address = running.addresses()[0];
    let silent = TcpStream::connect(address).await.expect("it listens");
    // The one behind it was served, so it was accepted.
    let mut heard = ask("localhost", address.port(), options(authority.client()));
    assert!(heard.next().await.starts_with("apply 200 "));
    running.handle().do_send(Dispose);
    running.await.expect("an end");
    assert_eq!(Peer::new(silent).rest().await, "");
}

/// Nor does one that is drained, for longer than for a request; nor one that is asked again, for longer than that.
#[actix::test]
async fn a_drain_cuts_handshakes() {
    for windows in [&[10_u64][..], &[3_600_000, 0]] {
        drained_in(windows).await;
    }
}

/// A server with a silent client ends after drains with these windows, in milliseconds.
async fn drained_in(windows: &[u64]) {
    let authority = Authority::new();
    let timeouts = Timeouts {
        handshake: None,
        ..Timeouts::default()
    };
    let running = server()
        .timeouts(timeouts)
        .bind_rustls("127.0.0.1:0", authority.server("localhost"))
        .expect("a port")
        .run();
    let silent = TcpStream::connect(running.addresses()[0])
        .await
        .expect("it listens");
    for window in windows {
        running.handle().do_send(Drain {
            window: Duration::from_millis(*window),
            deadline: Duration::from_secs(3600),
        });
    }
    running.await.expect("an end");
    assert_eq!(Peer::new(silent).rest().await, "");
}

/// Plain, TLS and Unix listeners on one server, which are its own or were given to it listening.
#[actix::test]
async fn listeners_of_every_kind() {
    let authority = Authority::new();
    for given in [false, true] {
        let path = socket_path();
        let secret = authority.server("localhost");
        let port = || std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let bound = if given {
            let file = std::os::unix::net::UnixListener::bind(&path).expect("a path");
            server()
                .listen(port())
                .and_then(|server| server.listen_rustls(port(), secret))
                .and_then(|server| server.listen_uds(file))
        } else {
            server()
                .bind("127.0.0.1:0")
                .and_then(|server| server.bind_rustls("127.0.0.1:0", secret))
                .and_then(|server| server.bind_uds(&path))
        };
        let running = bound.expect("bound").run();
        let [plain, secure] = running.addresses() else {
            panic!("two addresses");
        };
        let mut peer = Peer::new(TcpStream::connect(plain).await.expect("it listens"));
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        peer.until("plain").await;
        let mut peer = Peer::new(UnixStream::connect(&path).await.expect("it listens"));
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        peer.until("plain").await;
        let mut heard = ask("localhost", secure.port(), options(authority.client()));
        assert!(heard.next().await.starts_with("apply 200 [TLSv1.3 "));
        running.handle().do_send(Dispose);
        running.await.expect("an end");
        assert_eq!(path.exists(), given, "who made it removes it");
        // The file may be gone.
        let _ = std::fs::remove_file(&path);
    }
}

/// A Unix socket that was given stays open for the next server, and what waits in its backlog with it.
#[actix::test]
async fn a_given_unix_socket_is_passed_on() {
    let path = socket_path();
    let file = std::os::unix::net::UnixListener::bind(&path).expect("a path");
    let next = file.try_clone().expect("a descriptor");
    let first = server().listen_uds(file).expect("a socket").run();
    first.handle().do_send(Dispose);
    first.await.expect("an end");
    let mut peer = Peer::new(UnixStream::connect(&path).await.expect("it listens"));
    let second = server().listen_uds(next).expect("a socket").run();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    peer.until("plain").await;
    second.handle().do_send(Dispose);
    second.await.expect("an end");
    std::fs::remove_file(&path).expect("it is still there");
}

/// B24 over TLS: the end of the connection is the end of a body only if it was said.
#[actix::test]
async fn a_cut_is_no_end_of_a_body() {
    let authority = Authority::new();
    let cut = FailureReason::ConnectionClosed(ErrorKind::UnexpectedEof);
    let close_delimited = "HTTP/1.1 200 OK\r\n\r\npart";
    let rows: [(&str, bool, &[&str]); 3] = [
        (
            close_delimited,
            true,
            &["finished", "completed 200 in 4 out 0"],
        ),
        (
            close_delimited,
            false,
            &[&format!("failed {cut:?} Answering")],
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\npart",
            false,
            &[&format!("failed {cut:?} Answering")],
        ),
    ];
    for (response, says_so, expected) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut heard = ask("localhost", port, options(authority.client()));
        let (stream, _) = listener.accept().await.expect("accepted");
        let mut peer = Peer::new(accepted(stream, authority.server("localhost")).await);
        answer_with(&mut peer, response).await;
        heard.next().await;
        heard.expect(&["chunk part"]).await;
        if says_so {
            peer.close().await;
        } else {
            let (stream, _) = peer.io.get_mut();
            stream.shutdown().await.expect("open");
        }
        heard.expect(expected).await;
    }
}

/// A server of one connection over TLS, what its handler hears, and its client by hand.
struct Served {
    running: Running,
    heard: Heard,
    peer: Peer<TlsStream<TcpStream>>,
}

async fn served(
    timeouts: Timeouts,
    script: impl Fn(Payload, &mut SessionContext) + Send + Sync + 'static,
) -> Served {
    let authority = Authority::new();
    let (factory, heard) = Recorder::script(script);
    let factory = Arc::new(factory);
    let running = HttpServer::new(move |session| factory.handler(session))
        .signals(false)
        .workers(1)
        .timeouts(timeouts)
        .bind_rustls("127.0.0.1:0", authority.server("localhost"))
        .expect("a port")
        .run();
    let stream = TcpStream::connect(running.addresses()[0]).await;
    let stream = connected(stream.expect("it listens"), authority.client()).await;
    Served {
        running,
        heard,
        peer: Peer::new(stream),
    }
}

impl Served {
    async fn session(&self) -> Addr<HttpSession> {
        let sessions = self.running.handle().send(Sessions).await.expect("alive");
        sessions.first().expect("one").clone()
    }

    /// How the connection ends for a client that reads on.
    async fn end(&mut self) -> Result<(), ErrorKind> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.peer.io.read(&mut buffer).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error.kind()),
            }
        }
    }
}

/// A whole answer ends by `close_notify`, one that was cut by a reset without it, so that it cannot look whole.
#[actix::test]
async fn how_answers_end() {
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ] {
        for whole in [true, false] {
            let mut served = served(Timeouts::default(), |_, session| {
                session.respond(Payload::response(StatusCode::OK).chunked());
            })
            .await;
            served.peer.send(request).await;
            served.heard.expect(&["apply GET / []", "need_body"]).await;
            let session = served.session().await;
            let sent = session.send(SendChunk("part".into())).await;
            sent.expect("alive").expect("taken");
            served.peer.until("part").await;
            let end = if whole {
                session.do_send(Finish);
                Ok(())
            } else {
                session.do_send(Cancel::current());
                Err(ErrorKind::ConnectionReset)
            };
            assert_eq!(served.end().await, end, "{request} {whole}");
        }
    }
}

/// A client that has no more to ask says so before it goes; one that gives up does not.
#[actix::test]
async fn how_clients_end() {
    for whole in [true, false] {
        let authority = Authority::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (factory, mut heard) = Recorder::script(|_, _| {});
        let origin = format!("https://localhost:{port}/");
        let origin = Origin::try_from(origin.as_str()).expect("a URL");
        let session = HttpSession::connect(origin, &factory, options(authority.client()));
        session.do_send(Apply(Payload::get("/").expect("a path")));
        let (stream, _) = listener.accept().await.expect("accepted");
        let mut peer = Peer::new(accepted(stream, authority.server("localhost")).await);
        peer.until("\r\n\r\n").await;
        if whole {
            peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
            heard
                .expect(&["apply 204 []", "completed 204 in 0 out 0"])
                .await;
        }
        session.do_send(Dispose);
        let end = peer.io.read(&mut [0]).await.map_err(|error| error.kind());
        let expected = if whole {
            Ok(0)
        } else {
            Err(ErrorKind::ConnectionReset)
        };
        assert_eq!(end, expected);
    }
}

/// X10: a peer that goes is noticed while nothing is read, below TLS.
#[actix::test]
async fn hangups_are_noticed_while_nothing_is_read() {
    let mut served = served(Timeouts::default(), |_, session| session.mute()).await;
    let upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n";
    served.peer.send(upload).await;
    served.heard.expect(&["apply POST / stream 20000"]).await;
    let stream = served.peer.io.get_mut().0;
    stream.shutdown().await.expect("open");
    served.heard.expect(&["half_closed"]).await;
    reset_on_drop(stream);
    drop(served.peer);
    let cause = CancelCause::PeerReset;
    let cancelled = format!("cancelled {cause:?} Receiving");
    served.heard.expect(&[&cancelled]).await;
}

/// What a client does not take ends by the write clock, in a reset.
#[actix::test]
async fn a_client_that_does_not_read() {
    let timeouts = Timeouts {
        write: Some(Duration::from_millis(200)),
        ..Timeouts::default()
    };
    let mut served = served(timeouts, |_, session| {
        let body = vec![b'x'; 32 << 20];
        session.respond(Payload::response(StatusCode::OK).body(body));
    })
    .await;
    served.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.heard.expect(&["apply GET / []", "throttled"]).await;
    let told = served.heard.next().await;
    let cause = CancelCause::Deadline(Deadline::Write);
    assert_eq!(told, format!("cancelled {cause:?} Answered"));
    assert_eq!(served.end().await, Err(ErrorKind::ConnectionReset));
}
