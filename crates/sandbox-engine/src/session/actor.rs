//! The task that owns a session's shell.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use super::channels::{CommandPipes, Directory, Target, open_input, open_writer};
use super::dialect::{Dialect, is_open_ended, may_set, may_trap, runs_nothing};
use super::end::SessionEnd;
use super::filed::Filing;
use super::holdings::Holdings;
use super::report::{Control, Ended};
use super::routes::Routes;
use super::running::{Death, Ending, Progress, Running, Watched, end_everything, has_children};
use super::shared::{Job, Shared};
use super::step::{Apart, Body, Step};
use super::undelivered::Undelivered;
use crate::command::{Command, Request, ResizeError, SignalError};
use crate::deadline::until;
use crate::leader::Leader;
use crate::limits::{LOST_LOOK, SCRIPT_TEXT_BYTES, STOPPED_GRACE, TERMINATE_GRACE};
use crate::outputs::Outputs;
use crate::procfs::{Program, Stat};
use crate::resources::{Confinement, Meter};
use crate::termination::Termination;

/// A session's shell and everything that is known about it, owned by one task.
pub(super) struct Actor {
    pub(super) holdings: Holdings,
    pub(super) leader: Leader,
    pub(super) confinement: Confinement,
    pub(super) shared: Arc<Shared>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) stop: CancellationToken,
    pub(super) directory: Directory,
    pub(super) dialect: Dialect,
    /// The program that the shell executes; a different one means that a command has replaced it by `exec`.
    pub(super) program: Option<Program>,
    /// The shell's script; `None` after it is closed.
    pub(super) script: Option<File>,
    pub(super) pid: u32,
    pub(super) control: Control,
    pub(super) routes: Routes,
    pub(super) filing: Filing,
    pub(super) number: u64,
    /// Whether a command has begun, so that the shell no longer has the descriptors that it was started with.
    pub(super) has_opened: bool,
    pub(super) last: Ended,
    /// What the shell's descriptors are opened on.
    pub(super) targets: [Target; 3],
}

impl Actor {
    /// Runs the session until it is deleted.
    pub(super) async fn run(mut self) {
        self.serve().await;
        // The session's commands can be inspected until then.
        loop {
            tokio::select! {
                biased;
                // Before the requests: a stream of them must not delay the end.
                () = self.stop.cancelled() => break,
                () = self.shared.doomed.cancelled() => break,
                Some(request) = self.requests.recv() => answer(&self.shared, request, None).await,
            }
        }
        self.holdings.end().await;
        if let Err(error) = self.leader.killed().await {
            tracing::error!(session = self.shared.id, %error, "a session's shell was lost");
        }
        // Before the session is reported as released, by the destructors.
        std::mem::take(&mut self.confinement).remove().await;
    }

