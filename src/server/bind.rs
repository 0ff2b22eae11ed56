//! Listening sockets.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;

use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};

use super::listener::{Listening, ShareSocket, Tcp, begin_no_more};
use super::socket_file::SocketFile;

/// A bound socket, with what is needed to make another one for each worker.
#[derive(Debug)]
pub(super) enum Socket {
    /// Bound, not yet listening; each worker gets its own socket on the same port.
    Bound {
        socket: RawSocket,
        address: SocketAddr,
        /// Whether other processes may listen on it too.
        share: bool,
    },
    /// Listening already; the workers share it.
    Given(Listening),
    /// Bound to a path, not yet listening; the workers share it.
    Unix { socket: RawSocket, file: SocketFile },
}

/// The listeners of a socket, one for each worker, and the file to remove when the server ends.
type Listeners = (Vec<ShareSocket>, Option<SocketFile>);

impl Socket {
    /// Binds. Unless `share` is set, this fails if another process listens on the port. If another one has bound it
    /// too, the second to listen fails.
    pub(super) fn bind(address: SocketAddr, share: bool) -> io::Result<Self> {
        match bound(address, share) {
            Ok((socket, address)) => Ok(Self::Bound {
                socket,
                address,
                share,
            }),
            Err(error) => Err(refused(address, &error)),
        }
    }

    pub(super) fn given(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Given(Listening::Tcp(listener)))
    }

    pub(super) fn given_unix(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Given(Listening::Unix(listener)))
    }

    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        let bound = SocketFile::bind(path);
        let (socket, file) = bound.map_err(|error| refused(path.display(), &error))?;
        Ok(Self::Unix { socket, file })
    }

    /// `None` for a Unix socket.
    pub(super) fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Bound { address, .. } => Ok(Some(*address)),
            Self::Given(Listening::Tcp(listener)) => listener.local_addr().map(Some),
            Self::Given(Listening::Unix(_)) | Self::Unix { .. } => Ok(None),
        }
    }

    /// Begins to listen, with one listener for each worker.
    pub(super) fn listen(self, workers: usize, backlog: i32, tcp: Tcp) -> io::Result<Listeners> {
        match self {
            Self::Bound {
                socket,
                address,
                share,
            } => {
                let mut sockets = Vec::with_capacity(workers);
                if workers > 1 && SHARES && !share {
                    try_alone(&socket).map_err(|error| refused(address, &error))?;
                    // The option works only if the first socket has it too.
                    drop(socket);
                } else {
                    sockets.push(socket);
                }
                // ORDER: all sockets are bound before the first one listens, because the kernel would not spread
                // connections to a socket that joins later.
                let mut listen = || {
                    while sockets.len() < workers && SHARES {
                        sockets.push(bound(address, true)?.0);
                    }
                    // ORDER: a connection inherits the options that its listener had when it was established.
                    sockets.iter().try_for_each(|socket| {
                        tcp.apply(&SockRef::from(socket))?;
                        socket.listen(backlog)
                    })
                };
                listen().map_err(|error| refused(address, &error))?;
                let listeners = sockets
                    .into_iter()
                    .map(|socket| ShareSocket::own(Listening::Tcp(socket.into())))
                    .collect();
                Ok((spread(listeners, workers)?, None))
            }
            Self::Given(listening) => {
                let listeners = vec![ShareSocket::given(listening)];
                Ok((spread(listeners, workers)?, None))
            }
            Self::Unix { socket, file } => {
                socket.listen(backlog)?;
                let listeners = vec![ShareSocket::own(Listening::Unix(socket.into()))];
                Ok((spread(listeners, workers)?, Some(file)))
            }
        }
    }
}

/// Fails if somebody else listens on the port. Without this, two servers of the same user that both bound the port
/// before either listened would share it if they have several workers.
fn try_alone(socket: &RawSocket) -> io::Result<()> {
    // The socket is closed next, which would reset connections.
    if let Err(error) = begin_no_more(&SockRef::from(socket)) {
        tracing::debug!(%error, "connections may begin while the port is tried");
    }
    socket.listen(1)
}

/// Whether sockets can share a port with each other and have the kernel spread connections over them.
const SHARES: bool = cfg!(all(
    unix,
    not(target_os = "solaris"),
    not(target_os = "illumos")
));

/// If there are fewer sockets than workers, the workers accept from the same one.
fn spread(mut listeners: Vec<ShareSocket>, workers: usize) -> io::Result<Vec<ShareSocket>> {
    while listeners.len() < workers {
        let Some(first) = listeners.first() else {
            break;
        };
        let again = first.try_clone()?;
        listeners.push(again);
    }
    Ok(listeners)
}

/// The error with its address: a program that starts several listeners must know which one failed.
fn refused(address: impl Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

fn bound(address: SocketAddr, share: bool) -> io::Result<(RawSocket, SocketAddr)> {
    let socket = RawSocket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    // Ports of connections in TIME-WAIT can be bound again. On Windows the option would mean something else.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(target_os = "solaris"), not(target_os = "illumos")))]
    if share {
        socket.set_reuse_port(true)?;
    }
    #[cfg(not(unix))]
    let _ = share;
    if address.is_ipv6() {
        // Allows a program to listen on both 0.0.0.0 and [::].
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    let local = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok((socket, local))
}

/// The soft limit of open descriptors.
pub(super) fn descriptor_limit() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

/// How many connections this many descriptors allow: some are reserved for everything else.
pub(super) fn connections(descriptors: usize) -> usize {
    descriptors
        .saturating_sub(64)
        .max(descriptors / 2)
        .clamp(1, 25_000)
}
