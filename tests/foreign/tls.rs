//! TLS of others, at both ends.

use actix::Addr;
use http_actors::message::Apply;
use http_actors::{HttpSession, Origin, Payload, Route, SessionOptions};

use super::common::Recorder;
use super::common::tls::Authority;
use super::{BufReader, CURL, Client, Command, Row, Server, Stdio, goes_on, report, table};
use std::io::BufRead as _;
use std::path::PathBuf;

const OPENSSL: Client = Client {
    program: "openssl",
    package: "openssl",
    always: &[],
};

/// A certificate for 127.0.0.1 in files, and who signed it. The files go with it.
struct Files {
    folder: PathBuf,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        let folder = super::common::socket_path();
        std::fs::create_dir(&folder).expect("a folder");
        let authority = Authority::new();
        let signed = authority.sign("127.0.0.1", false);
        for (name, text) in [
            ("ca", authority.pem()),
            ("cert", signed.certificate.pem()),
            ("key", signed.key.serialize_pem()),
        ] {
            std::fs::write(folder.join(name), text).expect("written");
        }
        Self { folder, authority }
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.join(name);
        path.to_str().expect("plain text").to_owned()
    }

    fn serve(&self) -> Server {
        let [cert, key] = ["cert", "key"].map(|name| self.path(name));
        let mut server = Server::workload(&["--cert", &cert, "--key", &key]);
        server.scheme = "https";
        server
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What is left behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Every row of curl once more, in TLS, and verified. It offers HTTP/2 too.
#[test]
fn curl_over_tls() {
    let files = Files::new();
    let server = files.serve();
    let rows = table(CURL, include_str!("curl.txt")).chain([goes_on(CURL)]);
    report(rows.map(|mut row| {
        row.args.extend(["--cacert".to_owned(), files.path("ca")]);
        row.tried(&server)
    }));
}

/// Both versions of TLS, the certificate verified, and an end that was said.
#[test]
fn openssl_client() {
    let files = Files::new();
    let server = files.serve();
    let address = format!("127.0.0.1:{}", server.port);
    let ca = files.path("ca");
    let rows = ["-tls1_2", "-tls1_3"].map(|version| {
        let args = [
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-verify_ip",
            "127.0.0.1",
            "-alpn",
            "h2,http/1.1",
            "-CAfile",
            &ca,
            "-connect",
            &address,
            version,
        ];
        let request = r"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = r"HTTP/1.1 200 OK\r\nServer: http-actors\r\nContent-Type: text/plain\r\nDate: ...\r\nConnection: close\r\nContent-Length: 13\r\n\r\nHello, World!";
        Row::new(version, OPENSSL, &args, request, answer)
    });
    report(rows.map(|row| row.tried(&server)));
}

/// A server whose answer ends with the connection, and with `close_notify`.
#[actix::test]
async fn openssl_server() {
    if !OPENSSL.is_here() {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let files = Files::new();
        let mut server = Command::new(OPENSSL.program)
            .args(["s_server", "-www", "-accept", "127.0.0.1:0", version])
            .args(["-cert", &files.path("cert"), "-key", &files.path("key")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("openssl runs");
        let lines = BufReader::new(server.stdout.take().expect("piped")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.strip_prefix("ACCEPT ")?.rsplit_once(':')?;
            port.parse::<u16>().ok()
        });
        let (factory, mut heard) = Recorder::script(|_, session| {
            let tls = session.tls().expect("TLS");
            assert_eq!(tls.peer_certificates.len(), 1);
        });
        let origin = format!("https://127.0.0.1:{}/", port.expect("it listens"));
        let origin = Origin::try_from(origin.as_str()).expect("a URL");
        let options = SessionOptions {
            route: Route::default().tls(files.authority.client()),
            ..SessionOptions::for_client()
        };
        let session: Addr<HttpSession> = HttpSession::connect(origin, &factory, options);
        session.do_send(Apply(Payload::get("/").expect("a path")));
        heard.expect(&["apply 200 chunked"]).await;
        let mut page = String::new();
        let end = loop {
            let told = heard.next().await;
            match told.strip_prefix("chunk ") {
                Some(text) => page.push_str(text),
                None => break told,
            }
        };
        assert!(page.contains("</HTML>"), "{page}");
        assert_eq!(end, "finished", "{version}");
        server.kill().expect("it runs");
        server.wait().expect("a child");
    }
}
