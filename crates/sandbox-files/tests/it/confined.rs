//! Nothing leads out of a root.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use sandbox_files::{Error, Files, Permissions};

use super::{read, skip, write};

/// A root, with a file of the same name below it and outside.
fn root() -> Option<(tempfile::TempDir, Files)> {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("root")).unwrap();
    fs::create_dir(dir.path().join("outside")).unwrap();
    fs::write(dir.path().join("outside/file"), "outside").unwrap();
    match Files::below(dir.path().join("root")) {
        Ok(files) => Some((dir, files)),
        Err(Error::Unsupported) => {
            skip("the kernel has no openat2");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn no_path_and_no_link_leads_out() {
    let Some((dir, files)) = root() else { return };
    let outside = dir.path().join("outside");
    let inside = dir.path().join("root");
    symlink(&outside, inside.join("absolute")).unwrap();
    symlink("../outside", inside.join("relative")).unwrap();
    symlink(outside.join("file"), inside.join("file-link")).unwrap();
    symlink("/proc/self/root", inside.join("magic")).unwrap();
    for path in [
        "../outside/file",
        "/../../outside/file",
        "absolute/file",
        "relative/file",
        "file-link",
        outside.join("file").to_str().unwrap(),
    ] {
        assert!(
            matches!(read(&files, path).await, Err(Error::NotFound)),
            "{path}"
        );
        write(&files, path, b"x").await.unwrap_err();
        files.replace(path, "outside", "x").await.unwrap_err();
        files
            .set_permissions(path, Permissions::default())
            .await
            .unwrap_err();
    }
    files.metadata("magic/etc").await.unwrap_err();
    // A link in the root to `/` is one to the root.
    write(&files, "/inside", b"inside").await.unwrap();
    symlink("/", inside.join("top")).unwrap();
    assert_eq!(read(&files, "top/top/inside").await.unwrap(), b"inside");
    assert_eq!(read(&files, "../../inside").await.unwrap(), b"inside");
    // A walk follows no link, and removing removes links.
    assert_eq!(files.find(".", "outside").await.unwrap().found, []);
    for name in ["absolute", "relative", "file-link"] {
        files.remove_all(name).await.unwrap();
    }
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"outside");
}

#[tokio::test]
async fn the_work_directory_is_below_the_root() {
    let Some((dir, files)) = root() else { return };
    let files = files.with_work_dir("/base").with_home("/home/user");
    files.create_dir(".", None).await.unwrap();
    write(&files, "a", b"1").await.unwrap();
    assert_eq!(fs::read(dir.path().join("root/base/a")).unwrap(), b"1");
    files.create_dir("~", None).await.unwrap();
    write(&files, "~/b", b"2").await.unwrap();
    assert_eq!(fs::read(dir.path().join("root/home/user/b")).unwrap(), b"2");
}

/// A directory in the path is a link to the outside every other moment.
#[tokio::test]
async fn a_rename_in_the_middle_leads_nowhere_else() {
    let Some((dir, files)) = root() else { return };
    let inside = dir.path().join("root");
    fs::create_dir(inside.join("dir")).unwrap();
    fs::write(inside.join("dir/file"), "inside").unwrap();
    symlink("../outside", inside.join("link")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let exchange = |a: &Path, b: &Path| {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            rustix::fs::renameat_with(rustix::fs::CWD, a, rustix::fs::CWD, b, flags).unwrap();
        };
        let (a, b) = (inside.join("dir"), inside.join("link"));
        let done = &done;
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                exchange(&a, &b);
            }
        });
        let handle = tokio::runtime::Handle::current();
        let files = &files;
        let tried = scope.spawn(move || handle.block_on(try_to_get_out(files)));
        let tried = tried.join();
        done.store(true, Ordering::Relaxed);
        tried.unwrap();
    });
    assert_eq!(
        fs::read(dir.path().join("outside/file")).unwrap(),
        b"outside"
    );
    assert_eq!(fs::read_dir(dir.path().join("outside")).unwrap().count(), 1);
}

async fn try_to_get_out(files: &Files) {
    for _ in 0..300 {
        if let Ok(bytes) = read(files, "dir/file").await {
            assert_eq!(bytes, b"inside");
        }
        let _ = write(files, "dir/new", b"new").await;
        let _ = files.replace("dir/file", "outside", "changed").await;
        let _ = files.rename("dir/new", "dir/newer").await;
        for line in files
            .find("dir", "side")
            .await
            .map_or(vec![], |found| found.found)
        {
            assert_eq!(line.text, b"inside");
        }
        let _ = files.remove_all("dir/newer").await;
    }
}
