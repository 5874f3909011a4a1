//! The worker process of a context.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::Signal;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

use super::error::StartError;
use super::program::Program;
use super::protocol::{self, Report, Reports};
use super::shared::Job;
use crate::core::Core;
use crate::environment::Environment;
use crate::input::{Input, InputError};
use crate::isolation::Isolation;
use crate::launch::Begun;
use crate::launch::set_pwd;
use crate::leader::Leader;
use crate::limits::{EXIT_GRACE, INPUT_BYTES, RECORD_SETTLED_BYTES, TERMINATE_GRACE, WORKER_START};
use crate::outputs::Outputs;
use crate::patience::Patience;
use crate::procfs;
use crate::record::Record;
use crate::resources::{Confinement, Limits, Meter, Usage};
use crate::run::{Output, OutputMode};
use crate::spawner::{self, ChildFd, ProcessGroup, SpawnError, SpawnLimits, SpawnSpec, Spawned};
use crate::tag::{Tag, Tags};
use crate::termination::Termination;
use crate::tree::Tree;

/// A worker that accepts code. To be [ended](Self::end) or, after it has ended, [left](Self::leave); if dropped, it is
/// killed with all processes that it has started.
pub(super) struct Worker {
    program: Program,
    pub(super) leader: Leader,
    /// The process id of the program, which is not the leader's if the worker is isolated.
    pub(super) pid: u32,
    pub(super) confinement: Confinement,
    /// The tags of the worker itself and of every execution.
    tags: Tags,
    requests: Input,
    pub(super) reports: Reports,
    pub(super) outputs: Outputs,
}

impl Worker {
    /// Starts to measure what code uses in it.
    pub(super) fn meter(&self) -> Meter {
        Meter::begin(self.pid, &self.confinement)
    }

    /// Returns what it has used since; the peak of memory is that of all its life.
    pub(super) fn used(&self, meter: &Meter) -> Option<Usage> {
        let total = self.leader.usage();
        let mut usage = meter.end(total, &self.confinement)?;
        usage.peak_rss_bytes = match total {
            Some(total) => total.peak_rss_bytes,
            None => procfs::peak_rss(self.pid),
        };
        Some(usage)
    }

    /// Starts a worker; resolves when it accepts code. Cancelled by `doomed`.
    pub(super) async fn start(
        core: &Core,
        program: Program,
        cwd: PathBuf,
        isolation: Option<&Isolation>,
        limits: &Limits,
        doomed: &CancellationToken,
    ) -> Result<Self, StartError> {
        let (path, env) = Self::place(core, program, &cwd, isolation).await?;
        let launcher = core.launcher();
        // The standard ones, then requests, reports and artifacts. The worker's program expects
        // these numbers, and its own text after them.
        let mut fds = vec![
            ChildFd::Null,
            ChildFd::Output,
            ChildFd::Output,
            ChildFd::Input,
            ChildFd::Output,
            ChildFd::Output,
        ];
        let memory = program.memory()?;
        fds.extend(memory.map(|memory| ChildFd::Given(Arc::new(memory))));
        let spec = SpawnSpec {
            argv: program.argv(&path),
            program: path,
            env,
            cwd,
            fds,
            group: ProcessGroup::Own,
            limits: SpawnLimits::default(),
        };
        let begun = launcher.spawn_in(isolation, Vec::new(), limits, spec);
        let (begun, confinement) = begun.await?;
        let said = idle_record(core);
        let mut worker = Self::of(program, begun, confinement, said.clone())?;
        let stop = launcher.stopped();
        let start = worker.patience(WORKER_START);
        let begun = tokio::select! {
            begun = worker.begun() => begun,
            () = start.over() => Err(io::ErrorKind::TimedOut.into()),
            () = doomed.cancelled() => Err(io::ErrorKind::Interrupted.into()),
            () = stop.cancelled() => Err(io::ErrorKind::Interrupted.into()),
        };
        match begun {
            Ok(()) => Ok(worker),
            Err(error) => {
                // Its termination does not matter.
                let _ = worker.end().await;
                worker.leave();
                let said = Output::of(&said, OutputMode::Merged).await.merged.to_vec();
                let said = String::from_utf8_lossy(&said).into_owned();
                Err(StartError::Silent {
                    said,
                    source: error,
                })
            }
        }
    }

    /// Returns the executable and the environment of a worker in a directory, which it could enter.
    pub(super) async fn place(
        core: &Core,
        program: Program,
        cwd: &Path,
        isolation: Option<&Isolation>,
    ) -> Result<(PathBuf, Environment), StartError> {
        let checked = spawner::enterable(cwd).await;
        checked.map_err(|source| SpawnError::WorkDir {
            path: cwd.to_owned(),
            source,
        })?;
        let mut env = core.environment();
        let executable = core.runtime(program.runtime(), &mut env, isolation).await?;
        set_pwd(&mut env, cwd);
        Ok((executable.path, env))
    }

    /// Requests the files that the worker has read since its start, by a script that finds them; without one it only
    /// responds.
    pub(super) async fn files(&mut self, script: Option<&str>) -> io::Result<Vec<PathBuf>> {
        self.tell(protocol::files(script))?;
        loop {
            tokio::select! {
                report = self.reports.next() => return match report? {
                    Report::Files(paths) => Ok(paths),
                    _ => Err(io::ErrorKind::InvalidData.into()),
                },
                result = self.outputs.read() => result?,
            }
        }
    }

