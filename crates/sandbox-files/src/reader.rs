//! Reads a file in pieces.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::io::Errno;

use crate::blocking::Blocking;
use crate::limits::READ_BYTES;
use crate::{Error, Metadata};

/// A regular file that is read from some offset on, in pieces of at most [`READ_BYTES`].
#[derive(Debug)]
pub struct Reader {
    pub(crate) file: Arc<OwnedFd>,
    pub(crate) metadata: Metadata,
    pub(crate) offset: u64,
    /// What was promised; `None` for a file that does not know its length, such as those of `/proc`.
    pub(crate) end: Option<u64>,
    /// The greatest number of bytes that is still returned.
    pub(crate) limit: u64,
    pub(crate) blocks: Blocks,
    pub(crate) blocking: Blocking,
}

impl Reader {
    /// Returns what was known of the file when it was opened.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns how many bytes are left, or `None` for a file that does not know its length, such as those of `/proc`.
    pub fn remaining(&self) -> Option<u64> {
        self.end.map(|end| (end - self.offset).min(self.limit))
    }

    /// Ends after this many more bytes, if the file does not end before.
    pub fn limit(&mut self, length: u64) {
        self.limit = length;
    }

    /// Goes on at an offset; beyond the end there is nothing to read.
    pub fn seek(&mut self, offset: u64) {
        self.offset = self.end.map_or(offset, |end| offset.min(end));
    }

    /// Returns the next bytes, or `None` at the end.
    ///
    /// Of a file that becomes longer meanwhile, no more is read than there was when it was opened.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] if the file became shorter, and what the system reports.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped: the same bytes are read again.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let length = match self.remaining().unwrap_or(self.limit) {
            0 => return Ok(None),
            left => usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES),
        };
        let (file, offset) = (self.file.clone(), self.offset);
        let block = self.blocks.take();
        let read = self
            .blocking
            .call(move || read(&file, offset, length, block));
        let bytes = read.await?;
        self.offset += bytes.len() as u64;
        self.limit -= bytes.len() as u64;
        match (bytes.is_empty(), self.end) {
            (true, Some(_)) => Err(Error::Changed),
            (true, None) => Ok(None),
            (false, _) => Ok(Some(bytes)),
        }
    }
}

/// Returns where a file of this size ends; `None` if only reading it shows that.
pub(crate) fn end_of(file: &OwnedFd, size: u64) -> Result<Option<u64>, Error> {
    // Those of `/proc` have a length of 0 and bytes.
    if size == 0 {
        return Ok(None);
    }
    // Those of `/sys` have that of a page and fewer bytes. Only for files of this size is the file system asked for.
    let is_page = usize::try_from(size).is_ok_and(|size| size == rustix::param::page_size());
    // `SYSFS_MAGIC` of `linux/magic.h`.
    let is_sysfs = is_page && rustix::fs::fstatfs(file)?.f_type == 0x6265_6572;
    Ok((!is_sysfs).then_some(size))
}

/// Reads as much as there is, up to a length.
fn read(file: &OwnedFd, offset: u64, length: usize, mut block: Block) -> Result<Bytes, Error> {
    if block.memory.len() < length {
        block.memory.resize(length, 0);
    }
    while block.filled < length {
        let rest = &mut block.memory[block.filled..length];
        match rustix::io::pread(file, rest, offset + block.filled as u64) {
            Ok(0) => break,
            Ok(count) => block.filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Bytes::from_owner(block))
}

/// The memory of pieces that were dropped, for the next ones: to map, clear and unmap it for each piece takes as long as another copy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocks(Arc<Mutex<Vec<Vec<u8>>>>);

impl Blocks {
    fn take(&self) -> Block {
        Block {
            memory: self.free().pop().unwrap_or_default(),
            filled: 0,
            home: self.clone(),
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory of one piece, of which the beginning is filled.
struct Block {
    memory: Vec<u8>,
    filled: usize,
    home: Blocks,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut free = self.home.free();
        if free.len() < FREE_BLOCKS {
            free.push(std::mem::take(&mut self.memory));
        }
    }
}

/// Blocks that are free between two pieces: one that was sent, and one that was read meanwhile.
const FREE_BLOCKS: usize = 2;
