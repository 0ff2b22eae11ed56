//! Listening sockets of a worker.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::time::Duration;

#[cfg(target_os = "linux")]
use socket2::SockFilter;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

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
    /// Other processes may accept from it too.
    Given(StdTcpListener),
    Unix(StdUnixListener),
}

impl ShareSocket {
    /// Another handle on the same socket.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(listener) => Self::Tcp(listener.try_clone()?),
            Self::Given(listener) => Self::Given(listener.try_clone()?),
            Self::Unix(listener) => Self::Unix(listener.try_clone()?),
        })
    }
}

/// A listening socket of this arbiter.
pub(super) enum Listener {
    Tcp(TcpListener),
    Given(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(super) fn new(socket: ShareSocket) -> io::Result<Self> {
        Ok(match socket {
            ShareSocket::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            ShareSocket::Given(listener) => Self::Given(TcpListener::from_std(listener)?),
            ShareSocket::Unix(listener) => Self::Unix(UnixListener::from_std(listener)?),
        })
    }

    pub(super) async fn accept(&self, options: Tcp) -> io::Result<Halves> {
        match self {
            Self::Tcp(listener) | Self::Given(listener) => {
                Ok(options.split(listener.accept().await?.0))
            }
            Self::Unix(listener) => Ok(split(listener.accept().await?.0)),
        }
    }

    /// Takes one more connection of those that stand in the backlog, whether the reactor knows of it or not; none when
    /// there is none. From the first call on, the kernel begins no new ones on a socket that is this server's alone.
    pub(super) fn accept_rest(&self, options: Tcp) -> io::Result<Option<Halves>> {
        if let Self::Tcp(listener) = self
            && let Err(error) = begin_no_more(listener)
        {
            tracing::debug!(%error, "connections may begin while the listener closes");
        }
        let socket = match self {
            Self::Tcp(listener) | Self::Given(listener) => SockRef::from(listener),
            Self::Unix(listener) => SockRef::from(listener),
        };
        let stream = match socket.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        Ok(Some(match self {
            Self::Tcp(_) | Self::Given(_) => options.split(TcpStream::from_std(stream.into())?),
            Self::Unix(_) => split(UnixStream::from_std(stream.into())?),
        }))
    }
}

/// Has the kernel drop what would begin a connection: a client tries again a second later, and finds the port closed, or
/// another process there. What it had accepted by the time of the close would be reset.
#[cfg(target_os = "linux")]
fn begin_no_more(listener: &TcpListener) -> io::Result<()> {
    /// Classic BPF over a TCP segment.
    const NO_SYN: [SockFilter; 4] = [
        SockFilter::new(0x30, 0, 0, 13),       // A = the byte of the flags
        SockFilter::new(0x45, 0, 1, 0x02),     // is SYN among them?
        SockFilter::new(0x06, 0, 0, 0),        // drop
        SockFilter::new(0x06, 0, 0, u32::MAX), // keep
    ];
    SockRef::from(listener).attach_filter(&NO_SYN)
}

#[cfg(not(target_os = "linux"))]
fn begin_no_more(_: &TcpListener) -> io::Result<()> {
    Ok(())
}

/// Options of the TCP sockets that are accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tcp {
    pub(super) nodelay: bool,
    pub(super) keepalive: Option<Duration>,
}

impl Tcp {
    fn split(self, stream: TcpStream) -> Halves {
        if let Err(error) = self.apply(&stream) {
            // The peer is gone already; the session will find that out.
            tracing::debug!(%error, "socket options could not be set");
        }
        split(stream)
    }

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
    use std::net::TcpStream;

    use super::*;

    const TCP: Tcp = Tcp {
        nodelay: true,
        keepalive: None,
    };

    /// A connection that was there is taken, and no other is made: it would be reset by the close.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_is_left_is_taken_and_no_more() {
        let socket = StdTcpListener::bind("127.0.0.1:0").expect("a port");
        let at = socket.local_addr().expect("an address");
        socket.set_nonblocking(true).expect("a socket");
        let own = Listener::new(ShareSocket::Tcp(socket)).expect("a reactor");
        let _before = TcpStream::connect(at).expect("it listens");
        let taken = own.accept_rest(TCP).expect("a listener");
        assert!(taken.is_some());
        let late = TcpStream::connect_timeout(&at, Duration::from_millis(20));
        assert_eq!(late.expect_err("late").kind(), io::ErrorKind::TimedOut);
        assert!(own.accept_rest(TCP).expect("a listener").is_none());
    }

    /// A socket that others may accept from goes on.
    #[tokio::test]
    async fn a_given_socket_stays_open() {
        let socket = StdTcpListener::bind("127.0.0.1:0").expect("a port");
        let at = socket.local_addr().expect("an address");
        socket.set_nonblocking(true).expect("a socket");
        let next = socket.try_clone().expect("a descriptor");
        let given = Listener::new(ShareSocket::Given(socket)).expect("a reactor");
        assert!(given.accept_rest(TCP).expect("a listener").is_none());
        drop(given);
        let _late = TcpStream::connect(at).expect("it listens");
        next.accept().expect("the connection is there");
    }

    /// P89: keep-alive is set where it was asked for.
    #[tokio::test]
    async fn p89_keepalive() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
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
