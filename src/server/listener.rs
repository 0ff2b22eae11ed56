//! Listening sockets of a worker.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UnixListener};

use crate::transport::{Acceptor, Halves, split};

/// What a worker is to accept from, on its way there.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) socket: ShareSocket,
    /// Makes the TLS of what is accepted.
    pub(super) tls: Option<Acceptor>,
}

/// A listening socket that is on no arbiter yet.
#[derive(Debug)]
pub(super) enum ShareSocket {
    Tcp(StdTcpListener),
    Unix(StdUnixListener),
}

impl ShareSocket {
    /// Another handle on the same socket.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(listener) => Self::Tcp(listener.try_clone()?),
            Self::Unix(listener) => Self::Unix(listener.try_clone()?),
        })
    }
}

/// A listening socket of this arbiter.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(super) fn new(socket: ShareSocket) -> io::Result<Self> {
        Ok(match socket {
            ShareSocket::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            ShareSocket::Unix(listener) => Self::Unix(UnixListener::from_std(listener)?),
        })
    }

    pub(super) async fn accept(&self, options: Tcp) -> io::Result<Halves> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                if let Err(error) = options.apply(&stream) {
                    // The peer is gone already; the session will find that out.
                    tracing::debug!(%error, "socket options could not be set");
                }
                Ok(split(stream))
            }
            Self::Unix(listener) => Ok(split(listener.accept().await?.0)),
        }
    }
}

/// Options of the TCP sockets that are accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tcp {
    pub(super) nodelay: bool,
    pub(super) keepalive: Option<Duration>,
}

impl Tcp {
    fn apply(self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(self.nodelay)?;
        if let Some(after) = self.keepalive {
            SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(after))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P89: keep-alive is set where it was asked for.
    #[tokio::test]
    async fn p89_keepalive() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let after = Duration::from_secs(42);
        let tcp = Tcp {
            nodelay: true,
            keepalive: Some(after),
        };
        tcp.apply(&stream).unwrap();
        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).keepalive().unwrap());
        assert_eq!(SockRef::from(&stream).tcp_keepalive_time().unwrap(), after);
    }
}
