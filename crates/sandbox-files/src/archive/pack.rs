//! Creates archives.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use tar::EntryType;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::format::write_header;
use super::stream::Outgoing;
use super::{ArchiveError, ArchiveSummary, BLOCK, padding};
use crate::Error;
use crate::descent::{Descent, Found, Step};
use crate::limits::ARCHIVE_SKIPPED;
use crate::root::{Root, check_regular, open_regular};

/// An archive that is read while it is created. Dropped, it ends the creation.
#[derive(Debug)]
pub struct ArchiveReader {
    pub(crate) receiver: mpsc::Receiver<Bytes>,
    pub(crate) packed: Packed,
}

/// The end of a creation.
#[derive(Debug)]
pub(crate) enum Packed {
    Running(JoinHandle<Result<ArchiveSummary, ArchiveError>>),
    Done(ArchiveSummary),
    Failed,
}

impl ArchiveReader {
    /// Returns the next bytes, or `None` at the end of the archive.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] if a file became shorter, and what keeps a file from being read. The archive is incomplete then.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ArchiveError> {
        if let Some(bytes) = self.receiver.recv().await {
            return Ok(Some(bytes));
        }
        if let Packed::Running(packing) = &mut self.packed {
            let packed = packing.await;
            self.packed = Packed::Failed;
            let packed = packed.map_err(|error| Error::Io(std::io::Error::other(error)))?;
            self.packed = Packed::Done(packed?);
        }
        Ok(None)
    }

    /// Returns what the archive contains, after its end was read.
    pub fn summary(&self) -> Option<&ArchiveSummary> {
        match &self.packed {
            Packed::Done(summary) => Some(summary),
            _ => None,
        }
    }
}

/// What is archived.
#[derive(Debug)]
pub(crate) enum Source {
    Dir(OwnedFd),
    File(OsString, OwnedFd, Stat),
}

impl Source {
    pub(crate) fn open(root: &Root, path: &Path) -> Result<Self, Error> {
        let (_, stat) = root.look(path)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Ok(Self::Dir(root.open_dir(path)?));
        }
        let (file, stat) = root.open_file(path)?;
        check_regular(&stat)?;
        let name = path.file_name().ok_or(Error::NotADirectory)?;
        Ok(Self::File(name.to_owned(), file, stat))
    }
}

/// Archives a directory or a file.
pub(crate) fn pack(source: Source, to: Outgoing) -> Result<ArchiveSummary, ArchiveError> {
    let mut pack = Pack {
        to,
        summary: ArchiveSummary::default(),
        path: PathBuf::new(),
    };
    match pack.run(source) {
        Ok(()) => Ok(pack.summary),
        Err(error) => Err(ArchiveError {
            path: Some(pack.path).filter(|path| !path.as_os_str().is_empty()),
            error,
            summary: pack.summary,
        }),
    }
}

struct Pack {
    to: Outgoing,
    summary: ArchiveSummary,
    /// The path of the current entry.
    path: PathBuf,
}

impl Pack {
    fn run(&mut self, source: Source) -> Result<(), Error> {
        match source {
            Source::File(name, file, stat) => {
                self.path = name.into();
                self.file(&file, &stat)?;
            }
            Source::Dir(dir) => self.dir(dir)?,
        }
        self.to.put(&[0; 2 * BLOCK])?;
        self.to.flush()
    }

    fn dir(&mut self, dir: OwnedFd) -> Result<(), Error> {
        let stat = rustix::fs::fstat(&dir)?;
        self.path = PathBuf::from(".");
        self.entry(EntryType::Directory, None, &stat)?;
        self.summary.dirs += 1;
        let mut descent = Descent::new(dir)?;
        loop {
            self.path = descent.path().to_owned();
            match descent.next()? {
                None => return Ok(()),
                Some(Step::Left) => {}
                Some(Step::Found(found)) => self.found(&mut descent, found)?,
            }
        }
    }

    fn found(&mut self, descent: &mut Descent, found: Found) -> Result<(), Error> {
        self.path.clone_from(&found.path);
        let Some(dir) = descent.dir() else {
            return Ok(());
        };
        match FileType::from_raw_mode(found.stat.st_mode) {
            FileType::RegularFile => match open_regular(dir, &found.name) {
                Ok((file, stat)) => self.file(&file, &stat),
                // Another process was faster.
                Err(Error::NotFound) => Ok(()),
                Err(error) => Err(error),
            },
            FileType::Symlink => self.link(dir, &found),
            FileType::Directory => {
                self.entry(EntryType::Directory, None, &found.stat)?;
                self.summary.dirs += 1;
                match descent.enter(found) {
                    // Another process was faster.
                    Err(Error::NotFound | Error::NotADirectory) => Ok(()),
                    entered => entered,
                }
            }
            _ => {
                self.summary.skipped += 1;
                if self.summary.skipped_paths.len() < ARCHIVE_SKIPPED {
                    self.summary.skipped_paths.push(found.path);
                }
                Ok(())
            }
        }
    }

    fn link(&mut self, dir: impl AsFd, found: &Found) -> Result<(), Error> {
        let link = match rustix::fs::readlinkat(dir, &*found.name, Vec::new()) {
            Err(Errno::NOENT | Errno::INVAL) => return Ok(()),
            link => link?,
        };
        self.entry(EntryType::Symlink, Some(link.as_bytes()), &found.stat)?;
        self.summary.links += 1;
        Ok(())
    }

    fn file(&mut self, file: &OwnedFd, stat: &Stat) -> Result<(), Error> {
        self.entry(EntryType::Regular, None, stat)?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let mut left = size;
        while left > 0 {
            let count = self.to.fill(left, |room| {
                loop {
                    match rustix::io::read(file, &mut *room) {
                        Err(Errno::INTR) => {}
                        read => return Ok(read?),
                    }
                }
            })?;
            if count == 0 {
                return Err(Error::Changed);
            }
            left -= count as u64;
        }
        self.to.put(&[0; BLOCK][..padding(size)])?;
        self.summary.files += 1;
        self.summary.bytes += size;
        Ok(())
    }

    fn entry(&mut self, kind: EntryType, link: Option<&[u8]>, stat: &Stat) -> Result<(), Error> {
        write_header(&mut self.to, kind, self.path.as_os_str(), link, stat)
    }
}
