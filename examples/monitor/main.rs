//! A page that shows every session of a server under load, and ends one at a click. Look at `Monitor::look`: a session
//! that does not answer in time is silent on the page, and holds nobody up.
//! `cargo run --release --example monitor -- --load 1000`, then open <http://127.0.0.1:8081/>.
//!
//! The page is a server of its own, on a port that is only for its operators. `load.rs` makes something to see.

mod load;
mod monitor;
mod page;
mod view;

use std::net::SocketAddr;
use std::time::Duration;

use actix::Arbiter;
use clap::Parser;
use http_actors::message::{Dispose, Drain};
use http_actors::{HttpServer, handler_fn};

pub(crate) use monitor::Tally;
pub(crate) use page::monitor;

/// Shows the sessions of a server.
#[derive(Debug, Parser)]
struct Flags {
    /// Connections that it makes to itself
    #[arg(long, default_value_t = 200)]
    load: u64,
    /// Where the server listens
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the page is
    #[arg(long, default_value = "127.0.0.1:8081")]
    page: SocketAddr,
}

#[actix::main]
async fn main() -> std::io::Result<()> {
    let flags = Flags::parse();
    let tally = Tally::default();
    let server = HttpServer::new(handler_fn(load::serve))
        .logger(tally.clone())
        .drain(Drain {
            deadline: Duration::from_secs(5),
            ..Drain::default()
        })
        .bind(flags.listen)?
        .run();
    let monitor = monitor(server.handle(), tally)
        .bind(flags.page)?
        .signals(false)
        .workers(1)
        .run();
    let visitors = Arbiter::new();
    load::begin(&visitors.handle(), server.addresses()[0], flags.load);
    println!("listening on http://{}/", server.addresses()[0]);
    println!("its sessions: http://{}/", monitor.addresses()[0]);
    // A signal drains the one server; the page shows how, and goes last.
    server.await?;
    monitor.handle().do_send(Dispose);
    monitor.await
}
