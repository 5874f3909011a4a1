//! The start of a terminal's shell.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, LazyLock};

use super::actor::{Actor, End, READ_BYTES};
use super::handle::Pty;
use super::shared::PtyState;
use super::typing::Typing;
use crate::core::Core;
use crate::environment::{Environment, InvalidVariable};
use crate::launch::tell_work_dir;
use crate::leader::Leader;
use crate::registry::Registry;
use crate::spawner::{ChildFd, ProcessGroup, SpawnError, SpawnSpec, Spawned};
use crate::sys::{C_UTF8, Terminal, has_c_utf8};
use crate::termination::Termination;

impl Actor {
    /// Starts the shell of a terminal, unless that has been done.
    pub(super) async fn start(
        core: &Core,
        registry: &Arc<Registry<Pty>>,
        pty: &Pty,
    ) -> Result<Option<Self>, SpawnError> {
        let mut not_started = pty.shared.not_started.lock().await;
        if not_started.is_none() {
            return Ok(None);
        }
        let mut env = environment(core, pty.env())
            .map_err(|error| SpawnError::Os(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let launcher = core.launcher();
        let cwd = launcher.place(Some(pty.cwd()));
        tell_work_dir(&mut env, &cwd);
        let size = pty.size();
        let terminal = Terminal::open(size.cols(), size.rows()).map_err(SpawnError::Exhausted)?;
        let oom_kills = launcher.oom_kills();
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
            fds: vec![
                ChildFd::Terminal(terminal.path()),
                ChildFd::SameAs(0),
                ChildFd::SameAs(0),
            ],
            group: ProcessGroup::OwnSession,
        };
        let Spawned { pid, tag, exit, .. } = launcher.spawn(spec).await?;
        let leader = Leader::new(pid, tag, exit);
        let Some(requests) = not_started.take() else {
            unreachable!("it is locked");
        };
        pty.shared.state.send_replace(PtyState::Running);
        Ok(Some(Self {
            tree: leader.tree(),
            end: End {
                registry: Arc::clone(registry),
                pty: pty.clone(),
                termination: Termination::Lost {
                    reason: "the terminal's task was lost".to_owned(),
                },
            },
            terminal,
            leader,
            requests,
            typing: Typing::default(),
            stop: launcher.stopped(),
            oom_kills,
            kills_before,
            buffer: vec![0; READ_BYTES],
            is_closed: false,
        }))
    }
}

/// The environment of a terminal's shell.
pub(super) fn environment(
    core: &Core,
    variables: &[(String, String)],
) -> Result<Environment, InvalidVariable> {
    let mut env = core.environment();
    // They tell the size of another terminal.
    env.remove("COLUMNS");
    env.remove("LINES");
    if !names_locale(&env, variables) && *HAS_C_UTF8 {
        env.set(LANG, C_UTF8);
    }
    for (name, value) in variables {
        env.set_passable(name, value)?;
    }
    Ok(env)
}

/// Whether a locale was chosen: a terminal is UTF-8, and without one its programs would take it for ASCII. An empty value
/// chooses none, unless a client asks for it.
fn names_locale(env: &Environment, variables: &[(String, String)]) -> bool {
    let is_locale = |name: &[u8]| name == LANG.as_bytes() || name.starts_with(b"LC_");
    let mut inherited = env.iter();
    inherited.any(|(name, value)| is_locale(name.as_bytes()) && !value.is_empty())
        || variables.iter().any(|(name, _)| is_locale(name.as_bytes()))
}

const LANG: &str = "LANG";

static HAS_C_UTF8: LazyLock<bool> = LazyLock::new(has_c_utf8);
