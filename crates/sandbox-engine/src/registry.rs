//! A registry of an engine's objects of one kind, by id.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use uuid::Uuid;

use crate::limits::ID_BYTES;
use crate::sync::lock;

/// A handle of an object that has an id while it is listed.
pub(crate) trait Entry: Clone {
    /// Returns the id.
    fn id(&self) -> &str;

    /// Returns whether both are handles of one object; another may have had the same id before.
    fn is(&self, other: &Self) -> bool;
}

/// An id of 1 to [`ID_BYTES`] bytes.
#[derive(Debug, Clone)]
pub(crate) struct Id(String);

/// The objects of one kind: the current ones in order of creation, the ids of those that are being created, and the last
/// ones that have ended.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    entries: Mutex<Entries<T>>,
    limit: usize,
    retained: usize,
}

#[derive(Debug)]
struct Entries<T> {
    listed: Vec<T>,
    reserved: HashSet<String>,
    /// The newest last.
    retired: VecDeque<T>,
}

/// An id that is reserved while its object is being created. Dropping it releases the id.
#[derive(Debug)]
pub(crate) struct Reservation<T> {
    registry: Arc<Registry<T>>,
    id: String,
}

/// An error from reserving an id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReserveError {
    /// The id is empty, or has more than `limit` bytes.
    Id { limit: usize },
    /// The id is in use.
    Exists { id: String },
    /// There are `limit` objects already, including those that are being created.
    TooMany { limit: usize },
}

impl Id {
    /// Checks an id that was chosen by a client.
    ///
    /// # Errors
    ///
    /// Returns [`ReserveError::Id`] if the id is empty or too long.
    pub(crate) fn parse(id: &str) -> Result<Self, ReserveError> {
        if id.is_empty() || id.len() > ID_BYTES {
            return Err(ReserveError::Id { limit: ID_BYTES });
        }
        Ok(Self(id.to_owned()))
    }

    /// Creates a random, unique id.
    pub(crate) fn draw() -> Self {
        Self(Uuid::new_v4().to_string())
    }
}

impl<T> Registry<T> {
    /// Creates a registry of at most `limit` objects, which can find the last `retained` of those that were
    /// [retired](Self::retire).
    pub(crate) fn new(limit: usize, retained: usize) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::new(Entries {
                listed: Vec::new(),
                reserved: HashSet::new(),
                retired: VecDeque::new(),
            }),
            limit,
            retained,
        })
    }

    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        lock(&self.entries)
    }
}

impl<T: Entry> Registry<T> {
    /// Reserves an id for an object that is to be created.
    ///
    /// # Errors
    ///
    /// Returns [`ReserveError::Exists`] or [`ReserveError::TooMany`]; an object that has ended has no id any more, and is not counted.
    pub(crate) fn reserve(self: &Arc<Self>, id: Id) -> Result<Reservation<T>, ReserveError> {
        let Id(id) = id;
        let mut entries = self.entries();
        let is_listed = entries.listed.iter().any(|entry| entry.id() == id);
        if is_listed || entries.reserved.contains(&id) {
            return Err(ReserveError::Exists { id });
        }
        if entries.listed.len() + entries.reserved.len() >= self.limit {
            return Err(ReserveError::TooMany { limit: self.limit });
        }
        entries.reserved.insert(id.clone());
        drop(entries);
        Ok(Reservation {
            registry: Arc::clone(self),
            id,
        })
    }

    /// Returns the object with this id, or else the last one that had it, if it is retained.
    pub(crate) fn get(&self, id: &str) -> Option<T> {
        let entries = self.entries();
        let retired = entries.retired.iter().rev();
        let mut all = entries.listed.iter().chain(retired);
        all.find(|entry| entry.id() == id).cloned()
    }

    /// Returns the objects that have not ended, in order of creation.
    pub(crate) fn list(&self) -> Vec<T> {
        self.entries().listed.clone()
    }

    /// Removes the object with this id, which is then free; the object is not retained.
    pub(crate) fn remove(&self, id: &str) -> Option<T> {
        let mut entries = self.entries();
        let found = entries.listed.iter().position(|entry| entry.id() == id)?;
        Some(entries.listed.remove(found))
    }

    /// Removes an object that has ended by itself, and retains it for a while; does nothing if it was removed before, when
    /// another may have its id.
    pub(crate) fn retire(&self, entry: &T) {
        let mut entries = self.entries();
        let Some(found) = entries.listed.iter().position(|other| other.is(entry)) else {
            return;
        };
        let ended = entries.listed.remove(found);
        entries.retired.retain(|other| other.id() != ended.id());
        entries.retired.push_back(ended);
        if entries.retired.len() > self.retained {
            entries.retired.pop_front();
        }
    }
}

