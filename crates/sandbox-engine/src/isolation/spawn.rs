//! Starts an isolated process, from the engine's side.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use seccompiler::BpfProgram;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::check;
use super::description::{Access, Isolation, Kind, Layer, Places, Rank};
use super::error::{IsolationError, Step};
use super::filter;
use super::installed::installed;
use super::plan::{Plan, Program};
use super::spare::{self, Spares};
use super::stage::{Failure, Report, Role};
use super::temporary::Temporary;
use super::{Level, Network, resolver, way_out};
use crate::environment::Environment;
use crate::host;
use crate::leader::Leader;
use crate::procfs;
use crate::spawner::{
    ChildFd, Exit, ProcessGroup, SpawnError, SpawnLimits, SpawnSpec, Spawned, Spawner, c_string,
    not_executed,
};
use crate::state::State;
use crate::sys::sealed_memory;
use crate::termination::Termination;

/// A description for processes of one engine.
#[derive(Debug, Clone)]
pub(crate) struct Isolated {
    pub(crate) isolation: Isolation,
    pub(crate) places: Places,
    /// Files and directories of the engine's own that the process reads, in what is otherwise out of its reach.
    pub(crate) shown: Vec<PathBuf>,
    /// Where directories for temporary files are made, for the level that has none of its own; `None` makes none.
    pub(crate) state: Option<State>,
}

/// Starts the process that `spec` describes, isolated. Its exit is the program's, and all processes of the program end with it.
///
/// Resolves when the program has been executed, or has failed to.
///
/// # Errors
///
/// Returns the errors of the spawner for the program and its working directory as these are seen inside, and
/// [`SpawnError::Isolation`] if a step of the isolation fails.
///
/// # Cancel safety
///
/// If dropped, no process remains.
pub(crate) async fn spawn(
    spawner: &dyn Spawner,
    mut spec: SpawnSpec,
    isolated: &Isolated,
    spares: Option<&Spares>,
) -> Result<Spawned, SpawnError> {
    let (path, cwd) = (spec.program.clone(), spec.cwd.clone());
    let temporary = Temporary::of(&isolated.isolation, isolated.state.as_ref()).await?;
    if let Some(temporary) = &temporary {
        temporary.name(&mut spec.env, &isolated.isolation, &isolated.places);
    }
    let plan = plan_of(isolated, &spec, temporary.as_ref()).await?;
    let warm = match spares {
        Some(spares) => spare::start(spares, &plan, &spec).await?,
        None => None,
    };
    let started = match warm {
        Some(started) => started,
        None => cold(spawner, &plan, spec).await?,
    };
    match started {
        Ok(spawned) => Ok(match temporary {
            Some(temporary) => Spawned {
                exit: temporary.until(spawned.exit),
                ..spawned
            },
            None => spawned,
        }),
        Err(failure) => Err(match failure.step {
            Step::Program => not_executed(&path, failure.source),
            Step::WorkDir => SpawnError::WorkDir {
                path: cwd,
                source: failure.source,
            },
            _ => failed(failure).into(),
        }),
    }
}

/// Starts a launcher for the plan of a program.
async fn cold(
    spawner: &dyn Spawner,
    plan: &Plan,
    spec: SpawnSpec,
) -> Result<Result<Spawned, Failure>, SpawnError> {
    let launched = launch(spawner, plan, spec.fds, spec.group, spec.limits, None).await?;
    Ok(launched.map(|spawned| {
        // At the others the launcher has the view of this process.
        let has_view = plan.isolation.level() == Level::Namespaces;
        let view = has_view.then(|| File::open(format!("/proc/{}/ns/mnt", spawned.pid)));
        let view = view.and_then(Result::ok).map(OwnedFd::from);
        let exit = then_release(spawned.exit, view);
        Spawned { exit, ..spawned }
    }))
}

/// Returns an exit that does not wait for the removal of a view: it is removed when `view`, a descriptor of its namespace of mounts,
/// is closed after it, in the background. That takes the kernel as long as some of a run's other steps together.
pub(super) fn then_release(exit: Exit, view: Option<OwnedFd>) -> Exit {
    let Some(view) = view else { return exit };
    Box::pin(async move {
        let ended = exit.await;
        tokio::task::spawn_blocking(move || drop(view));
        ended
    })
}

