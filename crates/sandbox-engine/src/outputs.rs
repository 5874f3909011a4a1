//! The near ends of a process's outputs, read into its record.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustix::io::Errno;
use sandbox_logcodec::Channel;
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout_at};

use crate::artifacts::Artifacts;
use crate::limits::{ARTIFACT_BYTES, DRAIN_GRACE, TERMINATE_GRACE};
use crate::record::Record;
use crate::tree::Tree;

/// Reads stdout, stderr and artifacts, each from a pipe of its own, or none.
#[derive(Debug)]
pub(crate) struct Outputs {
    record: Record,
    pipes: [Option<pipe::Receiver>; PIPES],
    artifacts: Artifacts,
    buffer: BytesMut,
}

const PIPES: usize = 3;
const READ_BYTES: usize = 64 * 1024;

impl Outputs {
    pub(crate) fn new(record: Record, pipes: [Option<pipe::Receiver>; PIPES]) -> Self {
        Self {
            record,
            pipes,
            artifacts: Artifacts::new(ARTIFACT_BYTES),
            buffer: BytesMut::new(),
        }
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Puts what is read from now on into another record.
    pub(crate) fn set_record(&mut self, record: Record) {
        self.record = record;
    }

    fn at_end(&self) -> bool {
        self.pipes.iter().all(Option::is_none)
    }

    /// Waits until a pipe is readable and reads from each that is, once; for ever when all are at their end.
    ///
    /// Cancel safe.
    pub(crate) async fn read(&mut self) -> io::Result<()> {
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
            self.buffer.reserve(READ_BYTES);
            match pipe.try_read_buf(&mut self.buffer) {
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
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        for which in 0..PIPES {
            let Some(pipe) = &self.pipes[which] else {
                continue;
            };
            let mut held = rustix::io::ioctl_fionread(pipe)?;
            // Reading nothing is how the end is told, so an empty pipe is read from once, too.
            while let Some(pipe) = &self.pipes[which] {
                let room = usize::try_from(held).unwrap_or(READ_BYTES);
                self.buffer.resize(room.clamp(1, READ_BYTES), 0);
                match rustix::io::read(pipe, &mut self.buffer[..]) {
                    Ok(count) => {
                        self.buffer.truncate(count);
                        self.keep(which, count);
                        held = held.saturating_sub(count as u64);
                    }
                    Err(Errno::INTR) => continue,
                    Err(Errno::AGAIN) => {
                        self.buffer.clear();
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
                if held == 0 {
                    break;
                }
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
        let ended = tree.end(TERMINATE_GRACE);
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
        std::mem::replace(&mut self.artifacts, Artifacts::new(ARTIFACT_BYTES)).finish()
    }

    /// Reads what children write that the process left behind, until the last of them has closed its pipe: closed at
    /// this end, the pipe would end them by SIGPIPE.
    pub(crate) async fn read_on(mut self) {
        while !self.at_end() {
            if let Err(error) = self.read().await {
                tracing::warn!(%error, "cannot read on what a background process writes");
                break;
            }
        }
        self.record.settle();
    }

    /// Takes what was just read; nothing means the end.
    fn keep(&mut self, which: usize, count: usize) {
        let bytes = self.buffer.split().freeze();
        match which {
            _ if count == 0 => self.pipes[which] = None,
            0 => self.record.append(Channel::Stdout, bytes),
            1 => self.record.append(Channel::Stderr, bytes),
            _ => self.artifacts.push(&bytes),
        }
    }
}

async fn readable(pipe: &Option<pipe::Receiver>) -> io::Result<()> {
    match pipe {
        Some(pipe) => pipe.readable().await,
        None => std::future::pending().await,
    }
}
