//! Walks through directories by their descriptors, so that no link leads the walk elsewhere.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use crate::Error;
use crate::limits::WALK_PENDING;

/// What a walk comes by.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// The directory that it is in.
    pub(crate) dir: BorrowedFd<'a>,
    pub(crate) name: &'a OsString,
    /// Its path, from the beginning of the walk on.
    pub(crate) path: &'a Path,
    pub(crate) kind: FileType,
}

/// Whether a walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

/// How far a walk goes, and by how many threads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Levels of directories that are read; 1 for the one where the walk begins.
    pub(crate) levels: usize,
    pub(crate) threads: usize,
}

/// A directory that is to be read.
struct Pending {
    parent: Arc<OwnedFd>,
    name: OsString,
    path: PathBuf,
    /// Of those that are read.
    level: usize,
}

#[derive(Default)]
struct Queue {
    pending: Vec<Pending>,
    /// Workers that read a directory, which may have others in it.
    busy: usize,
    is_stopped: bool,
    /// A directory was left out for a bound of the walk.
    is_incomplete: bool,
}

struct Walk<'a> {
    queue: Mutex<Queue>,
    changed: Condvar,
    bounds: Bounds,
    /// Set from outside when no caller waits for the result any more.
    cancelled: &'a AtomicBool,
    visit: &'a (dyn Fn(&Found<'_>) -> Flow + Sync),
}

/// Visits what is in a directory and below it, each entry once and in no order. What cannot be read is passed over.
///
/// Returns whether that was all: false for directories beyond [`WALK_DEPTH`](crate::limits::WALK_DEPTH) or [`WALK_PENDING`],
/// and after [`Flow::Stop`].
pub(crate) fn walk(
    dir: OwnedFd,
    bounds: Bounds,
    cancelled: &AtomicBool,
    visit: &(dyn Fn(&Found<'_>) -> Flow + Sync),
) -> Result<bool, Error> {
    let walk = Walk {
        queue: Mutex::default(),
        changed: Condvar::new(),
        bounds,
        cancelled,
        visit,
    };
    walk.read(&Arc::new(dir), Path::new(""), 1)?;
    // Directories that are close by are read before a thread would have started.
    std::thread::scope(|scope| {
        let is_large = walk.lock().pending.len() > 1;
        for _ in 1..bounds.threads {
            if is_large {
                // Without another thread the walk takes longer.
                let _ = std::thread::Builder::new().spawn_scoped(scope, || walk.work());
            }
        }
        walk.work();
    });
    let queue = walk.lock();
    Ok(!queue.is_stopped && !queue.is_incomplete)
}

/// Walks as [`walk`] does, and gathers what `of` makes of what is found, at most `most` items in any order. Returns them, and whether
/// the walk has come to its end.
pub(crate) fn gather<T: Send>(
    dir: OwnedFd,
    bounds: Bounds,
    cancelled: &AtomicBool,
    most: usize,
    of: impl Fn(&Found<'_>) -> Option<T> + Sync,
) -> Result<(Vec<T>, bool), Error> {
    let gathered = Mutex::new(Vec::new());
    let visit = |found: &Found<'_>| {
        let Some(item) = of(found) else {
            return Flow::Continue;
        };
        let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.len() == most {
            return Flow::Stop;
        }
        gathered.push(item);
        Flow::Continue
    };
    let is_complete = walk(dir, bounds, cancelled, &visit)?;
    let gathered = gathered.into_inner();
    Ok((
        gathered.unwrap_or_else(PoisonError::into_inner),
        is_complete,
    ))
}

impl Walk<'_> {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads directories until none is left.
    fn work(&self) {
        while let Some((pending, _busy)) = self.take() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = rustix::fs::openat(&pending.parent, &*pending.name, flags, Mode::empty());
            let Ok(dir) = opened else {
                continue;
            };
            // Releases the descriptor of the parent.
            let Pending { path, level, .. } = pending;
            // One that vanishes meanwhile is passed over like one that cannot be opened.
            let _ = self.read(&Arc::new(dir), &path, level);
        }
    }

    fn take(&self) -> Option<(Pending, Busy<'_>)> {
        let mut queue = self.lock();
        loop {
            if queue.is_stopped {
                return None;
            }
            // The newest first: so few descriptors of parents are held.
            if let Some(pending) = queue.pending.pop() {
                queue.busy += 1;
                return Some((pending, Busy(self)));
            }
            if queue.busy == 0 {
                return None;
            }
            let waited = self.changed.wait(queue);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn read(&self, dir: &Arc<OwnedFd>, path: &Path, level: usize) -> Result<(), Error> {
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsString::from_vec(name.to_vec());
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let stat = rustix::fs::statat(dir, &*name, AtFlags::SYMLINK_NOFOLLOW);
                    stat.map_or(FileType::Unknown, |stat| {
                        FileType::from_raw_mode(stat.st_mode)
                    })
                }
                kind => kind,
            };
            let path = path.join(&name);
            let found = Found {
                dir: dir.as_fd(),
                name: &name,
                path: &path,
                kind,
            };
            let flow = if self.cancelled.load(Ordering::Relaxed) {
                Flow::Stop
            } else {
                (self.visit)(&found)
            };
            if flow == Flow::Stop {
                self.stop();
                return Ok(());
            }
            if kind == FileType::Directory {
                let parent = dir.clone();
                let level = level + 1;
                self.push(Pending {
                    parent,
                    name,
                    path,
                    level,
                });
            }
        }
        Ok(())
    }

    fn push(&self, pending: Pending) {
        if pending.level > self.bounds.levels {
            // A listing asks for so many levels; a search that has no bound of its own is incomplete.
            if self.bounds.levels == crate::limits::WALK_DEPTH {
                self.lock().is_incomplete = true;
            }
            return;
        }
        let mut queue = self.lock();
        if queue.pending.len() >= WALK_PENDING {
            queue.is_incomplete = true;
            return;
        }
        queue.pending.push(pending);
        drop(queue);
        self.changed.notify_one();
    }

    fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }
}

