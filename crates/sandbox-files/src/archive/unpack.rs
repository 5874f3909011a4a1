//! Extracts archives.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, FileType, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use tar::EntryType;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::format::{Entry, read_header, sparse};
use super::stream::Incoming;
use super::{ArchiveError, ArchiveSummary, BLOCK, padding};
use crate::Error;
use crate::change::set_mode;
use crate::limits::ARCHIVE_DIRECTORIES;
use crate::part::Part;
use crate::root::{Place, Root, descriptor_path};

/// An archive that is extracted while it is written. Dropped before [`finish`](Self::finish), it ends the extraction: what was
/// extracted remains, and no part of a file.
#[derive(Debug)]
pub struct ArchiveWriter {
    pub(crate) sender: mpsc::Sender<Option<Bytes>>,
    pub(crate) unpacking: JoinHandle<Result<ArchiveSummary, ArchiveError>>,
}

impl ArchiveWriter {
    /// Writes the next bytes of the archive, in any division. Returns false after an error, which [`finish`](Self::finish)
    /// returns; more bytes need not be written then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the bytes may be missing from the archive.
    pub async fn write(&mut self, bytes: Bytes) -> bool {
        self.sender.send(Some(bytes)).await.is_ok()
    }

    /// Ends the archive, waits until all of it is extracted, and returns what that was.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArchive`], also if it is truncated; [`Error::InvalidPath`] for an entry that leads out of the directory;
    /// [`Error::NotRegular`] for a device or a pipe; [`Error::Exists`] and [`Error::IsADirectory`] if a directory is in the place
    /// of an entry; [`Error::DiskFull`]; and what the system reports. What was extracted before remains.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the extraction goes on, or it ends before the last entries.
    pub async fn finish(self) -> Result<ArchiveSummary, ArchiveError> {
        // Nothing receives it after an error.
        let _ = self.sender.send(None).await;
        let unpacked = self.unpacking.await;
        unpacked.map_err(|error| Error::Io(std::io::Error::other(error)))?
    }
}

/// The directory that an archive is extracted into.
#[derive(Debug)]
pub(crate) struct Target {
    dir: OwnedFd,
    /// Whether it was made for the archive.
    is_made: bool,
}

impl Target {
    pub(crate) fn open(root: &Root, path: &Path) -> Result<Self, Error> {
        let (dir, is_made) = root.make_dirs(path)?;
        Ok(Self { dir, is_made })
    }
}

/// Extracts an archive into a directory.
pub(crate) fn unpack(target: Target, from: Incoming) -> Result<ArchiveSummary, ArchiveError> {
    let mut unpack = Unpack {
        root: Root::beneath(target.dir),
        is_made: target.is_made,
        from,
        summary: ArchiveSummary::default(),
        path: PathBuf::new(),
        dirs: VecDeque::new(),
        parent: None,
    };
    let unpacked = unpack.run();
    // Directories are as the archive says also if an entry after them is not extracted.
    let finished = unpack.finish_dirs(0);
    match unpacked.and(finished) {
        Ok(()) => Ok(unpack.summary),
        Err(error) => Err(ArchiveError {
            path: Some(unpack.path).filter(|path| !path.as_os_str().is_empty()),
            error,
            summary: unpack.summary,
        }),
    }
}

struct Unpack {
    root: Root,
    /// Whether the directory of all entries was made for them.
    is_made: bool,
    from: Incoming,
    summary: ArchiveSummary,
    /// The path of the current entry.
    path: PathBuf,
    /// Directories that get their mode and time when what is in them was extracted.
    dirs: VecDeque<(PathBuf, u32, Timestamps)>,
    /// The directory of the entry before, which is often that of the next one.
    parent: Option<(PathBuf, OwnedFd)>,
}

impl Unpack {
    fn run(&mut self) -> Result<(), Error> {
        while let Some(entry) = read_header(&mut self.from)? {
            self.path = PathBuf::from(OsString::from_vec(entry.name.clone()));
            let path = checked(&self.path)?;
            match entry.kind {
                EntryType::Regular | EntryType::Continuous if entry.name.ends_with(b"/") => {
                    // Directories of the oldest format.
                    self.dir(path, &entry)?;
                }
                EntryType::Regular | EntryType::Continuous => self.file(&path, &entry)?,
                EntryType::Directory => self.dir(path, &entry)?,
                EntryType::Symlink => self.symlink(&path, &entry)?,
                EntryType::Link => self.hard_link(&path, &entry)?,
                EntryType::GNUSparse => return Err(sparse()),
                EntryType::Char | EntryType::Block | EntryType::Fifo => {
                    return Err(Error::NotRegular);
                }
                _ => return Err(Error::InvalidArchive("an entry is of an unknown type")),
            }
        }
        self.path = PathBuf::new();
        self.from.drain()
    }

