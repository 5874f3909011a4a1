//! A label by which all processes of a run are found, however they were started.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Resource, Rlimit};

use crate::procfs::{self, process_id};
use crate::sys;

/// A label of a process that is inherited by all of its children: through `fork`, `exec`, `setsid` and the death of
/// their parents.
///
/// It is the soft limit on realtime CPU time (`RLIMIT_RTTIME`), set to a huge number of microseconds that nothing else
/// uses. Only programs with a realtime scheduling policy are subject to that limit, and only after 180,000 years.
/// The hard limit is unchanged, so a program that wants a limit of its own can still set one, and loses the tag.
///
/// Tags are unique on the machine: 24 bits are random for each engine, and 32 bits count. A process that
/// runs *in* a run, such as another daemon, carries that run's tag and gives its own children others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(u64);

/// The common part of all tags of one engine, which no other engine's tags have.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Instance(u32);

impl Tag {
    /// Returns a new tag of the same engine.
    pub(crate) fn another(self) -> Self {
        self.instance().tag()
    }

    /// Labels the process `pid`, and all processes that it starts from now on; a previous tag is replaced.
    ///
    /// # Errors
    ///
    /// Returns errors of `prlimit(2)`: the process has ended or is another user's, or its hard limit is below every tag.
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

    /// Returns the tag of the process `pid`, which may be a zombie. `None` if it has none, or has been reaped.
    pub fn of(pid: u32) -> Option<Self> {
        let soft = match sys::realtime_limits(process_id(pid).ok()?) {
            Ok((soft, _)) => soft,
            // Another user's; the file is readable regardless, at ten times the cost.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => procfs::realtime_limit(pid)?,
            Err(_) => return None,
        };
        (soft.to_be_bytes()[0] == MAGIC).then_some(Self(soft))
    }

    /// Returns whether this system lets processes be labeled: it has 64-bit limits, and no hard limit prevents it.
    pub(crate) fn is_usable() -> bool {
        let limit = rustix::process::getrlimit(Resource::Rttime);
        // Setting the current value changes nothing, and shows whether setting is allowed at all.
        usize::BITS == 64
            && limit.maximum.is_none()
            && rustix::process::setrlimit(Resource::Rttime, limit).is_ok()
    }

    /// Returns the soft and hard limit of a child that is to carry the tag.
    pub(crate) fn limits(self) -> (u64, u64) {
        let hard = rustix::process::getrlimit(Resource::Rttime).maximum;
        (self.0, hard.unwrap_or(u64::MAX))
    }

    /// Returns the instance of the engine to which the tag belongs.
    pub(crate) fn instance(self) -> Instance {
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        Instance(u32::from_be_bytes([a, b, c, d]))
    }
}

impl Instance {
    /// Creates a random instance.
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

    /// Returns whether the process carries one of the instance's tags. Allocates nothing; false for a process of another user.
    pub(crate) fn has(self, pid: Pid) -> bool {
        sys::realtime_limits(pid).is_ok_and(|(soft, _)| Tag(soft).instance() == self)
    }

    fn numbered(self, number: u32) -> Tag {
        Tag(u64::from(self.0) << 32 | u64::from(number))
    }

    /// Parses the output of [`Display`](fmt::Display).
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

/// The tags of an object that keeps starting processes, to find the ones that remain.
///
/// A tag that no process carries is discarded from time to time: no process will ever carry it again.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    tags: Vec<Tag>,
    /// The number of tags at which the processes are checked.
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

/// Returns the tags that some process carries. Two passes: a process that ended during the first may have started
/// another that was passed already.
fn carried() -> HashSet<Tag> {
    let all = || procfs::pids().filter_map(Tag::of);
    all().chain(all()).collect()
}

/// The number of tags that are retained without checking the processes.
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
        // No process has the highest possible id.
        let error = tag.put_on(i32::MAX as u32).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}
