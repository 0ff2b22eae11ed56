//! What one end gives up, the other hears, in each phase of an exchange (N5): two sessions over loopback TCP.

mod common;

use std::time::Duration;

use actix::Addr;
use common::{Heard, Recorder, tcp_pair};
use http_actors::message::{Apply, Cancel, Dispose, SendChunk};
use http_actors::{HttpSession, MessageId, Payload, SessionContext, SessionOptions, StatusCode};

/// How far the exchange is when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The request waits for another one, which is not answered.
    Queued,
    /// Half of the request body has arrived.
    Sending,
    /// The request has arrived, the answer is pending elsewhere.
    Waiting,
    /// Half of the answer has arrived.
    Answering,
}

/// Which side gives up, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    ClientCancels,
    ClientDisposes,
    ServerCancels,
    ServerDisposes,
}

struct Ends {
    client: Addr<HttpSession>,
    asking: Heard,
    server: Addr<HttpSession>,
    answering: Heard,
    id: MessageId,
}

async fn brought_to(phase: Phase) -> Ends {
    let (near, far) = tcp_pair().await;
    let (server, mut answering) =
        common::accept(near, SessionOptions::default(), move |_, session| {
            if phase == Phase::Answering {
                session.respond(Payload::response(StatusCode::OK).chunked());
            }
        });
    let (factory, mut asking) = Recorder::script(|_, _| {});
    let client = HttpSession::over(far, "a", &factory, SessionOptions::for_client());
    let get = || Payload::get("/").expect("a path");
    let request = match phase {
        Phase::Sending => Payload::post("/").expect("a path").chunked(),
        _ => get(),
    };
    if phase == Phase::Queued {
        client.do_send(Apply(get()));
    }
    let id = request.id();
    client.do_send(Apply(request));
    match phase {
        Phase::Queued | Phase::Waiting => answering.expect(&["apply GET / []"]).await,
        Phase::Sending => {
            asking.expect(&["need_body"]).await;
            client.do_send(SendChunk("half".into()));
            answering
                .expect(&["apply POST / chunked", "chunk half"])
                .await;
        }
        Phase::Answering => {
            answering.expect(&["apply GET / []", "need_body"]).await;
            server.do_send(SendChunk("half".into()));
            asking.expect(&["apply 200 chunked", "chunk half"]).await;
        }
    }
    Ends {
        client,
        asking,
        server,
        answering,
        id,
    }
}

/// The ends of the exchange at the client and at the server, once each. The server cannot hear of a request that was
/// not sent, and the one before it goes on.
#[actix::test]
async fn every_phase_both_ways() {
    use Act::{ClientCancels, ClientDisposes, ServerCancels, ServerDisposes};
    use Phase::{Answering, Queued, Sending, Waiting};
    let cut = "failed ConnectionClosed(ConnectionReset)";
    let closed = "failed ConnectionClosed(UnexpectedEof)";
    let gone = "cancelled PeerReset";
    let local = "cancelled Local";
    let rows = [
        (Queued, ClientCancels, local, None),
        (Sending, ClientCancels, local, Some(gone)),
        (Waiting, ClientCancels, local, Some(gone)),
        (Answering, ClientCancels, local, Some(gone)),
        (Sending, ClientDisposes, local, Some(gone)),
        (Waiting, ClientDisposes, local, Some(gone)),
        (Answering, ClientDisposes, local, Some(gone)),
        // Nothing of an answer was sent: there is nothing that could look whole.
        (Sending, ServerCancels, closed, Some(local)),
        (Waiting, ServerCancels, closed, Some(local)),
        (Answering, ServerCancels, cut, Some(local)),
        (Sending, ServerDisposes, closed, Some(local)),
        (Waiting, ServerDisposes, closed, Some(local)),
        (Answering, ServerDisposes, cut, Some(local)),
    ];
    for (phase, act, client_hears, server_hears) in rows {
        let mut ends = brought_to(phase).await;
        match act {
            ClientCancels => ends.client.do_send(Cancel(ends.id)),
            ClientDisposes => ends.client.do_send(Dispose),
            ServerCancels => ends.server.do_send(Cancel::current()),
            ServerDisposes => ends.server.do_send(Dispose),
        }
        let heard = ends.asking.next().await;
        assert_eq!(
            heard,
            format!("{client_hears} {phase:?}"),
            "{phase:?} {act:?}"
        );
        if let Some(server_hears) = server_hears {
            // What is Sending at one end is Receiving at the other.
            let phase = format!("{phase:?}").replace("Sending", "Receiving");
            let heard = ends.answering.rest().await;
            assert_eq!(
                heard,
                [format!("{server_hears} {phase}")],
                "{phase:?} {act:?}"
            );
        } else {
            let answer = Payload::response(StatusCode::OK).body("hi");
            ends.server.do_send(Apply(answer));
            let done = ["apply 200 [hi]", "completed 200 in 2 out 0"];
            ends.asking.expect(&done).await;
            ends.answering.expect(&["completed 200 in 0 out 2"]).await;
        }
        ends.client.do_send(Dispose);
        assert!(ends.asking.rest().await.is_empty(), "{phase:?} {act:?}");
    }
}

/// Whatever stands behind a request: none of it can be read while the request waits, and the connection is watched.
#[actix::test]
async fn behind_what_cannot_be_read() {
    tokio::time::pause();
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for behind in ["", get, "no HTTP\r\n\r\n", "GE"] {
        for resets in [true, false] {
            let mut served = common::serve(|_, _: &mut SessionContext| {});
            served.peer.send(format!("{get}{behind}")).await;
            served.heard.expect(&["apply GET / []"]).await;
            // The time of a head that is not whole is up.
            tokio::time::sleep(Duration::from_secs(60)).await;
            let ends = if resets {
                served.peer.reset();
                &["cancelled PeerReset Waiting"][..]
            } else {
                served.peer.close().await;
                &["half_closed", "cancelled PeerHalfClosed Waiting"]
            };
            assert_eq!(served.heard.rest().await, ends, "behind {behind:?}");
        }
    }
}
