//! Where a client session connects to, and how.

use std::sync::Arc;

use tokio::time::Instant;

use super::tunnel::tunnel;
use crate::session::client::{Client, Connect, Connection, Through};
use crate::session::options::SessionOptions;
use crate::transport::{self, ConnectError, Halves, Origin, Scheme};

/// Where a client session connects to, and through what.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) origin: Origin,
    /// The proxy to connect to instead.
    pub(crate) through: Option<Through>,
    /// Whether the proxy is asked for a tunnel, and not sent the requests.
    pub(crate) tunnel: bool,
}

impl Way {
    /// Straight to the origin.
    pub(in crate::session) fn to(origin: Origin) -> Self {
        Self::by(origin, None)
    }

    /// Through this proxy, if there is one: for `https` by a tunnel.
    pub(crate) fn by(origin: Origin, through: Option<Through>) -> Self {
        let tunnel = origin.scheme() == Scheme::Https;
        Self {
            origin,
            through,
            tunnel,
        }
    }

    pub(super) fn client(self, options: &Arc<SessionOptions>) -> Client {
        let host = self.origin.authority().to_owned();
        let origin = self.origin.clone();
        // Through a tunnel, requests are addressed to the server and not to the proxy.
        let through = self.through.clone().filter(|_| !self.tunnel);
        let options = options.clone();
        let connect: Connect = Box::new(move || {
            let (way, options) = (self.clone(), options.clone());
            Box::pin(async move { way.connect(&options).await })
        });
        let connection = Connection::lazy(connect);
        Client::new(connection, host, Some(origin), Instant::now()).through(through)
    }

    async fn connect(self, options: &Arc<SessionOptions>) -> Result<Halves, ConnectError> {
        let route = &options.route;
        let patience = options.timeouts.patience();
        let Some(through) = &self.through else {
            return transport::connect(&self.origin, route, patience).await;
        };
        let halves = transport::connect(&through.proxy, route, patience).await?;
        if !self.tunnel {
            return Ok(halves);
        }
        let tunnel = tunnel(halves, &self.origin, through, options).await?;
        transport::secure(tunnel, &self.origin, route).await
    }
}
