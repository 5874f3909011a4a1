//! How a log that was cut is gone on with.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::limits::{RESUME, RESUME_PAUSE};
use crate::{Error, ErrorKind};

/// A time without a connection that brought something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    since: Instant,
    pause: Duration,
}

impl Cut {
    pub(crate) fn now() -> Self {
        Self {
            since: Instant::now(),
            pause: Duration::from_millis(100),
        }
    }

    /// Waits before the next try; longer each time.
    pub(crate) async fn pause(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(RESUME_PAUSE);
    }

    /// Whether it has lasted too long.
    pub(crate) fn is_over(&self) -> bool {
        self.since.elapsed() >= RESUME
    }
}

/// Whether what kept a connection from being made again may pass.
pub(crate) fn may_pass(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Connect | ErrorKind::Closed | ErrorKind::Timeout | ErrorKind::Server
    )
}

/// Says that the rest of a log cannot be had, and why.
pub(crate) fn given_up(offset: u64, error: Error) -> Error {
    let message = format!("the log cannot be followed on from byte {offset}");
    Error::new(error.kind(), error.delivery(), message).with_source(error)
}
