//! What each operation does.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::{ffi::OsStr, fs};

use sandbox_files::{Error, FileKind, Files, Owner, Permissions};

use super::{read, write};

#[tokio::test]
async fn paths_are_relative_to_the_work_directory_or_home() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("home")).unwrap();
    let files = Files::system(dir.path()).with_home(dir.path().join("home"));
    write(&files, "a", b"work").await.unwrap();
    write(&files, "~/a", b"home").await.unwrap();
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"work");
    assert_eq!(fs::read(dir.path().join("home/a")).unwrap(), b"home");
    assert!(files.metadata("~").await.unwrap().is_dir());
    assert_eq!(files.absolute("~x").unwrap(), dir.path().join("~x"));
    let whole = dir.path().join("home/../a");
    assert_eq!(read(&files, whole).await.unwrap(), b"work");
}

#[tokio::test]
async fn metadata_is_what_the_system_knows() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let path = dir.path().join("file");
    fs::write(&path, "12345").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("file", dir.path().join("link")).unwrap();
    let known = fs::metadata(&path).unwrap();
    for name in ["file", "link"] {
        let metadata = files.metadata(name).await.unwrap();
        assert_eq!((metadata.kind, metadata.size), (FileKind::File, 5));
        assert_eq!(
            (metadata.mode, metadata.uid, metadata.gid),
            (0o640, known.uid(), known.gid())
        );
        assert_eq!(metadata.modified, known.modified().unwrap());
    }
    assert_eq!(files.metadata(".").await.unwrap().kind, FileKind::Dir);
    // A time before 1970 is one, too.
    let file = fs::File::open(&path).unwrap();
    let early = std::time::UNIX_EPOCH - std::time::Duration::from_millis(1500);
    file.set_modified(early).unwrap();
    assert_eq!(files.metadata("file").await.unwrap().modified, early);
}

#[tokio::test]
async fn directories_are_listed_as_deeply_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("b/c/d")).unwrap();
    fs::write(dir.path().join("b/c/x"), "x").unwrap();
    fs::write(dir.path().join("a"), "a").unwrap();
    symlink("b", dir.path().join("link")).unwrap();
    let files = Files::system(dir.path());
    let listed = async |depth| {
        let listed = files.list(".", depth).await.unwrap();
        assert!(!listed.is_truncated);
        let paths = listed.found.into_iter();
        paths
            .map(|entry| entry.path.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(1).await, ["a", "b", "link"]);
    assert_eq!(listed(2).await, ["a", "b", "b/c", "link"]);
    assert_eq!(listed(9).await, ["a", "b", "b/c", "b/c/d", "b/c/x", "link"]);
    let found = files.list(".", 1).await.unwrap().found;
    assert_eq!(found[2].metadata.kind, FileKind::Symlink);
    // The directory itself may be a link.
    assert_eq!(files.list("link", 1).await.unwrap().found.len(), 1);
}

#[tokio::test]
async fn directories_are_created_with_those_above_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    files.create_dir("a/b/c", Some(0o777)).await.unwrap();
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().mode() & 0o7777;
    assert_eq!(mode("a/b/c"), 0o777, "whatever the umask is");
    assert_eq!(mode("a/b") & !0o755, 0);
    files.create_dir("a/b/c", Some(0o700)).await.unwrap();
    assert_eq!(mode("a/b/c"), 0o777, "it was there");
    files.create_dir("a/d/../e", None).await.unwrap_err();
    files.create_dir("/", None).await.unwrap();
}

#[tokio::test]
async fn what_is_moved_is_there_and_not_here() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    write(&files, "a", b"1").await.unwrap();
    write(&files, "b", b"2").await.unwrap();
    files.create_dir("dir/sub", None).await.unwrap();
    files.rename("a", "b").await.unwrap();
    assert_eq!(read(&files, "b").await.unwrap(), b"1", "as rename(2) does");
    assert!(matches!(files.metadata("a").await, Err(Error::NotFound)));
    files.rename("dir", "moved").await.unwrap();
    assert!(files.metadata("moved/sub").await.unwrap().is_dir());
    symlink("nowhere", dir.path().join("link")).unwrap();
    files.rename("link", "link2").await.unwrap();
    assert!(dir.path().join("link2").is_symlink());

    let refused = async |from, to| files.rename(from, to).await.unwrap_err();
    assert!(matches!(refused("none", "x").await, Error::NotFound));
    assert!(matches!(refused("b", "none/x").await, Error::NotFound));
    assert!(matches!(refused("b", "moved").await, Error::Exists));
    assert!(matches!(refused("moved", "b").await, Error::Exists));
    assert!(matches!(
        refused("moved", "moved/sub/x").await,
        Error::InvalidPath(_)
    ));
    files.create_dir("full/x", None).await.unwrap();
    assert!(matches!(refused("moved", "full").await, Error::Exists));
}

