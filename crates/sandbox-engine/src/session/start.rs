//! The start of a session's shell.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::actor::Actor;
use super::channels::{Directory, Target, open_script};
use super::dialect::Dialect;
use super::filed::Filing;
use super::holdings::Holdings;
use super::report::{Control, Ended, Report};
use super::routes::Routes;
use super::shared::Shared;
use crate::command::Request;
use crate::environment::Environment;
use crate::isolation::Isolation;
use crate::launch::Launcher;
use crate::leader::Leader;
use crate::limits::SHELL_START;
use crate::offload::file_calls;
use crate::patience::Patience;
use crate::procfs::Program;
use crate::resources::Limits;
use crate::shell::Shell;
use crate::spawner::{self, ChildFd, ProcessGroup, SpawnError, SpawnLimits, SpawnSpec, Spawned};

/// The parameters of a session's start.
pub(super) struct Start {
    pub(super) shell: Shell,
    pub(super) cwd: PathBuf,
    pub(super) env: Environment,
    pub(super) isolation: Option<Isolation>,
    pub(super) limits: Limits,
    pub(super) stop: CancellationToken,
}

impl Actor {
    /// Starts the shell and takes it to the directory in which the session begins.
    pub(super) async fn start(
        start: Start,
        launcher: &Launcher,
        shared: Arc<Shared>,
        requests: mpsc::Receiver<Request>,
    ) -> Result<Self, SpawnError> {
        // The shell would report only that it failed, and not why.
        let checked = spawner::enterable(&start.cwd).await;
        checked.map_err(|source| SpawnError::WorkDir {
            path: start.cwd.clone(),
            source,
        })?;
        let cwd = start.cwd.clone();
        let mut actor = Self::spawn(start, launcher, shared, requests).await?;
        match actor.enter(&cwd).await {
            Ok(Report {
                ended: Ended { status: 0, .. },
                ..
            }) => {
                // Not before the report, which proves that the process executes the shell.
                actor.program = Program::of(actor.pid);
                Ok(actor)
            }
            Ok(_) => {
                actor.holdings.end().await;
                Err(SpawnError::WorkDir {
                    path: cwd,
                    source: io::Error::other("the shell cannot enter it"),
                })
            }
            Err(error) => {
                actor.holdings.end().await;
                Err(SpawnError::Os(error))
            }
        }
    }

    /// Starts the shell in the session's private directory, with an empty script.
    async fn spawn(
        start: Start,
        launcher: &Launcher,
        shared: Arc<Shared>,
        requests: mpsc::Receiver<Request>,
    ) -> Result<Self, SpawnError> {
        let shell = start.shell.clone();
        let dialect = file_calls(move || Dialect::of(shell.path())).await;
        let dialect = dialect.map_err(|source| SpawnError::Program {
            path: start.shell.path().to_owned(),
            source,
        })?;
        let name = Path::new(start.shell.first_argument()).file_name();
        let name = name.unwrap_or_else(|| "sh".as_ref()).to_owned();
        let mut directory = Directory::new(launcher.sessions())?;
        // Named like the shell, since the shell prints its script's name in messages and in `$0`.
        let script_path = directory.make(&name)?;
        let script = open_script(&script_path)?;
        let mut control = match &start.isolation {
            None => Control::open(&mut directory)?,
            // The machine's terminals are out of its sight.
            Some(_) => Control::named(&mut directory)?,
        };
        control.renew();
        let routes = Routes::new(dialect, &start.env);
        let mut env = start.env;
        // Those of the engine: the shell enters the session's directory by `cd`, which sets its
        // own.
        env.remove("PWD");
        env.remove("OLDPWD");
        let spec = SpawnSpec {
            program: start.shell.path().to_owned(),
            argv: vec![name.clone(), name],
            env,
            cwd: directory.path().to_owned(),
            // Each command opens its own by name; what the shell writes in between is discarded.
            fds: vec![ChildFd::Null, ChildFd::Null, ChildFd::Null],
            group: ProcessGroup::Own,
            limits: SpawnLimits::default(),
        };
        // Read-only: a pipe can be written to all the same, and no command removes its name.
        let shown = vec![directory.path().to_owned()];
        let begun = launcher.spawn_in(start.isolation.as_ref(), shown, &start.limits, spec);
        let (begun, confinement) = begun.await?;
        let leader = begun.spawned.pid;
        let Spawned { tag, exit, .. } = begun.spawned;
        let pid = begun.program;
        shared.pid.get_or_init(|| pid);
        Ok(Self {
            holdings: Holdings::new(Arc::clone(&shared), leader, pid, tag),
            leader: Leader::new(leader, tag, exit),
            confinement,
            shared,
            requests,
            stop: start.stop,
            dialect,
            pid,
            program: None,
            control,
            routes,
            filing: Filing::default(),
            number: 0,
            has_opened: false,
            last: Ended::default(),
            targets: [Target::Null, Target::Stdout, Target::Stderr],
            script: Some(script),
            directory,
        })
    }

    /// Changes the shell to the directory in which the session begins, and returns its report of that.
    async fn enter(&mut self, cwd: &Path) -> io::Result<Report> {
        let lines = self.writer().beginning(cwd);
        let written = self.write_script(&lines);
        let patience = Patience::begin(self.pid, SHELL_START);
        let entered = async {
            written?;
            // The report first: a shell that cannot enter the directory says so, and ends then.
            tokio::select! {
                biased;
                report = self.control.next() => report,
                ended = self.leader.ended() => {
                    Err(io::Error::other(format!("the shell {}", ended?)))
                }
                () = self.stop.cancelled() => Err(io::ErrorKind::Interrupted.into()),
            }
        };
        patience
            .wait_for(pin!(entered))
            .await
            .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }
}
