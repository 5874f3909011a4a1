//! Returns the memory that large work has freed to the kernel.

use tokio::sync::Notify;
use tokio::time::{Duration, MissedTickBehavior};

/// A marker for work that may use much memory. When it is dropped, [`return_freed`] checks the process.
#[derive(Debug, Default)]
pub struct Holder;

static RELEASED: Notify = Notify::const_new();

impl Drop for Holder {
    fn drop(&mut self) {
        // `Notify` stores at most one permit, so that many releases during a pause are one check.
        RELEASED.notify_one();
    }
}

/// Returns freed memory to the kernel after large work; never completes.
///
/// An allocator caches freed memory, which after one large response may be hundreds of megabytes. Releasing it takes
/// milliseconds, so it is done when a holder has been dropped, at most once per `PAUSE`, and only if this process uses much more
/// memory than at first.
///
/// Only for a process that is a daemon or a control plane, and nothing else.
///
/// # Cancel safety
///
/// If dropped, freed memory is no longer returned.
pub async fn return_freed() {
    let idle = anonymous_bytes();
    let mut pause = tokio::time::interval(PAUSE);
    // The interval is not polled between releases; the default would then make up for all missed
    // ticks at once.
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        RELEASED.notified().await;
        // The memory of the holder's work is freed beside it, or soon after.
        for _ in 0..LOOKS {
            pause.tick().await;
            if anonymous_bytes() > idle + LITTLE {
                // This locks the allocator, arena by arena.
                let walk = tokio::task::spawn_blocking(sandbox_engine::return_freed_memory);
                if let Err(error) = walk.await {
                    tracing::debug!(%error, "freed memory was not returned");
                }
            }
        }
    }
}

/// Returns the bytes of anonymous memory of this process.
fn anonymous_bytes() -> u64 {
    // RssAnon and not VmRSS, which has the pages of mapped files: those are not the allocator's.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    // Without `/proc` it is 0 each time, so that nothing is returned to the kernel.
    kib.map_or(0, |kib| kib * 1024)
}

/// Time between two checks.
const PAUSE: Duration = Duration::from_millis(300);

/// Number of checks after each release.
const LOOKS: u32 = 3;

/// Growth in bytes that is left with the allocator.
const LITTLE: u64 = 4 * 1024 * 1024;
