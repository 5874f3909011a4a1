//! Files, over a transport that has them in memory and is as hostile as a test wants.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use sandbox_process::transport::{
    ApiFuture, Capabilities, FileReader, FilesApi, Matches, Permissions,
};
use sandbox_process::{
    ArchiveSummary, CallOptions, Delivery, Error, ErrorKind, FileContent, FileInfo, FileKind,
    FoundLine, Process, ProcessApi, ReplaceOutcome, blocking,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A content, unless it is a directory, and a mode.
type File = (Option<Vec<u8>>, u32);

#[derive(Debug, Clone, Default)]
struct Memory {
    /// The files by their paths.
    files: Arc<Mutex<BTreeMap<PathBuf, File>>>,
    /// Other entries that the root lists.
    listed: Vec<FileInfo>,
    /// The archive of any directory; without one, there are no archives.
    archive: Option<Vec<u8>>,
    /// How many pieces of an upload are accepted.
    accepts: Option<usize>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Memory {
    fn process(&self) -> Process {
        Process::with_api(self.clone())
    }

    fn ask<T: Send + 'static>(&self, question: String, result: T) -> ApiFuture<'static, T> {
        self.asked.lock().unwrap().push(question);
        Box::pin(std::future::ready(Ok(result)))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn info(&self, path: &Path) -> Result<FileInfo, Error> {
        let files = self.files.lock().unwrap();
        let (content, mode) = files.get(path).ok_or_else(not_found)?;
        Ok(FileInfo {
            path: path.to_owned(),
            kind: match content {
                Some(_) => FileKind::File,
                None => FileKind::Dir,
            },
            mode: *mode,
            ..FileInfo::default()
        })
    }
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, Delivery::Rejected, "no such file")
}

impl ProcessApi for Memory {
    fn with_options(&self, _: CallOptions) -> Arc<dyn ProcessApi> {
        Arc::new(self.clone())
    }

    fn capabilities(&self) -> ApiFuture<'_, Capabilities> {
        let mut capabilities = Capabilities::new("v1");
        capabilities.extensions = self.archive.is_some();
        Box::pin(std::future::ready(Ok(capabilities)))
    }

    fn files(&self) -> Arc<dyn FilesApi> {
        Arc::new(self.clone())
    }

    fn ports(&self) -> ApiFuture<'_, Vec<u16>> {
        self.ask("ports".into(), vec![3000])
    }

    fn port_in_use(&self, port: u16) -> ApiFuture<'_, bool> {
        self.ask(format!("port_in_use {port}"), true)
    }
}

impl FilesApi for Memory {
    fn metadata<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileInfo> {
        Box::pin(std::future::ready(self.info(path)))
    }

    fn list<'a>(&'a self, path: &'a Path, depth: u32) -> ApiFuture<'a, Matches<FileInfo>> {
        let paths: Vec<_> = self.files.lock().unwrap().keys().cloned().collect();
        let below = paths.iter().filter(|found| found.parent() == Some(path));
        let mut items: Vec<_> = below.map(|found| self.info(found).unwrap()).rev().collect();
        if path == Path::new("/root") {
            items.extend(self.listed.iter().cloned());
        }
        let matches = Matches {
            items,
            is_truncated: false,
        };
        self.ask(format!("list {} {depth}", path.display()), matches)
    }

    fn read<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileReader> {
        let files = self.files.lock().unwrap();
        let content = files.get(path).and_then(|(content, _)| content.clone());
        Box::pin(std::future::ready(content.ok_or_else(not_found).map(
            |content| {
                let length = content.len() as u64;
                let pieces: Vec<_> = content.chunks(3).map(Bytes::copy_from_slice).collect();
                FileReader::new(Some(length), stream::iter(pieces).map(Ok))
            },
        )))
    }

