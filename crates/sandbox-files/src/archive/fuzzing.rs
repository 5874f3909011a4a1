//! The body of the fuzz target of archives.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{CWD, Mode, OFlags};
use tar::{EntryType, Header};

use super::format::{read_header, skip};
use super::stream::Incoming;
use super::{ArchiveError, ArchiveSummary, BLOCK, Target, padding, unpack};
use crate::Error;
use crate::limits::ARCHIVE_NAME_BYTES;
use crate::root::Root;

/// Checks that an archive is read alike however it is split, and that nothing of it is extracted outside of its directory, runs as
/// another user, or is a device.
///
/// The input is a list of entries, with right check sums so that more than the first header is read, and is an archive by itself.
/// `dir` is an empty directory, and is empty again afterwards.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn archives(dir: &Path, input: &[u8]) {
    for archive in [archive_of(input), input.to_vec()] {
        let found = headers(&archive, archive.len().max(1));
        let piece = 1 + usize::from(input.first().copied().unwrap_or_default());
        assert_eq!(headers(&archive, piece), found);
        check_extraction(dir, &archive);
    }
}

/// Returns the entries of an archive, and the error at its end.
fn headers(archive: &[u8], piece: usize) -> (Vec<String>, Option<String>) {
    let mut from = whole(archive, piece);
    let mut entries = Vec::new();
    loop {
        match read_header(&mut from) {
            Ok(Some(entry)) => {
                assert!(entry.name.len() <= ARCHIVE_NAME_BYTES && entry.mode & !0o1777 == 0);
                entries.push(format!("{entry:?}"));
                if let Err(error) = skip(&mut from, entry.size) {
                    return (entries, Some(error.to_string()));
                }
            }
            Ok(None) => return (entries, None),
            Err(error) => return (entries, Some(error.to_string())),
        }
    }
}

/// Extracts an archive into a directory that has a link out of it, and looks at what it changed.
fn check_extraction(dir: &Path, archive: &[u8]) {
    let (inside, outside) = (dir.join("in"), dir.join("out"));
    fs::create_dir(&inside).expect("the directory is empty");
    fs::create_dir(&outside).expect("the directory is empty");
    fs::write(outside.join("file"), "text").expect("a new file can be written");
    symlink("../out", inside.join("link")).expect("a new link can be made");
    let before = listing(&outside);

    let extracted = extract(&inside, archive);
    assert_eq!(listing(&outside), before, "{extracted:?}");
    assert_eq!(listing(dir).len(), 3, "{extracted:?}");
    let text = fs::read(outside.join("file")).expect("it is still there");
    assert_eq!(text, b"text");
    let mut dirs = vec![inside.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let found = fs::symlink_metadata(entry.path()).expect("it is there");
            let kind = found.file_type();
            assert!(kind.is_file() || kind.is_dir() || kind.is_symlink());
            assert_eq!(found.mode() & 0o6000, 0);
            if kind.is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    fs::remove_dir_all(&inside).expect("it can be removed");
    fs::remove_dir_all(&outside).expect("it can be removed");
}

fn extract(inside: &Path, archive: &[u8]) -> Result<ArchiveSummary, ArchiveError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, inside, flags, Mode::empty());
    let root = Root::beneath(opened.map_err(Error::from)?);
    let target = Target::open(&root, Path::new(""))?;
    unpack(target, whole(archive, archive.len().max(1)))
}

/// Returns the names below a directory, of that itself, too, with what identifies and describes each.
fn listing(dir: &Path) -> BTreeSet<(String, u64, u32, u64, i64)> {
    let described = |path: &Path| {
        let found = fs::symlink_metadata(path).expect("it is there");
        let (number, mode) = (found.ino(), found.mode());
        let name = path.display().to_string();
        // The directory of the test itself gets entries.
        (
            name,
            number,
            mode,
            found.nlink(),
            found.size().cast_signed(),
        )
    };
    let entries = fs::read_dir(dir).expect("it is a directory").flatten();
    let entries = entries.map(|entry| described(&entry.path()));
    entries.chain([described(dir)]).collect()
}

/// Returns an archive that has arrived in pieces of this length.
fn whole(archive: &[u8], piece: usize) -> Incoming {
    let pieces: Vec<_> = archive.chunks(piece).map(Bytes::copy_from_slice).collect();
    Incoming::arrived(pieces.into_iter())
}

/// Returns an archive of the entries that the input describes: a kind, whether sizes are right, the lengths of a name and of a content,
/// and these.
fn archive_of(mut input: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    while let [kind, flags, name, content, rest @ ..] = input {
        let (name, rest) = rest.split_at(usize::from(name % 101).min(rest.len()));
        let (content, rest) = rest.split_at(usize::from(*content).min(rest.len()));
        input = rest;
        let mut header = match flags & 1 {
            0 => Header::new_gnu(),
            _ => Header::new_ustar(),
        };
        let fields = header.as_old_mut();
        fields.name[..name.len()].copy_from_slice(name);
        let link = &content[..content.len().min(100)];
        fields.linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(EntryType::new(*kind));
        header.set_mode(0o7777);
        header.set_mtime(1);
        header.set_size(content.len() as u64);
        if flags & 6 == 6 {
            let size = &content[..content.len().min(12)];
            header.as_old_mut().size[..size.len()].copy_from_slice(size);
        }
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(content);
        archive.resize(archive.len() + padding(content.len() as u64), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}
