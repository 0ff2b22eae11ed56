//! Listening sockets of a worker.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::task::{Context, Poll, ready};
use std::time::Duration;

#[cfg(target_os = "linux")]
use socket2::SockFilter;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::transport::{Acceptor, Halves, Patience, Peer, split, split_tcp};

/// How long to wait for TCP handshakes in progress before the port is closed: one round trip to a peer not too far
/// away. A handshake that takes longer ends in a reset.
const TCP_GRACE: Duration = Duration::from_millis(50);

/// A listening socket that is sent to a worker.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) socket: ShareSocket,
    /// The TLS acceptor of its connections.
    pub(super) tls: Option<Acceptor>,
}

/// A listening socket that is not registered with an arbiter yet.
#[derive(Debug)]
pub(super) struct ShareSocket {
    pub(super) listening: Listening,
    /// Other processes may accept from it too.
    pub(super) given: bool,
}

#[derive(Debug)]
pub(super) enum Listening {
    Tcp(StdTcpListener),
    Unix(StdUnixListener),
}

impl ShareSocket {
    /// A socket that the server made.
    pub(super) fn own(listening: Listening) -> Self {
        Self {
            listening,
            given: false,
        }
    }

    /// A socket that was passed in.
    pub(super) fn given(listening: Listening) -> Self {
        Self {
            listening,
            given: true,
        }
    }

    /// Another handle on the same socket.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            listening: match &self.listening {
                Listening::Tcp(listener) => Listening::Tcp(listener.try_clone()?),
                Listening::Unix(listener) => Listening::Unix(listener.try_clone()?),
            },
            given: self.given,
        })
    }
}

/// A listening socket of this arbiter.
pub(super) struct Listener {
    socket: Socket,
    /// Other processes may accept from it too.
    given: bool,
}

enum Socket {
    Tcp(Port),
    Unix(UnixListener),
}

/// A TCP port that the worker listens on.
struct Port {
    listener: TcpListener,
    /// The local address of every connection, unless the server listens on all addresses of the machine.
    local: Option<SocketAddr>,
    options: Tcp,
    /// Whether accepted sockets have the options of the listening one.
    inherits: bool,
}

impl Port {
    fn new(listener: StdTcpListener, given: bool, options: Tcp) -> io::Result<Self> {
        // On Linux accepted sockets inherit the options of the listening one, which saves several system calls for each
        // connection. Not for a socket that is shared with another process: its options are not ours to set.
        let inherits = cfg!(target_os = "linux") && !given;
        let local = listener.local_addr().ok();
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            local: local.filter(|local| !local.ip().is_unspecified()),
            options,
            inherits,
        })
    }

    fn split(&self, stream: TcpStream, remote: Option<SocketAddr>) -> Halves {
        if !self.inherits
            && let Err(error) = self.options.apply(&SockRef::from(&stream))
        {
            // The peer has already disconnected; the session will notice.
            tracing::debug!(%error, "socket options could not be set");
        }
        let local = self.local.or_else(|| stream.local_addr().ok());
        split_tcp(stream, Peer { remote, local })
    }
}

impl Listener {
    pub(super) fn new(socket: ShareSocket, options: Tcp) -> io::Result<Self> {
        let ShareSocket { listening, given } = socket;
        let socket = match listening {
            Listening::Tcp(listener) => Socket::Tcp(Port::new(listener, given, options)?),
            Listening::Unix(listener) => Socket::Unix(UnixListener::from_std(listener)?),
        };
        Ok(Self { socket, given })
    }

    /// May be polled by one task only.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Halves>> {
        Poll::Ready(Ok(match &self.socket {
            Socket::Tcp(port) => {
                let (stream, remote) = ready!(port.listener.poll_accept(cx))?;
                port.split(stream, Some(remote))
            }
            Socket::Unix(listener) => split(ready!(listener.poll_accept(cx))?.0),
        }))
    }

    /// Tells the kernel to accept no new connections, if the socket belongs to this server alone. Returns how long
    /// connections whose handshake is in progress may take to arrive.
    pub(super) fn begin_no_more(&self) -> Duration {
        if self.given {
            return Duration::ZERO;
        }
        // The file of a Unix socket is removed, but a client that has already found it may still connect.
        if let Socket::Tcp(Port { listener, .. }) = &self.socket
            && let Err(error) = begin_no_more(&SockRef::from(listener))
        {
            tracing::debug!(%error, "connections may begin while the listener closes");
        }
        TCP_GRACE
    }

    /// How many connections to take from the backlog once no more are begun. If clients can still fill the backlog, it
    /// may never become empty: then as many are taken as kernels keep by default.
    pub(super) fn most_left(&self) -> u32 {
        let ends = match self.socket {
            Socket::Tcp(_) => cfg!(target_os = "linux"),
            Socket::Unix(_) => true,
        };
        if ends && !self.given { u32::MAX } else { 4096 }
    }

    /// Takes one more connection from the backlog, whether the reactor has reported it or not. `None` if there is none.
    pub(super) fn accept_rest(&self) -> io::Result<Option<Halves>> {
        let socket = match &self.socket {
            Socket::Tcp(port) => SockRef::from(&port.listener),
            Socket::Unix(listener) => SockRef::from(listener),
        };
        let (stream, remote) = match socket.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        Ok(Some(match &self.socket {
            Socket::Tcp(port) => {
                port.split(TcpStream::from_std(stream.into())?, remote.as_socket())
            }
            Socket::Unix(_) => split(UnixStream::from_std(stream.into())?),
        }))
    }
}

