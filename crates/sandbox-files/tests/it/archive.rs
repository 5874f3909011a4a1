//! Directories become archives and archives directories, and nothing else.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode};
use sandbox_files::limits::{
    ARCHIVE_DIRECTORIES, ARCHIVE_NAME_BYTES, ARCHIVE_PIECES, ARCHIVE_SKIPPED, ARCHIVES, CALL_WAIT,
    READ_BYTES,
};
use sandbox_files::{ArchiveError, ArchiveSummary, Error, Files};
use tar::{EntryType, Header};

/// Archives a path.
async fn pack(files: &Files, path: impl AsRef<Path>) -> (Vec<u8>, ArchiveSummary) {
    let mut reader = files.read_archive(path).await.unwrap();
    let mut archive = Vec::new();
    while let Some(bytes) = reader.next().await.unwrap() {
        assert!(bytes.len() <= READ_BYTES);
        archive.extend_from_slice(&bytes);
    }
    (archive, reader.summary().unwrap().clone())
}

/// Extracts an archive that comes in pieces of this many bytes.
async fn unpack_in(
    files: &Files,
    path: impl AsRef<Path>,
    archive: &[u8],
    piece: usize,
) -> Result<ArchiveSummary, ArchiveError> {
    let mut writer = files.write_archive(path).await?;
    for bytes in archive.chunks(piece) {
        if !writer.write(bytes.to_vec().into()).await {
            break;
        }
    }
    writer.finish().await
}

async fn unpack(files: &Files, path: &str, archive: &[u8]) -> Result<ArchiveSummary, ArchiveError> {
    unpack_in(files, path, archive, 1000).await
}

/// An archive with these entries, whatever they are.
#[derive(Default)]
struct Archive(Vec<u8>);

impl Archive {
    fn entry(mut self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o640);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, name, "", content)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// What a directory contains: the path, mode, time and content of each entry.
fn contents(dir: &Path) -> Vec<(PathBuf, u32, i64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = match metadata.file_type() {
            kind if kind.is_symlink() => {
                fs::read_link(&path).unwrap().as_os_str().as_bytes().into()
            }
            kind if kind.is_dir() => {
                let entries = fs::read_dir(&path).unwrap();
                pending.extend(entries.map(|entry| entry.unwrap().path()));
                Vec::new()
            }
            kind if kind.is_file() => fs::read(&path).unwrap(),
            _ => continue,
        };
        let name = path.strip_prefix(dir).unwrap().to_owned();
        found.push((name, metadata.mode(), metadata.mtime(), content));
    }
    found.sort();
    found
}

