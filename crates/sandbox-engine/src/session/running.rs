//! A command that a session's shell evaluates, and how it is ended.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::time::Instant;

use super::channels::CommandPipes;
use super::dialect::Dialect;
use super::idle::Idle;
use super::report::Ended;
use super::step::Step;
use super::undelivered::Undelivered;
use crate::command::SignalReply;
use crate::leader::undying;
use crate::limits::{KILL_WAIT, TERMINATE_GRACE};
use crate::outputs::Outputs;
use crate::procfs::{self, Stat};
use crate::termination::Termination;
use crate::tree::Tree;

/// A command that the shell was given.
pub(super) struct Running {
    pub(super) outputs: Outputs,
    pub(super) pipes: CommandPipes,
    pub(super) tree: Tree,
    /// Substitutes for the shell's ends of the pipes, until it has opened its own.
    pub(super) stand_ins: Vec<File>,
    pub(super) text: Option<PathBuf>,
    /// The number of script bytes that were written for the command.
    pub(super) given: u64,
    pub(super) step: Step,
    pub(super) progress: Progress,
    pub(super) ending: Option<Ending>,
    pub(super) death: Death,
    pub(super) undelivered: Undelivered,
}

/// The forced end of the shell itself, which a command can make necessary.
#[derive(Debug, Default)]
pub(super) struct Death {
    /// When the shell was first killed.
    since: Option<Instant>,
}

/// What the shell has reported of a command.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) has_begun: bool,
    /// Whether its descriptors could not be opened, so that none of it runs.
    pub(super) is_broken: bool,
    pub(super) within: Option<Ended>,
    pub(super) ended: Option<Ended>,
    pub(super) debug_trap: Option<String>,
    pub(super) idle: Idle,
}

/// Detects that a shell does not continue after its command's processes have ended: it sleeps, or it works.
///
/// Elapsed time does not show it: on a busy machine a shell may wait long for the processor.
#[derive(Debug, Default)]
struct Stall {
    /// The number of looks in which the shell slept.
    asleep: u32,
    /// The shell's CPU time at the first look, in clock ticks.
    ran: Option<u64>,
}

/// A command that is being ended.
#[derive(Debug)]
pub(super) struct Ending {
    since: Instant,
    pub(super) next: Instant,
    /// The time between TERM and KILL.
    grace: Duration,
    termed: bool,
    stall: Stall,
    /// The time limit, if the command is ended for it.
    pub(super) limit: Option<Duration>,
}

