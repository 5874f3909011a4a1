//! Paths to descriptors: below a root, or on the whole system.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::Error;
use crate::limits::LINKS;

/// Where paths begin.
#[derive(Debug)]
pub(crate) struct Root {
    /// What `/` is; `None` for that of the process.
    confined: Option<OwnedFd>,
    /// How the kernel confines paths.
    resolve: ResolveFlags,
    /// What relative paths are relative to, as a path below the root.
    work_dir: PathBuf,
    /// What `~` stands for.
    home: Option<PathBuf>,
}

/// A name in a directory that is open. No last link of a path is left to be followed, so that what has this name is what an
/// operation is about.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) dir: OwnedFd,
    pub(crate) name: OsString,
}

impl Root {
    pub(crate) fn of_the_system(work_dir: &Path) -> Self {
        Self {
            confined: None,
            resolve: IN_ROOT,
            work_dir: Path::new("/").join(work_dir),
            home: None,
        }
    }

    pub(crate) fn confined(root: &Path) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())?;
        let confined = Self {
            confined: Some(root),
            resolve: IN_ROOT,
            work_dir: "/".into(),
            home: None,
        };
        // So that a kernel which cannot do it is noticed here, not by each operation.
        confined.open(Path::new("/"), OFlags::PATH)?;
        Ok(confined)
    }

    /// Returns a root for relative paths below a directory. A path that leads out of it, by `..` or a link, is an error.
    pub(crate) fn beneath(dir: OwnedFd) -> Self {
        Self {
            confined: Some(dir),
            resolve: BENEATH,
            work_dir: PathBuf::new(),
            home: None,
        }
    }

    pub(crate) fn set_work_dir(&mut self, work_dir: &Path) {
        self.work_dir = Path::new("/").join(work_dir);
    }

    pub(crate) fn set_home(&mut self, home: PathBuf) {
        self.home = Some(home);
    }

    /// Returns a path from the root on: a relative one is below the work directory, and `~` is the home directory.
    pub(crate) fn absolute(&self, path: &Path) -> Result<PathBuf, Error> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.contains(&0) {
            return Err(Error::InvalidPath("there is a NUL in it"));
        }
        if bytes.is_empty() {
            return Err(Error::InvalidPath("it is empty"));
        }
        match (&self.home, path.strip_prefix("~")) {
            (Some(home), Ok(rest)) => Ok(self.work_dir.join(home).join(rest)),
            _ => Ok(self.work_dir.join(path)),
        }
    }

    /// Opens what a path leads to.
    pub(crate) fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Error> {
        let flags = flags | OFlags::CLOEXEC;
        let Some(root) = &self.confined else {
            return Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?);
        };
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        // The kernel gives up on `..` while anything on the system is renamed.
        for _ in 0..ATTEMPTS {
            match rustix::fs::openat2(root, path, flags, Mode::empty(), self.resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::XDEV) if self.resolve == BENEATH => {
                    return Err(Error::InvalidPath("it leads out of the directory"));
                }
                opened => return Ok(opened?),
            }
        }
        Err(Error::InUse)
    }

    /// Opens what a path leads to without doing anything with it: whatever it is, that does not block.
    pub(crate) fn look(&self, path: &Path) -> Result<(OwnedFd, Stat), Error> {
        let opened = self.open(path, OFlags::PATH)?;
        let stat = rustix::fs::fstat(&opened)?;
        Ok((opened, stat))
    }

    /// Returns what has a path, without following a link at its end.
    pub(crate) fn look_at_link(&self, path: &Path) -> Result<Stat, Error> {
        let opened = self.open(path, OFlags::PATH | OFlags::NOFOLLOW)?;
        Ok(rustix::fs::fstat(&opened)?)
    }

    /// Opens a directory.
    pub(crate) fn open_dir(&self, path: &Path) -> Result<OwnedFd, Error> {
        self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Opens a regular file to be read. Anything else is refused before it is opened, since that alone may block or do
    /// something.
    pub(crate) fn open_file(&self, path: &Path) -> Result<(OwnedFd, Stat), Error> {
        let (_, stat) = self.look(path)?;
        check_regular(&stat)?;
        // It may be another file by now, which then does not block either.
        let file = self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let stat = rustix::fs::fstat(&file)?;
        check_regular(&stat)?;
        Ok((file, stat))
    }

    /// Returns the place of a path, whether there is anything or not. A link at its end is not followed.
    pub(crate) fn place(&self, path: &Path) -> Result<Place, Error> {
        let name = last_name(path)?;
        let parent = path.parent().unwrap_or_else(|| Path::new("/"));
        let dir = self.open(parent, OFlags::PATH | OFlags::DIRECTORY)?;
        Ok(Place { dir, name })
    }

    /// Returns the place that a path leads to, whether there is anything or not, through the links at its end.
    pub(crate) fn place_of_target(&self, path: &Path) -> Result<Place, Error> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let place = self.place(&path)?;
            let link = match rustix::fs::readlinkat(&place.dir, &*place.name, Vec::new()) {
                Ok(link) => PathBuf::from(OsString::from_vec(link.into_bytes())),
                Err(Errno::INVAL | Errno::NOENT) => return Ok(place),
                Err(errno) => return Err(errno.into()),
            };
            // Where the link leads is for the kernel to say, from the root on: it confines that, too.
            path.pop();
            path.push(link);
        }
        Err(Errno::LOOP.into())
    }

    /// Makes a directory with those above it that are missing, and returns it opened; whether it was made.
    pub(crate) fn make_dirs(&self, path: &Path) -> Result<(OwnedFd, bool), Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let mut missing = Vec::new();
        // Without a `.` at its end.
        let mut existing = path.components().as_path();
        let mut dir = loop {
            match self.open(existing, flags) {
                Ok(dir) => break dir,
                Err(Error::NotFound) => {
                    missing.push(last_name(existing)?);
                    existing = existing.parent().ok_or(Error::NotFound)?;
                }
                Err(error) => return Err(error),
            }
        };
        let mut is_made = false;
        for name in missing.into_iter().rev() {
            is_made = match rustix::fs::mkdirat(&dir, &*name, DIR_MODE) {
                Ok(()) => true,
                // Another request was faster; a link that leads nowhere is no directory below.
                Err(Errno::EXIST) => false,
                Err(errno) => return Err(errno.into()),
            };
            let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            dir = rustix::fs::openat(&dir, &*name, flags, Mode::empty())?;
        }
        Ok((dir, is_made))
    }
}

