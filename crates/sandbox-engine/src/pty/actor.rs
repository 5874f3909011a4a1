//! The task that owns a terminal: reads and writes it, ends it, tells how it ended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandbox_logcodec::Channel;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handle::Pty;
use super::shared::Request;
use super::size::PtySize;
use super::typing::Typing;
use crate::leader::Leader;
use crate::limits::{DRAIN_GRACE, TERMINATE_GRACE};
use crate::oom::OomKills;
use crate::registry::Registry;
use crate::sys::{Terminal, Transfer};
use crate::termination::Termination;
use crate::tree::Tree;

/// A terminal whose shell has been started, to be run.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) end: End,
    pub(super) terminal: Terminal,
    pub(super) leader: Leader,
    pub(super) tree: Tree,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) typing: Typing,
    pub(super) stop: CancellationToken,
    pub(super) oom_kills: Arc<OomKills>,
    pub(super) kills_before: u64,
    pub(super) buffer: Vec<u8>,
    /// Nobody has the far end any more.
    pub(super) is_closed: bool,
}

impl Actor {
    /// Sees the shell to its end, and tells it.
    pub(super) async fn run(mut self) {
        let watched = async {
            let mut termination = self.watch().await?;
            self.oom_kills.explain(&mut termination, self.kills_before);
            self.drain().await?;
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
    }

    /// Reads and writes until the shell has ended, by itself or because it is to.
    async fn watch(&mut self) -> io::Result<Termination> {
        // Reading comes last: a flood is always ready, and must keep nothing else from being seen.
        loop {
            tokio::select! {
                biased;
                ended = self.leader.ended() => return ended,
                () = self.end.pty.shared.doomed.cancelled() => return self.kill(Duration::ZERO).await,
                () = self.stop.cancelled() => return self.kill(TERMINATE_GRACE).await,
                Some(request) = self.requests.recv() => self.serve(request)?,
                room = self.terminal.writable(), if self.typing.is_waiting() => {
                    room?;
                    self.typing.write(&self.terminal)?;
                }
                more = self.terminal.readable(), if !self.is_closed => {
                    more?;
                    self.read(Terminal::read)?;
                }
            }
        }
    }

    fn serve(&mut self, request: Request) -> io::Result<()> {
        match request {
            Request::Type(typed) => self.typing.push(typed, &self.terminal),
            Request::Resize { size, reply } => {
                // Whoever asked may have gone.
                let _ = reply.send(self.resize(size));
                Ok(())
            }
        }
    }

    fn resize(&self, size: PtySize) -> io::Result<()> {
        let mut known = self.end.pty.shared.size();
        if *known != size {
            self.terminal.resize(size.cols(), size.rows())?;
            *known = size;
        }
        Ok(())
    }

    /// Ends all processes; reads all the while, since one that blocks on a full terminal cannot end itself.
    async fn kill(&mut self, grace: Duration) -> io::Result<Termination> {
        let tree = self.tree.clone();
        let ended = tree.end(grace);
        tokio::pin!(ended);
        loop {
            tokio::select! {
                biased;
                _ = &mut ended => break,
                more = self.terminal.readable(), if !self.is_closed => {
                    more?;
                    self.read(Terminal::read)?;
                }
            }
        }
        self.leader.killed().await
    }

    /// Reads what the shell has written before its end. A program that it left behind may hold the terminal for ever, and
    /// write to it: all that was there before is read, and what helpers write that are busy at the moment.
    async fn drain(&mut self) -> io::Result<()> {
        self.terminal.release();
        let give_up = Instant::now() + DRAIN_GRACE;
        let mut quiet = 0;
        loop {
            let busy = match self.is_closed {
                true => false,
                false => self.tree.is_busy().await,
            };
            // What a process wrote before it went to sleep is there by now.
            let mut held = 0;
            while held < HELD_BYTES && !self.is_closed {
                match self.read(Terminal::read_now)? {
                    0 => break,
                    count => held += count,
                }
            }
            // Twice: one that was starting another while it was looked for may not have been found.
            quiet = if busy { 0 } else { quiet + 1 };
            if self.is_closed || quiet == 2 || Instant::now() >= give_up {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Appends what can be read at once, up to a bufferful, and tells how much it was.
    fn read(
        &mut self,
        read: impl Fn(&Terminal, &mut [u8]) -> io::Result<Transfer>,
    ) -> io::Result<usize> {
        let mut filled = 0;
        // The kernel gives 4 KiB at a time; readers are woken once for all.
        while filled < self.buffer.len() {
            match read(&self.terminal, &mut self.buffer[filled..])? {
                Transfer::Bytes(count) => filled += count,
                Transfer::NotNow => break,
                Transfer::Closed => {
                    self.is_closed = true;
                    break;
                }
            }
        }
        let bytes = &self.buffer[..filled];
        let shared = &self.end.pty.shared;
        shared
            .record
            .append(Channel::Stdout, Bytes::copy_from_slice(bytes));
        let mut boundaries = shared.boundaries();
        boundaries.push(bytes);
        boundaries.forget_before(shared.record.memory_begin());
        Ok(filled)
    }
}

/// Tells the end when it is dropped, whatever became of the task.
#[derive(Debug)]
pub(super) struct End {
    pub(super) registry: Arc<Registry<Pty>>,
    pub(super) pty: Pty,
    pub(super) termination: Termination,
}

impl Drop for End {
    fn drop(&mut self) {
        // First, so that whoever sees the end finds the id free.
        self.registry.retire(&self.pty);
        self.pty.end(self.termination.clone());
    }
}

/// Bytes read at a time.
pub(super) const READ_BYTES: usize = 32 * 1024;

/// More than the kernel holds of a terminal's output.
const HELD_BYTES: usize = 256 * 1024;
