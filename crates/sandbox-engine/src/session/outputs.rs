//! The near ends of a command's outputs.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rustix::io::Errno;
use sandbox_logcodec::Channel;
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout_at};

use crate::record::Record;

/// Reads a command's outputs into its record.
#[derive(Debug)]
pub(super) struct Outputs {
    record: Record,
    pipes: [Option<pipe::Receiver>; 2],
    buffer: BytesMut,
}

const CHANNELS: [Channel; 2] = [Channel::Stdout, Channel::Stderr];
const READ_BYTES: usize = 64 * 1024;

impl Outputs {
    pub(super) fn new(record: Record, near: [pipe::Receiver; 2]) -> Self {
        Self {
            record,
            pipes: near.map(Some),
            buffer: BytesMut::new(),
        }
    }

    pub(super) fn at_end(&self) -> bool {
        self.pipes.iter().all(Option::is_none)
    }

    /// Waits until a pipe is readable and reads from each that is, once; for ever when all are at their end.
    ///
    /// Cancel safe.
    pub(super) async fn read(&mut self) -> io::Result<()> {
        let [a, b] = &self.pipes;
        tokio::select! {
            ready = readable(a) => ready,
            ready = readable(b) => ready,
        }?;
        for which in 0..2 {
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
    pub(super) async fn read_for(&mut self, while_: Duration) {
        let until = Instant::now() + while_;
        while let Ok(Ok(())) = timeout_at(until, self.read()).await {}
    }

    /// Reads all that the pipes hold now, and no more. Asks the kernel, not the runtime, which may not have been told yet.
    pub(super) fn drain(&mut self) {
        for which in 0..2 {
            let held = match &self.pipes[which] {
                Some(pipe) => rustix::io::ioctl_fionread(pipe).unwrap_or(0),
                None => 0,
            };
            let mut left = usize::try_from(held).unwrap_or(usize::MAX);
            while let Some(pipe) = &self.pipes[which]
                && left > 0
            {
                let mut chunk = vec![0; left.min(READ_BYTES)];
                match rustix::io::read(pipe, &mut chunk[..]) {
                    Ok(count) => {
                        chunk.truncate(count);
                        self.buffer.extend_from_slice(&chunk);
                        self.keep(which, count);
                        left = left.saturating_sub(count);
                    }
                    Err(Errno::INTR) => {}
                    Err(_) => break,
                }
            }
        }
    }

    /// Reads what children write that the command left behind, until the last of them has closed its pipe.
    pub(super) async fn read_on(mut self) {
        while !self.at_end() {
            if let Err(error) = self.read().await {
                tracing::warn!(%error, "cannot read on what a background process writes");
                return;
            }
        }
    }

    fn keep(&mut self, which: usize, count: usize) {
        if count == 0 {
            self.pipes[which] = None;
        } else {
            self.record
                .append(CHANNELS[which], self.buffer.split().freeze());
        }
    }
}

async fn readable(pipe: &Option<pipe::Receiver>) -> io::Result<()> {
    match pipe {
        Some(pipe) => pipe.readable().await,
        None => std::future::pending().await,
    }
}
