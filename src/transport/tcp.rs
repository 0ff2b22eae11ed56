//! TCP.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::watched::Watched;
use super::{Halves, Peer, ReadHalf, Write, WriteHalf};

pub(super) fn split(stream: TcpStream) -> Halves {
    let peer = Peer {
        remote: stream.peer_addr().ok(),
        local: stream.local_addr().ok(),
    };
    split_known(stream, peer)
}

/// Splits a stream whose addresses are known.
pub(crate) fn split_known(stream: TcpStream, peer: Peer) -> Halves {
    let (read, write) = stream.into_split();
    Halves {
        read: ReadHalf::Tcp(Watched::new(read)),
        write: WriteHalf::Tcp(TcpWrite(Some(write))),
        peer,
        tls: None,
    }
}

/// The write half. `None` once it was aborted.
pub(crate) struct TcpWrite(Option<OwnedWriteHalf>);

impl TcpWrite {
    fn half(&mut self) -> io::Result<Pin<&mut OwnedWriteHalf>> {
        self.0
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for TcpWrite {
    /// A linger time of zero turns the close into a reset. With a plain close the kernel would still send its buffer,
    /// and a close-delimited message would look complete. The half is forgotten, because its drop would send a FIN,
    /// which must not be sent; the socket closes with the other half.
    fn abort(&mut self) {
        if let Some(half) = self.0.take() {
            // This fails only if the socket is already closed, and then no reset is needed.
            let _ = SockRef::from(half.as_ref()).set_linger(Some(Duration::ZERO));
            half.forget();
        }
    }

    fn has_input(&self) -> Option<bool> {
        self.0.as_ref().map(|half| has_input(half.as_ref()))
    }
}

/// How long a system may acknowledge nothing until the kernel gives its connection up. A server sets this for its
/// listeners, whose connections inherit it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// With the probes of an otherwise silent connection.
    pub(crate) probes: Duration,
    /// With output. `None` is as long as the system is set to.
    pub(crate) output: Option<Duration>,
}

impl Patience {
    /// Keep-alive probes from half of the time on; and where the kernel has it, a limit for output, which also decides
    /// when enough probes were lost.
    pub(crate) fn apply(self, socket: &SockRef<'_>) -> io::Result<()> {
        const PROBES: u32 = 4;
        let probes = TcpKeepalive::new()
            .with_time(whole_seconds(self.probes / 2))
            .with_interval(whole_seconds(self.probes / (2 * PROBES)))
            .with_retries(PROBES);
        socket.set_tcp_keepalive(&probes)?;
        #[cfg(any(target_os = "android", target_os = "linux"))]
        if let Some(output) = self.output {
            // The kernel counts milliseconds in 31 bits.
            let longest = Duration::from_millis(i32::MAX.unsigned_abs().into());
            socket.set_tcp_user_timeout(Some(output.min(longest)))?;
        }
        Ok(())
    }
}

/// Rounded up to what the kernel accepts.
fn whole_seconds(time: Duration) -> Duration {
    const LONGEST: u64 = 32_767;
    let started = u64::from(time.subsec_nanos() > 0);
    let seconds = time.as_secs().saturating_add(started);
    Duration::from_secs(seconds.clamp(1, LONGEST))
}

/// Asks the kernel, because the reactor may not have polled it yet.
pub(super) fn has_input(socket: &impl AsFd) -> bool {
    let found = SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
    !found.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

impl AsyncWrite for TcpWrite {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.half()?.poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.half()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// P89: probes begin at half of the time, in whole seconds. Output has a limit only if it is asked for.
    #[test]
    fn p89_patience() {
        for (probes, first) in [
            (Duration::from_secs(84), 42),
            (Duration::from_millis(2500), 2),
            (Duration::ZERO, 1),
            (Duration::MAX, 32_767),
        ] {
            for output in [None, Some(Duration::from_secs(99)), Some(Duration::MAX)] {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let socket = SockRef::from(&listener);
                Patience { probes, output }.apply(&socket).unwrap();
                assert!(socket.keepalive().unwrap());
                let set = socket.tcp_keepalive_time().unwrap();
                assert_eq!(set, Duration::from_secs(first));
                #[cfg(target_os = "linux")]
                {
                    let longest = Duration::from_millis(i32::MAX as u64);
                    let set = socket.tcp_user_timeout().unwrap();
                    assert_eq!(set, output.map(|output| output.min(longest)));
                }
            }
        }
    }
}
