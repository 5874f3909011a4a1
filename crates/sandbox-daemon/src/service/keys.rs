//! Which command the key of a request has started, over whichever protocol it came.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox_wire::ErrorCode;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::Error;
use crate::limits::KEPT_KEYS;

/// The keys, and what each has started.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    entries: Mutex<Entries>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Entries {
    by_name: HashMap<Name, Arc<AsyncMutex<Option<Known>>>>,
    /// Those that have started a command, the oldest first.
    known: VecDeque<Name>,
}

/// A key, and the session that it belongs to; empty for commands of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    session_id: String,
    key: String,
}

#[derive(Debug)]
struct Known {
    /// The hash of what was asked for, since a request can be long.
    request: u64,
    command_id: String,
}

/// The turn of one request. Those with the same key wait until this is dropped, so that two at the same time start one
/// command; others do not.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    keys: &'a Keys,
    request: u64,
    name: Name,
    /// `None` for a request without a key, and while the turn has not come.
    known: Option<OwnedMutexGuard<Option<Known>>>,
}

impl Keys {
    /// Waits for the turn of a request, whose key may be empty. `request` is what is asked for, with nothing in it that may
    /// differ the next time.
    pub(crate) async fn turn(&self, session_id: &str, key: &str, request: impl Hash) -> Turn<'_> {
        // Made first: the request may be dropped while it waits.
        let mut turn = Turn {
            keys: self,
            request: self.hasher.hash_one(request),
            name: Name {
                session_id: session_id.to_owned(),
                key: key.to_owned(),
            },
            known: None,
        };
        if !key.is_empty() {
            let name = turn.name.clone();
            let known = Arc::clone(self.entries().by_name.entry(name).or_default());
            turn.known = Some(known.lock_owned().await);
        }
        turn
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Returns the id of the command that a request with the key has started.
    pub(crate) fn command_id(&self) -> Option<&str> {
        Some(&*self.known()?.command_id)
    }

    /// Refuses a key that was used for another request.
    ///
    /// # Errors
    ///
    /// Returns a [`Conflict`](ErrorCode::Conflict).
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.known() {
            Some(known) if known.request != self.request => Err(Error::new(
                ErrorCode::Conflict,
                "the idempotency key belongs to another request",
            )),
            _ => Ok(()),
        }
    }

    /// Notes that the request has started a command.
    pub(crate) fn fill(&mut self, command_id: &str) {
        let Some(known) = &mut self.known else { return };
        let mut entries = self.keys.entries();
        let command_id = command_id.to_owned();
        let request = self.request;
        if known
            .replace(Known {
                request,
                command_id,
            })
            .is_some()
        {
            entries.known.retain(|name| *name != self.name);
        }
        entries.known.push_back(self.name.clone());
        if entries.known.len() > KEPT_KEYS
            && let Some(oldest) = entries.known.pop_front()
        {
            entries.by_name.remove(&oldest);
        }
    }

    fn known(&self) -> Option<&Known> {
        self.known.as_ref()?.as_ref()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.known().is_some() {
            return;
        }
        let mut entries = self.keys.entries();
        drop(self.known.take());
        // Nothing was started, and no other request waits, which would hold it as well.
        let is_unused = |entry: &Arc<AsyncMutex<Option<Known>>>| {
            Arc::strong_count(entry) == 1 && entry.try_lock().is_ok_and(|known| known.is_none())
        };
        if entries.by_name.get(&self.name).is_some_and(is_unused) {
            entries.by_name.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn requests_with_one_key_take_turns() {
        let keys = Keys::default();
        let mut first = keys.turn("s", "k", 1).await;
        assert_eq!(first.command_id(), None);
        for (session_id, key) in [("s", "other"), ("other", "k"), ("s", ""), ("s", "")] {
            assert_eq!(keys.turn(session_id, key, 1).await.command_id(), None);
        }
        let mut second = Box::pin(keys.turn("s", "k", 1));
        assert!((&mut second).now_or_never().is_none());
        // One that does not wait any longer.
        assert!(keys.turn("s", "k", 1).now_or_never().is_none());
        first.fill("c");
        drop(first);
        let second = second.await;
        assert_eq!(second.command_id(), Some("c"));
        assert!(second.check().is_ok());
        drop(second);
        assert!(keys.turn("s", "k", 2).await.check().is_err());
    }

    #[tokio::test]
    async fn nothing_is_left_of_keys_that_started_nothing() {
        let keys = Keys::default();
        let first = keys.turn("s", "k", 1).await;
        let mut second = Box::pin(keys.turn("s", "k", 1));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert_eq!(keys.entries().by_name.len(), 1);
        drop(second);
        assert!(keys.entries().by_name.is_empty());
        drop(keys.turn("s", "k", 1).await);
        assert!(keys.entries().by_name.is_empty());
    }

    #[tokio::test]
    async fn a_key_whose_command_was_removed_is_among_the_newest_again() {
        let keys = Keys::default();
        for command_id in ["a", "b"] {
            keys.turn("s", "k", 1).await.fill(command_id);
        }
        assert_eq!(keys.turn("s", "k", 1).await.command_id(), Some("b"));
        let entries = keys.entries();
        assert_eq!((entries.by_name.len(), entries.known.len()), (1, 1));
    }
}
