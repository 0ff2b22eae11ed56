//! How much of a body comes in one read: more where it is taken as fast as it comes, and the same bytes either way.

mod common;

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use common::{PATTERN, Peer, Pipe};
use http_actors::{Buffers, HttpHandler, Payload, SessionContext, SessionOptions, StatusCode};
use tokio::sync::oneshot;

/// What one read takes, and a large one.
const USUAL: usize = 64 << 10;
const LARGE: usize = 256 << 10;

/// What waits in the pipe before the sender does.
const PIPE: usize = 1 << 20;

/// How the handler takes a body.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Taker {
    AtOnce,
    /// Holds delivery for a while after each piece.
    InPauses,
    /// Takes this many bytes, and no more.
    Until(usize),
}

/// Collects the pieces of a body, and answers.
struct Collect {
    taker: Taker,
    pieces: Vec<Bytes>,
    all: Option<oneshot::Sender<Vec<Bytes>>>,
}

impl Collect {
    fn tell(&mut self) {
        let pieces = std::mem::take(&mut self.pieces);
        let all = self.all.take().expect("once");
        all.send(pieces).expect("the test waits");
    }
}

impl HttpHandler for Collect {
    fn apply(&mut self, _: Payload, _: &mut SessionContext) {}

    fn chunk(&mut self, data: Bytes, session: &mut SessionContext) {
        self.pieces.push(data);
        match self.taker {
            Taker::AtOnce => {}
            Taker::InPauses => {
                let hold = session.hold();
                actix::spawn(async move {
                    for _ in 0..3 {
                        tokio::task::yield_now().await;
                    }
                    drop(hold);
                });
            }
            Taker::Until(most) => {
                if self.pieces.iter().map(Bytes::len).sum::<usize>() >= most {
                    session.mute();
                    self.tell();
                }
            }
        }
    }

    fn finished(&mut self, session: &mut SessionContext) {
        self.tell();
        session.respond(Payload::response(StatusCode::OK));
    }
}

/// Sends a body and returns the sizes of its pieces, as the handler got them, their bytes, and how many bytes of the
/// request have left the sender in the end.
async fn pieces(taker: Taker, inbound: usize, request: &[u8]) -> (Vec<usize>, Vec<u8>, usize) {
    let (tell, told) = oneshot::channel();
    let handler = Cell::new(Some(Collect {
        taker,
        pieces: Vec::new(),
        all: Some(tell),
    }));
    let options = SessionOptions {
        buffers: Buffers {
            inbound,
            ..Buffers::default()
        },
        ..SessionOptions::default()
    };
    let factory = move |_| handler.take().expect("once");
    let (mut peer, _session) = Peer::serve_with(Pipe::new().capacity(PIPE), &factory, options);
    let request = request.to_vec();
    let sent = Rc::new(Cell::new(0));
    let count = sent.clone();
    let sending = actix::spawn(async move {
        for piece in request.chunks(16 << 10) {
            peer.send(piece).await;
            count.set(count.get() + piece.len());
        }
        peer.until("200 OK\r\n").await;
    });
    let pieces = told.await.expect("told");
    if !matches!(taker, Taker::Until(_)) {
        sending.await.expect("answered");
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let sizes = pieces.iter().map(Bytes::len).collect();
    (sizes, pieces.concat(), sent.get())
}

fn upload(len: usize) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n");
    let mut request = head.into_bytes();
    request.extend(PATTERN.iter().cycle().take(len));
    request
}

fn body(len: usize) -> Vec<u8> {
    PATTERN.iter().copied().cycle().take(len).collect()
}

#[actix::test]
async fn a_body_taken_at_once_comes_in_large_pieces() {
    const LEN: usize = 8 << 20;
    let (sizes, data, _) = pieces(Taker::AtOnce, USUAL, &upload(LEN)).await;
    assert!(data == body(LEN));
    assert_eq!(sizes.iter().max(), Some(&LARGE), "{sizes:?}");
    // It begins as others do.
    assert!(sizes[..4].iter().all(|size| *size <= USUAL), "{sizes:?}");
}

/// Chunks of less than a large piece come in usual reads, of which they are no copies; a large chunk does not.
#[actix::test]
async fn chunks_are_read_by_their_size() {
    for (chunk, large) in [(USUAL, false), (1 << 20, true)] {
        let mut request =
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let all = body(8 << 20);
        for data in all.chunks(chunk) {
            request.extend(format!("{:x}\r\n", data.len()).into_bytes());
            request.extend(data);
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
        let (sizes, data, _) = pieces(Taker::AtOnce, USUAL, &request).await;
        assert!(data == all);
        assert_eq!(sizes.iter().any(|size| *size > USUAL), large, "{sizes:?}");
    }
}

#[actix::test]
async fn a_body_taken_in_pauses_comes_in_usual_pieces() {
    const LEN: usize = 4 << 20;
    let (sizes, data, _) = pieces(Taker::InPauses, USUAL, &upload(LEN)).await;
    assert!(data == body(LEN));
    assert!(sizes.iter().all(|size| *size <= USUAL), "{sizes:?}");
}

/// Who wants little to wait gets little.
#[actix::test]
async fn a_small_bound_keeps_the_pieces_small() {
    const LEN: usize = 4 << 20;
    let (sizes, data, _) = pieces(Taker::AtOnce, USUAL - 1, &upload(LEN)).await;
    assert!(data == body(LEN));
    assert!(sizes.iter().all(|size| *size <= USUAL), "{sizes:?}");
}

/// Who stops all of a sudden finds one large piece waiting, and no more.
#[actix::test]
async fn what_waits_behind_a_large_piece_is_bounded() {
    const TAKEN: usize = 2 << 20;
    let (sizes, data, sent) = pieces(Taker::Until(TAKEN), USUAL, &upload(8 << 20)).await;
    assert_eq!(sizes.last(), Some(&LARGE), "{sizes:?}");
    let held = sent - data.len() - PIPE;
    assert!((1..=LARGE + (16 << 10)).contains(&held), "{held}");
}
