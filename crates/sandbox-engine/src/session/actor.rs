//! The task that owns a session's shell.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::Signal;
use tokio::net::unix::pipe;
use tokio::time::{Instant, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

use super::channels::{
    CONTROL, CommandPipes, Directory, Target, open_control, open_input, open_script,
};
use super::dialect::{
    Apart, Body, Dialect, Ended, Report, Stage, Step, is_open_ended, may_stop_executing,
    may_trap_errors,
};
use super::end::{Holdings, SessionEnd};
use super::running::{Ending, Running, end_everything, kill};
use super::{Job, Shared};
use crate::Environment;
use crate::command::{Command, Request, SignalError};
use crate::launch::Launcher;
use crate::leader::Leader;
use crate::limits::{KILL_WAIT, SCRIPT_TEXT_BYTES, SHELL_START, STOPPED_GRACE, TERMINATE_GRACE};
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
    dialect: Dialect,
    pid: u32,
    /// Its arguments, as the system tells them; others mean that a command has replaced it by `exec`.
    arguments: Option<Vec<u8>>,
    /// The shell's script; `None` once it is to read no more.
    script: Option<File>,
    script_path: PathBuf,
    /// The writing end of the gate that the shell passed last.
    gate_holder: Option<File>,
    control: Control,
    control_path: PathBuf,
    number: u64,
    last: Ended,
    /// Whether an `ERR` trap may be set: a command has the word in its text.
    may_trap_errors: bool,
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

/// Lines that the shell writes.
#[derive(Debug)]
struct Control {
    pipe: pipe::Receiver,
    buffer: Vec<u8>,
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
        let directory = Directory::new()?;
        // Named as the shell is, since the shell names its script in messages and in `$0`.
        let script_path = directory.make(&name)?;
        let control_path = directory.make(CONTROL.as_ref())?;
        let mut script = open_script(&script_path)?;
        let control = Control {
            pipe: open_control(&control_path)?,
            buffer: Vec::new(),
        };
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
            control_path,
            number: 0,
            may_trap_errors: false,
            last: Ended {
                status: 0,
                traces: false,
            },
            targets: [Target::Null, Target::Stdout, Target::Stderr],
            script_path,
            script: None,
            gate_holder: None,
            directory,
        };
        let beginning = script.write_all(&dialect.beginning(&start.cwd, &actor.control_path));
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
                stage: Stage::Done(Ended { status: 0, .. }),
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
                return end.set(Termination::NotStarted { reason });
            }
        };
        command.set_running();
        let watched = self.watch(command, &mut running, options.timeout).await;
        let unread = self.is_unread(&running);
        let Running {
            mut outputs,
            pipes,
            tree,
            text,
            ending,
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
        let termination = match self.conclude(watched, unread).await {
            termination @ Termination::NotStarted { .. } => termination,
            termination => match ending {
                Some(Ending {
                    limit: Some(limit), ..
                }) => Termination::TimedOut { limit },
                _ => termination,
            },
        };
        if ending.is_some() {
            // What ignores TERM, or left the shell behind.
            tokio::spawn(async move { tree.end(Duration::ZERO).await });
        }
        end.set(termination);
        tokio::spawn(outputs.read_on());
    }

    /// Returns how a command ended that was watched. If the session has ended, it is closed here: before the command's end
    /// can be seen, so that whoever sees it cannot give the session another command.
    async fn conclude(&mut self, watched: Watched, unread: bool) -> Termination {
        let (reported, end) = match watched {
            Watched::Reported(reported) => (Some(reported), None),
            Watched::Exited { ended, reported } => (reported, Some(SessionEnd::of_shell(ended))),
            Watched::Deleted { reported } => (reported, Some(SessionEnd::Deleted)),
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
            (None, Some(end)) if unread => Termination::NotStarted {
                reason: format!("the session has ended: {end}"),
            },
            (None, Some(SessionEnd::Shell { termination })) => termination,
            (None, Some(SessionEnd::Deleted) | None) => Termination::Signaled {
                signal: Signal::KILL.as_raw(),
                core_dumped: false,
            },
        }
    }

    /// Whether the shell has not read a command that it was given, so that none of it has run: a shell can end by itself
    /// between two commands.
    fn is_unread(&self, running: &Running) -> bool {
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

        let feed = match input {
            Some(input) => {
                let (sender, stand_in) = open_input(&pipes.stdin)?;
                tokio::spawn(input.feed(sender));
                Some(stand_in)
            }
            None => None,
        };
        let text = if command.text().len() > SCRIPT_TEXT_BYTES {
            Some(self.directory.write_text(self.number, command.text())?)
        } else {
            None
        };
        let body = text
            .as_deref()
            .map_or_else(|| Body::Text(command.text()), Body::File);
        self.gate_holder = None;
        self.may_trap_errors |= may_trap_errors(command.text());
        let gate = may_stop_executing(command.text())
            .then(|| {
                self.directory
                    .make(format!("{}.gate", self.number).as_ref())
            })
            .transpose()?;
        let of_the_user = switch.iter().flat_map(|switch| &switch.env);
        let apart = Apart {
            cwd: options.cwd.as_deref(),
            env: of_the_user.chain(&options.env).collect(),
            user: switch.as_ref().map(|switch| &*switch.words),
        };
        let is_apart = apart.cwd.is_some() || !apart.env.is_empty() || apart.user.is_some();
        let step = Step {
            number: self.number,
            body,
            status: self.last.status,
            traces: self.last.traces,
            redirects: self.redirects(&pipes),
            apart: is_apart.then_some(apart),
            control: &self.control_path,
            announce: feed.is_some(),
            report_within: self.may_trap_errors && !is_open_ended(command.text()),
            gate: gate.as_deref(),
        };
        let lines = self.dialect.step(&step);
        let script = self.script.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        script.write_all(&lines)?;
        if gate.is_some() {
            // A shell that has stopped executing reads on, finds the end, and exits; see `pass_gate`.
            self.script = None;
        }
        Ok(Running {
            outputs: Outputs::new(command.record().clone(), near),
            pipes,
            tree,
            stand_in: feed,
            text,
            gate,
            given: lines.len() as u64,
            ending: None,
        })
    }

    /// Finds out which of its descriptors the shell still has as it was given them.
    async fn look_at_descriptors(&mut self) {
        let give_up = Instant::now() + KILL_WAIT;
        while self.directory.target(self.pid, 1) == Some(Target::Control) {
            // The shell has written its report and is about to close the pipe, some microseconds later.
            tokio::task::yield_now().await;
            if Instant::now() > give_up {
                return;
            }
        }
        for fd in 0..3 {
            if let Some(target) = self.directory.target(self.pid, fd) {
                self.targets[fd] = target;
            }
        }
    }

    fn redirects<'a>(&self, pipes: &'a CommandPipes) -> [Option<&'a Path>; 3] {
        let stdin = match self.targets[0] {
            Target::Null if pipes.stdin == Path::new("/dev/null") => None,
            Target::Null | Target::Stdin => Some(&*pipes.stdin),
            _ => None,
        };
        let output = |target, own| match target {
            // What it was started with.
            Target::Null if self.number == 1 => Some(own),
            Target::Stdout => Some(&*pipes.stdout),
            Target::Stderr => Some(&*pipes.stderr),
            _ => None,
        };
        [
            stdin,
            output(self.targets[1], &*pipes.stdout),
            output(self.targets[2], &*pipes.stderr),
        ]
    }

    async fn watch(
        &mut self,
        command: &Command,
        running: &mut Running,
        limit: Option<Duration>,
    ) -> Watched {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut within = None;
        // That a process has stopped is told to its parent alone, which the daemon need not be.
        let mut looks = interval_at(Instant::now() + STOPPED_GRACE, STOPPED_GRACE);
        let mut was_stopped = false;
        loop {
            let shared = Arc::clone(&self.shared);
            let due = running.ending.as_ref().map(|ending| ending.next);
            // Reading comes last: a flood is always ready, and must keep nothing else from being seen.
            tokio::select! {
                biased;
                ended = self.leader.ended() => {
                    let reported = self.reported(within);
                    return Watched::Exited { ended, reported };
                }
                () = self.stop.cancelled() => return self.end_running(running, within).await,
                () = shared.doomed.cancelled() => return self.end_running(running, within).await,
                report = self.control.next() => match report {
                    Ok(Report { number, stage }) if number == self.number => match stage {
                        Stage::Begun => running.stand_in = None,
                        Stage::Within(ended) => within = Some(ended),
                        Stage::Done(ended) => match self.pass_gate(running) {
                            Ok(()) => return Watched::Reported(within.unwrap_or(ended)),
                            Err(error) => return Watched::Broken(error),
                        },
                    },
                    Ok(_) => {}
                    Err(error) => return Watched::Broken(error),
                },
                Some(request) = self.requests.recv() => {
                    let own = self.replacement();
                    answer(&self.shared, request, Some((command, &mut *running, own))).await;
                }
                () = until(deadline), if running.ending.is_none() => {
                    running.ending = Some(Ending::begin(TERMINATE_GRACE, limit));
                }
                () = until(due) => running.go_on_ending(self.pid, self.replacement()).await,
                _ = looks.tick() => {
                    let stopped = Stat::of(self.pid).is_some_and(|stat| stat.state == b'T');
                    if stopped && was_stopped {
                        // Nobody has let it go on, and by itself it never will.
                        kill(self.pid);
                    }
                    was_stopped = stopped;
                }
                result = running.outputs.read() => if let Err(error) = result {
                    return Watched::Broken(error);
                },
            }
        }
    }

    /// Ends everything, because the session is to end while a command runs.
    async fn end_running(&mut self, running: &mut Running, within: Option<Ended>) -> Watched {
        let reported = self.reported(within);
        end_everything(&self.holdings.tree(), &mut running.outputs).await;
        Watched::Deleted { reported }
    }

    /// Returns what the shell has reported of the command already: it may have done its work and ended after it, and both
    /// be seen at the same time.
    fn reported(&mut self, mut within: Option<Ended>) -> Option<Ended> {
        while let Ok(Some(Report { number, stage })) = self.control.ready() {
            match stage {
                Stage::Within(ended) if number == self.number => within = Some(ended),
                Stage::Done(ended) if number == self.number => return within.or(Some(ended)),
                _ => {}
            }
        }
        None
    }

    /// The shell's process, if it is the command's now: `exec` has put another program into it.
    fn replacement(&self) -> Option<u32> {
        let is_other = procfs::arguments(self.pid)? != *self.arguments.as_ref()?;
        is_other.then_some(self.pid)
    }

    /// Lets a shell that has reported go on reading its script.
    fn pass_gate(&mut self, running: &mut Running) -> io::Result<()> {
        let Some(gate) = running.gate.take() else {
            return Ok(());
        };
        self.script = Some(open_script(&self.script_path)?);
        // The shell waits in `open` for a writer; if it has not come as far yet, it finds this one.
        self.gate_holder = Some(open_script(&gate)?);
        Ok(())
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

/// Why watching a command ended.
enum Watched {
    /// The shell has told its status.
    Reported(Ended),
    /// The shell has ended, perhaps after it had reported.
    Exited {
        ended: io::Result<Termination>,
        reported: Option<Ended>,
    },
    /// The session was deleted, and everything ended; perhaps after the shell had reported.
    Deleted { reported: Option<Ended> },
    /// The shell can no longer be followed, and must be ended.
    Broken(io::Error),
}

impl Control {
    /// The next report. Cancel safe.
    async fn next(&mut self) -> io::Result<Report> {
        loop {
            if let Some(report) = self.ready()? {
                return Ok(report);
            }
            self.pipe.readable().await?;
            // Clears the readiness if there is nothing to read after all.
            let mut chunk = [0; 512];
            match self.pipe.try_read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the next report that is there already. Asks the kernel, since the runtime may not have been notified yet.
    fn ready(&mut self) -> io::Result<Option<Report>> {
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                // Something else can only come from a trap of the user's that writes where the report goes.
                if let Some(report) = Report::parse(&line[..end]) {
                    return Ok(Some(report));
                }
            }
            let mut chunk = [0; 512];
            match rustix::io::read(&self.pipe, &mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
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
