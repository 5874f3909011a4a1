//! The task that owns a session's shell.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

use super::channels::{CommandPipes, Directory, Target, open_input, open_script, open_writer};
use super::dialect::{Dialect, is_open_ended, may_set, may_trap, runs_nothing};
use super::end::{Holdings, SessionEnd};
use super::report::{Control, Ended, Report};
use super::routes::Routes;
use super::running::{Death, Ending, Progress, Running, end_everything, kill};
use super::step::{Apart, Body, Step};
use super::verdict::{UNABLE, Watched};
use super::{Job, Shared};
use crate::Environment;
use crate::command::{Command, Request, SignalError};
use crate::launch::Launcher;
use crate::leader::Leader;
use crate::limits::{
    KILL_WAIT, LOST_LOOK, SCRIPT_TEXT_BYTES, SHELL_START, STOPPED_GRACE, TERMINATE_GRACE,
};
use crate::outputs::Outputs;
use crate::procfs::{self, Stat};
use crate::shell::Shell;
use crate::spawner::{self, ChildFd, ProcessGroup, SpawnError, SpawnSpec, Spawned};
use crate::termination::Termination;

/// A session's shell with all that is known of it, owned by one task.
pub(super) struct Actor {
    holdings: Holdings,
    leader: Leader,
    shared: Arc<Shared>,
    requests: tokio::sync::mpsc::Receiver<Request>,
    stop: CancellationToken,
    directory: Directory,
    pub(super) dialect: Dialect,
    /// Its arguments, as the system tells them; others mean that a command has replaced it by `exec`.
    arguments: Option<Vec<u8>>,
    /// The shell's script; `None` once it is to read no more.
    pub(super) script: Option<File>,
    pub(super) pid: u32,
    pub(super) control: Control,
    pub(super) routes: Routes,
    number: u64,
    /// Whether a command has begun, so that the shell no longer has the descriptors that it was started with.
    pub(super) has_opened: bool,
    last: Ended,
    /// What the shell's descriptors are opened on.
    targets: [Target; 3],
}

/// What starts a session.
pub(super) struct Start {
    pub(super) shell: Shell,
    pub(super) cwd: PathBuf,
    pub(super) env: Environment,
    pub(super) stop: CancellationToken,
}

impl Actor {
    /// Starts the shell and takes it to where the session begins.
    pub(super) async fn start(
        start: Start,
        launcher: &Launcher,
        shared: Arc<Shared>,
        requests: tokio::sync::mpsc::Receiver<Request>,
    ) -> Result<Self, SpawnError> {
        spawner::enterable(&start.cwd).map_err(|source| SpawnError::WorkDir {
            path: start.cwd.clone(),
            source,
        })?;
        let dialect = Dialect::of(start.shell.path());
        let name = Path::new(start.shell.first_argument()).file_name();
        let name = name.unwrap_or_else(|| "sh".as_ref()).to_owned();
        let mut directory = Directory::new(launcher.sessions())?;
        // Named as the shell is, since the shell names its script in messages and in `$0`.
        let script_path = directory.make(&name)?;
        let mut script = open_script(&script_path)?;
        let mut control = Control::open(&mut directory)?;
        control.renew();
        let routes = Routes::new(dialect, &start.env);
        let mut env = start.env;
        env.remove("PWD");
        env.remove("OLDPWD");
        let spec = SpawnSpec {
            program: start.shell.path().to_owned(),
            argv: vec![name.clone(), name],
            env,
            cwd: directory.path().to_owned(),
            fds: vec![ChildFd::Null, ChildFd::Null, ChildFd::Null],
            group: ProcessGroup::Own,
        };
        let Spawned { pid, tag, exit, .. } = launcher.spawn(spec).await?;
        let mut actor = Self {
            holdings: Holdings::new(Arc::clone(&shared), pid, tag),
            leader: Leader::new(pid, tag, exit),
            shared,
            requests,
            stop: start.stop,
            dialect,
            pid,
            arguments: None,
            control,
            routes,
            number: 0,
            has_opened: false,
            last: Ended::default(),
            targets: [Target::Null, Target::Stdout, Target::Stderr],
            script: None,
            directory,
        };
        let lines = actor.writer().beginning(&start.cwd);
        let beginning = script.write_all(lines.as_bytes());
        actor.script = Some(script);
        let begun = async {
            beginning?;
            tokio::select! {
                biased;
                report = actor.control.next() => report,
                ended = actor.leader.ended() => {
                    Err(io::Error::other(format!("the shell {}", ended?)))
                }
                () = actor.stop.cancelled() => Err(io::ErrorKind::Interrupted.into()),
            }
        };
        let begun = tokio::time::timeout(SHELL_START, begun)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match begun {
            Ok(Report {
                ended: Ended { status: 0, .. },
                ..
            }) => {
                actor.arguments = procfs::arguments(pid);
                Ok(actor)
            }
            Ok(_) => {
                actor.holdings.end().await;
                Err(SpawnError::WorkDir {
                    path: start.cwd,
                    source: io::Error::other("the shell cannot enter it"),
                })
            }
            Err(error) => {
                actor.holdings.end().await;
                Err(SpawnError::Os(error))
            }
        }
    }

