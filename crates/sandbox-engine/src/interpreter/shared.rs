//! State that the handles and the task of a context share: the waiting code, and requests to the task.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::execution::{Ended, Ending, Execution};
use super::options::ExecuteOptions;
use super::program::Program;
use crate::code::Language;
use crate::isolation::Isolation;
use crate::record::Store;
use crate::resources::Limits;
use crate::sync::lock;
use crate::termination::Termination;

/// State that the handles and the task of a context share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: String,
    pub(super) language: Language,
    pub(super) program: Program,
    pub(super) cwd: PathBuf,
    pub(super) isolation: Option<Isolation>,
    pub(super) limits: Limits,
    pub(super) created_at: SystemTime,
    pub(super) queue: Mutex<Queue>,
    /// Notified when there is a job.
    pub(super) work: Notify,
    pub(super) requests: mpsc::Sender<Request>,
    /// Cancelled when the context is to be deleted.
    pub(super) doomed: CancellationToken,
    /// Cancelled when the context's task has ended, and with it everything that the context had started.
    pub(super) released: CancellationToken,
    pub(super) records: Store,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) jobs: VecDeque<Job>,
    /// The total length of the waiting code.
    pub(super) bytes: usize,
    pub(super) closed: bool,
}

/// A piece of code that waits for its turn.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) execution: Execution,
    pub(super) code: String,
    pub(super) options: ExecuteOptions,
}

impl Drop for Job {
    /// Ends the execution, so that its clients do not wait for ever: if it has not ended before, its task has failed.
    fn drop(&mut self) {
        self.execution.set_ended(Ended::just(Ending::WorkerEnded {
            termination: Termination::Lost {
                reason: "the task that ran the code failed".to_owned(),
            },
        }));
    }
}

/// A request to a context's task.
#[derive(Debug)]
pub(super) enum Request {
    /// Interrupts the running code.
    Interrupt(oneshot::Sender<bool>),
    /// Ends the worker.
    Restart(oneshot::Sender<bool>),
}

impl Queue {
    pub(super) fn take_job(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.bytes -= job.code.len();
        Some(job)
    }
}

impl Shared {
    /// Waits for the next job. Cancel safe.
    pub(super) async fn next_job(&self) -> Job {
        loop {
            if let Some(job) = self.queue().take_job() {
                return job;
            }
            // A permit of `notify_one` is stored, so that a job that is queued between the look and
            // this wait is not missed.
            self.work.notified().await;
        }
    }

    /// Rejects code from now on, and ends waiting code, which has not run.
    pub(super) fn close(&self) {
        let waiting = {
            let mut queue = self.queue();
            queue.closed = true;
            queue.bytes = 0;
            std::mem::take(&mut queue.jobs)
        };
        for job in waiting {
            job.execution.set_ended(Ended::just(Ending::Deleted));
        }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}
