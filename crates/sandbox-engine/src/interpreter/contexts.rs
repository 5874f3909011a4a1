//! The contexts of an engine.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::actor::Actor;
use super::error::{CreateContextError, StartError};
use super::handle::Context;
use super::list::List;
use super::options::ContextOptions;
use super::program::Program;
use super::shared::Shared;
use super::spare::Spares;
use super::worker::Worker;
use crate::code::Language;
use crate::core::Core;
use crate::isolation::Isolation;
use crate::limits::{CONTEXTS, DELETE};
use crate::registry::{Id, ReserveError};
use crate::resources::Limits;

/// The interpreter contexts of an engine.
#[derive(Debug)]
pub struct Contexts {
    core: Arc<Core>,
    list: Arc<List>,
}

impl Contexts {
    /// Creates the contexts of an engine; with `is_warm` their workers may be started before they are needed.
    pub(crate) fn new(core: Arc<Core>, is_warm: bool) -> Self {
        Self::bounded(core, CONTEXTS, is_warm)
    }

    fn bounded(core: Arc<Core>, limit: usize, is_warm: bool) -> Self {
        let list = List::new(limit, Spares::new(is_warm));
        Self { core, list }
    }

    /// Returns the languages that have contexts.
    pub fn languages() -> impl Iterator<Item = Language> {
        let all = Language::ALL.iter().copied();
        all.filter(|language| Program::of(*language).is_some())
    }

    /// Creates a context with a worker of its own.
    ///
    /// Resolves when the worker accepts code.
    ///
    /// JavaScript runs as in the console of a browser: `let`, `const` and `class` persist and may be redeclared,
    /// `await` is valid outside of functions, and so is `import` with the feature `typescript`; `require` resolves
    /// modules from the working directory. Code has ended when its last statement has, and the promise that this
    /// returns, if it is one; timers and other promises continue in the background.
    ///
    /// # Errors
    ///
    /// Returns [`CreateContextError`] if the context was not created.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the context may or may not have been created.
    pub async fn create(
        &self,
        language: Language,
        options: ContextOptions,
    ) -> Result<Context, CreateContextError> {
        let program = Program::of(language).ok_or(CreateContextError::Language)?;
        let reserved = self.list.registry.reserve(Id::draw()).map_err(refused)?;
        let cwd = self.core.launcher().resolve_cwd(options.cwd.as_deref());
        let isolation = self.core.isolation_or_default(options.isolation);
        let (core, list) = (Arc::clone(&self.core), Arc::clone(&self.list));
        let created = self.core.launcher().start_in_task(async move {
            let cancel = CancellationToken::new();
            let (isolated, limits) = (isolation.as_ref(), options.limits);
            let spares = &list.spares;
            let worker = spares.start(&core, program, cwd.clone(), isolated, &limits, &cancel);
            let worker = worker.await?;
            let id = reserved.id().to_owned();
            let new = New {
                id,
                language,
                program,
                cwd,
                isolation,
                limits,
                worker: Some(worker),
            };
            let (context, actor) = new.open(&core, &list);
            core.launcher().track(actor.run());
            // After the task is tracked: whatever can be found is also waited for by a shutdown.
            reserved.fill(context.clone());
            Ok::<_, StartError>(context)
        });
        Ok(created.await?)
    }

    /// Returns the default context, which need not be created: for Python, in the engine's working directory. Its
    /// worker is started when it is first given code. It cannot be deleted, and is not in the [list](Self::list).
    /// Requires a tokio runtime.
    pub fn default_context(&self) -> Context {
        let mut default = self.list.default();
        if let Some(context) = &*default {
            return context.clone();
        }
        let new = New {
            id: String::new(),
            language: Language::Python,
            program: Program::Python,
            cwd: self.core.work_dir().to_owned(),
            isolation: self.core.isolation_or_default(None),
            limits: Limits::default(),
            worker: None,
        };
        let (context, actor) = new.open(&self.core, &self.list);
        *default = Some(context.clone());
        // The task locks the list when it ends, which it does inside the call if the runtime is shutting down.
        drop(default);
        self.core.launcher().track(actor.run());
        context
    }

