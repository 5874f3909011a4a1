//! What the engine has its translators do.

use super::task::{self, Response, Task};
use super::{CodeError, Language, node};
use crate::engine::Engine;
use crate::run::RunError;
use crate::spawner::SpawnError;
use crate::translator::Fault;

/// Translates a TypeScript program, or reports why it cannot be.
pub(super) async fn translate(engine: &Engine, code: &str) -> Result<Response, CodeError> {
    match ask(engine, Task::Program, code).await {
        Ok(response) => Ok(response),
        Err(Fault::NotStarted(error)) => Err(RunError::from(error).into()),
        Err(fault) => Ok(Err(report(&fault))),
    }
}

/// Returns whether a JavaScript program is an ECMAScript module.
///
/// One that no translator can read is a module if a line begins like one: Node.js says what is wrong with it.
pub(super) async fn is_module(engine: &Engine, code: &str) -> bool {
    if !["import", "export", "await"]
        .iter()
        .any(|word| code.contains(word))
    {
        return false;
    }
    match ask(engine, Task::ModuleKind, code).await {
        Ok(response) => response.is_ok_and(|translated| translated.is_module),
        Err(fault) => {
            tracing::debug!(%fault, "a look at the lines of a program tells whether it is a module");
            node::begins_like_a_module(code)
        }
    }
}

/// Makes a piece of code what `worker.cjs` evaluates, or reports why it cannot be read.
///
/// JavaScript that no translator can read stays as it is: V8 says why.
///
/// # Errors
///
/// [`SpawnError`] if there is no translator for TypeScript.
pub(crate) async fn cell(
    engine: &Engine,
    language: Language,
    code: String,
) -> Result<Result<String, String>, SpawnError> {
    let is_typescript = language == Language::TypeScript;
    let task = match is_typescript {
        true => Task::Cell,
        false if !["import", "export"].iter().any(|word| code.contains(word)) => {
            return Ok(Ok(code));
        }
        false => Task::JavaScriptCell,
    };
    Ok(match ask(engine, task, &code).await {
        Ok(response) => response.map(|translated| translated.code),
        Err(fault) if !is_typescript => {
            tracing::debug!(%fault, "a piece of code stays as it is");
            Ok(code)
        }
        Err(Fault::NotStarted(error)) => return Err(error),
        Err(fault) => Err(report(&fault)),
    })
}

async fn ask(engine: &Engine, task: Task, code: &str) -> Result<Response, Fault> {
    let request = [&[task as u8], code.as_bytes()];
    let response = engine
        .translators()
        .ask(engine.launcher(), &request)
        .await?;
    task::decode(response).ok_or_else(|| Fault::Failed {
        reason: "its response is none".to_owned(),
    })
}

/// What the program says for its compiler.
fn report(fault: &Fault) -> String {
    format!("SyntaxError: {fault}\n")
}
