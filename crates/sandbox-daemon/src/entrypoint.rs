//! The command that the daemon was started with.

use std::ffi::{OsStr, OsString};

use sandbox_engine::{
    CommandOptions, CreateSessionError, Engine, InputMode, SessionExecError, SessionOptions,
};
use sandbox_wire::rest::{ENTRYPOINT_COMMAND, ENTRYPOINT_SESSION};
use sandbox_wire::shell;
use thiserror::Error;

/// An error that prevented the entrypoint from starting.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EntrypointError {
    /// An argument is not valid UTF-8, so that no response could contain it.
    #[error("the argument {argument:?} is not UTF-8")]
    Encoding {
        /// The argument that is not valid UTF-8.
        argument: OsString,
    },
    /// The session for the entrypoint could not be created.
    #[error(transparent)]
    Session(#[from] CreateSessionError),
    /// The session did not accept the command.
    #[error(transparent)]
    Command(#[from] SessionExecError),
}

/// Starts a command in a session that belongs to the daemon and not to a client.
pub(crate) async fn start(engine: &Engine, argv: &[OsString]) -> Result<(), EntrypointError> {
    let words: Result<Vec<_>, _> = argv.iter().map(|word| quote(word)).collect();
    let text = words?.join(" ");
    let session = engine
        .sessions()
        .create(ENTRYPOINT_SESSION, SessionOptions::default())
        .await?;
    let options = CommandOptions {
        id: Some(ENTRYPOINT_COMMAND.to_owned()),
        // No client can send it input, but a program that runs until its input ends must not end at
        // once.
        input: InputMode::Silent,
        ..CommandOptions::default()
    };
    session.execute(&text, options)?;
    Ok(())
}

fn quote(word: &OsStr) -> Result<String, EntrypointError> {
    let text = word.to_str().ok_or_else(|| EntrypointError::Encoding {
        argument: word.to_owned(),
    })?;
    Ok(shell::quote(text))
}