    fn write<'a>(&'a self, path: &'a Path, mut content: FileContent) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let (mut bytes, mut count) = (Vec::new(), 0);
            let mode = content.mode().unwrap_or(0o600);
            while let Some(piece) = content.next().await {
                count += 1;
                if self.accepts.is_some_and(|accepted| count > accepted) {
                    let kind = ErrorKind::PermissionDenied;
                    return Err(Error::new(kind, Delivery::Rejected, "denied"));
                }
                let cut = |error| {
                    Error::new(ErrorKind::Local, Delivery::Uncertain, "cut").with_source(error)
                };
                let piece: Bytes = piece.map_err(cut)?;
                bytes.extend_from_slice(&piece);
            }
            let mut files = self.files.lock().unwrap();
            files.insert(path.to_owned(), (Some(bytes), mode));
            Ok(())
        })
    }

    fn create_dir<'a>(&'a self, path: &'a Path, mode: Option<u32>) -> ApiFuture<'a, ()> {
        let mut files = self.files.lock().unwrap();
        files.insert(path.to_owned(), (None, mode.unwrap_or(0o755)));
        self.ask(format!("create_dir {} {mode:?}", path.display()), ())
    }

    fn remove<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, ()> {
        self.ask(format!("remove {}", path.display()), ())
    }

    fn remove_all<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, ()> {
        self.ask(format!("remove_all {}", path.display()), ())
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> ApiFuture<'a, ()> {
        self.ask(format!("rename {} {}", from.display(), to.display()), ())
    }

    fn set_permissions<'a>(
        &'a self,
        path: &'a Path,
        permissions: Permissions,
    ) -> ApiFuture<'a, ()> {
        let mode = permissions.mode.unwrap();
        if let Some(file) = self.files.lock().unwrap().get_mut(path) {
            file.1 = mode;
        }
        self.ask(format!("set_permissions {} {mode:o}", path.display()), ())
    }

    fn find<'a>(&'a self, path: &'a Path, text: &'a str) -> ApiFuture<'a, Matches<FoundLine>> {
        self.ask(
            format!("find {} {text}", path.display()),
            Matches::default(),
        )
    }

    fn search<'a>(&'a self, path: &'a Path, pattern: &'a str) -> ApiFuture<'a, Matches<PathBuf>> {
        self.ask(
            format!("search {} {pattern}", path.display()),
            Matches::default(),
        )
    }

    fn replace<'a>(
        &'a self,
        paths: &'a [PathBuf],
        old: &'a str,
        new: &'a str,
    ) -> ApiFuture<'a, Vec<ReplaceOutcome>> {
        self.ask(format!("replace {paths:?} {old} {new}"), Vec::new())
    }

    fn read_archive<'a>(&'a self, _: &'a Path) -> ApiFuture<'a, FileReader> {
        let archive = Bytes::from(self.archive.clone().unwrap());
        let pieces = stream::iter([Ok(archive)]);
        Box::pin(std::future::ready(Ok(FileReader::new(None, pieces))))
    }
}

#[tokio::test]
async fn every_method_asks_the_transport() {
    let memory = Memory::default();
    let process = memory.process();
    let files = process.files();
    files.list("/d").await.unwrap();
    files.list_depth("/d", 3).await.unwrap();
    files.create_dir_all("/d").await.unwrap();
    files.remove_file("/f").await.unwrap();
    files.remove_dir_all("/d").await.unwrap();
    files.rename("/a", "/b").await.unwrap();
    files
        .set_permissions("/f", Permissions::from_mode(0o640))
        .await
        .unwrap();
    files.find("/d", "x y").await.unwrap();
    files.search("/d", "*.rs").await.unwrap();
    files.replace(["/f"], "a", "b").await.unwrap();
    assert_eq!(process.ports().await.unwrap(), [3000]);
    assert!(process.port_in_use(80).await.unwrap());
    let expect = [
        "list /d 1",
        "list /d 3",
        "create_dir /d None",
        "remove /f",
        "remove_all /d",
        "rename /a /b",
        "set_permissions /f 640",
        "find /d x y",
        "search /d *.rs",
        "replace [\"/f\"] a b",
        "ports",
        "port_in_use 80",
    ];
    assert_eq!(memory.asked(), expect);

    // By the names of the SDKs.
    files.create_folder("/d", 0o700).await.unwrap();
    files.delete_file("/f").await.unwrap();
    files.upload_file("content", "/f").await.unwrap();
    assert_eq!(files.download_file("/f").await.unwrap(), b"content");
    files.list_files("/d").await.unwrap();
    assert!(files.get_file_info("/f").await.unwrap().is_file());
    files.move_files("/a", "/b").await.unwrap();
    files.find_files("/d", "x").await.unwrap();
    files.search_files("/d", "x").await.unwrap();
    files
        .replace_in_files(&["/f".into()], "a", "b")
        .await
        .unwrap();
    files
        .set_file_permissions("/f", Permissions::from_mode(0o600))
        .await
        .unwrap();
    let expect = [
        "create_dir /d Some(448)",
        "remove /f",
        "list /d 1",
        "rename /a /b",
        "find /d x",
        "search /d x",
        "replace [\"/f\"] a b",
        "set_permissions /f 600",
    ];
    assert_eq!(memory.asked(), expect);
}

