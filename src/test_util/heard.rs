//! The recorded calls of a handler.

use tokio::sync::mpsc;

use super::Line;

/// The calls of the handler of one session, one line for each, in order. See [`Recorder`](super::Recorder).
///
/// # Panics
/// Methods that wait panic after five minutes, which a paused clock skips. The message begins with the line of the test.
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
    #[allow(
        clippy::should_implement_trait,
        reason = "it waits, which an iterator cannot"
    )]
    #[track_caller]
    pub fn next(&mut self) -> impl Future<Output = String> {
        self.next_at(Line::here())
    }

    /// Waits for these lines.
    ///
    /// # Panics
    /// If other lines come.
    #[track_caller]
    pub fn expect(&mut self, lines: &[&str]) -> impl Future<Output = ()> {
        let here = Line::here();
        async move {
            for line in lines {
                let heard = self.next_at(here).await;
                if heard != *line {
                    here.fail(format_args!("expected {line:?}, and heard {heard:?}"));
                }
            }
        }
    }

    /// Waits for the end of the session, and returns all lines from here on.
    #[track_caller]
    pub fn rest(&mut self) -> impl Future<Output = Vec<String>> {
        let here = Line::here();
        async move {
            let mut lines = Vec::new();
            while let Some(line) = self.wait(here).await {
                lines.push(line);
            }
            lines
        }
    }

    /// The lines that were recorded so far and not returned yet.
    pub fn so_far(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    async fn next_at(&mut self, here: Line) -> String {
        let line = self.wait(here).await;
        line.unwrap_or_else(|| here.fail("the session ended, and its handler heard no more"))
    }

    async fn wait(&mut self, here: Line) -> Option<String> {
        here.patient("the handler to hear something", self.0.recv())
            .await
    }
}
