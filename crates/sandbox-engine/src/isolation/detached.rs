//! Isolated processes that outlive the process that has started them.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use rustix::process::{PidfdFlags, Signal};
use seccompiler::BpfProgram;

use super::description::{Access, Isolation, Kind, Layer, Places, Rank};
use super::error::IsolationError;
use super::plan::{Plan, Program};
use super::spawn::{Filters, compiled, failed, launch, ready, variables};
use super::stage::LASTING_NAME;
use super::{InvalidIsolation, Level, Network, check, filter, way_out};
use crate::direct::Lasting;
use crate::environment::Environment;
use crate::launch::in_time;
use crate::limits::FREEZE;
use crate::procfs::{self, Stat, process_id};
use crate::resources::LastingGroup;
use crate::spawner::{ChildFd, ProcessGroup, SpawnError, SpawnLimits};
use crate::sys::before_main::{ROLE_VARIABLE, role_text};
use crate::sys::{PidFd, sealed_memory};
use crate::tree::pause;

/// A description of this program, started again as something else, isolated, which runs until it ends: also after this
/// process has ended.
///
/// What it does instead of its `main` is declared by [`before_main!`](crate::before_main).
#[derive(Debug)]
pub struct Detached {
    /// The role in which it is started, as [`before_main!`](crate::before_main) names it.
    pub role: &'static str,
    /// A text by which [`DetachedProcess::find_all`] finds it. Other users of the machine can read it.
    pub label: String,
    /// What it sees. All that is bound is opened with the rights of this process, also if it runs as another user.
    pub isolation: Isolation,
    /// A directory of the machine that it does not see, but for what is bound of it. The paths to its files are those without links.
    pub private: PathBuf,
    /// More files and directories of the machine that it does not see. No bind may show anything of them.
    pub hidden: Vec<PathBuf>,
    /// Its whole environment.
    pub env: Environment,
    /// Its working directory, by its path in the view.
    pub work_dir: PathBuf,
    /// Receives what it writes to its standard output and error.
    pub output: File,
    /// What it gets besides.
    pub fds: Vec<OwnedFd>,
    /// Limits it and all that it starts, together. Its launcher's two processes are in the group, too.
    pub group: Option<Arc<LastingGroup>>,
}

impl Detached {
    /// Starts it. Resolves when the program has been executed.
    ///
    /// # Errors
    ///
    /// Returns [`SpawnError::Isolation`] with the step that failed, and the errors of a spawner for the launcher.
    ///
    /// # Cancel safety
    ///
    /// If dropped, no process remains.
    pub async fn start(self) -> Result<DetachedProcess, SpawnError> {
        let level = self.isolation.level();
        if level != Level::Namespaces {
            let what = "processes that outlive the engine";
            return Err(IsolationError::from(InvalidIsolation::Impossible { level, what }).into());
        }
        let count = self.fds.len();
        let evidence = sealed_memory("role", &[self.role.as_bytes()]);
        let evidence = evidence.map_err(SpawnError::Exhausted)?;
        let mut fds = vec![
            ChildFd::Null,
            ChildFd::Given(Arc::new(self.output.into())),
            ChildFd::SameAs(1),
        ];
        let given = self.fds.into_iter().chain([evidence]);
        fds.extend(given.map(|fd| ChildFd::Given(Arc::new(fd))));
        let mut env = self.env;
        env.set(ROLE_VARIABLE, role_text(self.role, count));
        let places = Places {
            work_dir: self.work_dir.clone(),
            home: None,
            temporary: self.private,
            state: None,
            sealed: self.hidden,
        };
        let mut isolation = self.isolation;
        isolation.layers.push(Layer {
            path: PROGRAM.into(),
            kind: Kind::Bind {
                source: std::fs::read_link("/proc/self/exe")
                    .map_err(IsolationError::of_launcher)?,
                access: Access::Read,
            },
            rank: Rank::Asked,
        });
        let layers = isolation.all_layers(&places);
        check::merged(layers, &isolation.root, Some(&places)).map_err(IsolationError::from)?;
        let way_out = way_out::of(&isolation).await?;
        let plan = Plan {
            isolation,
            places,
            filters: compiled_filters()?,
            program: Some(Program {
                path: PROGRAM.into(),
                argv: vec!["sandbox".into(), self.role.into()],
                env: variables(&env)?,
                cwd: self.work_dir,
                has_terminal: false,
            }),
            is_lasting: true,
            way_out,
            helper: None,
            inside: None,
            is_spare: false,
        };
        let limits = SpawnLimits {
            groups: self.group.map(|group| group.entries()).unwrap_or_default(),
            ..SpawnLimits::default()
        };
        let group = ProcessGroup::OwnSession;
        let started = launch(&Lasting, &plan, fds, group, limits, Some(&self.label));
        match in_time(started).await? {
            Ok(spawned) => {
                let process = DetachedProcess::of(spawned.pid);
                // Reaps the launcher if it ends before this process.
                tokio::spawn(spawned.exit);
                Ok(process?)
            }
            Err(failure) => Err(failed(failure).into()),
        }
    }
}