/// Returns the process id of the program that a launcher has started: the launcher's if it has become the program, or if that has
/// ended.
pub(crate) fn program_of(isolated: &Isolated, launcher: u32) -> u32 {
    let child = match isolated.isolation.level() {
        Level::Landlock => None,
        _ => child_of(launcher),
    };
    child.unwrap_or(launcher)
}

fn child_of(launcher: u32) -> Option<u32> {
    // Another child is the way out of its network.
    let children = procfs::children(launcher);
    let is_init = |pid: &u32| procfs::innermost_id(*pid) == Some(1);
    // At the level `bwrap` that program is in between.
    let below = children.iter().flat_map(|pid| procfs::children(*pid));
    let init = { children.iter().copied().chain(below) }.find(is_init)?;
    let mut programs = procfs::children(init).into_iter();
    // The first process after process 1; orphans are children of that, too.
    programs.find(|pid| procfs::innermost_id(*pid) == Some(2))
}

/// Takes every step of `isolated` without a program.
///
/// # Errors
///
/// Returns the error of the step that failed, and errors of the spawner for the launcher.
pub(crate) async fn probe(spawner: &dyn Spawner, isolated: &Isolated) -> Result<(), SpawnError> {
    let plan = plan(isolated, None, None).await?;
    let fds = vec![ChildFd::Null; 3];
    let limits = SpawnLimits::default();
    match launch(spawner, &plan, fds, ProcessGroup::Own, limits, None).await? {
        // It exits by itself; its exit is awaited so that nothing of the probe remains.
        Ok(spawned) => match spawned.exit.await?.termination {
            Termination::Exited { code: 0 } => Ok(()),
            other => Err(IsolationError::of_launcher(io::Error::other(format!(
                "it ended: {other:?}"
            )))
            .into()),
        },
        Err(failure) => Err(failed(failure).into()),
    }
}

/// Starts a launcher and waits for its verdict: the process if all steps succeeded. Its arguments are its name and `label`.
pub(super) async fn launch(
    spawner: &dyn Spawner,
    plan: &Plan,
    mut fds: Vec<ChildFd>,
    group: ProcessGroup,
    limits: SpawnLimits,
    label: Option<&str>,
) -> Result<Result<Spawned, Failure>, SpawnError> {
    let executable = host::program().map_err(IsolationError::of_launcher)?;
    let sealed = sealed_memory("isolation", &[&plan.encode()]).map_err(SpawnError::Exhausted)?;
    let count = fds.len();
    fds.extend([
        ChildFd::Given(Arc::new(sealed)),
        ChildFd::Output,
        ChildFd::Given(executable),
    ]);
    let role = Role { fds: count };
    let mut env = host::environment();
    env.set(Role::VARIABLE, role.to_text());
    let spec = SpawnSpec {
        program: format!("/proc/self/fd/{}", role.executable()).into(),
        argv: ["sandbox-isolation"]
            .into_iter()
            .chain(label)
            .map(Into::into)
            .collect(),
        env,
        cwd: "/".into(),
        fds,
        group,
        // Of the launcher, too: what it starts inherits them.
        limits,
    };
    let Spawned {
        pid,
        tag,
        mut fds,
        exit,
    } = spawner.spawn(spec).await?;
    // Until the verdict is read this owns the process: it is killed if this future is dropped.
    let leader = Leader::new(pid, tag, exit);
    let verdict = fds.get_mut(role.verdict()).and_then(Option::take);
    fds.truncate(count);
    if let Report::Failed(failure) = read(verdict).await? {
        return Ok(Err(failure));
    }
    Ok(Ok(Spawned {
        pid,
        tag,
        fds,
        exit: leader.release(),
    }))
}

/// Reads a launcher's verdict.
pub(super) async fn read(verdict: Option<OwnedFd>) -> Result<Report, SpawnError> {
    let verdict = verdict.ok_or(IsolationError::NoVerdict)?;
    let mut bytes = Vec::new();
    let from = pipe::Receiver::from_owned_fd(verdict)?;
    from.take(Report::MOST_BYTES)
        .read_to_end(&mut bytes)
        .await?;
    Report::decode(&bytes).ok_or_else(|| IsolationError::NoVerdict.into())
}

