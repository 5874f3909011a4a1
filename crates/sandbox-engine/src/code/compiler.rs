//! The tasks that the engine sends to its translators.

use super::place::{self, Format};
use super::program::{CodeError, Language};
use super::task::{self, Response, Task};
use super::translated::Translated;
use super::typescript::Options;

use crate::core::Core;
use crate::run::RunError;
use crate::spawner::SpawnError;
use crate::translator::Fault;

/// Translates a TypeScript program, or reports why it cannot be translated.
pub(super) async fn translate(
    core: &Core,
    options: Options,
    code: &str,
) -> Result<Response, CodeError> {
    match ask(core, Task::Program(options), code).await {
        Ok(response) => Ok(response),
        Err(Fault::NotStarted(error)) => Err(RunError::from(error).into()),
        Err(fault) => Ok(Err(report(&fault))),
    }
}

/// Translates a TypeScript file that a program imports, or reports why it cannot be translated.
pub(super) async fn import(
    core: &Core,
    options: Options,
    name: &str,
    code: &str,
) -> Result<Response, CodeError> {
    let text = format!("{name}\0{code}");
    match ask(core, Task::Import(options), &text).await {
        Ok(response) => Ok(response),
        Err(Fault::NotStarted(error)) => Err(RunError::from(error).into()),
        Err(fault) => Ok(Err(format!("{name}: {}", report(&fault)))),
    }
}

/// Returns which format of module a JavaScript program has.
///
/// The format of a program that no translator can parse is left to Node.js.
pub(super) async fn format(core: &Core, code: &str) -> Format {
    if !place::mentions_modules(code) {
        return Format::Chosen;
    }
    match ask(core, Task::ModuleKind, code).await {
        Ok(Ok(Translated {
            is_module: true, ..
        })) => Format::Module,
        Ok(Ok(_)) => Format::Chosen,
        Ok(Err(_)) => Format::Unclear,
        Err(fault) => {
            tracing::debug!(%fault, "Node.js finds out whether a program is a module");
            Format::Unclear
        }
    }
}

/// Translates a piece of code to what `node/worker/` evaluates, or reports why it cannot be parsed.
///
/// JavaScript that no translator can parse is returned unchanged: V8 reports why.
///
/// # Errors
///
/// Returns [`SpawnError`] if there is no translator for TypeScript.
pub(crate) async fn cell(
    core: &Core,
    language: Language,
    code: String,
) -> Result<Result<String, String>, SpawnError> {
    let is_typescript = language == Language::TypeScript;
    let task = if is_typescript {
        Task::Cell
    } else if ["import", "export"].iter().any(|word| code.contains(word)) {
        Task::JavaScriptCell
    } else {
        // There is nothing to translate, and no need to wait for a translator.
        return Ok(Ok(code));
    };
    Ok(match ask(core, task, &code).await {
        Ok(response) => response.map(|translated| translated.code),
        Err(fault) if !is_typescript => {
            tracing::debug!(%fault, "a piece of code stays as it is");
            Ok(code)
        }
        Err(Fault::NotStarted(error)) => return Err(error),
        Err(fault) => Err(report(&fault)),
    })
}

async fn ask(core: &Core, task: Task, code: &str) -> Result<Response, Fault> {
    let request = [&[task.number()], code.as_bytes()];
    let response = core.translators().ask(core.launcher(), &request).await?;
    task::decode(response).ok_or_else(|| Fault::Failed {
        reason: "its response is none".to_owned(),
    })
}

/// Formats a compiler error as the output of a program.
fn report(fault: &Fault) -> String {
    format!("SyntaxError: {fault}\n")
}
