//! Values that are found by random tokens for a while.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// Values by their tokens, at most a number of them. Those that have expired are removed when there is no room for another.
#[derive(Debug)]
pub(crate) struct Expiring<V> {
    most: usize,
    entries: HashMap<String, (SystemTime, V)>,
}

impl<V> Expiring<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            entries: HashMap::new(),
        }
    }

    /// Returns a token for a value, which is valid for this time; `None` if too many are valid.
    pub(crate) fn issue(&mut self, now: SystemTime, time: Duration, value: V) -> Option<String> {
        if self.entries.len() >= self.most {
            self.entries.retain(|_, (until, _)| *until > now);
        }
        if self.entries.len() >= self.most {
            return None;
        }
        let token = random();
        self.entries.insert(token.clone(), (now + time, value));
        Some(token)
    }

    /// Returns the value of a token that is valid.
    pub(crate) fn get(&self, now: SystemTime, token: &str) -> Option<&V> {
        let (until, value) = self.entries.get(token)?;
        (*until > now).then_some(value)
    }

    /// Returns the value of a token that is valid, and invalidates it.
    pub(crate) fn remove(&mut self, now: SystemTime, token: &str) -> Option<V> {
        let (until, value) = self.entries.remove(token)?;
        (until > now).then_some(value)
    }

    /// Invalidates the tokens of all other values.
    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.entries.retain(|_, (_, value)| keep(value));
    }
}

/// Returns 122 bits of the system's randomness, which can be a part of a host's name.
pub(crate) fn random() -> String {
    Uuid::new_v4().simple().to_string()
}