#[tokio::test]
async fn files_are_read_and_written_in_pieces() {
    let memory = Memory::default();
    let files = memory.process().files();
    let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut writer = files.writer("/f").await.unwrap();
    for piece in content.chunks(99_999) {
        writer.write_all(piece).await.unwrap();
    }
    writer.flush().await.unwrap();
    assert!(!files.exists("/f").await.unwrap());
    writer.finish().await.unwrap();
    let mut reader = files.reader("/f").await.unwrap();
    assert_eq!(reader.size(), Some(800_000));
    let mut first = [0; 4];
    reader.read_exact(&mut first).await.unwrap();
    let rest = reader.next().await.unwrap().unwrap();
    assert_eq!(rest, &content[4..6]);
    let mut all = [&first[..], &rest].concat();
    reader.read_to_end(&mut all).await.unwrap();
    assert!(all == content);

    // By `AsyncWrite` alone.
    let mut writer = files.writer("/g").await.unwrap();
    tokio::io::copy(&mut &content[..], &mut writer)
        .await
        .unwrap();
    writer.shutdown().await.unwrap();
    assert!(files.read("/g").await.unwrap() == content);
    assert!(writer.write_all(b"x").await.is_err());
    files
        .writer("/empty")
        .await
        .unwrap()
        .finish()
        .await
        .unwrap();
    assert_eq!(files.read_to_string("/empty").await.unwrap(), "");
    files.write("/bytes", vec![0xff]).await.unwrap();
    let error = files.read_to_string("/bytes").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = files.reader("/none").await.unwrap_err();
    assert!(error.is_not_found());
}

#[tokio::test]
async fn a_writer_that_is_dropped_writes_nothing() {
    let memory = Memory::default();
    let files = memory.process().files();
    let mut writer = files.writer("/f").await.unwrap();
    writer.write_all(b"half of").await.unwrap();
    writer.flush().await.unwrap();
    drop(writer);
    assert!(!files.exists("/f").await.unwrap());
    // Nor does one that is dropped while it finishes, or has never been written to.
    let mut writer = files.writer("/f").await.unwrap();
    writer.write_all(b"half of").await.unwrap();
    drop(files.writer("/f").await.unwrap());
    drop(writer);
    assert!(!files.exists("/f").await.unwrap());
}

