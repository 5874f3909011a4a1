//! Gives the memory of large work back to the kernel.

use tokio::sync::Notify;
#[cfg(feature = "cli")]
use tokio::time::{Duration, MissedTickBehavior};

/// Something that may hold much memory. When it is dropped, [`return_freed`] has a look.
#[derive(Debug, Default)]
pub(crate) struct Holder;

static RELEASED: Notify = Notify::const_new();

impl Drop for Holder {
    fn drop(&mut self) {
        RELEASED.notify_one();
    }
}

/// Returns freed memory to the kernel after each large work, and never ends.
///
/// An allocator keeps what was freed for later, which after one large response may be hundreds of megabytes. A walk through
/// them takes milliseconds, so it is made when a holder has been dropped, at most every half second, and only if this process has
/// much more than at first.
///
/// For a process that is a daemon and nothing else.
#[cfg(feature = "cli")]
pub(crate) async fn return_freed() {
    let idle = anonymous_bytes();
    let mut pause = tokio::time::interval(PAUSE);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        RELEASED.notified().await;
        // What the holder had is dropped beside it, or soon after.
        for _ in 0..LOOKS {
            pause.tick().await;
            if anonymous_bytes() > idle + LITTLE {
                // It locks the allocator, part by part.
                let walk = tokio::task::spawn_blocking(sandbox_engine::return_freed_memory);
                if let Err(error) = walk.await {
                    tracing::debug!(%error, "freed memory was not returned");
                }
            }
        }
    }
}

/// Bytes of this process that are in memory and in no file.
#[cfg(feature = "cli")]
fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(0, |kib| kib * 1024)
}

/// Between two looks.
#[cfg(feature = "cli")]
const PAUSE: Duration = Duration::from_millis(300);

/// After each release.
#[cfg(feature = "cli")]
const LOOKS: u32 = 3;

/// What is left with the allocator.
#[cfg(feature = "cli")]
const LITTLE: u64 = 4 * 1024 * 1024;
