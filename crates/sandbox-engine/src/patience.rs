//! Time limits for what a process has to do by itself, on a machine where it may wait long for a processor.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::limits::BUSY_FACTOR;
use crate::procfs::processor_wait;

/// A time limit for a process. The time in which its main thread waits for a processor does not count, so that a busy machine
/// alone kills nothing; but the limit is never longer than [`BUSY_FACTOR`] times itself.
#[derive(Debug)]
pub(crate) struct Patience {
    pid: u32,
    limit: Duration,
    since: Instant,
    /// How long the process had waited before.
    waited: Duration,
}

impl Patience {
    /// Begins the time of a process.
    pub(crate) fn begin(pid: u32, limit: Duration) -> Self {
        Self {
            pid,
            limit,
            since: Instant::now(),
            waited: processor_wait(pid).unwrap_or_default(),
        }
    }

    /// Returns how much is left at least; zero if the time is over.
    pub(crate) fn left(&self) -> Duration {
        let waited = processor_wait(self.pid).unwrap_or(self.waited);
        let waited = waited.saturating_sub(self.waited);
        left(self.limit, self.since.elapsed(), waited)
    }

    /// Waits until the time is over. Cancel safe.
    pub(crate) async fn over(&self) {
        loop {
            match self.left() {
                Duration::ZERO => return,
                left => sleep(left).await,
            }
        }
    }

    /// Awaits `work`, unless the time is over before; returns `None` then.
    pub(crate) async fn wait_for<T>(self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.over() => None,
        }
    }
}

fn left(limit: Duration, elapsed: Duration, waited: Duration) -> Duration {
    let counted = elapsed.saturating_sub(waited);
    let at_most = (limit * BUSY_FACTOR).saturating_sub(elapsed);
    limit.saturating_sub(counted).min(at_most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_without_a_processor_does_not_count() {
        let second = Duration::from_secs(1);
        let limit = 2 * second;
        let left = |elapsed, waited| left(limit, elapsed, waited);
        assert_eq!(left(Duration::ZERO, Duration::ZERO), limit);
        assert_eq!(left(second, Duration::ZERO), second);
        assert_eq!(left(3 * second, Duration::ZERO), Duration::ZERO);
        assert_eq!(left(3 * second, 2 * second), second);
        let most = limit * BUSY_FACTOR;
        assert_eq!(left(most, most), Duration::ZERO);
        assert_eq!(left(most - second, most - second), second);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_gone_has_its_limit() {
        let begun = Instant::now();
        Patience::begin(u32::MAX, Duration::from_secs(3))
            .over()
            .await;
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
    }
}