/// The reason why watching a command ended.
pub(super) enum Watched {
    /// The shell has reported its status.
    Reported(Ended),
    /// The shell continues without having reported a status.
    Lost(&'static str),
    /// The shell continues, and has not evaluated the command.
    NotRun(&'static str),
    /// The shell has ended because it could not report.
    Unable(io::Result<Termination>),
    /// The shell has ended, possibly after it had reported.
    Exited {
        ended: io::Result<Termination>,
        reported: Option<Ended>,
    },
    /// The session was deleted, and everything ended; possibly after the shell had reported.
    Deleted { reported: Option<Ended> },
    /// The shell can no longer be monitored, and must be ended.
    Broken(io::Error),
}

impl Running {
    /// Returns what the command left in the shell, as far as that was reported.
    pub(super) fn left(&mut self, dialect: Dialect) -> Option<Ended> {
        let progress = &mut self.progress;
        let within = progress.within.take();
        // zsh runs nothing of a text that it cannot parse, so the trace is off from the lines before.
        let is_unparsed = dialect == Dialect::Zsh && within.is_none() && !self.step.is_open_ended;
        let is_cut = within.is_none();
        let mut ended = within.or_else(|| progress.ended.take())?;
        ended.is_cut = is_cut;
        if is_cut {
            ended
                .last_argument
                .clone_from(&self.step.before.last_argument);
        }
        if is_unparsed {
            ended.traces |= self.step.before.traces;
            ended.echoes |= self.step.before.echoes;
        }
        ended.debug_trap = progress.debug_trap.take();
        if self.step.apart.is_some() {
            // A subshell's options and traps end with it.
            let before = self.step.before.clone();
            ended = Ended {
                status: ended.status,
                statuses: Vec::new(),
                is_cut,
                ..before
            };
        }
        Some(ended)
    }

    /// Signals the command's processes. `own` is one that is not in its tree: the program that `exec` has put into the
    /// shell's place. A signal that finds no process stays [undelivered](Undelivered) until there is one.
    pub(super) async fn signal(&mut self, signal: Signal, reply: SignalReply, own: Option<u32>) {
        let is_sent = if signal == Signal::KILL {
            // KILL must end the command for certain. So it is not sent one time but repeated until
            // nothing is left, and the shell is killed, too, if it does not continue then.
            self.ending
                .get_or_insert_with(|| Ending::begin(Duration::ZERO, None));
            true
        } else {
            send_all(&self.tree, signal, own).await > 0
        };
        if is_sent {
            let _ = reply.send(Ok(()));
        } else {
            self.undelivered.add(signal, reply);
        }
    }

    /// Sends the signals that have found no process yet, if the shell now has a child or was replaced.
    pub(super) async fn deliver(&mut self, shell: u32, own: Option<u32>) {
        let waiting = self.undelivered.look();
        // Reading one file shows it; a walk through all processes takes a thousand times as long.
        if own.is_none() && !has_children(shell) {
            return self.undelivered.put_back(waiting);
        }
        let mut without_process = Vec::new();
        for wait in waiting {
            match send_all(&self.tree, wait.signal, own).await {
                0 => without_process.push(wait),
                _ => wait.delivered(),
            }
        }
        self.undelivered.put_back(without_process);
    }

    /// Signals what is left of a command that is being ended; `own` as for [`signal`](Self::signal).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Death::of`].
    pub(super) async fn go_on_ending(&mut self, shell: u32, own: Option<u32>) -> io::Result<()> {
        let Some(ending) = &mut self.ending else {
            return Ok(());
        };
        if self.death.has_come() {
            ending.next = Instant::now() + LOOK_AGAIN;
            return self.death.of(shell);
        }
        let elapsed = ending.since.elapsed();
        let signal = if elapsed < ending.grace {
            Signal::TERM
        } else {
            Signal::KILL
        };
        // TERM is sent only one time; a program may be busy handling it.
        let silent = signal == Signal::TERM && ending.termed;
        ending.termed = true;
        ending.next = Instant::now() + LOOK_AGAIN;
        let left = if silent {
            self.tree.count().await
        } else {
            send_all(&self.tree, signal, own).await
        };
        // A shell with children rightly waits for them; only one without can be stuck by itself.
        let is_alone = signal == Signal::KILL && left == 0;
        let shell_now = is_alone.then(|| Stat::of(shell)).flatten();
        let is_stalled = shell_now.is_some_and(|stat| ending.stall.look(&stat));
        if is_stalled || elapsed > KILL_WAIT {
            // The shell itself is busy, in a loop of builtins: the session cannot survive.
            self.death.of(shell)?;
        }
        Ok(())
    }
}

impl Death {
    /// Kills the shell after a look has found it necessary; called again at each look for as long as it is.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut) if it has not ended [`KILL_WAIT`] after it was first killed.
    pub(super) fn of(&mut self, shell: u32) -> io::Result<()> {
        kill(shell);
        let since = self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > KILL_WAIT {
            Err(undying())
        } else {
            Ok(())
        }
    }

    /// Returns whether the shell was killed.
    pub(super) fn has_come(&self) -> bool {
        self.since.is_some()
    }
}

impl Stall {
    /// Looks at a shell that has no children; returns whether it will not continue.
    fn look(&mut self, shell: &Stat) -> bool {
        let ran_before = *self.ran.get_or_insert(shell.ran);
        match shell.state {
            // The shell runs, waits for the processor, or is in the kernel for a moment.
            b'R' | b'D' => self.asleep = 0,
            _ => self.asleep += 1,
        }
        self.asleep >= STALLED_LOOKS || shell.ran >= ran_before + STALLED_TICKS
    }
}

impl Ending {
    pub(super) fn begin(grace: Duration, limit: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            since: now,
            next: now,
            grace,
            termed: false,
            stall: Stall::default(),
            limit,
        }
    }
}

/// Ends every process, and meanwhile reads what a command still writes, for as long as it can be read.
pub(super) async fn end_everything(tree: &Tree, outputs: &mut Outputs) {
    if outputs.end(tree).await.is_err() {
        tree.end(TERMINATE_GRACE).await;
    }
}

pub(super) fn kill(pid: u32) {
    send(pid, Signal::KILL);
}

/// Returns whether a process has a child.
pub(super) fn has_children(pid: u32) -> bool {
    // A shell has one thread, whose id is the process's. The file is missing in kernels without
    // `CONFIG_PROC_CHILDREN` (proc(5)): then there may be children.
    procfs::read(format!("/proc/{pid}/task/{pid}/children"))
        .map_or(true, |children| !children.is_empty())
}

/// Signals the current processes of a command, and returns how many there are.
async fn send_all(tree: &Tree, signal: Signal, own: Option<u32>) -> usize {
    own.into_iter().for_each(|own| send(own, signal));
    tree.send(signal).await + usize::from(own.is_some())
}

/// Signals the shell's process.
fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The process is not reaped yet, so the number is still its own; an error means that it has ended.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// The interval between two looks at a command that is being ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The number of consecutive looks in which a shell without children sleeps. The end of a child would have woken it.
const STALLED_LOOKS: u32 = 12;

/// How long a shell without children works, in clock ticks of 10 ms.
const STALLED_TICKS: u64 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(state: u8, ran: impl Fn(u64) -> u64) -> Option<u64> {
        let mut stall = Stall::default();
        (1..=1000).find(|look| {
            stall.look(&Stat {
                pid: 1,
                state,
                parent: 0,
                group: 1,
                session: 1,
                is_forked: false,
                ran: ran(*look),
                start: 0,
            })
        })
    }

    #[test]
    fn a_shell_that_waits_for_the_processor_is_not_stalled() {
        assert_eq!(looks(b'R', |_| 70), None);
        assert_eq!(looks(b'D', |_| 70), None);
        assert_eq!(looks(b'S', |_| 70), Some(u64::from(STALLED_LOOKS)));
        assert_eq!(looks(b'R', |look| 70 + look), Some(STALLED_TICKS + 1));
    }
}
