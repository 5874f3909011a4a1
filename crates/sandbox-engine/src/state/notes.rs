//! Notes about files outside the private directory, stored in it: for the next engine there, should this process be killed.
//!
//! A note is a symbolic link to the file, which is created before it. After the file has been created, the note's name
//! identifies it, so that another file that has its path later is left alone.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, Stat};

use super::State;
use super::directory::Directory;
use super::place::Own;

/// A note, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Note {
    own: Arc<Own>,
    name: String,
}

impl State {
    /// Creates a note for a file that is about to be created at `path`, which is absolute.
    pub(crate) fn note(&self, path: &Path) -> io::Result<Note> {
        self.with_own(|own| {
            let number = self.next_number();
            let name = format!("{PREFIX}{number}");
            write(&own.directory, &name, path)?;
            let own = Arc::clone(own);
            Ok(Note { own, name })
        })
    }
}

impl Note {
    /// Adds the identity of the created file. Until then only an empty file matches the note.
    pub(crate) fn identify(&mut self, file: &File) -> io::Result<()> {
        self.name = identify(&self.own.directory, &self.name, file)?;
        Ok(())
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // A program of a run may have removed the directory.
        let _ = rustix::fs::unlinkat(&self.own.directory, &self.name, AtFlags::empty());
    }
}

fn write(directory: &Directory, name: &str, path: &Path) -> io::Result<()> {
    Ok(rustix::fs::symlinkat(path, directory, name)?)
}

fn identify(directory: &Directory, name: &str, file: &File) -> io::Result<String> {
    let made = rustix::fs::fstat(file)?;
    let identified = format!("{name}-{:x}-{:x}", made.st_dev, made.st_ino);
    // Renamed, which is atomic: at every moment there is a note that matches the file.
    rustix::fs::renameat(directory, name, directory, &identified)?;
    Ok(identified)
}

/// Removes the files that are noted in the private directory of a process that has ended.
pub(super) fn remove_files(directory: &Directory) {
    for name in directory.names().unwrap_or_default() {
        let noted = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let Some(noted) = noted else { continue };
        let Ok(path) = rustix::fs::readlinkat(directory, &name, Vec::new()) else {
            continue;
        };
        let path = Path::new(std::ffi::OsStr::from_bytes(path.as_bytes()));
        let found = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok_and(|found| is_noted(&found, noted))
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove what a killed daemon has left");
        }
    }
}

/// Returns whether a file matches a note whose name ends in `noted`: `NUMBER`, or `NUMBER-DEVICE-INODE`.
fn is_noted(found: &Stat, noted: &str) -> bool {
    let is_this_users = found.st_uid == rustix::process::geteuid().as_raw();
    let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
    let is_it = match noted.split_once('-') {
        Some((_, identity)) => identity == format!("{:x}-{:x}", found.st_dev, found.st_ino),
        None => found.st_size == 0,
    };
    is_this_users && is_file && is_it
}

const PREFIX: &str = "file-";

#[cfg(test)]
mod tests {
    use super::super::directory::PRIVATE;
    use super::*;
    use crate::tag::Instance;

    #[test]
    fn a_note_is_there_as_long_as_its_file() {
        let home = tempfile::tempdir().unwrap();
        let state = State::at(home.path(), Instance::draw()).unwrap();
        let notes = || {
            let names = state.own().unwrap().directory.names().unwrap();
            let notes = names
                .into_iter()
                .filter(|name| name.as_bytes().starts_with(b"file-"));
            notes.count()
        };
        let path = home.path().join("program");
        let mut note = state.note(&path).unwrap();
        assert_eq!(notes(), 1);
        note.identify(&File::create(&path).unwrap()).unwrap();
        assert_eq!(notes(), 1);
        drop(note);
        assert_eq!(notes(), 0);
    }

    #[test]
    fn only_the_files_of_notes_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let parent = Directory::open(home.path()).unwrap();
        let left = parent.make(b"left", PRIVATE).unwrap();
        let place = |name: &str| home.path().join(name);
        let make = |name: &str, text: &str| {
            std::fs::write(place(name), text).unwrap();
            File::open(place(name)).unwrap()
        };
        for name in ["made", "replaced", "linked", "empty", "filled", "missing"] {
            write(&left, &format!("file-{name}"), &place(name)).unwrap();
        }
        for name in ["made", "replaced", "linked"] {
            identify(&left, &format!("file-{name}"), &make(name, "text")).unwrap();
        }
        make("empty", "");
        make("filled", "text");
        // Held under another name meanwhile, so that its inode number is not reused for the new file.
        std::fs::rename(place("replaced"), place("other")).unwrap();
        make("replaced", "text");
        std::fs::rename(place("linked"), place("target")).unwrap();
        std::os::unix::fs::symlink(place("target"), place("linked")).unwrap();

        remove_files(&left);
        let is_there = |name: &&str| place(name).symlink_metadata().is_ok();
        let names = [
            "made", "replaced", "linked", "target", "empty", "filled", "other",
        ];
        let kept: Vec<_> = names.into_iter().filter(is_there).collect();
        assert_eq!(kept, ["replaced", "linked", "target", "filled", "other"]);
    }
}