#[tokio::test]
async fn a_writer_reports_what_the_daemon_refuses() {
    let memory = Memory {
        accepts: Some(1),
        ..Memory::default()
    };
    let files = memory.process().files();
    let mut writer = files.writer("/f").await.unwrap();
    let error = loop {
        if let Err(error) = writer.write_all(b"piece").await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    let inner = error.into_inner().unwrap();
    assert!(inner.downcast::<Error>().unwrap().is_permission_denied());
    assert!(writer.write_all(b"more").await.is_err());
    let mut writer = files.writer("/f").await.unwrap();
    writer.write_all(b"one").await.unwrap();
    let refused = writer.write_all(b"two").now_or_never();
    assert!(refused.is_none_or(|written| written.is_err()));
    // What has failed is never finished.
    writer.finish().await.unwrap_err();
    assert!(!files.exists("/f").await.unwrap());
}

/// An entry of a tar archive, in the oldest format.
fn entry(name: &str, kind: u8, link: &str, content: &[u8]) -> Vec<u8> {
    let mut block = [0; 512];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(157, link);
    put(257, "ustar\x0000");
    block[156] = kind;
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
    [&block[..], content, &padding].concat()
}

const END: [u8; 1024] = [0; 1024];

fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in dir.read_dir().unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path());
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn an_archive_never_leads_out_of_the_target() {
    let (file, link) = (b'0', b'2');
    let hostile = [
        vec![entry("../out", file, "", b"x")],
        vec![entry("a/../../out", file, "", b"x")],
        vec![entry("/tmp/sandbox-out", file, "", b"x")],
        vec![
            entry("link", link, "..", b""),
            entry("link/out", file, "", b"x"),
        ],
        vec![
            entry("link", link, "/tmp", b""),
            entry("link/sandbox-out", file, "", b"x"),
        ],
        vec![entry("hard", b'1', "/etc/passwd", b"")],
        vec![entry("hard", b'1', "../secret", b"")],
        vec![entry("pipe", b'6', "", b"")],
        vec![entry("device", b'3', "", b"")],
    ];
    for entries in hostile {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        let memory = Memory {
            archive: Some(
                [
                    entry("good", file, "", b"g"),
                    entries.concat(),
                    END.to_vec(),
                ]
                .concat(),
            ),
            ..Memory::default()
        };
        memory
            .files
            .lock()
            .unwrap()
            .insert("/root".into(), (None, 0o755));
        let files = memory.process().files();
        let target = dir.path().join("target");
        let error = files.download_dir("/root", &target).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        let mut names = below(dir.path());
        names.retain(|path| !path.starts_with(&target));
        assert_eq!(names, [dir.path().join("secret")]);
        assert_eq!(std::fs::read(target.join("good")).unwrap(), b"g");
        assert!(!Path::new("/tmp/sandbox-out").exists());
    }
}

#[tokio::test]
async fn an_archive_that_is_cut_is_an_error() {
    let archive = [
        entry("good", b'0', "", b"g"),
        entry("cut", b'0', "", &[1; 5000]),
    ]
    .concat();
    for length in [archive.len() - 4096, 700, 512, 0] {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory {
            archive: Some(archive[..length].to_vec()),
            ..Memory::default()
        };
        memory
            .files
            .lock()
            .unwrap()
            .insert("/root".into(), (None, 0o755));
        let target = dir.path().join("target");
        let error = memory
            .process()
            .files()
            .download_dir("/root", &target)
            .await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Protocol, "{length}");
        assert!(!target.join("cut").exists());
    }
}

