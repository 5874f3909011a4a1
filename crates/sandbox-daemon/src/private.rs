//! Directories and files that belong to this process's user alone.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

/// Creates a directory for this user alone, or checks that the one that exists is that, and opens it. Its last component is not followed
/// if it is a link: another user may have put it there.
///
/// # Errors
///
/// Returns the error of the system, and one of kind [`PermissionDenied`](io::ErrorKind::PermissionDenied) if others have access.
pub fn private_directory(path: &Path) -> io::Result<OwnedFd> {
    let is_new = match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) => true,
        Err(rustix::io::Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&held)?;
    let mode = Mode::from_raw_mode(found.st_mode);
    if found.st_uid != rustix::process::geteuid().as_raw()
        || mode.intersects(Mode::RWXG | Mode::RWXO)
    {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is not a directory of this user's alone; help: chmod 700",
        ));
    }
    if is_new && mode != Mode::RWXU {
        // The umask took rights away.
        rustix::fs::chmod(format!("/proc/self/fd/{}", held.as_raw_fd()), Mode::RWXU)?;
    }
    Ok(held)
}

/// Writes a file for this user alone, in place of a former one: whole or not at all, whenever this process or the machine ends. Beside
/// it, `PATH.new` is there meanwhile.
///
/// # Errors
///
/// Returns the error of the system.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_private_file_is_replaced_as_a_whole() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        for content in ["long before", "after"] {
            write_private(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_of_others_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        let fresh = parent.path().join("fresh");
        private_directory(&fresh).unwrap();
        private_directory(&fresh).unwrap();
        let mode = fs::metadata(&fresh).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        let open = parent.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(private_directory(&open).is_err());
        let link = parent.path().join("link");
        symlink(&fresh, &link).unwrap();
        assert!(private_directory(&link).is_err());
    }
}
