//! The handle of a context.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::oneshot;

use super::error::ExecuteError;
use super::execution::Execution;
use super::options::ExecuteOptions;
use super::shared::{Job, Request, Shared};
use crate::code::Language;
use crate::command::ask;
use crate::isolation::Level;
use crate::limits::{QUEUED_EXECUTION_BYTES, QUEUED_EXECUTIONS};
use crate::registry::Entry;

/// A handle to an interpreter context. Cheap to clone; all clones refer to the same context.
///
/// Dropping a handle does not end the context; see [`Contexts::delete`](super::Contexts::delete).
#[derive(Debug, Clone)]
pub struct Context {
    pub(super) shared: Arc<Shared>,
}

impl Entry for Context {
    fn id(&self) -> &str {
        &self.shared.id
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Context {
    /// Returns the id, a random one; empty for the default context.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Returns the language of the context's code.
    pub fn language(&self) -> Language {
        self.shared.language
    }

    /// Returns the directory in which the context's workers start.
    pub fn cwd(&self) -> &Path {
        &self.shared.cwd
    }

    /// Returns how strongly the context's workers are isolated.
    pub fn level(&self) -> Level {
        Level::of(self.shared.isolation.as_ref())
    }

    /// Returns when the context was created.
    pub fn created_at(&self) -> SystemTime {
        self.shared.created_at
    }

    /// Queues a piece of code, which runs after the code that was given before.
    ///
    /// Returns immediately; see [`Execution::ended`]. What the code sets is available to the next one.
    ///
    /// # Errors
    ///
    /// Returns [`ExecuteError`] if the context does not accept the code; nothing runs then.
    pub fn execute(&self, code: &str, options: ExecuteOptions) -> Result<Execution, ExecuteError> {
        let is_settable = |(name, value): &(String, String)| {
            !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
        };
        if let Some((name, _)) = options.env.iter().find(|variable| !is_settable(variable)) {
            return Err(ExecuteError::Variable { name: name.clone() });
        }
        let mut queue = self.shared.queue();
        // The context's task may not have noticed the deletion yet.
        if queue.closed || self.shared.doomed.is_cancelled() {
            return Err(ExecuteError::Deleted);
        }
        if queue.jobs.len() >= QUEUED_EXECUTIONS {
            return Err(ExecuteError::TooMany {
                limit: QUEUED_EXECUTIONS,
            });
        }
        if queue.bytes + code.len() > QUEUED_EXECUTION_BYTES && !queue.jobs.is_empty() {
            return Err(ExecuteError::TooLong {
                limit: QUEUED_EXECUTION_BYTES,
            });
        }
        queue.bytes += code.len();
        let execution = Execution::new(self.shared.records.record());
        queue.jobs.push_back(Job {
            execution: execution.clone(),
            code: code.to_owned(),
            options,
        });
        drop(queue);
        self.shared.work.notify_one();
        Ok(execution)
    }

    /// Interrupts the running code, with its processes, as Ctrl-C would in a terminal; returns whether any runs. Code
    /// may ignore the interrupt.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the code may or may not have been interrupted.
    pub async fn interrupt(&self) -> bool {
        self.ask(Request::Interrupt).await.unwrap_or(false)
    }

    /// Ends the context's worker with all processes that it has started, and with it the running code and the state.
    /// Waiting code runs in a new worker. Returns false if the context was deleted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not cancel the restart.
    pub async fn restart(&self) -> bool {
        self.ask(Request::Restart).await.is_some()
    }

    async fn ask(&self, request: fn(oneshot::Sender<bool>) -> Request) -> Option<bool> {
        ask(&self.shared.requests, request).await.ok()
    }
}