    /// Runs the session until it is deleted.
    pub(super) async fn run(mut self) {
        self.serve().await;
        // Its commands can be looked at until then.
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = self.shared.doomed.cancelled() => break,
                Some(request) = self.requests.recv() => answer(&self.shared, request, None).await,
            }
        }
        self.holdings.end().await;
        if let Err(error) = self.leader.killed().await {
            tracing::error!(session = self.shared.id, %error, "a session's shell was lost");
        }
    }

    /// Evaluates commands until the session has ended.
    async fn serve(&mut self) {
        let shared = Arc::clone(&self.shared);
        while !shared.is_closed() {
            tokio::select! {
                biased;
                ended = self.leader.ended() => {
                    tracing::debug!(session = shared.id, ?ended, "a session's shell has ended");
                    shared.close(SessionEnd::of_shell(ended));
                }
                () = self.stop.cancelled() => shared.close(SessionEnd::Deleted),
                () = shared.doomed.cancelled() => shared.close(SessionEnd::Deleted),
                Some(request) = self.requests.recv() => answer(&shared, request, None).await,
                job = shared.next_job() => self.evaluate(job).await,
            }
        }
    }

    /// Sees one command to its end. If the shell has ended with it, so has the session.
    async fn evaluate(&mut self, job: Job) {
        let given = self.give(&job).await;
        let Job { end, options, .. } = job;
        let command = end.command();
        let mut running = match given {
            Ok(running) => running,
            Err(error) => {
                let reason = error.to_string();
                let ended = Termination::NotStarted { reason };
                return self.shared.finish(end, ended);
            }
        };
        command.set_running();
        let watched = self.watch(command, &mut running, options.timeout).await;
        let unrun = self.is_unrun(&running);
        let Running {
            mut outputs,
            pipes,
            tree,
            text,
            ending,
            step,
            ..
        } = running;
        let read = async {
            outputs.drain()?;
            match has_children(self.pid) {
                true => outputs.settle(&tree).await,
                false => Ok(()),
            }
        };
        if let Err(error) = read.await {
            tracing::error!(%error, "cannot read what a command wrote");
        }
        pipes.unlink();
        if let Some(text) = text {
            // Gone already, if somebody removed the directory.
            let _ = std::fs::remove_file(text);
        }
        let termination = match self.conclude(watched, unrun, step.before).await {
            termination @ (Termination::NotStarted { .. } | Termination::Lost { .. }) => {
                termination
            }
            termination => match ending {
                Some(Ending {
                    limit: Some(limit), ..
                }) => Termination::TimedOut { limit },
                // The shell still has the status of the command before, as in a script.
                None if runs_nothing(command.text()) => match termination {
                    Termination::Exited { .. } => Termination::Exited { code: 0 },
                    other => other,
                },
                _ => termination,
            },
        };
        if ending.is_some() {
            // What ignores TERM, or left the shell behind.
            tokio::spawn(async move { tree.end(Duration::ZERO).await });
        }
        self.shared.finish(end, termination);
        tokio::spawn(outputs.read_on());
    }

    /// Returns how a command ended that was watched. If the session has ended, it is closed here: before the command's end
    /// can be seen, so that whoever sees it cannot give the session another command.
    async fn conclude(&mut self, watched: Watched, unrun: bool, before: Ended) -> Termination {
        let (reported, end) = match watched {
            Watched::Reported(reported) => (Some(reported), None),
            Watched::Exited { ended, reported } => (reported, Some(SessionEnd::of_shell(ended))),
            Watched::Deleted { reported } => (reported, Some(SessionEnd::Deleted)),
            Watched::Lost(reason) => {
                self.last = before;
                let reason = reason.to_owned();
                return Termination::Lost { reason };
            }
            Watched::NotRun(reason) => {
                self.last = before;
                let reason = reason.to_owned();
                return Termination::NotStarted { reason };
            }
            Watched::Unable(ended) => {
                self.shared.close(SessionEnd::of_shell(ended));
                let reason = UNABLE.to_owned();
                return Termination::Lost { reason };
            }
            Watched::Broken(error) => {
                kill(self.pid);
                if let Err(error) = self.leader.killed().await {
                    tracing::error!(session = self.shared.id, %error, "a shell was lost");
                }
                let reason = error.to_string();
                self.shared.close(SessionEnd::of_shell(Err(error)));
                return Termination::Lost { reason };
            }
        };
        if let Some(end) = &end {
            self.shared.close(end.clone());
        }
        match (reported, end) {
            (Some(reported), _) => {
                let code = reported.status.into();
                self.last = reported;
                Termination::Exited { code }
            }
            (None, Some(end)) if unrun => Termination::NotStarted {
                reason: format!("the session has ended: {end}"),
            },
            (None, Some(SessionEnd::Shell { termination })) => termination,
            (None, Some(SessionEnd::Deleted) | None) => Termination::Signaled {
                signal: Signal::KILL.as_raw(),
                core_dumped: false,
            },
        }
    }

    /// Whether none of a command has run: the shell could not open its descriptors, or has not read it. A shell can end by
    /// itself between two commands.
    fn is_unrun(&self, running: &Running) -> bool {
        if running.progress.is_broken {
            return true;
        }
        let script = self.script.as_ref();
        let left = script.and_then(|script| rustix::io::ioctl_fionread(script).ok());
        left.is_some_and(|left| left >= running.given)
    }

    /// Writes the command to the shell.
    async fn give(&mut self, job: &Job) -> io::Result<Running> {
        let Job {
            end,
            options,
            switch,
        } = job;
        let command = end.command();
        self.look_at_descriptors().await;
        self.number += 1;
        let input = command.input();
        let (pipes, near) = self.directory.command(self.number, input.is_some())?;
        let tree = self.holdings.tag_next();

        let mut stand_ins = vec![open_writer(&pipes.stdout)?, open_writer(&pipes.stderr)?];
        if let Some(input) = input {
            let (sender, stand_in) = open_input(&pipes.stdin)?;
            tokio::spawn(input.feed(sender));
            stand_ins.push(stand_in);
        }
        let text = if command.text().len() > SCRIPT_TEXT_BYTES {
            let user = switch.as_ref().map(|switch| switch.id);
            let text = self.directory.write_text(self.number, command.text(), user);
            Some(text?)
        } else {
            None
        };
        let of_the_user = switch.iter().flat_map(|switch| &switch.env);
        let apart = Apart {
            cwd: options.cwd.clone(),
            env: of_the_user.chain(&options.env).cloned().collect(),
            user: switch.as_ref().map(|switch| switch.words.clone()),
        };
        let is_apart = apart.cwd.is_some() || !apart.env.is_empty() || apart.user.is_some();
        // Without `WITHIN`, a failure that is none to `set -e` would end the shell.
        let may_exit = self.last.exits || may_set(command.text(), 'e', "errexit");
        let may_trap = self.dialect == Dialect::Zsh
            && !may_exit
            && (self.last.debug_trap.is_some() || may_trap(command.text()));
        let step = Step {
            is_open_ended: text.is_none() && is_open_ended(command.text())
                || self.last.echoes
                || may_set(command.text(), 'v', "verbose")
                || may_trap,
            may_trap,
            body: text
                .clone()
                .map_or_else(|| Body::Text(command.text().replace('\0', "")), Body::File),
            before: self.last.clone(),
            redirects: self.redirects(&pipes),
            apart: is_apart.then_some(apart),
        };
        let given = self.write_step(&step, command.text())?;
        Ok(Running {
            outputs: Outputs::new(command.record().clone(), near),
            pipes,
            tree,
            stand_ins,
            text,
            given,
            step,
            progress: Progress::default(),
            ending: None,
            death: Death::default(),
        })
    }

    /// Finds out which of its descriptors the shell still has as it was given them.
    async fn look_at_descriptors(&mut self) {
        for fd in 0..3 {
            let give_up = Instant::now() + KILL_WAIT;
            let mut looks = 0;
            let target = loop {
                match self.directory.target(self.pid, fd, self.control.path()) {
                    // The shell has written its report and is about to put the descriptor back, microseconds later.
                    Some(Target::Passing) if Instant::now() < give_up => {
                        tokio::task::yield_now().await;
                    }
                    // On its way from one file to another a descriptor is closed for a moment.
                    Some(Target::Closed) if looks < CLOSED_LOOKS => {
                        looks += 1;
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    target => break target,
                }
            };
            if let Some(target) = target {
                self.targets[fd] = target;
            }
        }
    }

    fn redirects(&self, pipes: &CommandPipes) -> [Option<PathBuf>; 3] {
        let stdin = match self.targets[0] {
            Target::Null if pipes.stdin == Path::new("/dev/null") => None,
            Target::Null | Target::Stdin => Some(&pipes.stdin),
            _ => None,
        };
        let output = |target, own| match target {
            // What it was started with.
            Target::Null if !self.has_opened => Some(own),
            Target::Stdout => Some(&pipes.stdout),
            Target::Stderr => Some(&pipes.stderr),
            _ => None,
        };
        [
            stdin,
            output(self.targets[1], &pipes.stdout),
            output(self.targets[2], &pipes.stderr),
        ]
        .map(|path| path.cloned())
    }

    async fn watch(
        &mut self,
        command: &Command,
        running: &mut Running,
        limit: Option<Duration>,
    ) -> Watched {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        // That a process has stopped is reported to its parent alone, which the daemon need not be.
        let mut looks = interval_at(Instant::now() + LOST_LOOK, LOST_LOOK);
        let mut stopped = None;
        loop {
            let shared = Arc::clone(&self.shared);
            let due = running.ending.as_ref().map(|ending| ending.next);
            // Reading comes last: a flood is always ready, and must keep nothing else from being seen.
            tokio::select! {
                biased;
                ended = self.leader.ended() => return self.shell_ended(ended, running),
                () = self.stop.cancelled() => return self.end_running(running).await,
                () = shared.doomed.cancelled() => return self.end_running(running).await,
                report = self.control.next() => match report {
                    Ok(report) => if let Some(watched) = self.take_report(report, running, command.text()) {
                        return watched;
                    },
                    Err(error) => return Watched::Broken(error),
                },
                Some(request) = self.requests.recv() => {
                    let own = self.replacement();
                    answer(&self.shared, request, Some((command, &mut *running, own))).await;
                }
                () = until(deadline), if running.ending.is_none() => {
                    running.ending = Some(Ending::begin(TERMINATE_GRACE, limit));
                }
                () = until(due) => {
                    let own = self.replacement();
                    if let Err(error) = running.go_on_ending(self.pid, own).await {
                        return Watched::Broken(error);
                    }
                }
                _ = looks.tick() => {
                    let is_stopped = Stat::of(self.pid).is_some_and(|stat| stat.state == b'T');
                    stopped = is_stopped.then(|| stopped.unwrap_or_else(Instant::now));
                    let looked = match stopped {
                        // By itself it never goes on.
                        Some(since) if since.elapsed() >= STOPPED_GRACE => running.death.of(self.pid),
                        _ => self.look_for_loss(running),
                    };
                    if let Err(error) = looked {
                        return Watched::Broken(error);
                    }
                }
                result = running.outputs.read() => if let Err(error) = result {
                    return Watched::Broken(error);
                },
            }
        }
    }

    /// Ends everything, because the session is to end while a command runs.
    async fn end_running(&mut self, running: &mut Running) -> Watched {
        let reported = self.reported(running);
        end_everything(&self.holdings.tree(), &mut running.outputs).await;
        Watched::Deleted { reported }
    }

    /// The shell's process, if it is the command's now: `exec` has put another program into it.
    fn replacement(&self) -> Option<u32> {
        let is_other = procfs::arguments(self.pid)? != *self.arguments.as_ref()?;
        is_other.then_some(self.pid)
    }
}

/// The last of `current` is a process of the command's that is not in its tree.
async fn answer(
    shared: &Shared,
    request: Request,
    current: Option<(&Command, &mut Running, Option<u32>)>,
) {
    let Request::Signal {
        command: id,
        signal,
        reply,
    } = request;
    let result = match current {
        Some((command, running, own)) if command.id() == id => {
            running.signal(signal, own).await;
            Ok(())
        }
        _ => match shared.is_queued(&id) {
            true => Err(SignalError::Queued),
            false => Err(SignalError::Ended),
        },
    };
    let _ = reply.send(result);
}

/// Whether it has any; one file tells in microseconds what looking through all processes takes milliseconds for.
fn has_children(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/task/{pid}/children"))
        .map_or(true, |children| !children.is_empty())
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Looks at a closed descriptor, before it is taken to be closed to last.
const CLOSED_LOOKS: u32 = 3;
