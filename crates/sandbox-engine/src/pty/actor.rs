//! The task that owns a terminal: reads and writes it, ends it, and reports how it ended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handle::Pty;
use super::pace::Pace;
use super::shared::Request;
use crate::deadline::until;
use crate::leader::Leader;
use crate::limits::TERMINATE_GRACE;
use crate::oom::OomKills;
use crate::outputs::Outputs;
use crate::registry::Registry;
use crate::resources::{Confinement, Usage};
use crate::terminal::PtySize;
use crate::termination::Termination;
use crate::tree::Tree;

/// A terminal whose shell has been started, to be run.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) end: End,
    /// The terminal; hung up when the task ends.
    pub(super) outputs: Outputs,
    pub(super) leader: Leader,
    pub(super) confinement: Confinement,
    pub(super) tree: Tree,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) stop: CancellationToken,
    pub(super) oom_kills: Arc<OomKills>,
    pub(super) kills_before: u64,
    /// When the shell was started.
    pub(super) begun: Instant,
}

impl Actor {
    /// Runs the terminal until the shell has ended, and reports the end.
    pub(super) async fn run(mut self) {
        let watched = async {
            let mut termination = self.watch().await?;
            // The group is this terminal's own: every kill that it has counted is of this run.
            self.confinement.explain(&mut termination, 0);
            self.oom_kills.explain(&mut termination, self.kills_before);
            self.outputs.drain()?;
            self.outputs.settle(&self.tree).await?;
            if let Some(used) = self.leader.usage() {
                let mut usage = Usage::of(self.begun.elapsed(), used);
                self.confinement.add_to(&mut usage);
                let _ = self.end.pty.shared.usage.set(usage);
            }
            io::Result::Ok(termination)
        };
        match watched.await {
            Ok(termination) => self.end.termination = termination,
            Err(error) => {
                tracing::error!(id = self.end.pty.id(), %error, "a terminal was lost");
                self.tree.end(Duration::ZERO).await;
                self.end.termination = Termination::Lost {
                    reason: error.to_string(),
                };
            }
        }
        // Before the end is reported, by the destructors.
        std::mem::take(&mut self.confinement).remove().await;
    }

    /// Reads and writes until the shell has ended, by itself or because it is to end.
    async fn watch(&mut self) -> io::Result<Termination> {
        let pty = self.end.pty.clone();
        let mut pace = Pace::default();
        // Reading comes last: a flood of output is always ready, and must not starve the other branches.
        loop {
            let waits_until = pace.deadline(&pty.shared.readers, &pty.shared.record);
            tokio::select! {
                biased;
                ended = self.leader.ended() => return ended,
                () = self.end.pty.shared.doomed.cancelled() => return self.kill(Duration::ZERO).await,
                () = self.stop.cancelled() => return self.kill(TERMINATE_GRACE).await,
                Some(request) = self.requests.recv() => self.serve(request)?,
                () = pty.shared.readers.changed(), if waits_until.is_some() => {}
                () = until(waits_until) => pace.give_up(),
                // While the output waits for its readers, input is typed all the same: an interrupt
                // must reach a program that floods the terminal.
                passed = pass(&mut self.outputs, waits_until.is_none()) => passed?,
            }
        }
    }

    fn serve(&mut self, request: Request) -> io::Result<()> {
        match request {
            Request::Type(typed) => match self.outputs.console() {
                Some(console) => console.type_in(typed),
                None => Ok(()),
            },
            Request::Resize { size, reply } => {
                // The client may no longer wait for the reply.
                let _ = reply.send(self.resize(size));
                Ok(())
            }
        }
    }

    fn resize(&mut self, size: PtySize) -> io::Result<()> {
        let mut known = self.end.pty.shared.size();
        if let Some(console) = self.outputs.console()
            && *known != size
        {
            console.resize(size)?;
            *known = size;
        }
        Ok(())
    }

    /// Ends all processes, and reads their output meanwhile.
    async fn kill(&mut self, grace: Duration) -> io::Result<Termination> {
        self.outputs.end_after(&self.tree, grace).await?;
        self.leader.killed().await
    }
}

/// Types waiting input, and reads if that `may_read`. Cancel safe.
async fn pass(outputs: &mut Outputs, may_read: bool) -> io::Result<()> {
    if may_read {
        outputs.read().await
    } else {
        outputs.type_waiting().await
    }
}

/// Reports the end when it is dropped, whatever happened to the task.
#[derive(Debug)]
pub(super) struct End {
    pub(super) registry: Arc<Registry<Pty>>,
    pub(super) pty: Pty,
    pub(super) termination: Termination,
}

impl Drop for End {
    fn drop(&mut self) {
        // First, so that a client that sees the end finds the id free.
        self.registry.retire(&self.pty);
        self.pty.end(self.termination.clone());
    }
}
