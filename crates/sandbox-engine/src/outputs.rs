//! The near ends of a process's outputs, read into its record: pipes, or a terminal, which is also typed into.

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

/// Reads stdout, stderr and artifacts, each from a pipe of its own, or none; or a terminal in the place of the first two.
#[derive(Debug)]
pub(crate) struct Outputs {
    destination: Destination,
    pipes: [Option<pipe::Receiver>; PIPES],
    console: Option<Console>,
    /// `None` once nobody asks for them any more.
    artifacts: Option<Artifacts>,
}

/// Where the bytes of stdout and stderr go.
#[derive(Debug)]
enum Destination {
    Kept(Record),
    /// To the record for as long as somebody else holds it. After that nobody can read it, and what comes is dropped.
    WhileRead(WeakRecord),
    /// To all that watch a terminal.
    Screen(Arc<dyn Screen>),
}

/// What shows a terminal's output.
pub(crate) trait Screen: fmt::Debug + Send + Sync {
    /// Shows the bytes that come next, of which there may be none.
    fn show(&self, bytes: Bytes);
}

const PIPES: usize = 3;

/// More than the kernel holds of a terminal's output.
const HELD_BYTES: usize = 256 * 1024;

impl Outputs {
    pub(crate) fn new(record: Record, pipes: [Option<pipe::Receiver>; PIPES]) -> Self {
        Self::to(Destination::Kept(record), pipes)
    }

    /// For a record that somebody else holds. Once nobody does, what comes is read and dropped.
    pub(crate) fn while_read(record: WeakRecord, pipes: [Option<pipe::Receiver>; PIPES]) -> Self {
        Self::to(Destination::WhileRead(record), pipes)
    }

    /// For a terminal alone, whose output `screen` shows.
    pub(crate) fn shown(screen: Arc<dyn Screen>, console: Console) -> Self {
        Self::to(Destination::Screen(screen), [None, None, None]).with_console(Some(console))
    }

    /// Reads a terminal as well.
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

    /// Puts what is read from now on into another record.
    pub(crate) fn set_record(&mut self, record: Record) {
        self.destination = Destination::Kept(record);
    }

    fn at_end(&self) -> bool {
        self.pipes.iter().all(Option::is_none)
            && self.console.as_ref().is_none_or(Console::is_closed)
    }

    /// Waits until a pipe is readable and reads from each that is, once; for ever when all are at their end. What waits to
    /// be typed into a terminal is typed when there is room for it.
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
        // Each once: a flood of one must not keep the others from being read.
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
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        for which in 0..PIPES {
            let Some(pipe) = &self.pipes[which] else {
                continue;
            };
            let mut held = rustix::io::ioctl_fionread(pipe)?;
            // Reading nothing is how the end is told, so an empty pipe is read from once, too.
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

    /// What was there before is read, and no more: a program that was left may write to the terminal for ever.
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

    /// Waits for helpers that are still passing on what the leader wrote (`tee` behind `exec > >(tee f)`): as long as a
    /// process of the run is busy, more may come. One that sleeps with the pipe in its hand is a background child.
    pub(crate) async fn settle(&mut self, tree: &Tree) -> io::Result<()> {
        let give_up = Instant::now() + DRAIN_GRACE;
        let mut quiet = 0;
        while !self.at_end() && Instant::now() < give_up {
            let busy = tree.is_busy().await;
            // What a process wrote before it went to sleep is in the pipe by now.
            self.drain()?;
            // Twice: one that was starting another while it was looked for may not have been found.
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet == 2 {
                break;
            }
            self.read_for(Duration::from_millis(1)).await?;
        }
        Ok(())
    }

    /// Ends every process of `tree`. Output is read all the while, since a process that blocks on a full pipe cannot end
    /// itself.
    ///
    /// The leader is not reaped meanwhile, so its number stays its own.
    pub(crate) async fn end(&mut self, tree: &Tree) -> io::Result<()> {
        self.end_after(tree, TERMINATE_GRACE).await
    }

    /// As [`end`](Self::end), with this time between TERM and KILL.
    pub(crate) async fn end_after(&mut self, tree: &Tree, grace: Duration) -> io::Result<()> {
        let ended = tree.end(grace);
        tokio::pin!(ended);
        loop {
            tokio::select! {
                biased;
                _ = &mut ended => return Ok(()),
                result = self.read() => result?,
            }
        }
    }

    /// The artifacts so far, and how many were dropped.
    pub(crate) fn take_artifacts(&mut self) -> (Vec<Bytes>, usize) {
        let so_far = self.artifacts.replace(Artifacts::new(ARTIFACT_BYTES));
        so_far.map_or_else(Default::default, Artifacts::finish)
    }

    /// Reads what children write that the process left behind, until the last of them has closed its pipe: closed at
    /// this end, the pipe would end them by SIGPIPE. It is appended for as long as somebody holds the record, and dropped
    /// after that; artifacts are dropped. A terminal is hung up: what was left there is to end, or does without it.
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
            record.settle();
        }
    }

    fn record(&self) -> Option<Record> {
        match &self.destination {
            Destination::Kept(record) => Some(record.clone()),
            Destination::WhileRead(record) => record.upgrade(),
            Destination::Screen(_) => None,
        }
    }

    /// Takes what was just read from the terminal.
    fn show(&self, bytes: Bytes) {
        if let Destination::Screen(screen) = &self.destination {
            screen.show(bytes);
        } else if let Some(record) = self.record().filter(|_| !bytes.is_empty()) {
            record.append(Channel::Stdout, bytes);
        }
    }

    /// Takes what was just read; nothing means the end.
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
