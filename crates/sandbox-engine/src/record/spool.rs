//! Nameless files that the records of an engine share.
//!
//! A separate file for each record would take a descriptor, of which there may be few, or a name, which a cleaner can remove and
//! which outlives a daemon that is killed. So records share large files; space that a record no longer needs is released as
//! a hole, and a file is closed when no record has data in it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use rustix::fs::FallocateFlags;
use rustix::process::Resource;

use super::budget::Budget;
use crate::limits::{SPOOL_BUFFER_BYTES, SPOOL_FILE_BYTES};
use crate::state::State;
use crate::sync::lock;

/// The shared files; the newest is written to.
#[derive(Debug)]
pub(super) struct Spool {
    state: State,
    /// The newest file with its next write position.
    newest: Mutex<Option<(Arc<File>, u64)>>,
    file_bytes: u64,
    budget: Arc<Budget>,
    /// The buffer of the last batch, for the next one.
    buffer: Mutex<BytesMut>,
}

/// A range of one file; released when this is dropped.
#[derive(Debug)]
pub(super) struct Extent {
    file: Arc<File>,
    position: u64,
    length: u64,
    budget: Arc<Budget>,
}

/// A part of an extent, to be read.
#[derive(Debug)]
pub(super) struct Range {
    extent: Arc<Extent>,
    skip: u64,
    length: usize,
}

impl Spool {
    /// Creates a spool with at most `bytes` in all files together.
    pub(super) fn new(state: State, bytes: u64) -> Self {
        // The kernel kills a process that writes beyond its limit.
        let limit = rustix::process::getrlimit(Resource::Fsize).current;
        let file_bytes = limit.unwrap_or(u64::MAX).min(SPOOL_FILE_BYTES);
        Self::with_files_of(file_bytes, state, bytes)
    }

    pub(super) fn with_files_of(file_bytes: u64, state: State, bytes: u64) -> Self {
        Self {
            state,
            newest: Mutex::default(),
            file_bytes,
            budget: Arc::new(Budget::new(bytes)),
            buffer: Mutex::default(),
        }
    }

    /// Returns an empty buffer with room for `bytes`: that of the last batch, unless another batch is being written.
    ///
    /// The allocator maps and clears such a buffer anew each time.
    pub(super) fn take_buffer(&self, bytes: usize) -> BytesMut {
        let mut buffer = std::mem::take(&mut *lock(&self.buffer));
        buffer.clear();
        buffer.reserve(bytes);
        buffer
    }

    /// Retains a buffer for the next batch, unless it is large.
    pub(super) fn put_buffer(&self, buffer: BytesMut) {
        if buffer.capacity() <= SPOOL_BUFFER_BYTES {
            *lock(&self.buffer) = buffer;
        }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Writes `bytes` to a newly allocated range.
    ///
    /// # Errors
    ///
    /// Returns errors of the system, and `QuotaExceeded` if all records together would exceed the bound; nothing is written then.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Extent> {
        // The range belongs to this caller alone, so that it is written without a lock.
        let extent = self.allocate(bytes.len() as u64)?;
        // On an error the extent is dropped, and what was written with it.
        extent.file.write_all_at(bytes, extent.position)?;
        Ok(extent)
    }

    /// Returns the file that is written to.
    #[cfg(test)]
    pub(super) fn file(&self) -> Option<Arc<File>> {
        let newest = self.newest.lock().unwrap();
        newest.as_ref().map(|(file, _)| Arc::clone(file))
    }

    fn allocate(&self, length: u64) -> io::Result<Extent> {
        if length > self.file_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // If the reservation fails, the range stays a hole, which takes no space.
        let (file, position) = self.place(length)?;
        let system = rustix::fs::fstatvfs(&*file)?;
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        let bytes = length.next_multiple_of(BLOCK_BYTES);
        self.budget.reserve(bytes, free)?;
        Ok(Extent {
            file,
            position,
            length,
            budget: Arc::clone(&self.budget),
        })
    }

    /// Returns a file and a position in it that are used for nothing else.
    fn place(&self, length: u64) -> io::Result<(Arc<File>, u64)> {
        let mut newest = lock(&self.newest);
        let begin = newest
            .take()
            .filter(|(_, end)| end.saturating_add(length) <= self.file_bytes);
        let (file, position) = match begin {
            Some(begin) => begin,
            None => (Arc::new(self.state.nameless()?), 0),
        };
        // Whole blocks, so that a released range is no part of one.
        let end = (position + length).next_multiple_of(BLOCK_BYTES);
        *newest = Some((Arc::clone(&file), end));
        Ok((file, position))
    }
}

impl Extent {
    /// Returns the part that begins `skip` bytes after the beginning of the extent; `None` if there is no such part.
    pub(super) fn range(self: &Arc<Self>, skip: u64, length: usize) -> Option<Range> {
        let is_inside = skip.checked_add(length as u64)? <= self.length;
        is_inside.then(|| Range {
            extent: Arc::clone(self),
            skip,
            length,
        })
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let length = self.length.next_multiple_of(BLOCK_BYTES);
        // If the file system cannot, the space is released with the file.
        let _ = rustix::fs::fallocate(&*self.file, hole, self.position, length);
        self.budget.release(length);
    }
}

impl Range {
    /// Reads the range; blocks on the disk.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<()> {
        let Extent { file, position, .. } = &*self.extent;
        file.read_exact_at(buffer, position + self.skip)
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }
}

/// The block size of common file systems.
const BLOCK_BYTES: u64 = 4096;