/// Takes every step of a strict isolation without a program, and returns whether this system allows them.
///
/// # Errors
///
/// Returns [`SpawnError::Isolation`] with the step that failed.
///
/// # Cancel safety
///
/// If dropped, no process remains.
pub async fn probe() -> Result<(), SpawnError> {
    super::probe(&Lasting, &tried(Network::None)?).await
}

/// Does what [`probe`] does, with [`Network::User`].
///
/// # Errors
///
/// Returns [`SpawnError::Isolation`] with the step that failed, or the program that is not installed.
///
/// # Cancel safety
///
/// If dropped, no process remains.
pub async fn probe_way_out() -> Result<(), SpawnError> {
    in_time(super::probe(&Lasting, &tried(Network::User)?)).await
}

fn tried(network: Network) -> Result<super::Isolated, IsolationError> {
    let places = Places {
        work_dir: "/tmp".into(),
        temporary: "/tmp/sandbox".into(),
        ..Places::default()
    };
    let isolation = Isolation::builder();
    let isolation = isolation.scratch("/tmp").network(network).build();
    let isolation = isolation.map_err(IsolationError::from)?;
    Ok(super::Isolated {
        isolation,
        places,
        shown: Vec::new(),
        state: None,
    })
}

/// A process that a [`Detached`] describes, with all that it has started.
#[derive(Debug)]
pub struct DetachedProcess {
    init: u32,
    pidfd: PidFd,
    launcher: PidFd,
}

impl DetachedProcess {
    /// Returns the one with this launcher, which was not reaped.
    fn of(launcher: u32) -> io::Result<Self> {
        let ended = || io::Error::new(io::ErrorKind::NotFound, "the process has ended");
        let launched = PidFd::open(process_id(launcher)?)?;
        // Another child is the way out of its network.
        let mut children = children(launcher)?.into_iter();
        let init = children.find(|pid| procfs::innermost_id(*pid) == Some(1));
        let init = init.ok_or_else(ended)?;
        let pidfd = PidFd::open(process_id(init)?)?;
        // The descriptors are of the processes that have the numbers now.
        let is_it = Stat::of(init).is_some_and(|stat| stat.parent == launcher);
        let process = Self {
            init,
            pidfd,
            launcher: launched,
        };
        is_it.then_some(process).ok_or_else(ended)
    }

    /// Returns those that this user has started, with their labels, whichever process has started them.
    ///
    /// To be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns the error of the system if `/proc` cannot be read.
    pub fn find_all() -> io::Result<Vec<(String, Self)>> {
        let mine = std::fs::read_link("/proc/self/ns/pid")?;
        let user = rustix::process::geteuid().as_raw();
        let mut found = Vec::new();
        for pid in procfs::pids() {
            let proc = |name: &str| format!("/proc/{pid}/{name}");
            let name = procfs::read(proc("comm")).unwrap_or_default();
            // A process inside a sandbox can have any name and arguments, but not this namespace.
            if name.trim_ascii_end() != LASTING_NAME.to_bytes()
                || std::fs::read_link(proc("ns/pid")).ok().as_ref() != Some(&mine)
            {
                continue;
            }
            if user != 0 && rustix::fs::stat(proc("")).ok().map(|stat| stat.st_uid) != Some(user) {
                continue;
            }
            let Ok(process) = Self::of(pid) else {
                // It has ended, or has no process 1 yet. If its starter has ended, it will fail to report that it is ready,
                // and starts nothing.
                continue;
            };
            let arguments = procfs::read(proc("cmdline")).unwrap_or_default();
            let label = arguments.split(|byte| *byte == 0).nth(1);
            // It had its arguments before it had a child.
            if let Some(label) = label.and_then(|label| str::from_utf8(label).ok()) {
                found.push((label.to_owned(), process));
            }
        }
        Ok(found)
    }