/// Fills a directory with whatever an archive can have: every kind, odd and long names, modes, times; and a pipe.
fn fill(tree: &Path, large: &[u8]) {
    fs::create_dir_all(tree.join("a/b")).unwrap();
    fs::create_dir(tree.join("fixed")).unwrap();
    fs::write(tree.join("a/large"), large).unwrap();
    fs::write(tree.join("a/b/empty"), "").unwrap();
    fs::write(tree.join("fixed/block"), [7; 512]).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"\xFF \n'");
    fs::write(tree.join(odd), "odd").unwrap();
    // Names that are as long as the field in a header, and longer.
    for length in [99, 100, 101, 255] {
        fs::write(tree.join("x".repeat(length)), length.to_string()).unwrap();
    }
    let deep = tree.join("d".repeat(200)).join("e".repeat(200));
    fs::create_dir_all(&deep).unwrap();
    symlink("f".repeat(300), deep.join("link")).unwrap();
    symlink("/nowhere", tree.join("dangling")).unwrap();
    fs::hard_link(tree.join("a/large"), tree.join("again")).unwrap();
    let mode = |name: &str, mode| {
        fs::set_permissions(tree.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("a/large", 0o751);
    mode("fixed", 0o555);
    rustix::fs::mknodat(CWD, tree.join("pipe"), FileType::Fifo, Mode::from(0o600), 0).unwrap();
    // The format has whole seconds.
    for (path, ..) in contents(tree) {
        let time = rustix::fs::Timespec {
            tv_sec: 1_234_567_890,
            tv_nsec: 0,
        };
        let times = rustix::fs::Timestamps {
            last_access: time,
            last_modification: time,
        };
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(CWD, tree.join(path), &times, flags).unwrap();
    }
}

#[tokio::test]
async fn a_directory_is_the_same_after_a_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let tree = dir.path().join("tree");
    let large: Vec<u8> = (0..3 * READ_BYTES + 1)
        .map(|n| n.to_le_bytes()[1])
        .collect();
    fill(&tree, &large);
    let (archive, summary) = pack(&files, "tree").await;
    assert_eq!((summary.files, summary.dirs, summary.links), (9, 6, 2));
    assert_eq!(summary.bytes, 2 * large.len() as u64 + 512 + 3 + 2 + 3 * 3);
    assert_eq!(
        (summary.skipped, &*summary.skipped_paths),
        (1, &[PathBuf::from("pipe")][..])
    );
    for (piece, name) in [(usize::MAX, "whole"), (511, "pieces")] {
        let extracted = unpack_in(&files, name, &archive, piece).await.unwrap();
        assert_eq!(
            (extracted.files, extracted.dirs, extracted.links),
            (9, 6, 2)
        );
        assert_eq!(extracted.bytes, summary.bytes);
        assert_eq!(contents(&dir.path().join(name)), contents(&tree));
    }
    // Once more over what is there. Only root could write in what is fixed otherwise.
    if rustix::process::geteuid().is_root() {
        unpack(&files, "whole", &archive).await.unwrap();
        // The times of directories that were there are not the archive's.
        let without_times = |dir: &Path| {
            let found = contents(dir).into_iter();
            found
                .map(|(path, mode, _, content)| (path, mode, content))
                .collect::<Vec<_>>()
        };
        let whole = dir.path().join("whole");
        assert_eq!(without_times(&whole), without_times(&tree));
    }
    // Another implementation reads the same.
    let mut read = tar::Archive::new(&*archive);
    let entries = read.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().into_owned(), content)
    });
    let entries: Vec<_> = entries.collect();
    assert_eq!(entries.len(), 17);
    assert!(entries.contains(&(PathBuf::from("again"), large)));
    for name in ["tree/fixed", "whole/fixed", "pieces/fixed"] {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[tokio::test]
async fn a_file_is_an_archive_of_one_entry() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    super::write(&files, "file", b"text").await.unwrap();
    let (archive, _) = pack(&files, "file").await;
    let extracted = unpack(&files, "a/b", &archive).await.unwrap();
    assert_eq!((extracted.files, extracted.dirs), (1, 0));
    assert_eq!(fs::read(dir.path().join("a/b/file")).unwrap(), b"text");
    let refused = files.read_archive("/dev/null").await;
    assert!(matches!(refused, Err(Error::NotRegular)));
    let refused = files.read_archive("none").await;
    assert!(matches!(refused, Err(Error::NotFound)));
    let refused = files.write_archive("file").await;
    assert!(matches!(refused, Err(Error::NotADirectory)));
}

#[tokio::test]
async fn no_entry_is_extracted_outside_of_the_directory() {
    use EntryType::{Directory, Link, Regular, Symlink};
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "outside").unwrap();
    let outside = outside.to_str().unwrap();
    let absolute = format!("{outside}/file");
    let good = || Archive::default().file("good", b"1");
    let link = |to: &str| good().entry(Symlink, "link", to, b"");
    let cases = [
        good().file(&absolute, b"x"),
        good().file("../outside/file", b"x"),
        good().file("a/../../outside/file", b"x"),
        good().entry(Directory, "../outside/new", "", b""),
        good().entry(Symlink, "../outside/new", "x", b""),
        good().entry(Link, "new", &absolute, b""),
        good().entry(Link, "new", "../outside/file", b""),
        link("../outside").file("link/file", b"x"),
        link(outside).file("link/file", b"x"),
        link(outside).entry(Directory, "link/new", "", b""),
        link(outside).entry(Symlink, "link/new", "x", b""),
        link("../outside").entry(Link, "new", "link/file", b""),
        link("..").file("link/outside/file", b"x"),
        link("/proc/self/cwd").file("link/file", b"x"),
        good().entry(Regular, "/", "", b""),
    ];
    for (number, archive) in cases.into_iter().enumerate() {
        let into = format!("into-{number}");
        let error = unpack(&files, &into, &archive.end()).await.unwrap_err();
        assert!(
            matches!(error.error, Error::InvalidPath(_)),
            "{number}: {error}"
        );
        assert_eq!(error.summary.files, 1, "{number}: {error}");
        assert!(error.path.is_some());
        assert_eq!(fs::read(dir.path().join(into).join("good")).unwrap(), b"1");
    }
    // A link itself may lead anywhere, and one at the end of a path is replaced, not followed.
    let archive = link(&absolute).file("link", b"inside").end();
    unpack(&files, "replaced", &archive).await.unwrap();
    assert_eq!(
        fs::read(dir.path().join("replaced/link")).unwrap(),
        b"inside"
    );
    // One that stays inside is followed.
    let archive = Archive::default()
        .file("a/file", b"1")
        .entry(Symlink, "b", "a", b"")
        .file("b/other", b"2")
        .entry(Link, "c", "b/file", b"")
        .end();
    unpack(&files, "inside", &archive).await.unwrap();
    assert_eq!(fs::read(dir.path().join("inside/a/other")).unwrap(), b"2");
    assert_eq!(
        fs::metadata(dir.path().join("inside/c")).unwrap().nlink(),
        2
    );
    assert_eq!(contents(Path::new(outside)).len(), 2);
    assert_eq!(fs::read(&absolute).unwrap(), b"outside");
}