    /// Evaluates commands until the session has ended.
    async fn serve(&mut self) {
        let shared = Arc::clone(&self.shared);
        while !shared.is_closed() {
            // Jobs come last: one that is taken is written to the shell, which has to be there for that.
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

    /// Evaluates one command until it ends. If the shell has ended with it, the session has ended, too.
    async fn evaluate(&mut self, job: Job) {
        // Before the shell reads the command, which may end it at once.
        let kills_before = self.confinement.memory_kills();
        let meter = Meter::begin(self.pid, &self.confinement);
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
            // The report has come by another way than the output: what the command wrote before it
            // is in the pipes and may be unread.
            outputs.drain()?;
            // A helper that forwards output, such as `tee` in a process substitution, is a child of
            // the shell. Without a child, the walks through all processes that `settle` makes are
            // saved.
            if has_children(self.pid) {
                outputs.settle(&tree).await
            } else {
                Ok(())
            }
        };
        if let Err(error) = read.await {
            tracing::error!(%error, "cannot read what a command wrote");
        }
        // Not before the command is over: lines that were written a second time open the pipes by
        // name again.
        pipes.unlink();
        if let Some(text) = text {
            // The file is missing if a process removed the directory.
            let _ = std::fs::remove_file(text);
        }
        let concluded = self.conclude(watched, unrun, step.before).await;
        let mut termination = end_of(concluded, ending.as_ref(), command.text());
        if ending.is_none() {
            self.confinement.explain(&mut termination, kills_before);
        } else {
            // Kills processes that ignore TERM or have left the shell.
            tokio::spawn(async move { tree.end(Duration::ZERO).await });
        }
        if !matches!(termination, Termination::NotStarted { .. })
            && let Some(usage) = meter.end(self.leader.usage(), &self.confinement)
        {
            command.supervised().set_usage(usage);
        }
        // After the usage, which a client may read as soon as it sees the end.
        self.shared.finish(end, termination);
        // In a task: a background process may hold the pipes for as long as it likes, and the next
        // command must not wait for it.
        tokio::spawn(outputs.read_on());
    }

    /// Writes the command to the shell.
    async fn give(&mut self, job: &Job) -> io::Result<Running> {
        let Job { end, switch, .. } = job;
        let command = end.command();
        // An `exec` of an earlier command may have moved a descriptor to last; the redirections of
        // this command must not undo that.
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
        let step = self.step(job, &pipes, text.as_deref());
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
            undelivered: Undelivered::default(),
        })
    }

    /// Returns what the shell is to evaluate for a command, whose text is in the file `text` if it is long.
    fn step(&self, job: &Job, pipes: &CommandPipes, text: Option<&Path>) -> Step {
        let Job {
            end,
            options,
            switch,
        } = job;
        let command = end.command();
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
        Step {
            is_open_ended: text.is_none() && is_open_ended(command.text())
                || self.last.echoes
                || may_set(command.text(), 'v', "verbose")
                || may_trap,
            may_trap,
            body: match text {
                Some(file) => Body::File(file.to_owned()),
                None => Body::Text(command.text().replace('\0', "")),
            },
            before: self.last.clone(),
            redirects: self.redirects(pipes),
            apart: is_apart.then_some(apart),
        }
    }

    async fn watch(
        &mut self,
        command: &Command,
        running: &mut Running,
        limit: Option<Duration>,
    ) -> Watched {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        // Only the parent of a process is notified that it has stopped, and the daemon may not be the parent.
        let mut looks = interval_at(Instant::now() + LOST_LOOK, LOST_LOOK);
        let mut stopped = None;
        loop {
            let shared = Arc::clone(&self.shared);
            let due = running.ending.as_ref().map(|ending| ending.next);
            let deliver = running.undelivered.next();
            // Reading comes last: a flood of output is always ready, and must not starve the other branches.
            tokio::select! {
                biased;
                // The end of the shell first: the reports that it sent before are still collected
                // there.
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
                    let running = &mut *running;
                    let current = Current {
                        command,
                        running,
                        own,
                    };
                    answer(&self.shared, request, Some(current)).await;
                }
                // A command that a client already kills does not exceed its limit as well.
                () = until(deadline), if running.ending.is_none() => {
                    running.ending = Some(Ending::begin(TERMINATE_GRACE, limit));
                }
                () = until(due) => {
                    let own = self.replacement();
                    if let Err(error) = running.go_on_ending(self.pid, own).await {
                        return Watched::Broken(error);
                    }
                }
                () = until(deliver) => {
                    let own = self.replacement();
                    running.deliver(self.pid, own).await;
                }
                _ = looks.tick() => {
                    // A shell that was stopped (`kill -STOP $$`) never reads on, and
                    // `look_for_loss` would wait forever.
                    let is_stopped = Stat::of(self.pid).is_some_and(|stat| stat.state == b'T');
                    stopped = is_stopped.then(|| stopped.unwrap_or_else(Instant::now));
                    let looked = match stopped {
                        // A stopped shell never continues by itself.
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

    /// Returns the shell's process id if the process is now the command's: `exec` has put another program into it.
    fn replacement(&self) -> Option<u32> {
        let is_other = Program::of(self.pid)?.differs(self.program.as_ref()?);
        is_other.then_some(self.pid)
    }
}

/// The command that runs while a request arrives.
struct Current<'a> {
    command: &'a Command,
    running: &'a mut Running,
    /// A process of the command that is not in its tree: the shell's, after `exec`.
    own: Option<u32>,
}

/// Returns how a command ended, from what its report or the end of the shell stands for. `ending` is present if it was ended.
fn end_of(concluded: Termination, ending: Option<&Ending>, text: &str) -> Termination {
    match (concluded, ending) {
        (ended @ (Termination::NotStarted { .. } | Termination::Lost { .. }), _) => ended,
        (
            _,
            Some(Ending {
                limit: Some(limit), ..
            }),
        ) => Termination::TimedOut { limit: *limit },
        // The shell still has the status of the command before, as in a script.
        (Termination::Exited { .. }, None) if runs_nothing(text) => Termination::Exited { code: 0 },
        (ended, _) => ended,
    }
}

/// Sends a request's result.
async fn answer(shared: &Shared, request: Request, current: Option<Current<'_>>) {
    let (id, signal, reply) = match request {
        Request::Signal {
            command,
            signal,
            reply,
        } => (command, signal, reply),
        Request::Resize { reply, .. } => {
            let _ = reply.send(Err(ResizeError::NoTerminal));
            return;
        }
    };
    match current {
        Some(current) if current.command.id() == id => {
            let Current { running, own, .. } = current;
            running.signal(signal, reply, own).await;
        }
        _ => {
            // Requests are handled only between two commands and while one is watched, so a command
            // that is not the current one is queued or has ended.
            let error = if shared.is_queued(&id) {
                SignalError::Queued
            } else {
                SignalError::Ended
            };
            let _ = reply.send(Err(error));
        }
    }
}
