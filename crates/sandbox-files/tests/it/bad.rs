//! Paths and files that are not as they should be.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode};
use sandbox_files::{Error, Files, WriteOptions};

use super::{as_any_user, read, skip, write};

/// What every operation on a path reports for it.
async fn refusals(files: &Files, path: &str) -> Vec<Error> {
    let writer = files.writer(path, WriteOptions::default()).await;
    vec![
        files.metadata(path).await.unwrap_err(),
        files.reader(path).await.unwrap_err(),
        writer.unwrap_err(),
        files.list(path, 1).await.unwrap_err(),
        files.remove_file(path).await.unwrap_err(),
        files.rename(path, "x").await.unwrap_err(),
        files.find(path, "x").await.unwrap_err(),
        files.search(path, "x").await.unwrap_err(),
        files.replace(path, "x", "y").await.unwrap_err(),
    ]
}

#[tokio::test]
async fn paths_that_are_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let long_name = "x".repeat(256);
    let long_path = "x/".repeat(3000);
    for path in ["", "a\0b", &long_name, &long_path] {
        for error in refusals(&files, path).await {
            assert!(
                matches!(error, Error::InvalidPath(_)),
                "{path:?}: {error:?}"
            );
        }
    }
    for path in ["/", "/..", "."] {
        let removed = files.remove_all(path).await;
        assert!(matches!(removed, Err(Error::InvalidPath(_))), "{path}");
        assert!(
            matches!(write(&files, path, b"").await, Err(Error::InvalidPath(_))),
            "{path}"
        );
    }
    assert!(dir.path().exists());
}

#[tokio::test]
async fn missing_files_and_parents_are_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    for error in refusals(&files, "none/file").await {
        assert!(matches!(error, Error::NotFound), "{error:?}");
    }
    assert!(matches!(read(&files, "none").await, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_file_is_no_directory_and_a_directory_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    write(&files, "file", b"").await.unwrap();
    files.create_dir("dir", None).await.unwrap();
    for error in refusals(&files, "file/below").await {
        assert!(matches!(error, Error::NotADirectory), "{error:?}");
    }
    assert!(matches!(
        files.list("file", 1).await,
        Err(Error::NotADirectory)
    ));
    assert!(matches!(
        files.search("file", "*").await,
        Err(Error::NotADirectory)
    ));
    assert!(matches!(
        files.create_dir("file", None).await,
        Err(Error::NotADirectory)
    ));
    assert!(matches!(
        files.create_dir("file/a/b", None).await,
        Err(Error::NotADirectory)
    ));
    assert!(matches!(
        read(&files, "dir").await,
        Err(Error::IsADirectory)
    ));
    assert!(matches!(
        write(&files, "dir", b"").await,
        Err(Error::IsADirectory)
    ));
    assert!(matches!(
        files.remove_file("dir").await,
        Err(Error::IsADirectory)
    ));
    assert!(matches!(
        files.replace("dir", "a", "b").await,
        Err(Error::IsADirectory)
    ));
}

#[tokio::test]
async fn links_that_are_a_circle_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    symlink("b", dir.path().join("a")).unwrap();
    symlink("a", dir.path().join("b")).unwrap();
    assert!(matches!(
        read(&files, "a").await,
        Err(Error::InvalidPath(_))
    ));
    assert!(matches!(
        write(&files, "a", b"").await,
        Err(Error::InvalidPath(_))
    ));
    assert!(matches!(
        files.list("a/x", 1).await,
        Err(Error::InvalidPath(_))
    ));
    files.remove_file("a").await.unwrap();
}

#[tokio::test]
async fn nothing_waits_for_pipes_and_devices() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("pipe", dir.path().join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    for path in ["pipe", "link", "socket", "/dev/zero", "/dev/tty"] {
        if files.metadata(path).await.is_err() {
            continue; // No terminal is there everywhere.
        }
        assert!(
            matches!(read(&files, path).await, Err(Error::NotRegular)),
            "{path}"
        );
        assert!(
            matches!(write(&files, path, b"").await, Err(Error::NotRegular)),
            "{path}"
        );
        assert!(
            matches!(files.replace(path, "a", "b").await, Err(Error::NotRegular)),
            "{path}"
        );
        assert!(
            matches!(files.find(path, "a").await, Err(Error::NotRegular)),
            "{path}"
        );
    }
    write(&files, "file", b"a").await.unwrap();
    assert_eq!(files.find(".", "a").await.unwrap().found.len(), 1);
    assert_eq!(files.list(".", 1).await.unwrap().found.len(), 4);
    files.remove_file("pipe").await.unwrap();
}

#[test]
fn what_this_user_may_not_do_is_refused() {
    let runtime = as_any_user();
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &str, mode| {
        let path = dir.path().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::write(dir.path().join("secret"), "a").unwrap();
    fs::write(dir.path().join("read-only"), "a").unwrap();
    fs::create_dir_all(dir.path().join("closed/sub")).unwrap();
    fs::create_dir(dir.path().join("fixed")).unwrap();
    fs::write(dir.path().join("fixed/file"), "a").unwrap();
    mode("secret", 0);
    mode("read-only", 0o444);
    mode("closed", 0);
    mode("fixed", 0o555);
    let files = Files::system(dir.path());
    runtime.block_on(async {
        assert!(matches!(
            read(&files, "secret").await,
            Err(Error::AccessDenied)
        ));
        assert!(matches!(
            write(&files, "read-only", b"b").await,
            Err(Error::AccessDenied)
        ));
        assert!(matches!(
            write(&files, "fixed/new", b"b").await,
            Err(Error::AccessDenied)
        ));
        assert!(matches!(
            files.list("closed", 1).await,
            Err(Error::AccessDenied)
        ));
        assert!(matches!(
            files.metadata("closed/sub").await,
            Err(Error::AccessDenied)
        ));
        assert!(matches!(
            files.remove_file("fixed/file").await,
            Err(Error::AccessDenied)
        ));
        assert!(matches!(
            files.remove_all("fixed").await,
            Err(Error::AccessDenied)
        ));
        assert!(matches!(
            files.rename("fixed/file", "x").await,
            Err(Error::AccessDenied)
        ));
        assert!(matches!(
            files.create_dir("fixed/x", None).await,
            Err(Error::AccessDenied)
        ));
        // A search passes over what it cannot read.
        let found = files.find(".", "a").await.unwrap().found;
        assert_eq!(found.len(), 2, "{found:?}");
    });
    mode("closed", 0o700);
    mode("fixed", 0o700);
    drop(runtime);
}

#[tokio::test]
async fn a_full_disk_leaves_what_was_there() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
    let dir = tempfile::tempdir().unwrap();
    let mounted = mount("none", dir.path(), "tmpfs", MountFlags::empty(), c"size=1m");
    if mounted.is_err() {
        return skip("this user may not mount a small file system");
    }
    let files = Files::system(dir.path());
    write(&files, "file", b"old").await.unwrap();
    let full = write(&files, "file", &vec![b'x'; 2 << 20]).await;
    let after = read(&files, "file").await;
    let replaced = files.replace("file", "o", vec![b'x'; 1 << 20]).await;
    let names = files.list(".", 1).await;
    let again = write(&files, "file", &vec![b'x'; 900 << 10]).await;
    unmount(dir.path(), UnmountFlags::DETACH).unwrap();
    assert!(matches!(full, Err(Error::DiskFull)), "{full:?}");
    assert_eq!(after.unwrap(), b"old");
    assert!(matches!(replaced, Err(Error::DiskFull)), "{replaced:?}");
    assert_eq!(names.unwrap().found.len(), 1);
    again.unwrap();
}
