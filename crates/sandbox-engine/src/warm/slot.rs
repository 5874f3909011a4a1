//! The place of a process that is kept for programs to come.

use std::time::Instant;

use crate::limits::WARM_RETRY;

/// What stands of a process of kind `K`, which is reached by `R` when it is ready.
#[derive(Debug, Default)]
pub(super) enum Slot<K, R> {
    #[default]
    Empty,
    /// A program that could have had one had none, or took it.
    Wanted(K),
    Starting,
    Ready(K, R),
    /// Not to be tried again for a while.
    Unfit(K, Instant),
}

impl<K: Clone + PartialEq, R> Slot<K, R> {
    /// Says that one of this kind is wanted, and gives what stood here before. `None` if that is to stay: one starts, or one
    /// of the kind was unfit not long ago.
    pub(super) fn want(&mut self, key: K) -> Option<Self> {
        let is_wanted = match self {
            Self::Starting => false,
            Self::Unfit(of, since) => *of != key || since.elapsed() >= WARM_RETRY,
            Self::Empty | Self::Wanted(_) | Self::Ready(..) => true,
        };
        is_wanted.then(|| std::mem::replace(self, Self::Wanted(key)))
    }

    /// Begins to start the one that is wanted, if one is.
    pub(super) fn begin(&mut self) -> Option<K> {
        let Self::Wanted(key) = self else { return None };
        let key = key.clone();
        *self = Self::Starting;
        Some(key)
    }
}
