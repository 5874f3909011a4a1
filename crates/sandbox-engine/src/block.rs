//! The blocks of memory that outputs are read into.

use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;

use crate::limits::POOLED_BLOCKS;
use crate::sync::lock;
use crate::sys::Mapping;

/// A block of memory to read into; all blocks have the same size. When dropped, it is reused or returned to the kernel, so
/// that a burst of output does not leave the allocator fragmented.
#[derive(Debug)]
pub(crate) struct Block {
    /// `None` only during drop.
    memory: Option<Memory>,
}

#[derive(Debug)]
enum Memory {
    Mapped(Mapping),
    /// The fallback for a process that has reached its limit of mappings.
    Allocated(Box<[u8]>),
}

/// The filled beginning of a block.
struct Filled {
    block: Block,
    length: usize,
}

static FREE: Mutex<Vec<Mapping>> = Mutex::new(Vec::new());

impl Block {
    pub(crate) fn new() -> Self {
        let pooled = free().pop();
        let mapped = pooled.map_or_else(|| Mapping::new(BLOCK_BYTES), Ok);
        Self {
            memory: Some(match mapped {
                Ok(mapping) => Memory::Mapped(mapping),
                Err(_) => Memory::Allocated(vec![0; BLOCK_BYTES].into()),
            }),
        }
    }

    /// Returns the buffer to read into.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Some(Memory::Mapped(mapping)) => mapping.bytes_mut(),
            Some(Memory::Allocated(bytes)) => bytes,
            None => &mut [],
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.memory {
            Some(Memory::Mapped(mapping)) => mapping.bytes(),
            Some(Memory::Allocated(bytes)) => bytes,
            None => &[],
        }
    }

    /// Returns the first `length` bytes, which were read. If they fill less than half of the block they are copied.
    pub(crate) fn filled(self, length: usize) -> Bytes {
        if length < BLOCK_BYTES / 2 {
            return Bytes::copy_from_slice(&self.bytes()[..length]);
        }
        Bytes::from_owner(Filled {
            block: self,
            length,
        })
    }
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.block.bytes()[..self.length]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(Memory::Mapped(mapping)) = self.memory.take() {
            let mut free = free();
            if free.len() < POOLED_BLOCKS {
                free.push(mapping);
            }
        }
    }
}

fn free() -> MutexGuard<'static, Vec<Mapping>> {
    lock(&FREE)
}

/// The size of a block in bytes: what a pipe holds.
pub(crate) const BLOCK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_what_was_read_and_are_used_again() {
        for length in [0, 1, BLOCK_BYTES / 2, BLOCK_BYTES] {
            let mut block = Block::new();
            block.bytes_mut()[..length].fill(7);
            let bytes = block.filled(length);
            assert_eq!(bytes, vec![7; length]);
            drop(bytes);
            assert!(free().len() <= POOLED_BLOCKS);
        }
        let many: Vec<_> = (0..3 * POOLED_BLOCKS).map(|_| Block::new()).collect();
        drop(many);
        // Tests that run concurrently take some.
        assert!((1..=POOLED_BLOCKS).contains(&free().len()));
    }
}
