//! A client behind a proxy that speaks TLS with its server: tunnels by CONNECT (RFC 9110 section 9.3.6).
#![cfg(feature = "rustls")]

mod common;

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Addr;
use common::tls::Authority;
use common::{Peer, answer_with};
use http_actors::error::{FailureReason, TlsError};
use http_actors::message::Dispose;
use http_actors::test_util::Tape;
use http_actors::upgrade::Answered;
use http_actors::{
    ClientBuilder, ClientErrorKind, HttpClient, HttpHandler, HttpServer, HttpSession, Method,
    Payload, Proxy, Running, SessionContext, SessionOptions, StatusCode, Timeouts,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Says what it was asked for, and how it was asked.
struct Say;

impl HttpHandler for Say {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        assert!(request.headers().get("Proxy-Authorization").is_none());
        if request.headers().text("Upgrade") == Some("echo") {
            let switch = Payload::response(StatusCode::SWITCHING_PROTOCOLS);
            let switch = session.hand_off(switch.header("Upgrade", "echo"));
            let switch = switch.expect("offered");
            actix::spawn(async move {
                let (mut read, mut write) = tokio::io::split(switch.await.expect("switched"));
                // The client may break off.
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
            return;
        }
        if request.path() == "/away" {
            let away = Payload::response(StatusCode::FOUND).header("Location", "http://far.test/");
            return session.respond(away);
        }
        let text = format!(
            "{} {}",
            request.uri(),
            session.tls().map_or("plain", |tls| tls.version)
        );
        session.respond(Payload::response(StatusCode::OK).body(text));
    }
}

/// Makes tunnels to one server, whatever it is asked for. A proxy in the words of this crate.
struct Tunnels {
    to: std::net::SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpHandler for Tunnels {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        assert_eq!(*request.method(), Method::CONNECT);
        let authorization = request.headers().get("Proxy-Authorization");
        self.asked.lock().expect("no panic").push(format!(
            "{} {}",
            request.uri(),
            String::from_utf8_lossy(authorization.unwrap_or_default())
        ));
        let tunnel = session
            .hand_off(Payload::response(StatusCode::OK))
            .expect("asked for");
        let to = self.to;
        actix::spawn(async move {
            let mut near = tunnel.await.expect("a tunnel");
            let mut far = TcpStream::connect(to).await.expect("it listens");
            // Either end may break off.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}

struct Served {
    server: Running,
    proxy: Running,
    asked: Arc<Mutex<Vec<String>>>,
    client: HttpClient,
}

fn serve(authority: &Authority) -> Served {
    let quiet = |server: HttpServer| server.signals(false).workers(1);
    let server = quiet(HttpServer::new(|_: Addr<HttpSession>| Say))
        .bind_rustls("127.0.0.1:0", authority.server("far.test"))
        .expect("a port")
        .run();
    let (to, asked) = (server.addresses()[0], Arc::default());
    let seen: Arc<Mutex<Vec<String>>> = Arc::clone(&asked);
    let proxy = quiet(HttpServer::new(move |_| Tunnels {
        to,
        asked: seen.clone(),
    }))
    .bind("127.0.0.1:0")
    .expect("a port")
    .run();
    let client = client(authority, &format!("user:pw@{}", proxy.addresses()[0]));
    Served {
        server,
        proxy,
        asked,
        client,
    }
}

fn client(authority: &Authority, proxy: &str) -> HttpClient {
    builder(authority, proxy).build()
}

fn builder(authority: &Authority, proxy: &str) -> ClientBuilder {
    // What is set alone holds, whatever comes behind it.
    HttpClient::builder()
        .tls(authority.client())
        .options(SessionOptions::for_client())
        .redirects(3)
        .proxy(Proxy::all(&format!("http://{proxy}")).expect("a url"))
}

fn get(url: &str) -> Payload {
    Payload::get(url).expect("a url")
}

/// One tunnel carries one request after another; the proxy alone hears its credentials, the server alone the requests.
#[actix::test]
async fn requests_go_through_a_tunnel() {
    let authority = Authority::new();
    let served = serve(&authority);
    for path in ["/1", "/2"] {
        let answer = served
            .client
            .request(get(&format!("https://far.test{path}")))
            .await;
        let answer = answer.expect("an answer");
        assert_eq!(
            String::from_utf8_lossy(answer.body_bytes()),
            format!("{path} TLSv1.3")
        );
    }
    let asked = served.asked.lock().expect("no panic").clone();
    assert_eq!(asked, ["far.test:443 Basic dXNlcjpwdw=="]);
    let (head, mut body) = served
        .client
        .stream(get("https://far.test/3"))
        .await
        .expect("an answer");
    assert_eq!(head.status(), Some(StatusCode::OK));
    assert_eq!(body.bytes(100).await.expect("whole"), "/3 TLSv1.3");
    let away = served.client.request(get("https://far.test/away")).await;
    let away = away.expect("an answer").status();
    assert_eq!(away, Some(StatusCode::FOUND), "never from https to http");
    drop(served.client);
    for running in [served.proxy, served.server] {
        running.handle().do_send(Dispose);
        running.await.expect("a good end");
    }
}

/// A proxy like that of these servers, with a certificate of its own, and its URL.
fn secure_proxy(authority: &Authority, served: &Served) -> (Running, String) {
    let (to, asked) = (served.server.addresses()[0], served.asked.clone());
    let proxy = HttpServer::new(move |_| Tunnels {
        to,
        asked: asked.clone(),
    });
    let proxy = proxy
        .signals(false)
        .workers(1)
        .bind_rustls("127.0.0.1:0", authority.server("localhost"))
        .expect("a port")
        .run();
    let at = format!("localhost:{}", proxy.addresses()[0].port());
    (proxy, at)
}

/// An offer goes the same way: through a tunnel of its own, with TLS to the server. A CONNECT is the tunnel alone.
#[actix::test]
async fn an_offer_goes_through_a_tunnel() {
    let authority = Authority::new();
    let served = serve(&authority);
    offers_go_through_tunnels(&served.client, &served.asked).await;
    // The same if the proxy has a certificate.
    let (_proxy, at) = secure_proxy(&authority, &served);
    let proxy = Proxy::all(&format!("https://user:pw@{at}")).expect("a url");
    let client = HttpClient::builder().tls(authority.client()).proxy(proxy);
    offers_go_through_tunnels(&client.build(), &served.asked).await;
}

async fn offers_go_through_tunnels(client: &HttpClient, asked: &Mutex<Vec<String>>) {
    let first = client.request(get("https://far.test/1")).await;
    first.expect("an answer");
    let connect = "far.test:443".parse().expect("an authority");
    for offer in [
        get("wss://far.test/").header("Upgrade", "echo"),
        Payload::request(Method::CONNECT, connect),
    ] {
        let tunnel = *offer.method() == Method::CONNECT;
        let answered = client.upgrade(offer).await.expect("an answer");
        let Answered::Switched(head, mut io) = answered else {
            panic!("{answered:?}")
        };
        if tunnel {
            assert_eq!(head.status(), Some(StatusCode::OK));
            continue;
        }
        assert_eq!(head.headers().text("Upgrade"), Some("echo"));
        io.write_all(b"to and fro").await.expect("open");
        io.flush().await.expect("open");
        let mut back = [0; 10];
        io.read_exact(&mut back).await.expect("echoed");
        assert_eq!(&back, b"to and fro");
    }
    let declined = get("https://far.test/2").header("Upgrade", "chat");
    let declined = client.upgrade(declined).await.expect("an answer");
    let Answered::Declined(_, mut body) = declined else {
        panic!("{declined:?}")
    };
    assert_eq!(body.bytes(100).await.expect("whole"), "/2 TLSv1.3");
    let asked = std::mem::take(&mut *asked.lock().expect("no panic"));
    assert_eq!(asked, ["far.test:443 Basic dXNlcjpwdw=="; 4]);
}

/// A proxy may have a certificate of its own. Then the client speaks TLS with it, and verifies it, before it asks for a
/// tunnel or sends a request.
#[actix::test]
async fn a_proxy_with_a_certificate() {
    let authority = Authority::new();
    let served = serve(&authority);
    let (_proxy, at) = secure_proxy(&authority, &served);
    let url = format!("https://{at}");
    for (authority, trusted) in [(&authority, true), (&Authority::named("another"), false)] {
        let client = HttpClient::builder()
            .tls(authority.client())
            .proxy(Proxy::all(&url).expect("a url"))
            .build();
        let answer = client.request(get("https://far.test/1")).await;
        if trusted {
            assert_eq!(answer.expect("an answer").body_bytes(), "/1 TLSv1.3");
            continue;
        }
        for url in ["https://far.test/", "http://far.test/"] {
            let error = client.request(get(url)).await.expect_err("not trusted");
            assert!(
                matches!(
                    error.kind(),
                    ClientErrorKind::Failed(FailureReason::AuthFailed(TlsError::UnknownIssuer))
                ),
                "{url}: {error:?}"
            );
        }
    }
    assert_eq!(*served.asked.lock().expect("no panic"), ["far.test:443 "]);
}

/// The name is verified behind the tunnel, and a server that shows another is sent nothing.
#[actix::test]
async fn the_server_behind_it_is_verified() {
    let served = serve(&Authority::new());
    let other = client(
        &Authority::named("another"),
        &served.proxy.addresses()[0].to_string(),
    );
    for (client, url, expected) in [
        (&served.client, "https://other.test/", TlsError::WrongName),
        (&other, "https://far.test/", TlsError::UnknownIssuer),
    ] {
        let error = client.request(get(url)).await.expect_err("not trusted");
        assert!(
            matches!(error.kind(), ClientErrorKind::Failed(FailureReason::AuthFailed(found)) if *found == expected),
            "{error:?}"
        );
    }
}

/// What proxies say that make no tunnel. A word behind the head can only be meant for somebody else.
#[actix::test]
async fn proxies_that_make_no_tunnel() {
    let rows = [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
            FailureReason::NoTunnel(StatusCode::PROXY_AUTHENTICATION_REQUIRED),
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nhello",
            FailureReason::ConnectFailed(ErrorKind::InvalidData),
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n",
            FailureReason::ConnectFailed(ErrorKind::InvalidData),
        ),
        (
            "HTTP/1.1 2",
            FailureReason::ConnectFailed(ErrorKind::InvalidData),
        ),
        ("", FailureReason::ConnectFailed(ErrorKind::UnexpectedEof)),
    ];
    let authority = Authority::new();
    for (answer, expected) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = client(
            &authority,
            &listener.local_addr().expect("an address").to_string(),
        );
        let asking = actix::spawn(async move { client.request(get("https://[::1]:8443/")).await });
        let mut proxy = Peer::new(listener.accept().await.expect("accepted").0);
        proxy
            .expect("CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n")
            .await;
        proxy.send(answer).await;
        proxy.close().await;
        let error = asking.await.expect("no panic").expect_err("no tunnel");
        assert!(
            matches!(error.kind(), ClientErrorKind::Failed(found) if *found == expected),
            "{answer}: {error:?}"
        );
        assert!(error.is_retry_safe(), "nothing was asked of the server");
    }
}

/// How long a proxy may take is a matter of the connect alone: it waits for the server behind it. The time that servers
/// have for their responses is not the proxy's.
#[actix::test]
async fn a_proxy_that_says_nothing() {
    tokio::time::pause();
    let authority = Authority::new();
    let second = Some(Duration::from_secs(1));
    for said in ["", "HTTP/1.1 2"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let timeouts = Timeouts {
            head: second,
            response: second,
            connect: Some(Duration::from_secs(5)),
            ..Timeouts::for_client()
        };
        let client = builder(&authority, &address).timeouts(timeouts).build();
        let served = async {
            let mut proxy = Peer::new(listener.accept().await.expect("accepted").0);
            proxy.until("\r\n\r\n").await;
            proxy.send(said).await;
            // Until the client gives up.
            proxy.rest().await
        };
        let begun = Instant::now();
        let (answered, _) = tokio::join!(client.request(get("https://far.test/")), served);
        let error = answered.expect_err("no tunnel");
        let expected = FailureReason::ConnectFailed(ErrorKind::TimedOut);
        assert!(
            matches!(error.kind(), ClientErrorKind::Failed(found) if *found == expected),
            "{said}: {error:?}"
        );
        assert!(error.is_timeout() && error.is_connect() && error.is_retry_safe());
        assert_eq!(begun.elapsed().as_secs(), 5, "{said}");
    }
}

/// Nor may a proxy take for ever over its refusal, even if there is no limit for the connect.
#[actix::test]
async fn a_proxy_that_does_not_end_its_refusal() {
    tokio::time::pause();
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let timeouts = Timeouts {
        body: Some(Duration::from_secs(1)),
        connect: None,
        ..Timeouts::for_client()
    };
    let client = builder(&authority, &address).timeouts(timeouts).build();
    let served = async {
        let mut proxy = Peer::new(listener.accept().await.expect("accepted").0);
        proxy.until("\r\n\r\n").await;
        proxy
            .send("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nno")
            .await;
        proxy.rest().await
    };
    let (answered, _) = tokio::join!(client.request(get("https://far.test/")), served);
    let error = answered.expect_err("no tunnel");
    let expected = FailureReason::ConnectFailed(ErrorKind::TimedOut);
    assert!(
        matches!(error.kind(), ClientErrorKind::Failed(found) if *found == expected),
        "{error:?}"
    );
}

/// N12: a tap sees what goes through the tunnel, and that in plain text: neither the way to it nor what is encrypted.
#[actix::test]
async fn a_tap_sees_what_is_in_the_tunnel() {
    let authority = Authority::new();
    let served = serve(&authority);
    let tape = Tape::default();
    let client = builder(&authority, &served.proxy.addresses()[0].to_string())
        .tap(tape.clone())
        .build();
    let answer = client.request(get("https://far.test/a")).await;
    assert_eq!(answer.expect("answered").status(), Some(StatusCode::OK));
    let transcripts = tape.transcripts();
    assert_eq!(transcripts.len(), 1);
    let text = transcripts[0].to_string();
    let request = r"> GET /a HTTP/1.1\r\n
> Host: far.test\r\n
> \r\n
< HTTP/1.1 200 OK\r\n
";
    assert!(text.starts_with(request), "{text}");
    assert!(text.ends_with("< /a TLSv1.3\n"), "{text}");
}

/// A connection that did not become a tunnel is closed: the proxy keeps it open, and declines or says nothing until the
/// request is dropped.
#[actix::test]
async fn what_is_no_tunnel_is_closed() {
    let authority = Authority::new();
    for answer in [
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
        "",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = client(
            &authority,
            &listener.local_addr().expect("an address").to_string(),
        );
        let url = get("https://far.test/");
        let asking = actix::spawn(async move { client.request(url).await });
        let mut proxy = Peer::new(listener.accept().await.expect("accepted").0);
        answer_with(&mut proxy, answer).await;
        if answer.is_empty() {
            asking.abort();
        } else {
            asking.await.expect("no panic").expect_err("no tunnel");
        }
        let closed = tokio::time::timeout(Duration::from_secs(5), proxy.rest()).await;
        assert_eq!(closed.as_deref(), Ok(""), "{answer}");
    }
}
