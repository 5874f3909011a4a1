//! Listings of directories: whole, or one page after another.

use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use rustix::fs::AtFlags;

use crate::limits::{LIST_ENTRIES, PAGE_BYTES, PAGE_ENTRIES, WALK_DEPTH};
use crate::root::Root;
use crate::walk::{Bounds, Flow, Found, gather, walk};
use crate::{Entry, Error, Matches, Metadata};

/// Some consecutive entries of a listing, in the order of their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether there are entries after these.
    pub has_more: bool,
    /// Whether directories were left out because they are nested too deeply or are too many.
    pub is_incomplete: bool,
}

/// Which entries a page has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageOptions {
    /// How many levels of directories are listed; 0 and 1 mean the directory alone.
    pub depth: usize,
    /// The page begins after this path, the last one of the page before; `None` means the first page.
    pub after: Option<PathBuf>,
    /// The greatest number of entries; 0, and more than [`PAGE_ENTRIES`], mean that many.
    pub size: usize,
}

pub(crate) fn list(root: &Root, path: &Path, depth: usize) -> Result<Matches<Entry>, Error> {
    let (dir, never) = (root.open_dir(path)?, AtomicBool::new(false));
    let (mut found, is_complete) = gather(dir, bounds(depth), &never, LIST_ENTRIES, entry)?;
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(Matches {
        found,
        is_truncated: !is_complete,
    })
}

/// Lists one page. The directory is read anew for each, and only the entries of the page are in memory.
pub(crate) fn page(
    root: &Root,
    path: &Path,
    options: &PageOptions,
    cancelled: &AtomicBool,
) -> Result<Page, Error> {
    let size = match options.size {
        0 => PAGE_ENTRIES,
        size => size.min(PAGE_ENTRIES),
    };
    // The least paths so far, with the greatest of these on top.
    let least = Mutex::new((BinaryHeap::with_capacity(size + 1), false));
    let visit = |found: &Found<'_>| {
        if options
            .after
            .as_deref()
            .is_some_and(|after| found.path <= after)
        {
            return Flow::Continue;
        }
        let mut locked = least.lock().unwrap_or_else(PoisonError::into_inner);
        let (heap, has_more) = &mut *locked;
        let is_full = heap.len() == size;
        if is_full
            && heap
                .peek()
                .is_some_and(|Least(last)| last.path.as_path() < found.path)
        {
            *has_more = true;
            return Flow::Continue;
        }
        let Some(entry) = entry(found) else {
            return Flow::Continue;
        };
        heap.push(Least(entry));
        if is_full {
            heap.pop();
            *has_more = true;
        }
        Flow::Continue
    };
    let is_complete = walk(
        root.open_dir(path)?,
        bounds(options.depth),
        cancelled,
        &visit,
    )?;
    let (heap, mut has_more) = least.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sorted = heap.into_sorted_vec();
    let mut entries: Vec<_> = sorted.into_iter().map(|Least(entry)| entry).collect();
    // A client receives whole paths.
    let prefix = path.as_os_str().len() + 1;
    let mut bytes = 0;
    let too_many = entries.iter().position(|entry| {
        bytes += prefix + entry.path.as_os_str().len();
        bytes > PAGE_BYTES
    });
    if let Some(too_many) = too_many {
        // A page makes progress: a single path is always shorter.
        entries.truncate(too_many.max(1));
        has_more = true;
    }
    Ok(Page {
        entries,
        has_more,
        is_incomplete: !is_complete,
    })
}

/// An entry, ordered by its path.
#[derive(Debug)]
struct Least(Entry);

impl Ord for Least {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.path.cmp(&other.0.path)
    }
}

impl PartialOrd for Least {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Least {
    fn eq(&self, other: &Self) -> bool {
        self.0.path == other.0.path
    }
}

impl Eq for Least {}

/// Returns an entry with its metadata; `None` for one that no longer exists.
fn entry(found: &Found<'_>) -> Option<Entry> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let stat = rustix::fs::statat(found.dir, &**found.name, flags).ok()?;
    Some(Entry {
        path: found.path.to_owned(),
        metadata: Metadata::of(&stat),
    })
}

fn bounds(depth: usize) -> Bounds {
    Bounds {
        levels: depth.clamp(1, WALK_DEPTH),
        threads: 1,
    }
}