/// Returns the plan of the program that `spec` describes.
pub(super) async fn plan_of(
    isolated: &Isolated,
    spec: &SpawnSpec,
    temporary: Option<&Temporary>,
) -> Result<Plan, SpawnError> {
    let program = program(spec)?;
    Ok(plan(isolated, Some(program), temporary).await?)
}

async fn plan(
    isolated: &Isolated,
    program: Option<Program>,
    temporary: Option<&Temporary>,
) -> Result<Plan, IsolationError> {
    let Isolated {
        isolation,
        places,
        shown,
        state: _,
    } = isolated;
    let mut isolation = isolation.clone();
    let names = resolver::layer(&isolation, places).await;
    isolation.layers.extend(names);
    isolation.layers.extend(shown.iter().map(|path| own(path)));
    isolation.layers.extend(temporary.map(Temporary::layer));
    // Here as well as in the launcher, which knows where links lead: the errors are exact.
    let layers = isolation.all_layers(places);
    check::merged(layers, &isolation.root, Some(places))?;
    Ok(Plan {
        filters: compiled_filters(&isolation)?,
        way_out: way_out::of(&isolation).await?,
        helper: match isolation.level() {
            Level::Bwrap => Some(installed("bwrap").await?),
            _ => None,
        },
        isolation,
        places: places.clone(),
        program,
        is_lasting: false,
        inside: None,
        is_spare: false,
    })
}

/// Returns the layer for a path of the engine's own.
fn own(path: &Path) -> Layer {
    // A bind follows no links, and a path of the system's directory for temporary files may have some.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    Layer {
        kind: Kind::Bind {
            source: path.clone(),
            access: Access::Read,
        },
        path,
        rank: Rank::Own,
    }
}

pub(super) fn compiled_filters(isolation: &Isolation) -> Result<Vec<BpfProgram>, IsolationError> {
    static NAMESPACES: Filters = LazyLock::new(|| compiled(filter::filters()));
    static CLOSED: Filters = LazyLock::new(|| compiled(filter::landlock_filters(Network::None)));
    static OPEN: Filters = LazyLock::new(|| compiled(filter::landlock_filters(Network::Host)));
    ready(match (isolation.level(), isolation.network()) {
        (Level::Landlock, Network::Host) => &OPEN,
        (Level::Landlock, Network::None | Network::User) => &CLOSED,
        _ => &NAMESPACES,
    })
}

/// Filters that are compiled when they are used for the first time.
pub(super) type Filters = LazyLock<Result<Vec<BpfProgram>, String>>;

pub(super) fn compiled(filters: io::Result<Vec<BpfProgram>>) -> Result<Vec<BpfProgram>, String> {
    filters.map_err(|error| error.to_string())
}

pub(super) fn ready(filters: &Filters) -> Result<Vec<BpfProgram>, IsolationError> {
    (**filters).clone().map_err(no_filters)
}

fn no_filters(error: String) -> IsolationError {
    IsolationError::Step {
        step: Step::SystemCalls,
        path: None,
        source: io::Error::new(io::ErrorKind::Unsupported, error),
    }
}

fn program(spec: &SpawnSpec) -> Result<Program, SpawnError> {
    let text = |text: &OsStr, what| {
        let text = c_string(text, what)?;
        Ok::<_, SpawnError>(OsString::from_vec(text.into_bytes()))
    };
    let argv = spec.argv.iter();
    let argv = argv.map(|argument| text(argument, "an argument"));
    Ok(Program {
        path: text(spec.program.as_os_str(), "the program's path")?.into(),
        argv: argv.collect::<Result<_, _>>()?,
        env: variables(&spec.env)?,
        cwd: text(spec.cwd.as_os_str(), "the working directory")?.into(),
        has_terminal: matches!(spec.fds.first(), Some(ChildFd::Terminal(_))),
    })
}

pub(super) fn variables(env: &Environment) -> Result<Vec<OsString>, SpawnError> {
    let variables = env.c_strings().map_err(|_| SpawnError::Nul {
        what: "an environment variable",
    })?;
    let variables = variables.into_iter();
    Ok(variables
        .map(|variable| OsString::from_vec(variable.into_bytes()))
        .collect())
}

pub(super) fn failed(failure: Failure) -> IsolationError {
    let Failure { step, path, source } = failure;
    IsolationError::Step { step, path, source }
}
