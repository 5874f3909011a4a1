//! Supervision of a child by one task: reads its output, ends it in time, and reports how it ended.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::{Request, ResizeError, Supervised};
use crate::input::{Held, Input};
use crate::leader::Leader;
use crate::outputs::Outputs;
use crate::resources::Usage;
use crate::terminal::{Console, PtySize, Typed};
use crate::termination::Termination;
use crate::tree::Tree;

/// A started child and the parameters of its supervision.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) leader: Leader,
    /// The near ends of the child's descriptors.
    pub(crate) fds: Vec<Option<OwnedFd>>,
    /// The terminal on which the child runs instead of pipes.
    pub(crate) console: Option<Console>,
    pub(crate) command: Supervised,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) timeout: Option<Duration>,
    /// When the child was started.
    pub(crate) begun: Instant,
    /// Cancelled to end the run as a time limit does.
    pub(crate) stop: CancellationToken,
}

/// The result of a run, besides its output.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) termination: Termination,
    pub(crate) usage: Option<Usage>,
    pub(crate) artifacts: Vec<Bytes>,
    pub(crate) artifacts_dropped: usize,
}

impl Run {
    /// Supervises the child until it has ended. After an error, which is the system's, the run has been ended.
    pub(crate) async fn finish(mut self) -> io::Result<Finished> {
        let tree = self.leader.tree();
        let watched = async {
            let mut outputs = self.open()?;
            let termination = self.watch(&mut outputs, &tree).await?;
            Ok((termination, self.begun.elapsed(), outputs))
        };
        let (termination, wall_time, mut outputs) = match watched.await {
            Ok(watched) => watched,
            Err(error) => {
                tree.end(Duration::ZERO).await;
                return Err(error);
            }
        };
        // What the leader has written is in the pipes when its exit is seen, so one look at each is enough for that. Helpers that
        // still forward its output have to be waited for.
        outputs.drain()?;
        outputs.settle(&tree).await?;
        // After that the output is complete, whatever a background process adds.
        let (artifacts, artifacts_dropped) = outputs.take_artifacts();
        tokio::spawn(outputs.read_on());
        Ok(Finished {
            termination,
            usage: { self.leader.usage() }.map(|usage| Usage::of(wall_time, usage)),
            artifacts,
            artifacts_dropped,
        })
    }

    /// Opens the near ends of the child's descriptors.
    fn open(&mut self) -> io::Result<Outputs> {
        let mut near = self.fds.drain(..);
        let stdin = near.next().flatten();
        let stdout = receiver(near.next().flatten())?;
        let stderr = receiver(near.next().flatten())?;
        let artifacts = receiver(near.flatten().next())?;
        if let (Some(stdin), Some(input)) = (stdin, self.command.input()) {
            tokio::spawn(input.feed(pipe::Sender::from_owned_fd(stdin)?));
        }
        let pipes = [stdout, stderr, artifacts];
        let outputs = Outputs::while_read(self.command.record(), pipes);
        Ok(outputs.with_console(self.console.take()))
    }

    /// Reads until the leader has ended, by itself or by its limit; after an error it has not been reaped.
    async fn watch(&mut self, outputs: &mut Outputs, tree: &Tree) -> io::Result<Termination> {
        let overdue = overdue(self.timeout);
        tokio::pin!(overdue);
        let mut keyboard = match outputs.console() {
            Some(_) => Keyboard::of(self.command.input()),
            None => Keyboard::absent(),
        };
        // Reading comes last: a flood is always ready, and must not starve the other branches.
        loop {
            tokio::select! {
                biased;
                ended = self.leader.ended() => return ended,
                limit = &mut overdue => {
                    outputs.end(tree).await?;
                    self.leader.killed().await?;
                    return Ok(Termination::TimedOut { limit });
                }
                () = self.stop.cancelled() => {
                    outputs.end(tree).await?;
                    return self.leader.killed().await;
                }
                Some(request) = self.requests.recv() => {
                    carry_out(&self.command, request, outputs, tree).await;
                }
                key = keyboard.next() => keyboard.type_in(key, outputs)?,
                result = outputs.read() => result?,
            }
        }
    }
}

/// Executes a request of a handle of `command`. The handle may have been dropped meanwhile.
async fn carry_out(command: &Supervised, request: Request, outputs: &mut Outputs, tree: &Tree) {
    match request {
        Request::Signal { signal, reply, .. } => {
            tree.send(signal).await;
            let _ = reply.send(Ok(()));
        }
        Request::Resize { size, reply } => {
            let _ = reply.send(resize(command, size, outputs));
        }
    }
}

fn resize(command: &Supervised, size: PtySize, outputs: &mut Outputs) -> Result<(), ResizeError> {
    let console = outputs.console().ok_or(ResizeError::NoTerminal)?;
    console.resize(size).map_err(ResizeError::Os)?;
    command.set_size(size);
    Ok(())
}

/// The input of a command on a terminal.
struct Keyboard {
    /// `None` after the end has been typed.
    input: Option<Option<Input>>,
    is_line_finished: bool,
}

impl Keyboard {
    /// Creates a keyboard; without input the end is typed immediately.
    fn of(input: Option<Input>) -> Self {
        Self {
            input: Some(input),
            is_line_finished: true,
        }
    }

    /// Creates the keyboard of a command on pipes, which types nothing.
    fn absent() -> Self {
        Self {
            input: None,
            is_line_finished: true,
        }
    }

    /// Returns the next input to type; `None` is the end. Never resolves after that. Cancel safe.
    async fn next(&self) -> Option<(Bytes, Held)> {
        match &self.input {
            Some(Some(input)) => input.next().await,
            Some(None) => None,
            None => std::future::pending().await,
        }
    }

    fn type_in(&mut self, key: Option<(Bytes, Held)>, outputs: &mut Outputs) -> io::Result<()> {
        let Some(console) = outputs.console() else {
            return Ok(());
        };
        match key {
            Some((bytes, held)) => {
                self.is_line_finished = matches!(bytes.last(), None | Some(b'\n' | b'\r'));
                console.type_in(Typed::new(bytes, held))
            }
            None => {
                self.input = None;
                console.type_end(self.is_line_finished)
            }
        }
    }
}

/// Waits until the limit has run out, and returns it.
async fn overdue(limit: Option<Duration>) -> Duration {
    if let Some(limit) = limit
        && let Some(deadline) = Instant::now().checked_add(limit)
    {
        tokio::time::sleep_until(deadline).await;
        return limit;
    }
    std::future::pending().await
}

fn receiver(fd: Option<OwnedFd>) -> io::Result<Option<pipe::Receiver>> {
    fd.map(pipe::Receiver::from_owned_fd).transpose()
}
