//! Copies the files of a sandbox for another one.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid,
};
use rustix::io::Errno;

use crate::limits::COPY_DEPTH;

/// Copies what is in the directory `from` to the empty directory `to`: files, links and pipes, with their modes, times and hard
/// links, without bits for other rights and without sockets. All belong to `owner` if there is one.
///
/// Programs may change `from` meanwhile, and no link in it is followed. Where the file system can, contents are shared.
pub(super) fn copy_tree(from: &Path, to: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let from = rustix::fs::open(from, flags, Mode::empty())?;
    let to = rustix::fs::open(to, flags, Mode::empty())?;
    let mut copy = Copy {
        root: rustix::io::fcntl_dupfd_cloexec(&to, 0)?,
        owner: owner.map(|(uid, gid)| (Uid::from_raw(uid), Gid::from_raw(gid))),
        linked: HashMap::new(),
    };
    copy.directory(&from, &to, Path::new(""), 0)
}

struct Copy {
    root: OwnedFd,
    owner: Option<(Uid, Gid)>,
    /// Where in the copy the files are that have several names.
    linked: HashMap<(u64, u64), PathBuf>,
}

impl Copy {
    fn directory(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        if depth > COPY_DEPTH {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("directories are nested deeper than {COPY_DEPTH}"),
            ));
        }
        for entry in Dir::read_from(from)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match self.entry(from, to, name, path, depth) {
                // It was removed or replaced meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {}
                copied => copied?,
            }
        }
        // Last: its times change with what is in it.
        let stat = rustix::fs::fstat(from)?;
        self.attributes(to, &stat)
    }

    fn entry(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &CStr,
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let path = path.join(OsStr::from_bytes(name.to_bytes()));
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = flags | OFlags::DIRECTORY;
                let inner = rustix::fs::openat(from, name, flags, Mode::empty())?;
                rustix::fs::mkdirat(to, name, Mode::RWXU)?;
                let copy = rustix::fs::openat(to, name, flags, Mode::empty())?;
                self.directory(&inner, &copy, &path, depth + 1)
            }
            FileType::RegularFile => {
                let key = (stat.st_dev, stat.st_ino);
                if stat.st_nlink > 1
                    && let Some(other) = self.linked.get(&key)
                {
                    rustix::fs::linkat(&self.root, other, to, name, AtFlags::empty())?;
                    return Ok(());
                }
                let file = rustix::fs::openat(from, name, flags, Mode::empty())?;
                self.file(file, to, name)?;
                if stat.st_nlink > 1 {
                    self.linked.insert(key, path);
                }
                Ok(())
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(from, name, Vec::new())?;
                rustix::fs::symlinkat(target, to, name)?;
                self.own(to, name)?;
                let no_follow = AtFlags::SYMLINK_NOFOLLOW;
                Ok(rustix::fs::utimensat(to, name, &times(&stat), no_follow)?)
            }
            FileType::Fifo => {
                rustix::fs::mknodat(to, name, FileType::Fifo, mode(&stat), 0)?;
                self.own(to, name)
            }
            _ => Ok(()),
        }
    }

    fn file(&self, from: OwnedFd, to: &OwnedFd, name: &CStr) -> io::Result<()> {
        // What was looked at may have been replaced.
        let stat = rustix::fs::fstat(&from)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let copy = rustix::fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR)?;
        if rustix::fs::ioctl_ficlone(&copy, &from).is_err() {
            copy_data(&File::from(from), &File::from(copy.try_clone()?))?;
        }
        self.attributes(&copy, &stat)
    }

    fn attributes(&self, file: &impl AsFd, stat: &Stat) -> io::Result<()> {
        if let Some((uid, gid)) = self.owner {
            rustix::fs::fchown(file, Some(uid), Some(gid))?;
        }
        rustix::fs::fchmod(file, mode(stat))?;
        Ok(rustix::fs::futimens(file, &times(stat))?)
    }

    fn own(&self, directory: &OwnedFd, name: &CStr) -> io::Result<()> {
        if let Some((uid, gid)) = self.owner {
            let no_follow = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(directory, name, Some(uid), Some(gid), no_follow)?;
        }
        Ok(())
    }
}