/// A worker that reads a directory, until it is dropped, however that comes.
struct Busy<'a>(&'a Walk<'a>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
        self.0.changed.notify_all();
    }
}

/// Removes a directory with what is in it. Links are removed and not followed.
pub(crate) fn remove_tree(parent: BorrowedFd<'_>, name: &OsString) -> Result<(), Error> {
    let mut levels = vec![Level::open(parent, name.clone())?];
    while let Some(level) = levels.last_mut() {
        let Some(entry) = level.entries.read() else {
            let emptied = levels.pop().expect("it is the last one");
            let above = levels.last().map_or(parent, |level| level.dir.as_fd());
            rustix::fs::unlinkat(above, &*emptied.name, AtFlags::REMOVEDIR)?;
            continue;
        };
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let name = OsString::from_vec(name.to_vec());
        let unlinked = match entry.file_type() {
            FileType::Directory => Err(rustix::io::Errno::ISDIR),
            _ => rustix::fs::unlinkat(&level.dir, &*name, AtFlags::empty()),
        };
        match unlinked {
            // What no longer exists counts as removed.
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(rustix::io::Errno::ISDIR) => {
                let next = Level::open(level.dir.as_fd(), name)?;
                if levels.len() > crate::limits::WALK_DEPTH {
                    return Err(Error::TooDeep);
                }
                levels.push(next);
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// A directory that is being emptied.
struct Level {
    dir: OwnedFd,
    entries: Dir,
    name: OsString,
}

impl Level {
    fn open(parent: BorrowedFd<'_>, name: OsString) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(parent, &*name, flags, Mode::empty())?;
        let entries = Dir::read_from(&dir)?;
        Ok(Self { dir, entries, name })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use super::*;
    use crate::limits::{WALK_DEPTH, WALK_THREADS};

    #[test]
    fn a_search_has_a_bounded_number_of_threads() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..WALK_THREADS {
            std::fs::create_dir_all(dir.path().join(format!("{n}/file"))).unwrap();
        }
        // Each of the directories is read by a thread of its own: none goes on before all have begun.
        let all = Barrier::new(WALK_THREADS);
        let threads = Mutex::new(HashSet::new());
        let visit = |found: &Found<'_>| {
            if found.name == "file" {
                threads.lock().unwrap().insert(std::thread::current().id());
                all.wait();
            }
            Flow::Continue
        };
        let bounds = Bounds {
            levels: WALK_DEPTH,
            threads: WALK_THREADS,
        };
        let opened = std::fs::File::open(dir.path()).unwrap();
        let never = AtomicBool::new(false);
        assert!(walk(opened.into(), bounds, &never, &visit).unwrap());
        assert_eq!(threads.into_inner().unwrap().len(), WALK_THREADS);
    }

    #[test]
    fn a_walk_without_a_waiter_ends() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..10 {
            std::fs::create_dir_all(dir.path().join(format!("{n}/file"))).unwrap();
        }
        let visited = std::sync::atomic::AtomicUsize::new(0);
        let cancelled = AtomicBool::new(false);
        let visit = |_: &Found<'_>| {
            visited.fetch_add(1, Ordering::Relaxed);
            cancelled.store(true, Ordering::Relaxed);
            Flow::Continue
        };
        let bounds = Bounds {
            levels: WALK_DEPTH,
            threads: 1,
        };
        let opened = std::fs::File::open(dir.path()).unwrap();
        assert!(!walk(opened.into(), bounds, &cancelled, &visit).unwrap());
        assert_eq!(visited.into_inner(), 1);
    }
}
