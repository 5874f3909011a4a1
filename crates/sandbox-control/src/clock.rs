//! The time of day, as the timers count it.

use std::time::SystemTime;

use tokio::time::Instant;

/// The time of day when the server began, and what has passed since by the clock of the timers.
///
/// A change of the system's clock does not change it; time for which the machine was suspended does not count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    day: SystemTime,
    instant: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            day: SystemTime::now(),
            instant: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.day + self.instant.elapsed()
    }

    /// Returns the time of day when the server began.
    pub(crate) fn began(&self) -> SystemTime {
        self.day
    }

    /// Returns when a timer for this time of day is due.
    pub(crate) fn instant(&self, at: SystemTime) -> Instant {
        match at.duration_since(self.day) {
            Ok(later) => self.instant + later,
            Err(_) => self.instant,
        }
    }
}
