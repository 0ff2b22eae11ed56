//! Listening sockets.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;

use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};

use super::listener::{Listening, ShareSocket, Tcp};
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
                let listen = || {
                    sockets.extend(if workers > 1 && SHARES && !share {
                        first_of_several(socket, backlog, tcp)?
                    } else {
                        Some(socket)
                    });
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

/// The first socket of a server with several workers, which listens, or none. Fails if somebody else listens on the
/// port. Without this, two servers of the same user that both bound the port before either listened would share it.
#[cfg(target_os = "linux")]
fn first_of_several(socket: RawSocket, backlog: i32, tcp: Tcp) -> io::Result<Option<RawSocket>> {
    tcp.apply(&SockRef::from(&socket))?;
    // ORDER: it listens before it shares the port, and the sockets of the other workers join it. So there is no moment
    // at which another server could listen.
    socket.listen(backlog)?;
    socket.set_reuse_port(true)?;
    Ok(Some(socket))
}

/// Elsewhere the sockets of the workers share the port only if all have the option when they are bound, so the first
/// one is closed, and its place can be taken in between.
#[cfg(not(target_os = "linux"))]
fn first_of_several(socket: RawSocket, _: i32, _: Tcp) -> io::Result<Option<RawSocket>> {
    socket.listen(1)?;
    Ok(None)
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

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::session::SessionOptions;

    /// Of two servers that listen at the same moment on a port that both have bound, at most one gets it: the kernel
    /// may refuse both.
    #[test]
    fn a_port_is_not_listened_on_by_two() {
        let tcp = Tcp {
            nodelay: true,
            patience: SessionOptions::default().timeouts.patience(),
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        for workers in [1, 3] {
            for _ in 0..500 {
                let first = Socket::bind(any, false).expect("a port");
                let address = first.address().expect("bound").expect("an address");
                let second = Socket::bind(address, false).expect("nobody listens");
                let start = Barrier::new(2);
                let listen = |socket: Socket| {
                    start.wait();
                    socket.listen(workers, 16, tcp)
                };
                let both = thread::scope(|scope| {
                    let second = scope.spawn(|| listen(second));
                    [listen(first), second.join().expect("no panic")]
                });
                let refused: Vec<_> = both.iter().filter_map(|all| all.as_ref().err()).collect();
                assert_ne!(refused.len(), 0, "{workers} workers");
                let in_use = |error: &&io::Error| error.kind() == io::ErrorKind::AddrInUse;
                assert!(refused.iter().all(in_use), "{refused:?}");
            }
        }
    }
}
