//! The task that owns a context.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::error::StartError;
use super::execution::{Ended, Ending, Failure, Form};
use super::handle::Context;
use super::list::List;
use super::program;
use super::protocol::{self, Report};
use super::shared::{Job, Request, Shared};
use super::worker::{Worker, idle_record};
use crate::core::Core;
use crate::deadline::until;
use crate::leader::unattended;
use crate::limits::{INTERRUPT_GRACE, TERMINATE_GRACE};
use crate::patience::Patience;
use crate::tag::{Tag, Tags};
use crate::termination::Termination;
use crate::tree::Tree;

/// A context with its worker, if it has one.
pub(super) struct Actor {
    worker: Option<Worker>,
    holdings: Holdings,
    core: Arc<Core>,
    shared: Arc<Shared>,
    requests: mpsc::Receiver<Request>,
}

/// The processes that a context's ended workers have left, and the clients that wait for the context. Both are released
/// when this is dropped with the context's task, however that ends.
struct Holdings {
    list: Arc<List>,
    context: Context,
    /// The tags of workers that ended by themselves: processes that they had started may still run.
    left: Tags,
}

/// How watching an execution ended.
enum Watched {
    /// The worker has reported the end.
    Done,
    /// The worker has ended.
    Exited(io::Result<Termination>),
    /// The worker is to be ended, for this reason.
    Aborted(Reason),
}

/// The state of a worker after an execution.
enum Fate {
    /// The worker runs the next execution.
    Stays,
    /// The worker has ended by itself; processes that it had started may still run.
    Exited,
    /// The worker was ended, with all processes that it had started.
    Ended,
}

impl Fate {
    fn after(watched: &Watched) -> Self {
        match watched {
            Watched::Done => Self::Stays,
            Watched::Exited(_) => Self::Exited,
            Watched::Aborted(_) => Self::Ended,
        }
    }
}

enum Reason {
    TimedOut,
    Restart(oneshot::Sender<bool>),
    Deleted,
    /// The worker sends invalid messages, or nothing any more.
    Broken,
}

/// The progress of an execution.
#[derive(Default)]
struct Progress {
    failure: Option<Failure>,
    value: Vec<Form>,
    was_interrupted: bool,
    is_done: bool,
    is_overdue: bool,
}

impl Actor {
    pub(super) fn new(
        core: Arc<Core>,
        list: Arc<List>,
        context: Context,
        requests: mpsc::Receiver<Request>,
        worker: Option<Worker>,
    ) -> Self {
        Self {
            worker,
            shared: Arc::clone(&context.shared),
            holdings: Holdings {
                list,
                context,
                left: Tags::default(),
            },
            core,
            requests,
        }
    }