    /// Waits until the process and all that it has started have ended.
    ///
    /// # Errors
    ///
    /// Returns the error of the system if the runtime shuts down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn ended(&self) -> io::Result<()> {
        self.pidfd.ended().await?;
        // It ends when process 1 has, and is in the control group until then.
        self.launcher.ended().await
    }

    /// Asks the program to end, by SIGTERM.
    ///
    /// # Errors
    ///
    /// Returns the error of the system if the program cannot be found or signaled.
    pub fn terminate(&self) -> io::Result<()> {
        // The oldest child of process 1; the others are orphans.
        let Some(program) = children(self.init)?.first().copied() else {
            return Ok(());
        };
        let pidfd = rustix::process::pidfd_open(process_id(program)?, PidfdFlags::empty())?;
        if Stat::of(program).is_some_and(|stat| stat.parent == self.init) {
            rustix::process::pidfd_send_signal(pidfd, Signal::TERM)?;
        }
        Ok(())
    }

    /// Kills the process and all that it has started. [`ended`](Self::ended) resolves when they have ended.
    ///
    /// # Errors
    ///
    /// Returns the error of the system if it may not be killed.
    pub fn kill(&self) -> io::Result<()> {
        for process in [&self.pidfd, &self.launcher] {
            match rustix::process::pidfd_send_signal(process.as_fd(), Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Stops the process and all that it has started, by SIGSTOP. Returns when nothing of it runs any more. Blocks the thread.
    ///
    /// # Errors
    ///
    /// Returns [`io::ErrorKind::TimedOut`] if not all have stopped after [`FREEZE`]; all continue then.
    pub fn freeze(&self) -> io::Result<()> {
        let give_up = Instant::now() + FREEZE;
        if stop_all(
            || self.members(),
            |stat| signal(stat, Signal::STOP),
            give_up,
        ) {
            return Ok(());
        }
        self.thaw();
        let what = "a process does not stop";
        Err(io::Error::new(io::ErrorKind::TimedOut, what))
    }

    /// Continues what [`freeze`](Self::freeze) has stopped.
    pub fn thaw(&self) {
        // Children first: a parent that looks at them finds that they run.
        for stat in self.members().iter().rev() {
            signal(stat, Signal::CONT);
        }
    }

    /// Returns whether the process is stopped.
    pub fn is_frozen(&self) -> bool {
        Stat::of(self.init).is_some_and(|stat| matches!(stat.state, b'T' | b't'))
    }

    /// Returns all processes, parents before their children.
    fn members(&self) -> Vec<Stat> {
        let all: Vec<_> = procfs::pids().filter_map(Stat::of).collect();
        let mut members: Vec<_> = all
            .iter()
            .filter(|stat| stat.pid == self.init)
            .copied()
            .collect();
        let mut next = 0;
        while let Some(parent) = members.get(next).map(|stat| stat.pid) {
            members.extend(all.iter().filter(|stat| stat.parent == parent));
            next += 1;
        }
        members
    }
}

/// Signals all that runs, until nothing does; returns `false` if something still does at `give_up`.
fn stop_all(
    mut members: impl FnMut() -> Vec<Stat>,
    stop: impl Fn(&Stat),
    give_up: Instant,
) -> bool {
    let mut signaled = HashSet::new();
    loop {
        let mut is_running = false;
        // Parents first, so that none notices that a child has stopped.
        for stat in members() {
            let is_new = signaled.insert((stat.pid, stat.start));
            match stat.state {
                b'T' | b't' | b'Z' | b'X' => {}
                // In a system call that nothing interrupts, such as the wait of `vfork` for a child that has stopped. It stops
                // before it returns to the program.
                b'D' if !is_new => {}
                _ => {
                    stop(&stat);
                    is_running = true;
                }
            }
        }
        if !is_running {
            return true;
        }
        if Instant::now() >= give_up {
            return false;
        }
        pause();
    }
}

/// Signals a process, if the number is still its own.
fn signal(stat: &Stat, signal: Signal) {
    let Ok(pid) = process_id(stat.pid) else {
        return;
    };
    let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if Stat::of(stat.pid).is_some_and(|now| now.start == stat.start) {
        // It may have ended meanwhile.
        let _ = rustix::process::pidfd_send_signal(pidfd, signal);
    }
}

/// Returns the children of the first thread of a process, the oldest first.
fn children(pid: u32) -> io::Result<Vec<u32>> {
    let text = procfs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = text.split_ascii_whitespace();
    Ok(children.filter_map(|child| child.parse().ok()).collect())
}

fn compiled_filters() -> Result<Vec<BpfProgram>, IsolationError> {
    static FILTERS: Filters = LazyLock::new(|| compiled(filter::lasting_filters()));
    ready(&FILTERS)
}

/// The path of this program in the view.
const PROGRAM: &str = "/run/sandbox-program";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_stop_is_not_waited_for_without_end() {
        let in_state = |state| Stat {
            pid: 1,
            state,
            parent: 0,
            group: 1,
            session: 1,
            is_forked: false,
            ran: 0,
            start: 0,
        };
        let now = Instant::now();
        assert!(!stop_all(|| vec![in_state(b'R')], |_| {}, now));
        for state in [b'T', b'Z'] {
            assert!(stop_all(|| vec![in_state(state)], |_| panic!(), now));
        }
        // Signaled, and then left to the kernel.
        let mut states = b"RD".iter();
        let members = || vec![in_state(*states.next().unwrap())];
        assert!(stop_all(members, |_| {}, now + FREEZE));
    }
}