impl Place {
    /// Returns what has this name now, without following it.
    pub(crate) fn stat(&self) -> Result<Stat, Error> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::statat(&self.dir, &*self.name, flags)?)
    }
}

/// Opens the regular file that has this name in a directory, without following a link. Nothing else is read, and nothing blocks.
pub(crate) fn open_regular(dir: impl AsFd, name: &OsStr) -> Result<(OwnedFd, Stat), Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    check_regular(&stat)?;
    Ok((file, stat))
}

/// Returns an error for what is no regular file.
pub(crate) fn check_regular(stat: &Stat) -> Result<(), Error> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Error::IsADirectory),
        _ => Err(Error::NotRegular),
    }
}

/// Returns the path by which the kernel knows a descriptor of this process.
pub(crate) fn descriptor_path(fd: impl AsFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// Returns the last name of a path; `/`, `.` and `..` have none.
fn last_name(path: &Path) -> Result<OsString, Error> {
    // `components` leaves out a `.` at the end, which the kernel does not.
    let bytes = path.as_os_str().as_bytes();
    let ends_in_dot = bytes.ends_with(b"/.") || bytes == b".";
    match path.components().next_back() {
        Some(Component::Normal(name)) if !ends_in_dot => Ok(OsStr::to_owned(name)),
        _ => Err(Error::InvalidPath("it has no name at its end")),
    }
}

/// Attempts to resolve a path while others rename what is in it.
const ATTEMPTS: usize = 100;

/// Neither `..`, nor a link, nor one of `/proc`, leads out.
const IN_ROOT: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// What leads out is refused.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// The mode of a directory of which no one says anything.
const DIR_MODE: Mode = Mode::from_bits_truncate(0o755);
