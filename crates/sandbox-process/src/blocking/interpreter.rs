//! Interpreters that remember.

use super::Process;
use crate::{Error, InterpreterContext};

impl Process {
    /// Makes an interpreter context, for Python. For others, `process.wait(process.code_interpreter().create_context(None)
    /// .language(Language::JavaScript))`.
    ///
    /// # Errors
    ///
    /// See [`CreateContext`](crate::CreateContext).
    pub fn create_context(&self, cwd: Option<&str>) -> Result<InterpreterContext, Error> {
        self.wait(self.code_interpreter().create_context(cwd))
    }

    /// Lists the interpreter contexts that were made.
    ///
    /// # Errors
    ///
    /// See [`crate::CodeInterpreter::list_contexts`].
    pub fn list_contexts(&self) -> Result<Vec<InterpreterContext>, Error> {
        self.wait(self.code_interpreter().list_contexts())
    }

    /// Ends an interpreter context with what runs in it.
    ///
    /// # Errors
    ///
    /// See [`crate::CodeInterpreter::delete_context`].
    pub fn delete_context(&self, id: &str) -> Result<(), Error> {
        self.wait(self.code_interpreter().delete_context(id))
    }
}
