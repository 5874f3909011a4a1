//! Interpreter contexts: a process that stays, and runs piece after piece of code in one namespace.
//!
//! `actor.rs` is the task that owns a context, `worker.rs` the process behind it, `program.rs` what that runs
//! (`python/worker.py`, `node/worker.cjs`), `protocol.rs` what the two tell each other.

mod actor;
pub(crate) mod execution;
mod program;
pub(crate) mod protocol;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::code::{Language, RuntimeError};
use crate::command::ask;
use crate::engine::Engine;
use crate::limits::{CONTEXTS, DELETE, QUEUED_EXECUTION_BYTES, QUEUED_EXECUTIONS};
use crate::spawner::SpawnError;
use crate::termination::Termination;
use actor::{Actor, Request};
use execution::Ended as End;
pub use execution::{Ended, Ending, Execution, Failure, Form};
use program::Program;
use worker::Worker;

/// An interpreter context. Cheap to clone; all clones are one context.
///
/// Dropping it changes nothing; see [`Engine::delete_context`].
#[derive(Debug, Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

/// What the handles and the task of a context share.
#[derive(Debug)]
struct Shared {
    id: String,
    language: Language,
    program: Program,
    cwd: PathBuf,
    created_at: SystemTime,
    queue: Mutex<Queue>,
    /// Told when there is a job.
    work: Notify,
    requests: mpsc::Sender<Request>,
    /// Cancelled when the context is to be deleted.
    doomed: CancellationToken,
    /// Cancelled when its task has ended, and with it everything that the context had started.
    released: CancellationToken,
    records: crate::record::Store,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Of the code in it.
    bytes: usize,
    closed: bool,
}

/// A piece of code that waits for its turn.
#[derive(Debug)]
struct Job {
    execution: Execution,
    code: String,
    options: ExecuteOptions,
}

impl Drop for Job {
    /// Whoever waits for it must not wait without end: if nothing has ended the execution, its task has failed.
    fn drop(&mut self) {
        self.execution.set_ended(End::just(Ending::WorkerEnded {
            termination: Termination::Lost {
                reason: "the task that ran the code failed".to_owned(),
            },
        }));
    }
}

/// The contexts of an engine.
#[derive(Debug)]
pub(crate) struct Contexts {
    list: Vec<Context>,
    default: Option<Context>,
    /// How many are being made.
    starting: usize,
    /// How many there may be, these included.
    limit: usize,
}

impl Default for Contexts {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            default: None,
            starting: 0,
            limit: CONTEXTS,
        }
    }
}

impl Contexts {
    /// Removes a context whose task has ended.
    fn remove(&mut self, ended: &Arc<Shared>) {
        let is_it = |context: &Context| Arc::ptr_eq(&context.shared, ended);
        self.list.retain(|context| !is_it(context));
        self.default.take_if(|context| is_it(context));
    }
}

/// How a context differs from the defaults.
#[derive(Debug, Clone, Default)]
pub struct ContextOptions {
    /// Where it starts; relative to the engine's working directory, which is the default.
    pub cwd: Option<PathBuf>,
}

/// How an execution differs from the defaults.
#[derive(Debug, Clone, Default)]
pub struct ExecuteOptions {
    /// Variables for this execution only; later ones win.
    pub env: Vec<(String, String)>,
    /// After this, counted from its turn, the code is interrupted, and ended with the context's worker when it does not
    /// heed that within [`INTERRUPT_GRACE`](crate::limits::INTERRUPT_GRACE). None by default.
    pub timeout: Option<Duration>,
    /// Whether the value of the last expression is wanted; see [`Ended::value`].
    pub shows_value: bool,
}

/// Why a context was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateContextError {
    /// There are [`CONTEXTS`] already.
    #[error("there are {limit} contexts already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The language has no contexts: Python, JavaScript and, with the feature `typescript`, TypeScript have.
    #[error("the language has no contexts")]
    Language,
    /// Its worker was not started.
    #[error("the context's worker was not started")]
    Start(#[from] StartError),
}

