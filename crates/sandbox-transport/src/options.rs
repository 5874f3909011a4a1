//! Options of single operations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::RetryPolicy;

/// Options of an operation; see [`ProcessApi::with_options`](crate::ProcessApi::with_options).
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// The longest wait for the response, all repetitions included; for a stream, for its beginning. `None`: the
    /// default of the operation, see [`limits`](crate::limits).
    pub deadline: Option<Duration>,
    /// A name for the request, chosen by the caller and sent as `Idempotency-Key`. A daemon that supports such keys
    /// carries out requests of the same key exactly once; others ignore it, so it does not change what is repeated by
    /// default: see [`KeyedRetries`](crate::KeyedRetries).
    pub idempotency_key: Option<String>,
    /// The policy that decides what is repeated. `None`: the policy of the transport.
    pub retry: Option<Arc<dyn RetryPolicy>>,
}

impl CallOptions {
    /// Creates options that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the longest wait for the response.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Sets the name of the request.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets the policy that decides what is repeated.
    #[must_use]
    pub fn retry(mut self, policy: impl RetryPolicy + 'static) -> Self {
        self.retry = Some(Arc::new(policy));
        self
    }

    /// Returns these options, with the unset ones taken from `before`.
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