    /// Returns the process id of the worker that waits for the next context, if there is one. For tests.
    #[doc(hidden)]
    pub fn spare(&self) -> Option<u32> {
        self.list.spares.ready()
    }

    /// Returns the context with this id.
    pub fn get(&self, id: &str) -> Option<Context> {
        self.list.registry.get(id)
    }

    /// Returns all contexts that were created, in the order of creation.
    pub fn list(&self) -> Vec<Context> {
        self.list.registry.list()
    }

    /// Deletes a context: ends all its processes, including detached ones. Returns false if there is none with this id.
    ///
    /// Resolves when the processes have ended: TERM, a grace of
    /// [`TERMINATE_GRACE`](crate::limits::TERMINATE_GRACE), KILL. Running and waiting code ends with it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not cancel the deletion.
    pub async fn delete(&self, id: &str) -> bool {
        let Some(context) = self.list.registry.remove(id) else {
            return false;
        };
        // Removed first: of several callers one deletes, and none finds the context meanwhile.
        context.shared.doomed.cancel();
        let released = context.shared.released.cancelled();
        if tokio::time::timeout(DELETE, released).await.is_err() {
            tracing::error!(context = id, "a deleted context does not end");
        }
        true
    }
}

/// The parameters of a new context.
struct New {
    id: String,
    language: Language,
    program: Program,
    cwd: PathBuf,
    isolation: Option<Isolation>,
    limits: Limits,
    worker: Option<Worker>,
}

impl New {
    /// Returns the context and its task, which is to be run.
    fn open(self, core: &Arc<Core>, list: &Arc<List>) -> (Context, Actor) {
        let (requests, received) = mpsc::channel(REQUESTS);
        let shared = Arc::new(Shared {
            id: self.id,
            language: self.language,
            program: self.program,
            cwd: self.cwd,
            isolation: self.isolation,
            limits: self.limits,
            created_at: SystemTime::now(),
            queue: Mutex::default(),
            work: Notify::new(),
            requests,
            doomed: CancellationToken::new(),
            released: CancellationToken::new(),
            records: core.records().clone(),
        });
        let context = Context { shared };
        let (core, list) = (Arc::clone(core), Arc::clone(list));
        let actor = Actor::new(core, list, context.clone(), received, self.worker);
        (context, actor)
    }
}

/// Converts the error: the id is random, so there can only be too many.
fn refused(error: ReserveError) -> CreateContextError {
    match error {
        ReserveError::TooMany { limit } => CreateContextError::TooMany { limit },
        ReserveError::Id { .. } | ReserveError::Exists { .. } => {
            unreachable!("a random id is short and new")
        }
    }
}

/// The capacity of the channel to a context's task; senders of further requests wait.
const REQUESTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;
    use crate::interpreter::{Ending, ExecuteOptions};

    /// The bound on contexts is too large to be reached by as many processes.
    #[tokio::test]
    async fn contexts_have_an_end() {
        let engine = Engine::builder().build().unwrap();
        let contexts = Contexts::bounded(Arc::clone(engine.core()), 2, false);
        let make = async |cwd: Option<&str>| {
            let options = ContextOptions {
                cwd: cwd.map(Into::into),
                ..ContextOptions::default()
            };
            contexts.create(Language::Python, options).await
        };
        // Contexts that are being created count, too, and the default one does not.
        let (a, b, c) = tokio::join!(make(None), make(None), make(None));
        let [a, _b] = [a.unwrap(), b.unwrap()];
        let is_refused = |made| matches!(made, Err(CreateContextError::TooMany { limit: 2 }));
        assert!(is_refused(c));
        assert!(is_refused(make(None).await));
        let first = contexts.default_context();
        let execution = first.execute("1", ExecuteOptions::default()).unwrap();
        assert_eq!(execution.ended().await.ending, Ending::Completed);
        assert!(contexts.delete(a.id()).await);
        // A context that cannot start releases its place.
        for _ in 0..3 {
            let missing = make(Some("/no/such")).await;
            assert!(matches!(missing, Err(CreateContextError::Start(_))));
        }
        make(None).await.unwrap();
        assert!(is_refused(make(None).await));
        engine.shutdown().await;
    }
}