/// Why a worker was not started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The language's runtime is missing or does not work.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The process was not started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It was started, and does not take code.
    #[error("the worker does not begin; it said: {said:?}")]
    Silent {
        /// What it wrote.
        said: String,
        /// What became of it.
        source: io::Error,
    },
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Spawn(error.into())
    }
}

/// Why a context did not take a piece of code.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The context was deleted.
    #[error("the context was deleted")]
    Deleted,
    /// There are [`QUEUED_EXECUTIONS`] waiting already.
    #[error("{limit} executions wait already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The code that waits already, and this, has more than [`QUEUED_EXECUTION_BYTES`].
    #[error("nearly {limit} bytes of code wait already")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// A variable cannot be set: its name is empty or has a `=`, or a NUL is in its name or value. Names that no shell
    /// takes are good.
    #[error("the environment variable '{name}' cannot be set")]
    Variable {
        /// Its name.
        name: String,
    },
}

impl Engine {
    /// Makes a context with a worker of its own.
    ///
    /// Resolves when the worker takes code.
    ///
    /// JavaScript runs as in the console of a browser: `let`, `const` and `class` stay and may be declared anew, `await` is
    /// good outside of functions, and so is `import` with the feature `typescript`; `require` finds what is beside the
    /// working directory. Code has ended when its last statement has, and the promise that this gives, if it is one; what
    /// timers and other promises still do goes on in the background.
    ///
    /// # Errors
    ///
    /// [`CreateContextError`]; there is no new context then.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the context is made or not.
    pub async fn create_context(
        &self,
        language: Language,
        options: ContextOptions,
    ) -> Result<Context, CreateContextError> {
        let program = Program::of(language).ok_or(CreateContextError::Language)?;
        let reserved = Reserved::take(self.clone())?;
        let cwd = self.launcher().place(options.cwd.as_deref());
        let engine = self.clone();
        // In a task: a caller who goes away must not leave a worker that nobody owns.
        let made = self.launcher().track(async move {
            let worker =
                Worker::start(&engine, program, cwd.clone(), &CancellationToken::new()).await?;
            let id = Uuid::new_v4().to_string();
            let (context, actor) =
                Context::new(&engine, id, (language, program), cwd, Some(worker));
            engine.launcher().track(actor.run());
            reserved.fill(context.clone());
            Ok(context)
        });
        made.await
            .map_err(|panic| StartError::from(io::Error::other(panic)))?
    }

    /// The context that is there without being made, for Python, in the engine's working directory. Its worker is started when it
    /// is first given code. It cannot be deleted, and is not among [`contexts`](Self::contexts). Needs a tokio runtime.
    pub fn default_context(&self) -> Context {
        let mut contexts = self.context_list();
        if let Some(context) = &contexts.default {
            return context.clone();
        }
        let python = (Language::Python, Program::Python);
        let cwd = self.work_dir().to_owned();
        let (context, actor) = Context::new(self, String::new(), python, cwd, None);
        contexts.default = Some(context.clone());
        // The task locks the list when it ends, which it does inside the call if the runtime is shutting down.
        drop(contexts);
        self.launcher().track(actor.run());
        context
    }

    /// The context with this id.
    pub fn context(&self, id: &str) -> Option<Context> {
        let contexts = self.context_list();
        contexts
            .list
            .iter()
            .find(|context| context.id() == id)
            .cloned()
    }

    /// All contexts that were made, in that order.
    pub fn contexts(&self) -> Vec<Context> {
        self.context_list().list.clone()
    }

    /// Ends a context with all its processes, wherever they went, and forgets it. False if there is none.
    ///
    /// Resolves when the processes have ended: TERM, a grace of
    /// [`TERMINATE_GRACE`](crate::limits::TERMINATE_GRACE), KILL. What runs or waits ends with it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take it back.
    pub async fn delete_context(&self, id: &str) -> bool {
        let context = {
            let mut contexts = self.context_list();
            let Some(found) = contexts.list.iter().position(|context| context.id() == id) else {
                return false;
            };
            contexts.list.remove(found)
        };
        context.shared.doomed.cancel();
        let released = context.shared.released.cancelled();
        if tokio::time::timeout(DELETE, released).await.is_err() {
            tracing::error!(context = id, "a deleted context does not end");
        }
        true
    }
}