/// Copies what a file has, and leaves out what it has not: a file of any length may be empty but for its end.
fn copy_data(from: &File, to: &File) -> io::Result<()> {
    let length = rustix::fs::fstat(from)?.st_size.try_into().unwrap_or(0);
    let mut at = 0;
    loop {
        let data = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Ok(data) => data,
            // There is no more.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        at = rustix::fs::seek(from, SeekFrom::Hole(data))?;
        rustix::fs::seek(from, SeekFrom::Start(data))?;
        rustix::fs::seek(to, SeekFrom::Start(data))?;
        io::copy(&mut from.take(at - data), &mut &*to)?;
    }
    to.set_len(length)
}

/// Returns the mode without the bits by which a program gets other rights.
fn mode(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o1777)
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds: i64, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.try_into().unwrap_or_default(),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn a_copy_has_modes_times_and_links() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("a/file"), "text").unwrap();
        fs::hard_link(from.join("a/file"), from.join("again")).unwrap();
        fs::set_permissions(from.join("a/file"), fs::Permissions::from_mode(0o4751)).unwrap();
        fs::set_permissions(from.join("a/b"), fs::Permissions::from_mode(0o500)).unwrap();
        symlink("/etc/passwd", from.join("link")).unwrap();
        rustix::fs::mknodat(CWD, from.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
        let long_ago = Timespec {
            tv_sec: 1,
            tv_nsec: 5,
        };
        let times = Timestamps {
            last_access: long_ago,
            last_modification: long_ago,
        };
        for name in ["a/file", "a/b", "a"] {
            rustix::fs::utimensat(CWD, from.join(name), &times, AtFlags::empty()).unwrap();
        }
        copy_tree(&from, &to, None).unwrap();

        let metadata = |name: &str| fs::symlink_metadata(to.join(name)).unwrap();
        assert_eq!(fs::read(to.join("a/file")).unwrap(), b"text");
        assert_eq!(metadata("a/file").mode() & 0o7777, 0o751);
        assert_eq!(metadata("a/file").ino(), metadata("again").ino());
        assert_eq!(metadata("a/b").mode() & 0o7777, 0o500);
        assert_eq!(
            fs::read_link(to.join("link")).unwrap(),
            Path::new("/etc/passwd")
        );
        assert!(metadata("pipe").mode() & 0o170_000 == 0o010_000);
        assert!(!to.join("socket").exists());
        for name in ["a/file", "a/b", "a"] {
            assert_eq!(
                (metadata(name).mtime(), metadata(name).mtime_nsec()),
                (1, 5),
                "{name}"
            );
        }
    }

    #[test]
    fn copies_end_at_some_depth() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("d/".repeat(COPY_DEPTH))).unwrap();
        fs::create_dir(&to).unwrap();
        copy_tree(&from, &to, None).unwrap();
        let again = directory.path().join("again");
        fs::create_dir(&again).unwrap();
        fs::create_dir(from.join("d/".repeat(COPY_DEPTH)).join("d")).unwrap();
        let error = copy_tree(&from, &again, None).unwrap_err();
        assert!(error.to_string().contains("nested deeper"), "{error}");
    }

    #[test]
    fn what_a_file_has_not_is_not_copied() {
        use std::os::unix::fs::FileExt;
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        let file = File::create(from.join("sparse")).unwrap();
        let length = 1 << 40;
        file.set_len(length).unwrap();
        file.write_all_at(b"middle", 1 << 39).unwrap();
        fs::write(from.join("full"), "text").unwrap();
        File::create(from.join("empty")).unwrap();
        copy_tree(&from, &to, None).unwrap();
        let copy = File::open(to.join("sparse")).unwrap();
        let metadata = copy.metadata().unwrap();
        assert_eq!(metadata.len(), length);
        assert!(metadata.blocks() < 1000, "{}", metadata.blocks());
        let mut found = [0; 8];
        copy.read_exact_at(&mut found, (1 << 39) - 1).unwrap();
        assert_eq!(&found, b"\0middle\0");
        assert_eq!(fs::read(to.join("full")).unwrap(), b"text");
        assert_eq!(fs::read(to.join("empty")).unwrap(), b"");
    }
}
