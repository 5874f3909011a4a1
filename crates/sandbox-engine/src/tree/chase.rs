//! The search for processes that are started faster than a walk through `/proc` finds them.

use std::collections::HashSet;

use rustix::process::Signal;
use tokio::time::Instant;

use super::Tree;
use super::member::{Member, Proof};
use crate::procfs;

/// The search for processes that were started recently, and that only start their heirs and end.
///
/// Such a process lives a millisecond. But ids are assigned in order, so the heirs are among the newest, and the newest are
/// the ones that live.
#[derive(Debug, Default)]
pub(super) struct Chase {
    /// The processes that were signaled.
    pub(super) seen: HashSet<u32>,
    /// The newest id when a round began that found nothing: after that, only later ones are new.
    checked: Option<u32>,
}

impl Chase {
    /// Creates a search for processes that were started after `newest` was the newest id.
    pub(super) fn after(newest: u32) -> Self {
        Self {
            seen: HashSet::new(),
            checked: Some(newest),
        }
    }

    /// Signals by KILL the recently started processes of `tree`, and those that are started meanwhile, until there are none;
    /// returns whether it found any that it had not seen.
    pub(super) fn run(&mut self, tree: &Tree, give_up: Instant) -> bool {
        if !tree.has_tags() {
            return false;
        }
        let before = self.seen.len();
        let mut quiet = 0;
        // One round that finds nothing proves little: it may have missed an heir that was started meanwhile.
        while quiet < QUIET_ROUNDS
            && let Some(newest) = procfs::last_pid()
            && Instant::now() < give_up
        {
            let found = self.seen.len();
            for pid in (self.first(newest)..=newest).rev() {
                if !self.seen.contains(&pid)
                    && let Some(tag) = tree.tag_of(pid)
                {
                    Member::send(pid, Proof::Tag(tag), Signal::KILL);
                    self.seen.insert(pid);
                }
            }
            let is_quiet = self.seen.len() == found;
            self.checked = is_quiet.then_some(newest);
            quiet = if is_quiet { quiet + 1 } else { 0 };
        }
        self.seen.len() > before
    }

    /// Returns the first id to check, if this is the newest.
    fn first(&self, newest: u32) -> u32 {
        let of_all = newest.saturating_sub(LATELY);
        match self.checked {
            // Ids that were assigned then, to processes that did not exist yet, are checked again.
            Some(checked) if checked <= newest => of_all.max(checked.saturating_sub(UNBORN)),
            _ => of_all,
        }
    }
}

/// The number of ids before the newest one that are checked, which takes a millisecond.
const LATELY: u32 = 4096;
/// The number of ids that are checked again: more than there are forks under way at a time.
const UNBORN: u32 = 256;
const QUIET_ROUNDS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_checked_is_not_checked_again() {
        let first = |checked, newest| {
            let chase = Chase {
                seen: HashSet::new(),
                checked,
            };
            chase.first(newest)
        };
        assert_eq!(first(None, 10_000), 10_000 - LATELY);
        assert_eq!(first(Some(10_000), 10_000), 10_000 - UNBORN);
        assert_eq!(first(Some(10_000), 10_007), 10_000 - UNBORN);
        assert_eq!(first(Some(10_000), 20_000), 20_000 - LATELY);
        // The ids have begun again, and those at the end are checked no more than before.
        assert_eq!(first(Some(10_000), 300), 0);
        assert_eq!(first(Some(100), 101), 0);
    }
}