#[tokio::test]
async fn a_truncated_archive_is_refused_and_leaves_whole_files() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let archive = Archive::default()
        .file("a", b"first")
        .file("b", &[1; 600])
        .end();
    for length in (0..archive.len()).step_by(128) {
        let error = unpack(&files, "into", &archive[..length])
            .await
            .unwrap_err();
        assert!(
            matches!(error.error, Error::InvalidArchive(_)),
            "{length}: {error}"
        );
        let count = contents(&dir.path().join("into")).len() as u64 - 1;
        assert_eq!(count, error.summary.files, "{length}");
        assert_eq!(
            count,
            u64::from(length >= 1024) + u64::from(length >= 2560),
            "{length}"
        );
        files.remove_all("into").await.unwrap();
    }
    unpack(&files, "into", &archive).await.unwrap();
    // What follows the end means nothing.
    let longer = [archive, vec![1; 5000]].concat();
    unpack(&files, "into", &longer).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_extracted_is_an_error() {
    use EntryType::{Block, Char, Fifo, GNUSparse, XHeader};
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let refused = async |archive: Archive| {
        let refused = unpack(&files, "into", &archive.end()).await;
        refused.unwrap_err().error
    };
    for kind in [Block, Char, Fifo] {
        let error = refused(Archive::default().entry(kind, "x", "", b"")).await;
        assert!(matches!(error, Error::NotRegular), "{error}");
    }
    let pax = |records: &[u8]| Archive::default().entry(XHeader, "x", "", records);
    let mut damaged = Archive::default().file("x", b"");
    damaged.0[0] = b'y';
    for archive in [
        Archive::default().entry(GNUSparse, "x", "", b""),
        pax(b"22 GNU.sparse.major=1\n").file("x", b""),
        pax(b"not a record").file("x", b""),
        damaged,
        Archive::default().entry(EntryType::new(b'?'), "x", "", b""),
        Archive::default().entry(
            EntryType::GNULongName,
            "x",
            "",
            &vec![b'x'; ARCHIVE_NAME_BYTES + 1],
        ),
    ] {
        let error = refused(archive).await;
        assert!(matches!(error, Error::InvalidArchive(_)), "{error}");
    }
    let long_name = vec![b'x'; ARCHIVE_NAME_BYTES];
    for archive in [
        Archive::default().file("a/", b"").file("a", b""),
        Archive::default().file("a", b"").file("a/b", b""),
        Archive::default()
            .entry(EntryType::GNULongName, "x", "", &long_name)
            .file("x", b""),
        Archive::default().file("", b""),
        pax(b"12 path=a\0b\n").file("x", b""),
        Archive::default().entry(EntryType::Link, "x", "none", b""),
    ] {
        let error = refused(archive).await;
        let is_expected = matches!(
            error,
            Error::IsADirectory | Error::NotADirectory | Error::InvalidPath(_) | Error::NotFound
        );
        assert!(is_expected, "{error}");
        files.remove_all("into").await.unwrap();
    }
}

#[tokio::test]
async fn records_of_other_archivers_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let archive = Archive::default()
        .entry(EntryType::XGlobalHeader, "g", "", b"11 a=global\n")
        .entry(
            EntryType::XHeader,
            "x",
            "",
            b"17 path=new name\n22 mtime=1500000000.7\n9 size=5\n",
        )
        .file("old name", b"12345")
        .file("old dir/", b"")
        .end();
    unpack(&files, "into", &archive).await.unwrap();
    let file = dir.path().join("into/new name");
    assert_eq!(fs::read(&file).unwrap(), b"12345");
    assert_eq!(fs::metadata(&file).unwrap().mtime(), 1_500_000_000);
    assert!(dir.path().join("into/old dir").is_dir());
}

#[tokio::test]
async fn a_file_that_becomes_shorter_while_it_is_archived_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let file = fs::File::create(dir.path().join("file")).unwrap();
    // More than is created before it is read.
    let length = (ARCHIVE_PIECES as u64 + 3) * READ_BYTES as u64;
    file.set_len(length).unwrap();
    let mut reader = files.read_archive(".").await.unwrap();
    assert!(reader.next().await.unwrap().is_some());
    file.set_len(1).unwrap();
    let error = loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the archive is complete"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error.error, Error::Changed), "{error}");
    assert_eq!(error.path.as_deref(), Some(Path::new("file")));
}

