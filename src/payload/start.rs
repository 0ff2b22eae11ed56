//! Method, target and version of a message: its own, or those of an earlier, equal request line.

use std::sync::Arc;

use http::{Method, Uri, Version};

use super::lent::Lent;

/// What the start lines of requests and responses have in common.
#[derive(Debug, Clone)]
pub(crate) struct StartLine {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
}

impl Default for StartLine {
    fn default() -> Self {
        Self {
            method: Method::GET,
            uri: Uri::default(),
            version: Version::HTTP_11,
        }
    }
}

/// A start line, possibly shared with the connection, which remembers the last one: cloning, moving and dropping a `Uri`
/// costs as much as three reference-counted buffers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    own: StartLine,
    /// Reads prefer it; the first change copies it to `own`.
    shared: Lent<StartLine>,
    /// Whether `own` may differ from the default.
    touched: bool,
}

impl Start {
    pub(crate) fn line(&self) -> &StartLine {
        self.shared.get().map_or(&self.own, |line| line)
    }

    pub(crate) fn line_mut(&mut self) -> &mut StartLine {
        if let Some(shared) = self.shared.take() {
            self.own = StartLine::clone(&shared);
        }
        self.touched = true;
        &mut self.own
    }

    pub(crate) fn lend(&mut self, line: &Arc<StartLine>) {
        drop(self.shared.lend(line));
    }

    pub(crate) fn set_method(&mut self, method: Method) {
        if self.line().method != method {
            self.line_mut().method = method;
        }
    }

    pub(crate) fn set_version(&mut self, version: Version) {
        if self.line().version != version {
            self.line_mut().version = version;
        }
    }

    /// Resets to the default.
    pub(crate) fn clear(&mut self) {
        drop(self.shared.clear());
        if std::mem::take(&mut self.touched) {
            self.own = StartLine::default();
        }
    }
}
