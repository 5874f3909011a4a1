//! Interpreter contexts, and the code that runs in them.

use std::borrow::Cow;

use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{
    Context, ContextOptions, Contexts, CreateContextError, Ended, Ending, ExecuteOptions,
    Execution, Failure, StartError,
};
use sandbox_engine::record::Cursor;
use sandbox_engine::{Engine, SpawnError, Termination};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::DEFAULT_CONTEXT;

use super::repeat::Operation;
use super::{Error, State, chain, is_shortage, isolation};

/// Creates a context, of Python if no language is named, or returns the one that a request with this key has created; `key`
/// may be empty.
pub(crate) async fn create(
    state: &State,
    key: &str,
    language: Option<&str>,
    options: ContextOptions,
) -> Result<Context, Error> {
    let name = language.unwrap_or_else(|| Language::Python.name());
    let unsupported = || {
        let there_are: Vec<_> = Contexts::languages().map(Language::name).collect();
        let there_are = there_are.join(", ");
        Error::bad(format!(
            "unsupported language: {name:?}; there are {there_are}"
        ))
    };
    let language = Language::from_name(name).ok_or_else(unsupported)?;
    isolation::check(state, options.isolation.as_ref())?;
    let request = state
        .repeats
        .request(Operation::NewContext, key, (language, &options))?;
    let find = |id: &str| state.engine.contexts().get(id);
    let engine = state.engine.clone();
    let create = Box::pin(async move {
        let context = engine.contexts().create(language, options).await?;
        let id = context.id().to_owned();
        Ok((context, id))
    });
    let created = state.repeats.create(request, find, create).await?;
    created.map_err(|error| match error {
        CreateContextError::Language => unsupported(),
        error => refusal(&error),
    })
}

/// Returns the context with this id.
pub(crate) fn find(engine: &Engine, id: &str) -> Result<Context, Error> {
    match id {
        DEFAULT_CONTEXT => Ok(engine.contexts().default_context()),
        id => engine.contexts().get(id).ok_or_else(|| not_found(id)),
    }
}

/// Deletes a context.
pub(crate) async fn delete(engine: &Engine, id: &str) -> Result<(), Error> {
    if id == DEFAULT_CONTEXT {
        return Err(Error::bad("the default context cannot be deleted"));
    }
    if engine.contexts().delete(id).await {
        Ok(())
    } else {
        Err(not_found(id))
    }
}

/// Replaces the worker of a context.
pub(crate) async fn restart(engine: &Engine, id: &str) -> Result<(), Error> {
    if find(engine, id)?.restart().await {
        Ok(())
    } else {
        Err(not_found(id))
    }
}

/// Executes code in a context, and returns a reader of its output.
pub(crate) fn execute(
    engine: &Engine,
    id: &str,
    code: &str,
    options: ExecuteOptions,
) -> Result<(Execution, Cursor), Error> {
    if code.is_empty() {
        return Err(Error::bad("code is required"));
    }
    let executed = find(engine, id)?.execute(code, options);
    let execution = executed.map_err(|error| Error::bad(chain(&error)))?;
    // A record always contains its beginning.
    let cursor = execution.record().follow(0).map_err(Error::internal)?;
    Ok((execution, cursor))
}

/// Returns the error that an execution ended with: the exception of the code, or the loss of its worker.
pub(crate) fn failure(ended: &Ended) -> Option<Failure> {
    let why = match &ended.ending {
        Ending::Completed | Ending::Interrupted => return ended.failure.clone(),
        Ending::WorkerEnded { termination } => match termination {
            Termination::Exited { code } => format!("the interpreter exited with code {code}"),
            Termination::Signaled { signal, .. } => {
                format!("the interpreter was ended by signal {signal}")
            }
            Termination::OutOfMemory => {
                "the interpreter was ended because memory ran out".to_owned()
            }
            _ => "the interpreter was lost".to_owned(),
        },
        Ending::Restarted => "the context was restarted".to_owned(),
        _ => return None,
    };
    let name = "WorkerEnded".to_owned();
    let value = format!("{why}; what was set in this context is lost");
    Some(Failure {
        traceback: format!("{name}: {value}\n"),
        name,
        value,
    })
}

/// Returns why an execution ended other than by the end of its code, for people; else the empty text.
pub(crate) fn reason(ending: &Ending) -> Cow<'static, str> {
    match ending {
        Ending::Completed
        | Ending::Interrupted
        | Ending::TimedOut {
            keeps_state: true, ..
        } => "".into(),
        Ending::TimedOut { .. } => {
            "the interrupt was not heeded; what was set in this context is lost".into()
        }
        Ending::WorkerEnded { .. } | Ending::Restarted => "worker process ended".into(),
        Ending::NotStarted { reason } => format!("no interpreter: {reason}").into(),
        _ => "context deleted".into(),
    }
}

fn not_found(id: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("context not found: {id}"))
}

fn refusal(error: &CreateContextError) -> Error {
    if let CreateContextError::Start(StartError::Spawn(SpawnError::Limit(error))) = error {
        return Error::of_limit(error);
    }
    let code = match error {
        CreateContextError::TooMany { .. } => ErrorCode::TooManyRequests,
        error if is_shortage(error) => {
            let code = ErrorCode::InternalServerError;
            return Error::not_started("the context's worker", error, code);
        }
        // The request may be impossible to fulfill, but clients expect a failure of the daemon.
        _ => ErrorCode::InternalServerError,
    };
    Error::new(code, chain(error))
}