#[tokio::test]
async fn a_file_is_moved_to_another_file_system() {
    let here = tempfile::tempdir().unwrap();
    let Ok(there) = tempfile::tempdir_in("/dev/shm") else {
        return super::skip("there is no /dev/shm");
    };
    let device = |dir: &tempfile::TempDir| fs::metadata(dir.path()).unwrap().dev();
    if device(&here) == device(&there) {
        return super::skip("the temporary directory is in /dev/shm");
    }
    let files = Files::system(here.path());
    let bytes: Vec<u8> = (0..1_000_000).map(|n: u32| n.to_le_bytes()[1]).collect();
    write(&files, "a", &bytes).await.unwrap();
    fs::set_permissions(here.path().join("a"), fs::Permissions::from_mode(0o751)).unwrap();
    let target = there.path().join("a");
    files.rename("a", &target).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), bytes);
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o751);
    assert!(!here.path().join("a").exists());
    symlink("nowhere", here.path().join("link")).unwrap();
    files
        .rename("link", there.path().join("link"))
        .await
        .unwrap();
    assert!(there.path().join("link").is_symlink());
}

#[tokio::test]
async fn a_directory_is_moved_to_another_file_system_or_stays() {
    use rustix::fs::{CWD, FileType, Mode};
    let here = tempfile::tempdir().unwrap();
    let Ok(there) = tempfile::tempdir_in("/dev/shm") else {
        return super::skip("there is no /dev/shm");
    };
    let device = |dir: &tempfile::TempDir| fs::metadata(dir.path()).unwrap().dev();
    if device(&here) == device(&there) {
        return super::skip("the temporary directory is in /dev/shm");
    }
    let files = Files::system(here.path());
    let target = there.path().join("dir");
    files.create_dir("dir/a/b", None).await.unwrap();
    write(&files, "dir/a/file", b"text").await.unwrap();
    symlink("file", here.path().join("dir/a/link")).unwrap();
    let mode = |name: &str, mode| {
        fs::set_permissions(here.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("dir/a/file", 0o751);
    mode("dir/a/b", 0o500);
    let modified = |path: &std::path::Path| fs::metadata(path).unwrap().modified().unwrap();
    let before = modified(&here.path().join("dir/a/file"));

    // What cannot be copied keeps everything where it is.
    let pipe = here.path().join("dir/pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let refused = files.rename("dir", &target).await;
    assert!(matches!(refused, Err(Error::NotRegular)));
    assert!(here.path().join("dir/a/file").exists());
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0);
    fs::remove_file(pipe).unwrap();
    fs::create_dir(&target).unwrap();
    let refused = files.rename("dir", &target).await;
    assert!(matches!(refused, Err(Error::Exists)));
    fs::remove_dir(&target).unwrap();

    files.rename("dir", &target).await.unwrap();
    assert!(!here.path().join("dir").exists());
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 1);
    assert_eq!(fs::read(target.join("a/link")).unwrap(), b"text");
    assert!(target.join("a/link").is_symlink());
    assert_eq!(
        fs::metadata(target.join("a/b")).unwrap().mode() & 0o7777,
        0o500
    );
    assert_eq!(
        fs::metadata(target.join("a/file")).unwrap().mode() & 0o7777,
        0o751
    );
    assert_eq!(modified(&target.join("a/file")), before);
}

#[tokio::test]
async fn permissions_are_set() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    write(&files, "a", b"").await.unwrap();
    symlink("a", dir.path().join("link")).unwrap();
    let known = fs::metadata(dir.path().join("a")).unwrap();
    let permissions = Permissions {
        mode: Some(0o4711),
        owner: Some(Owner::Id(known.uid())),
        group: Some(Owner::Id(known.gid())),
    };
    files.set_permissions("link", permissions).await.unwrap();
    assert_eq!(files.metadata("a").await.unwrap().mode, 0o4711);
    let owned = |owner: &str| Permissions {
        owner: Some(Owner::from(owner)),
        ..Permissions::default()
    };
    let refused = files.set_permissions("a", owned("no such user")).await;
    assert!(matches!(refused, Err(Error::UnknownOwner(name)) if name == "no such user"));
    let refused = files.set_permissions("a", owned("4294967295")).await;
    assert!(matches!(refused, Err(Error::UnknownOwner(_))));
    if known.uid() == 0 {
        files.set_permissions("a", owned("root")).await.unwrap();
        files.set_permissions("a", owned("12345")).await.unwrap();
        assert_eq!(files.metadata("a").await.unwrap().uid, 12345);
    }
}

