//! The isolation that requests ask for.

use sandbox_engine::Engine;
use sandbox_engine::isolation::{Access, Isolation, IsolationError, Level, Network};
use sandbox_wire::ErrorCode;

use super::{Error, State, chain};

/// An isolation as a request describes it.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Whether the network is the machine's.
    pub(crate) has_network: bool,
    pub(crate) binds: Vec<Bind>,
    pub(crate) hidden: Vec<String>,
    pub(crate) scratch: Vec<String>,
    pub(crate) scratch_bytes: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Bind {
    /// The path on the machine, if it is another one.
    pub(crate) source: Option<String>,
    pub(crate) path: String,
    pub(crate) is_writable: bool,
}

impl Asked {
    /// Checks the description.
    pub(crate) fn build(self) -> Result<Isolation, Error> {
        let mut builder = Isolation::builder().network(match self.has_network {
            true => Network::Host,
            false => Network::None,
        });
        for bind in self.binds {
            let access = match bind.is_writable {
                true => Access::Write,
                false => Access::Read,
            };
            let source = bind.source.unwrap_or_else(|| bind.path.clone());
            builder = builder.bind_at(source, bind.path, access);
        }
        for path in self.hidden {
            builder = builder.hide(path);
        }
        for path in self.scratch {
            builder = builder.scratch(path);
        }
        if let Some(bytes) = self.scratch_bytes {
            builder = builder.scratch_bytes(bytes);
        }
        builder.build().map_err(|error| {
            Error::bad(format!("the isolation is not possible: {}", chain(&error)))
        })
    }
}

/// Refuses an isolation that is weaker than the daemon's default, and the machine's network if a process could use it to
/// reach the daemon without a token.
pub(crate) fn check(state: &State, asked: Option<&Isolation>) -> Result<(), Error> {
    let Some(asked) = asked else { return Ok(()) };
    if let Some(default) = state.engine.isolation()
        && !asked.is_within(default)
    {
        let message = "the daemon isolates all processes, and a request can only hide more: it \
                       has other binds, more network or larger scratch directories";
        return Err(Error::new(ErrorCode::Forbidden, message));
    }
    if asked.network() == Network::Host && state.is_open_to_network {
        let message = "an isolated process with the machine's network could reach this daemon, \
                       which asks for no token";
        return Err(Error::new(ErrorCode::Forbidden, message));
    }
    Ok(())
}

/// Returns the error for a process that cannot be isolated, with what would help.
pub(super) fn refusal(error: &IsolationError) -> Error {
    let code = match error {
        IsolationError::Invalid(_) => ErrorCode::BadRequest,
        _ => ErrorCode::IsolationUnavailable,
    };
    let mut message = chain(error);
    if let Some(help) = error.help() {
        message.push_str("; help: ");
        message.push_str(&help);
    }
    Error::new(code, message)
}

/// The strongest level that the system allows.
#[derive(Debug)]
pub(crate) struct Support {
    pub(crate) level: Level,
    /// The step that fails, and what would help.
    pub(crate) problem: Option<(String, Option<String>)>,
    /// Whether everything is isolated.
    pub(crate) by_default: bool,
}

/// Tries every step of isolating a process. A success is remembered: the first request pays for it.
pub(crate) async fn support(state: &State) -> Support {
    let probed = state.isolates.get_or_try_init(|| probe(&state.engine));
    let (level, problem) = match probed.await {
        Ok(level) => (*level, None),
        Err(error) => (Level::None, Some((chain(&error), error.help()))),
    };
    Support {
        level,
        problem,
        by_default: state.engine.isolation().is_some(),
    }
}

async fn probe(engine: &Engine) -> Result<Level, IsolationError> {
    let strict = Isolation::strict();
    let isolation = engine.isolation().unwrap_or(&strict);
    engine.probe_isolation(isolation).await
}
