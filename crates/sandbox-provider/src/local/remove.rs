//! Removes a directory that programs have filled: its depth is theirs to choose, and so are modes.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType};

/// Removes the directory `name` in `parent` with all that is in it. No program may use it meanwhile.
pub(super) fn remove_tree(parent: &Path, name: &str) -> io::Result<()> {
    let parent = File::open(parent)?;
    let found = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => sandbox_engine::remove_tree(parent.as_fd(), name.as_bytes()),
        _ => Err(io::ErrorKind::NotADirectory.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{Mode, OFlags};

    use super::*;

    #[test]
    fn a_tree_of_any_depth_and_mode_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let outside = directory.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "x").unwrap();
        let tree = directory.path().join("tree");
        for name in ["a/b/c", ".0/.1", "closed/d"] {
            fs::create_dir_all(tree.join(name)).unwrap();
            fs::write(tree.join(name).join("file"), "x").unwrap();
        }
        symlink(&outside, tree.join("a/link")).unwrap();
        fs::set_permissions(tree.join("closed/d"), fs::Permissions::from_mode(0o0)).unwrap();
        fs::set_permissions(tree.join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
        // Deeper than a path or a table of descriptors.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut deepest = rustix::fs::open(&tree, flags, Mode::empty()).unwrap();
        for _ in 0..1500 {
            rustix::fs::mkdirat(&deepest, "deep", Mode::RWXU).unwrap();
            deepest = rustix::fs::openat(&deepest, "deep", flags, Mode::empty()).unwrap();
        }
        drop(deepest);
        remove_tree(directory.path(), "tree").unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"x");
        let missing = remove_tree(directory.path(), "tree").unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