#[tokio::test]
async fn names_are_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let name = OsStr::from_bytes(b"a\xff\n\\ \x01b");
    write(&files, name, b"text\n").await.unwrap();
    assert_eq!(read(&files, name).await.unwrap(), b"text\n");
    assert_eq!(files.list(".", 1).await.unwrap().found[0].path, name);
    assert_eq!(
        files.search(".", "a*b").await.unwrap().found,
        [PathBuf::from(name)]
    );
    assert_eq!(files.find(".", "ex").await.unwrap().found[0].path, name);
    assert_eq!(files.replace(name, "ex", "as").await.unwrap(), 1);
    let renamed = OsStr::from_bytes(b"\xfe");
    files.rename(name, renamed).await.unwrap();
    assert_eq!(read(&files, renamed).await.unwrap(), b"tast\n");
    files.remove_file(renamed).await.unwrap();
    assert_eq!(files.list(".", 1).await.unwrap().found, []);
}

#[tokio::test]
async fn texts_are_found_by_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    files.create_dir("src/.hidden", None).await.unwrap();
    write(&files, "src/a.py", b"one\r\ntwo needle\nthree needle (.*)")
        .await
        .unwrap();
    write(&files, "src/.hidden/b", b"needle\xff\n")
        .await
        .unwrap();
    write(&files, "src/binary", b"needle\0needle\n")
        .await
        .unwrap();
    write(&files, "src/other", b"need\nle\n").await.unwrap();
    symlink(".", dir.path().join("src/circle")).unwrap();
    let lines = async |path: &str, text: &str| {
        let found = files.find(path, text).await.unwrap();
        assert!(!found.is_truncated);
        let lines = found.found.into_iter();
        let line = |line: sandbox_files::Line| {
            let text = String::from_utf8_lossy(&line.text).into_owned();
            format!("{}:{}:{text}", line.path.display(), line.number)
        };
        lines.map(line).collect::<Vec<_>>()
    };
    let expect = [
        ".hidden/b:1:needle\u{fffd}",
        "a.py:2:two needle",
        "a.py:3:three needle (.*)",
    ];
    assert_eq!(lines("src", "needle").await, expect);
    assert_eq!(lines("src/a.py", "one").await, [":1:one"]);
    // It is no regular expression, and no line has two lines in it.
    assert_eq!(lines("src", "t.o").await, [""; 0]);
    assert_eq!(lines("src", "(.*)").await, ["a.py:3:three needle (.*)"]);
    assert_eq!(lines("src", "(").await, ["a.py:3:three needle (.*)"]);
    assert_eq!(lines("src", "need\nle").await, [""; 0]);
    let refused = files.find("src", "").await;
    assert!(matches!(refused, Err(Error::InvalidPattern(_))));
}

#[tokio::test]
async fn names_are_found_by_patterns() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    files.create_dir("src/deep.py", None).await.unwrap();
    for name in ["src/a.py", "src/b.js", "src/deep.py/c.py", "src/.d.py"] {
        write(&files, name, b"").await.unwrap();
    }
    symlink("src", dir.path().join("link")).unwrap();
    let names = async |pattern: &str| {
        let found = files.search(".", pattern).await.unwrap();
        assert!(!found.is_truncated);
        let paths = found.found.into_iter();
        paths
            .map(|path| path.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let python = ["src/.d.py", "src/a.py", "src/deep.py", "src/deep.py/c.py"];
    assert_eq!(names("*.py").await, python);
    assert_eq!(names("b.js").await, ["src/b.js"]);
    assert_eq!(names("[ab].{py,js}").await, ["src/a.py", "src/b.js"]);
    assert_eq!(names("src/*.js").await, ["src/b.js"]);
    assert_eq!(names("**/c.py").await, ["src/deep.py/c.py"]);
    assert_eq!(names("nothing").await, [""; 0]);
    let refused = files.search(".", "[a").await;
    assert!(matches!(refused, Err(Error::InvalidPattern(_))));
}

#[tokio::test]
async fn texts_are_replaced_in_one_step_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let path = dir.path().join("file");
    fs::write(&path, "a.c abc a.c").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
    assert_eq!(files.replace("file", "a.c", "$1").await.unwrap(), 2);
    assert_eq!(fs::read_to_string(&path).unwrap(), "$1 abc $1");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o751);
    let inode = fs::metadata(&path).unwrap().ino();
    assert_eq!(files.replace("file", "none", "x").await.unwrap(), 0);
    assert_eq!(
        fs::metadata(&path).unwrap().ino(),
        inode,
        "it was not touched"
    );
    assert!(matches!(
        files.replace("file", "", "x").await,
        Err(Error::InvalidPattern(_))
    ));
    assert_eq!(files.list(".", 1).await.unwrap().found.len(), 1);
}
