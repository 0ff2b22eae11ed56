//! The halves of a connection as they are stored: those of TCP inline, which saves 60 bytes of an idle connection and
//! two allocations of a new one; all others are boxed.

use std::fmt;
use std::ops::{Deref, DerefMut};

use tokio::net::tcp::OwnedReadHalf;

use super::tcp::TcpWrite;
use super::watched::Watched;
use super::{Read, Write};

/// A receiving half of any kind.
pub(crate) enum ReadHalf {
    Tcp(Watched<OwnedReadHalf>),
    Other(Box<dyn Read>),
}

/// A sending half of any kind.
pub(crate) enum WriteHalf {
    Tcp(TcpWrite),
    Other(Box<dyn Write>),
}

impl ReadHalf {
    pub(crate) fn new(half: impl Read + 'static) -> Self {
        Self::Other(Box::new(half))
    }
}

impl WriteHalf {
    pub(crate) fn new(half: impl Write + 'static) -> Self {
        Self::Other(Box::new(half))
    }
}

impl Deref for ReadHalf {
    type Target = dyn Read;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Tcp(half) => half,
            Self::Other(half) => &**half,
        }
    }
}

impl DerefMut for ReadHalf {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Tcp(half) => half,
            Self::Other(half) => &mut **half,
        }
    }
}

impl Deref for WriteHalf {
    type Target = dyn Write;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Tcp(half) => half,
            Self::Other(half) => &**half,
        }
    }
}

impl DerefMut for WriteHalf {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Tcp(half) => half,
            Self::Other(half) => &mut **half,
        }
    }
}

impl fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadHalf")
    }
}

impl fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteHalf")
    }
}
