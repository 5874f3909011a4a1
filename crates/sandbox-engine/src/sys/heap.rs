//! What the C library's allocator keeps of memory that was freed.

/// Has the allocator give large pieces of memory back as soon as they are freed, for the life of this process.
///
/// For a daemon's start, before the first thread. By itself the allocator of glibc raises the size from which it does so to
/// that of the largest piece that was ever freed, up to 32 MiB, and keeps twice as much. Other allocators are left alone.
pub fn return_large_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes plain numbers; it is called before there are threads that allocate.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024)
    };
}

/// Gives memory back that was freed and that the allocator keeps for later. A walk through all of its memory: for when much was
/// freed. Allocators other than glibc's are left alone.
pub fn return_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0)
    };
}