impl<T> Reservation<T> {
    /// Returns the reserved id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Lists the created object; from now on the id refers to it, and to no earlier object.
    pub(crate) fn fill(self, entry: T)
    where
        T: Entry,
    {
        let mut entries = self.registry.entries();
        entries.retired.retain(|retired| retired.id() != self.id);
        entries.listed.push(entry);
        // The reservation ends after this, so the id is never free in between.
        drop(entries);
    }
}

impl<T> Drop for Reservation<T> {
    fn drop(&mut self) {
        self.registry.entries().reserved.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Thing {
        id: &'static str,
        number: usize,
    }

    impl Entry for Thing {
        fn id(&self) -> &str {
            self.id
        }

        fn is(&self, other: &Self) -> bool {
            self.number == other.number
        }
    }

    fn reserve(
        registry: &Arc<Registry<Thing>>,
        id: &str,
    ) -> Result<Reservation<Thing>, ReserveError> {
        registry.reserve(Id::parse(id)?)
    }

    fn make(registry: &Arc<Registry<Thing>>, id: &'static str, number: usize) -> Thing {
        let thing = Thing { id, number };
        reserve(registry, id).unwrap().fill(thing.clone());
        thing
    }

    #[test]
    fn ids_are_bounded() {
        for id in ["", &"x".repeat(ID_BYTES + 1)] {
            let refused = Id::parse(id).unwrap_err();
            assert_eq!(refused, ReserveError::Id { limit: ID_BYTES });
        }
        assert!(Id::parse(&"x".repeat(ID_BYTES)).is_ok());
    }

    #[test]
    fn an_id_is_taken_from_its_reservation_on() {
        let registry = Registry::new(3, 0);
        let exists = |id: &str| ReserveError::Exists { id: id.to_owned() };
        let reserved = reserve(&registry, "a").unwrap();
        assert_eq!(reserve(&registry, "a").unwrap_err(), exists("a"));
        assert_eq!(registry.get("a"), None);
        drop(reserved);
        let a = make(&registry, "a", 1);
        assert_eq!(reserve(&registry, "a").unwrap_err(), exists("a"));
        assert_eq!(registry.remove("a"), Some(a));
        assert_eq!(registry.remove("a"), None);
        make(&registry, "a", 2);
    }

    #[test]
    fn those_that_are_being_made_count() {
        let registry = Registry::new(2, 0);
        make(&registry, "a", 1);
        let b = reserve(&registry, "b").unwrap();
        let too_many = ReserveError::TooMany { limit: 2 };
        assert_eq!(reserve(&registry, "c").unwrap_err(), too_many);
        drop(b);
        make(&registry, "c", 2);
        assert_eq!(reserve(&registry, "d").unwrap_err(), too_many);
        registry.remove("a");
        make(&registry, "d", 3);
        let listed: Vec<_> = registry.list().iter().map(|thing| thing.id).collect();
        assert_eq!(listed, ["c", "d"]);
    }

    #[test]
    fn the_last_that_ended_are_found_until_their_ids_are_taken() {
        let registry = Registry::new(1, 2);
        let a = make(&registry, "a", 1);
        registry.retire(&a);
        assert_eq!(registry.list(), []);
        assert_eq!(registry.get("a"), Some(a));
        let again = make(&registry, "a", 2);
        assert_eq!(registry.get("a"), Some(again.clone()));
        registry.retire(&again);
        // One per id, and the oldest is discarded first.
        for (id, number) in [("b", 3), ("c", 4)] {
            registry.retire(&make(&registry, id, number));
        }
        assert_eq!(registry.get("a"), None);
        assert_eq!(registry.get("b").map(|thing| thing.number), Some(3));
        assert_eq!(registry.get("c").map(|thing| thing.number), Some(4));
    }

    #[test]
    fn the_end_of_one_that_was_removed_is_not_that_of_another() {
        let registry = Registry::new(1, 1);
        let first = make(&registry, "a", 1);
        registry.remove("a");
        let second = make(&registry, "a", 2);
        registry.retire(&first);
        assert_eq!(registry.get("a"), Some(second.clone()));
        assert_eq!(registry.list(), [second]);
    }

    #[test]
    fn what_is_not_to_be_retained_is_forgotten() {
        let registry = Registry::new(1, 0);
        registry.retire(&make(&registry, "a", 1));
        assert_eq!(registry.get("a"), None);
    }
}