    /// Runs the context until it is deleted.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let stop = self.core.launcher().stopped();
        loop {
            // Jobs come last: code that is taken is written to the worker, which must not have exited or be replaced.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = shared.doomed.cancelled() => break,
                Some(request) = self.requests.recv() => match request {
                    Request::Interrupt(reply) => answer(reply, false),
                    Request::Restart(reply) => {
                        self.end_worker().await;
                        answer(reply, true);
                    }
                },
                exited = idle(&mut self.worker) => if exited { self.leave_worker() } else { self.end_worker().await },
                mut job = shared.next_job() => {
                    let ended = self.execute(&mut job).await;
                    job.execution.set_ended(ended);
                    self.holdings.list.spares.prepare(&self.core);
                }
            }
        }
        self.shared.close();
        self.end_worker().await;
        self.holdings.end().await;
    }

    /// Runs one piece of code until it ends.
    async fn execute(&mut self, job: &mut Job) -> Ended {
        let (code, mut worker) = match self.begin(job).await {
            Ok(begun) => begun,
            Err(ended) => return ended,
        };
        let mut seen = Progress::default();
        // Before the code is sent: all that it starts inherits the tag.
        let tag = worker.tag_next();
        let kills_before = Kills {
            of_all: self.core.launcher().oom_kills().count(),
            of_the_limit: worker.confinement.memory_kills(),
        };
        let meter = worker.meter();
        let watched = match worker.begin(job, &code) {
            Ok(()) => self.watch(&mut worker, job, tag, &mut seen).await,
            Err(error) => Err(error),
        };
        let watched = watched.unwrap_or_else(|error| {
            tracing::warn!(%error, "a context's worker cannot be talked to");
            Watched::Aborted(Reason::Broken)
        });
        // `Done` comes by another pipe than the output: what the code wrote before it may be
        // unread.
        if let Err(error) = worker.outputs.drain() {
            tracing::error!(%error, "cannot read what code wrote");
        }
        let fate = Fate::after(&watched);
        let usage = worker.used(&meter);
        let (ending, reply) = match watched {
            Watched::Done => (seen.ending(job), None),
            // The code had ended before its worker, so this is not the end of the code.
            Watched::Exited(_) if seen.is_done => (seen.ending(job), None),
            Watched::Exited(ended) => (self.worker_ended(ended, &worker, kills_before), None),
            Watched::Aborted(Reason::TimedOut) => {
                // Its termination does not matter: it was ended for the time limit.
                let _ = worker.end().await;
                (seen.ending(job), None)
            }
            Watched::Aborted(Reason::Broken) => {
                let ended = worker.end().await;
                (self.worker_ended(ended, &worker, kills_before), None)
            }
            Watched::Aborted(Reason::Restart(asked)) => {
                finish(&mut worker, tag).await;
                (Ending::Restarted, Some(asked))
            }
            Watched::Aborted(Reason::Deleted) => {
                finish(&mut worker, tag).await;
                (Ending::Deleted, None)
            }
        };
        let (charts, charts_dropped) = worker.outputs.take_artifacts();
        worker.outputs.set_record(idle_record(&self.core));
        // An interrupt ends the code, but a process that it started may have ignored the signal.
        if seen.is_overdue {
            worker.end_rest(tag);
        }
        self.put_back(worker, fate);
        if let Some(reply) = reply {
            answer(reply, true);
        }
        Ended {
            ending,
            failure: seen.failure,
            value: seen.value,
            charts,
            charts_dropped,
            usage,
        }
    }

    /// Returns the code that a worker is to evaluate, and the worker.
    async fn begin(&mut self, job: &mut Job) -> Result<(String, Worker), Ended> {
        let code = self.prepare(job).await?;
        let worker = self.take_worker().await.map_err(|error| {
            Ended::just(Ending::NotStarted {
                reason: error.to_string(),
            })
        })?;
        Ok((code, worker))
    }

    /// Returns the worker; starts one if there is none.
    async fn take_worker(&mut self) -> Result<Worker, StartError> {
        if let Some(worker) = self.worker.take() {
            return Ok(worker);
        }
        let (program, cwd) = (self.shared.program, self.shared.cwd.clone());
        let (isolation, limits) = (self.shared.isolation.as_ref(), &self.shared.limits);
        let doomed = &self.shared.doomed;
        let spares = &self.holdings.list.spares;
        let start = spares.start(&self.core, program, cwd, isolation, limits, doomed);
        start.await
    }

    fn put_back(&mut self, worker: Worker, fate: Fate) {
        match fate {
            Fate::Stays => self.worker = Some(worker),
            Fate::Exited => self.holdings.left.extend(worker.leave()),
            // All processes that it has started have ended, too.
            Fate::Ended => drop(worker.leave()),
        }
    }

    /// Converts a piece of code to what the worker evaluates, which takes as long as a compiler takes.
    async fn prepare(&mut self, job: &mut Job) -> Result<String, Ended> {
        let code = std::mem::take(&mut job.code);
        let stop = self.core.launcher().stopped();
        let limit = job.options.timeout;
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let prepared = program::prepare(&self.core, self.shared.language, code);
        // Code that is ready at the moment of its limit is run, and the limit begins anew with it.
        let ending = tokio::select! {
            biased;
            prepared = prepared => return prepared,
            () = self.shared.doomed.cancelled() => Ending::Deleted,
            () = stop.cancelled() => Ending::Deleted,
            () = until(deadline) => Ending::TimedOut {
                limit: limit.unwrap_or_default(),
                keeps_state: true,
            },
            // This code has not set any name, and will not set one.
            Some(request) = self.requests.recv() => match request {
                Request::Interrupt(reply) => {
                    answer(reply, true);
                    Ending::Interrupted
                }
                Request::Restart(reply) => {
                    self.end_worker().await;
                    answer(reply, true);
                    Ending::Restarted
                }
            },
        };
        Err(Ended::just(ending))
    }

    /// Reads until the code or the worker has ended.
    async fn watch(
        &mut self,
        worker: &mut Worker,
        job: &Job,
        tag: Option<Tag>,
        seen: &mut Progress,
    ) -> io::Result<Watched> {
        let stop = self.core.launcher().stopped();
        let mut deadline = job
            .options
            .timeout
            .and_then(|limit| Instant::now().checked_add(limit));
        let mut interrupts_sent = 0;
        let mut grace: Option<Patience> = None;
        // Reading comes last: a flood of output is always ready, and must not starve the other branches.
        loop {
            tokio::select! {
                biased;
                ended = worker.leader.ended() => {
                    // The worker may have finished the code, and ended afterwards.
                    while let Ok(Some(report)) = worker.reports.ready() {
                        seen.take(report);
                    }
                    return Ok(Watched::Exited(ended));
                }
                () = self.shared.doomed.cancelled() => {
                    return Ok(Watched::Aborted(Reason::Deleted));
                }
                () = stop.cancelled() => return Ok(Watched::Aborted(Reason::Deleted)),
                Some(request) = self.requests.recv() => match request {
                    Request::Interrupt(reply) => {
                        seen.was_interrupted = true;
                        worker.interrupt(tag).await;
                        answer(reply, true);
                    }
                    Request::Restart(reply) => {
                        return Ok(Watched::Aborted(Reason::Restart(reply)));
                    }
                },
                () = until(deadline) => {
                    seen.is_overdue = true;
                    // Begins with the first interrupt. It lasts longer where the worker has to wait
                    // for a processor: code that was not run cannot react.
                    let grace = grace.get_or_insert_with(|| worker.patience(INTERRUPT_GRACE));
                    if interrupts_sent == INTERRUPT_ATTEMPTS {
                        let left = grace.left();
                        if left.is_zero() {
                            return Ok(Watched::Aborted(Reason::TimedOut));
                        }
                        deadline = Some(Instant::now() + left);
                        continue;
                    }
                    interrupts_sent += 1;
                    deadline = Some(Instant::now() + INTERRUPT_GRACE / INTERRUPT_ATTEMPTS);
                    worker.interrupt(tag).await;
                }
                report = worker.reports.next() => match report {
                    Ok(Report::Done) => {
                        seen.is_done = true;
                        return Ok(Watched::Done);
                    }
                    Ok(Report::Sync) => {
                        worker.outputs.drain()?;
                        worker.tell(protocol::synced())?;
                    }
                    Ok(report) => seen.take(report),
                    // The worker has closed its end, most likely by ending.
                    Err(error) => return match timeout(EXIT_GRACE, worker.leader.ended()).await {
                        Ok(ended) => Ok(Watched::Exited(ended)),
                        Err(_) => Err(error),
                    },
                },
                result = worker.outputs.read() => result?,
            }
        }
    }

    fn worker_ended(
        &self,
        ended: io::Result<Termination>,
        worker: &Worker,
        before: Kills,
    ) -> Ending {
        let mut termination = ended.unwrap_or_else(|error| Termination::Lost {
            reason: error.to_string(),
        });
        let oom_kills = self.core.launcher().oom_kills();
        let limits = &worker.confinement;
        limits.explain(&mut termination, before.of_the_limit);
        oom_kills.explain(&mut termination, before.of_all);
        Ending::WorkerEnded { termination }
    }

    async fn end_worker(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            if let Err(error) = worker.finish().await {
                tracing::error!(%error, "a context's worker does not end");
            }
            worker.leave();
        }
    }

    /// Releases a worker that has ended by itself.
    fn leave_worker(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.holdings.left.extend(worker.leave());
        }
    }
}

