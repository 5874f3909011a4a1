//! Removes a directory that programs have filled: its depth is theirs to choose, and so are modes.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Removes the directory `name` in `parent` with all that is in it. No program may use it meanwhile.
///
/// Directories are moved to the top before they are emptied, so that neither the stack, nor descriptors, nor the length of a path
/// limit how deep it may be.
pub(super) fn remove_tree(parent: &Path, name: &str) -> io::Result<()> {
    let parent = File::open(parent)?;
    let parent: OwnedFd = parent.into();
    let name = CString::new(name)?;
    let top = enter(&parent, &name)?;
    let mut moved = 0;
    loop {
        while !is_emptied(&top, &mut moved)? {}
        match rustix::fs::unlinkat(&parent, &name, AtFlags::REMOVEDIR) {
            // A launcher that is ending may have made another directory.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            removed => return Ok(removed?),
        }
    }
}

/// Removes the files in the top directory, and flattens its directories; returns whether there was nothing.
fn is_emptied(top: &OwnedFd, moved: &mut u64) -> io::Result<bool> {
    let mut is_empty = true;
    for entry in Dir::read_from(top)? {
        let entry = entry?;
        if is_dot(entry.file_name()) {
            continue;
        }
        is_empty = false;
        if !is_removed(top, entry.file_name())? {
            flatten(top, entry.file_name(), moved)?;
        }
    }
    Ok(is_empty)
}

/// Removes the files in a directory, and moves its directories to the top.
fn flatten(top: &OwnedFd, name: &CStr, moved: &mut u64) -> io::Result<()> {
    let directory = enter(top, name)?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let inner = entry.file_name();
        if is_dot(inner) || is_removed(&directory, inner)? {
            continue;
        }
        // A directory can only be moved where its entry `..` may be changed.
        drop(enter(&directory, inner)?);
        loop {
            let place = format!(".{moved}");
            *moved += 1;
            let no_replace = RenameFlags::NOREPLACE;
            match rustix::fs::renameat_with(&directory, inner, top, place, no_replace) {
                Err(Errno::EXIST) => {}
                renamed => break renamed?,
            }
        }
    }
    match rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR) {
        // What a walk has missed is found by the next.
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        removed => Ok(removed?),
    }
}

/// Removes a file or an empty directory; returns whether it was one.
fn is_removed(directory: &OwnedFd, name: &CStr) -> io::Result<bool> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) => return Ok(true),
        // A directory, in the words of Linux and of POSIX.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens a directory, and makes it accessible.
fn enter(parent: &OwnedFd, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(parent, name, flags, Mode::empty());
    let opened = match open() {
        Err(Errno::ACCESS) => {
            // It is a directory, and nothing replaces it meanwhile.
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            open()?
        }
        opened => opened?,
    };
    rustix::fs::fchmod(&opened, Mode::RWXU)?;
    Ok(opened)
}

fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

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
