//! The bound on the disk space of an engine's records.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::limits::RECORDS_FREE_SHARE;
use crate::sync::lock;

/// A bound on the bytes of all records. To make room, the data of commands that have ended is removed, oldest end first;
/// running commands cannot reserve more.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    /// In order of end.
    ended: VecDeque<Weak<dyn Evict>>,
}

/// Data on disk that may be removed.
pub(super) trait Evict: fmt::Debug + Send + Sync {
    /// Removes the data, which [releases](Budget::release) its bytes after the last reader has dropped it.
    fn evict(&self);
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    /// Reserves `bytes`, where the file system has `free` more.
    ///
    /// # Errors
    ///
    /// [`QuotaExceeded`](io::ErrorKind::QuotaExceeded) if they do not fit beside the data of running commands.
    pub(super) fn reserve(&self, bytes: u64, free: u64) -> io::Result<()> {
        // Evicted data becomes free space, so the bound is unchanged.
        let all = self.state().used.saturating_add(free);
        let bound = (all / RECORDS_FREE_SHARE).min(self.limit);
        loop {
            let oldest = {
                let mut state = self.state();
                if state.used.saturating_add(bytes) <= bound {
                    state.used += bytes;
                    return Ok(());
                }
                // A request that can never fit evicts nothing.
                if bytes <= bound {
                    state.ended.pop_front()
                } else {
                    None
                }
            };
            match oldest {
                // Not under the lock, which the release of the evicted bytes takes.
                Some(oldest) => {
                    if let Some(oldest) = oldest.upgrade() {
                        oldest.evict();
                    }
                }
                None => return Err(io::ErrorKind::QuotaExceeded.into()),
            }
        }
    }

    pub(super) fn release(&self, bytes: u64) {
        self.state().used -= bytes;
    }

    /// Allows `data` to be removed from now on.
    pub(super) fn ended(&self, data: &Arc<impl Evict + 'static>) {
        let data: Arc<dyn Evict> = data.clone();
        let mut state = self.state();
        // Rarely enough that its cost is spread over many ends.
        if state.ended.len().is_power_of_two() {
            state.ended.retain(|data| data.strong_count() > 0);
        }
        state.ended.push_back(Arc::downgrade(&data));
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.state().used
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_used_than_a_share_of_what_is_free() {
        let budget = Budget::new(1000);
        assert!(budget.reserve(400, 799).is_err(), "more than half of 799");
        budget.reserve(400, 800).unwrap();
        assert!(budget.reserve(1, 400).is_err(), "400 of 800 are used");
        budget.reserve(600, 10_000).unwrap();
        assert!(budget.reserve(1, 10_000).is_err(), "the limit");
        budget.release(1000);
        assert_eq!(budget.used(), 0);
    }
}
