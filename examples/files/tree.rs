//! From the path of a request to an open file or folder on the disk.
//!
//! The path is cut at its slashes, then each name is decoded, and the names are opened one inside the other. None leads
//! up or out: a name that begins with a dot is not served (which excludes `..` and hidden files; `.well-known`, RFC
//! 8615, is served), nor is one with a slash or a NUL in it, an empty one, or a symbolic link, wherever it leads. A
//! backslash is a letter. No path is checked first and opened later, so nobody can exchange a name in between.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;

/// The folder that is served.
pub(crate) struct Tree {
    root: OwnedFd,
}

pub(crate) enum Found {
    File(File, PathBuf),
    Folder(OwnedFd),
    FolderWithoutSlash,
}

impl Tree {
    /// The root itself may be a symbolic link.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(root, flags, Mode::empty())?;
        Ok(Self { root })
    }

    pub(crate) fn find(&self, path: &str) -> io::Result<Found> {
        let path = path.strip_prefix('/').ok_or(Errno::NOENT)?;
        let mut names: Vec<&str> = path.split('/').collect();
        let last = names.pop().unwrap_or_default();
        let mut folder = self.root.try_clone()?;
        for name in names {
            folder = step(&folder, &decode(name)?, OFlags::DIRECTORY)?;
        }
        let name = decode(if last.is_empty() { "index.html" } else { last })?;
        // Without NONBLOCK, a FIFO would hold the thread until somebody writes to it.
        match step(&folder, &name, OFlags::NONBLOCK).and_then(with_type) {
            Ok((file, FileType::RegularFile)) => Ok(Found::File(file.into(), name)),
            _ if last.is_empty() => Ok(Found::Folder(folder)),
            Ok((_, FileType::Directory)) => Ok(Found::FolderWithoutSlash),
            Ok(_) => Err(Errno::NOENT.into()),
            Err(err) => Err(err),
        }
    }
}

fn step(folder: impl AsFd, name: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty())?)
}

fn with_type(file: OwnedFd) -> io::Result<(OwnedFd, FileType)> {
    let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
    Ok((file, kind))
}

fn decode(name: &str) -> io::Result<PathBuf> {
    let name: Vec<u8> = percent_decode_str(name).collect();
    if is_served(&name) && !name.contains(&b'/') && !name.contains(&0) {
        return Ok(OsStr::from_bytes(&name).into());
    }
    Err(Errno::NOENT.into())
}

/// Whether anybody may know of a name.
pub(crate) fn is_served(name: &[u8]) -> bool {
    !name.is_empty() && (!name.starts_with(b".") || name == b".well-known")
}
