//! The near ends of a process's outputs, read into its record: pipes, or a terminal, which also takes input.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;
use sandbox_logcodec::Channel;
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout_at};

use crate::artifacts::Artifacts;
use crate::block::{BLOCK_BYTES, Block};
use crate::limits::{ARTIFACT_BYTES, DRAIN_GRACE, TERMINATE_GRACE};
use crate::record::{Record, WeakRecord};
use crate::terminal::Console;
use crate::tree::Tree;

/// Reads stdout, stderr and artifacts, each from its own pipe, if any; or a terminal instead of the first two.
#[derive(Debug)]
pub(crate) struct Outputs {
    destination: Destination,
    pipes: [Option<pipe::Receiver>; PIPES],
    console: Option<Console>,
    /// `None` when the artifacts are no longer wanted.
    artifacts: Option<Artifacts>,
}

/// The destination of the bytes of stdout and stderr.
#[derive(Debug)]
enum Destination {
    Kept(Record),
    /// The record, while it is held elsewhere. After that it has no readers, and output is dropped.
    WhileRead(WeakRecord),
    /// All that watch a terminal.
    Screen(Arc<dyn Screen>),
}

/// A view of a terminal's output.
pub(crate) trait Screen: fmt::Debug + Send + Sync {
    /// Shows the next bytes, possibly none.
    fn show(&self, bytes: Bytes);
}

const PIPES: usize = 3;

/// More than the kernel buffers of a terminal's output.
const HELD_BYTES: usize = 256 * 1024;

impl Outputs {
    pub(crate) fn new(record: Record, pipes: [Option<pipe::Receiver>; PIPES]) -> Self {
        Self::to(Destination::Kept(record), pipes)
    }

    /// Reads into a record that is held elsewhere. After the last holder has dropped it, output is read and dropped.
    pub(crate) fn while_read(record: WeakRecord, pipes: [Option<pipe::Receiver>; PIPES]) -> Self {
        Self::to(Destination::WhileRead(record), pipes)
    }

    /// Reads a terminal alone, whose output `screen` shows.
    pub(crate) fn shown(screen: Arc<dyn Screen>, console: Console) -> Self {
        Self::to(Destination::Screen(screen), [None, None, None]).with_console(Some(console))
    }

    /// Adds a terminal to read.
    pub(crate) fn with_console(self, console: Option<Console>) -> Self {
        Self { console, ..self }
    }

    /// Returns the terminal that is read.
    pub(crate) fn console(&mut self) -> Option<&mut Console> {
        self.console.as_mut()
    }

    fn to(destination: Destination, pipes: [Option<pipe::Receiver>; PIPES]) -> Self {
        Self {
            destination,
            pipes,
            console: None,
            artifacts: Some(Artifacts::new(ARTIFACT_BYTES)),
        }
    }

    /// Appends what is read from now on to another record.
    pub(crate) fn set_record(&mut self, record: Record) {
        self.destination = Destination::Kept(record);
    }

    fn at_end(&self) -> bool {
        self.pipes.iter().all(Option::is_none)
            && self.console.as_ref().is_none_or(Console::is_closed)
    }

