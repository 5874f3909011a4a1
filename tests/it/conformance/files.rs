//! Files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sandbox_process::transport::{FileReader, FilesApi, Matches};
use sandbox_tests::{Carrier, Sandbox};
use sandbox_transport::{Error, FileContent, FileInfo, Permissions};

use super::cases;
use super::cutter::{Cutter, Numbers};
use super::transcript::Transcript;

cases![
    contents, metadata, changes, searches, names, errors, failures, cuts
];

async fn collect(mut reader: FileReader) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = reader.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

async fn read(files: &dyn FilesApi, path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    collect(files.read(path.as_ref()).await?).await
}

async fn write(files: &dyn FilesApi, path: impl AsRef<Path>, content: &[u8]) {
    let content = Bytes::copy_from_slice(content);
    files.write(path.as_ref(), content.into()).await.unwrap();
}

async fn contents(sandbox: &Sandbox, told: &mut Transcript) {
    let files = sandbox.process.api().files();
    let big = Numbers::new(7).bytes(3_000_000);
    let pieces: Vec<_> = big.chunks(77_777).map(Bytes::copy_from_slice).collect();
    let stream = futures_util::stream::iter(pieces.into_iter().map(Ok));
    let content = FileContent::stream(stream);
    told.result("streamed", files.write("in/big".as_ref(), content).await);
    let reader = files.read("in/big".as_ref()).await.unwrap();
    told.tell("size", reader.size());
    told.tell("whole", collect(reader).await.unwrap() == big);
    for (name, content) in [("empty", &b""[..]), ("small", b"\0\xff")] {
        write(&*files, name, content).await;
        told.result(name, read(&*files, name).await);
    }
    // A file of which the length is not known.
    let reader = files.read("/proc/self/stat".as_ref()).await.unwrap();
    told.tell("of a size that is not known", reader.size());
    told.tell("has content", !collect(reader).await.unwrap().is_empty());
}

/// What does not differ from run to run.
fn shown(info: FileInfo) -> impl std::fmt::Debug {
    let known = info.modified.is_some();
    (
        info.path, info.kind, info.size, info.mode, info.owner, info.group, known,
    )
}

fn listed(mut listed: Matches<FileInfo>) -> impl std::fmt::Debug {
    listed.items.sort_by(|one, other| one.path.cmp(&other.path));
    let items = listed
        .items
        .into_iter()
        .filter(|entry| !entry.is_dir() || entry.size > 0);
    let items = items.map(|entry| FileInfo {
        // A directory's is the file system's.
        size: if entry.is_dir() { 0 } else { entry.size },
        ..entry
    });
    (items.map(shown).collect::<Vec<_>>(), listed.is_truncated)
}

async fn metadata(sandbox: &Sandbox, told: &mut Transcript) {
    let files = sandbox.process.api().files();
    write(&*files, "meta/dir/file", b"12345").await;
    let permissions = Permissions::from_mode(0o2751);
    told.result(
        "mode",
        files
            .set_permissions("meta/dir/file".as_ref(), permissions)
            .await,
    );
    symlink("dir/file", sandbox.work_dir().join("meta/link")).unwrap();
    for mode in [0o640, 0o4711] {
        let content = FileContent::from(Bytes::from_static(b"new")).with_mode(mode);
        told.result("written", files.write("meta/mode".as_ref(), content).await);
        told.result(
            "its mode",
            files.metadata("meta/mode".as_ref()).await.map(shown),
        );
    }
    let content = FileContent::from(Bytes::new()).with_mode(0o10000);
    let refused = files.write("meta/mode".as_ref(), content).await;
    told.tell("beyond modes", refused.map_err(|error| error.kind()));
    told.result("not written", read(&*files, "meta/mode").await);
    for path in ["meta/dir/file", "meta/link", "meta/./dir/../dir/file"] {
        told.result(path, files.metadata(path.as_ref()).await.map(shown));
    }
    told.result("listed", files.list("meta".as_ref(), 1).await.map(listed));
    told.result("deeper", files.list("meta".as_ref(), 2).await.map(listed));
    told.result(
        "device",
        files
            .metadata("/dev/null".as_ref())
            .await
            .map(|info| info.kind),
    );
    told.result("depth", files.list("meta".as_ref(), 0).await.map(listed));
}