    /// Reads output while nothing runs; resolves when the worker has ended, or, with false, can no longer be used. Cancel
    /// safe.
    pub(super) async fn idle(&mut self) -> bool {
        loop {
            tokio::select! {
                _ = self.leader.ended() => return true,
                result = self.outputs.read() => if let Err(error) = result {
                    tracing::error!(%error, "cannot read what a context's worker writes");
                    return false;
                }
            }
        }
    }

    fn of(
        program: Program,
        begun: Begun,
        confinement: Confinement,
        record: Record,
    ) -> io::Result<Self> {
        let worker = begun.program;
        let Spawned {
            pid,
            tag,
            fds,
            exit,
        } = begun.spawned;
        // First: what fails below must not leave a process that no task owns.
        let leader = Leader::new(pid, tag, exit);
        let mut near = fds.into_iter().flatten();
        let mut next = || {
            near.next()
                .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
        };
        let receiver = |fd| pipe::Receiver::from_owned_fd(fd);
        let (stdout, stderr) = (receiver(next()?)?, receiver(next()?)?);
        let requests = Input::new(INPUT_BYTES);
        tokio::spawn(requests.clone().feed(pipe::Sender::from_owned_fd(next()?)?));
        let reports = Reports::new(receiver(next()?)?);
        let artifacts = receiver(next()?)?;
        Ok(Self {
            program,
            leader,
            pid: worker,
            confinement,
            tags: tag.into_iter().collect(),
            requests,
            reports,
            outputs: Outputs::new(record, [Some(stdout), Some(stderr), Some(artifacts)]),
        })
    }

    async fn begun(&mut self) -> io::Result<()> {
        loop {
            tokio::select! {
                report = self.reports.next() => return match report? {
                    Report::Begun => Ok(()),
                    _ => Err(io::ErrorKind::InvalidData.into()),
                },
                result = self.outputs.read() => result?,
            }
        }
    }

    /// Makes the worker run code, and records its output from now on.
    pub(super) fn begin(&mut self, job: &Job, code: &str) -> io::Result<()> {
        // This output is of processes that earlier code has left running.
        self.outputs.drain()?;
        self.outputs.set_record(job.execution.record().clone());
        let options = &job.options;
        self.tell(protocol::run(code, options.shows_value, &options.env))
    }

    pub(super) fn tell(&self, message: Bytes) -> io::Result<()> {
        let told = self.requests.push(message, None);
        told.map(drop).map_err(io::Error::other)
    }

    /// Labels what the worker starts from now on: itself and the processes of the next execution.
    pub(super) fn tag_next(&mut self) -> Option<Tag> {
        let tag = self.tags.first()?.another();
        tag.put_on(self.pid).ok()?;
        self.tags.push(tag);
        Some(tag)
    }

    /// Begins a time limit for what the worker is to do by itself.
    pub(super) fn patience(&self, limit: Duration) -> Patience {
        Patience::begin(self.pid, limit)
    }

    /// Interrupts an execution with its processes, and returns how many there are.
    pub(super) fn interrupt(&self, tag: Option<Tag>) -> impl Future<Output = usize> + use<> {
        let tree = tag.map_or_else(|| self.tree(), |tag| Tree::tagged([tag]));
        // If it cannot be sent, the worker has failed, which is about to be detected.
        if self.program.receives_interrupts() && self.tell(protocol::interrupt()).is_err() {
            tracing::debug!("a worker cannot be told of an interrupt");
        }
        async move { tree.send(Signal::INT).await }
    }

    /// Ends the processes that an interrupted execution has left.
    pub(super) fn end_rest(&self, tag: Option<Tag>) {
        if let Some(tag) = tag {
            let rest = Tree::tagged([tag]).without(self.pid);
            tokio::spawn(async move { rest.end(TERMINATE_GRACE).await });
        }
    }

    /// Lets the worker end as a program does at its end, so that open files are flushed and exit handlers run.
    /// Processes that have not ended after [`EXIT_GRACE`] are killed, including all that it has started.
    pub(super) async fn finish(&mut self) -> io::Result<Termination> {
        // The worker reads the end of its requests. If they have ended already, it has ended or ends now.
        let _ = self.requests.close();
        let patience = self.patience(EXIT_GRACE);
        let exited = patience.wait_for(async {
            let mut tells = true;
            loop {
                tokio::select! {
                    ended = self.leader.ended() => return Ok::<_, io::Error>(ended),
                    // Reports of the interrupted code; a long one would block the worker if it were not read.
                    report = self.reports.next(), if tells => tells = report.is_ok(),
                    result = self.outputs.read() => result?,
                }
            }
        });
        let Some(Ok(ended)) = exited.await else {
            return self.end().await;
        };
        // Without labels its children cannot be distinguished from those of a process that reuses its number.
        if !self.tags.is_empty() {
            self.outputs.end(&self.tree()).await?;
        }
        self.outputs.drain()?;
        ended
    }

    /// Ends the worker with all processes that it has started, and reads their remaining output.
    pub(super) async fn end(&mut self) -> io::Result<Termination> {
        let tree = self.tree();
        let ended = self.outputs.end(&tree).await;
        let killed = self.leader.killed().await;
        ended?;
        self.outputs.drain()?;
        killed
    }

    /// Releases an ended worker, whose children continue; they may still write.
    pub(super) fn leave(self) -> Tags {
        self.requests.end(InputError::Ended);
        tokio::spawn(self.outputs.read_on());
        self.tags
    }

    fn tree(&self) -> Tree {
        if self.tags.is_empty() {
            self.leader.tree()
        } else {
            Tree::tagged(self.tags.iter())
        }
    }
}

/// Returns a record for output while nothing runs: its end is retained, and only read when a worker does not start.
pub(super) fn idle_record(core: &Core) -> Record {
    core.records().ring(RECORD_SETTLED_BYTES)
}
