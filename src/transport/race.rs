//! Connects to the first of several addresses that answers (RFC 8305).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long an attempt runs before the next one begins (section 8).
const STAGGER: Duration = Duration::from_millis(250);

/// Orders the addresses so that the families alternate, each in the resolver's order (section 4).
pub(super) fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let total = addresses.len();
    let (ours, others): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut ours, mut others) = (ours.into_iter(), others.into_iter());
    let mut order = Vec::with_capacity(total);
    while order.len() < total {
        order.extend(ours.next());
        order.extend(others.next());
    }
    order
}

/// Tries the addresses in order, each when the previous one has failed or was silent for [`STAGGER`]. The first that
/// answers wins, and the other attempts are dropped (section 5).
///
/// If all fail, the error of an address that could be reached is preferred to one that says that this machine has no
/// route.
pub(super) async fn first<T, F, C>(addresses: Vec<SocketAddr>, connect: C) -> io::Result<T>
where
    C: Fn(SocketAddr) -> F,
    F: Future<Output = io::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    let mut addresses = addresses.into_iter();
    let mut best_error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let Some(address) = addresses.next() else {
        return Err(best_error);
    };
    if addresses.len() == 0 {
        return connect(address).await;
    }
    let mut attempts = JoinSet::new();
    attempts.spawn(connect(address));
    loop {
        tokio::select! {
            attempt = attempts.join_next() => match attempt {
                Some(Ok(Ok(connected))) => return Ok(connected),
                Some(Ok(Err(error))) => {
                    if relevance(&error) >= relevance(&best_error) {
                        best_error = error;
                    }
                }
                Some(Err(error)) => best_error = error.into(),
                // All have failed, and no address is left.
                None => return Err(best_error),
            },
            () = sleep(STAGGER), if addresses.len() > 0 => {}
        }
        if let Some(address) = addresses.next() {
            attempts.spawn(connect(address));
        }
    }
}

/// How much an error says about the peer: of several errors, one with the highest value is returned.
fn relevance(error: &io::Error) -> u8 {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable, NotFound};
    match error.kind() {
        NotFound => 0,
        AddrNotAvailable | HostUnreachable | NetworkUnreachable => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use io::ErrorKind::{ConnectionRefused, NetworkUnreachable};
    use tokio::time::Instant;

    use super::*;

    fn addresses(text: &str) -> Vec<SocketAddr> {
        text.split(' ')
            .map(|host| SocketAddr::new(host.parse().expect("an address"), 80))
            .collect()
    }

    #[test]
    fn families_take_turns() {
        for (resolved, order) in [
            ("::1 ::2 ::3 1.1.1.1", "::1 1.1.1.1 ::2 ::3"),
            ("1.1.1.1 1.1.1.2 ::1", "1.1.1.1 ::1 1.1.1.2"),
            ("1.1.1.1", "1.1.1.1"),
        ] {
            assert_eq!(interleaved(addresses(resolved)), addresses(order));
        }
    }

    const NEVER: u64 = 1_000_000;

    /// What the addresses do: each answers or fails after so many milliseconds. Then the result: which address wins, or
    /// how it fails; after how long; and when each was tried.
    struct Race {
        behaviours: &'static [(u64, Result<(), io::ErrorKind>)],
        expected: Result<usize, io::ErrorKind>,
        after: u64,
        tried: &'static [u64],
    }

    const fn race(
        behaviours: &'static [(u64, Result<(), io::ErrorKind>)],
        expected: Result<usize, io::ErrorKind>,
        after: u64,
        tried: &'static [u64],
    ) -> Race {
        Race {
            behaviours,
            expected,
            after,
            tried,
        }
    }

    const RACES: [Race; 9] = [
        race(&[(10, Ok(()))], Ok(0), 10, &[0]),
        race(&[(10, Ok(())), (0, Ok(()))], Ok(0), 10, &[0]),
        race(&[(NEVER, Ok(())), (50, Ok(()))], Ok(1), 300, &[0, 250]),
        race(&[(260, Ok(())), (NEVER, Ok(()))], Ok(0), 260, &[0, 250]),
        race(
            &[(NEVER, Ok(())), (NEVER, Ok(())), (10, Ok(()))],
            Ok(2),
            510,
            &[0, 250, 500],
        ),
        // The race does not wait after a failure.
        race(
            &[(30, Err(ConnectionRefused)), (40, Ok(()))],
            Ok(1),
            70,
            &[0, 30],
        ),
        race(
            &[(10, Err(ConnectionRefused)), (20, Err(NetworkUnreachable))],
            Err(ConnectionRefused),
            30,
            &[0, 10],
        ),
        race(
            &[(10, Err(NetworkUnreachable)), (20, Err(ConnectionRefused))],
            Err(ConnectionRefused),
            30,
            &[0, 10],
        ),
        race(&[], Err(io::ErrorKind::NotFound), 0, &[]),
    ];

    /// P131.
    #[actix::test]
    async fn who_wins() {
        tokio::time::pause();
        for Race {
            behaviours,
            expected,
            after,
            tried,
        } in RACES
        {
            let begun = Instant::now();
            // Rounded to tens, since a timer may be a millisecond late.
            let ms = move || u64::try_from(begun.elapsed().as_millis()).expect("soon") / 10 * 10;
            let log = Arc::new(Mutex::new(Vec::new()));
            let connect = |address: SocketAddr| {
                let at = usize::from(address.port());
                let (wait, result) = behaviours[at];
                log.lock().expect("no panic").push(ms());
                async move {
                    sleep(Duration::from_millis(wait)).await;
                    result.map(|()| at).map_err(io::Error::from)
                }
            };
            let addresses = (0..behaviours.len())
                .map(|at| SocketAddr::from(([127, 0, 0, 1], u16::try_from(at).expect("few"))));
            let won = first(addresses.collect(), connect).await;
            assert_eq!(won.map_err(|error| error.kind()), expected);
            assert_eq!((ms(), &log.lock().expect("no panic")[..]), (after, tried));
        }
    }
}
