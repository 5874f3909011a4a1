//! Policies for repeating requests.

use std::fmt;
use std::time::Duration;

use crate::{Delivery, Error, ErrorKind};

/// A policy that decides whether a request that failed is sent again.
///
/// It is consulted after each failure, and the operation's deadline covers all attempts. Nothing is repeated without
/// it, with one exception: a request that got status 401 is sent one more time with a fresh token, if the token comes
/// from a [`TokenProvider`](crate::TokenProvider).
pub trait RetryPolicy: fmt::Debug + Send + Sync {
    /// Returns how long to wait before the request is sent again, or `None` to return the error.
    fn retry(&self, failure: &Failure<'_>) -> Option<Duration>;
}

/// A request that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// The error that it failed with.
    pub error: &'a Error,
    /// The effect of carrying it out a second time.
    pub effect: Effect,
    /// How often it has been sent so far; at least 1.
    pub attempts: u32,
    /// Whether it has an [idempotency key](crate::CallOptions::idempotency_key).
    pub has_key: bool,
}

/// The effect of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// The request changes nothing.
    None,
    /// The request changes something, and a second time changes nothing more; but the second response may differ, for
    /// example if the object to delete no longer exists.
    Idempotent,
    /// The request has another effect each time: a command would run twice.
    Once,
}

/// A policy that repeats requests for which that is safe, a few times: the default.
///
/// These are requests of which no byte was sent, because there was no connection or it had ended, and requests that
/// change nothing and got no response. Deadlines that passed and refusals are not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafeRetries {
    /// The maximum number of times that a request is sent. Default: 3.
    pub attempts: u32,
    /// The wait before the first repetition; each further one is twice as long. Default: 100 ms.
    pub pause: Duration,
}

impl Default for SafeRetries {
    fn default() -> Self {
        Self {
            attempts: 3,
            pause: Duration::from_millis(100),
        }
    }
}

impl RetryPolicy for SafeRetries {
    fn retry(&self, failure: &Failure<'_>) -> Option<Duration> {
        if failure.attempts >= self.attempts {
            return None;
        }
        let error = failure.error;
        let is_safe = match (error.delivery(), failure.effect) {
            // Other kinds are deadlines, and mistakes that the next attempt would repeat.
            (Delivery::NotSent, _) => {
                matches!(error.kind(), ErrorKind::Connect | ErrorKind::Closed)
            }
            (Delivery::Uncertain, Effect::None) => error.kind() == ErrorKind::Closed,
            _ => false,
        };
        let factor = 2_u32.saturating_pow(failure.attempts.saturating_sub(1));
        is_safe.then(|| self.pause.saturating_mul(factor))
    }
}

/// A policy that repeats what [`SafeRetries`] does, and any request that got no response and has an
/// [idempotency key](crate::CallOptions::idempotency_key).
///
/// This is for daemons that carry out requests of the same key exactly once, and respond to each repetition as to the
/// first: this project's ([`Capabilities::extensions`](crate::Capabilities::extensions)), until it is restarted. With
/// any other daemon, a command may run twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyedRetries {
    /// The number of attempts and the pauses between them.
    pub safe: SafeRetries,
}

impl RetryPolicy for KeyedRetries {
    fn retry(&self, failure: &Failure<'_>) -> Option<Duration> {
        let effect = if failure.has_key {
            Effect::None
        } else {
            failure.effect
        };
        self.safe.retry(&Failure { effect, ..*failure })
    }
}

/// A policy that never repeats a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoRetries;

impl RetryPolicy for NoRetries {
    fn retry(&self, _: &Failure<'_>) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_safe_is_repeated() {
        use Delivery::{NotSent, Rejected, Uncertain};
        use ErrorKind::{Closed, Connect, Server, Timeout, Unauthorized};
        let check = |kind, delivery, effect, expect| {
            let error = Error::new(kind, delivery, "");
            let failure = |attempts| Failure {
                error: &error,
                effect,
                attempts,
                has_key: true,
            };
            let policy = SafeRetries::default();
            let pauses = [1, 2, 3].map(|attempts| policy.retry(&failure(attempts)));
            let pauses = pauses.map(|pause| pause.map(|pause| pause.as_millis()));
            let repeated = [Some(100), Some(200), None];
            assert_eq!(pauses, if expect { repeated } else { [None; 3] });
            assert_eq!(NoRetries.retry(&failure(1)), None);
            // With a key, anything that got no response.
            let keyed = KeyedRetries::default().retry(&failure(1)).is_some();
            let got_none = (kind, delivery) == (Closed, Uncertain);
            assert_eq!(keyed, expect || got_none);
        };
        check(Connect, NotSent, Effect::Once, true);
        check(Connect, NotSent, Effect::None, true);
        check(Closed, NotSent, Effect::Once, true);
        check(Closed, Uncertain, Effect::None, true);
        check(Closed, Uncertain, Effect::Idempotent, false);
        check(Closed, Uncertain, Effect::Once, false);
        check(Timeout, Uncertain, Effect::None, false);
        check(Timeout, NotSent, Effect::None, false);
        check(Server, Uncertain, Effect::None, false);
        check(Unauthorized, Rejected, Effect::None, false);
        check(Unauthorized, NotSent, Effect::Once, false);
    }
}
