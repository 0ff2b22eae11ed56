//! A chat over WebSocket, on connections that began as HTTP. Look at `Door`: the handler answers 101 and gives the
//! connection away; from there on it belongs to an actor, `Socket`, one for each. A reader that is too slow is dropped.
//!
//! `cargo run --example websocket [LISTEN]`, then open <http://127.0.0.1:8080/> in two windows.

use std::collections::HashMap;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use http_actors::upgrade::Upgrade;
use http_actors::{
    HttpHandler, HttpServer, HttpSession, Method, Payload, SessionContext, StatusCode,
};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message as Frame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

/// How many lines a reader may be behind.
const BEHIND: usize = 64;

/// A peer is asked for a sign of life this often, and is gone when it gave none for twice as long.
const PING: Duration = Duration::from_secs(20);

/// Speaks HTTP: the page, and the door to the room.
pub(crate) struct Door {
    room: Addr<Room>,
}

impl HttpHandler for Door {
    fn apply(&mut self, request: Payload, session: &mut SessionContext) {
        match request.path() {
            "/" => session.respond(
                Payload::response(StatusCode::OK)
                    .header("Content-Type", "text/html; charset=utf-8")
                    .body(include_str!("websocket.html")),
            ),
            "/chat" => self.open(&request, session),
            _ => session.respond(Payload::response(StatusCode::NOT_FOUND)),
        }
    }
}

impl Door {
    fn open(&self, request: &Payload, session: &mut SessionContext) {
        let fields = request.headers();
        let key = fields.get("Sec-WebSocket-Key").unwrap_or_default();
        let switch = Payload::response(StatusCode::SWITCHING_PROTOCOLS)
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Accept", derive_accept_key(key));
        let offered = *request.method() == Method::GET
            && request.offers_upgrade("websocket")
            && fields.get("Sec-WebSocket-Version") == Some(b"13")
            // 16 bytes in base64 (RFC 6455 section 4.1).
            && key.len() == 24;
        // The session decides too: a request whose body is still coming is not switched.
        match offered.then(|| session.hand_off(switch)) {
            Some(Ok(upgrade)) => drop(actix::spawn(Socket::open(upgrade, self.room.clone()))),
            _ => session.respond(
                Payload::response(StatusCode::UPGRADE_REQUIRED)
                    .header("Upgrade", "websocket")
                    .header("Sec-WebSocket-Version", "13"),
            ),
        }
    }
}

/// One connection.
struct Socket {
    room: Addr<Room>,
    /// What waits to be written.
    queue: mpsc::Sender<Frame>,
}

impl Socket {
    async fn open(upgrade: Upgrade, room: Addr<Room>) {
        let Ok(io) = upgrade.await else { return };
        let limits = WebSocketConfig::default().max_message_size(Some(16 << 10));
        let frames = WebSocketStream::from_raw_socket(io, Role::Server, Some(limits)).await;
        let (output, input) = frames.split();
        let (queue, waiting) = mpsc::channel(BEHIND);
        Self::create(|ctx| {
            let read = read(input, ctx.address(), room.clone());
            let both = async move {
                tokio::select! { () = read => (), () = write(waiting, output) => () }
            };
            // Whichever ends first ends the actor, and with it the connection.
            ctx.spawn(wrap_future(both).map(|(), _, ctx: &mut Context<Self>| ctx.stop()));
            Self { room, queue }
        });
    }
}

/// Passes on what comes, each line when the room has taken the one before it. The stream itself answers pings and the
/// peer's close, and then ends.
async fn read(
    mut input: impl Stream<Item = Result<Frame, Error>> + Unpin,
    socket: Addr<Socket>,
    room: Addr<Room>,
) {
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(2 * PING, input.next()).await {
        let Frame::Text(text) = frame else { continue };
        let said = room.send(Say(socket.clone(), text)).await;
        if said.is_err() {
            return;
        }
    }
}

/// Writes what waits, and asks for a sign of life however busy the room is.
async fn write(mut waiting: mpsc::Receiver<Frame>, mut output: impl Sink<Frame> + Unpin) {
    let mut clock = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
    loop {
        let frame = tokio::select! {
            Some(frame) = waiting.recv() => frame,
            _ = clock.tick() => Frame::Ping(Bytes::new()),
            else => return,
        };
        if output.send(frame).await.is_err() {
            return;
        }
    }
}

impl Actor for Socket {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.room.do_send(Join(ctx.address()));
    }

    fn stopped(&mut self, ctx: &mut Self::Context) {
        self.room.do_send(Leave(ctx.address()));
    }
}

/// Everybody in the room, and the next number.
#[derive(Default)]
struct Room {
    guests: HashMap<Addr<Socket>, u64>,
    next: u64,
}

impl Actor for Room {
    type Context = Context<Self>;
}

impl Room {
    fn tell(&self, line: String) {
        let line = Utf8Bytes::from(line);
        for socket in self.guests.keys() {
            socket.do_send(Line(line.clone()));
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Join(Addr<Socket>);

#[derive(Message)]
#[rtype(result = "()")]
struct Leave(Addr<Socket>);

#[derive(Message)]
#[rtype(result = "()")]
struct Say(Addr<Socket>, Utf8Bytes);

/// Something that everybody gets.
#[derive(Message)]
#[rtype(result = "()")]
struct Line(Utf8Bytes);

impl Handler<Join> for Room {
    type Result = ();

    fn handle(&mut self, Join(socket): Join, _: &mut Self::Context) {
        self.next += 1;
        self.guests.insert(socket, self.next);
        self.tell(format!("* guest {} is here", self.next));
    }
}

impl Handler<Leave> for Room {
    type Result = ();

    fn handle(&mut self, Leave(socket): Leave, _: &mut Self::Context) {
        if let Some(number) = self.guests.remove(&socket) {
            self.tell(format!("* guest {number} left"));
        }
    }
}

impl Handler<Say> for Room {
    type Result = ();

    fn handle(&mut self, Say(socket, text): Say, _: &mut Self::Context) {
        if let Some(number) = self.guests.get(&socket) {
            self.tell(format!("guest {number}: {text}"));
        }
    }
}

impl Handler<Line> for Socket {
    type Result = ();

    fn handle(&mut self, Line(text): Line, ctx: &mut Self::Context) {
        if self.queue.try_send(Frame::Text(text)).is_err() {
            ctx.stop();
        }
    }
}

/// The doors to a room of its own.
pub(crate) fn doors() -> impl Fn(Addr<HttpSession>) -> Door + Clone + Send {
    let room = Room::default().start();
    move |_session| Door { room: room.clone() }
}

#[actix::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = HttpServer::new(doors()).bind(address)?.run();
    for address in server.addresses() {
        println!("listening on http://{address}/");
    }
    server.await
}
