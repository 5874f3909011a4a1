//! Reserved descriptors with small numbers, from which children get theirs.
//!
//! A child begins with a copy of this process's table of descriptors, then closes what is not its own: at 4,000 descriptors
//! (1,000 sessions) that costs more than half of a start. It need copy only the numbers up to its highest source, so its
//! sources are put at small numbers, which are reserved with the first start.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{LazyLock, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::io::{DupFlags, dup3, fcntl_dupfd_cloexec};

use crate::sync::lock;

/// A set of reserved descriptors, in use for one start. Returned when it is dropped.
pub(super) struct Slots {
    set: Vec<OwnedFd>,
    used: usize,
}

/// The descriptors of a set; a child with more sources is started without it.
pub(super) const WIDTH: usize = 6;

/// The starts at a time that have a set.
const SETS: usize = 8;

struct Reserve {
    /// The file of every descriptor that is not in use.
    null: OwnedFd,
    free: Vec<Vec<OwnedFd>>,
}

static RESERVE: Mutex<Option<Reserve>> = Mutex::new(None);

impl Slots {
    /// Takes a set for `count` sources. Returns `None` if there is none: too many are in use, or descriptors are short.
    pub(super) fn take(count: usize) -> Option<Self> {
        if count > WIDTH || !has_close_range() {
            return None;
        }
        let mut reserve = lock(&RESERVE);
        if reserve.is_none() {
            *reserve = Some(Reserve::open().ok()?);
        }
        let set = reserve.as_mut()?.free.pop()?;
        Some(Self { set, used: 0 })
    }

    /// Duplicates `source` to the next descriptor of the set, and returns its number.
    pub(super) fn put(&mut self, source: BorrowedFd<'_>) -> io::Result<RawFd> {
        let slot = self.set.get_mut(self.used);
        let slot = slot.ok_or(io::ErrorKind::InvalidInput)?;
        dup3(source, slot, DupFlags::CLOEXEC)?;
        self.used += 1;
        Ok(slot.as_raw_fd())
    }

    /// Returns the number after the highest of the set.
    pub(super) fn end(&self) -> RawFd {
        let highest = self.set.iter().map(AsRawFd::as_raw_fd).max();
        highest.map_or(0, |highest| highest + 1)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        let mut reserve = lock(&RESERVE);
        let Some(Reserve { null, free }) = reserve.as_mut() else {
            return;
        };
        let mut used = self.set.iter_mut().take(self.used);
        // A pipe that stayed open here would have no end. If it cannot be replaced the set is closed.
        if used.all(|slot| dup3(&*null, slot, DupFlags::CLOEXEC).is_ok()) {
            free.push(std::mem::take(&mut self.set));
        }
    }
}

impl Reserve {
    fn open() -> rustix::io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let null = rustix::fs::open("/dev/null", flags, Mode::empty())?;
        // Above all numbers that a child with a set has itself: a source must not be overwritten by another's duplicate.
        let least = RawFd::try_from(WIDTH).map_err(|_| rustix::io::Errno::INVAL)?;
        let slot = |_| fcntl_dupfd_cloexec(&null, least);
        let set = |_| (0..WIDTH).map(slot).collect();
        let free = (0..SETS).map(set).collect::<rustix::io::Result<_>>()?;
        Ok(Self { null, free })
    }
}

/// Returns whether the system has `close_range(2)` (since Linux 5.9), without which a child cannot leave a shared table.
fn has_close_range() -> bool {
    static HAS: LazyLock<bool> = LazyLock::new(|| {
        let none = libc::c_uint::MAX;
        // SAFETY: the call takes plain numbers, and no descriptor has this one.
        unsafe { libc::syscall(libc::SYS_close_range, none, none, 0) == 0 }
    });
    *HAS
}
