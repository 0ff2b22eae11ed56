//! The file of a Unix socket.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

/// How often the lock of a folder is tried, and the pause between two tries.
const TRIES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(2);

/// A socket file. It is removed on drop, if it is still the file that this created.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    made: Option<(u64, u64)>,
}

impl SocketFile {
    /// Binds a socket to a path. A stale socket file, which nobody listens on, is replaced.
    pub(super) fn bind(path: &Path) -> io::Result<(Socket, Self)> {
        if path.as_os_str().is_empty() {
            // Linux would invent a name, which nobody knows.
            let text = "the path of the Unix socket is empty";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let address = SockAddr::unix(path)?;
        // ORDER: held until the socket listens: until then others would take its file for a stale one.
        let _turn = if is_abstract(path) { None } else { turn(path) };
        match socket.bind(&address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path)? => {
                if let Err(error) = fs::remove_file(path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    return Err(error);
                }
                socket.bind(&address)?;
            }
            bound => bound?,
        }
        // Listens at once, because a server that starts now would take the file for a stale one. `listen` is called
        // again later, with the backlog.
        socket.listen(1)?;
        let file = Self {
            path: path.to_owned(),
            made: identity(path),
        };
        Ok((socket, file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.made.is_some()
            && identity(&self.path) == self.made
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "a socket file could not be removed");
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let file = fs::symlink_metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

/// A name of Linux for a socket without a file.
fn is_abstract(path: &Path) -> bool {
    path.as_os_str().as_bytes().starts_with(&[0])
}

/// Servers take turns in a folder, by a lock on it: otherwise two that find the same stale file could both replace it,
/// the second one the new file of the first. Bounded, because anybody who may read the folder may hold the lock.
/// Without the lock, a path is bound all the same.
fn turn(path: &Path) -> Option<OwnedFd> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // What is no folder is not opened: a FIFO would make us wait.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = open(folder, flags, Mode::empty()).ok()?;
    for _ in 0..TRIES {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(folder),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(PAUSE),
            Err(_) => return None,
        }
    }
    None
}

/// Whether this is the file of a socket whose listener is gone, or has gone meanwhile itself.
fn is_left_over(path: &Path) -> io::Result<bool> {
    if is_abstract(path) {
        return Ok(false);
    }
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        file => file?,
    };
    if !file.file_type().is_socket() {
        return Ok(false);
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Non-blocking, because a listener with a full backlog would make us wait.
    probe.set_nonblocking(true)?;
    let answer = probe.connect(&SockAddr::unix(path)?);
    Ok(answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another server may have removed the stale file meanwhile.
    #[test]
    fn a_file_that_has_gone_is_in_nobodys_way() {
        let name = format!("http-actors-none-{}", std::process::id());
        let nowhere = std::env::temp_dir().join(name);
        assert!(is_left_over(&nowhere).is_ok_and(|left_over| left_over));
        let below = nowhere.join("below");
        assert!(is_left_over(&below).is_ok_and(|left_over| left_over));
    }

    /// The lock is that of the folder of the file. That of a bare name is the current one.
    #[test]
    fn whose_turn() {
        let name = format!("http-actors-turn-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a new folder");
        for (path, folder) in [
            (folder.join("a").as_path(), folder.as_path()),
            (Path::new("a"), Path::new(".")),
        ] {
            let locked = turn(path).map(fs::File::from).expect("a lock");
            let locked = locked.metadata().expect("a folder");
            assert_eq!(identity(folder), Some((locked.dev(), locked.ino())));
        }
        fs::remove_dir(&folder).expect("it is empty");
    }
}
