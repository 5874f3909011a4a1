//! A label by which the processes of a run are found again, however they were started.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Resource, Rlimit};

use crate::procfs::{self, process_id};
use crate::sys;

/// A label that a process carries and hands on to every child of its own: through `fork`, `exec`, `setsid` and the death of
/// its parents.
///
/// It is the soft limit on realtime CPU time (`RLIMIT_RTTIME`), set to a huge number of microseconds that nobody else
/// uses. Only programs with a realtime scheduling policy are held to that limit, and those would have to run for 180,000
/// years. The hard limit stays what it is, so a program that wants a limit of its own can still set one, and loses the tag.
///
/// Tags are unique on the machine: 24 bits are drawn for each engine, and 32 bits count. A process that
/// runs *in* a run, such as another daemon, carries that run's tag and gives its own children others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(u64);

/// What all tags of one engine have in common, and those of no other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Instance(u32);

impl Tag {
    /// Returns a new tag of the same engine.
    pub(crate) fn another(self) -> Self {
        self.instance().tag()
    }

    /// Labels the process `pid`, and so all that it starts from now on; another tag that it had is lost.
    ///
    /// # Errors
    ///
    /// What `prlimit(2)` says: the process has ended or is another user's, or its hard limit is below every tag.
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

    /// The tag of the process `pid`, which may be a zombie. `None` if it has none, or has been reaped.
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

    /// The engine that it is of.
    pub(crate) fn instance(self) -> Instance {
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        Instance(u32::from_be_bytes([a, b, c, d]))
    }
}

impl Instance {
    /// Draws a new one.
    pub(crate) fn draw() -> Self {
        let [a, b, c, ..] = *uuid::Uuid::new_v4().as_bytes();
        Self(u32::from_be_bytes([MAGIC, a, b, c]))
    }

    /// Returns a new tag.
    pub(crate) fn tag(self) -> Tag {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        self.numbered(COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the tag of the process that guards this engine, which no run has.
    pub(crate) fn guardians(self) -> Tag {
        self.numbered(u32::MAX)
    }

    /// Whether the process carries one of its tags. Allocates nothing; false for a process of another user.
    pub(crate) fn has(self, pid: Pid) -> bool {
        sys::realtime_limits(pid).is_ok_and(|(soft, _)| Tag(soft).instance() == self)
    }

    fn numbered(self, number: u32) -> Tag {
        Tag(u64::from(self.0) << 32 | u64::from(number))
    }

    /// Reads what [`Display`](fmt::Display) writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let number = u32::from_str_radix(text, 16).ok()?;
        (number.to_be_bytes()[0] == MAGIC).then_some(Self(number))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({:#x})", self.0)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({self})")
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The tags of something that goes on starting processes, to find those that it has left behind.
///
/// A tag that no process carries is forgotten, now and then: no process will ever carry it again.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    tags: Vec<Tag>,
    /// How many there may be before the processes are looked at.
    looks_at: usize,
}

impl Tags {
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    pub(crate) fn first(&self) -> Option<Tag> {
        self.tags.first().copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Tag> + '_ {
        self.tags.iter().copied()
    }

    pub(crate) fn push(&mut self, tag: Tag) {
        self.extend([tag]);
    }

    pub(crate) fn extend(&mut self, tags: impl IntoIterator<Item = Tag>) {
        self.tags.extend(tags);
        if self.tags.len() > self.looks_at.max(RETAINED) {
            let carried = carried();
            self.tags.retain(|tag| carried.contains(tag));
            self.looks_at = 2 * self.tags.len();
        }
    }
}

impl FromIterator<Tag> for Tags {
    fn from_iter<T: IntoIterator<Item = Tag>>(tags: T) -> Self {
        let mut all = Self::default();
        all.extend(tags);
        all
    }
}

impl IntoIterator for Tags {
    type Item = Tag;
    type IntoIter = std::vec::IntoIter<Tag>;

    fn into_iter(self) -> Self::IntoIter {
        self.tags.into_iter()
    }
}

/// The tags that some process carries. Twice: one that ended while it was looked for may have started another that was
/// passed already.
fn carried() -> HashSet<Tag> {
    let all = || procfs::pids().filter_map(Tag::of);
    all().chain(all()).collect()
}

/// Tags that are retained without a look at the processes.
const RETAINED: usize = 1000;

/// The highest byte of every tag. Positive as a signed number, too, for programs that print limits as such.
const MAGIC: u8 = 0x53;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ() {
        let [instance, other] = [Instance::draw(), Instance::draw()];
        let tags: HashSet<_> = (0..1000).map(|_| instance.tag().another()).collect();
        assert_eq!(tags.len(), 1000);
        assert!(tags.iter().all(|tag| tag.0.to_be_bytes()[0] == MAGIC));
        assert!(tags.iter().all(|tag| tag.instance() == instance));
        assert!(!tags.contains(&instance.guardians()));
        assert_ne!(instance, other);
    }

    #[test]
    fn an_instance_is_read_as_it_is_written() {
        let instance = Instance::draw();
        assert_eq!(Instance::parse(&instance.to_string()), Some(instance));
        for bad in ["", "53", "00000000", "xx", "530000000000"] {
            assert_eq!(Instance::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn tags_that_no_process_carries_are_forgotten() {
        let mut tags = Tags::default();
        let tag = Instance::draw().tag();
        for _ in 0..RETAINED {
            tags.push(tag.another());
        }
        assert_eq!(tags.iter().count(), RETAINED);
        tags.push(tag.another());
        assert!(tags.is_empty());
    }

    #[test]
    fn only_processes_are_tagged() {
        let tag = Instance::draw().tag();
        assert_eq!(Tag::of(0), None);
        assert_eq!(Tag::of(u32::MAX), None);
        assert!(tag.put_on(0).is_err());
        // No process has the highest id that there could be.
        let error = tag.put_on(i32::MAX as u32).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}
