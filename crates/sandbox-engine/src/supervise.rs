//! One task owns one child: reads what it writes, ends it in time, tells how it ended.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::{Request, Supervised};
use crate::leader::Leader;
use crate::outputs::Outputs;
use crate::termination::Termination;
use crate::tree::Tree;

/// A started child with what is to be done about it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) leader: Leader,
    /// The near ends of its descriptors.
    pub(crate) fds: Vec<Option<OwnedFd>>,
    pub(crate) command: Supervised,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) timeout: Option<Duration>,
    /// Ends the run as a time limit does.
    pub(crate) stop: CancellationToken,
}

/// What a run did, besides what it wrote.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) termination: Termination,
    pub(crate) artifacts: Vec<Bytes>,
    pub(crate) artifacts_dropped: usize,
}

impl Run {
    /// Sees the child to its end. After an error, which is the system's, the run has been ended.
    pub(crate) async fn finish(mut self) -> io::Result<Finished> {
        let tree = self.leader.tree();
        let watched = async {
            let mut outputs = self.open()?;
            let termination = self.watch(&mut outputs, &tree).await?;
            Ok((termination, outputs))
        };
        let (termination, mut outputs) = match watched.await {
            Ok(watched) => watched,
            Err(error) => {
                tree.end(Duration::ZERO).await;
                return Err(error);
            }
        };
        outputs.drain()?;
        outputs.settle(&tree).await?;
        let (artifacts, artifacts_dropped) = outputs.take_artifacts();
        tokio::spawn(outputs.read_on());
        Ok(Finished {
            termination,
            artifacts,
            artifacts_dropped,
        })
    }

    /// Takes the near ends of the child's descriptors.
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
        Ok(Outputs::while_read(self.command.record(), pipes))
    }

    /// Reads until the leader has ended, by itself or by its limit; after an error it has not been reaped.
    async fn watch(&mut self, outputs: &mut Outputs, tree: &Tree) -> io::Result<Termination> {
        let overdue = overdue(self.timeout);
        tokio::pin!(overdue);
        // Reading comes last: a flood is always ready, and must keep nothing else from being seen.
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
                Some(Request::Signal { signal, reply, .. }) = self.requests.recv() => {
                    tree.send(signal).await;
                    // Whoever asked may have gone.
                    let _ = reply.send(Ok(()));
                }
                result = outputs.read() => result?,
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

fn receiver(fd: Option<OwnedFd>) -> io::Result<Option<pipe::Receiver>> {
    fd.map(pipe::Receiver::from_owned_fd).transpose()
}
