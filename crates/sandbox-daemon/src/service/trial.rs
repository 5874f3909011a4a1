//! What was found when something of the system was tried.

use sandbox_engine::isolation::IsolationError;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::chain;
use crate::limits::REFUSAL;

/// Why something is not possible, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) text: String,
    /// What would help, if that is known.
    pub(crate) help: Option<String>,
}

impl Problem {
    pub(super) fn of(error: &IsolationError) -> Self {
        Self {
            text: chain(error),
            help: error.help(),
        }
    }
}

/// Something that is tried with the first request that needs to know it. Requests that come meanwhile wait for that attempt.
///
/// A success is remembered, and a refusal for [`REFUSAL`]: what was missing may be installed or allowed meanwhile.
#[derive(Debug, Default)]
pub(super) struct Trial(Mutex<Option<Found>>);

#[derive(Debug)]
struct Found {
    outcome: Result<(), Problem>,
    at: Instant,
}

impl Trial {
    /// Returns what was found, or what `attempt` finds.
    pub(super) async fn outcome(
        &self,
        attempt: impl Future<Output = Result<(), IsolationError>>,
    ) -> Result<(), Problem> {
        // Held during the attempt, so that it is made one time. If this future is dropped, the next
        // request tries.
        let mut found = self.0.lock().await;
        if let Some(found) = &*found
            && (found.outcome.is_ok() || found.at.elapsed() < REFUSAL)
        {
            return found.outcome.clone();
        }
        let outcome = attempt.await.map_err(|error| Problem::of(&error));
        *found = Some(Found {
            outcome: outcome.clone(),
            // After the attempt, which may take long.
            at: Instant::now(),
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_success_is_remembered_and_a_refusal_for_a_while() {
        let refused = || async { Err(IsolationError::NoVerdict) };
        let allowed = || async { Ok(()) };
        let trial = Trial::default();
        let problem = trial.outcome(refused()).await.unwrap_err();
        assert_eq!(problem.text, chain(&IsolationError::NoVerdict));
        tokio::time::advance(REFUSAL / 2).await;
        assert_eq!(trial.outcome(allowed()).await, Err(problem));
        tokio::time::advance(REFUSAL).await;
        assert_eq!(trial.outcome(allowed()).await, Ok(()));
        tokio::time::advance(100 * REFUSAL).await;
        assert_eq!(trial.outcome(refused()).await, Ok(()));
    }
}
