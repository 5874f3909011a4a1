//! Searches for names, and for text in files.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use globset::{GlobBuilder, GlobMatcher};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkMatch};
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::Error;
use crate::limits::{FIND_BYTES, FIND_LINES, LINE_BYTES, SEARCH_NAMES, WALK_DEPTH, WALK_THREADS};
use crate::root::{Root, open_regular};
use crate::walk::{Bounds, Flow, Found, gather, walk};

/// A line in which a text was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Line {
    /// The file, from the directory on that was searched; empty if that is the file.
    pub path: PathBuf,
    /// The number of the line; the first is 1.
    pub number: u64,
    /// The line, without what ends it.
    pub text: Vec<u8>,
}

/// What a search has found, in the order of the paths.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Matches<T> {
    /// The lines or the paths.
    pub found: Vec<T>,
    /// Whether there may be more: the search ended at a bound of [`limits`](crate::limits).
    pub is_truncated: bool,
}

/// Ends a search when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Cancel(pub(crate) Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A pattern for names.
#[derive(Debug)]
pub(crate) struct Names {
    glob: GlobMatcher,
    /// It is for whole paths, not for last names.
    is_for_paths: bool,
}

impl Names {
    pub(crate) fn new(pattern: &str) -> Result<Self, Error> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob = glob.map_err(|error| Error::InvalidPattern(error.to_string()))?;
        Ok(Self {
            glob: glob.compile_matcher(),
            is_for_paths: pattern.contains('/'),
        })
    }

    fn matches(&self, found: &Found<'_>) -> bool {
        if self.is_for_paths {
            self.glob.is_match(found.path)
        } else {
            self.glob.is_match(found.name)
        }
    }
}

/// Finds the paths below a directory that match.
pub(crate) fn search(
    root: &Root,
    path: &Path,
    names: &Names,
    cancelled: &AtomicBool,
) -> Result<Matches<PathBuf>, Error> {
    let path_of = |found: &Found<'_>| names.matches(found).then(|| found.path.to_owned());
    let dir = root.open_dir(path)?;
    let (mut found, is_complete) = gather(dir, BOUNDS, cancelled, SEARCH_NAMES, path_of)?;
    found.sort_unstable();
    Ok(Matches {
        found,
        is_truncated: !is_complete,
    })
}

/// Finds the lines with a text in the files below a directory, or in a file.
pub(crate) fn find(
    root: &Root,
    path: &Path,
    text: &str,
    cancelled: &AtomicBool,
) -> Result<Matches<Line>, Error> {
    if text.is_empty() {
        return Err(Error::InvalidPattern("it is empty".to_owned()));
    }
    // No line has the end of a line in it.
    let matcher = (!text.contains('\n')).then(|| {
        let mut builder = RegexMatcherBuilder::new();
        builder.fixed_strings(true).line_terminator(Some(b'\n'));
        let built = builder.build(text);
        built.map_err(|error| Error::InvalidPattern(error.to_string()))
    });
    let search = Search {
        matcher: matcher.transpose()?,
        found: Mutex::default(),
        cancelled,
    };
    let (_, stat) = root.look(path)?;
    let is_complete = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let visit = |found: &Found<'_>| search.visit(found);
            walk(root.open_dir(path)?, BOUNDS, cancelled, &visit)?
        }
        _ => {
            let (file, _) = root.open_file(path)?;
            search.read(file, Path::new("")) == Flow::Continue
        }
    };
    let found = search.found.into_inner();
    let Collected {
        mut lines,
        is_truncated,
        ..
    } = found.unwrap_or_else(PoisonError::into_inner);
    lines.sort_unstable();
    Ok(Matches {
        found: lines,
        is_truncated: is_truncated || !is_complete,
    })
}

struct Search<'a> {
    /// None of a text that no line has.
    matcher: Option<RegexMatcher>,
    found: Mutex<Collected>,
    cancelled: &'a AtomicBool,
}

#[derive(Default)]
struct Collected {
    lines: Vec<Line>,
    bytes: usize,
    is_truncated: bool,
}

impl Search<'_> {
    fn visit(&self, found: &Found<'_>) -> Flow {
        if found.kind != FileType::RegularFile {
            return Flow::Continue;
        }
        // It may be another one by now.
        match open_regular(found.dir, found.name) {
            Ok((file, _)) => self.read(file, found.path),
            Err(_) => Flow::Continue,
        }
    }

    fn read(&self, file: OwnedFd, path: &Path) -> Flow {
        let Some(matcher) = &self.matcher else {
            return Flow::Continue;
        };
        let mut searcher: Searcher = SearcherBuilder::new()
            .binary_detection(BinaryDetection::quit(0))
            .line_number(true)
            .heap_limit(Some(LINE_BYTES))
            .build();
        let mut sink = Lines {
            search: self,
            path,
            is_full: false,
        };
        let file = Cancellable(file, self.cancelled);
        if searcher.search_reader(matcher, file, &mut sink).is_err() {
            // A line that is too long, or an error of the file: what follows in it was not searched.
            self.collected().is_truncated = true;
        }
        if sink.is_full || self.cancelled.load(Ordering::Relaxed) {
            Flow::Stop
        } else {
            Flow::Continue
        }
    }

    fn collected(&self) -> std::sync::MutexGuard<'_, Collected> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the lines of one file.
struct Lines<'a> {
    search: &'a Search<'a>,
    path: &'a Path,
    is_full: bool,
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        let text = found.bytes();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let mut collected = self.search.collected();
        let bytes = collected.bytes + text.len();
        if collected.lines.len() == FIND_LINES || bytes > FIND_BYTES {
            collected.is_truncated = true;
            self.is_full = true;
            return Ok(false);
        }
        collected.bytes = bytes;
        collected.lines.push(Line {
            path: self.path.to_owned(),
            number: found.line_number().unwrap_or(0),
            text: text.to_vec(),
        });
        Ok(true)
    }
}

/// A file whose reading ends when no caller waits for the result.
struct Cancellable<'a>(OwnedFd, &'a AtomicBool);

impl Read for Cancellable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.1.load(Ordering::Relaxed) {
                return Ok(0);
            }
            match rustix::io::read(&self.0, &mut *buffer) {
                Err(Errno::INTR) => {}
                read => return Ok(read?),
            }
        }
    }
}

const BOUNDS: Bounds = Bounds {
    levels: WALK_DEPTH,
    threads: WALK_THREADS,
};
