//! What all parts of an engine share: how processes start, and with which shell, environment and runtimes.
//!
//! Each kind of thing to run (commands, programs, sessions, terminals, contexts) builds on this and is independent of the others.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::environment::{Environment, InvalidVariable};
use crate::isolation::Isolation;
use crate::launch::Launcher;
use crate::record::Store;
use crate::run::RunOptions;
use crate::runtimes::{Executable, Runtime, RuntimeError, Runtimes};
use crate::shell::Shell;
use crate::sync::lock;
#[cfg(feature = "typescript")]
use crate::translator::Translators;

/// The state of an engine that all kinds of things to run share.
#[derive(Debug)]
pub(crate) struct Core {
    launcher: Launcher,
    shell: Shell,
    environment: Mutex<Environment>,
    runtimes: Runtimes,
    /// The isolation of what asks for none.
    isolation: Option<Isolation>,
    #[cfg(feature = "typescript")]
    translators: Arc<Translators>,
}

impl Core {
    /// Creates a core; `python` is the interpreter for Python programs, if it is not to be searched for; `isolation` is that of
    /// what asks for none.
    pub(crate) fn new(
        launcher: Launcher,
        shell: Shell,
        environment: Environment,
        python: Option<PathBuf>,
        isolation: Option<Isolation>,
    ) -> Arc<Self> {
        Arc::new(Self {
            launcher,
            shell,
            environment: Mutex::new(environment),
            runtimes: Runtimes::new(python),
            isolation,
            #[cfg(feature = "typescript")]
            translators: Translators::new(),
        })
    }

    pub(crate) fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    pub(crate) fn records(&self) -> &Store {
        self.launcher.records()
    }

    pub(crate) fn work_dir(&self) -> &Path {
        self.launcher.work_dir()
    }

    pub(crate) fn shell(&self) -> &Shell {
        &self.shell
    }

    #[cfg(feature = "typescript")]
    pub(crate) fn translators(&self) -> &Arc<Translators> {
        &self.translators
    }

    pub(crate) fn isolation(&self) -> Option<&Isolation> {
        self.isolation.as_ref()
    }

    /// Returns the isolation of a process for which `asked` was asked.
    pub(crate) fn isolation_or_default(&self, asked: Option<Isolation>) -> Option<Isolation> {
        asked.or_else(|| self.isolation.clone())
    }

    /// Returns the options with the isolation that applies.
    pub(crate) fn isolated<'a>(&self, options: &'a RunOptions) -> Cow<'a, RunOptions> {
        match &self.isolation {
            Some(isolation) if options.isolation.is_none() => Cow::Owned(RunOptions {
                isolation: Some(isolation.clone()),
                ..options.clone()
            }),
            _ => Cow::Borrowed(options),
        }
    }

    /// Finds a runtime as a shell with the environment `env` and this isolation would, and adds the variables that the runtime needs to `env`.
    ///
    /// # Errors
    ///
    /// Returns [`RuntimeError`] if the runtime is missing or does not work.
    pub(crate) async fn runtime(
        &self,
        runtime: &Runtime,
        env: &mut Environment,
        isolation: Option<&Isolation>,
    ) -> Result<Executable, RuntimeError> {
        let runtimes = &self.runtimes;
        let executable = runtimes.find(runtime, env, isolation, &self.launcher);
        let executable = executable.await?;
        env.extend(&executable.environment);
        Ok(executable)
    }

    /// Returns the environment of new processes.
    pub(crate) fn environment(&self) -> Environment {
        self.current_environment().clone()
    }

    /// Returns the environment of new processes, with these variables on top.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidVariable`] for one that cannot be set.
    pub(crate) fn environment_with(
        &self,
        variables: &[(String, String)],
    ) -> Result<Environment, InvalidVariable> {
        let mut environment = self.environment();
        environment.set_all_checked(variables)?;
        Ok(environment)
    }

    /// Implements [`Engine::change_environment`](crate::Engine::change_environment).
    pub(crate) fn change_environment<E>(
        &self,
        change: impl FnOnce(&mut Environment) -> Result<(), E>,
    ) -> Result<Environment, E> {
        let mut current = self.current_environment();
        let mut environment = current.clone();
        change(&mut environment)?;
        current.clone_from(&environment);
        Ok(environment)
    }

    fn current_environment(&self) -> MutexGuard<'_, Environment> {
        lock(&self.environment)
    }
}
