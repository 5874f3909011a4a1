//! State that the handles and the task of a session share: its commands, those that wait, and its end.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::commands::Commands;
use super::end::SessionEnd;
use super::error::SessionExecError;
use super::options::CommandOptions;
use super::user::Switch;
use crate::command::{CommandEnd, CommandState, Request};
use crate::core::Core;
use crate::isolation::Level;
use crate::record::Store;
use crate::shell::Shell;
use crate::sync::lock;
use crate::termination::Termination;

/// State that the handles and the task of a session share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: String,
    pub(super) created_at: SystemTime,
    /// The process id of the shell, set when it starts.
    pub(super) pid: OnceLock<u32>,
    pub(super) state: Mutex<State>,
    /// Notified when there is a job.
    pub(super) work: Notify,
    pub(super) requests: mpsc::Sender<Request>,
    /// Cancelled when the session is to be deleted.
    pub(super) doomed: CancellationToken,
    /// Cancelled when the session's task has ended, and with it everything that the session had started.
    pub(super) released: CancellationToken,
    pub(super) records: Store,
    /// The directory to which a command's directory is relative.
    pub(super) work_dir: PathBuf,
    pub(super) shell: Shell,
    pub(super) level: Level,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) commands: Commands,
    pub(super) queue: VecDeque<Job>,
    /// The total length of the texts in the queue.
    pub(super) queued_bytes: usize,
    /// How the session ended, after which it accepts no more commands.
    pub(super) end: Option<SessionEnd>,
}

/// A command that waits for its turn.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) end: CommandEnd,
    pub(super) options: CommandOptions,
    pub(super) switch: Option<Switch>,
}

impl State {
    pub(super) fn take_job(&mut self) -> Option<Job> {
        let job = self.queue.pop_front()?;
        self.queued_bytes -= job.end.command().text().len();
        Some(job)
    }
}

impl Shared {
    pub(super) fn new(
        core: &Core,
        id: &str,
        shell: Shell,
        requests: mpsc::Sender<Request>,
    ) -> Self {
        Self {
            id: id.to_owned(),
            created_at: SystemTime::now(),
            pid: OnceLock::new(),
            state: Mutex::default(),
            work: Notify::new(),
            requests,
            doomed: CancellationToken::new(),
            released: CancellationToken::new(),
            records: core.records().clone(),
            work_dir: core.work_dir().to_owned(),
            shell,
            level: Level::None,
        }
    }

    /// Waits for the next command. Cancel safe.
    pub(super) async fn next_job(&self) -> Job {
        loop {
            if let Some(job) = self.state().take_job() {
                return job;
            }
            // A permit of `notify_one` is stored, so that a job that is queued between the look and
            // this wait is not missed.
            self.work.notified().await;
        }
    }

    /// Rejects commands from now on, and ends those that wait; the first reason stays.
    pub(super) fn close(&self, end: SessionEnd) {
        let (waiting, reason) = {
            let mut state = self.state();
            let end = state.end.get_or_insert(end);
            let reason = format!("the session has ended: {end}");
            state.queued_bytes = 0;
            (std::mem::take(&mut state.queue), reason)
        };
        // Outside of the lock, which `finish` takes.
        for job in waiting {
            let reason = reason.clone();
            self.finish(job.end, Termination::NotStarted { reason });
        }
    }

    /// Ends a command.
    pub(super) fn finish(&self, end: CommandEnd, termination: Termination) {
        // First, so that a client that sees the end no longer finds the commands over the bounds.
        self.state().commands.finish(end.command());
        end.set(termination);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().end.is_some()
    }

    pub(super) fn has_ended(&self, end: SessionEnd) -> SessionExecError {
        let id = self.id.clone();
        SessionExecError::Ended { id, end }
    }

    pub(super) fn is_queued(&self, id: &str) -> bool {
        let state = self.state();
        let command = state.commands.find(id);
        command.is_ok_and(|command| command.state() == CommandState::Queued)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
