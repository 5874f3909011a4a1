//! The slot of a process that is pooled for later programs.

use std::time::Instant;

use crate::limits::WARM_RETRY;

/// The state of a pooled process of kind `K`, which is reached by `R` when it is ready.
#[derive(Debug, Default)]
pub(crate) enum Slot<K, R> {
    #[default]
    Empty,
    /// A program that could have used one found none, or took it.
    Wanted(K),
    Starting,
    Ready(K, R),
    /// Not to be tried again before [`WARM_RETRY`] has passed.
    Unfit(K, Instant),
}

impl<K: Clone + PartialEq, R> Slot<K, R> {
    /// Marks a process of this kind as wanted, and returns the previous state. Returns `None` and changes nothing if one is
    /// starting, or one of the kind was unfit recently.
    pub(crate) fn want(&mut self, key: K) -> Option<Self> {
        let is_wanted = match self {
            Self::Starting => false,
            Self::Unfit(of, since) => *of != key || since.elapsed() >= WARM_RETRY,
            Self::Empty | Self::Wanted(_) | Self::Ready(..) => true,
        };
        is_wanted.then(|| std::mem::replace(self, Self::Wanted(key)))
    }

    /// Returns the kind of the wanted process, if any, and marks it as starting.
    pub(crate) fn begin(&mut self) -> Option<K> {
        let Self::Wanted(key) = self else { return None };
        let key = key.clone();
        *self = Self::Starting;
        Some(key)
    }
}