/// The numbers of processes that were killed for memory.
#[derive(Debug, Clone, Copy)]
struct Kills {
    of_all: u64,
    of_the_limit: u64,
}

impl Holdings {
    async fn end(&mut self) {
        Tree::tagged(self.left.iter()).end(TERMINATE_GRACE).await;
        self.left = Tags::default();
    }
}

impl Drop for Holdings {
    fn drop(&mut self) {
        let shared = &self.context.shared;
        shared.close();
        self.list.remove(&self.context);
        // Cancelled when this guard is dropped: at the end of this function, or after the processes
        // have ended.
        let released = shared.released.clone().drop_guard();
        if !self.left.is_empty() {
            let tree = Tree::tagged(std::mem::take(&mut self.left));
            unattended(async move {
                tree.end(Duration::ZERO).await;
                drop(released);
            });
        }
    }
}

impl Progress {
    fn take(&mut self, report: Report) {
        match report {
            Report::Failed(failure) => self.failure = Some(failure),
            Report::Value(value) => self.value = value,
            Report::Done => self.is_done = true,
            Report::Begun | Report::Sync | Report::Files(_) => {}
        }
    }

    /// Returns whether the interrupt has ended the code.
    fn is_heeded(&self) -> bool {
        let failure = self.failure.as_ref();
        failure.is_some_and(|failure| failure.name == "KeyboardInterrupt")
    }

    /// Returns how code ended whose worker reported its end, or had to be ended because it did not reach one.
    fn ending(&self, job: &Job) -> Ending {
        match job.options.timeout {
            Some(limit) if self.is_overdue => Ending::TimedOut {
                limit,
                keeps_state: self.is_done,
            },
            _ if self.was_interrupted && self.is_heeded() => Ending::Interrupted,
            _ => Ending::Completed,
        }
    }
}

/// Reads output while nothing runs, as [`Worker::idle`]; does not resolve without a worker. Cancel safe.
async fn idle(worker: &mut Option<Worker>) -> bool {
    match worker {
        Some(worker) => worker.idle().await,
        None => std::future::pending().await,
    }
}

/// Ends a worker as a program ends, after an interrupt of the running code.
async fn finish(worker: &mut Worker, tag: Option<Tag>) {
    worker.interrupt(tag).await;
    // Its termination does not matter: the worker is not used any more.
    let _ = worker.finish().await;
}

/// Sends a reply, unless the client no longer waits for it.
fn answer(reply: oneshot::Sender<bool>, answer: bool) {
    let _ = reply.send(answer);
}

/// How often code is interrupted before its worker is ended: the first interrupt may only have ended a child that it
/// waited for.
const INTERRUPT_ATTEMPTS: u32 = 2;

/// The time between the end of a worker's reports and its exit.
const EXIT_GRACE: Duration = Duration::from_millis(200);
