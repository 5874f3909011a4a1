//! The start of a terminal's shell.

use std::io;
use std::sync::Arc;

use tokio::time::Instant;

use super::actor::{Actor, End};
use super::handle::Pty;
use super::shared::PtyState;
use crate::core::Core;
use crate::environment::{Environment, InvalidVariable};
use crate::launch::set_pwd;
use crate::leader::Leader;
use crate::outputs::Outputs;
use crate::registry::Registry;
use crate::spawner::{ProcessGroup, SpawnError, SpawnLimits, SpawnSpec, Spawned, responds};
use crate::terminal::{self, Console};
use crate::termination::Termination;

impl Actor {
    /// Starts the shell of a terminal, unless that has been done.
    pub(super) async fn start(
        core: &Core,
        registry: &Arc<Registry<Pty>>,
        pty: &Pty,
    ) -> Result<Option<Self>, SpawnError> {
        // Locked until the shell runs: a second start waits, and then finds that there is nothing
        // to do. After an error the receiver is still there, so that the start can be tried again.
        let mut not_started = pty.shared.not_started.lock().await;
        if not_started.is_none() {
            return Ok(None);
        }
        let mut env = environment(core, pty.env())
            .map_err(|error| SpawnError::Os(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let launcher = core.launcher();
        let cwd = launcher.resolve_cwd(Some(pty.cwd()));
        set_pwd(&mut env, &cwd);
        responds(&cwd).await?;
        // The system has a limit of terminals (`/proc/sys/kernel/pty/max`, pty(7)) and of
        // descriptors.
        let console = Console::open(pty.size()).map_err(SpawnError::Exhausted)?;
        let oom_kills = launcher.oom_kills();
        // Before the start: a shell that is killed immediately is counted, too.
        let kills_before = oom_kills.count();
        let spec = SpawnSpec {
            program: core.shell().path().to_owned(),
            argv: vec![
                core.shell().first_argument().into(),
                "-i".into(),
                "-l".into(),
            ],
            env,
            cwd,
            fds: console.fds().into(),
            group: ProcessGroup::OwnSession,
            limits: SpawnLimits::default(),
        };
        let (isolation, limits) = (pty.shared.isolation.as_ref(), &pty.shared.limits);
        let start = Instant::now();
        let begun = launcher.spawn_in(isolation, Vec::new(), limits, spec);
        let (begun, confinement) = begun.await?;
        let Spawned { pid, tag, exit, .. } = begun.spawned;
        let leader = Leader::new(pid, tag, exit);
        let Some(requests) = not_started.take() else {
            unreachable!("it is locked");
        };
        pty.shared.state.send_replace(PtyState::Running);
        let screen = Arc::clone(&pty.shared);
        Ok(Some(Self {
            tree: leader.tree(),
            end: End {
                registry: Arc::clone(registry),
                pty: pty.clone(),
                termination: Termination::Lost {
                    reason: "the terminal's task was lost".to_owned(),
                },
            },
            outputs: Outputs::shown(screen, console),
            leader,
            confinement,
            requests,
            stop: launcher.stopped(),
            oom_kills,
            kills_before,
            begun: start,
        }))
    }
}

/// Returns the environment of a terminal's shell.
pub(super) fn environment(
    core: &Core,
    variables: &[(String, String)],
) -> Result<Environment, InvalidVariable> {
    let mut env = core.environment();
    for (name, value) in variables {
        env.set_passable(name, value)?;
    }
    terminal::adapt(&mut env, variables);
    Ok(env)
}