/// Makes the kernel drop SYN segments. The client retries a second later, and then finds the port closed, or another
/// process there. Without this, connections that the kernel accepts until the close would be reset.
#[cfg(target_os = "linux")]
fn begin_no_more(listener: &SockRef<'_>) -> io::Result<()> {
    /// Classic BPF over a TCP segment.
    const NO_SYN: [SockFilter; 4] = [
        SockFilter::new(0x30, 0, 0, 13),       // A = the byte of the flags
        SockFilter::new(0x45, 0, 1, 0x02),     // is SYN among them?
        SockFilter::new(0x06, 0, 0, 0),        // drop
        SockFilter::new(0x06, 0, 0, u32::MAX), // keep
    ];
    listener.attach_filter(&NO_SYN)
}

#[cfg(not(target_os = "linux"))]
fn begin_no_more(_: &SockRef<'_>) -> io::Result<()> {
    Ok(())
}

/// Options of the TCP sockets that are accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tcp {
    pub(super) nodelay: bool,
    pub(super) patience: Option<Patience>,
}

impl Tcp {
    pub(super) fn apply(self, socket: &SockRef<'_>) -> io::Result<()> {
        socket.set_tcp_nodelay(self.nodelay)?;
        if let Some(patience) = self.patience {
            patience.apply(socket)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::fd::AsFd as _;

    use super::*;

    const TCP: Tcp = Tcp {
        nodelay: true,
        patience: None,
    };

    /// A connection in the backlog is accepted, and no new one is established: the close would reset it.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_is_left_is_taken_and_no_more() {
        let socket = StdTcpListener::bind("127.0.0.1:0").expect("a port");
        let at = socket.local_addr().expect("an address");
        socket.set_nonblocking(true).expect("a socket");
        let own = Listener::new(ShareSocket::own(Listening::Tcp(socket)), TCP).expect("a reactor");
        let _before = TcpStream::connect(at).expect("it listens");
        assert_eq!(own.begin_no_more(), TCP_GRACE);
        assert_eq!(own.most_left(), u32::MAX, "none of them is lost");
        let taken = own.accept_rest().expect("a listener");
        assert!(taken.is_some());
        let late = TcpStream::connect_timeout(&at, Duration::from_millis(20));
        assert_eq!(late.expect_err("late").kind(), io::ErrorKind::TimedOut);
        assert!(own.accept_rest().expect("a listener").is_none());
    }

    /// A socket that other processes may accept from keeps accepting.
    #[tokio::test]
    async fn a_given_socket_stays_open() {
        let socket = StdTcpListener::bind("127.0.0.1:0").expect("a port");
        let at = socket.local_addr().expect("an address");
        socket.set_nonblocking(true).expect("a socket");
        let next = socket.try_clone().expect("a descriptor");
        let given =
            Listener::new(ShareSocket::given(Listening::Tcp(socket)), TCP).expect("a reactor");
        assert_eq!(given.begin_no_more(), Duration::ZERO);
        assert!(given.most_left() < u32::MAX, "others fill it");
        assert!(given.accept_rest().expect("a listener").is_none());
        drop(given);
        let _late = TcpStream::connect(at).expect("it listens");
        next.accept().expect("the connection is there");
    }

    /// P89: an accepted connection has the requested options, wherever they come from, and knows both of its addresses.
    #[tokio::test]
    async fn p89_options_and_addresses() {
        let silent = Duration::from_secs(42);
        let with_output = Duration::from_secs(43);
        let tcp = Tcp {
            nodelay: true,
            patience: Some(Patience {
                probes: 2 * silent,
                output: Some(with_output),
            }),
        };
        let check = |socket: SockRef<'_>| {
            assert!(socket.tcp_nodelay().expect("an option"));
            assert!(socket.keepalive().expect("an option"));
            assert_eq!(socket.tcp_keepalive_time().expect("an option"), silent);
            #[cfg(target_os = "linux")]
            assert_eq!(
                socket.tcp_user_timeout().expect("an option"),
                Some(with_output)
            );
        };
        for (host, given) in [
            ("127.0.0.1:0", false),
            ("127.0.0.1:0", true),
            ("0.0.0.0:0", false),
        ] {
            let socket = StdTcpListener::bind(host).expect("a port");
            socket.set_nonblocking(true).expect("a socket");
            let at = ("127.0.0.1", socket.local_addr().expect("an address").port());
            if !given {
                tcp.apply(&SockRef::from(&socket)).expect("a socket");
            }
            let port = Port::new(socket, given, tcp).expect("a reactor");
            let client = TcpStream::connect(at).expect("it listens");
            let (stream, remote) = port.listener.accept().await.expect("a connection");
            if port.inherits {
                check(SockRef::from(&stream));
            }
            let accepted = stream.as_fd().try_clone_to_owned().expect("a descriptor");
            let halves = port.split(stream, Some(remote));
            check(SockRef::from(&accepted));
            assert_eq!(halves.peer.remote, client.local_addr().ok());
            assert_eq!(halves.peer.local, client.peer_addr().ok());
        }
    }
}