#[tokio::test]
async fn a_full_disk_ends_an_extraction() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
    let dir = tempfile::tempdir().unwrap();
    let mounted = mount("none", dir.path(), "tmpfs", MountFlags::empty(), c"size=1m");
    if mounted.is_err() {
        return super::skip("this user may not mount a small file system");
    }
    let files = Files::system(dir.path());
    let archive = Archive::default()
        .file("small", b"1")
        .file("large", &vec![1; 2 << 20])
        .end();
    let full = unpack(&files, "into", &archive).await;
    let names = files.list("into", 1).await;
    let freed = super::write(&files, "file", &vec![b'x'; 900 << 10]).await;
    unmount(dir.path(), UnmountFlags::DETACH).unwrap();
    let error = full.unwrap_err();
    assert!(matches!(error.error, Error::DiskFull), "{error}");
    assert_eq!(
        error.to_string(),
        "large: no space left (after 1 files, 0 directories and 0 links)"
    );
    assert_eq!(names.unwrap().found.len(), 1);
    freed.unwrap();
}

#[tokio::test]
async fn paths_that_an_archive_leaves_out_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    for n in 0..=ARCHIVE_SKIPPED {
        let path = dir.path().join(n.to_string());
        rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    }
    let (_, summary) = pack(&files, ".").await;
    assert_eq!(summary.skipped, ARCHIVE_SKIPPED as u64 + 1);
    assert_eq!(summary.skipped_paths.len(), ARCHIVE_SKIPPED);
}

#[tokio::test]
async fn what_is_there_already_is_not_made_accessible() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    fs::create_dir_all(dir.path().join("into/a")).unwrap();
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().mode() & 0o7777;
    for name in ["into", "into/a"] {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let directory = EntryType::Directory;
    let archive = Archive::default()
        .entry(directory, "./", "", b"")
        .entry(directory, "a/", "", b"")
        .entry(directory, "a/new/", "", b"")
        .end();
    unpack(&files, "into", &archive).await.unwrap();
    let modes = ["into", "into/a", "into/a/new"].map(mode);
    assert_eq!(modes, [0o700, 0o700, 0o640]);
}

#[tokio::test]
async fn no_entry_runs_as_another_user() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let mut header = Header::new_gnu();
    header.set_path("program").unwrap();
    header.set_mode(0o6755);
    header.set_size(0);
    header.set_cksum();
    let archive = Archive(header.as_bytes().to_vec()).end();
    unpack(&files, "into", &archive).await.unwrap();
    let program = fs::metadata(dir.path().join("into/program")).unwrap();
    assert_eq!(program.mode() & 0o7777, 0o755);
}

#[tokio::test]
async fn any_number_of_directories_is_extracted() {
    // In memory, where that many directories take a moment.
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let files = Files::system(dir.path());
    let directory = EntryType::Directory;
    // One that all others are in is complete after them.
    let mut archive = Archive::default().entry(directory, ".", "", b"");
    for n in 0..=ARCHIVE_DIRECTORIES {
        archive = archive.entry(directory, &n.to_string(), "", b"");
    }
    let extracted = unpack_in(&files, "into", &archive.end(), 100_000)
        .await
        .unwrap();
    assert_eq!(extracted.dirs, ARCHIVE_DIRECTORIES as u64 + 2);
    let first_and_last = [0, 1, ARCHIVE_DIRECTORIES].map(|n| format!("into/{n}"));
    for name in first_and_last.iter().map(String::as_str).chain(["into"]) {
        let metadata = fs::metadata(dir.path().join(name)).unwrap();
        assert_eq!(
            (metadata.mode() & 0o7777, metadata.mtime()),
            (0o640, 1_000_000_000)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn archives_that_are_not_read_are_bounded_in_number_and_memory() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let file = fs::File::create(dir.path().join("file")).unwrap();
    file.set_len(64 << 20).unwrap();
    let mut unread = Vec::new();
    for _ in 0..ARCHIVES {
        unread.push(files.read_archive(".").await.unwrap());
    }
    let another = tokio::spawn({
        let files = files.clone();
        async move { files.write_archive("into").await }
    });
    // It waits from when its directory was created on; the clock does not advance by itself while threads block.
    while !dir.path().join("into").exists() {
        tokio::task::yield_now().await;
    }
    let refused = loop {
        if another.is_finished() {
            break another.await.unwrap();
        }
        tokio::time::advance(CALL_WAIT).await;
        tokio::task::yield_now().await;
    };
    assert!(matches!(refused, Err(Error::Busy)));
    unread.clear();
    // One that was dropped ends, and another one begins.
    files.write_archive("into").await.unwrap();
}