    fn file(&mut self, path: &Path, entry: &Entry) -> Result<(), Error> {
        let place = self.place(path)?;
        vacate(&place, Vacate::AllButFiles)?;
        let part = Part::in_place_of(place, Some(entry.mode))?;
        self.from.copy(entry.size, |bytes| part.write(bytes))?;
        self.from
            .read_exact(&mut [0; BLOCK][..padding(entry.size)])?;
        part.set_times(&times(entry))?;
        part.publish()?;
        self.summary.files += 1;
        self.summary.bytes += entry.size;
        Ok(())
    }

    fn dir(&mut self, path: PathBuf, entry: &Entry) -> Result<(), Error> {
        let (_, is_made) = self.root.make_dirs(&path)?;
        self.summary.dirs += 1;
        // One that was there already is not the archive's, but perhaps a home directory, or `/tmp`.
        if is_made || (self.is_made && path.as_os_str().is_empty()) {
            self.dirs.push_back((path, entry.mode, times(entry)));
        }
        self.finish_dirs(ARCHIVE_DIRECTORIES)
    }

    fn symlink(&mut self, path: &Path, entry: &Entry) -> Result<(), Error> {
        if entry.link.is_empty() {
            return Err(Error::InvalidArchive("a link leads nowhere"));
        }
        let place = self.place(path)?;
        vacate(&place, Vacate::All)?;
        // Wherever it leads, the next entries do not go there.
        rustix::fs::symlinkat(&*entry.link, &place.dir, &*place.name)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(&place.dir, &*place.name, &times(entry), flags)?;
        self.summary.links += 1;
        Ok(())
    }

    fn hard_link(&mut self, path: &Path, entry: &Entry) -> Result<(), Error> {
        let target = checked(Path::new(&OsString::from_vec(entry.link.clone())))?;
        let target = self.root.place(&target)?;
        let place = self.place(path)?;
        let file = target.stat()?;
        match place.stat() {
            Ok(there) if is_same(&there, &file) => {}
            _ => {
                vacate(&place, Vacate::All)?;
                let flags = AtFlags::empty();
                rustix::fs::linkat(&target.dir, &*target.name, &place.dir, &*place.name, flags)?;
            }
        }
        self.summary.links += 1;
        // Some archives have the content once more.
        super::format::skip(&mut self.from, entry.size)
    }

    /// Returns the place of a path, whose directory is created if it is missing.
    fn place(&mut self, path: &Path) -> Result<Place, Error> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::InvalidPath("it has no name at its end"));
        };
        let dir = match &self.parent {
            Some((path, dir)) if path == parent => dir,
            _ => {
                let (dir, _) = self.root.make_dirs(parent)?;
                &self.parent.insert((parent.to_owned(), dir)).1
            }
        };
        Ok(Place {
            dir: rustix::io::fcntl_dupfd_cloexec(dir, 0)?,
            name: name.to_owned(),
        })
    }

    /// Sets the modes and times of directories, until no more than `most` remain: those within one before it.
    fn finish_dirs(&mut self, most: usize) -> Result<(), Error> {
        while self.dirs.len() > most {
            let next = match most {
                0 => self.dirs.pop_back(),
                // There are too many to remember. Entries are still to come for those around the newest.
                _ => self.dirs.remove(self.oldest_complete()),
            };
            let Some((path, mode, times)) = next else {
                break;
            };
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let dir = self.root.open(&path, flags)?;
            set_mode(&dir, mode)?;
            let flags = AtFlags::empty();
            rustix::fs::utimensat(CWD, descriptor_path(&dir), &times, flags)?;
        }
        Ok(())
    }

    /// Returns the index of the oldest directory that the newest is not in.
    fn oldest_complete(&self) -> usize {
        let newest = self.dirs.back().map(|(path, ..)| path);
        let is_complete = |(path, ..): &(PathBuf, u32, Timestamps)| {
            newest.is_none_or(|newest| !newest.starts_with(path))
        };
        self.dirs.iter().position(is_complete).unwrap_or(0)
    }
}

/// What an entry takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vacate {
    All,
    /// A file is replaced in one step.
    AllButFiles,
}

/// Removes what is in the place of an entry, unless that is a directory.
fn vacate(place: &Place, what: Vacate) -> Result<(), Error> {
    let stat = match place.stat() {
        Err(Error::NotFound) => return Ok(()),
        stat => stat?,
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Err(Error::IsADirectory),
        FileType::RegularFile if what == Vacate::AllButFiles => Ok(()),
        _ => match rustix::fs::unlinkat(&place.dir, &*place.name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        },
    }
}

/// Returns the path of an entry without what means nothing in it, or an error if it could lead out of the directory.
fn checked(path: &Path) -> Result<PathBuf, Error> {
    use std::os::unix::ffi::OsStrExt;
    if path.as_os_str().is_empty() {
        return Err(Error::InvalidPath("it is empty"));
    }
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(Error::InvalidPath("there is a NUL in it"));
    }
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return Err(Error::InvalidPath("it leads out of the directory")),
        }
    }
    Ok(clean)
}

fn times(entry: &Entry) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: i64::try_from(entry.modified).unwrap_or(i64::MAX),
            tv_nsec: 0,
        },
    }
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
