//! Freed memory that the C library's allocator retains.

/// Makes the allocator return large pieces of memory to the system when they are freed, for the life of this process.
///
/// For a daemon's start, before the first thread. By default glibc's allocator raises the size from which it does so to
/// that of the largest piece that was ever freed, up to 32 MiB, and retains twice as much. Other allocators are not
/// affected.
pub fn return_large_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes plain numbers; it is called before there are threads that allocate.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024)
    };
}

/// Returns to the system the freed memory that the allocator retains. Walks through all of its memory: for use after
/// much was freed. Allocators other than glibc's are not affected.
pub fn return_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0)
    };
}
