//! What two actors cost that do nothing: one reads and says how many heads have come, the other writes as many answers,
//! which were made before. As in the crate, each does its I/O in a future of its own, and a connection has a timer. GET
//! only.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::SystemTime;

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext as _, Addr, AsyncContext as _, Context, Handler, Message};
use bytes::BytesMut;
use http_actors_peers::{HELLO, IDLE, SERVER, listen};
use memchr::memmem;
use tokio::io::AsyncWrite as _;
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::io::poll_read_buf;

const READ: usize = 64 << 10;

thread_local! {
    static INPUT: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(READ));
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// So many requests have come.
#[derive(Message)]
#[rtype(result = "()")]
struct Asked(usize);

struct Writer {
    socket: OwnedWriteHalf,
    output: Vec<u8>,
    answer: &'static [u8],
}

impl Actor for Writer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Write);
    }
}

impl Handler<Asked> for Writer {
    type Result = ();

    fn handle(&mut self, Asked(times): Asked, _: &mut Self::Context) {
        if self.output.capacity() == 0 {
            self.output = OUTPUT.take();
        }
        for _ in 0..times {
            self.output.extend_from_slice(self.answer);
        }
    }
}

struct Write;

impl ActorFuture<Writer> for Write {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        writer: &mut Writer,
        ctx: &mut Context<Writer>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        while !writer.output.is_empty() {
            let written = Pin::new(&mut writer.socket).poll_write(cx, &writer.output);
            let Ok(written) = ready!(written) else {
                ctx.stop();
                return Poll::Ready(());
            };
            writer.output.drain(..written);
            if writer.output.is_empty() {
                OUTPUT.set(std::mem::take(&mut writer.output));
            }
        }
        Poll::Pending
    }
}

struct Reader {
    socket: OwnedReadHalf,
    writer: Addr<Writer>,
    idle: Pin<Box<Sleep>>,
    until: Instant,
}

impl Reader {
    /// Reads once, and returns how many heads there were: a client sends whole ones.
    fn poll_heads(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        INPUT.with_borrow_mut(|input| {
            input.clear();
            let socket = Pin::new(&mut self.socket);
            let read = ready!(poll_read_buf(socket, cx, input))?;
            if read == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            Poll::Ready(Ok(memmem::find_iter(input, b"\r\n\r\n").count()))
        })
    }
}

impl Actor for Reader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Read);
    }
}

struct Read;

impl ActorFuture<Reader> for Read {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        reader: &mut Reader,
        ctx: &mut Context<Reader>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        while let Poll::Ready(heads) = reader.poll_heads(cx) {
            let Ok(heads) = heads else {
                ctx.stop();
                return Poll::Ready(());
            };
            reader.writer.do_send(Asked(heads));
            reader.until = Instant::now() + IDLE;
        }
        // When it fires early it is armed anew.
        while reader.idle.as_mut().poll(cx).is_ready() {
            if reader.until <= Instant::now() {
                ctx.stop();
                return Poll::Ready(());
            }
            let until = reader.until;
            reader.idle.as_mut().reset(until);
        }
        Poll::Pending
    }
}

#[actix::main]
async fn main() -> io::Result<()> {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let fields = format!("Server: {SERVER}\r\nContent-Type: text/plain\r\nDate: {date}\r\n");
    let length = HELLO.len();
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\n\r\n{HELLO}");
    let answer = answer.into_bytes().leak();
    let listener = TcpListener::from_std(listen()?)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (read, write) = socket.into_split();
        let writer = Writer {
            socket: write,
            output: Vec::new(),
            answer,
        };
        let until = Instant::now() + IDLE;
        let reader = Reader {
            socket: read,
            writer: writer.start(),
            idle: Box::pin(sleep_until(until)),
            until,
        };
        reader.start();
    }
}
