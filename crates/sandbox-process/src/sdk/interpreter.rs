//! Interpreters by the names of the official SDKs.

use sandbox_transport::{ContextInfo, Error, Language};

use crate::context::{CreateContext, RunCode};
use crate::process::Process;

/// The interpreters of a sandbox, by the names of the official SDKs; made by [`Process::code_interpreter`].
///
/// [`Context`](crate::Context) is the handle to one of them.
#[derive(Debug, Clone)]
pub struct CodeInterpreter(Process);

/// Interpreters, by the names of the [official SDKs](crate::sdk).
impl Process {
    /// Returns the interpreters of the sandbox.
    pub fn code_interpreter(&self) -> CodeInterpreter {
        CodeInterpreter(self.clone())
    }
}

impl CodeInterpreter {
    /// Returns code to run, in the default context unless [another one](RunCode::context) is set: await it.
    pub fn run_code(&self, code: impl Into<String>) -> RunCode {
        self.0.default_context().run(code)
    }

    /// Returns a context to be created, whose code runs in the directory `cwd`: await it. Default: the daemon's directory.
    pub fn create_context(&self, cwd: Option<&str>) -> CreateContext {
        let context = self.0.create_context(Language::Python);
        match cwd {
            Some(cwd) => context.cwd(cwd),
            None => context,
        }
    }

    /// Lists the contexts. See [`Process::list_contexts`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Process::list_contexts`].
    pub async fn list_contexts(&self) -> Result<Vec<ContextInfo>, Error> {
        self.0.list_contexts().await
    }

    /// Deletes a context. See [`Context::delete`](crate::Context::delete).
    ///
    /// # Cancel safety
    ///
    /// As for [`Context::delete`](crate::Context::delete).
    ///
    /// # Errors
    ///
    /// Those of [`Context::delete`](crate::Context::delete).
    pub async fn delete_context(&self, id: &str) -> Result<(), Error> {
        self.0.context(id).delete().await
    }
}
