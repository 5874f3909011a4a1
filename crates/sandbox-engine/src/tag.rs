//! A label that every process of a run inherits, wherever it goes.

use std::sync::atomic::{AtomicU64, Ordering};

/// A label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tag(u64);

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Tag {
    pub(crate) fn next() -> Self {
        Self(
            0x4000_0000_0000_0000
                | u64::from(std::process::id()) << 32
                | NEXT.fetch_add(1, Ordering::Relaxed),
        )
    }

    pub(crate) fn put_on(self, pid: u32) {
        let _ = crate::sys::set_realtime_limit(pid, self.0);
    }

    pub(crate) fn of(pid: u32) -> Option<Self> {
        crate::sys::realtime_limit(pid).map(Self)
    }
}
