//! A label by which the processes of a run are found again, however they were started.

use std::fmt;
use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Resource, Rlimit};

use crate::procfs::{self, process_id};
use crate::sys;

/// A label that a process carries and hands on to every child of its own: through `fork`, `exec`, `setsid` and the death of
/// its parents.
///
/// It is the soft limit on realtime CPU time (`RLIMIT_RTTIME`), set to a huge number of microseconds that nobody else
/// uses. Only programs with a realtime scheduling policy are held to that limit, and those would have to run for 180,000
/// years. The hard limit stays what it is, so a program that wants a limit of its own can still set one, and loses the tag.
///
/// Tags are unique on the machine: 24 bits are drawn when this process first needs one, and 32 bits count. A process that
/// runs *in* a run, such as another daemon, carries that run's tag and gives its own children others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(u64);

impl Tag {
    /// A new one.
    pub fn next() -> Self {
        static INSTANCE: LazyLock<u64> = LazyLock::new(|| {
            let [a, b, c, ..] = *uuid::Uuid::new_v4().as_bytes();
            u64::from_be_bytes([MAGIC, a, b, c, 0, 0, 0, 0])
        });
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self(*INSTANCE | u64::from(COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Labels the process `pid`, and so all that it starts from now on; another tag that it had is gone.
    ///
    /// # Errors
    ///
    /// What `prlimit(2)` says: the process is gone or another user's, or its hard limit is below every tag.
    pub fn put_on(self, pid: u32) -> io::Result<()> {
        let pid = process_id(pid)?;
        let (_, hard) = sys::realtime_limits(pid)?;
        let limit = Rlimit {
            current: Some(self.0),
            maximum: (hard != u64::MAX).then_some(hard),
        };
        rustix::process::prlimit(Some(pid), Resource::Rttime, limit)?;
        Ok(())
    }

    /// The tag of the process `pid`, which may be a zombie. `None` if it has none, or is gone.
    pub fn of(pid: u32) -> Option<Self> {
        let soft = match sys::realtime_limits(process_id(pid).ok()?) {
            Ok((soft, _)) => soft,
            // Another user's; the file can be read all the same, at ten times the cost.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => procfs::realtime_limit(pid)?,
            Err(_) => return None,
        };
        (soft.to_be_bytes()[0] == MAGIC).then_some(Self(soft))
    }

    /// Whether this system lets processes be labeled: it has 64-bit limits, and no hard limit is in the way.
    pub(crate) fn is_usable() -> bool {
        let limit = rustix::process::getrlimit(Resource::Rttime);
        // Setting what is set already changes nothing, and tells whether setting is allowed at all.
        usize::BITS == 64
            && limit.maximum.is_none()
            && rustix::process::setrlimit(Resource::Rttime, limit).is_ok()
    }

    /// The soft and hard limit of a child that is to carry it.
    pub(crate) fn limits(self) -> (u64, u64) {
        let hard = rustix::process::getrlimit(Resource::Rttime).maximum;
        (self.0, hard.unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({:#x})", self.0)
    }
}

/// The highest byte of every tag. Positive as a signed number, too, for programs that print limits as such.
const MAGIC: u8 = 0x53;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tags_differ() {
        let tags: HashSet<_> = (0..1000).map(|_| Tag::next()).collect();
        assert_eq!(tags.len(), 1000);
        assert!(tags.iter().all(|tag| tag.0.to_be_bytes()[0] == MAGIC));
    }

    #[test]
    fn only_processes_are_tagged() {
        assert_eq!(Tag::of(0), None);
        assert_eq!(Tag::of(u32::MAX), None);
        assert!(Tag::next().put_on(0).is_err());
        // No process has the highest id that there could be.
        let error = Tag::next().put_on(i32::MAX as u32).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}
