//! Whatever the peer does, each exchange ends once, each request is answered once, nothing follows a refusal, and the
//! session ends when the peer has closed.
#![cfg_attr(fuzzing, no_main)]

use actix::Addr;
use http_actors::codec::HttpCodec;
use http_actors::error::WireError;
use http_actors::message::Apply;
use http_actors::test_util::{FarEnd, Pipe, Recorder};
use http_actors::{HttpSession, Leniency, Limits, Payload, SessionOptions};
use http_actors_fuzz::{
    Answer, Answers, Asks, Event, Talk, answers, block_on, each_ends_once, is_end, read, target,
};

fn run(data: &[u8]) {
    let [flags, ways, seed, talk @ ..] = data else {
        return;
    };
    let talk = Talk::of(talk);
    let narrow = flags & 2 != 0;
    let mut pipe = Pipe::new().seed((*seed).into());
    if narrow {
        pipe = pipe.capacity(64);
    }
    if flags & 1 == 0 {
        let answers = block_on(serve(pipe, *ways, talk));
        // A peer that writes all before it reads may block one that does the same.
        if talk.is_plain() && !narrow && Answers::are_steady(*ways) {
            assert_eq!(block_on(serve(Pipe::new(), *ways, talk)), answers);
        }
    } else {
        block_on(ask(pipe, flags & 4 != 0, talk));
    }
}

/// Returns the answers that were sent.
async fn serve(pipe: Pipe, ways: u8, talk: Talk<'_>) -> Vec<Answer> {
    let (mut client, io) = FarEnd::open(pipe);
    let (factory, mut heard) = Recorder::of(|_: Addr<HttpSession>| Answers::new(ways));
    HttpSession::accept(io, &factory, SessionOptions::default());
    talk.speak(&mut client).await;
    let heard = heard.rest().await;
    let begun = each_ends_once(&heard);
    assert_eq!(
        heard.iter().filter(|line| is_end(line)).count(),
        begun.len(),
        "{heard:#?}"
    );

    let transcript = client.transcript();
    // What was refused may have been a HEAD.
    let answers = ["GET", "HEAD"].into_iter().find_map(|refused| {
        let methods = begun.iter().map(String::as_str).chain([refused]);
        answers(&transcript.received(), methods, transcript.was_reset())
    });
    let answers = answers.unwrap_or_else(|| panic!("no answers to {begun:?}:\n{transcript}"));
    for (at, (status, number)) in answers.iter().enumerate() {
        let last = at + 1 == answers.len();
        let ours = number.as_deref() == Some(&(at + 1).to_string());
        let refusal = number.is_none() && *status >= 400 && last;
        assert!(ours || refusal, "{answers:?}\n{transcript}");
    }
    answers
}

async fn ask(pipe: Pipe, pipeline: bool, talk: Talk<'_>) {
    let (mut server, io) = FarEnd::open(pipe);
    let (factory, mut heard) = Recorder::of(|_: Addr<HttpSession>| Asks);
    let options = SessionOptions {
        pipeline,
        ..SessionOptions::for_client()
    };
    let session = HttpSession::over(io, "a", &factory, options);
    let post = || Payload::post("/").expect("a target");
    let requests = [
        Payload::get("/").expect("a target"),
        Payload::head("/").expect("a target"),
        post().body("body"),
        post().chunked(),
        post().length(5).header("Expect", "100-continue"),
    ];
    let asked = requests.len();
    for request in requests {
        session.do_send(Apply(request));
    }
    drop(session);
    talk.speak(&mut server).await;
    let heard = heard.rest().await;
    each_ends_once(&heard);
    let ends = heard.iter().filter(|line| is_end(line)).count();
    assert_eq!(ends, asked, "{heard:#?}");

    let transcript = server.transcript();
    let codec = HttpCodec::server(Limits::default(), Leniency::default());
    let sent = read(codec, &Limits::default(), &[&transcript.received()]);
    if let Some(Event::Error(error)) = sent.last() {
        let cut = WireError::Truncated.to_string();
        let is_cut = transcript.was_reset() && error.ends_with(&cut);
        assert!(is_cut, "{error}\n{transcript}");
    }
}

target!(run);