impl Context {
    /// Makes a context, and the task that it needs.
    fn new(
        engine: &Engine,
        id: String,
        (language, program): (Language, Program),
        cwd: PathBuf,
        worker: Option<Worker>,
    ) -> (Self, Actor) {
        let (requests, received) = mpsc::channel(REQUESTS);
        let shared = Arc::new(Shared {
            id,
            language,
            program,
            cwd,
            created_at: SystemTime::now(),
            queue: Mutex::default(),
            work: Notify::new(),
            requests,
            doomed: CancellationToken::new(),
            released: CancellationToken::new(),
            records: engine.records().clone(),
        });
        let actor = Actor::new(engine.clone(), Arc::clone(&shared), received, worker);
        (Self { shared }, actor)
    }

    /// Its id, a random one; empty for the default context.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// The language of its code.
    pub fn language(&self) -> Language {
        self.shared.language
    }

    /// Where its workers start.
    pub fn cwd(&self) -> &Path {
        &self.shared.cwd
    }

    /// When it was made.
    pub fn created_at(&self) -> SystemTime {
        self.shared.created_at
    }

    /// Gives the context a piece of code to run after those that it was given before.
    ///
    /// Returns at once; see [`Execution::ended`]. What the code sets is there for the next one.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`]; nothing runs then.
    pub fn execute(&self, code: &str, options: ExecuteOptions) -> Result<Execution, ExecuteError> {
        let is_settable = |(name, value): &(String, String)| {
            !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
        };
        if let Some((name, _)) = options.env.iter().find(|variable| !is_settable(variable)) {
            return Err(ExecuteError::Variable { name: name.clone() });
        }
        let mut queue = self.shared.queue();
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

    /// Interrupts the code that runs, with its processes, as Ctrl-C would in a terminal; tells whether any runs. Code may
    /// take no notice.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the code was interrupted or not.
    pub async fn interrupt(&self) -> bool {
        self.ask(Request::Interrupt).await.unwrap_or(false)
    }

    /// Ends the context's worker with all that it has started, and with it what runs and all that was set. What waits
    /// finds a new one. False if the context was deleted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take it back.
    pub async fn restart(&self) -> bool {
        self.ask(Request::Restart).await.is_some()
    }

    async fn ask(&self, request: fn(oneshot::Sender<bool>) -> Request) -> Option<bool> {
        ask(&self.shared.requests, request).await.ok()
    }
}

impl Queue {
    fn take_job(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.bytes -= job.code.len();
        Some(job)
    }
}

impl Shared {
    /// The next job, when there is one. Cancel safe.
    async fn next_job(&self) -> Job {
        loop {
            if let Some(job) = self.queue().take_job() {
                return job;
            }
            self.work.notified().await;
        }
    }

    /// No more code; what waits has not been run.
    fn close(&self) {
        let waiting = {
            let mut queue = self.queue();
            queue.closed = true;
            queue.bytes = 0;
            std::mem::take(&mut queue.jobs)
        };
        for job in waiting {
            job.execution.set_ended(End::just(Ending::Deleted));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken while its context is being made.
struct Reserved {
    engine: Engine,
}

impl Reserved {
    fn take(engine: Engine) -> Result<Self, CreateContextError> {
        let mut contexts = engine.context_list();
        let limit = contexts.limit;
        if contexts.list.len() + contexts.starting >= limit {
            return Err(CreateContextError::TooMany { limit });
        }
        contexts.starting += 1;
        drop(contexts);
        Ok(Self { engine })
    }

    fn fill(self, context: Context) {
        self.engine.context_list().list.push(context);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.engine.context_list().starting -= 1;
    }
}

/// Requests that wait for a context's task; more wait to be sent.
const REQUESTS: usize = 16;
