//! The bytes of an archive between a thread that blocks and a task that does not.

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use crate::Error;
use crate::limits::{ARCHIVE_PIECES, READ_BYTES};

/// Returns the two ends for an archive that is created.
pub(crate) fn outgoing() -> (Outgoing, mpsc::Receiver<Bytes>) {
    let (sender, receiver) = mpsc::channel(ARCHIVE_PIECES);
    let outgoing = Outgoing {
        sender,
        block: vec![0; READ_BYTES],
        filled: 0,
    };
    (outgoing, receiver)
}

/// Returns the two ends for an archive that is extracted. `None` is its end; without, the client has left.
pub(crate) fn incoming() -> (mpsc::Sender<Option<Bytes>>, Incoming) {
    let (sender, receiver) = mpsc::channel(ARCHIVE_PIECES);
    let incoming = Incoming {
        receiver,
        rest: Bytes::new(),
        has_ended: false,
    };
    (sender, incoming)
}

/// Gathers the bytes of an archive, and sends them in blocks.
#[derive(Debug)]
pub(crate) struct Outgoing {
    sender: mpsc::Sender<Bytes>,
    block: Vec<u8>,
    filled: usize,
}

impl Outgoing {
    /// Appends bytes.
    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let room = self.room()?;
            let length = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(length);
            room[..length].copy_from_slice(now);
            self.filled += length;
            bytes = later;
        }
        Ok(())
    }

    /// Appends what `read` reads into the room that is left, at most `most` bytes, and returns how many there were.
    pub(super) fn fill(
        &mut self,
        most: u64,
        read: impl FnOnce(&mut [u8]) -> Result<usize, Error>,
    ) -> Result<usize, Error> {
        let room = self.room()?;
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(room.len());
        let count = read(&mut room[..length])?;
        self.filled += count;
        Ok(count)
    }

    /// Sends what was gathered. Waits for the receiver; fails if there is none.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        if self.filled == 0 {
            return Ok(());
        }
        let mut block = std::mem::replace(&mut self.block, vec![0; READ_BYTES]);
        block.truncate(self.filled);
        self.filled = 0;
        self.sender.blocking_send(block.into()).map_err(|_| left())
    }

    fn room(&mut self) -> Result<&mut [u8], Error> {
        if self.filled == self.block.len() {
            self.flush()?;
        }
        Ok(&mut self.block[self.filled..])
    }
}

/// The bytes of an archive as they arrive.
#[derive(Debug)]
pub(crate) struct Incoming {
    receiver: mpsc::Receiver<Option<Bytes>>,
    rest: Bytes,
    has_ended: bool,
}

impl Incoming {
    /// Returns an archive that has arrived completely.
    pub(super) fn arrived(pieces: impl ExactSizeIterator<Item = Bytes>) -> Self {
        let (sender, receiver) = mpsc::channel(pieces.len() + 1);
        for piece in pieces.map(Some).chain([None]) {
            // There is room for all.
            let _ = sender.try_send(piece);
        }
        Self {
            receiver,
            rest: Bytes::new(),
            has_ended: false,
        }
    }

    /// Returns the next bytes, at most `most`; `None` at the end.
    pub(super) fn next(&mut self, most: u64) -> Result<Option<Bytes>, Error> {
        while self.rest.is_empty() {
            if self.has_ended {
                return Ok(None);
            }
            match self.receiver.blocking_recv() {
                Some(Some(bytes)) => self.rest = bytes,
                Some(None) => self.has_ended = true,
                None => return Err(left()),
            }
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(Some(self.rest.split_to(most.min(self.rest.len()))))
    }

    /// Fills a buffer.
    pub(super) fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<(), Error> {
        while !buffer.is_empty() {
            let Some(mut bytes) = self.next(buffer.len() as u64)? else {
                return Err(truncated());
            };
            let (now, later) = buffer.split_at_mut(bytes.len());
            bytes.copy_to_slice(now);
            buffer = later;
        }
        Ok(())
    }

    /// Passes the next bytes on in pieces.
    pub(super) fn copy(
        &mut self,
        mut length: u64,
        mut to: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while length > 0 {
            let bytes = self.next(length)?.ok_or_else(truncated)?;
            length -= bytes.len() as u64;
            to(&bytes)?;
        }
        Ok(())
    }

    /// Discards everything up to the end.
    pub(super) fn drain(&mut self) -> Result<(), Error> {
        while self.next(u64::MAX)?.is_some() {}
        Ok(())
    }
}

fn truncated() -> Error {
    Error::InvalidArchive("it is truncated")
}

/// The error of an archive whose other end was dropped: no caller sees it.
fn left() -> Error {
    Error::Io(std::io::ErrorKind::BrokenPipe.into())
}
