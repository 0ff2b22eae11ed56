//! What a recorded handler heard.

use tokio::sync::mpsc;

use super::patient;

/// What the handler of one session heard, one line for each call, in order. See [`Recorder`](super::Recorder).
///
/// # Panics
/// Methods that wait give up after five minutes, which a paused clock makes short.
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

    /// The lines that are there already.
    pub fn so_far(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    async fn wait(&mut self) -> Option<String> {
        patient("the handler to hear something", self.0.recv()).await
    }
}
