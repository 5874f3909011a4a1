//! Options of single operations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::RetryPolicy;

/// Options of an operation; see [`ProcessApi::with_options`](crate::ProcessApi::with_options).
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// Longest wait for the answer, all repetitions included; for a stream, for its beginning. `None`: the default of
    /// the operation, see [`limits`](crate::limits).
    pub deadline: Option<Duration>,
    /// A name for what is asked for, chosen by the caller and sent as `Idempotency-Key`. A daemon that knows such names
    /// does what has the same name once; others ignore it, so it changes nothing about what is repeated by itself: see
    /// [`KeyedRetries`](crate::KeyedRetries).
    pub idempotency_key: Option<String>,
    /// What is repeated. `None`: as the carrier was set up.
    pub retry: Option<Arc<dyn RetryPolicy>>,
}

impl CallOptions {
    /// Options that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits at most so long for the answer.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Gives what is asked for a name.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Repeats as this policy says.
    #[must_use]
    pub fn retry(mut self, policy: impl RetryPolicy + 'static) -> Self {
        self.retry = Some(Arc::new(policy));
        self
    }

    /// These options, and where they leave something out, those of `before`.
    #[must_use]
    pub fn or(self, before: &Self) -> Self {
        Self {
            deadline: self.deadline.or(before.deadline),
            idempotency_key: self
                .idempotency_key
                .or_else(|| before.idempotency_key.clone()),
            retry: self.retry.or_else(|| before.retry.clone()),
        }
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions")
            .field("deadline", &self.deadline)
            .field("idempotency_key", &self.idempotency_key)
            .field("retry", &self.retry)
            .finish()
    }
}
