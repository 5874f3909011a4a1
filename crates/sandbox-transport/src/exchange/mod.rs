//! One operation: a request, its response and its deadline, whatever the encoding.

pub(crate) mod answer;
mod attempts;
mod upload;

use std::time::Duration;

use crate::limits::{MIN_TIME_LIMIT, RESPONSE_AFTER_LIMIT, RESPONSE_WITHOUT_LIMIT};
use crate::model::{ExecRequest, Isolation};
use crate::{Delivery, Error, ErrorKind, ProcessApi};
pub(crate) use attempts::{Attempts, Progress, timed_out};
pub(crate) use upload::Upload;

/// Checks that a daemon knows what isolation is, if a request asks for one: other daemons would ignore that and run the process
/// with their own rights.
///
/// # Errors
///
/// Returns an error of kind [`Unsupported`](ErrorKind::Unsupported) if it does not.
pub(crate) async fn isolates(
    daemon: &dyn ProcessApi,
    isolation: Option<&Isolation>,
) -> Result<(), Error> {
    // The capabilities are requested only if they matter: the first time costs requests of its own.
    if isolation.is_none() || daemon.capabilities().await?.isolation.is_some() {
        return Ok(());
    }
    let message = "the daemon does not isolate processes";
    let kind = ErrorKind::Unsupported;
    Err(Error::new(kind, Delivery::NotSent, message))
}

/// Checks that a daemon knows what a soft limit is, if a request has one: other daemons would ignore that and wait for the end.
///
/// # Errors
///
/// Returns an error of kind [`Unsupported`](ErrorKind::Unsupported) if it does not.
pub(crate) async fn soft_limits(
    daemon: &dyn ProcessApi,
    request: &ExecRequest,
) -> Result<(), Error> {
    if request.soft_timeout.is_none() || daemon.capabilities().await?.extensions {
        return Ok(());
    }
    let message = "the daemon has no soft limits";
    let kind = ErrorKind::Unsupported;
    Err(Error::new(kind, Delivery::NotSent, message))
}

/// Returns the longest wait for the response about a command or program with this limit.
pub(crate) fn respond_within(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => limit.saturating_add(RESPONSE_AFTER_LIMIT),
        None => RESPONSE_WITHOUT_LIMIT,
    }
}

/// Returns the limit to send to a daemon.
pub(crate) fn time_limit(limit: Duration) -> Duration {
    limit.max(MIN_TIME_LIMIT)
}
