//! The attempts at one operation.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper_util::client::legacy::connect::CaptureConnection;

use crate::token::{Presented, Tokens};
use crate::{Delivery, Effect, Error, ErrorKind, Failure, RetryPolicy};

/// The settings by which an operation is attempted.
pub(crate) struct Attempts<'a> {
    pub(crate) tokens: &'a Tokens,
    pub(crate) policy: &'a dyn RetryPolicy,
    pub(crate) effect: Effect,
    /// Whether the daemon recognizes a repetition by its idempotency key.
    pub(crate) has_key: bool,
    /// The deadline of all attempts together.
    pub(crate) deadline: Duration,
}

impl Attempts<'_> {
    /// Exchanges a request for its response, and again as the policy says, until the deadline.
    pub(crate) async fn make<T, F>(
        &self,
        exchange: impl Fn(Option<Presented>, Progress) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        // Outside of the timeout, which drops everything else: what may have arrived is still
        // needed.
        let progress = Progress::default();
        match tokio::time::timeout(self.deadline, self.repeat(&exchange, &progress)).await {
            Ok(result) => result,
            Err(_) => Err(progress.timed_out(self.deadline)),
        }
    }

    async fn repeat<T, F>(
        &self,
        exchange: &impl Fn(Option<Presented>, Progress) -> F,
        progress: &Progress,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match self.attempt(exchange, progress).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = self.policy.retry(&Failure {
                error: &error,
                effect: self.effect,
                attempts,
                has_key: self.has_key,
            });
            let Some(pause) = pause else {
                return Err(error);
            };
            // Before the pause, in which the deadline may pass.
            progress.failed(&error);
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a request one time, or twice if the first token was refused and there is a fresh one, since a request that
    /// got status 401 was not carried out.
    async fn attempt<T, F>(
        &self,
        exchange: &impl Fn(Option<Presented>, Progress) -> F,
        progress: &Progress,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        // For each attempt: a token may expire during the pauses between them.
        let token = self.tokens.get().await?;
        match exchange(token.clone(), progress.clone()).await {
            Err(error) if error.status() == Some(401) => match self.tokens.renew(token).await? {
                Some(fresh) => exchange(Some(fresh), progress.clone()).await,
                None => Err(error),
            },
            result => result,
        }
    }
}

/// A record of whether the daemon may have received a request. Clones share their state.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Whether an earlier attempt may have arrived.
    is_uncertain: bool,
    /// The handle that reports whether the current attempt has a connection, to which its request is then written.
    connection: Option<CaptureConnection>,
}

impl Progress {
    pub(crate) fn begin(&self, connection: CaptureConnection) {
        self.lock().connection = Some(connection);
    }

    fn failed(&self, error: &Error) {
        let mut state = self.lock();
        state.is_uncertain |= error.delivery() == Delivery::Uncertain;
        // It was the failed attempt's. Until the next one has a connection, nothing of it was
        // written.
        state.connection = None;
    }

    fn timed_out(&self, limit: Duration) -> Error {
        let state = self.lock();
        // Without a connection nothing was written. With one the request may be on its way, whatever hyper has done with it.
        let has_connection = state
            .connection
            .as_ref()
            .is_some_and(|connection| connection.connection_metadata().is_some());
        let delivery = if state.is_uncertain || has_connection {
            Delivery::Uncertain
        } else {
            Delivery::NotSent
        };
        timed_out(limit, delivery)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn timed_out(limit: Duration, delivery: Delivery) -> Error {
    let message = format!("no response within {limit:?}");
    Error::new(ErrorKind::Timeout, delivery, message)
}
