//! What is repeated.

use std::fmt;
use std::time::Duration;

use crate::{Delivery, Error, ErrorKind};

/// Decides whether a request that failed is sent again.
///
/// It is asked after each failure, and the operation's deadline holds over all of them. Nothing is ever repeated without
/// it, but for one thing: a request that was answered 401 is sent once more with a fresh token, where the token comes
/// from a [`TokenProvider`](crate::TokenProvider).
pub trait RetryPolicy: fmt::Debug + Send + Sync {
    /// How long to wait before the request is sent again, or `None` to give up.
    fn retry(&self, failure: &Failure<'_>) -> Option<Duration>;
}

/// A request that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// Why.
    pub error: &'a Error,
    /// What carrying it out twice would do.
    pub effect: Effect,
    /// How often it was sent by now; at least 1.
    pub attempts: u32,
    /// Whether it has an [idempotency key](crate::CallOptions::idempotency_key).
    pub has_key: bool,
}

/// What it does to carry out a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// It changes nothing.
    None,
    /// It changes something, and doing it twice changes no more; but the second answer may differ, as when what was to
    /// be deleted is gone already.
    Idempotent,
    /// Doing it twice is not doing it once: a command would run twice.
    Once,
}

/// Repeats what cannot do harm, a few times: the default.
///
/// That is a request of which no byte was sent, because there was no connection, and a request that changes nothing and
/// got no answer. Deadlines that passed and refusals are not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafeRetries {
    /// How often a request is sent at most. Default: 3.
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

/// Repeats what [`SafeRetries`] does, and whatever got no answer and has an
/// [idempotency key](crate::CallOptions::idempotency_key).
///
/// For daemons that carry out once what has the same key, and answer each repetition as the first: this project's
/// ([`Capabilities::extensions`](crate::Capabilities::extensions)), until it is restarted. With any other, a command may run
/// twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyedRetries {
    /// How often, and with which pauses.
    pub safe: SafeRetries,
}

impl RetryPolicy for KeyedRetries {
    fn retry(&self, failure: &Failure<'_>) -> Option<Duration> {
        let effect = match failure.has_key {
            true => Effect::None,
            false => failure.effect,
        };
        self.safe.retry(&Failure { effect, ..*failure })
    }
}

/// Repeats nothing.
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
            // With a key, anything that got no answer.
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
