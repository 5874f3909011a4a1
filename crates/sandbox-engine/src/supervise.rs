//! One task owns one child: reads what it writes, ends it in time, tells how it ended.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::Environment;
use crate::artifacts::Artifacts;
use crate::capture::Capture;
use crate::limits::{DRAIN_GRACE, KILL_WAIT, TERMINATE_GRACE};
use crate::run::{Outcome, Output};
use crate::spawner::{ChildFd, Exit, Spawned};
use crate::termination::Termination;
use crate::tree::Tree;

/// What to start, beyond the options that every run has.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Environment,
    /// Descriptors of the child from number 3 on; an [`Output`](ChildFd::Output) among them is captured as artifacts.
    pub(crate) extra_fds: Vec<ChildFd>,
}

/// A started child with what is to be done about it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) spawned: Spawned,
    pub(crate) timeout: Option<Duration>,
    pub(crate) split: bool,
    /// Ends the run as a time limit does.
    pub(crate) stop: CancellationToken,
    pub(crate) output_limit: usize,
    pub(crate) artifact_limit: usize,
}

/// stdout (or both), stderr, artifacts.
const PIPES: usize = 3;
const READ_BYTES: usize = 64 * 1024;

impl Run {
    /// Sees the child to its end. After an error, which is the system's, the run has been ended.
    pub(crate) async fn finish(mut self) -> io::Result<Outcome> {
        let tree = Tree::of_run(self.spawned.pid, self.spawned.tag);
        let watched = async {
            let mut readers = Readers::open(&mut self)?;
            let termination = self.watch(&mut readers, &tree).await?;
            Ok((termination, readers))
        };
        let (termination, mut readers) = match watched.await {
            Ok(watched) => watched,
            Err(error) => {
                tree.end(Duration::ZERO).await;
                tokio::spawn(self.spawned.exit);
                return Err(error);
            }
        };
        readers.drain()?;
        settle(&tree, &mut readers).await?;
        Ok(readers.finish(termination))
    }

    /// Reads until the leader has ended, by itself or by its limit; after an error it has not been reaped.
    async fn watch(&mut self, readers: &mut Readers, tree: &Tree) -> io::Result<Termination> {
        let exit = &mut self.spawned.exit;
        let overdue = overdue(self.timeout);
        tokio::pin!(overdue);
        // Reading comes last: a flood is always ready, and must keep neither an exit nor a limit from being seen.
        loop {
            tokio::select! {
                biased;
                ended = &mut *exit => return ended,
                limit = &mut overdue => {
                    end_tree(tree, readers).await?;
                    reap(exit).await?;
                    return Ok(Termination::TimedOut { limit });
                }
                () = self.stop.cancelled() => {
                    end_tree(tree, readers).await?;
                    return reap(exit).await;
                }
                result = readers.read() => result?,
            }
        }
    }
}

/// Resolves when the limit has run out.
async fn overdue(limit: Option<Duration>) -> Duration {
    if let Some(limit) = limit
        && let Some(deadline) = Instant::now().checked_add(limit)
    {
        tokio::time::sleep_until(deadline).await;
        return limit;
    }
    std::future::pending().await
}

/// Ends every process of the run. Output is read all the while, since a process that blocks on a full pipe cannot end
/// itself.
///
/// The leader is not reaped meanwhile, so its number stays its own.
async fn end_tree(tree: &Tree, readers: &mut Readers) -> io::Result<()> {
    let ended = tree.end(TERMINATE_GRACE);
    tokio::pin!(ended);
    loop {
        tokio::select! {
            biased;
            _ = &mut ended => return Ok(()),
            result = readers.read() => result?,
        }
    }
}

/// Takes the exit of a process that was killed; an error if the kernel does not let it die.
async fn reap(exit: &mut Exit) -> io::Result<Termination> {
    match tokio::time::timeout(KILL_WAIT, exit).await {
        Ok(ended) => ended,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "a killed process does not end",
        )),
    }
}

/// Waits for helpers that are still passing on what the leader wrote (`tee` behind `exec > >(tee f)`): as long as a
/// process of the run is busy, more may come. One that sleeps with the pipe in its hand is a background child.
async fn settle(tree: &Tree, readers: &mut Readers) -> io::Result<()> {
    let give_up = Instant::now() + DRAIN_GRACE;
    while !readers.at_end() && Instant::now() < give_up {
        let busy = tree.is_busy().await;
        // What a process wrote before it went to sleep is in the pipe by now.
        readers.drain()?;
        if !busy {
            break;
        }
        readers.read_for(Duration::from_millis(1)).await?;
    }
    Ok(())
}