async fn changes(sandbox: &Sandbox, told: &mut Transcript) {
    let files = sandbox.process.api().files();
    told.result(
        "dir",
        files.create_dir("new/deep".as_ref(), Some(0o750)).await,
    );
    told.result(
        "again",
        files.create_dir("new/deep".as_ref(), Some(0o700)).await,
    );
    let mode = files
        .metadata("new/deep".as_ref())
        .await
        .map(|info| info.mode);
    told.result("its mode", mode);
    told.result(
        "default",
        files.create_dir("new/other".as_ref(), None).await,
    );
    let mode = files
        .metadata("new/other".as_ref())
        .await
        .map(|info| info.mode);
    told.result("its mode", mode);
    write(&*files, "new/a", b"a").await;
    write(&*files, "new/b", b"b").await;
    told.result(
        "renamed",
        files.rename("new/a".as_ref(), "new/b".as_ref()).await,
    );
    told.result("content", read(&*files, "new/b").await);
    told.result("removed", files.remove("new/b".as_ref()).await);
    told.result("all", files.remove_all("new".as_ref()).await);
    told.result("gone", files.metadata("new".as_ref()).await.map(shown));
}

async fn searches(sandbox: &Sandbox, told: &mut Transcript) {
    let files = sandbox.process.api().files();
    write(&*files, "found/a.txt", b"one\ntwo one\n").await;
    write(&*files, "found/sub/b.txt", b"one\n").await;
    write(&*files, "found/c.bin", b"\0one").await;
    let mut found = files.find("found".as_ref(), "one").await.unwrap();
    found
        .items
        .sort_by(|one, other| (&one.path, one.number).cmp(&(&other.path, other.number)));
    told.tell("lines", found);
    let mut found = files.search("found".as_ref(), "*.txt").await.unwrap();
    found.items.sort();
    told.tell("paths", found);
    let paths = ["found/a.txt", "found/none", "found/sub/b.txt"].map(PathBuf::from);
    let replaced = files.replace(&paths, "one", "1").await.unwrap();
    for result in replaced {
        told.tell("replaced", (result.path, result.error));
    }
    told.result("after", read(&*files, "found/a.txt").await);
    told.result("no text", files.find("found".as_ref(), "").await);
    told.result("no pattern", files.search("found".as_ref(), "").await);
    told.result(
        "no old text",
        files.replace(&paths, "", "x").await.map(drop),
    );
}

async fn names(sandbox: &Sandbox, told: &mut Transcript) {
    let files = sandbox.process.api().files();
    for name in [
        &b"\xff\xfe"[..],
        "\u{EFFF}\u{e9}".as_bytes(),
        b" ?&%\n",
        b"-",
    ] {
        let path = Path::new("names").join(OsStr::from_bytes(name));
        write(&*files, &path, name).await;
        told.result("content", read(&*files, &path).await);
        told.result("info", files.metadata(&path).await.map(shown));
    }
    told.result("listed", files.list("names".as_ref(), 1).await.map(listed));
    let mut found = files.search("names".as_ref(), "*").await.unwrap();
    found.items.sort();
    told.tell("found", found);
    told.result("nul", read(&*files, "a\0b").await);
    told.result("too long", read(&*files, "n".repeat(300)).await);
}