    /// Waits until a pipe is readable and reads once from each readable one; waits forever if all are at their end. Also writes
    /// pending input to a terminal when there is room for it.
    ///
    /// Cancel safe.
    pub(crate) async fn read(&mut self) -> io::Result<()> {
        let [a, b, c] = &self.pipes;
        tokio::select! {
            ready = readable(a) => ready,
            ready = readable(b) => ready,
            ready = readable(c) => ready,
            shown = shown(&mut self.console) => {
                self.show(shown?);
                return Ok(());
            }
        }?;
        // One read each: a flood on one must not prevent reads from the others.
        for which in 0..PIPES {
            let Some(pipe) = &self.pipes[which] else {
                continue;
            };
            let mut block = Block::new();
            match pipe.try_read(block.bytes_mut()) {
                Ok(count) => self.keep(which, block, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until the terminal has room for waiting input, and types it; waits forever if there is none. Cancel safe.
    pub(crate) async fn type_waiting(&mut self) -> io::Result<()> {
        match &mut self.console {
            Some(console) => console.type_waiting().await,
            None => std::future::pending().await,
        }
    }

    /// Reads everything that arrives within a period.
    async fn read_for(&mut self, while_: Duration) -> io::Result<()> {
        let until = Instant::now() + while_;
        while let Ok(result) = timeout_at(until, self.read()).await {
            result?;
        }
        Ok(())
    }

    /// Reads what the pipes hold now, and no more: what a background child adds meanwhile may never end.
    ///
    /// Asks the kernel, not the runtime, which may not have learned yet that a pipe is readable.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        for which in 0..PIPES {
            let Some(pipe) = &self.pipes[which] else {
                continue;
            };
            let mut held = rustix::io::ioctl_fionread(pipe)?;
            // An empty read marks the end, so an empty pipe is read from once, too.
            while let Some(pipe) = &self.pipes[which] {
                let room = usize::try_from(held).unwrap_or(BLOCK_BYTES);
                let mut block = Block::new();
                let bytes = &mut block.bytes_mut()[..room.clamp(1, BLOCK_BYTES)];
                match rustix::io::read(pipe, bytes) {
                    Ok(count) => {
                        self.keep(which, block, count);
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
        self.drain_console()
    }

    /// Reads only what was there before: a program left in the background may write to the terminal forever.
    fn drain_console(&mut self) -> io::Result<()> {
        let mut held = 0;
        while let Some(console) = &mut self.console {
            console.release();
            let bytes = console.read_now()?;
            held += bytes.len();
            let is_all = bytes.is_empty() || held >= HELD_BYTES;
            self.show(bytes);
            if is_all {
                break;
            }
        }
        Ok(())
    }

    /// Waits for helpers that are still forwarding the leader's output (`tee` in `exec > >(tee f)`): while a process of the
    /// run is busy, more may come. One that sleeps while it holds the pipe is a background child.
    pub(crate) async fn settle(&mut self, tree: &Tree) -> io::Result<()> {
        let give_up = Instant::now() + DRAIN_GRACE;
        let mut quiet = 0;
        while !self.at_end() && Instant::now() < give_up {
            let busy = tree.is_busy().await;
            // What a process wrote before it went to sleep is in the pipe now.
            self.drain()?;
            // Twice: a process that another was just starting may have been missed.
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet == 2 {
                break;
            }
            self.read_for(Duration::from_millis(1)).await?;
        }
        Ok(())
    }

    /// Ends every process of `tree`. Output is read meanwhile, since a process that blocks on a full pipe cannot end itself.
    ///
    /// The leader is not reaped meanwhile, so its number is not reused.
    pub(crate) async fn end(&mut self, tree: &Tree) -> io::Result<()> {
        self.end_after(tree, TERMINATE_GRACE).await
    }

    /// Ends every process as [`end`](Self::end) does, with this time between TERM and KILL.
    pub(crate) async fn end_after(&mut self, tree: &Tree, grace: Duration) -> io::Result<()> {
        let ended = tree.end(grace);
        tokio::pin!(ended);
        loop {
            // Reading comes last: a process outside of the tree may hold the pipe and write without end.
            tokio::select! {
                biased;
                _ = &mut ended => return Ok(()),
                result = self.read() => result?,
            }
        }
    }

    /// Returns the artifacts so far, and how many were dropped.
    pub(crate) fn take_artifacts(&mut self) -> (Vec<Bytes>, usize) {
        let so_far = self.artifacts.replace(Artifacts::new(ARTIFACT_BYTES));
        so_far.map_or_else(Default::default, Artifacts::finish)
    }

    /// Reads output of the process's remaining children until the last of them has closed its pipe: if this end were
    /// closed, the pipe would end them by SIGPIPE. It is appended while the record is held elsewhere, and dropped after that;
    /// artifacts are dropped. A terminal is hung up: its remaining programs are to end, or continue without it.
    pub(crate) async fn read_on(mut self) {
        self.artifacts = None;
        self.console = None;
        if let Destination::Kept(record) = &self.destination {
            self.destination = Destination::WhileRead(record.downgrade());
        }
        while !self.at_end() {
            if let Err(error) = self.read().await {
                tracing::warn!(%error, "cannot read on what a background process writes");
                break;
            }
        }
        if let Some(record) = self.record() {
            record.move_to_file();
        }
    }

    fn record(&self) -> Option<Record> {
        match &self.destination {
            Destination::Kept(record) => Some(record.clone()),
            Destination::WhileRead(record) => record.upgrade(),
            Destination::Screen(_) => None,
        }
    }

    /// Shows what was just read from the terminal.
    fn show(&self, bytes: Bytes) {
        if let Destination::Screen(screen) = &self.destination {
            screen.show(bytes);
        } else if let Some(record) = self.record().filter(|_| !bytes.is_empty()) {
            record.append(Channel::Stdout, bytes);
        }
    }

    /// Appends what was just read; no bytes mean the end.
    fn keep(&mut self, which: usize, block: Block, count: usize) {
        let channel = match which {
            _ if count == 0 => {
                self.pipes[which] = None;
                return;
            }
            0 => Channel::Stdout,
            1 => Channel::Stderr,
            _ => {
                if let Some(artifacts) = &mut self.artifacts {
                    artifacts.push(&block.filled(count));
                }
                return;
            }
        };
        if let Some(record) = self.record() {
            record.append(channel, block.filled(count));
        }
    }
}

async fn shown(console: &mut Option<Console>) -> io::Result<Bytes> {
    match console {
        Some(console) => console.next().await,
        None => std::future::pending().await,
    }
}

async fn readable(pipe: &Option<pipe::Receiver>) -> io::Result<()> {
    match pipe {
        Some(pipe) => pipe.readable().await,
        None => std::future::pending().await,
    }
}