#[tokio::test]
async fn names_of_a_hostile_listing_lead_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (target, outside) = (dir.path().join("target"), dir.path().join("outside"));
    std::fs::create_dir_all(&target).unwrap();
    std::fs::create_dir(&outside).unwrap();
    // The target has links that lead out.
    symlink(&outside, target.join("dir")).unwrap();
    symlink(outside.join("new"), target.join("file")).unwrap();
    let listed = |path: &str, kind| FileInfo {
        path: path.into(),
        kind,
        mode: 0o644,
        ..FileInfo::default()
    };
    let mut memory = Memory::default();
    {
        let mut files = memory.files.lock().unwrap();
        files.insert("/root".into(), (None, 0o755));
        for name in ["plain", "file", "dir/inner"] {
            files.insert(Path::new("/root").join(name), (Some(b"x".to_vec()), 0o644));
        }
        files.insert("/root/dir".into(), (None, 0o755));
    }
    // What it calls so is read as `/root/plain`.
    memory.listed = vec![listed("../../../plain", FileKind::File)];
    let files = memory.process().files();
    // Whether the links are errors or are resolved within the target: nothing is outside of it.
    drop(files.download_dir("/root", &target).await);
    assert_eq!(below(&outside), [""; 0].map(PathBuf::from));
    assert_eq!(
        below(dir.path())
            .iter()
            .filter(|path| !path.starts_with(&target))
            .count(),
        1
    );

    memory.listed = vec![listed("/root/..", FileKind::File)];
    let files = memory.process().files();
    let clean = dir.path().join("clean");
    let error = files.download_dir("/root", &clean).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn directories_are_transferred_file_by_file_without_archives() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    std::fs::create_dir_all(source.join("a/b")).unwrap();
    std::fs::write(source.join("a/run"), "#!").unwrap();
    std::fs::set_permissions(
        source.join("a/run"),
        std::fs::Permissions::from_mode(0o4751),
    )
    .unwrap();
    std::fs::write(source.join("a/b/data"), [7; 10_000]).unwrap();
    symlink("data", source.join("a/b/link")).unwrap();
    let memory = Memory::default();
    let files = memory.process().files();
    let total = Arc::new(Mutex::new(0));
    let seen = total.clone();
    let sent = files.upload_dir(&source, "/root");
    let sent = sent
        .on_progress(move |bytes| *seen.lock().unwrap() += bytes)
        .await
        .unwrap();
    let expect = ArchiveSummary {
        files: 2,
        directories: 2,
        bytes: 10_002,
        skipped: 1,
        skipped_paths: vec!["a/b/link".into()],
        ..ArchiveSummary::default()
    };
    assert_eq!(sent, expect);
    assert_eq!(*total.lock().unwrap(), 10_002);
    assert_eq!(memory.info("/root/a/run".as_ref()).unwrap().mode, 0o751);

    let target = dir.path().join("new/target");
    let received = files.download_dir("/root", &target).await.unwrap();
    assert_eq!(
        (received.files, received.directories, received.bytes),
        (2, 2, 10_002)
    );
    assert_eq!(std::fs::read(target.join("a/b/data")).unwrap(), [7; 10_000]);
    let mode = std::fs::metadata(target.join("a/run"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o751);
}

#[tokio::test]
async fn errors_of_this_machine_are_local() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Memory::default();
    let files = memory.process().files();
    files.write("/f", "x").await.unwrap();
    let none = dir.path().join("none");
    let errors = [
        files.upload(&none, "/g").await.unwrap_err(),
        files.upload(dir.path(), "/g").await.unwrap_err(),
        files.upload_dir(&none, "/g").await.unwrap_err(),
        files.download("/f", none.join("deeper")).await.unwrap_err(),
        files.download("/f", dir.path()).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Local, "{error}");
        assert!(
            error.to_string().contains(dir.path().to_str().unwrap()),
            "{error}"
        );
    }
    assert!(!files.exists("/g").await.unwrap());
    let error = files
        .download("/none", dir.path().join("x"))
        .await
        .unwrap_err();
    assert!(error.is_not_found());
    let error = files
        .download_dir("/f", dir.path().join("x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(below(dir.path()), [""; 0].map(PathBuf::from));
}

#[test]
fn the_same_without_a_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Memory::default();
    let process = blocking::Process::new(memory.process()).unwrap();
    let files = process.files();
    let mut writer = files.writer("/f").unwrap();
    writer.write_all(b"blocking").unwrap();
    writer.shutdown().unwrap();
    let mut text = String::new();
    files
        .reader("/f")
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "blocking");
    let local = dir.path().join("f");
    files.download("/f", &local).run().unwrap();
    files.upload(&local, "/g").run().unwrap();
    assert_eq!(files.read_to_string("/g").unwrap(), "blocking");
    assert!(files.exists("/g").unwrap());
    assert_eq!(process.ports().unwrap(), [3000]);
}

/// Compiles only if what tasks need holds.
#[test]
fn handles_are_send_and_static() {
    fn check<T: Send + 'static>(_: PhantomData<T>) {}
    check(PhantomData::<sandbox_process::Files>);
    check(PhantomData::<sandbox_process::FileReader>);
    check(PhantomData::<sandbox_process::FileWriter>);
    check(PhantomData::<<sandbox_process::Transfer as IntoFuture>::IntoFuture>);
}
