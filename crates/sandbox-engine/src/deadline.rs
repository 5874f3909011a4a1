//! Waiting for a moment that need not come.

use tokio::time::{Instant, sleep_until};

/// Waits until the deadline; forever if there is none. Cancel safe.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
