//! The programs of an engine.

use std::sync::Arc;

use super::node::Node;
use super::program::{CodeError, Language, Program};
use super::{python, script};
use crate::core::Core;
use crate::isolation::{Isolation, IsolationError};
use crate::run::{Recorded, RunError, RunOptions};
use crate::spawner::SpawnError;
use crate::warm::Warm;

/// Runs programs, each in a new process of its language's runtime.
#[derive(Debug)]
pub(crate) struct Programs {
    core: Arc<Core>,
    /// The pool of started processes; `None` if every program starts cold.
    warm: Option<Arc<Warm>>,
    node: Node,
}

impl Programs {
    pub(crate) fn new(core: Arc<Core>, is_warm: bool) -> Self {
        let warm = is_warm.then(Warm::new);
        let spares = warm.as_ref().map(|warm| Arc::clone(warm.spares()));
        Self {
            node: Node::new(Arc::clone(&core), spares),
            core,
            warm,
        }
    }

    /// Runs a program, as [`Engine::run_code_recorded`](crate::Engine::run_code_recorded) does.
    pub(crate) async fn run(
        &self,
        program: Program,
        mut options: RunOptions,
    ) -> Result<Recorded, CodeError> {
        options.isolation = self.core.isolation_or_default(options.isolation);
        if let Some(what) = options.isolation.as_ref().and_then(unsupported) {
            let error = SpawnError::from(IsolationError::Unsupported { what });
            return Err(RunError::from(error).into());
        }
        match program.language {
            Language::Python => python::run(&self.core, self.warm.as_ref(), program, options).await,
            // Their futures are large.
            Language::JavaScript => Box::pin(self.node.javascript(program, options)).await,
            #[cfg(feature = "typescript")]
            Language::TypeScript => Box::pin(self.node.typescript(program, options)).await,
            #[cfg(not(feature = "typescript"))]
            Language::TypeScript => Err(CodeError::NoCompiler),
            Language::Bash | Language::Ruby | Language::R | Language::Deno | Language::Bun => {
                script::run(&self.core, program, options).await
            }
        }
    }

    pub(crate) fn warm(&self) -> Option<&Arc<Warm>> {
        self.warm.as_ref()
    }
}

/// Returns what of an isolation no program of a language can have.
fn unsupported(isolation: &Isolation) -> Option<&'static str> {
    if isolation.has_root_dir() {
        // Its runtime is sought on the machine.
        Some("a program of a language, below a root directory of its own,")
    } else if isolation.has_user() {
        // The file with its text is the engine's user's.
        Some("a program of a language, as another user,")
    } else {
        None
    }
}
