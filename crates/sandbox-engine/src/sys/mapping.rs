//! Memory that is returned to the kernel when it is dropped.

use std::io;
use std::ptr::{self, NonNull};

/// A private mapping of pages. They are not part of the allocator's memory, so it cannot retain them.
#[derive(Debug)]
pub(crate) struct Mapping {
    address: NonNull<u8>,
    length: usize,
}

// SAFETY: the pages are reached by this value alone, as those of a `Box<[u8]>` are.
unsafe impl Send for Mapping {}
// SAFETY: a shared reference only reads them.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of zeroed memory, a multiple of the page size.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        // SAFETY: a new private mapping at an address that the kernel chooses touches no memory that is in use.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        match NonNull::new(address.cast::<u8>()) {
            Some(address) if address.as_ptr().cast() != libc::MAP_FAILED => {
                Ok(Self { address, length })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping has `length` initialized bytes until it is dropped, which the reference precludes.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.length) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` is the only way to them.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is owned by this value, and no reference to it is left.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.length) };
    }
}
