//! One operation: a request, its response and its deadline, whatever the encoding.

pub(crate) mod answer;
mod attempts;
mod upload;

use std::time::Duration;

use crate::limits::{ANSWER_AFTER_LIMIT, ANSWER_WITHOUT_LIMIT, MIN_TIME_LIMIT};
pub(crate) use attempts::{Attempts, Progress, timed_out};
pub(crate) use upload::Upload;

/// Returns the longest wait for the response about a command or program with this limit.
pub(crate) fn answer_within(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => limit.saturating_add(ANSWER_AFTER_LIMIT),
        None => ANSWER_WITHOUT_LIMIT,
    }
}

/// Returns the limit to send to a daemon.
pub(crate) fn time_limit(limit: Duration) -> Duration {
    limit.max(MIN_TIME_LIMIT)
}
