//! The isolation that requests ask for.

use sandbox_engine::Engine;
use sandbox_engine::isolation::{Access, Isolation, IsolationError, Level, Network, check_way_out};
use sandbox_engine::resources::{Limit, Mechanism};
use sandbox_wire::ErrorCode;

pub(crate) use super::trial::Problem;
use super::trial::Trial;
use super::{Error, State, chain};

/// An isolation as a request describes it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) level: Level,
    pub(crate) network: Network,
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
        let mut builder = Isolation::builder();
        builder = builder.level(self.level).network(self.network);
        for bind in self.binds {
            let access = if bind.is_writable {
                Access::Write
            } else {
                Access::Read
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
    // The network `user` reaches neither the machine's loopback interface nor its abstract sockets, and a daemon without a token
    // listens on no other address.
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
    Error::new(code, explain(Problem::of(error)))
}

/// Returns why a process cannot be isolated, with what would help.
fn explain(Problem { text, help }: Problem) -> String {
    let help = help.map(|help| format!("; help: {help}"));
    text + &help.unwrap_or_default()
}

/// Returns what enforces each limit of a run, or the reason why nothing does.
pub(crate) async fn limits(state: &State) -> Vec<(Limit, Result<Mechanism, String>)> {
    let engine = state.engine.clone();
    let find = move || {
        let found = |limit| engine.limit_mechanism(limit).map_err(|error| chain(&error));
        Limit::ALL.map(|limit| (limit, found(limit))).into()
    };
    // A group is made for a moment, for which the kernel may take a while.
    tokio::task::spawn_blocking(find).await.unwrap_or_default()
}

/// The levels that the system allows.
#[derive(Debug)]
pub(crate) struct Support {
    /// The strongest first.
    pub(crate) levels: Vec<Level>,
    /// The step of the level of namespaces that fails, and what would help.
    pub(crate) problem: Option<Problem>,
    /// Whether everything is isolated.
    pub(crate) by_default: bool,
    /// Why no process can have a network with a way out.
    pub(crate) network_problem: Option<String>,
}

impl Support {
    /// Returns the strongest level.
    pub(crate) fn level(&self) -> Level {
        self.levels.first().copied().unwrap_or_default()
    }
}

/// What was found when the system was tried.
#[derive(Debug, Default)]
pub(super) struct Trials {
    /// In the order of [`LEVELS`].
    levels: [Trial; LEVELS.len()],
    way_out: Trial,
}

/// Tries every step of isolating a process at each level, as far as that is not known from an earlier [`Trial`].
pub(crate) async fn support(state: &State) -> Support {
    let mut levels = Vec::new();
    let mut problem = None;
    let [namespaces, bwrap, landlock] = LEVELS;
    let [first, second, third] = &state.trials.levels;
    let (first, second, third, way_out) = tokio::join!(
        first.outcome(Box::pin(probe(&state.engine, namespaces))),
        second.outcome(Box::pin(probe(&state.engine, bwrap))),
        third.outcome(Box::pin(probe(&state.engine, landlock))),
        state.trials.way_out.outcome(check_way_out()),
    );
    for (level, outcome) in LEVELS.into_iter().zip([first, second, third]) {
        match outcome {
            Ok(()) => levels.push(level),
            Err(found) if level == Level::Namespaces => problem = Some(found),
            Err(_) => {}
        }
    }
    Support {
        levels,
        problem,
        by_default: state.engine.isolation().is_some(),
        network_problem: way_out.err().map(explain),
    }
}

/// The levels that isolate, the strongest first.
pub(super) const LEVELS: [Level; 3] = [Level::Namespaces, Level::Bwrap, Level::Landlock];

async fn probe(engine: &Engine, level: Level) -> Result<(), IsolationError> {
    // With the default's own binds and network, which may be what fails.
    let default = engine
        .isolation()
        .filter(|default| default.level() == level);
    let isolation = match default {
        Some(default) => default.clone(),
        None => Isolation::builder().level(level).build()?,
    };
    engine.probe_isolation(&isolation).await.map(drop)
}
