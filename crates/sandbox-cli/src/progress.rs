//! A sign of life while a run has nothing to show.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows on standard error, if that is a terminal, how long it has been; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// What is quick shows nothing.
    pub(crate) async fn while_waiting<T>(
        what: &str,
        is_quiet: bool,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = tokio::time::timeout(PATIENCE, work.as_mut()).await {
            return done;
        }
        let _progress = (!is_quiet).then(|| Self::begin(what));
        work.await
    }

    fn begin(what: &str) -> Self {
        // Hidden where standard error is no terminal.
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.set_elapsed(PATIENCE);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }
}

/// A bar on standard error, if that is a terminal, of the bytes of a transfer; removed when it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Bytes(ProgressBar);

impl Bytes {
    /// Creates a bar of a transfer of `total` bytes, if that is known. It shows nothing yet.
    pub(crate) fn new(total: Option<u64>) -> Self {
        let hidden = ProgressDrawTarget::hidden();
        let bar = ProgressBar::with_draw_target(total, hidden);
        let template = match total {
            Some(_) => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{spinner} {bytes} {bytes_per_sec} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Adds bytes that were transferred.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Shows the bar while `work` lasts, unless it is quick.
    pub(crate) async fn while_waiting<T>(
        &self,
        is_quiet: bool,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = tokio::time::timeout(PATIENCE, work.as_mut()).await {
            return done;
        }
        if !is_quiet {
            // Hidden where standard error is no terminal.
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
        let done = work.await;
        self.0.finish_and_clear();
        done
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How long a run may take before it is shown.
const PATIENCE: Duration = Duration::from_millis(500);

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(100);
