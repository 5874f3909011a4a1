//! Pseudo-terminals.

use sandbox_engine::{
    CreatePtyError, Engine, Pty, PtyInput, PtyOptions, PtyOutput, PtySize, PtyState,
    ResizePtyError, SpawnError,
};
use sandbox_wire::ErrorCode;

use super::repeat::Operation;
use super::session::check_id;
use super::{Error, State, chain, isolation};

/// Creates a terminal, or returns the one that a request with this key has created; `key` may be empty.
pub(crate) async fn create(
    state: &State,
    key: &str,
    id: &str,
    options: PtyOptions,
) -> Result<Pty, Error> {
    if id.is_empty() {
        return Err(Error::bad("the terminal's id is required"));
    }
    check_id(id)?;
    isolation::check(state, options.isolation.as_ref())?;
    if id == RESERVED {
        return Err(Error::bad("this id is the name of a route"));
    }
    let request = state
        .repeats
        .request(Operation::NewPty, key, (id, &options))?;
    let find = |id: &str| state.engine.ptys().get(id);
    let (engine, id) = (state.engine.clone(), id.to_owned());
    let create = Box::pin(async move {
        let pty = engine.ptys().create(&id, options).await?;
        Ok((pty, id))
    });
    let created = state.repeats.create(request, find, create).await?;
    created.map_err(create_refusal)
}

fn create_refusal(error: CreatePtyError) -> Error {
    match error {
        CreatePtyError::Spawn(error) => not_started(&error),
        CreatePtyError::Exists { .. } => Error::new(ErrorCode::Conflict, chain(&error)),
        CreatePtyError::TooMany { .. } => Error::new(ErrorCode::TooManyRequests, chain(&error)),
        error => Error::bad(chain(&error)),
    }
}

/// Returns the terminal with this id, which may have ended.
pub(crate) fn find(engine: &Engine, id: &str) -> Result<Pty, Error> {
    let pty = engine.ptys().get(id);
    pty.ok_or_else(|| Error::not_found(WHAT))
}

/// Returns the terminal with this id, unless its shell has ended.
pub(crate) fn open(engine: &Engine, id: &str) -> Result<Pty, Error> {
    let pty = find(engine, id)?;
    match pty.state() {
        PtyState::Ended(_) => Err(Error::not_found(WHAT)),
        _ => Ok(pty),
    }
}

/// Deletes a terminal: ends all its processes.
pub(crate) async fn delete(engine: &Engine, id: &str) -> Result<(), Error> {
    if engine.ptys().delete(id).await {
        Ok(())
    } else {
        Err(Error::not_found(WHAT))
    }
}

/// Returns a terminal's size, or an error if it is out of range.
pub(crate) fn size(cols: u16, rows: u16) -> Result<PtySize, Error> {
    PtySize::new(cols, rows).map_err(|error| Error::bad(error.to_string()))
}

/// Sets the size of a terminal.
pub(crate) async fn resize(engine: &Engine, id: &str, size: PtySize) -> Result<Pty, Error> {
    // The reference does not distinguish a terminal that has ended from one that never existed.
    let closed = || Error::new(ErrorCode::SessionEnded, "no such terminal, or it has ended");
    let pty = engine.ptys().get(id).ok_or_else(closed)?;
    match pty.resize(size).await {
        Ok(()) => Ok(pty),
        Err(ResizePtyError::Ended) => Err(closed()),
        Err(error) => Err(Error::internal(error)),
    }
}

/// A terminal that a client is attached to.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) pty: Pty,
    pub(crate) output: PtyOutput,
    /// `None` for a client that is only a viewer.
    pub(crate) input: Option<PtyInput>,
}

impl Attached {
    /// Attaches a client to a terminal, with the output from `since` on.
    pub(crate) fn new(pty: Pty, since: Option<u64>, is_viewer: bool) -> Result<Self, Error> {
        let output = if is_viewer {
            pty.watch(since)
        } else {
            pty.output(since)
        };
        Ok(Self {
            output: output?,
            input: (!is_viewer).then(|| pty.input()),
            pty,
        })
    }
}

/// Starts the shell of a terminal that waits for its first client.
pub(crate) async fn start(engine: &Engine, pty: &Pty) -> Result<(), Error> {
    let started = engine.ptys().start(pty).await;
    started.map_err(|error| not_started(&error))
}

/// Returns the error for a shell that was not started: 500, which is all that clients know, unless resources are short.
fn not_started(error: &SpawnError) -> Error {
    if let SpawnError::Limit(error) = error {
        return Error::of_limit(error);
    }
    let code = ErrorCode::InternalServerError;
    Error::not_started("the terminal's shell", error, code)
}

const WHAT: &str = "terminal";

/// An id that is reserved for a route, so that a terminal with this id could not be addressed.
const RESERVED: &str = "create-connect";
