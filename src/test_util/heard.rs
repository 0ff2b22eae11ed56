//! The recorded calls of a handler.

use tokio::sync::mpsc;

use super::patient;

/// The calls of the handler of one session, one line for each, in order. See [`Recorder`](super::Recorder).
///
/// # Panics
/// Methods that wait panic after five minutes, which a paused clock skips.
#[derive(Debug)]
pub struct Heard(mpsc::UnboundedReceiver<String>);

impl Heard {
    pub(super) fn new(lines: mpsc::UnboundedReceiver<String>) -> Self {
        Self(lines)
    }

    /// Waits for the next line.
    ///
    /// # Panics
    /// If the session ends without one.
    pub async fn next(&mut self) -> String {
        let line = self.wait().await;
        line.unwrap_or_else(|| panic!("the session ended, and its handler heard no more"))
    }

    /// Waits for these lines.
    ///
    /// # Panics
    /// If other lines come.
    pub async fn expect(&mut self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.next().await, *line);
        }
    }

    /// Waits for the end of the session, and returns all lines from here on.
    pub async fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.wait().await {
            lines.push(line);
        }
        lines
    }

    /// The lines that were recorded so far and not returned yet.
    pub fn so_far(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    async fn wait(&mut self) -> Option<String> {
        patient("the handler to hear something", self.0.recv()).await
    }
}
