//! Copies new content into a file that stays.

use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::fs::{FallocateFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::Error;
use crate::attributes::KEPT_MODE;
use crate::limits::READ_BYTES;
use crate::part::Sync;
use crate::root::{Place, check_regular};

/// Copies what is in a part into the file that has its place.
///
/// The space is reserved first, where the file system can do that, so that a full disk leaves the file as it was. A process that
/// reads meanwhile sees some of the old content and some of the new.
pub(crate) fn overwrite(
    place: &Place,
    part: &OwnedFd,
    mode: Option<Mode>,
    sync: Sync,
) -> Result<Stat, Error> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&place.dir, &*place.name, flags, Mode::empty())?;
    let old = rustix::fs::fstat(&file)?;
    check_regular(&old)?;
    let length = u64::try_from(rustix::fs::fstat(part)?.st_size).unwrap_or(0);
    if length > 0 {
        match rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, length) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    // Before the content, so that a user without the right to set it changes nothing.
    let has_privileges = old.st_mode & !KEPT_MODE & 0o7777 != 0;
    let kept = has_privileges.then(|| Mode::from_bits_truncate(old.st_mode & KEPT_MODE));
    if let Some(mode) = mode.or(kept) {
        rustix::fs::fchmod(&file, mode)?;
    }
    copy_range(part, &file, 0..length, &mut vec![0; READ_BYTES])?;
    rustix::fs::ftruncate(&file, length)?;
    if sync == Sync::Disk {
        rustix::fs::fsync(&file)?;
    }
    Ok(rustix::fs::fstat(&file)?)
}

/// Copies a part of a file to the same offset, and returns where that ends: before the end of the range only at that of the file.
pub(crate) fn copy_range(
    from: &OwnedFd,
    to: &OwnedFd,
    range: Range<u64>,
    block: &mut [u8],
) -> Result<u64, Error> {
    let mut offset = range.start;
    while offset < range.end {
        let left = usize::try_from(range.end - offset).unwrap_or(usize::MAX);
        let most = left.min(block.len());
        match rustix::io::pread(from, &mut block[..most], offset) {
            Ok(0) => break,
            Err(Errno::INTR) => {}
            count => {
                let count = count?;
                write_at(to, &block[..count], offset)?;
                offset += count as u64;
            }
        }
    }
    Ok(offset)
}

/// Writes bytes at an offset.
fn write_at(file: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> Result<(), Error> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(file, bytes, offset) {
            Ok(0) => return Err(Error::DiskFull),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
