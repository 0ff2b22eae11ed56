//! The client: requests to any server, over sessions that are kept and shared. Floor 4.
//!
//! A request leases a session of its origin, sends it one message and waits for one answer. There are no caches, no
//! cookies and no content codings.

mod alarm;
mod ask;
mod builder;
mod error;
mod idle;
mod pool;
mod proxy;
mod redirect;
mod upgrade;
mod upload;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use actix_rt::ArbiterHandle;
use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use http::{Method, Uri};
use tokio::sync::oneshot;

use crate::error::{BodyError, UseError};
use crate::payload::{Payload, TransferMode};
use crate::session::{
    self, HandlerFactory, HttpHandler, HttpSession, Incoming, SessionOptions, Silent, Way,
};
use crate::transport::Origin;
use alarm::Alarm;
use ask::{Reply, ask};
pub use builder::ClientBuilder;
pub use error::{Blame, ClientError, ClientErrorKind};
use pool::{Host, Lease, Pool};
pub use proxy::Proxy;
pub use upgrade::Answered;

/// Sends requests to any server, and keeps the connections for later ones.
///
/// It is cheap to clone, and usable from any thread, with or without a runtime: the sessions run on the arbiter that
/// the client was made for. Connections are kept by scheme, host and port. When the last clone is dropped, idle ones
/// are closed.
///
/// A request is sent once more, on a new connection, if its connection had carried another exchange before and died
/// before any of the answer came. That holds only for an idempotent method (RFC 9110 section 9.2.2) with the body
/// inside; no other request is sent twice. Dropping the future of a request cancels it and closes its connection.
/// Informational responses are dropped; a [`session`](Self::session) hears them. A URL with user information is
/// refused: see [`Payload::basic_auth_as`].
///
/// ```no_run
/// # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
/// use http_actors::{HttpClient, Payload};
///
/// let client = HttpClient::new();
/// let response = client.request(Payload::get("http://127.0.0.1:8080/")?).await?;
/// println!("{:?} {:?}", response.status(), response.body_bytes());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    arbiter: ArbiterHandle,
    options: Arc<SessionOptions>,
    pool: Arc<Pool>,
    max_body: usize,
    timeout: Option<Duration>,
    wait: Option<Duration>,
    redirects: usize,
    proxy: Proxy,
}

