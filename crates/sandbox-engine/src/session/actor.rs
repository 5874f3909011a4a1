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
use super::dialect::{Dialect, is_open_ended, may_echo};
use super::end::{Holdings, SessionEnd};
use super::idle::Advice;
use super::report::{Control, Ended, Report, Stage};
use super::routes::Routes;
use super::running::{Ending, Progress, Running, end_everything, kill};
use super::step::{Apart, Body, Step, Writer};
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
    dialect: Dialect,
    pid: u32,
    /// Its arguments, as the system tells them; others mean that a command has replaced it by `exec`.
    arguments: Option<Vec<u8>>,
    /// The shell's script; `None` once it is to read no more.
    script: Option<File>,
    control: Control,
    routes: Routes,
    number: u64,
    /// Whether a command has begun, so that the shell no longer has the descriptors that it was started with.
    has_opened: bool,
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
        let mut directory = Directory::new()?;
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
        let unread = self.is_unread(&running);
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
        let termination = match self.conclude(watched, unread, step.before).await {
            termination @ (Termination::NotStarted { .. } | Termination::Lost { .. }) => {
                termination
            }
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
        self.shared.finish(end, termination);
        tokio::spawn(outputs.read_on());
    }

    /// Returns how a command ended that was watched. If the session has ended, it is closed here: before the command's end
    /// can be seen, so that whoever sees it cannot give the session another command.
    async fn conclude(&mut self, watched: Watched, unread: bool, before: Ended) -> Termination {
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
        let step = Step {
            is_open_ended: text.is_none() && is_open_ended(command.text())
                || self.last.echoes
                || may_echo(command.text()),
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
        })
    }

    /// Writes a command's lines, by the best way to the shell's builtins; returns how many bytes they have.
    fn write_step(&mut self, step: &Step, text: &str) -> io::Result<u64> {
        self.control.renew();
        let route = self.routes.best();
        self.routes.learn(text);
        let writer = Writer {
            route,
            ..self.writer()
        };
        let lines = writer.step(step);
        let mut script = self.script.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        script.write_all(lines.as_bytes())?;
        Ok(lines.len() as u64)
    }

    fn writer(&self) -> Writer<'_> {
        Writer {
            dialect: self.dialect,
            route: self.routes.best(),
            after: self.routes.best(),
            control: self.control.path(),
            nonce: self.control.nonce(),
        }
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
                () = until(due) => running.go_on_ending(self.pid, self.replacement()).await,
                _ = looks.tick() => {
                    let is_stopped = Stat::of(self.pid).is_some_and(|stat| stat.state == b'T');
                    stopped = is_stopped.then(|| stopped.unwrap_or_else(Instant::now));
                    if stopped.is_some_and(|since| since.elapsed() >= STOPPED_GRACE) {
                        // By itself it never goes on.
                        kill(self.pid);
                    }
                    if let Err(error) = self.look_for_loss(running) {
                        return Watched::Broken(error);
                    }
                }
                result = running.outputs.read() => if let Err(error) = result {
                    return Watched::Broken(error);
                },
            }
        }
    }

    /// Returns how a command ended whose shell has ended.
    fn shell_ended(&mut self, ended: io::Result<Termination>, running: &mut Running) -> Watched {
        let reported = self.reported(running);
        let code = match &ended {
            Ok(Termination::Exited { code }) => Some(*code),
            _ => None,
        };
        // It was asked to exit because it did not report; one that executes nothing exits with a code of its own.
        let is_unable = code == Some(UNABLE_CODE) || !running.progress.has_begun;
        if self.script.is_none() && reported.is_none() && is_unable {
            return Watched::Unable(ended);
        }
        Watched::Exited { ended, reported }
    }

    /// Ends everything, because the session is to end while a command runs.
    async fn end_running(&mut self, running: &mut Running) -> Watched {
        let reported = self.reported(running);
        end_everything(&self.holdings.tree(), &mut running.outputs).await;
        Watched::Deleted { reported }
    }

    /// Returns what the shell has reported of the command already: it may have done its work and ended after it, and both
    /// be seen at the same time.
    fn reported(&mut self, running: &mut Running) -> Option<Ended> {
        while let Ok(Some(report)) = self.control.ready() {
            match report.stage {
                Stage::Begun => running.progress.has_begun = true,
                Stage::Within => running.progress.within = Some(report.ended),
                Stage::Ended => running.progress.ended = Some(report.ended),
                Stage::Broken | Stage::Idle | Stage::Alive => {}
            }
        }
        let has_begun = running.progress.has_begun;
        running.left(self.dialect).filter(|_| has_begun)
    }

    /// The shell's process, if it is the command's now: `exec` has put another program into it.
    fn replacement(&self) -> Option<u32> {
        let is_other = procfs::arguments(self.pid)? != *self.arguments.as_ref()?;
        is_other.then_some(self.pid)
    }

    /// Takes a report of the shell's; returns the end of the command if it is that.
    fn take_report(
        &mut self,
        report: Report,
        running: &mut Running,
        text: &str,
    ) -> Option<Watched> {
        let progress = &mut running.progress;
        match report.stage {
            Stage::Begun => {
                progress.has_begun = true;
                self.has_opened = true;
                running.stand_ins.clear();
            }
            Stage::Within => progress.within = Some(report.ended),
            Stage::Ended => progress.ended = Some(report.ended),
            Stage::Idle => progress.debug_trap = report.ended.debug_trap,
            // In zsh this is also what a function in the place of `exec` looks like.
            Stage::Broken if self.dialect == Dialect::Zsh => {}
            Stage::Broken => return Some(Watched::NotRun(BROKEN)),
            Stage::Alive => return Some(self.end_of(running)),
        }
        if report.stage != self.writer().last_stage() && report.stage != Stage::Broken {
            return None;
        }
        if running.progress.has_begun {
            return Some(self.end_of(running));
        }
        // A function of the user's stood in the place of a builtin, and nothing of the command has run.
        if !self.routes.fail() {
            let is_broken = report.stage == Stage::Broken;
            return Some(Watched::NotRun(if is_broken { BROKEN } else { HIDDEN }));
        }
        running.progress = Progress::default();
        match self.write_step(&running.step, text) {
            Ok(given) => {
                running.given = given;
                None
            }
            Err(error) => Some(Watched::Broken(error)),
        }
    }

    fn end_of(&self, running: &mut Running) -> Watched {
        let left = running.left(self.dialect);
        left.map_or(Watched::Lost(SILENT), Watched::Reported)
    }

    /// Asks the shell whether it has read on without reporting the end of its command.
    fn look_for_loss(&mut self, running: &mut Running) -> io::Result<()> {
        let Some(script) = &self.script else {
            return Ok(());
        };
        let mut script = script;
        match running.progress.idle.look(script)? {
            Advice::Wait => {}
            Advice::Ping => script.write_all(self.writer().ping().as_bytes())?,
            Advice::Close => {
                // One that only cannot report exits by this line, one that executes nothing (`set -n`) at the end.
                let prefix = self.routes.best().prefix;
                script.write_all(format!("{prefix}exit {UNABLE_CODE}\n").as_bytes())?;
                self.script = None;
            }
        }
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
    /// The shell has reported its status.
    Reported(Ended),
    /// The shell goes on without having reported a status.
    Lost(&'static str),
    /// The shell goes on, and has not evaluated the command.
    NotRun(&'static str),
    /// The shell has ended because it could not report.
    Unable(io::Result<Termination>),
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

const BROKEN: &str = "the shell could not open the descriptors of the command";
const HIDDEN: &str = "functions with the names of builtins, or a DEBUG trap under extdebug, keep the shell from evaluating commands";
const SILENT: &str = "the shell went on without reporting how the command ended";
const UNABLE: &str = "the shell can no longer report how a command ends; it was ended";

/// The exit code of a shell that was asked to exit because it cannot report.
const UNABLE_CODE: i32 = 125;

/// Looks at a closed descriptor, before it is taken to be closed to last.
const CLOSED_LOOKS: u32 = 3;
