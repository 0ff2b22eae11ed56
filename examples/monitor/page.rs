//! The page, its feed, and the end of a session.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use actix::Addr;
use http::uri::Authority;
use http_actors::message::Dispose;
use http_actors::sse::EventSender;
use http_actors::{
    HttpRequest, HttpServer, Method, Payload, Responder, ServerActor, StatusCode, handler_fn,
};

use super::monitor::{Monitor, Tally};

/// A server of the page. Anybody that can reach it may end sessions, so it must listen where only operators are.
pub(crate) fn monitor(server: Addr<ServerActor>, tally: Tally) -> HttpServer {
    let monitor = Arc::new(Monitor::new(server, tally));
    actix::spawn(monitor.clone().run());
    HttpServer::new(handler_fn(async move |request: HttpRequest| {
        serve(&monitor, request).await
    }))
}

async fn serve(monitor: &Monitor, request: HttpRequest) -> Result<(), Box<dyn Error>> {
    let HttpRequest {
        request, responder, ..
    } = request;
    let mut path = request.path().split('/').skip(1);
    let answer = match (path.next(), path.next(), path.next()) {
        // Anybody can point a name here, and pages of that name would then have the same origin.
        _ if !is_by_address(host(&request)) => plain(StatusCode::MISDIRECTED_REQUEST),
        (Some(""), None, None) => page(),
        (Some("feed"), None, None) => return feed(monitor, responder).await,
        (Some("end"), Some(id), None) => end(monitor, &request, id),
        _ => plain(StatusCode::NOT_FOUND),
    };
    responder.respond(answer).await?;
    Ok(())
}

/// Sends differences to what this reader was told last: a slow reader is told less often.
async fn feed(monitor: &Monitor, responder: Responder) -> Result<(), Box<dyn Error>> {
    let events = EventSender::open(responder).await?;
    let mut views = monitor.watch();
    let mut known = None;
    loop {
        views.changed().await?;
        let view = views.borrow_and_update().clone();
        if let Some(view) = view {
            events.send(view.event(known.as_deref())).await?;
            known = Some(view);
        }
    }
}

fn end(monitor: &Monitor, request: &Payload, id: &str) -> Payload {
    if *request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED).header("Allow", "POST");
    }
    // Browsers say which page asks; other programs cannot be made to ask by a page.
    if request.headers().text("Origin") != Some(&format!("http://{}", host(request))) {
        return plain(StatusCode::FORBIDDEN);
    }
    let Some(session) = id.parse().ok().and_then(|id| monitor.session(id)) else {
        return plain(StatusCode::NOT_FOUND);
    };
    session.do_send(Dispose);
    plain(StatusCode::ACCEPTED)
}

fn host(request: &Payload) -> &str {
    request.headers().text("Host").unwrap_or_default()
}

fn is_by_address(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_matches(['[', ']']);
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

fn page() -> Payload {
    Payload::response(StatusCode::OK)
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Cache-Control", "no-cache")
        .header(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        )
        .header("Referrer-Policy", "no-referrer")
        .header("X-Content-Type-Options", "nosniff")
        .body(include_str!("page.html"))
}

fn plain(status: StatusCode) -> Payload {
    Payload::response(status)
        .header("Content-Type", "text/plain; charset=utf-8")
        .body(format!("{status}\n"))
}