impl HttpClient {
    /// Makes a client whose sessions run on the current arbiter, with the defaults of [`ClientBuilder`].
    ///
    /// # Panics
    /// Outside of an actix arbiter.
    #[allow(
        clippy::new_without_default,
        reason = "it panics outside of an arbiter"
    )]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Makes a client whose sessions run on this arbiter.
    pub fn on(arbiter: ArbiterHandle) -> Self {
        Self::builder().build_on(arbiter)
    }

    /// Makes a client with options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Sends a request and collects the response: body and trailers are inside the payload.
    ///
    /// # Errors
    /// [`ClientError`] says why, and whether the request may be sent again. A body over `max_body` is
    /// [`BodyError::TooLarge`]; the connection closes unless the body has come whole already.
    pub async fn request(&self, request: Payload) -> Result<Payload, ClientError> {
        let mut alarm = self.alarm();
        let reply = self.send(request, &mut alarm).await?;
        let response = pin!(self.collect(reply));
        alarm.within(ClientErrorKind::TimedOut, response).await
    }

    /// Sends a request and returns the response as soon as its head is there. The body follows as a stream.
    ///
    /// A response that announces at most [`Limits::oneshot`](crate::Limits::oneshot) bytes is returned when it has come
    /// whole. A gateway that passes on short and slow responses piece by piece sets that limit to 0.
    ///
    /// # Errors
    /// As [`request`](Self::request), up to the head.
    pub async fn stream(&self, request: Payload) -> Result<(Payload, Incoming), ClientError> {
        let mut alarm = self.alarm();
        self.send(request, &mut alarm).await.map(Reply::parts)
    }

    /// Sends a request whose body comes from a stream, and returns the response like [`stream`](Self::stream).
    ///
    /// The body is chunked, or has the [`length`](Payload::length) that the payload announces. Once `length` bytes have
    /// been sent the body is complete, and the stream is not waited for; with length 0 it is not asked at all. It is
    /// asked for more only when there is room. If it gives an `Err`, the request is aborted, so that the server sees
    /// that it is incomplete.
    ///
    /// If the payload announces no body that follows, and the stream says by its `size_hint` that it is empty, as an
    /// [`Incoming`] of a request without a body does, the request is sent as it is, and is repeated like any other such
    /// request.
    ///
    /// A final response that comes early is returned. If it is a 2xx, the rest of the request is still sent: while the
    /// response is read, or, if the response came whole, before it is returned. Any other response, and one that closes
    /// the connection, ends the upload, and the connection closes after it. If you drop the [`Incoming`] of a 2xx when
    /// it was read to its length, the rest is sent without you: until the stream ends or fails, the server leaves, or
    /// [`Timeouts::exchange`](crate::Timeouts::exchange) has passed. If you drop it before, the upload is cancelled.
    ///
    /// # Errors
    /// As [`stream`](Self::stream); [`ClientErrorKind::Upload`] with the error of the stream.
    pub async fn upload<S, E>(
        &self,
        request: Payload,
        body: S,
    ) -> Result<(Payload, Incoming), ClientError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let mut alarm = self.alarm();
        let reply = self.send_with(request, body, || None, &mut alarm);
        reply.await.map(Reply::parts)
    }

    /// Like [`upload`](Self::upload), for a body that can be made again. A redirect that repeats method and body is
    /// followed, with a new stream from the beginning.
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub async fn upload_from<S, E>(
        &self,
        request: Payload,
        mut body: impl FnMut() -> S,
    ) -> Result<(Payload, Incoming), ClientError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let mut alarm = self.alarm();
        let first = body();
        let reply = self.send_with(request, first, || Some(body()), &mut alarm);
        reply.await.map(Reply::parts)
    }

    /// Offers to change the protocol, by a request with an Upgrade field or a CONNECT, and returns the connection if
    /// the server switches, or its response, like [`stream`](Self::stream), if it does not.
    ///
    /// ```no_run
    /// # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
    /// use http_actors::upgrade::Answered;
    /// use http_actors::{HttpClient, Payload};
    /// use tokio::io::AsyncWriteExt as _;
    ///
    /// let offer = Payload::get("http://127.0.0.1:8080/feed")?.header("Upgrade", "echo");
    /// match HttpClient::new().upgrade(offer).await? {
    ///     Answered::Switched(_head, mut connection) => connection.write_all(b"hello").await?,
    ///     Answered::Declined(head, _body) => println!("declined: {:?}", head.status()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// In the URL of a WebSocket, `ws` stands for `http`, and `wss` for `https`. Only this method takes such a URL.
    ///
    /// The request has no body, and gets `Connection: upgrade`. Its connection is opened for it, and the pool does not
    /// keep it: nothing is sent twice, and a response that declines is the last of its connection. It takes one of the
    /// [`connections_per_origin`](ClientBuilder::connections_per_origin) until the server has switched, or the exchange
    /// is over. A redirect is not followed: it declines the offer.
    ///
    /// A connection that was switched is not counted, and no time limit applies to it. It outlives the client, but not
    /// the arbiter that the client was made for.
    ///
    /// If there is a proxy for the URL, it is asked for a tunnel, for `http` too: few proxies pass an upgrade on. A
    /// CONNECT, to `host:port`, goes to the proxy that the client has for `https` to this host, with the credentials
    /// for it; without one it is [`UseError::NoProxy`]. What it switches to is the tunnel.
    ///
    /// # Errors
    /// As [`stream`](Self::stream); [`UseError::NoUpgrade`] and [`UseError::BodyNotAllowed`]. A 101 to a protocol that
    /// was not offered is an error; what else a protocol asks of the head is yours to check.
    pub async fn upgrade(&self, offer: Payload) -> Result<Answered, ClientError> {
        let Some(url) = upgrade::of_http(offer.uri()) else {
            return self.upgrade_by_http(offer).await;
        };
        let given = offer.uri().clone();
        let answered = self.upgrade_by_http(offer.with_uri(url)).await;
        answered.map_err(|error| error.with_url(given))
    }

    /// Makes a session of your own with the server of this URL, with the options of the client, but outside of its
    /// pool.
    ///
    /// The factory makes the handler on the arbiter of the client. The address is there at once.
    ///
    /// # Errors
    /// If the URL is not usable.
    pub fn session<F>(&self, url: &str, factory: F) -> Result<Addr<HttpSession>, ClientError>
    where
        F: HandlerFactory + Send + 'static,
    {
        let way = self.way(Origin::try_from(url).map_err(ClientError::new)?);
        Ok(self.open(way, move |session| Box::new(factory.handler(session))))
    }

    async fn upgrade_by_http(&self, offer: Payload) -> Result<Answered, ClientError> {
        let mut alarm = self.alarm();
        let (lease, offer) = self.lease(offer, Self::host_of_offer, &mut alarm).await?;
        let lease = upgrade::apart(lease, offer.method());
        let session = self.connect(&lease);
        upgrade::upgrade(session, lease, offer, &mut alarm).await
    }

    /// The time for a whole request, from now on.
    fn alarm(&self) -> Alarm {
        Alarm::set(self.0.timeout, &self.0.arbiter)
    }

    /// Sends a request whose body is inside, and follows redirects.
    async fn send(&self, mut request: Payload, alarm: &mut Alarm) -> Result<Reply, ClientError> {
        if !request.complete_if_empty() && request.mode() != TransferMode::Oneshot {
            return Err(ClientError::unsent(UseError::NoWriter, request));
        }
        if self.0.redirects == 0 {
            return self.send_once(request, alarm).await;
        }
        let copy = request.clone();
        let reply = self.send_once(request, alarm).await?;
        let never = || None::<BoxStream<'static, Result<Bytes, ClientError>>>;
        self.follow(copy, reply, never, alarm).await
    }

    /// Sends a request whose body comes from a stream. Follows redirects for as long as there is another stream to
    /// repeat it with.
    async fn send_with<S, E>(
        &self,
        mut request: Payload,
        body: S,
        again: impl FnMut() -> Option<S>,
        alarm: &mut Alarm,
    ) -> Result<Reply, ClientError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let oneshot = request.mode() == TransferMode::Oneshot;
        if oneshot && body.size_hint().1 == Some(0) {
            return self.send(request, alarm).await;
        } else if oneshot {
            request.set_length(None);
        } else if request.complete_if_empty() {
            // Like any request whose body is inside, it can be sent again.
            return self.send(request, alarm).await;
        }
        if self.0.redirects == 0 {
            return self.upload_once(request, body, alarm).await;
        }
        let copy = request.clone();
        let reply = self.upload_once(request, body, alarm).await?;
        self.follow(copy, reply, again, alarm).await
    }

    async fn upload_once<S, E>(
        &self,
        request: Payload,
        body: S,
        alarm: &mut Alarm,
    ) -> Result<Reply, ClientError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let (lease, request) = self.lease(request, Self::host, alarm).await?;
        let session = lease.idle_session().unwrap_or_else(|| self.connect(&lease));
        let (sender, writer) = oneshot::channel();
        let length = request.body_size();
        let pending = ask(session, lease, request, Some(sender), alarm);
        upload::upload(pending, writer, body, length).await
    }

    /// Sends a request, and once more if its connection was stale.
    async fn send_once(&self, request: Payload, alarm: &mut Alarm) -> Result<Reply, ClientError> {
        let (lease, request) = self.lease(request, Self::host, alarm).await?;
        let session = lease.idle_session().unwrap_or_else(|| self.connect(&lease));
        match ask(session, lease, request, None, alarm).await {
            Err(error) if error.is_stale() => self.send_anew(error, alarm).await,
            answered => answered,
        }
    }

    /// Sends the request of this error on a new connection.
    async fn send_anew(&self, error: ClientError, alarm: &mut Alarm) -> Result<Reply, ClientError> {
        let Some(request) = error.into_payload() else {
            unreachable!("an error is stale only if the request came back with it")
        };
        let (lease, request) = self.lease(request, Self::host, alarm).await?;
        let session = self.connect(&lease);
        ask(session, lease, request, None, alarm).await
    }

    /// The entry of the pool for the server of a request.
    fn host(&self, request: &Payload) -> Result<Arc<Host>, UseError> {
        self.host_at(request.uri())
    }

    /// The same for an offer. What a CONNECT leads to counts as a connection to the server behind the proxy.
    fn host_of_offer(&self, offer: &Payload) -> Result<Arc<Host>, UseError> {
        if offer.method() != Method::CONNECT {
            return self.host(offer);
        }
        let host = self.host_at(&upgrade::behind(offer.uri())?)?;
        if host.way.through.is_none() {
            return Err(UseError::NoProxy);
        }
        Ok(host)
    }

    fn host_at(&self, uri: &Uri) -> Result<Arc<Host>, UseError> {
        self.0.pool.host(uri, |origin| self.way(origin))
    }

    /// Waits for the right to a connection, at this entry of the pool.
    async fn lease(
        &self,
        request: Payload,
        place: impl FnOnce(&Self, &Payload) -> Result<Arc<Host>, UseError>,
        alarm: &mut Alarm,
    ) -> Result<(Lease, Payload), ClientError> {
        let kind = (!request.is_request()).then_some(UseError::WrongKind);
        if let Some(mistake) = kind.or_else(|| request.mistake()) {
            return Err(ClientError::unsent(mistake, request));
        }
        let host = match place(self, &request) {
            Ok(host) => host,
            Err(mistake) => return Err(ClientError::unsent(mistake, request)),
        };
        if alarm.has_rung() {
            return Err(ClientError::unsent(ClientErrorKind::TimedOut, request));
        }
        if let Some(lease) = host.try_lease() {
            return Ok((lease, request));
        }
        // Boxed, because a request seldom waits, and its future would be larger for it all the time.
        match Box::pin(self.turn(host, alarm)).await {
            Ok(lease) => Ok((lease, request)),
            Err(error) => Err(error.of_unsent(request)),
        }
    }

    /// Waits in the queue of an origin.
    async fn turn(&self, host: Arc<Host>, alarm: &mut Alarm) -> Result<Lease, ClientError> {
        let turn = pin!(async { Ok(host.lease().await) });
        let mut patience = Alarm::set(self.0.wait, &self.0.arbiter);
        let turn = pin!(patience.within(ClientErrorKind::Busy, turn));
        alarm.within(ClientErrorKind::TimedOut, turn).await
    }

    fn connect(&self, lease: &Lease) -> Arc<Addr<HttpSession>> {
        // It gets a handler of its own with its first request.
        Arc::new(self.open(lease.host.way.clone(), |_| Box::new(Silent)))
    }

    /// The way to an origin: through which proxy, if any.
    fn way(&self, origin: Origin) -> Way {
        let through = self.0.proxy.of(&origin).cloned();
        Way::by(origin, through)
    }

    /// Starts a session. Every session of a client is made here.
    fn open(
        &self,
        way: Way,
        make: impl FnOnce(Addr<HttpSession>) -> Box<dyn HttpHandler> + Send + 'static,
    ) -> Addr<HttpSession> {
        session::connect_on(&self.0.arbiter, way, self.0.options.clone(), make)
    }

    async fn collect(&self, Reply { mut head, body }: Reply) -> Result<Payload, ClientError> {
        let limit = self.0.max_body;
        let too_large = || ClientError::new(BodyError::TooLarge(limit));
        let announced = head.body_size().and_then(|size| usize::try_from(size).ok());
        if announced.is_some_and(|size| size > limit) {
            return Err(too_large());
        }
        let Some(mut body) = body else {
            return Ok(head);
        };
        let collected = body.bytes(limit).await.map_err(ClientError::new)?;
        let message = head.message_mut();
        message.mode = TransferMode::Oneshot;
        message.body = collected;
        message.trailers = body.take_trailers().map(Box::new);
        Ok(head)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("origins", &self.0.pool.origins())
            .field("options", &self.0.options)
            .field("proxy", &self.0.proxy)
            .finish_non_exhaustive()
    }
}