/// The near ends of a child's pipes, each with what was read from it.
#[derive(Debug)]
struct Readers {
    pipes: [Option<pipe::Receiver>; PIPES],
    merged: Capture,
    split: Option<[Capture; 2]>,
    artifacts: Artifacts,
    buffer: Box<[u8]>,
}

impl Readers {
    fn open(run: &mut Run) -> io::Result<Self> {
        let mut near = run.spawned.fds.iter_mut().map(Option::take).skip(1);
        let stdout = near.next().flatten();
        let stderr = near.next().flatten();
        let artifacts = near.flatten().next();
        let receiver = |fd: Option<OwnedFd>| fd.map(pipe::Receiver::from_owned_fd).transpose();
        Ok(Self {
            pipes: [receiver(stdout)?, receiver(stderr)?, receiver(artifacts)?],
            merged: Capture::new(run.output_limit),
            split: run.split.then(|| {
                [
                    Capture::new(run.output_limit),
                    Capture::new(run.output_limit),
                ]
            }),
            artifacts: Artifacts::new(run.artifact_limit),
            buffer: vec![0; READ_BYTES].into(),
        })
    }

    /// Waits until a pipe is readable and reads from each that is, once; for ever when all are at their end.
    ///
    /// Cancel safe.
    async fn read(&mut self) -> io::Result<()> {
        let [a, b, c] = &self.pipes;
        tokio::select! {
            ready = readable(a) => ready,
            ready = readable(b) => ready,
            ready = readable(c) => ready,
        }?;
        // Each once: a flood of one must not keep the others from being read.
        for which in 0..PIPES {
            let Some(pipe) = &self.pipes[which] else {
                continue;
            };
            match pipe.try_read(&mut self.buffer) {
                Ok(count) => self.keep(which, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads whatever comes in the next while.
    async fn read_for(&mut self, while_: Duration) -> io::Result<()> {
        let until = Instant::now() + while_;
        while let Ok(result) = timeout_at(until, self.read()).await {
            result?;
        }
        Ok(())
    }

    /// Reads all that the pipes hold now, and no more: what a background child adds meanwhile may never end.
    ///
    /// Asks the kernel, not the runtime, which may not have been told yet that a pipe has become readable.
    fn drain(&mut self) -> io::Result<()> {
        for which in 0..PIPES {
            let Some(pipe) = &self.pipes[which] else {
                continue;
            };
            let mut held = rustix::io::ioctl_fionread(pipe)?;
            // Reading nothing is how the end is told, so an empty pipe is read from once, too.
            while let Some(pipe) = &self.pipes[which] {
                match rustix::io::read(pipe, &mut self.buffer[..]) {
                    Ok(count) => {
                        self.keep(which, count);
                        held = held.saturating_sub(count as u64);
                    }
                    Err(Errno::INTR) => continue,
                    Err(Errno::AGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
                if held == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes what was just read; nothing means the end.
    fn keep(&mut self, which: usize, count: usize) {
        if count == 0 {
            self.pipes[which] = None;
            return;
        }
        let bytes = &self.buffer[..count];
        if which == PIPES - 1 {
            return self.artifacts.push(bytes);
        }
        self.merged.push(bytes);
        if let Some(split) = &mut self.split {
            split[which].push(bytes);
        }
    }

    fn at_end(&self) -> bool {
        self.pipes.iter().all(Option::is_none)
    }

    /// Gives back what was kept. Pipes that a background child still holds are read on, into nothing: closed, they
    /// would end it by SIGPIPE.
    fn finish(self, termination: Termination) -> Outcome {
        let Self {
            pipes,
            merged,
            split,
            artifacts,
            mut buffer,
        } = self;
        for pipe in pipes.into_iter().flatten() {
            let mut buffer = std::mem::take(&mut buffer);
            if buffer.is_empty() {
                buffer = vec![0; READ_BYTES].into();
            }
            tokio::spawn(discard(pipe, buffer));
        }
        let split = split.map(|captures| captures.map(Capture::finish));
        let (artifacts, artifacts_dropped) = artifacts.finish();
        Outcome {
            termination,
            output: Output {
                merged: merged.finish(),
                split,
            },
            artifacts,
            artifacts_dropped,
        }
    }
}

async fn readable(pipe: &Option<pipe::Receiver>) -> io::Result<()> {
    match pipe {
        Some(pipe) => pipe.readable().await,
        None => std::future::pending().await,
    }
}

async fn discard(pipe: pipe::Receiver, mut buffer: Box<[u8]>) {
    while pipe.readable().await.is_ok() {
        match pipe.try_read(&mut buffer) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
            _ => {}
        }
    }
}
