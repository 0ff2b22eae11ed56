//! Any bytes give a server the same requests, or the same refusal, in whatever pieces they come, and never a panic.
#![cfg_attr(fuzzing, no_main)]

use http_actors::codec::HttpCodec;
use http_actors_fuzz::{read_in_any_pieces, rules, target};

fn run(data: &[u8]) {
    let Some((flags, bytes)) = data.split_first() else {
        return;
    };
    let (limits, leniency) = rules(*flags);
    let codec = || HttpCodec::server(limits.clone(), leniency);
    read_in_any_pieces(codec, &limits, bytes);
}

target!(run);
