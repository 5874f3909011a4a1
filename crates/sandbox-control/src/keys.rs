//! Keys by which a request to create a sandbox is repeated without creating another.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use sandbox_provider::SandboxId;
use sandbox_wire::ErrorCode;
use tokio::sync::OnceCell;

use crate::clock::Clock;
use crate::error::ApiError;
use crate::limits::{CREATE_KEY_AGE, CREATE_KEYS};
use crate::sync::lock;

/// The keys of requests that were made, or are being made.
#[derive(Debug)]
pub(crate) struct Keys {
    clock: Clock,
    hasher: RandomState,
    entries: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    begun: SystemTime,
    /// Of the request: another one with this key is a mistake.
    hash: u64,
    created: Created,
}

/// The sandbox of a key, once it is there.
pub(crate) type Created = Arc<OnceCell<SandboxId>>;

impl Keys {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            hasher: RandomState::new(),
            entries: Mutex::default(),
        }
    }

    /// Returns the sandbox of a key, which the first caller that finds it empty creates.
    ///
    /// # Errors
    ///
    /// Returns 409 if the key is that of another request.
    pub(crate) fn enter(&self, key: &str, request: &str) -> Result<Created, ApiError> {
        let now = self.clock.now();
        let hash = self.hasher.hash_one(request);
        let mut entries = lock(&self.entries);
        entries.retain(|_, entry| entry.begun + CREATE_KEY_AGE > now);
        if let Some(entry) = entries.get(key) {
            return if entry.hash == hash {
                Ok(Arc::clone(&entry.created))
            } else {
                let message = "the Idempotency-Key is that of another request";
                Err(ApiError::new(ErrorCode::Conflict, message))
            };
        }
        if entries.len() >= CREATE_KEYS
            && let Some(oldest) = entries.iter().min_by_key(|(_, entry)| entry.begun)
        {
            let oldest = oldest.0.clone();
            entries.remove(&oldest);
        }
        let created = Created::default();
        let entry = Entry {
            begun: now,
            hash,
            created: Arc::clone(&created),
        };
        entries.insert(key.to_owned(), entry);
        Ok(created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keys_are_forgotten_in_time_and_beyond_their_number() {
        let keys = Keys::new(Clock::new());
        let id = SandboxId::new("a");
        let is_new = |key: &str| keys.enter(key, "request").unwrap().get().is_none();
        keys.enter("first", "request")
            .unwrap()
            .set(id.clone())
            .unwrap();
        assert!(!is_new("first"));
        assert!(keys.enter("first", "other").is_err());
        tokio::time::sleep(CREATE_KEY_AGE).await;
        assert!(is_new("first"));

        keys.enter("first", "request").unwrap().set(id).unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        for number in 1..CREATE_KEYS {
            assert!(is_new(&number.to_string()));
        }
        assert!(!is_new("first"));
        assert!(is_new("one more"));
        assert!(is_new("first"));
    }
}
