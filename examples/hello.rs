//! The smallest server. Look at how little code it needs besides the answer itself.
//!
//! `cargo run --example hello [LISTEN]`, then open <http://127.0.0.1:8080/> or `curl -v http://127.0.0.1:8080/`.

use http_actors::{HttpHandler, HttpServer, Payload, SessionContext, StatusCode};

struct Hello;

impl HttpHandler for Hello {
    fn apply(&mut self, _request: Payload, session: &mut SessionContext) {
        let answer = Payload::response(StatusCode::OK)
            .header("Content-Type", "text/plain")
            .body("Hello, World!");
        session.respond(answer);
    }
}

#[actix::main]
async fn main() -> std::io::Result<()> {
    let listen = std::env::args().nth(1);
    let listen = listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    if listen.starts_with('-') {
        println!(
            "usage: hello [LISTEN]\n\nGreets on LISTEN, HOST:PORT: 127.0.0.1:8080 if not given."
        );
        return Ok(());
    }
    let server = HttpServer::new(|_session| Hello).bind(listen)?.run();
    for address in server.addresses() {
        println!("listening on http://{address}/");
    }
    server.await
}