async fn errors(sandbox: &Sandbox, told: &mut Transcript) {
    let files = sandbox.process.api().files();
    write(&*files, "err/file", b"x").await;
    files.create_dir("err/dir".as_ref(), None).await.unwrap();
    symlink("loop", sandbox.work_dir().join("err/loop")).unwrap();
    for path in ["err/none", "err/dir", "err/file/x", "err/loop", "/dev/zero"] {
        told.result(path, read(&*files, path).await);
        let written = files
            .write(path.as_ref(), Bytes::from_static(b"y").into())
            .await;
        if path != "err/none" {
            told.result("written", written);
        }
    }
    for path in ["err/nowhere", "err/file"] {
        told.result(path, files.list(path.as_ref(), 1).await.map(listed));
    }
    told.result(
        "remove",
        files.remove("err/dir".as_ref()).await.map_err(kind),
    );
    told.result("remove nothing", files.remove("err/nowhere".as_ref()).await);
    told.result("dir", files.create_dir("err/file".as_ref(), None).await);
    told.result(
        "rename",
        files.rename("err/file".as_ref(), "err/dir".as_ref()).await,
    );
    let owner = Permissions {
        owner: Some("no-such-user".to_owned()),
        ..Permissions::default()
    };
    told.result(
        "owner",
        files.set_permissions("err/file".as_ref(), owner).await,
    );
    let mode = Permissions::from_mode(0o17777);
    let set = files.set_permissions("err/file".as_ref(), mode).await;
    told.tell(
        "mode",
        set.map_err(|error| (error.kind(), error.delivery())),
    );
}

/// The words differ: HTTP names its parameter.
fn kind(error: Error) -> Error {
    let code = error.code().unwrap_or_default().to_owned();
    Error::new(error.kind(), error.delivery(), code)
}

/// An archive of a directory is extracted as the same directory, and one that is cut is an error.
#[tokio::test(flavor = "multi_thread")]
async fn archives_over_grpc() {
    let sandbox = Sandbox::over(Carrier::GrpcTcp).await;
    let files = sandbox.process.api().files();
    write(&*files, "tar/a/data", &[9; 100_000]).await;
    symlink("a/data", sandbox.work_dir().join("tar/link")).unwrap();
    let archive = files.read_archive("tar".as_ref()).await.unwrap();
    let archive = collect(archive).await.unwrap();
    let content = FileContent::from(archive.clone());
    let copied = files.write_archive("copy".as_ref(), content).await;
    let copied = copied.unwrap();
    assert_eq!((copied.files, copied.links, copied.bytes), (1, 1, 100_000));
    assert_eq!(read(&*files, "copy/link").await.unwrap(), [9; 100_000]);
    let error = files.read_archive("none".as_ref()).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let cut = FileContent::from(archive[..archive.len() / 2].to_vec());
    files.write_archive("cut".as_ref(), cut).await.unwrap_err();
    assert!(!sandbox.work_dir().join("cut/a/data").exists());
    sandbox.shutdown().await;
}

/// Content that fails, and an upload that is dropped, leave the file as it was.
async fn failures(sandbox: &Sandbox, told: &mut Transcript) {
    let files = sandbox.process.api().files();
    write(&*files, "kept", b"before").await;
    let pieces = || (0..5).map(|_| Ok(Bytes::from(vec![1; 100_000])));
    let broken = [Err(std::io::Error::other("broken"))];
    let broken = futures_util::stream::iter(pieces().chain(broken));
    told.result(
        "broken",
        files
            .write("kept".as_ref(), FileContent::stream(broken))
            .await,
    );
    let short = FileContent::stream(futures_util::stream::iter(pieces())).with_length(500_001);
    told.result("short", files.write("kept".as_ref(), short).await);
    let endless = futures_util::stream::repeat_with(|| Ok(Bytes::from_static(&[1; 1000])));
    let writing = files.write("kept".as_ref(), FileContent::stream(endless));
    let dropped = tokio::time::timeout(std::time::Duration::from_millis(100), writing).await;
    told.tell("dropped", dropped.is_err());
    told.result("content", read(&*files, "kept").await);
}

/// A read over connections that are cut is whole, and a write is whole or has not happened.
async fn cuts(sandbox: &Sandbox, told: &mut Transcript) {
    let files = sandbox.process.api().files();
    let content = Numbers::new(11).bytes(2_000_000);
    write(&*files, "cut-file", &content).await;
    let cutter = Cutter::of(sandbox, Numbers::of_now(), 600_000).await;
    let through = cutter.process.api().files();
    told.tell(
        "whole",
        read(&*through, "cut-file").await.unwrap() == content,
    );
}
